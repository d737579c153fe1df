"""Tests in families, effects, ranks, profiles and power agree with scipy, statsmodels, sacrebleu and brute force."""

from __future__ import annotations

import gc
import itertools
import time

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest
from scipy import stats

from bench import statistics
from bench.statistics import Planned
from reports.rows.artifacts import Answer
from reports.scores import _corpus

NEVER = Planned(0.0625, lambda: pytest.fail("a test that cannot reject was run"))


def told(*p: float) -> list[Planned]:
    return [Planned(0.0, lambda one=one: one) for one in p]


def test_a_family_is_corrected_by_holm():
    found = statistics.family(told(0.01, 0.04, 0.03, 0.005))
    assert [one.corrected for one in found] == pytest.approx([0.03, 0.06, 0.06, 0.02])  # Holm, by hand
    assert [one.answer for one in found] == ["apart", "not separable", "not separable", "apart"]
    assert statistics.holm([]) == []
    assert statistics.holm([float("nan"), 0.01]) == pytest.approx([1.0, 0.02])


def test_a_test_that_could_not_reject_is_not_run_and_costs_the_others_nothing():
    found = statistics.family([NEVER, *told(0.02, 0.5), NEVER])
    assert [one.answer for one in found] == [
        "cannot be told with so few", "apart", "not separable", "cannot be told with so few",
    ]  # fmt: skip
    assert found[0].p is None
    assert found[1].corrected == pytest.approx(0.04)


def test_a_test_that_can_reject_alone_but_not_among_so_many_is_not_run():
    few = [Planned(0.03, lambda: 0.03)]
    assert statistics.family(few)[0].answer == "apart"
    among = statistics.family([Planned(0.03, NEVER.run), *told(0.9, 0.9)])
    assert among[0].answer == "cannot be told with so few"


def test_families_without_a_difference_err_once_in_twenty_at_most(monkeypatch):
    monkeypatch.setattr(gc, "collect", lambda: 0)  # statsmodels collects garbage each time, which takes 0.1 s
    random = np.random.default_rng(8)
    wrong = sum(any(one.answer == "apart" for one in statistics.family(told(*random.random(6)))) for _ in range(400))
    assert 8 <= wrong <= 34


def test_sign_flips_over_five_seeds_cannot_reject():
    planned = statistics.sign_flips([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (planned.smallest, planned.run()) == (0.0625, 0.0625)
    assert statistics.family([planned])[0].answer == "cannot be told with so few"


def test_sign_flips_are_all_flips():
    x = np.random.default_rng(5).normal(0.6, 1, 9)
    planned = statistics.sign_flips(x)
    means = [abs(np.mean(x * flip)) for flip in itertools.product((-1, 1), repeat=9)]
    assert planned.run() == pytest.approx(np.mean(np.array(means) >= abs(x.mean()) - 1e-12))
    assert planned.smallest == 2 / 2**9
    assert statistics.sign_flips(np.ones(20)).run() < 0.001


def test_a_run_that_failed_loses_and_two_that_failed_tie():
    assert statistics.superiority([3.0, 4.0], [1.0], failed=(2, 1)).value == pytest.approx((2 * 2 + 0 + 0.5 * 2) / 8)
    assert statistics.superiority([], [1.0], failed=(3, 0)).value == 0
    assert statistics.superiority([], [], failed=(2, 0)) is None
    assert statistics.superiority([1.0], [2.0], higher=False).value == 1


def test_the_chance_to_beat_is_scipys_mann_whitney_and_its_interval_has_a_width():
    random = np.random.default_rng(1)
    a, b = random.integers(0, 6, 7), random.integers(1, 8, 5)
    found = statistics.superiority(a * 1.0, b * 1.0)
    assert found.value == pytest.approx(stats.mannwhitneyu(a, b).statistic / 35)
    assert found.low < found.value < found.high
    sure = statistics.superiority([5.0, 6.0, 7.0], [1.0, 2.0, 3.0])
    assert (sure.value, sure.high) == (1, 1)
    assert 0.4 < sure.low < 0.6
    turned = statistics.superiority([1.0, 2.0, 3.0], [5.0, 6.0, 7.0])
    assert (turned.low, turned.high) == pytest.approx((0, 1 - sure.low))


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.0])
def test_the_interval_of_the_chance_to_beat_holds_it_about_19_times_in_20(shift):
    random, truth = np.random.default_rng(2), stats.norm.cdf(shift / np.sqrt(2))
    spans = [statistics.superiority(random.normal(shift, 1, 5), random.normal(0, 1, 5)) for _ in range(300)]
    assert 270 <= sum(span.low <= truth <= span.high for span in spans) <= 297


