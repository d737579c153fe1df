"""Quality by length of the source: one trained model, asked in parts by length, and about sources far longer."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import numpy as np
import torch

import tasks
from bench.probes import asked
from bench.probes._learned import Numbers, Rates, Stages, best, on_test, row
from bench.record import Result
from bench.statistics.intervals import over_items
from bench.trial import Trial
from bench.watch import Watch
from tasks import BadInput, Range, Settings, Task

Words = Annotated[int, Range(1, 10_000)]


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """Lengths in words."""

    edges: tuple[Words, ...] = (3, 6, 10, 15, 20, 30, 40, 60)  # of the parts that the test falls into
    longer: tuple[Words, ...] = (10, 25, 50, 100, 200)  # sources of about these lengths are made of the test, too
    rates: Rates = (1e-3,)  # each is tried; the best on validation counts


def run(trial: Trial, made_of: dict[str, str], out: Path, device: torch.device, watch: Watch) -> list[Result]:
    """One model and seed: its score in every part of the test and at every length."""
    how, stages, kind = asked.probe(trial), Stages(watch), tasks.load(trial.task)
    if kind.by_words is Task.by_words and kind.at_length is Task.at_length:
        raise BadInput(f"probe by_length needs a task whose sources are words; {trial.task} has none")
    model, chosen, _ = best(trial, how.rates, device, stages)
    task = asked.tested(trial)
    long = {words: task.at_length(words) for words in how.longer}
    points: list[Numbers] = []
    for name, part in task.by_words(how.edges).items():
        points.append({"words": int(name.rpartition(" ")[2])} | _scored(model, part, device, stages.inner))
    for words, other in long.items():
        if other is not None:
            points.append({"asked": words} | _scored(model, other, device, stages.inner))
    whole = on_test(model, task, device, stages.inner, trial.beam)
    metrics = whole.totals | {f"validation_{whole.main}": chosen["validation"]}
    metrics |= {name: chosen[name] for name in ("rate", "strength", "seconds", "updates") if name in chosen}
    return [row(trial, made_of, device, whole.main, metrics, points, model=model, signatures=whole.signatures)]


def _scored(model: torch.nn.Module, task: Task, device: torch.device, watch: Watch) -> Numbers:
    """Scores of one part, how many items and words it has, and the interval of the main one's mean over items."""
    scores = on_test(model, task, device, watch)  # type: ignore[arg-type]
    each = scores.items[scores.main]
    span = over_items(each)
    shown = task.items("test")
    said: Numbers = {"items": len(shown), "tokens": float(np.mean(shown.source_lengths))}
    said |= {"mean": float(np.mean(each))} | ({} if span is None else {"low": span.low, "high": span.high})
    return said | scores.totals
