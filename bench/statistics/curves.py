"""Measured curves: where one passes another for good, and one number over another, with intervals."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from bench.statistics.intervals import LEVEL, RESAMPLES, Floats


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
