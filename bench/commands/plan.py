"""What a suite would take on this machine, and the smallest difference that it could show, before it is run.

No torch: what is timed, a worker times (bench/estimate.py).
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench import goal, record, suites, workers
from bench.commands import running
from bench.goal import Goal, alike
from bench.record import RecordError, Result
from bench.statistics import LEVEL, smallest_difference
from bench.statistics.planning import POWER
from bench.trial import Place, Trial

SEED_SPREAD = 1.0  # standard deviation over seeds, in points of the main metric, where no run tells
WHOLE = ("quality",)  # probes of one training, whose estimate is that of the trial


class PlanError(Exception):
    """What was asked for has no plan: one line says why."""


def item_spread(share: float = 50.0) -> float:
    """Standard deviation over items of the difference of two models that are right on `share` per cent of them.

    sqrt(p (100 - p)), at most 50: where right answers of the two correlate by a half. Were they independent, it would
    be 1.4 times as large.
    """
    kept = min(100.0, max(0.0, share))
    return math.sqrt(kept * (100 - kept))


class Spread(NamedTuple):
    """How much a score differs from seed to seed and from item to item."""

    seeds: float
    items: float
    source: str  # where the two come from


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a stored run tells of spreads: scores by task and model, one a seed."""

    folder: str
    scores: dict[tuple[str, str], list[float]]

    def spread(self, task: str, model: str) -> Spread:
        """That of a model on a task, else the middle one of the models on that task, else what is assumed."""
        own = self.scores.get((task, model), [])
        others = [values for (on, _), values in self.scores.items() if on == task]
        known = [statistics.stdev(values) for values in others if len(values) > 1]
        items = item_spread(statistics.fmean(own)) if own else item_spread()
        if len(own) > 1:
            return Spread(statistics.stdev(own), items, f"{len(own)} seeds in {self.folder}")
        if known:
            return Spread(statistics.median(known), items, f"other models on {task} in {self.folder}")
        return Spread(SEED_SPREAD, items, "assumed")


def seen(folder: Path | None) -> Seen:
    """Scores of the finished trainings of a run; nothing without a run. Raises RecordError."""
    if folder is None:
        return Seen("", {})
    if not (folder / record.RESULTS).is_file():
        raise RecordError(f"--from {folder}: there is no {record.RESULTS} in it; expected a folder that a run wrote")
    newest: dict[str, Result] = {}
    for row in record.read(folder):
        if row.probe in WHOLE and row.status == "ok" and row.main in row.metrics:
            newest[row.id or f"{row.model} {row.task} {row.seed}"] = row
    groups: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in newest.values():
        by_settings = groups.setdefault((row.task, row.model), {})
        by_settings.setdefault(str(row.config.get("model")), []).append(float(row.metrics[row.main]))
    return Seen(str(folder), {cell: max(sizes.values(), key=len) for cell, sizes in groups.items()})


def trained(suite: str, trials: list[Trial]) -> list[Trial]:
    """The trials that train. Raises PlanError where all of them measure time, which they are given."""
    left = [trial for trial in trials if not trial.timed and trial.probe != "floor"]
    if not left and any(trial.timed for trial in trials):
        others = [name for name in suites.names() if not all(t.timed for t in suites.load(name) or [])]
        raise PlanError(
            f"suite {suite} measures time, and states how long that takes: {suites.names()[suite]} "
            f"A plan is for suites that train: {', '.join(others)}"
        )
    if not left:
        raise PlanError(f"suite {suite}: no trial that was asked for trains a model, so there is nothing to plan")
    return left


@dataclasses.dataclass(frozen=True)
class Cell:
    """Trials that differ in their seed alone, and what each of them takes."""

    trial: Trial
    seeds: int
    took: dict[str, Any]  # as bench/estimate.py returns it
    spread: Spread

    @property
    def whole(self) -> bool:
        """Whether a trial is one training, so that its time is known."""
        return self.trial.probe in WHOLE

    @property
    def seconds(self) -> float:
        """Of one trial, or of one training of it."""
        return float(sum(self.took["seconds"].values()))

    @property
    def difference(self) -> float:
        """The smallest difference from a model like it that would show; of one seed each, between these trainings."""
        items, one = max(2, self.took["test_items"]), self.seeds < 2
        return smallest_difference(0.0 if one else self.spread.seeds, self.spread.items, max(2, self.seeds), items)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        own = {name: getattr(self.trial, name) for name in ("probe", "model", "task", "variant", "matched")}
        spread = {"seeds": self.spread.seeds, "items": self.spread.items, "from": self.spread.source}
        told = {"seeds": self.seeds, "seconds_each": round(self.seconds, 3), "whole": self.whole, "spread": spread}
        return own | told | {"smallest_difference": round(self.difference, 3)} | self.took

    def row(self) -> list[str]:
        """For a table."""
        counts, took, trial = self.took["parameters"], self.took, self.trial
        whole = f"{counts['total']:,}" + ("" if counts["trained"] == counts["total"] else f" ({counts['trained']:,})")
        sizes = " ".join(f"{name}={size}" for name, size in took["sizes"].items())
        off = f"{trial.matched['off']:+.1%}{'!' if trial.matched['reason'] else ''}" if trial.matched else ""
        return [
            trial.model if self.whole else f"{trial.model} ({', '.join(filter(None, (trial.probe, trial.variant)))})",
            trial.task,
            sizes,
            whole,
            off,
            f"{took['updates']:,}",
            f"{took['examples']:,}",
            f"{self.seeds} x {self.seconds:,.0f} s",
            f"{took['memory_bytes'] / 2**20:,.0f} MiB",
            f"{self.difference:.1f} {took['main']}",
        ]


