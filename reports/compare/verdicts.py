"""One number in two runs, and the verdict over it, together with all that were tested."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Literal

from bench import statistics
from bench.statistics import Interval, Planned

Kind = Literal["quality", "long", "time", "speed"]
KINDS: tuple[Kind, ...] = ("quality", "long", "time", "speed")
APART, SAME, FEW, OTHER = "not separable", "the same", "cannot be told with so few", "not compared"
COUNTED = (SAME, APART, FEW, OTHER)  # verdicts that tell nothing apart


@dataclasses.dataclass(frozen=True)
class Difference:
    """One number of one cell in both runs; `change` is second - first, of times and speeds second / first."""

    kind: Kind
    task: str
    model: str
    name: str  # of the model, for people
    metric: str
    label: str  # of the metric, for people
    first: float
    second: float
    change: float
    low: float | None = None  # 95 % interval of the change, for this one alone
    high: float | None = None
    over: str = ""  # what the interval is over
    p: float | None = None  # corrected by Holm over all that were tested together
    verdict: str = OTHER  # of the second against the first
    notes: tuple[str, ...] = ()  # settings that differ, and why nothing is compared


@dataclasses.dataclass(frozen=True)
class Tried:
    """A difference whose verdict waits for the other tests of its kind; `said` is what more and less of it are."""

    told: Difference
    said: tuple[str, str]
    test: Planned | None = None


def judged(tried: Iterable[Tried]) -> list[Difference]:
    """Verdicts after Holm's correction over all the tests."""
    every = [*tried]
    verdicts = iter(statistics.family([one.test for one in every if one.test]))
    found = []
    for one in every:
        verdict = next(verdicts) if one.test else None
        found.append(_settled(one, verdict))
    return found


def _settled(one: Tried, verdict: statistics.Verdict | None) -> Difference:
    told = one.told
    if verdict is None:
        return told
    if verdict.answer != "apart":
        return dataclasses.replace(told, p=verdict.corrected, verdict=verdict.answer)
    neutral = 0.0 if told.kind in ("quality", "long") else 1.0
    return dataclasses.replace(told, p=verdict.corrected, verdict=one.said[told.change < neutral])


def between(told: Difference, span: Interval | None) -> Difference:
    """The difference with its interval, where there is one."""
    return dataclasses.replace(told, low=span.low, high=span.high, over=span.told) if span else told
