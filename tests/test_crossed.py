"""Seeds and test items together: parts of the variance, intervals and paired tests against independent oracles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from bench import statistics
from bench.statistics import BOTH, ITEMS, SEEDS, Interval


def table(seeds: int, items: int, seed: int = 0, of_seeds: float = 1.0, of_items: float = 2.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    a, b = random.normal(0, of_seeds, (seeds, 1)), random.normal(0, of_items, (1, items))
    return 50 + a + b + random.normal(0, 1, (seeds, items))


def test_the_parts_are_the_mean_squares_of_statsmodels():
    import pandas as pd

    y = table(3, 7)
    long = pd.DataFrame([(s, i, v) for (s, i), v in np.ndenumerate(y)], columns=["s", "i", "v"])
    squares = anova_lm(ols("v ~ C(s) + C(i)", long).fit())["mean_sq"] / y.size
    found = statistics.parts(y)
    assert float(found.seeds) == pytest.approx(squares["C(s)"])
    assert float(found.rest) == pytest.approx(squares["Residual"])
    assert float(found.items) == pytest.approx(squares["C(i)"] - squares["Residual"])
    assert float(found.mean) == pytest.approx(y.mean())


def test_many_tables_at_once_are_each_table_by_itself():
    many = np.array([table(3, 7, seed) for seed in range(5)])
    at_once, gaps = statistics.half_width(statistics.parts(many)), statistics.gap(many, many[::-1, :2])
    for k, one in enumerate(many):
        assert at_once[k] == pytest.approx(float(statistics.half_width(statistics.parts(one))))
        assert gaps.p[k] == pytest.approx(float(statistics.gap(one, many[4 - k, :2]).p))


def test_with_items_all_alike_the_interval_is_the_one_over_seeds():
    y = np.repeat(np.array([[20.1], [21.7], [19.9]]), 9, axis=1)
    both, seeds = statistics.over_both(y), statistics.over_seeds(y[:, 0])
    assert (both.low, both.high) == pytest.approx((seeds.low, seeds.high))
    assert (both.over, both.n, both.items, both.told) == (BOTH, 3, 9, "3 seeds and 9 test items")


def test_with_seeds_all_alike_the_interval_is_students_over_items():
    y = np.repeat(table(1, 40), 3, axis=0)
    both, theirs = statistics.over_both(y), stats.t.interval(0.95, 39, loc=y[0].mean(), scale=stats.sem(y[0]))
    assert (both.low, both.high) == pytest.approx(theirs)


def test_one_seed_or_no_items_leave_what_there_is_and_say_so():
    y = table(1, 40)
    one = statistics.over_both(y)
    assert (one.low, one.high) == pytest.approx(stats.t.interval(0.95, 39, loc=y.mean(), scale=stats.sem(y[0])))
    assert (one.over, one.n) == (ITEMS, 40)
    assert statistics.over_both(np.array([[1.0], [2.0], [4.0]])) == statistics.over_seeds([1.0, 2.0, 4.0])
    assert statistics.over_both(np.array([[1.0], [2.0], [4.0]])).over == SEEDS
    assert statistics.over_both(np.ones((1, 1))) is None


def test_without_any_variance_the_interval_has_no_width():
    assert statistics.over_both(np.full((3, 5), 7.0)) == Interval(7.0, 7.0, BOTH, 3, 5)
    same = statistics.gap(np.full((3, 5), 7.0), np.full((2, 5), 7.0))
    other = statistics.gap(np.full((3, 5), 7.0), np.full((2, 5), 6.0))
    assert (float(same.p), float(other.p), float(other.mean)) == (1.0, 0.0, 1.0)


def test_items_that_vary_less_than_chance_count_as_nothing():
    y = np.array([[1.0, 2.0, 3.0], [3.1, 2.0, 1.0]])  # means of items are nearly alike
    found = statistics.parts(y)
    assert float(found.items) == 0
    half = float(statistics.half_width(found))
    assert half == pytest.approx(float(stats.t.ppf(0.975, 1) * np.sqrt(found.seeds)))


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 100.0), (-2.0, 6.0)])
def test_a_bounded_score_stays_in_its_bounds_and_far_from_them_nothing_changes(bounds):
    low, high = bounds
    y = low + (high - low) * (np.random.default_rng(3).random((3, 8)) < 0.9)
    free, held = statistics.over_both(y), statistics.over_both(y, bounds=bounds)
    assert free.high > high
    assert low < held.low < y.mean() < held.high < high
    narrow = (low + high) / 2 + (high - low) * 1e-3 * (table(3, 8, of_seeds=0.1, of_items=0.1) - 50)
    a, b = (statistics.over_both(narrow, bounds=known) for known in (None, bounds))
    assert (a.low, a.high) == pytest.approx((b.low, b.high), abs=1e-5 * (high - low))


def test_a_score_at_its_bound_has_an_interval_of_no_width():
    assert statistics.over_both(np.full((3, 5), 100.0), bounds=(0.0, 100.0)) == Interval(100.0, 100.0, BOTH, 3, 5)


def test_missing_scores_and_unlike_items_are_refused():
    y = table(3, 7)
    y[1, 2] = np.nan
    with pytest.raises(ValueError, match="1 of 21 scores are missing; keep the items that every seed answered"):
        statistics.over_both(y)
    with pytest.raises(ValueError, match="expected the same items"):
        statistics.gap(table(3, 7), table(3, 8))
    with pytest.raises(ValueError, match="expected a table of seeds by items"):
        statistics.over_both(np.ones(3))
    with pytest.raises(ValueError, match="at least two of each"):
        statistics.parts(table(1, 7))


def test_items_that_are_hard_for_both_cancel_in_the_difference():
    hard = np.random.default_rng(1).normal(0, 30, (1, 50))
    plain = statistics.difference_over_both(table(3, 50, 1), table(4, 50, 2))
    shifted = statistics.difference_over_both(table(3, 50, 1) + hard, table(4, 50, 2) + hard)
    assert (shifted.low, shifted.high) == pytest.approx((plain.low, plain.high))
    assert (plain.over, plain.n, plain.items) == (BOTH, 3, 50)


def test_one_seed_on_a_side_is_the_paired_t_over_items():
    a, b = table(4, 30, 1), table(1, 30, 2)
    span, found = statistics.difference_over_both(a, b), statistics.gap(a, b)
    theirs = stats.ttest_rel(a.mean(0), b[0])
    assert float(found.p) == pytest.approx(theirs.pvalue)
    assert (span.low, span.high) == pytest.approx(tuple(theirs.confidence_interval()))
    assert (span.over, span.n) == (ITEMS, 30)


def test_with_items_all_alike_the_difference_is_nearly_welchs():
    """Nearly: Welch's degrees of freedom to the second order; with many seeds nothing is left of that."""
    random = np.random.default_rng(4)
    a, b = (np.repeat(random.normal(0, sd, (n, 1)), 5, axis=1) for sd, n in ((1.0, 40), (3.0, 60)))
    assert float(statistics.gap(a, b).p) == pytest.approx(
        stats.ttest_ind(a[:, 0], b[:, 0], equal_var=False).pvalue, rel=0.01
    )


def test_the_interval_and_the_test_of_a_difference_agree():
    for seed in range(40):
        a, b = table(3, 20, seed), table(5, 20, 100 + seed) - 1.5
        span, p = statistics.difference_over_both(a, b), float(statistics.gap(a, b).p)
        assert span.settles == (p < 0.05)
