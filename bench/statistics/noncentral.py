"""The noncentral t distribution where scipy's gives no number: far out, which is where large effects lie."""

from __future__ import annotations

import functools

import numpy as np
from scipy import special, stats

from bench.statistics.intervals import Floats

NODES = 4000  # quantiles of chi-squared that stand for all of it; off by less than 1e-4


def below(t: float, freedom: float | int, shift: float) -> float:
    """P((Z + shift) / sqrt(X / freedom) <= t), Z normal and X chi-squared; `freedom` may be infinite."""
    return float(special.ndtr(t * _scales(float(freedom)) - shift).mean())


@functools.lru_cache(maxsize=64)  # whoever looks for a root asks for the same again and again
def _scales(freedom: float) -> Floats:
    """Quantiles of sqrt(X / freedom), (NODES,)."""
    if np.isinf(freedom):
        return np.ones(1)
    shares = (np.arange(NODES) + 0.5) / NODES
    return np.asarray(np.sqrt(stats.chi2.ppf(shares, freedom) / freedom), dtype=np.float64)
