"""One trial of a search for settings: trained and judged on validation alone, and given up where it falls behind."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Annotated

import torch

from bench.checkpoint import Snapshot
from bench.probes import asked
from bench.probes._learned import Numbers, row, taught
from bench.record import Result
from bench.train import evaluated
from bench.trial import Trial
from bench.watch import Pulse, Watch
from tasks import Range, Settings


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """The place of the trial in its search."""

    number: Annotated[int, Range(0, 100_000)] = 0
    space: str = ""  # what was searched, as JSON: the ends or the choices of each setting
    source: str = ""  # the suite whose search found these values before
    bars: tuple[float, ...] | None = None  # best on validation that each evaluation has to come to, the last aside


class Behind(Exception):
    """The trial did not come to a bar: it would hardly win."""


def run(trial: Trial, made_of: dict[str, str], out: Path, device: torch.device, watch: Watch) -> list[Result]:
    """The best on validation and the way there; `pruned` is 1 where the training was given up."""
    how: Config = asked.probe(trial)
    main = asked.task(trial).main
    seen = Seen(watch, how, trial.points, main)
    try:
        model, training = taught(trial, device, seen)
        curve: list[Numbers] = training.curve
        metrics: Numbers = {"validation": float(training.best_score or 0.0), **training.used(), "pruned": 0}
        metrics |= training.chosen
    except Behind:
        model, curve = asked.built(trial, device), seen.points
        metrics = {"validation": float(curve[-1]["validation"]), "pruned": 1}
        metrics |= {axis: curve[-1][axis] for axis in ("updates", "seconds")}
    return [row(trial, made_of, device, "validation", metrics, curve, model=model, notes={"metric": main})]


class Seen(Watch):
    """Looks on for another, and raises Behind at an evaluation whose best so far lies below its bar."""

    def __init__(self, watch: Watch, how: Config, evaluations: int, main: str) -> None:
        super().__init__(self._told, watch.checkpoints, watch.stopping, watch.alive, watch.warn, watch.every)
        self.watch, self.bars, self.evaluations, self.main = watch, how.bars or (), evaluations, main
        self.points: list[Numbers] = []
        self.seen = 0  # points of the training's curve

    def saved(self) -> Snapshot | None:
        """Where an interrupted training left off, whose evaluations count here as well."""
        found = super().saved()
        if found is not None:
            curve = found.numbers["training"]["curve"]
            self.points, self.seen = best_so_far(curve, self.main), len(curve)
        return found

    def _told(self, pulse: Pulse) -> None:
        self.watch.tell(pulse)
        if pulse.best is None or pulse.points == self.seen:
            return
        self.seen = pulse.points
        self.points.append({"updates": pulse.updates, "seconds": pulse.seconds, "validation": pulse.best})
        place = evaluated(pulse.planned, self.evaluations).index(pulse.updates)
        if pulse.updates < pulse.planned and place < len(self.bars) and pulse.best < self.bars[place]:
            raise Behind(f"{pulse.best:g} on validation at evaluation {place + 1}, the bar was {self.bars[place]:g}")


def best_so_far(curve: list[Numbers], main: str) -> list[Numbers]:
    """The best on validation at each evaluation of a curve; of several candidates at one, the best counts."""
    found: dict[float, Numbers] = {}
    best = -math.inf
    for point in curve:
        best = max(best, float(point[main]))
        found[point["updates"]] = {"updates": point["updates"], "seconds": point["seconds"], "validation": best}
    return list(found.values())
