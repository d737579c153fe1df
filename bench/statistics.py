"""Intervals: over seeds by Student's t, over test items by the bootstrap.

The two answer different questions. An interval over seeds says how much a repeated training would
differ; one over test items says how much other test items would change the score of this one
training. Whoever prints an interval says which of the two it is.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Values = Sequence[float] | Floats
LEVEL = 0.95  # share of such intervals that hold the true value
RESAMPLES = 2000


@dataclasses.dataclass(frozen=True)
class Interval:
    """A range that holds the true value with a stated confidence, and what it is an interval over."""

    low: float
    high: float
    over: str  # "seeds" or "test items"
    n: int  # how many of those

    @property
    def settles(self) -> bool:
        """Whether zero lies outside: for the interval of a difference, that the sign is settled."""
        return self.low > 0 or self.high < 0


def over_seeds(values: Values, level: float = LEVEL) -> Interval | None:
    """Student's t interval for the mean of one value a seed, (N,); None below two seeds (nothing to measure by)."""
    x = _finite(values)
    if len(x) < 2:
        return None
    half = float(stats.t.ppf((1 + level) / 2, len(x) - 1)) * float(np.std(x, ddof=1)) / math.sqrt(len(x))
    mean = float(np.mean(x))
    return Interval(mean - half, mean + half, "seeds", len(x))


def difference_over_seeds(first: Values, second: Values, level: float = LEVEL) -> Interval | None:
    """Welch's interval for the difference of two means of one value a seed; None below two seeds on either side."""
    a, b = _finite(first), _finite(second)
    if min(len(a), len(b)) < 2:
        return None
    # written out: scipy's test warns on seeds that agree to the last digit, where an interval is still right
    parts = np.array([np.var(x, ddof=1) / len(x) for x in (a, b)])
    error, gap, n = float(parts.sum()), float(np.mean(a) - np.mean(b)), min(len(a), len(b))
    if error == 0:
        return Interval(gap, gap, "seeds", n)
    freedom = error**2 / float((parts**2 / (len(a) - 1, len(b) - 1)).sum())  # Welch-Satterthwaite
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * math.sqrt(error)
    return Interval(gap - half, gap + half, "seeds", n)


def over_items(scores: Values, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0) -> Interval | None:
    """Percentile bootstrap interval for the mean of one score an item, (N,); None below two items."""
    x = _finite(scores)
    if len(x) < 2:
        return None
    return interval(resampled_means(x, resamples, seed), len(x), level)


