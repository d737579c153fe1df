"""Intervals that carry seeds and test items at once: both are samples, and they are crossed, not nested.

Every seed answers every item, so the score of seed s on item i is y_si = mu + a_s + b_i + e_si, and the mean of S seeds
and I items varies by Var(a)/S + Var(b)/I + Var(e)/(S I). The mean squares of a two-way table estimate that as
(MS_seeds + MS_items - MS_rest)/(S I) (Searle, Casella & McCulloch, 1992, ch. 4). Resampling seeds, and items within
each, takes an item's difficulty for chance and covered as little as 74 %.

How wide follows from how few seeds there are, and was chosen by what covers (tests/test_coverage.py). For one mean,
each part of the variance gets Student's quantile of its own (Howe, 1974; Graybill & Wang, 1980): 95 % intervals held
94 to 98 % at 3 seeds and 94 to 97 at 5 and 10, where the t of Satterthwaite's degrees of freedom held 91 at 3. The
difference of two models has two such parts, on which that is too wide (99 % at 3 seeds); there the t of Satterthwaite's
degrees of freedom held 94 to 96 %.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats

from bench.statistics.intervals import BOTH, ITEMS, LEVEL, Floats, Interval, over_seeds

SMALLEST = -300.0  # logarithm of a p below which none is told apart


class Parts(NamedTuple):
    """A mean over seeds and items, and the parts of the variance of that mean, (...) each.

    `seeds` holds the rest's share too (means of seeds differ by it as well), and `items` has none of it: taken from the
    part with many degrees of freedom it adds no noise, taken from that of a few seeds it would.
    """

    mean: Floats
    seeds: Floats
    items: Floats
    rest: Floats
    freedom: tuple[int, int]  # degrees of freedom: S - 1 and I - 1


def parts(table: Floats) -> Parts:
    """Parts of the variance of the mean of `table`, (..., S, I), S and I at least 2.

    A negative part of the items (they vary less than chance among answers allows for) counts as zero.
    Raises ValueError.
    """
    y = _whole(table)
    s, i = y.shape[-2:]
    if min(s, i) < 2:
        raise ValueError(f"{s} seeds and {i} items; expected at least two of each")
    mean, by_seed, by_item = np.asarray(y.mean((-2, -1))), y.mean(-1), y.mean(-2)
    seeds = i * ((by_seed - mean[..., None]) ** 2).sum(-1)  # sums of squares
    items = s * ((by_item - mean[..., None]) ** 2).sum(-1)
    rest = np.maximum(((y - mean[..., None, None]) ** 2).sum((-2, -1)) - seeds - items, 0)
    left = (s - 1) * (i - 1)
    of_seeds, of_items, of_rest = (
        np.asarray(x / n / (s * i)) for x, n in ((seeds, s - 1), (items, i - 1), (rest, left))
    )
    return Parts(mean, of_seeds, np.asarray(np.maximum(of_items - of_rest, 0)), of_rest, (s - 1, i - 1))


def half_width(found: Parts, level: float = LEVEL) -> Floats:
    """Half of the interval of a mean, (...): each part times the square of its own quantile of Student's t."""
    of_seeds, of_items = (_quantile(n, level) for n in found.freedom)
    return np.asarray(np.sqrt(of_seeds**2 * found.seeds + of_items**2 * found.items))


def over_both(table: Floats, level: float = LEVEL, bounds: tuple[float, float] | None = None) -> Interval | None:
    """Interval of the mean of a table of seeds by items, (S, I), over both; a bounded score stays within its bounds.

    Of one seed it is over test items alone, with one item (a score that has none) over seeds alone; None where there
    is one of each. A table without variance has an interval of no width. Raises ValueError where scores are missing.
    """
    y = _table(table)
    s, i = y.shape
    if i < 2:
        return over_seeds(y[:, 0], level)
    mean = float(y.mean())
    if s < 2:
        half = _quantile(i - 1, level) * float(np.std(y, ddof=1)) / math.sqrt(i)
        return Interval(*around(mean, half, bounds), ITEMS, i)
    return Interval(*around(mean, float(half_width(parts(y), level)), bounds), BOTH, s, i)


def around(mean: float, half: float, bounds: tuple[float, float] | None = None) -> tuple[float, float]:
    """Both ends of an interval; between bounds it is as wide on the scale of log odds, and so reaches neither.

    Near a bound scores of runs are skewed, and what is symmetric there held as little as 89 % at 3 seeds (94 so).
    """
    if bounds is None or not bounds[0] < mean < bounds[1]:
        return mean - half, mean + half
    bottom, range_ = bounds[0], bounds[1] - bounds[0]
    share = (mean - bottom) / range_
    wide, middle = half / range_ / (share * (1 - share)), math.log(share / (1 - share))
    low, high = (float(special.expit(middle + side * wide)) for side in (-1, 1))
    return bottom + range_ * low, bottom + range_ * high


