"""How large a difference is: in standard deviations of a run, and as the chance that one run beats another."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from scipy import optimize, stats

from bench.statistics.intervals import LEVEL, Floats, Values
from bench.statistics.noncentral import below

TINY = 1e-9  # of a share


@dataclasses.dataclass(frozen=True)
class Effect:
    """An effect and its interval, over the runs of both sides."""

    value: float
    low: float
    high: float
    runs: tuple[int, int]


def standardised(first: Values, second: Values, level: float = LEVEL) -> Effect | None:
    """Hedges' (1981) g: the difference of two means of one value a run, over their common deviation.

    Without the bias of few runs; the interval by the noncentral t (Steiger & Fouladi, 1997), so it takes the deviation
    to be the same on both sides. None below two runs on a side, and where runs do not vary.
    """
    a, b = (np.asarray(x, dtype=np.float64) for x in (first, second))
    if min(len(a), len(b)) < 2:
        return None
    freedom = len(a) + len(b) - 2
    deviation = math.sqrt(float(((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()) / freedom)
    if deviation == 0:
        return None
    unbiased = math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2)) / math.sqrt(freedom / 2)
    d = float(a.mean() - b.mean()) / deviation
    scale = math.sqrt(1 / len(a) + 1 / len(b))
    far = 12 + 2 * abs(d) / scale

    def end(share: float) -> float:
        return _root(lambda x: below(d / scale, freedom, x) - share, -far, far) * scale * unbiased

    return Effect(d * unbiased, end((1 + level) / 2), end((1 - level) / 2), (len(a), len(b)))


def superiority(
    first: Values, second: Values, failed: tuple[int, int] = (0, 0), higher: bool = True, level: float = LEVEL
) -> Effect | None:
    """The chance that a run of the first beats a run of the second, ties halved (the Mann-Whitney statistic).

    `failed` runs of each side, diverged ones among them, lose against every run that came to a number and tie among
    each other. The interval is Newcombe's (2006, part 2, method 5), which holds for few runs and is never of no width.
    None where a side has no run.
    """
    a, b = (_with_failures(x, n, higher) for x, n in zip((first, second), failed, strict=True))
    if not (len(a) and len(b)):
        return None
    b.sort()
    below, not_above = (int(np.searchsorted(b, a, side).sum()) for side in ("left", "right"))
    value, runs = (below + not_above) / (2 * len(a) * len(b)), (len(a), len(b))
    z = float(stats.norm.ppf((1 + level) / 2))

    def beyond(side: float) -> Callable[[float], float]:
        return lambda x: side * (x - value) - z * math.sqrt(_spread(x, runs))

    # at 0 and 1 nothing spreads, which is a root too, and not the one that is meant
    low = 0.0 if value == 0 else _root(beyond(-1.0), 0.0, min(value, 1 - TINY))
    high = 1.0 if value == 1 else _root(beyond(1.0), max(value, TINY), 1.0)
    return Effect(value, low, high, runs)


def _with_failures(values: Values, failed: int, higher: bool) -> Floats:
    x = np.asarray(values, dtype=np.float64) * (1 if higher else -1)
    if x.ndim != 1 or not np.isfinite(x).all() or failed < 0:
        raise ValueError(f"{x.size} values of shape {x.shape}, {failed} failed; expected a row of finite numbers")
    return np.concatenate([x, np.full(failed, -np.inf)])


def _spread(x: float, runs: tuple[int, int]) -> float:
    """Variance of the Mann-Whitney share when the true one is x (Hanley & McNeil, 1982; Newcombe's mean of the ns)."""
    m, n = runs
    return x * (1 - x) * (1 + ((m + n) / 2 - 1) * ((1 - x) / (2 - x) + x / (1 + x))) / (m * n)


def _root(f: Callable[[float], float], low: float, high: float) -> float:
    return float(optimize.brentq(f, low, high))
