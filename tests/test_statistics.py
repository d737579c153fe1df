"""Intervals agree with scipy, and say what they are over."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench import statistics


def test_the_interval_over_seeds_is_scipys_t_interval():
    x = [20.1, 21.7, 19.9]
    ours = statistics.over_seeds(x)
    theirs = stats.t.interval(0.95, 2, loc=np.mean(x), scale=stats.sem(x))
    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx(theirs)
    assert (ours.over, ours.n) == ("seeds", 3)


def test_the_difference_over_seeds_is_scipys_welch_interval():
    a, b = [20.1, 21.7, 19.9, 20.5], [18.3, 19.9]
    ours = statistics.difference_over_seeds(a, b)
    theirs = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    assert statistics.difference_over_seeds([1.0, 1.0], [3.0, 3.0]) == statistics.Interval(-2.0, -2.0, "seeds", 2)
    assert statistics.difference_over_seeds(a, [1.0]) is None


def test_one_seed_has_no_interval():
    assert statistics.over_seeds([20.1]) is None
    assert statistics.over_items([1.0]) is None


def test_the_bootstrap_over_items_agrees_with_scipys():
    x = np.random.default_rng(1).exponential(size=301)
    ours = statistics.over_items(x, resamples=5000)
    theirs = stats.bootstrap((x,), np.mean, method="percentile", n_resamples=5000, rng=3).confidence_interval
    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)
    assert (ours.over, ours.n) == ("test items", 301)


def test_the_bootstrap_is_the_same_twice():
    x = np.arange(17.0)
    assert statistics.over_items(x) == statistics.over_items(x)


def test_equal_seeds_draw_the_same_items():
    x = np.random.default_rng(2).normal(size=50)
    shifted = statistics.resampled_means(x + 1) - statistics.resampled_means(x)
    assert shifted == pytest.approx(np.ones(statistics.RESAMPLES))


def test_the_interval_over_items_holds_the_true_mean_about_19_times_in_20():
    random = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        found = statistics.over_items(random.normal(3, 1, size=80), resamples=300)
        assert found is not None
        held += found.low <= 3 <= found.high
    assert 180 <= held <= 198


def test_an_interval_of_a_difference_settles_its_sign_only_when_zero_lies_outside():
    assert statistics.Interval(0.1, 0.4, "seeds", 3).settles
    assert not statistics.Interval(-0.1, 0.4, "seeds", 3).settles


@pytest.mark.parametrize("bad", [[1.0, float("nan")], np.ones((2, 1))])
def test_values_that_are_no_row_of_numbers_are_refused(bad):
    with pytest.raises(ValueError, match="expected a row of finite numbers"):
        statistics.over_items(bad)


def power_law(factor: float, exponent: float, noise: float = 0.0, seed: int = 0) -> list[statistics.Point]:
    """Times at lengths 16 to 4,096, each off by a normal deviation that its interval knows."""
    off = np.random.default_rng(seed).normal(0, 1, 9) * noise
    times = [(n, factor * n**exponent * np.exp(e)) for n, e in zip((16 * 2**k for k in range(9)), off, strict=True)]
    return [statistics.Point(n, t, t * np.exp(-1.96 * noise), t * np.exp(1.96 * noise)) for n, t in times]


def test_two_power_laws_cross_where_algebra_says():
    found = statistics.crossover(power_law(1.0, 2.0), power_law(300.0, 1.0))
    assert found is not None
    assert found.length == pytest.approx(300)
    assert (found.low, found.high) == pytest.approx((300, 300))
    assert (found.lower, found.first, found.last, found.settled) == (1, 16, 4096, True)


def test_a_crossover_is_the_same_whichever_curve_is_named_first():
    a, b = power_law(1.0, 2.0), power_law(300.0, 1.0)
    ab, ba = statistics.crossover(a, b), statistics.crossover(b, a)
    assert ab is not None
    assert ba is not None
    assert (ab.length, ab.lower) == (pytest.approx(ba.length), 1 - ba.lower)


def test_curves_that_never_cross_have_no_length():
    found = statistics.crossover(power_law(1.0, 1.0, 0.01), power_law(2.0, 1.0, 0.01))
    assert found is not None
    assert (found.length, found.lower, found.low, found.high, found.settled) == (None, 0, 16, 16, True)


def test_curves_that_cannot_be_told_apart_settle_nothing():
    found = statistics.crossover(power_law(1.0, 1.0, 0.1, 1), power_law(1.0, 1.0, 0.1, 1))
    assert found is not None
    assert not found.settled


def test_curves_of_unlike_lengths_are_compared_where_both_were_measured():
    found = statistics.crossover(power_law(1.0, 2.0)[:6], power_law(300.0, 1.0)[2:])
    assert found is not None
    assert (found.first, found.last, found.length) == (64, 512, pytest.approx(300))
    assert statistics.crossover(power_law(1.0, 2.0)[:3], power_law(300.0, 1.0)[3:]) is None


def test_the_interval_of_a_crossover_holds_the_true_length_about_19_times_in_20():
    held = 0
    for trial in range(200):
        noisy = (power_law(1.0, 2.0, 0.05, 2 * trial), power_law(300.0, 1.0, 0.05, 2 * trial + 1))
        found = statistics.crossover(*noisy, resamples=400)
        assert found is not None
        held += found.low <= 300 <= found.high
    assert 180 <= held <= 199


def test_the_interval_of_a_ratio_holds_the_true_ratio_about_19_times_in_20():
    random, held = np.random.default_rng(7), 0
    for _ in range(400):
        one, other = (v * np.exp(random.normal(0, 0.1)) for v in (6.0, 2.0))
        spans = [statistics.Point(1, x, x * np.exp(-0.196), x * np.exp(0.196)) for x in (one, other)]
        found = statistics.ratio(*spans)
        held += found.low <= 3 <= found.high
    assert 365 <= held <= 395
