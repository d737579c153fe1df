"""Intervals over one thing: over seeds by Student's t, over test items by the bootstrap.

The two answer different questions. An interval over seeds says how much a repeated training would
differ; one over test items says how much other test items would change the score of this one
training. `crossed` carries both. Whoever prints an interval says which it is.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Values = Sequence[float] | Floats
LEVEL = 0.95  # share of such intervals that hold the true value
RESAMPLES = 2000
SEEDS, ITEMS = "seeds", "test items"
BOTH = f"{SEEDS} and {ITEMS}"


@dataclasses.dataclass(frozen=True)
class Interval:
    """A range that holds the true value with a stated confidence, and what it is an interval over."""

    low: float
    high: float
    over: str  # "seeds", "test items" or "seeds and test items"
    n: int  # how many of those; seeds where it is over both
    items: int = 0  # test items, where it is over both

    @property
    def told(self) -> str:
        """What it is over, counted: "5 seeds and 1,000 test items"."""
        return f"{self.n:,} {SEEDS} and {self.items:,} {ITEMS}" if self.over == BOTH else f"{self.n:,} {self.over}"

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


def welch(first: Values, second: Values) -> float:
    """Welch's two-sided p of equal means of one value a run; 1 below two a side, 0 or 1 where nothing varies."""
    a, b = _finite(first), _finite(second)
    if min(len(a), len(b)) < 2:
        return 1.0
    parts = np.array([np.var(x, ddof=1) / len(x) for x in (a, b)])
    error, gap = float(parts.sum()), float(np.mean(a) - np.mean(b))
    if error == 0:
        return float(gap == 0)
    freedom = error**2 / float((parts**2 / (len(a) - 1, len(b) - 1)).sum())
    return 2 * float(stats.t.sf(abs(gap) / math.sqrt(error), freedom))


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


def _finite(values: Values) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise ValueError(f"{x.size} values of shape {x.shape}; expected a row of finite numbers")
    return x
