"""Two runs side by side: what differs between them first, then differences that agree with scipy and statsmodels."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from bench import statistics
from bench.record import Result, append, store
from bench.statistics import Point
from reports import ReportError
from reports.compare import contrast, environments
from reports.compare.differences import differences, shared
from reports.compare.repeats import Spread
from reports.compare.verdicts import Difference
from tests.test_fairness import MADE, fill, seqbench, trial  # noqa: F401 - a fixture
from tests.test_report import HOSTILE, inert, text
from tests.test_report_long import spans
from tests.test_report_speed import scaling, throughput

THERE = {"device": "cpu", "processor": "Another", "threads": 1, "libraries": {"torch": "2.11.0", "numpy": "2.4.6"}}


def quality(first: Path, second: Path, **how: object) -> Difference:
    """The one difference of quality between two runs."""
    (one,) = differences(first, second, **how).of("quality")
    return one


def answered(run: Path, model: str, seed: int, scores: np.ndarray, **changes: object) -> None:
    """A trial whose answers scored so, and that is equal to others in all else."""
    items = [
        {"item": i, "source": "s", "picture": None, "reference": "a", "answer": "a", "scores": {"accuracy": float(x)}}
        for i, x in enumerate(scores)
    ]
    entry = store(run, f"{model}{seed}", "answers.json", json.dumps({"items": items}).encode())
    metrics = {"accuracy": float(np.mean(scores)), "had_company": 0, "train_seconds": 30.0 + seed}
    trial(run, model, seed, metrics=changes.pop("metrics", metrics), artifacts={"answers": entry}, **changes)


def bare(run: Path, seed: int, value: float, **changes: object) -> None:
    """A trial without answers."""
    trial(run, "lstm", seed, metrics={"accuracy": value}, artifacts={}, **changes)


@pytest.fixture
def scores() -> np.ndarray:
    """Two runs of three seeds on 30 items, (2, 3, 30): what is hard is hard for both, the second is a bit better."""
    random = np.random.default_rng(4)
    hard = 50 + random.normal(0, 20, (1, 1, 30)) + random.normal(0, 9, (1, 3, 1))
    return np.clip(hard + random.normal(0, 4, (2, 3, 30)) + np.array([0, 9])[:, None, None], 1, 99).round(2)


def test_the_same_seeds_and_items_are_compared_one_by_one(tmp_path, scores):
    for run, table in zip(("a", "b"), scores, strict=True):
        for seed in range(3):
            answered(tmp_path / run, "lstm", seed, table[seed])
    one, apart = quality(tmp_path / "a", tmp_path / "b"), scores[1] - scores[0]
    span = statistics.over_both(apart)
    assert one.change == pytest.approx(apart.mean())
    assert (one.low, one.high) == pytest.approx((span.low, span.high))
    assert one.over == "3 seeds and 30 test items"
    assert one.verdict == "better"
    unpaired = statistics.difference_over_both(scores[1], scores[0])
    assert span.high - span.low < (unpaired.high - unpaired.low) / 2  # what both share cancels


def test_other_seeds_are_compared_over_the_same_items(tmp_path, scores):
    for run, table, first in zip(("a", "b"), scores, (0, 5), strict=True):
        for seed in range(3):
            answered(tmp_path / run, "lstm", first + seed, table[seed])
    one, span = quality(tmp_path / "a", tmp_path / "b"), statistics.difference_over_both(scores[1], scores[0])
    assert (one.low, one.high) == pytest.approx((span.low, span.high))
    assert one.p == pytest.approx(float(statistics.gap(scores[1], scores[0]).p))


def test_without_answers_seeds_are_compared_as_scipy_does(tmp_path):
    values = np.array([[61.0, 64, 60, 66], [63.0, 65, 64, 67]])
    for run, own in zip(("a", "b"), values, strict=True):
        for seed, value in enumerate(own):
            bare(tmp_path / run, seed, value)
            bare(tmp_path / f"other {run}", seed + 10 * (run == "b"), value)
    one = quality(tmp_path / "a", tmp_path / "b")
    assert one.p == pytest.approx(stats.ttest_rel(values[1], values[0]).pvalue)
    assert (one.low, one.high) == pytest.approx(tuple(stats.ttest_rel(*values[::-1]).confidence_interval()))
    other = quality(tmp_path / "other a", tmp_path / "other b")
    assert other.p == pytest.approx(stats.ttest_ind(*values[::-1], equal_var=False).pvalue)


def test_one_seed_without_answers_tells_nothing(tmp_path):
    bare(tmp_path / "a", 0, 61.0)
    bare(tmp_path / "b", 0, 64.0)
    one = quality(tmp_path / "a", tmp_path / "b")
    assert (one.change, one.low, one.p, one.verdict) == (3.0, None, None, "cannot be told with so few")


def test_a_run_beside_itself_is_the_same(tmp_path):
    fill(tmp_path / "a" / "run", seeds=2)
    fill(tmp_path / "b" / "run", seeds=2)
    found = differences(tmp_path / "a" / "run", tmp_path / "b" / "run")
    assert {one.verdict for one in found.of("quality")} == {"the same"}
    assert found.runs == ("a/run", "b/run")
    assert all(fact.alike for fact in found.facts)
    assert found.alone == ([], [])


def test_trials_of_one_identity_are_told_to_be_the_same_or_how_far_they_spread(tmp_path):
    curve = [{"updates": 9, "accuracy": 50.0}]
    for run, off, way in (("a", 0.0, 0.0), ("same", 0.0, 0.0), ("b", 0.5, 0.0), ("c", 0.0, 0.25)):
        for seed in range(3):
            metrics = {"accuracy": 60.0 + (off if seed else 0.0), "train_seconds": 5.0 + len(run), "bleu": 1.0 + off}
            seen = [point | {"accuracy": point["accuracy"] + way} for point in curve]
            trial(tmp_path / run, "lstm", seed, metrics=metrics, artifacts={}, id=f"trial{seed}", curve=seen)
    same, other, late = (differences(tmp_path / "a", tmp_path / run) for run in ("same", "b", "c"))
    assert (same.repeated.trials, same.repeated.equal, same.repeated.spreads) == (3, 3, ())
    told = "3 trials of the same identity on cpu: every score of both runs is the same to the last bit."
    assert f"Run twice: {told}" in contrast.text(same)
    assert ("Run twice", told) in contrast.verdicts(same)
    assert (other.repeated.equal, other.repeated.spreads) == (1, (Spread("accuracy", 0.5, pytest.approx(1 / 3)),))
    assert other.repeated.said.endswith(
        "1 came to the same bits; on the test they differ in accuracy by up to 0.50 (mean 0.33)."
    )
    assert json.loads(contrast.as_json(other))["repeated"]["spreads"][0]["largest"] == 0.5
    assert late.repeated.said.endswith("0 came to the same bits; the test's scores do not differ.")


def test_trials_of_other_identities_were_not_repeated(tmp_path):
    for run in ("a", "b"):
        bare(tmp_path / run, 0, 50.0, id=f"{run}0")
    assert differences(tmp_path / "a", tmp_path / "b").repeated.said == ""


def test_other_data_are_not_compared_and_data_that_nobody_told_are_not_taken_for_equal(tmp_path):
    for run, made in (("a", MADE), ("b", MADE | {"data": "cd" * 32}), ("c", {})):
        fill_one = {"made_of": made}
        for seed in range(2):
            trial(tmp_path / run, "lstm", seed, **fill_one)
    other = quality(tmp_path / "a", tmp_path / "b")
    assert (other.verdict, other.low) == ("not compared", None)
    assert other.notes[0] == "other data, or other settings of the task"
    untold = quality(tmp_path / "a", tmp_path / "c")
    assert untold.notes[0] == "not told whether the data are the same"
    assert "test items" not in untold.over
    with pytest.raises(ReportError, match="cannot be compared fairly between a and b: accuracy"):
        differences(tmp_path / "a", tmp_path / "b", strict=True)


def test_settings_that_differ_stand_beside_the_number(tmp_path):
    trial(tmp_path / "a", "lstm")
    trial(tmp_path / "b", "lstm", config={"batch": 16})
    assert "batch 8 → 16" in quality(tmp_path / "a", tmp_path / "b").notes
    with pytest.raises(ReportError, match="batch 8 → 16"):
        differences(tmp_path / "a", tmp_path / "b", strict=True)


def test_configurations_are_matched_by_their_settings(tmp_path):
    for run, sizes in (("a", (5, 9)), ("b", (9, 5))):
        for n, hidden in enumerate(sizes):
            bare(tmp_path / run, 0, 50.0 + hidden, config={"model": {"hidden": hidden}}, id=f"{run}{n}")
    assert [one.change for one in differences(tmp_path / "a", tmp_path / "b").of("quality")] == [0, 0]


def test_cells_of_one_run_alone_are_listed(tmp_path):
    fill(tmp_path / "a", seeds=1, models={"rnn": 0.5, "lstm": 0.7})
    fill(tmp_path / "b", seeds=1, models={"transformer": 0.9, "lstm": 0.7})
    found = differences(tmp_path / "a", tmp_path / "b")
    assert found.alone == (["vanilla RNN on sentiment"], ["transformer on sentiment"])
    assert "Only in a:\n  vanilla RNN on sentiment" in contrast.text(found)


def test_a_family_is_corrected_by_holm_kind_by_kind(tmp_path):
    random = np.random.default_rng(2)
    for model in ("rnn", "lstm", "transformer"):
        table = random.normal(50, 9, (2, 25)).clip(0, 100).round(2)
        for run, own in zip(("a", "b"), table, strict=True):
            answered(tmp_path / run, model, 0, own)
    for model in ("rnn", "lstm"):
        throughput(tmp_path / "a", model)
        throughput(tmp_path / "b", model)
    found = differences(tmp_path / "a", tmp_path / "b").of("quality")
    raw = []
    for one in found:
        own = [[a["scores"]["accuracy"] for a in _items(tmp_path / run, one.model)] for run in ("b", "a")]
        raw.append(stats.ttest_rel(*own).pvalue)
    assert [one.p for one in found] == pytest.approx(list(multipletests(raw, method="holm")[1]))


def _items(run: Path, model: str) -> list[dict[str, dict[str, float]]]:
    items: list[dict[str, dict[str, float]]]
    items = json.loads((run / "artifacts" / f"{model}0" / "answers.json").read_text())["items"]
    return items


def test_speeds_are_ratios_with_the_interval_of_both_and_company_is_not_compared(tmp_path):
    for run, factor in (("a", 1.0), ("b", 1.5)):
        rate = 10_000 * factor
        ends = {"": 1.0, "_low": 0.98, "_high": 1.02}
        train = {f"train_target_tokens_per_second{end}": rate * by for end, by in ends.items()}
        throughput(tmp_path / run, "lstm", metrics=train)
        throughput(tmp_path / run, "rnn", metrics=train | {"had_company": int(run == "b")})
    found = {
        one.model: one
        for one in differences(tmp_path / "a", tmp_path / "b").of("speed")
        if one.metric == "train_target_tokens_per_second"
    }
    clean = found["lstm"]
    expected = statistics.ratio(Point(1, 15_000, 14_700, 15_300), Point(1, 10_000, 9_800, 10_200))
    assert (clean.change, clean.low, clean.high) == pytest.approx((1.5, expected.low, expected.high))
    assert clean.verdict == "faster"
    assert (found["rnn"].verdict, found["rnn"].low) == ("not compared", None)
    assert found["rnn"].notes[0] == "another process was busy"


def test_lengths_are_compared_where_both_were_timed(tmp_path):
    scaling(tmp_path / "a", "lstm", longest=64)
    made = scaling(tmp_path / "b", "lstm", longest=256)
    found = differences(tmp_path / "a", tmp_path / "b").of("speed")
    (one,) = [one for one in found if one.metric == "step_seconds"]
    assert one.label == "a step of length 64, s (scaling with length)"
    assert one.second == next(point["step_seconds"] for point in made.curve if point["length"] == 64)
    assert one.verdict == "not separable"


def test_training_time_is_compared_under_one_budget_on_quiet_clocks_alone(tmp_path):
    times = {"a": (30.0, 31.0, 33.0), "b": (60.0, 64.0, 65.0)}

    def run(name: str, **changes: object) -> Path:
        for seed, seconds in enumerate(times[name[0]]):
            metrics = {"accuracy": 50.0, "train_seconds": seconds, "had_company": 0}
            trial(tmp_path / name, "lstm", seed, **{"metrics": metrics, "artifacts": {}, **changes})
        return tmp_path / name

    (one,) = differences(run("a"), run("b")).of("time")
    logs = np.log(times["b"]), np.log(times["a"])
    span = stats.ttest_rel(*logs).confidence_interval()
    assert (one.low, one.high) == pytest.approx((np.exp(span.low), np.exp(span.high)))
    assert (one.verdict, one.p) == ("slower", pytest.approx(stats.ttest_rel(*logs).pvalue))
    busy = run("b busy", metrics={"accuracy": 50.0, "train_seconds": 60.0, "had_company": 1})
    (beside,) = differences(tmp_path / "a", busy).of("time")
    assert (beside.verdict, beside.notes[0]) == ("not compared", "another process was busy during a training")
    longer = run("b longer", budget={"updates": 900})
    assert not differences(tmp_path / "a", longer).of("time")


def test_long_sequences_are_higher_or_lower(tmp_path):
    for seed, (one, other) in enumerate(((10, 100), (14, 200), (10, 100))):
        spans(tmp_path / "a", "lstm", seed, one)
        spans(tmp_path / "b", "lstm", seed, other)
    (found,) = differences(tmp_path / "a", tmp_path / "b").of("long")
    assert found.change == pytest.approx(np.mean([90, 186, 90]))
    assert found.verdict in ("higher", "not separable")


def test_environments_come_first_everywhere(tmp_path):
    fill(tmp_path / "here", seeds=1)
    for model in ("rnn", "lstm"):
        trial(tmp_path / "there", model, environment=THERE)
    found = differences(tmp_path / "here", tmp_path / "there")
    unlike = {fact.name: (fact.first, fact.second) for fact in found.facts if not fact.alike}
    assert unlike["processor"] == ("Example", "Another")
    assert unlike["threads"] == ("2", "1")
    assert unlike["torch"] == ("2.13.0", "2.11.0")
    assert "numpy" not in unlike
    assert contrast.text(found).startswith(f"What is not the same: {len(unlike)} facts of ")
    folder = contrast.write(found, tmp_path / "page").parent
    for said in (text(folder), (folder / "report.md").read_text("utf-8")):
        assert said.index("processor Example against Another") < said.index("Of 2 numbers")
        assert said.index("What is not the same") < said.index("Quality")
    assert environments.gathered(found.facts)[0] == "processor Example against Another"
    inert(folder)


def test_the_page_its_files_and_json_say_the_same_and_are_written_alike_twice(tmp_path, scores):
    import pandas as pd

    for run, table in zip(("a", "b"), scores, strict=True):
        for seed in range(3):
            answered(tmp_path / run, "lstm", seed, table[seed])
    found = differences(tmp_path / "a", tmp_path / "b")
    first, second = (contrast.write(found, tmp_path / name).parent for name in ("one", "two"))
    paths = [path.relative_to(first) for path in first.rglob("*") if path.is_file()]
    assert {"index.html", "report.md", "results.csv", "results.parquet"} <= {str(path) for path in paths}
    assert all((first / path).read_bytes() == (second / path).read_bytes() for path in paths)
    one = found.of("quality")[0]
    plain = json.loads(contrast.as_json(found))["differences"][0]
    for frame in (pd.read_csv(first / "results.csv"), pd.read_parquet(first / "results.parquet")):
        row = frame[frame["kind"] == "quality"].iloc[0]
        for name in ("first", "second", "change", "low", "high", "p"):
            assert row[name] == pytest.approx(plain[name]) == pytest.approx(getattr(one, name))
    assert f"{contrast.signed(one.low, 'accuracy')} to {contrast.signed(one.high, 'accuracy')}" in text(first)


def test_hostile_rows_stay_inert(tmp_path):
    nasty = "\x1b[31m" + HOSTILE
    for run in ("a", "b"):
        row = trial(tmp_path / run, "lstm", config={"model": {nasty: nasty + run}}, environment={nasty: nasty + run})
        append(tmp_path / run, dataclasses.replace(row, model=nasty, task=nasty, id="n", suite=nasty, time=nasty))
        append(tmp_path / run, Result("span", nasty, nasty, 0, "ok", {nasty: 3.0}, nasty, config={"variant": nasty}))
    found = differences(tmp_path / "a", tmp_path / "b")
    inert(contrast.write(found, tmp_path / "page").parent)
    said = contrast.text(found)
    assert not [c for c in said if c != "\n" and not c.isprintable() and ord(c) < 0x2000]
    json.loads(contrast.as_json(found))


def test_two_runs_of_the_same_models_are_compared_with_each_other_and_others_together(seqbench, tmp_path):  # noqa: F811
    fill(tmp_path / "a", seeds=1, models={"rnn": 0.5, "lstm": 0.7})
    fill(tmp_path / "b", seeds=1, models={"lstm": 0.7})
    fill(tmp_path / "c", seeds=1, models={"transformer": 0.9})
    code, out, _ = seqbench("compare", tmp_path / "a", tmp_path / "b")
    assert (code, out.splitlines()[0][:20]) == (0, "What is not the same")
    for typed in (("a", "c"), ("a", "b", "--together")):
        code, out, _ = seqbench("compare", *(word if word[0] == "-" else tmp_path / word for word in typed))
        assert code == 0
        assert "Two by two" in out
    code, out, _ = seqbench("compare", tmp_path / "a", tmp_path / "b", "--json", "--out", tmp_path / "page")
    assert json.loads(out)["runs"] == ["a", "b"]
    assert (tmp_path / "page" / "index.html").is_file()
    assert not shared(tmp_path / "a", tmp_path / "c")


def test_mistakes_are_one_line(seqbench, tmp_path):  # noqa: F811
    fill(tmp_path / "a", seeds=1)
    fill(tmp_path / "b", seeds=1)
    for typed, told in {
        ("--task", "poetry"): "expected 'sentiment'",
        ("--metric", "parameters_total"): "expected accuracy",
        ("--together", "--out", "x"): "--out writes the differences of two runs",
    }.items():
        code, out, err = seqbench("compare", tmp_path / "a", tmp_path / "b", *typed)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert told in err


# The statistic


@pytest.mark.parametrize("shape", [(1, 17), (9, 1)])
def test_the_chance_of_one_seed_or_one_item_is_students(shape):
    x = np.random.default_rng(3).normal(0.4, 1, shape)
    assert statistics.chance(x) == pytest.approx(stats.ttest_1samp(x.ravel(), 0).pvalue)


def test_the_chance_is_where_the_interval_meets_zero():
    random = np.random.default_rng(5)
    for _ in range(5):
        table = random.normal(0.3, 1, (3, 20)) + random.normal(0, 0.3, (3, 1))
        p, mean = statistics.chance(table), table.mean()
        span = statistics.over_both(table, level=1 - p)
        assert min(abs(span.low), abs(span.high)) < 1e-6 * max(abs(mean), 1)


def test_the_chance_of_what_does_not_vary():
    assert statistics.chance(np.zeros((2, 5))) == 1
    assert statistics.chance(np.ones((2, 5))) == 0
    assert statistics.chance(np.ones((1, 1))) == 1  # one number tells nothing
    assert 0 < statistics.chance(np.random.default_rng(0).normal(1e6, 1, (5, 50))) < 1e-12


def test_equal_runs_are_told_apart_once_in_twenty_at_most():
    random = np.random.default_rng(11)
    scale = (1.0, (3, 15)), (0.5, (3, 1)), (0.5, (1, 15))
    wrong = sum(statistics.chance(sum(random.normal(0, *one) for one in scale)) < 0.05 for _ in range(250))
    assert wrong <= 22  # of 250, 12.5 expected at most; the interval is a little wide


def test_welch_is_scipys():
    a, b = [1.0, 2.0, 4.0], [2.0, 5.0, 9.0, 4.0]
    assert statistics.welch(a, b) == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)
    assert statistics.welch([1.0], b) == 1
    assert (statistics.welch([1.0, 1.0], [1.0, 1.0]), statistics.welch([1.0, 1.0], [2.0, 2.0])) == (1, 0)
