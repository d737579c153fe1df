"""Models two by two: the difference, its interval, how likely it is by chance alone, and what may be said of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from bench import statistics
from bench.statistics import Effect, Interval
from reports import words
from reports.scores import settling
from reports.scores.tables import Line, difference

LEVEL = 0.05
MANY = 6  # models up to which every pair is tested; beyond, each against the best
LEADS, APART, UNTESTED = "leads", "not separable", "not testable"


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """Two lines of one task, the one that scored more first."""

    better: Line
    worse: Line
    gap: float
    span: Interval | None  # 95 % interval of the gap, for this pair alone
    p: float | None  # corrected by Holm over all pairs tested together
    tests: int  # how many those are
    effect: float | None  # how often the better one scores more: seed against seed, or item by item; ties count half
    beats: Effect | None = None  # the same over seeds, with its interval
    size: Effect | None = None  # the gap in standard deviations of a run (Hedges' g)

    @property
    def verdict(self) -> str:
        """ "leads" where chance is ruled out at 5 % after Holm's correction."""
        if self.p is None or self.span is None:
            return UNTESTED
        return LEADS if self.p < LEVEL and self.span.settles else APART

    def settled_by(self) -> str:
        """What would settle it; nothing where it is settled, or one seed without answers leaves nothing to go by."""
        return "" if self.verdict == LEADS else settling.said(self.better, self.worse)


def pairs(lines: Sequence[Line], every: bool | None = None) -> list[Pair]:
    """Pairs of a task's models, best first: every pair where models are few, else each against the best."""
    models = [line for line in lines if line.kind == "model"]
    every = len(models) <= MANY if every is None else every
    chosen = list(combinations(models, 2)) if every else [(models[0], worse) for worse in models[1:]]
    spans = [difference(*two) for two in chosen]
    ps = [_chance(*two, span) for two, span in zip(chosen, spans, strict=True)]
    # the best was chosen from the same scores: whoever is compared with it alone is corrected as if all pairs were
    untold = [1.0] * (len(models) * (len(models) - 1) // 2 - len(chosen))
    tests = sum(p is not None for p in ps) + len(untold)
    corrected = holm([*ps, *untold])[: len(chosen)]
    return [
        Pair(
            one,
            other,
            one.value - other.value,
            span,
            p,
            tests,
            _effect(one, other) if span else None,
            _beats(one, other),
            statistics.standardised(one.values, other.values),
        )
        for (one, other), span, p in zip(chosen, spans, corrected, strict=True)
    ]


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Holm's correction over the tests that were run; None stays None."""
    corrected = iter(statistics.holm([p for p in ps if p is not None]))
    return [None if p is None else next(corrected) for p in ps]


def _chance(better: Line, worse: Line, span: Interval | None) -> float | None:
    """How likely so large a difference is, either way, where there is none: of the same test as its interval."""
    if span is None:
        return None
    if max(len(better.rows), len(worse.rows)) > 1:
        one, other = better.items, worse.items
        if one and other and one.which == other.which:
            return float(statistics.gap(one.table, other.table).p)
        return statistics.welch(better.values, worse.values)
    first, second = better.resamples, worse.resamples
    if first is None or second is None:
        return None
    gaps = first - second
    tail = min(int((gaps <= 0).sum()), int((gaps >= 0).sum()))
    return min(1.0, 2 * (tail + 1) / (len(gaps) + 1))


def _effect(better: Line, worse: Line) -> float | None:
    """Probability of superiority (Vargha and Delaney, 2000), over pairs of seeds, or over items that both answered."""
    beats = _beats(better, worse)
    if beats is not None:
        return beats.value
    found = [[a.scores.get(better.metric) for a in line.rows[0].answers] for line in (better, worse)]
    gaps = np.array([x - y for x, y in zip(*found, strict=True) if x is not None and y is not None])
    return float(((gaps > 0) + 0.5 * (gaps == 0)).mean()) if gaps.size else None


def _beats(better: Line, worse: Line) -> Effect | None:
    """Of two lines with several seeds, how often a seed of the one beats a seed of the other; a failed one loses."""
    if max(len(better.rows), len(worse.rows)) < 2:
        return None
    return statistics.superiority(better.values, worse.values, (better.failed, worse.failed))


def unsettled(told: Sequence[Pair], most: int = 3) -> str:
    """Which models the best one is not separable from, and what would settle it; the next few of them.

    "A and B are not separable (0.4, −0.3 to 1.1 over seeds): about 5 seeds ...; nor are A and C (...): ..."
    """
    found = [pair for pair in told if pair.better is told[0].better and pair.verdict == APART][:most]
    if not found:
        return ""
    best = words.the(found[0].better.name)
    first = f"{words.capital(best)} and {words.the(found[0].worse.name)} are not separable"
    heads = [first, *(f"nor are {best} and {words.the(p.worse.name)}" for p in found[1:])]
    parts = [f"{head} ({gap(p)}): {p.settled_by()}" for head, p in zip(heads, found, strict=True)]
    return "; ".join(parts) + "."


def gap(pair: Pair) -> str:
    """ "0.4, −0.3 to 1.1 over test items"."""
    metric, span = pair.better.metric, pair.span
    if span is None:
        return words.number(pair.gap, metric)
    corrected = f"; p = {pair.p:.2g} corrected for {pair.tests} tests" if span.settles and pair.p is not None else ""
    return f"{words.number(pair.gap, metric)}, {within(span, metric)} over {span.over}{corrected}"


def within(span: Interval | Effect, metric: str = "") -> str:
    """ "−0.3 to 1.1"."""
    return f"{words.number(span.low, metric)} to {words.number(span.high, metric)}"
