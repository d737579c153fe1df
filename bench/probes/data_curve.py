"""Data against model: the score on the test after training on more and more examples, and the seconds beside it."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch

from bench.probes import asked
from bench.probes._learned import Numbers, Stages, on_test, row, taught
from bench.record import Result
from bench.trial import Trial
from bench.watch import Watch
from tasks import BadInput, Items, Range, Scores, Settings, Shown, Split, Task


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """How many examples, and how often they are seen."""

    sizes: tuple[Annotated[int, Range(1, 10_000_000)], ...] = (50, 100, 200, 400, 800, 1600, 3200, 6400)
    passes: Annotated[int, Range(1, 10_000)] = 20  # over the examples, at most
    least: Annotated[int, Range(1, 1_000_000)] = 100  # updates, however few examples there are


class Fewer(Task):
    """A task of whose training split only some items are left."""

    def __init__(self, whole: Task, rows: Sequence[int]) -> None:
        items = whole.items("train")
        self.whole, self.spec, self.checksum = whole, whole.spec, whole.checksum
        self.left = Items(
            [items.sources[row] for row in rows],
            [items.targets[row] for row in rows],
            [items.source_lengths[row] for row in rows],
        )

    def items(self, split: Split) -> Items:
        """What is left of training; the other splits are whole."""
        return self.left if split == "train" else self.whole.items(split)

    def score(self, answers: Sequence[Sequence[int]], split: Split) -> Scores:
        """As the whole task does."""
        return self.whole.score(answers, split)

    def floors(self, split: Split) -> dict[str, Scores]:
        """As of the whole task."""
        return self.whole.floors(split)

    def show(self, split: Split, item: int) -> Shown:
        """As the whole task does."""
        return self.whole.show(split, item)

    def read(self, query: str) -> np.ndarray:
        """As the whole task does."""
        return self.whole.read(query)

    def write(self, tokens: Sequence[int]) -> str:
        """As the whole task does."""
        return self.whole.write(tokens)


def run(trial: Trial, made_of: dict[str, str], out: Path, device: torch.device, watch: Watch) -> list[Result]:
    """One model and seed at every size; each holds the examples of the smaller ones."""
    if trial.budget.updates is None:
        raise BadInput("probe data_curve: the budget has to count updates")
    task, how, stages = asked.task(trial), asked.probe(trial), Stages(watch)
    total = len(task.items("train"))
    order = np.random.default_rng(trial.drawn_by("order")).permutation(total)
    sizes = [size for size in sorted(set(how.sizes)) if size < total] + [total]
    points: list[Numbers] = [
        stages.once(str(size), functools.partial(_at, trial, how, task, order[:size], device, stages)) for size in sizes
    ]
    model, task = asked.built(trial, device), asked.tested(trial)  # now that nothing is left to train
    for size, point in zip(sizes, points, strict=True):
        model.load_state_dict({name: value.to(device) for name, value in stages.model(str(size)).items()})
        scores = on_test(model, task, device, stages.inner)
        point |= {"score": scores.totals[scores.main]}
    main = str(task.main)
    metrics = {main: points[-1]["score"], "seconds_total": sum(point["seconds"] for point in points)}
    return [row(trial, made_of, device, main, metrics, points, model=model, notes={"metric": main})]


def _at(trial: Trial, how: Config, task: Task, rows: Any, device: torch.device, stages: Stages) -> Numbers:
    """One size: no more updates than the trial's budget, nor than the passes need."""
    updates = max(how.least, how.passes * math.ceil(len(rows) / trial.batch))
    budget = dataclasses.replace(trial.budget, updates=min(updates, trial.budget.updates or updates))
    own = dataclasses.replace(trial, budget=budget, batch=min(trial.batch, len(rows)))
    model, training = taught(own, device, stages.inner, None, Fewer(task, rows.tolist()))
    stages.keep(str(len(rows)), model)
    return {
        "examples": len(rows),
        "validation": float(training.best_score or 0.0),
        "updates": training.updates,
        "seconds": round(training.seconds, 3),
        **training.chosen,
    }