def chance(table: Floats) -> float:
    """Two-sided p that the mean of a table of seeds by items, (S, I), is zero: where the interval of `over_both` ends.

    For differences of two answerers with the same seeds and items. Of one seed it is Student's over items, of one item
    over seeds, and 1 where there is one of each. Raises ValueError where scores are missing.
    """
    y = _table(table)
    mean, (s, i) = abs(float(y.mean())), y.shape
    if min(s, i) < 2:
        variances, freedom = [float(np.var(y, ddof=1)) / y.size if y.size > 1 else math.inf], [y.size - 1]
    else:
        found = parts(y)
        variances, freedom = [float(found.seeds), float(found.items)], [*found.freedom]
    if mean == 0 or math.isinf(variances[0]) or not any(variances):
        return float(mean == 0 or any(variances))

    def beyond(log_p: float) -> float:
        quantiles = (float(special.stdtrit(n, math.exp(log_p) / 2)) for n in freedom)  # their signs do not matter
        return math.sqrt(sum(q**2 * part for q, part in zip(quantiles, variances, strict=True))) - mean

    return math.exp(optimize.brentq(beyond, SMALLEST, 0.0)) if beyond(SMALLEST) > 0 else math.exp(SMALLEST)


class Gap(NamedTuple):
    """A difference of two means, its standard error and the degrees of freedom of that, (...) each."""

    mean: Floats
    error: Floats
    freedom: Floats

    def half_width(self, level: float = LEVEL) -> Floats:
        """Half of the interval of the difference."""
        return np.asarray(stats.t.ppf((1 + level) / 2, self.freedom) * self.error, dtype=np.float64)

    @property
    def p(self) -> Floats:
        """Two-sided p of no difference; without any variance 1 where there is none, else 0."""
        certain = np.where(self.mean == 0, 1.0, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            p = 2 * stats.t.sf(np.abs(self.mean / self.error), self.freedom)
        return np.asarray(np.where(self.error == 0, certain, p), dtype=np.float64)


def gap(first: Floats, second: Floats) -> Gap:
    """The difference of two models on the same items, tables (..., S1, I) and (..., S2, I), seeds of their own.

    Its variance is each model's part of seeds, and the variance over items of the difference of seed means: items that
    are hard for both cancel. Degrees of freedom by Satterthwaite (1946). With one seed on a side nothing tells how
    seeds vary there, and both parts of seeds are left out: it holds for these trainings alone. Raises ValueError.
    """
    a, b = _whole(first), _whole(second)
    if a.shape[-1] != b.shape[-1] or a.shape[-1] < 2:
        raise ValueError(f"tables of {a.shape[-1]} and {b.shape[-1]} items; expected the same items, at least two")
    apart, i = a.mean(-2) - b.mean(-2), a.shape[-1]  # (..., I)
    items = np.asarray(np.var(apart, axis=-1, ddof=1) / i, dtype=np.float64)
    mean, few = np.asarray(apart.mean(-1)), min(a.shape[-2], b.shape[-2])
    if few < 2:
        return Gap(mean, np.asarray(np.sqrt(items)), np.full_like(items, i - 1))
    one, other = parts(a), parts(b)
    items = np.asarray(np.maximum(items - one.rest - other.rest, 0))
    found = [(items, i - 1), (one.seeds, one.freedom[0]), (other.seeds, other.freedom[0])]
    variance = np.asarray(sum(part for part, _ in found), dtype=np.float64)
    freedom = np.asarray(np.maximum(_freedom(found, variance), min(few, i) - 1))
    return Gap(mean, np.asarray(np.sqrt(variance)), freedom)


def _freedom(found: list[tuple[Floats, int]], variance: Floats) -> Floats:
    """Degrees of freedom of a sum of variances, each with its own (...): Satterthwaite's (1946) to the second order.

    The next term of the series (Aspin, 1948), taken at 95 %, brings tests over three seeds a model from 3.4 to 4 %
    where seeds make up all of the variance. It is nothing where one part makes up all.
    """
    sure = np.where(variance > 0, variance, 1.0)
    shares = [(part / sure, n) for part, n in found]
    first, second, third = (sum(x**p / n**q for x, n in shares) for p, q in ((2, 1), (2, 2), (3, 2)))
    z = float(stats.norm.ppf((1 + LEVEL) / 2))
    more = (3 + 5 * z**2 + z**4) / 3 * third - (1 + z**2) / 2 * second - (3 + 7 * z**2 + 2 * z**4) / 6 * first**2
    inverse = np.maximum(first + 4 * more / (1 + z**2), first / 2)
    return np.divide(1.0, inverse, out=np.full_like(variance, found[0][1]), where=inverse > 0)


def difference_over_both(first: Floats, second: Floats, level: float = LEVEL) -> Interval:
    """Interval of the difference of two models on the same items, tables (S1, I) and (S2, I).

    Over test items alone where one of them has a single seed, which `over` then says. Raises ValueError.
    """
    a, b = _table(first), _table(second)
    found, seeds = gap(a, b), min(len(a), len(b))
    mean, half = float(found.mean), float(found.half_width(level))
    if seeds < 2:
        return Interval(mean - half, mean + half, ITEMS, a.shape[1])
    return Interval(mean - half, mean + half, BOTH, seeds, a.shape[1])


def _quantile(freedom: int, level: float) -> float:
    return float(stats.t.ppf((1 + level) / 2, freedom))


def _table(values: Floats) -> Floats:
    if np.ndim(values) != 2:
        raise ValueError(f"scores of shape {np.shape(values)}; expected a table of seeds by items")
    return _whole(values)


def _whole(values: Floats) -> Floats:
    y = np.asarray(values, dtype=np.float64)
    if y.ndim < 2 or 0 in y.shape[-2:]:
        raise ValueError(f"scores of shape {y.shape}; expected a table of seeds by items")
    if not np.isfinite(y).all():
        missing = int((~np.isfinite(y)).sum())
        raise ValueError(f"{missing} of {y.size} scores are missing; keep the items that every seed answered")
    return y