def resampled_means(scores: Values, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Means of `resamples` draws of N items with replacement, (resamples,).

    Equal N and seed draw the same items: two answerers of the same items are compared by the
    difference of their resampled means, which is the paired bootstrap.
    """
    return resampled(_finite(scores)[:, None], lambda sums, n: float(sums[0]) / n, resamples, seed)


def resampled(
    statistics: Floats, score: Callable[[Floats, int], float], resamples: int = RESAMPLES, seed: int = 0
) -> Floats:
    """Scores of `resamples` draws of items whose score is a function of sums (BLEU is one).

    `statistics` is (N, K), K numbers an item; `score(sums, N)` takes the K sums over the drawn items.
    """
    table = np.asarray(statistics, dtype=np.float64)
    if table.ndim != 2 or not len(table):
        raise ValueError(f"statistics of shape {table.shape}; expected (items, numbers) with at least one item")
    random, n = np.random.default_rng(seed), len(table)
    drawn = (np.bincount(random.integers(0, n, n), minlength=n) for _ in range(resamples))
    return np.array([score(times @ table, n) for times in drawn])


def interval(samples: Values, n: int, level: float = LEVEL) -> Interval:
    """The middle `level` of resampled scores, as an interval over `n` test items."""
    low, high = np.quantile(_finite(samples), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), "test items", n)


def median_interval(values: Values, level: float = LEVEL) -> tuple[float, float]:
    """Bounds of the median of whatever distribution `values` (N,) come from, by order statistics.

    The k-th smallest and k-th largest, k the largest for which a binomial of N tosses leaves `level` between them;
    below six values the smallest and the largest, which hold less.
    """
    x = np.sort(_finite(values))
    ranks = range((len(x) + 1) // 2)
    k = max((j for j in ranks if stats.binom.cdf(j, len(x), 0.5) <= (1 - level) / 2), default=0)
    return float(x[k]), float(x[len(x) - 1 - k])


@dataclasses.dataclass(frozen=True)
class Crossover:
    """Where one of two measured curves passes the other for good, as far as both were measured."""

    lower: int  # 0 or 1: which of the two is lower at the longest length, and beyond `length`
    length: float | None  # None: it is lower at every length
    low: float  # bounds of `length`; one at `first` or at `last` says "or below", "or beyond"
    high: float
    first: float  # the lengths that both were measured at
    last: float

    @property
    def settled(self) -> bool:
        """Whether the interval leaves no doubt about which of the two is lower at the longest length."""
        return self.high < self.last


class Point(NamedTuple):
    """A measured number that is above zero, at a length above zero, and the 95 % interval of it."""

    length: float
    value: float
    low: float
    high: float


def crossover(
    one: Sequence[Point], other: Sequence[Point], level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> Crossover | None:
    """The length from which on one of two curves stays below the other; None where they share less than an octave.

    Between its points a curve is straight in logarithms. The interval is over draws of every point's logarithm
    as normal with the deviation that its own interval implies; a draw in which it is lower at every length counts as
    `first`, one in which it is not lower in the end as `last`.
    """
    start, end = (float(pick(curve[place].length for curve in (one, other))) for pick, place in ((max, 0), (min, -1)))
    if start * 2 > end:
        return None
    knots = np.log(sorted({start, end, *(p.length for p in (*one, *other) if start < p.length < end)}))
    random = np.random.default_rng(seed)
    drawn = [_drawn_curves(curve, knots, resamples, random) for curve in (one, other)]
    gaps = drawn[1] - drawn[0]  # above zero where `one` is lower; the first row is as measured
    sign = -1.0 if gaps[0, -1] < 0 else 1.0
    at = _last_crossings(knots, sign * gaps)
    low, high = np.quantile(at[1:], [(1 - level) / 2, (1 + level) / 2])

    def length(x: float) -> float:
        return start if x <= knots[0] else end if x >= knots[-1] else math.exp(x)

    return Crossover(int(sign < 0), length(at[0]) if at[0] > knots[0] else None, length(low), length(high), start, end)


def _drawn_curves(curve: Sequence[Point], knots: Floats, resamples: int, random: np.random.Generator) -> Floats:
    """Logarithms at the knots, as measured and then as drawn, (1 + resamples, K)."""
    lengths, values, low, high = np.log(np.asarray(curve, dtype=np.float64)).T
    deviation = (high - low) / (2 * float(stats.norm.ppf((1 + LEVEL) / 2)))
    noise = np.vstack([np.zeros((1, len(curve))), random.standard_normal((resamples, len(curve)))])
    weights = np.array([np.interp(knots, lengths, row) for row in np.eye(len(curve))])  # (points, K)
    return (values + noise * deviation) @ weights


def _last_crossings(knots: Floats, gaps: Floats) -> Floats:
    """Where piecewise straight lines (N, K) rise above zero for good, (N,): between the first knot and the last."""
    under, rows = gaps <= 0, np.arange(len(gaps))
    last = len(knots) - 1 - np.argmax(under[:, ::-1], axis=1)  # of the knots that are not above zero
    k = np.minimum(last, len(knots) - 2)
    here, there = gaps[rows, k], gaps[rows, k + 1]
    rise = np.where(there > here, there - here, 1.0)
    between = knots[k] + (knots[k + 1] - knots[k]) * np.clip(-here / rise, 0, 1)
    found = np.where(last == len(knots) - 1, knots[-1], between)
    return np.where(under.any(axis=1), found, knots[0])


def ratio(one: Point, other: Point) -> Point:
    """One number over another, with the interval that two independent logarithms of their own intervals give."""
    value = one.value / other.value
    up = math.hypot(math.log(one.high / one.value), math.log(other.value / other.low))
    down = math.hypot(math.log(one.value / one.low), math.log(other.high / other.value))
    return Point(one.length, value, value * math.exp(-down), value * math.exp(up))


def _finite(values: Values) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise ValueError(f"{x.size} values of shape {x.shape}; expected a row of finite numbers")
    return x
