"""The noncentral t distribution where scipy's gives no number: far out, which is where large effects lie."""

from __future__ import annotations

import numpy as np
from scipy import special, stats

NODES = 4000  # quantiles of chi-squared that stand for all of it; off by less than 1e-4


def below(t: float, freedom: float, shift: float) -> float:
    """P((Z + shift) / sqrt(X / freedom) <= t), Z normal and X chi-squared; `freedom` may be infinite."""
    if np.isinf(freedom):
        return float(special.ndtr(t - shift))
    shares = (np.arange(NODES) + 0.5) / NODES
    return float(special.ndtr(t * np.sqrt(stats.chi2.ppf(shares, freedom) / freedom) - shift).mean())
