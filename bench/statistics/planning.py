"""How many seeds it takes: the power of the paired test over seeds and test items, before anything is run.

All from the parts of the variance (see `crossed`): how much runs of a model vary, and how much the difference of two
models varies from item to item.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

from bench.statistics.crossed import parts
from bench.statistics.intervals import LEVEL, Floats
from bench.statistics.noncentral import below

POWER = 0.8  # share of true differences of that size that a test finds
MOST = 1000  # seeds


class Deviations(NamedTuple):
    """What the difference of two models varies by, in the unit of the score."""

    seeds: float  # of a model's mean from run to run
    items: float  # of the difference of both models from item to item
    rest: float  # of one answer, beyond both


def deviations(first: Floats, second: Floats) -> Deviations:
    """Estimates from two tables of the same items, (S1, I) and (S2, I), at least two seeds each. Raises ValueError."""
    tables = (first, second)
    found = [parts(table) for table in tables]
    seeds = np.mean([float(p.seeds) * len(t) for p, t in zip(found, tables, strict=True)])
    rest = [_rest(t) for t in tables]
    apart = float(np.var(first.mean(0) - second.mean(0), ddof=1))
    items = apart - sum(r / len(t) for r, t in zip(rest, tables, strict=True))
    return Deviations(math.sqrt(float(seeds)), math.sqrt(max(items, 0.0)), math.sqrt(float(np.mean(rest))))


def power(
    difference: float, seed_sd: float, item_sd: float, seeds: int, items: int, level: float = LEVEL,
    rest_sd: float = 0.0,
) -> float:  # fmt: skip
    """How often the paired test of `gap` finds a difference, with so many seeds a model and so many test items.

    `item_sd` is the deviation of the difference from item to item, `rest_sd` that of one answer. By the noncentral t.
    """
    error, freedom = _error(seed_sd, item_sd, rest_sd, seeds, items)
    if error == 0:
        return float(difference != 0)
    edge = float(stats.t.ppf((1 + level) / 2, freedom))
    shift = abs(difference) / error
    return 1 - below(edge, freedom, shift) + below(-edge, freedom, shift)


def smallest_difference(
    seed_sd: float, item_sd: float, seeds: int, items: int, level: float = LEVEL, power: float = POWER,
    rest_sd: float = 0.0,
) -> float:  # fmt: skip
    """The smallest difference that is found with this power by so many seeds a model on so many items.

    In the unit of the deviations. Raises ValueError for fewer than two seeds or items.
    """
    error, _ = _error(seed_sd, item_sd, rest_sd, seeds, items)
    if error == 0:
        return 0.0

    def lacking(difference: float) -> float:
        return _power(difference, seed_sd, item_sd, seeds, items, level, rest_sd) - power

    most = error
    while lacking(most) < 0:
        most *= 2
    return float(optimize.brentq(lacking, 0.0, most))


def seeds_needed(
    difference: float, seed_sd: float, item_sd: float, items: int, level: float = LEVEL, power: float = POWER,
    rest_sd: float = 0.0,
) -> int | None:  # fmt: skip
    """The fewest seeds a model that find a difference with this power; None where not even a thousand would.

    Then it is the test items that are too few: no number of seeds makes up for them.
    """
    low, high = 1, MOST  # `low` seeds are too few; more seeds never find less

    def enough(seeds: int) -> bool:
        return _power(difference, seed_sd, item_sd, seeds, items, level, rest_sd) >= power

    if not enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _error(seed_sd: float, item_sd: float, rest_sd: float, seeds: int, items: int) -> tuple[float, float]:
    """Standard error of the difference of two models, and Satterthwaite's degrees of freedom."""
    if min(seeds, items) < 2 or min(seed_sd, item_sd, rest_sd) < 0:
        raise ValueError(f"{seeds} seeds, {items} items; expected at least two of each, and no negative deviation")
    of_seeds, of_items = seed_sd**2 / seeds, (item_sd**2 + 2 * rest_sd**2 / seeds) / items
    variance = 2 * of_seeds + of_items
    if variance == 0:
        return 0.0, math.inf
    return math.sqrt(variance), variance**2 / (2 * of_seeds**2 / (seeds - 1) + of_items**2 / (items - 1))


def _rest(table: Floats) -> float:
    """Mean square of what neither seed nor item explains."""
    left = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    return float((left**2).sum() / ((len(table) - 1) * (table.shape[1] - 1)))


_power = power  # beside arguments of that name