def test_the_standardised_difference_holds_its_truth_and_is_unbiased():
    random = np.random.default_rng(3)
    found = [statistics.standardised(random.normal(1, 1, 5), random.normal(0, 1, 5)) for _ in range(150)]
    scale = 1 - 3 / (4 * 8 - 1)  # Hedges' approximate correction, on both ends too
    assert 133 <= sum(one.low <= scale <= one.high for one in found) <= 149
    assert np.mean([one.value for one in found]) == pytest.approx(1, abs=0.2)
    assert statistics.standardised([1.0, 1.0], [2.0, 2.0]) is None
    assert statistics.standardised([1.0], [2.0, 3.0]) is None
    far = statistics.standardised([1.0, 1.1, 1.2], [900.0, 901.0, 902.0])
    assert far.low < far.value < far.high < -100


def test_critical_differences_agree_with_scikit_posthocs():
    import scikit_posthocs

    scores = np.random.default_rng(4).normal([0, 0.3, 2.0, 2.2], 1, (11, 4))
    found, theirs = statistics.ranked(scores), scikit_posthocs.posthoc_nemenyi_friedman(scores).to_numpy()
    assert isinstance(found, statistics.Ranks)
    for a, b in itertools.combinations(range(4), 2):
        assert found.apart(a, b) == (theirs[a, b] < 0.05)
    assert found.critical == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 11)), abs=1e-3)  # q of Demšar, table 5
    assert found.alike()
    assert all(not found.apart(a, b) for group in found.alike() for a, b in itertools.combinations(group, 2))


def test_seven_tasks_are_too_few_for_ranks():
    scores = np.random.default_rng(4).normal(size=(8, 3))
    assert statistics.ranked(scores[:7]) == "too few tasks"
    assert isinstance(statistics.ranked(scores), statistics.Ranks)


def test_ties_share_their_rank_and_a_failure_ranks_last():
    row = [3.0, 5.0, 5.0, np.nan]
    found = statistics.ranked(np.array([row] * 8))
    assert found.means == (3.0, 1.5, 1.5, 4.0)
    assert statistics.ranked(np.array([row] * 8), higher=False).means == (1.0, 2.5, 2.5, 4.0)


def test_performance_profiles_count_tasks_within_a_factor_and_failures_in_none():
    costs = np.array([[1.0, 2.0], [4.0, 1.0], [3.0, np.nan], [np.nan, np.inf]])
    assert statistics.profile(costs, [1.0, 2.0, 4.0, 1e9]).tolist() == [[0.5, 0.5, 0.75, 0.75], [0.25, 0.5, 0.5, 0.5]]
    with pytest.raises(ValueError, match="above zero"):
        statistics.profile(np.array([[0.0, 1.0]]), [1.0])


def test_a_run_reaches_a_target_when_its_curve_first_does_and_failures_never():
    curves = [[(10.0, 40.0), (20.0, 61.0), (30.0, 55.0)], [(10.0, 59.9), (40.0, 60.0)], [(5.0, 1.0)]]
    assert statistics.reached(curves, 60.0, [19.0, 20.0, 40.0, 1e9], failed=1).tolist() == [0, 0.25, 0.5, 0.5]
    assert statistics.first_reached(curves[2], 60.0) == float("inf")
    assert statistics.first_reached([(1.0, 3.0), (2.0, 0.1)], 0.5, higher=False) == 2.0
    with pytest.raises(ValueError, match="no run"):
        statistics.reached([], 1.0, [1.0])


@pytest.mark.parametrize(("seeds", "items"), [(3, 50), (5, 200), (10, 40)])
def test_power_is_what_simulation_finds(seeds, items):
    random, n = np.random.default_rng(9), 3000
    apart = statistics.smallest_difference(1.0, 6.0, seeds, items, rest_sd=2.0)
    item = random.normal(0, 6.0, (n, 1, items))
    a, b = (random.normal(0, 1, (n, seeds, 1)) + random.normal(0, 2.0, (n, seeds, items)) for _ in "ab")
    found = float((statistics.gap(a + apart + item, b).p < 0.05).mean())
    assert found == pytest.approx(0.8, abs=0.05)


def test_seeds_needed_are_the_fewest_that_find_the_difference():
    n = statistics.seeds_needed(1.5, 1.0, 10.0, 1000)
    assert statistics.power(1.5, 1.0, 10.0, n, 1000) >= 0.8 > statistics.power(1.5, 1.0, 10.0, n - 1, 1000)
    assert statistics.smallest_difference(1.0, 10.0, n, 1000) <= 1.5
    assert statistics.seeds_needed(0.5, 1.0, 10.0, 500) is None  # items alone hide it
    assert statistics.smallest_difference(0.0, 0.0, 2, 2) == 0
    assert statistics.seeds_needed(1e6, 1.0, 1.0, 50) == 2
    with pytest.raises(ValueError, match="1 seeds"):
        statistics.smallest_difference(1.0, 1.0, 1, 50)


