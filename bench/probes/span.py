"""Span: the longest distance at which a model still solves a task, by a bounded search under one stated budget.

The search climbs the lengths that it was given until one is not solved, then tries middles between the last that
was and the first that was not. At each length a fresh model is trained, once a rate.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Annotated

import torch

from bench.learning.gradient import Taught
from bench.probes import asked
from bench.probes._learned import Numbers, Rates, Stages, best, drawn, on_test, row
from bench.record import Result
from bench.sizes import state_bytes
from bench.trial import Trial
from bench.watch import Watch
from models import Model
from tasks import BadInput, Range, Settings, Task, collate

Place = Annotated[int, Range(1, 65_536)]


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """Where is searched, and what counts."""

    along: str = "length"  # the task's setting that grows
    lengths: tuple[Place, ...] = (10, 20, 50, 100, 200, 400, 800)  # rising
    solved: Annotated[float, Range(0, 100)] = 90.0  # of the task's main metric, on the test
    enough: Annotated[float, Range(0, 100)] = 99.5  # on validation, at which a training ends before its budget
    rates: Rates = (
        1e-3,
        3e-3,
    )  # tried at each length, in this order, until one is enough; the best on validation counts
    refine: Annotated[int, Range(0, 10)] = (
        1  # middles tried between the last that was solved and the first that was not
    )
    every: bool = False  # whether lengths beyond the first unsolved one are tried as well; then no middles are


def run(trial: Trial, made_of: dict[str, str], out: Path, device: torch.device, watch: Watch) -> list[Result]:
    """Searches for one model and one seed."""
    drawn(trial)
    how: Config = asked.probe(trial)
    if list(how.lengths) != sorted(set(how.lengths)):
        raise BadInput(f"probe span: lengths={how.lengths} do not rise")
    stages, points = Stages(watch), list[Numbers]()
    for length in how.lengths:
        points.append(_at(trial, how, length, device, stages))
        if not how.every and points[-1]["score"] < how.solved:
            break
    for _ in range(0 if how.every else how.refine):
        middle = _middle(points, how.solved)
        if middle is None:
            break
        points.append(_at(trial, how, middle, device, stages))
    points.sort(key=lambda point: point["length"])
    model = asked.built(_long(trial, how, int(points[0]["length"])), device)
    metrics = {
        "span": reached(points, how.solved),
        "first_unsolved": min((p["length"] for p in points if p["score"] < how.solved), default=0),
        "train_seconds": sum(point["seconds"] for point in points),
        "updates": sum(point["updates"] for point in points),
    }
    metrics |= {f"loss_{point['length']}": point["loss"] for point in points if "loss" in point}
    notes = {} if metrics["first_unsolved"] else {"span": f"every length up to {how.lengths[-1]} was solved"}
    main = asked.task(trial).main
    return [row(trial, made_of, device, "span", metrics, points, model=model, notes=notes | {"metric": main})]


def _long(trial: Trial, how: Config, length: int) -> Trial:
    """The trial at that length."""
    return dataclasses.replace(trial, task_settings=trial.task_settings | {how.along: length})


def _at(trial: Trial, how: Config, length: int, device: torch.device, stages: Stages) -> Numbers:
    """One length: its score on the test, and what it took."""
    own = _long(trial, how, length)

    def part() -> Numbers:
        model, chosen, tried = best(own, how.rates, device, stages, how.enough)
        task = asked.tested(own)
        scores = on_test(model, task, device, stages.inner)
        held = state_bytes(model, collate(task.items("test"), [0], model.spec).to(device))
        lost = {"loss": loss(model, task, device)} if model.learning == "gradient" else {}
        stages.best = {}
        spent: Numbers = {name: sum(one.get(name, 0) for one in tried) for name in ("updates", "seconds")}
        kept: Numbers = {name: chosen[name] for name in ("validation", "rate", "strength") if name in chosen}
        found: Numbers = {"length": length, "score": scores.totals[scores.main], **lost}
        return found | kept | spent | held | {"trainings": len(tried)}

    done: Numbers = stages.once(f"{how.along} {length}", part)
    return done


@torch.no_grad()
def loss(model: Model, task: Task, device: torch.device, size: int = 128) -> float:
    """On the test, right answers given: mean cross-entropy in nats of what is asked for, or the mean squared error.

    A mean over batches weighted by their examples: answers to sources of one length are as long as one another.
    """
    taught, batches = Taught(model, 0.0).eval(), list(task.batches("test", size))
    total = sum(float(taught(batch.to(device))) * len(batch.item) for batch in batches)
    return total / sum(len(batch.item) for batch in batches)


def _middle(points: list[Numbers], solved: float) -> int | None:
    """Between the last length that was solved and the first that was not, in ratios; None where nothing lies there."""
    low = reached(points, solved)
    high = min((int(point["length"]) for point in points if point["score"] < solved), default=0)
    if not low or not high:
        return None
    middle = round(math.sqrt(low * high))
    return middle if low < middle < high else None


def reached(points: list[Numbers], solved: float) -> int:
    """The longest length that was solved, all shorter ones that were tried too; 0 where the first was not."""
    span = 0
    for point in sorted(points, key=lambda point: point["length"]):
        if point["score"] < solved:
            break
        span = int(point["length"])
    return span
