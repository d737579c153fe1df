"""What would settle a difference that is not separable: how many seeds each, or how many test items.

A difference of two models' means has the variance (s1^2 + s2^2) / S + v / I: s^2 is the variance of a model's score
over seeds, S the seeds of each, v the variance over test items of what the one scores above the other, I the items.
Seeds are told by the power of the paired test (bench.statistics.planning); items, and seeds where no answers are
stored, by its normal limit: shown at 5 % in four of five repetitions where that is at most (gap / (z_0.975 + z_0.8))^2.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from bench.statistics import Floats, deviations, seeds_needed
from reports.scores.tables import Line

POWER, LEVEL = 0.8, 0.95
MOST = 100  # seeds; nobody runs more
MILLION = 1_000_000
LEAST = 1e-9  # a gap below it is rounding
HUGE = 1e100  # scores whose squares a number cannot hold are nobody's


def needed_seeds(first: Floats, second: Floats, gap: float) -> int | None:
    """Seeds each that would show a gap of this size; None where no number of them would: the test items are too few.

    From scores of the same items by seed, (S, I) each, whose means over items are the scores of the seeds. Raises
    ValueError below two seeds of either, for other items, or for a gap of zero.
    """
    if min(len(first), len(second)) < 2 or gap == 0:
        raise ValueError(f"{len(first)} and {len(second)} seeds, gap {gap}; expected two seeds each and a gap")
    found = deviations(first, second)
    return seeds_needed(abs(gap), found.seeds, found.items, first.shape[1], rest_sd=found.rest)


def needed_items(first: Floats, second: Floats, gap: float) -> int:
    """Test items that would show a gap, were the seeds no matter (as many as one likes, or just these trainings)."""
    items = min(first.shape[1], second.shape[1])
    return math.ceil(min(item_variance(first, second) * items / _allowed(gap), MILLION + 1))


def _allowed(gap: float) -> float:
    """The largest variance at which a gap is shown in four of five repetitions."""
    z = float(stats.norm.ppf((1 + LEVEL) / 2) + stats.norm.ppf(POWER))
    return (gap / z) ** 2


def item_variance(first: Floats, second: Floats) -> float:
    """Variance of the difference that more seeds would leave: that of the test items, v / I.

    Each seed's own luck with an item is taken out, as in a two-way analysis of variance: left in, a few seeds
    would make items look decisive that are not.
    """
    if first.shape[1] != second.shape[1]:
        return _of_items(first) + _of_items(second)
    common = first.mean(axis=0) - second.mean(axis=0)
    luck = sum(_luck(table) / len(table) for table in (first, second))
    return max(0.0, float(np.var(common, ddof=1)) - luck) / first.shape[1]


def _of_items(table: Floats) -> float:
    luck = _luck(table) / len(table)
    return max(0.0, float(np.var(table.mean(axis=0), ddof=1)) - luck) / table.shape[1]


def _luck(table: Floats) -> float:
    """Variance of a score by what neither its seed nor its item explains, from (S, I); 0 for one seed."""
    seeds, items = table.shape
    if seeds < 2:
        return 0.0
    left = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    return float((left**2).sum()) / ((seeds - 1) * (items - 1))


def table(line: Line) -> Floats | None:
    """A line's scores by seed and item, (S, I); None where answers were not stored or give another score."""
    return line.items.table if line.items else None


def said(better: Line, worse: Line) -> str:
    """What would settle a difference that is not separable, in a sentence without its full stop."""
    gap, first, second = better.value - worse.value, table(better), table(worse)
    run = min(len(better.rows), len(worse.rows))
    if abs(gap) < LEAST:
        return "the two are level, and no number of seeds would part them"
    if not max(abs(value) for line in (better, worse) for value in line.values) < HUGE:
        return "scores so large cannot be reckoned with"
    if run < 2:
        return _with_one_seed(first, second, gap)
    if first is None or second is None or first.shape[1] != second.shape[1]:
        spread = sum(float(np.var(line.values, ddof=1)) for line in (better, worse))
        return _seeds(math.ceil(min(spread / _allowed(gap), MILLION)), run)
    seeds = needed_seeds(first, second, gap)
    if seeds is not None:
        return _seeds(seeds, run)
    items = needed_items(first, second, gap)
    if items <= first.shape[1]:  # there are enough of them: it is the seeds that scatter
        return _seeds(MOST + 1, run)
    return f"no number of seeds would show a difference of this size, {_round(items)} test items would"


def _seeds(needed: int, run: int) -> str:
    """One more than were run, at the least: those did not show it."""
    seeds = max(needed, run + 1)
    if seeds > MOST:
        return f"more than {MOST} seeds each would be needed to show a difference of this size"
    return f"about {seeds} seeds each would show a difference of this size, were this pair the only one"


def _with_one_seed(first: Floats | None, second: Floats | None, gap: float) -> str:
    """One seed leaves the test items alone to reckon with, and only if both answered the same ones."""
    unknown = "one seed does not tell how much seeds matter: run three or more"
    if first is None or second is None or not len(first) == len(second) == 1 or first.shape != second.shape:
        return unknown
    items = needed_items(first, second, gap)
    if items <= first.shape[1]:
        return unknown
    return f"{_round(items)} test items would show it between these two trainings; {unknown}"


def _round(n: int) -> str:
    """Two digits: no more is known."""
    if n > MILLION:
        return "more than a million"
    scale = 10 ** max(len(str(n)) - 2, 0)
    return f"about {math.ceil(n / scale) * scale:,}"
