"""Trials that stand in both runs: the same seed, data, code, settings, versions and kind of device, run twice.

On a CPU they come to the same bits. On a GPU sums are taken in an order that differs from run to run; this tells by how
much scores spread for that reason alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from reports import words
from reports.rows.stored import Row, Stored


@dataclasses.dataclass(frozen=True)
class Spread:
    """How far apart a score of the same trials came out."""

    metric: str
    largest: float
    mean: float  # over all the trials that have this score, equal ones among them


@dataclasses.dataclass(frozen=True)
class Repeats:
    """Trials of one identity in both runs: how many, how many of them came to the same, and how far the others spread.

    Scores are those on the test and on validation, at every evaluation; times and memory are none.
    """

    trials: int
    equal: int
    devices: tuple[str, ...]
    spreads: tuple[Spread, ...]  # on the test, where they differ

    @property
    def said(self) -> str:
        """A sentence; nothing where no trial was repeated."""
        if not self.trials:
            return ""
        where = f" on {words.listed([words.clean(one) for one in self.devices])}" if self.devices else ""
        told = f"{words.plural(self.trials, 'trial')} of the same identity{where}: "
        if self.equal == self.trials:
            return f"{told}every score of both runs is the same to the last bit."
        apart = [f"{words.metric(s.metric)} by up to {_short(s.largest)} (mean {_short(s.mean)})" for s in self.spreads]
        far = f"; on the test they differ in {words.listed(apart)}" if apart else "; the test's scores do not differ"
        return f"{told}{self.equal:,} came to the same bits{far}."


def repeats(first: Stored, second: Stored) -> Repeats:
    """What trials came to that both runs hold under one identity; finished ones alone."""
    known = {row.result.id: row for row in first.quality if row.result.id}
    pairs = [(known[row.result.id], row) for row in second.quality if row.result.id in known]
    apart: dict[str, list[float]] = {}
    for one, other in pairs:
        a, b = _scores(one), _scores(other)
        for name in a.keys() & b.keys():
            apart.setdefault(name, []).append(abs(a[name] - b[name]))
    spreads = [Spread(name, max(own), sum(own) / len(own)) for name, own in sorted(apart.items()) if max(own) > 0]
    equal = sum(_scores(one) == _scores(other) and _way(one) == _way(other) for one, other in pairs)
    devices = sorted({str(row.result.environment.get("device", "")) for pair in pairs for row in pair} - {""})
    return Repeats(len(pairs), equal, tuple(devices), tuple(spreads))


def _scores(row: Row) -> Mapping[str, float]:
    """Scores on the test: the main one, and those that say how they were computed."""
    names = {row.result.main, *row.result.signatures}
    return {name: value for name, value in row.result.metrics.items() if name in names}


def _way(row: Row) -> list[tuple[float | None, float | None]]:
    """The main score on validation, evaluation by evaluation."""
    return [(point.get("updates"), point.get(row.result.main)) for point in row.result.curve]


def _short(value: float) -> str:
    return words.significant(value, 2)
