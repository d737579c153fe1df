"""Extrapolation: trained up to length n, chosen on validation there, then asked about longer ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch

from bench.probes import asked
from bench.probes._learned import Numbers, Rates, Stages, best, drawn, on_test, row
from bench.record import Result
from bench.trial import Trial
from bench.watch import Watch
from tasks import Scores, Settings
from tasks.synthetic import Synthetic


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """What is tried; lengths of training and test are settings of the task (shortest, length, tested)."""

    rates: Rates = (1e-3, 3e-3)  # each is tried; the best on validation counts


def run(trial: Trial, made_of: dict[str, str], out: Path, device: torch.device, watch: Watch) -> list[Result]:
    """One model and seed: accuracy at every length of the test."""
    task, how, stages = drawn(trial), asked.probe(trial), Stages(watch)
    model, chosen, tried = best(trial, how.rates, device, stages)
    scores = on_test(model, asked.tested(trial), device, stages.inner)
    points = by_length(task, scores)
    inside = [p["score"] for p in points if p["length"] <= task.config.length]
    beyond = [p["score"] for p in points if p["length"] > task.config.length]
    metrics = {name: value for name, value in chosen.items() if name not in ("seconds", "updates", "examples")}
    metrics |= {f"{name}_total": sum(one.get(name, 0) for one in tried) for name in ("seconds", "updates")}
    metrics |= {"inside": float(np.mean(inside))} if inside else {}
    metrics |= {"beyond": float(np.mean(beyond)), "beyond_least": min(beyond)} if beyond else {}
    main = "beyond" if beyond else "inside"
    notes = {"metric": scores.main}
    return [row(trial, made_of, device, main, metrics, points, model=model, notes=notes, signatures=scores.signatures)]


def by_length(task: Synthetic, scores: Scores) -> list[Numbers]:
    """The mean of every metric at each length of the test."""
    lengths = np.array(task.lengths("test"))
    return [
        {"length": int(n), "score": _mean(scores, scores.main, lengths == n)}
        | {name: _mean(scores, name, lengths == n) for name in scores.items if name != scores.main}
        | {"examples": int((lengths == n).sum())}
        for n in np.unique(lengths)
    ]


def _mean(scores: Scores, metric: str, rows: np.ndarray) -> float:
    return float(np.mean(np.array(scores.items[metric])[rows]))
