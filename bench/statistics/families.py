"""Several tests at once: Holm's correction, and no test that could not reject whatever came out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

from bench.statistics.crossed import gap
from bench.statistics.intervals import LEVEL, Floats, Values

Answer = Literal["apart", "not separable", "cannot be told with so few"]


class Planned(NamedTuple):
    """A test that has not been run: the smallest p that it could give, and how to run it."""

    smallest: float
    run: Callable[[], float]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a test of a family says."""

    p: float | None  # as the test gave it; None where it was not run
    corrected: float | None  # by Holm, over the tests of the family that were run
    answer: Answer


def family(planned: Sequence[Planned], level: float = LEVEL) -> list[Verdict]:
    """Runs the tests that could reject, and judges them at once: at most 1 - `level` of such families err.

    Which are run is settled before any is, by the smallest p each could give (Tarone, 1990): sign flips over five seeds
    give 0.0625 at best and are never run at 0.05. The others are corrected by Holm (1979).
    """
    able = _able([one.smallest for one in planned], 1 - level)
    p = [one.run() if can else None for one, can in zip(planned, able, strict=True)]
    corrected = iter(holm([one for one in p if one is not None]))
    return [_verdict(one, None if one is None else next(corrected), 1 - level) for one in p]


def holm(p: Sequence[float]) -> list[float]:
    """Holm's (1979) corrected p of each, in the order given; not a number counts as 1."""
    if not p:
        return []
    from statsmodels.stats.multitest import multipletests  # here: it takes a second to import

    whole = np.nan_to_num(np.asarray(p, dtype=np.float64), nan=1.0)
    return [float(one) for one in multipletests(whole, method="holm")[1]]


def _able(smallest: Sequence[float], alpha: float) -> list[bool]:
    """Which tests can reach the level that is left to each when only those that can are counted."""
    for shared in range(1, len(smallest) + 1):
        able = [p <= alpha / shared for p in smallest]
        if sum(able) <= shared:
            return able
    return [False] * len(smallest)


def _verdict(p: float | None, corrected: float | None, alpha: float) -> Verdict:
    if p is None or corrected is None:
        return Verdict(None, None, "cannot be told with so few")
    return Verdict(p, corrected, "apart" if corrected <= alpha else "not separable")


def paired(first: Floats, second: Floats) -> Planned:
    """A test of two models on the same items, tables (S1, I) and (S2, I), by the t of `gap`: over seeds and items.

    Over test items alone where one of them has a single seed. Raises ValueError when run.
    """
    return Planned(0.0, lambda: float(gap(first, second).p))


def sign_flips(differences: Values) -> Planned:
    """An exact test that differences, (N,), one a pair, are as likely below zero as above: 2 / 2^N at best.

    Fisher (1935). From 14 pairs on over 9,999 flips that are drawn, always the same.
    """
    x = np.asarray(differences, dtype=np.float64)
    if x.ndim != 1 or not len(x) or not np.isfinite(x).all():
        raise ValueError(f"{x.size} differences of shape {x.shape}; expected a row of finite numbers")
    draws = 9999 if len(x) >= 14 else np.inf
    smallest = 2 / 2 ** len(x) if len(x) < 14 else 1 / 5000

    def run() -> float:
        if len(x) == 1:
            return 1.0
        found = stats.permutation_test((x,), np.mean, permutation_type="samples", n_resamples=draws, rng=0)
        return float(found.pvalue)

    return Planned(min(smallest, 1.0), run)