def test_deviations_are_found_again():
    random = np.random.default_rng(10)
    item = random.normal(0, 3.0, (1, 400))
    a, b = (random.normal(0, 2.0, (60, 1)) + random.normal(0, 5.0, (60, 400)) for _ in "ab")
    assert statistics.deviations(a + item, b) == pytest.approx((2.0, 3.0, 5.0), rel=0.15)


WORDS = "the old dog sees a cat by the water and wants to find its book in that garden".split()  # noqa: SIM905


def texts(n: int, right: float, seed: int) -> list[str]:
    """References with some of their words lost."""
    random = np.random.default_rng(seed)
    return [" ".join(w for w in one.split() if random.random() < right) or "a" for one in references(n)]


def references(n: int) -> list[str]:
    random = np.random.default_rng(0)
    return [" ".join(random.choice(WORDS, random.integers(5, 14))) for _ in range(n)]


def answers(said: list[str]) -> list[Answer]:
    pairs = enumerate(zip(said, references(len(said)), strict=True))
    return [Answer(item, None, None, reference, answer, {}) for item, (answer, reference) in pairs]


@pytest.mark.parametrize(("name", "metric"), [("bleu", BLEU()), ("chrf", CHRF())])
def test_corpus_scores_and_their_bootstrap_are_sacrebleus(name, metric):
    said = texts(150, 0.8, 1)
    score = metric.corpus_score(said, [references(150)], n_bootstrap=1000)
    made = _corpus.OF[name]
    counts = made.counts(answers(said), str(metric.get_signature()))
    assert made.score(counts.sum(axis=0), 150) == pytest.approx(score.score)
    span = statistics.interval(statistics.resampled(counts, made.score), 150)
    assert (span.high - span.low) / 2 == pytest.approx(score._ci, rel=0.15)  # a thousand draws

    values = statistics.pseudo_values(counts, made.score)
    assert values.mean() == pytest.approx(score.score)
    over_items = statistics.over_both(values[None])
    assert (over_items.high - over_items.low) / 2 == pytest.approx(score._ci, rel=0.15)


def test_pseudo_values_of_a_mean_are_the_values():
    x = np.random.default_rng(2).normal(size=(9, 1))
    assert statistics.pseudo_values(x, lambda sums, n: float(sums[0]) / n) == pytest.approx(x[:, 0])


def test_both_paired_tests_are_sacrebleus_own():
    one, other, right = texts(80, 0.8, 1), texts(80, 0.7, 2), references(80)
    for by, kind in (("randomisation", "ar"), ("bootstrap", "bs")):
        _, found = PairedTest([("a", one), ("b", other)], {"BLEU": BLEU()}, [right], kind)()
        assert statistics.paired_texts(one, other, right, BLEU(), by) == found["BLEU"][1].p_value


@pytest.mark.parametrize("gap", [0.02, 0.1])
@pytest.mark.parametrize(("name", "metric"), [("bleu", BLEU()), ("chrf", CHRF())])
def test_one_training_each_is_told_apart_as_sacrebleu_does_and_the_t_agrees(name, metric, gap):
    one, other = texts(120, 0.8, 1), texts(120, 0.8 - gap, 2)
    flips = statistics.paired_texts(one, other, references(120), metric, resamples=2000)
    assert flips == statistics.paired_texts(one, other, references(120), metric, resamples=2000)
    made, signature = _corpus.OF[name], str(metric.get_signature())
    tables = [statistics.pseudo_values(made.counts(answers(t), signature), made.score)[None] for t in (one, other)]
    p = float(statistics.gap(*tables).p)
    assert p == pytest.approx(flips, abs=0.04)
    with pytest.raises(ValueError, match="expected one each"):
        statistics.paired_texts(one, other[:-1], references(120), metric)


def test_a_table_of_five_models_three_tasks_and_five_seeds_takes_seconds():
    """A fifth of the items of the table that is measured whole; every pair of models, every statistic."""
    random, start = np.random.default_rng(0), time.process_time()
    for _ in range(3):
        models = [random.normal(m, 1, (5, 1)) + random.normal(0, 3, (5, 200)) for m in range(5)]
        pairs = [*itertools.combinations(models, 2)]
        verdicts = statistics.family([statistics.paired(a, b) for a, b in pairs])
        assert len(verdicts) == 10
        assert all(statistics.over_both(one) for one in models)
        for a, b in pairs:
            statistics.difference_over_both(a, b)
            assert statistics.standardised(a.mean(1), b.mean(1))
            assert statistics.superiority(a.mean(1), b.mean(1))
            statistics.smallest_difference(*statistics.deviations(a, b)[:2], 5, 200)
    assert time.process_time() - start < 10