HEAD = ["model", "task", "sizes", "parameters (trained)", "off", "updates", "examples", "time", "memory", "shows"]


def planned(
    trials: Sequence[Trial], estimate: Callable[[Trial], dict[str, Any]], stored: Seen, tell: Callable[[str], None]
) -> list[Cell]:
    """A cell for all trials that differ in their seed alone; `tell` hears which one is being timed."""
    groups, cells = list(alike(trials).values()), []
    for number, group in enumerate(groups, 1):
        one = group[0]
        tell(f"[{number}/{len(groups)}] timing {one.probe} of {one.model} on {one.task}")
        cells.append(Cell(one, len(group), estimate(one), stored.spread(one.task, one.model)))
    return cells


def made(suite: str, trials: list[Trial], aim: Goal | None, stored: Path | None, device: str, threads: int) -> Plan:
    """The plan of these trials, each brought to the size that is aimed at, learning from a stored run what it can.

    Raises PlanError, AskedError, RecordError.
    """
    trials, before = trained(suite, trials), seen(stored)
    with workers.workers() as some:
        place = some.place(device, threads)
        if aim is not None:
            trials = goal.solved(trials, lambda trial: some.matched(trial, aim), running.told)
        found = planned(trials, lambda trial: some.estimated(trial, place), before, running.told)
    return Plan(suite, place, found)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a suite takes, cell by cell and altogether."""

    suite: str
    place: Place
    cells: list[Cell]

    @property
    def seconds(self) -> float:
        """Of all trials whose time is known."""
        return sum((cell.seconds * cell.seeds for cell in self.cells if cell.whole), 0.0)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        where = {"device": self.place.device, "threads": self.place.threads}
        cells = [cell.plain() for cell in self.cells]
        told = {"level": LEVEL, "power": POWER, "seconds": round(self.seconds, 1), "words": self.words()}
        return {"suite": self.suite, **where, "cells": cells, **told}

    def text(self) -> str:
        """For a person."""
        return "\n".join([*aligned([HEAD, *(cell.row() for cell in self.cells)]), "", *self.words()])

    def words(self) -> list[str]:
        """What it comes to, in sentences."""
        return [
            self._time(),
            *self._unknown(),
            *self._shows(),
            *self._unmatched(),
            *self._company(),
            self._memory(),
            self._assumed(),
        ]

    def _time(self) -> str:
        trials = sum(cell.seeds for cell in self.cells if cell.whole)
        where = f"on this machine ({self.place.device}, {self.place.threads} thread{'s' * (self.place.threads > 1)})"
        return (
            f"{trials} training{'s' * (trials != 1)}: about {spoken(self.seconds)} {where}, floors and starting aside."
        )

    def _unknown(self) -> list[str]:
        probes = sorted({cell.trial.probe for cell in self.cells if not cell.whole})
        if not probes:
            return []
        return [
            f"{', '.join(probes)}: a trial trains several times, how often depends on what it finds. The time shown is "
            f"that of one training; the suite states: {suites.names()[self.suite]}"
        ]

    def _shows(self) -> list[str]:
        lines = []
        for task in dict.fromkeys(cell.trial.task for cell in self.cells):
            cell = max((c for c in self.cells if c.trial.task == task), key=lambda c: c.difference)
            from_what = f"{cell.seeds} seed{'s' * (cell.seeds != 1)} and {cell.took['test_items']:,} test items"
            lines.append(
                f"{task}: {from_what} show a difference of {cell.difference:.1f} points of {cell.took['main']} "
                "or more; a smaller one may not show."
            )
        return lines

    def _unmatched(self) -> list[str]:
        """One line for each model that is not of the size that was asked for."""
        found = [cell.trial for cell in self.cells if cell.trial.matched.get("reason")]
        return [
            f"! {one.model} on {one.task} is off by {one.matched['off']:+.1%}: {one.matched['reason']}" for one in found
        ]

    def _company(self) -> list[str]:
        most = max(cell.took["company"] for cell in self.cells)
        return [f"Others used up to {most:.1f} processors meanwhile: the times may be too long."] if most else []

    def _memory(self) -> str:
        if self.place.device != "cpu":
            return "Memory: what torch took on the device at its peak, measured over a few updates and answers."
        return "Memory: resident at the peak, torch and the data included, measured over a few updates and answers."

    def _assumed(self) -> str:
        spreads = sorted({(f"{c.spread.seeds:.2g} ({c.spread.source})") for c in self.cells})
        items = sorted({f"{c.spread.items:.0f}" for c in self.cells})
        return (
            f"Shown means: at level {LEVEL:.0%} with {POWER:.0%} power, by the paired t for one pair, "
            f"s = {', '.join(spreads)} points between seeds, d = {' or '.join(items)} points between items "
            "(two models' difference, as for shares of right answers that correlate by a half; 50 is the worst case)."
        )


def spoken(seconds: float) -> str:
    """A time as a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of words as lines whose columns lie under one another."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows]
