"""Trials that came to no number: how often, for which reasons, and how sure a rate of so few trials is."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from statistics import NormalDist

from bench.statistics import LEVEL, Interval
from reports import words
from reports.rows.checked import LONG
from reports.rows.stored import Row, Stored, finished

KINDS = {"ok": "without the metric that it names"}  # others are called what the row calls them
NOT_TRIED = {"skipped", "interrupted"}  # says nothing of a model


@dataclasses.dataclass(frozen=True)
class Rate:
    """How often a model came to no number."""

    model: str
    trials: int
    kinds: tuple[tuple[str, int], ...]  # of those without a number: what they are called, and how many

    @property
    def without(self) -> int:
        """Trials without a number."""
        return sum(times for _, times in self.kinds)

    @property
    def ran(self) -> int:
        """Trials that were tried."""
        return self.trials - sum(times for kind, times in self.kinds if kind in NOT_TRIED)

    @property
    def failed(self) -> int:
        """Trials that were tried and came to no number; one that diverged counts."""
        return self.without - (self.trials - self.ran)

    @property
    def interval(self) -> Interval | None:
        """Of the share that failed; None where nothing was tried."""
        return wilson(self.failed, self.ran) if self.ran else None

    def said(self) -> str:
        """ "2 of 15 trials gave no number: 1 failed, 1 diverged"."""
        kinds = [f"{times:,} {kind[:40]}" for kind, times in self.kinds]
        said = f"{self.without:,} of {words.plural(self.trials, 'trial')} gave no number"
        return f"{said}: {', '.join(kinds)}" if kinds else said


def wilson(times: int, of: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval for a share (Wilson, 1927): unlike the plain one it holds for 0 of 5 too."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (times + z**2 / 2) / (of + z**2)
    half = z / (of + z**2) * math.sqrt(times * (of - times) / of + z**2 / 4)
    return Interval(max(middle - half, 0.0), min(middle + half, 1.0), "trials", of)


def rates(stored: Stored) -> list[Rate]:
    """Every model that was tried, those that failed most first."""
    trials = Counter(row.result.model for row in (*stored.trials, *stored.long))
    kinds: dict[str, Counter[str]] = {model: Counter() for model in trials}
    for row in stored.unfinished:
        if row.result.probe == "quality" or row.result.probe in LONG:
            kinds[row.result.model][kind(row)] += 1
    found = [Rate(model, n, tuple(sorted(kinds[model].items(), key=_most))) for model, n in trials.items()]
    return sorted(found, key=lambda rate: (-rate.failed / max(rate.ran, 1), -rate.without, rate.model))


def reasons(stored: Stored) -> list[tuple[str, str, str, int]]:
    """Model, kind and reason, and how many trials have them in common; the most frequent first."""
    found = Counter((row.result.model, kind(row), row.result.reason) for row in stored.unfinished)
    return [(*told, times) for told, times in sorted(found.items(), key=lambda one: (-one[1], one[0]))]


def kind(row: Row) -> str:
    """What a trial without a number is called: failed, diverged, skipped."""
    assert not finished(row)
    return KINDS.get(row.result.status, words.clean(row.result.status))


def _most(counted: tuple[str, int]) -> tuple[int, str]:
    return -counted[1], counted[0]
