"""Fits to curves whose every point was measured with an interval: exponents, knees, saturation.

All fits are least squares on logarithms, so that a hundredth of a second counts at 0.02 s and not at 20 s. Intervals
come from fitting again to points drawn within their own intervals, taken as normal on the logarithm: they say
how well the points are known, not whether the law is the right one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from bench.statistics.intervals import LEVEL

Floats = NDArray[np.float64]
DRAWS = 200
WIDTH = 2 * float(stats.norm.ppf((1 + LEVEL) / 2))  # deviations between the ends of an interval


@dataclasses.dataclass(frozen=True)
class Curve:
    """Points (N,) of positive values, each with its 95 % interval."""

    x: Floats
    y: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, points: Sequence[Sequence[int | float]]) -> Curve:
        """From rows of x, y, low and high."""
        return cls(*np.asarray(points, dtype=np.float64).reshape(-1, 4).T)

    def part(self, keep: NDArray[np.bool_] | slice) -> Curve:
        """Some of the points."""
        return Curve(self.x[keep], self.y[keep], self.low[keep], self.high[keep])

    def drawn(self, seed: int = 0) -> Floats:
        """Logarithms of y as they may have been, (DRAWS, N)."""
        deviation = np.maximum(np.log(self.high) - np.log(self.low), 0) / WIDTH
        return np.log(self.y) + deviation * np.random.default_rng(seed).standard_normal((DRAWS, len(self.y)))


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A number that a fit came to, with its 95 % interval."""

    value: float
    low: float
    high: float


def exponent(curve: Curve) -> Fitted | None:
    """k of y = c x^k; None below two points."""
    if len(curve.x) < 2:
        return None
    return _each(curve, lambda x, log_y: [float(np.polyfit(np.log(x), log_y, 1)[0])])[0]


def knee(curve: Curve) -> tuple[Fitted, Fitted, Fitted] | None:
    """Of y = a + b x^k: a, the x where both parts are equal, and k (0.2 to 3); None below four points."""
    if len(curve.x) < 4:
        return None

    def fit(x: Floats, log_y: Floats) -> list[float]:
        def off(p: Floats) -> Floats:
            return np.logaddexp(p[0], p[1] + p[2] * np.log(x)) - log_y

        start = [float(log_y[0]), float(log_y[-1] - np.log(x[-1])), 1.0]
        found = optimize.least_squares(off, start, bounds=([-40, -60, 0.2], [40, 40, 3.0])).x
        log_knee = (found[0] - found[1]) / found[2]
        inside = np.clip(log_knee, np.log(x[0]) - 3, np.log(x[-1]) + 3)  # beyond, the points know nothing of it
        return [float(np.exp(found[0])), float(np.exp(inside)), float(found[2])]

    flat, place, steep = _each(curve, fit)
    return flat, place, steep


def saturation(curve: Curve) -> tuple[Fitted, Fitted] | None:
    """Of y = m x / (x + h): m, the most there can be, and h, the x that reaches half of it; None below three points."""
    if len(curve.x) < 3:
        return None

    def fit(x: Floats, log_y: Floats) -> list[float]:
        def off(p: Floats) -> Floats:
            return p[0] + np.log(x) - np.logaddexp(np.log(x), p[1]) - log_y

        start = [float(log_y.max()), 0.0]
        found = optimize.least_squares(off, start, bounds=([-60, -20], [80, 30])).x
        return [float(np.exp(found[0])), float(np.exp(found[1]))]

    most, half = _each(curve, fit)
    return most, half


def _each(curve: Curve, fit: Callable[[Floats, Floats], list[float]]) -> list[Fitted]:
    """Every number of a fit, with the middle of what it comes to on drawn points."""
    values = fit(curve.x, np.log(curve.y))
    drawn = np.array([fit(curve.x, row) for row in curve.drawn()])
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return [
        Fitted(value, min(value, float(a)), max(value, float(b))) for value, a, b in zip(values, low, high, strict=True)
    ]
