"""Cells of two runs, a model on a task each, and which of them belong together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from reports import words
from reports.compare.environments import UNTOLD
from reports.rows.settings import base, configuration, data, differing, settings, variant
from reports.rows.stored import Row, Stored, finished
from reports.scores import tables
from reports.scores.tables import Line
from reports.sections import speed
from reports.sections.speed import Measured

PLACES = ("device", "threads")  # settings of the machine, which are told with it


@dataclasses.dataclass(frozen=True, eq=False)
class Cell:
    """A model on a task as one run measured it."""

    what: str  # the probe of time or of long sequences, with its variant; empty for quality
    line: Line | None  # where seeds were trained
    timed: Measured | None  # where it was timed

    @property
    def row(self) -> Row:
        """The first of its rows."""
        if self.line is not None:
            return self.line.rows[0]
        assert self.timed is not None
        return self.timed.row

    @property
    def task(self) -> str:
        """The task's own name."""
        return base(self.row.result.task)

    @property
    def name(self) -> str:
        """The model's name, for people."""
        return self.line.name if self.line else self.timed.name if self.timed else ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What is measured of whom on what."""
        return self.what, self.task, self.row.result.model

    @property
    def told(self) -> dict[str, str]:
        """Its settings, those of the machine aside."""
        aside = (*PLACES, *speed.ASIDE)
        return {k: v for k, v in settings(self.row.result).items() if k.split(".", 1)[0] not in aside}

    @property
    def part(self) -> tuple[str, str]:
        """Data, and settings of the task."""
        return data(self.row.result), str(self.row.result.config.get("task"))

    @property
    def said(self) -> str:
        """ "LSTM on translation, throughput"."""
        what = f", {self.what}" if self.what else ""
        return f"{self.name} on {words.lowered(words.task(self.task))}{what}"


def matched(first: Sequence[Cell], second: Sequence[Cell]) -> list[tuple[Cell | None, Cell | None]]:
    """Cells of both runs that belong together, and what is left over.

    By all settings; then by data and the settings of the task; then by model and task, where no choice is left.
    """
    pairs: list[tuple[Cell | None, Cell | None]] = []
    rest = [[*first], [*second]]
    for key in (_exactly, lambda cell: (cell.key, cell.part), lambda cell: cell.key):
        groups = [_grouped(side, key) for side in rest]
        for name, own in groups[0].items():
            other = groups[1].get(name, [])
            if len(own) == len(other) == 1:
                pairs.append((own[0], other[0]))
                rest[0].remove(own[0])
                rest[1].remove(other[0])
    order = {cell: place for place, cell in enumerate(first)}
    pairs.sort(key=lambda pair: order[pair[0]] if pair[0] else 0)
    return [*pairs, *((cell, None) for cell in rest[0]), *((None, cell) for cell in rest[1])]


def _exactly(cell: Cell) -> Hashable:
    return cell.key, cell.part, tuple(sorted(cell.told.items()))


def _grouped(some: Iterable[Cell], key: Callable[[Cell], Hashable]) -> dict[Hashable, list[Cell]]:
    found: dict[Hashable, list[Cell]] = {}
    for cell in some:
        found.setdefault(key(cell), []).append(cell)
    return found


def cells(stored: Stored) -> list[Cell]:
    """All that a run measured of a model on a task: scores, long sequences, times."""
    trained = [line for task in stored.tasks for line in tables.lines(stored, task) if line.kind == "model"]
    timed = [
        Cell(words.PROBES[probe], None, one)
        for probe in ("throughput", "parallelism", "scaling")
        for rows in speed.measured(stored, probe).values()
        for one in speed.named(rows)
    ]
    return [*(Cell("", line, None) for line in trained), *_long(stored), *timed]


def _long(stored: Stored) -> Iterator[Cell]:
    """Trials of long sequences, the seeds of one model in one configuration together."""
    found: dict[tuple[str, ...], dict[int, Row]] = {}
    for row in stored.long:
        r = row.result
        if finished(row):
            named = words.clean(variant(r))[:48]
            what = words.PROBES[r.probe] + (f" ({named})" if named else "")
            found.setdefault((what, r.task, r.model, configuration(r)), {})[r.seed] = row
    for (what, task, model, _), seeds in found.items():
        yield Cell(what, Line("model", task, model, words.model(model), tuple(seeds[s] for s in sorted(seeds))), None)


def unlike(first: Cell, second: Cell, most: int = 4) -> tuple[str, ...]:
    """Settings that differ: "model.hidden 64 → 128"."""
    told = [first.told, second.told]
    keys = differing(told)
    said = [
        f"{_short(key)} {_short(told[0].get(key, UNTOLD))} → {_short(told[1].get(key, UNTOLD))}" for key in keys[:most]
    ]
    return (*said, *([f"{len(keys) - most} more settings"] if len(keys) > most else []))


def _short(text: str) -> str:
    return words.cut(words.clean(text), 40)
