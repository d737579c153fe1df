"""Gates say worse when the whole interval lies beyond the tolerance, not before; edited baselines are refused."""

from __future__ import annotations

import dataclasses
import json
import sys

import numpy as np
import pytest
from scipy import stats

from bench import cli, record
from bench.commands import check
from bench.guard import baseline, gates, notices
from bench.guard.baseline import BaselineError
from bench.guard.kept import Kept, verdicts
from bench.record import Result

MADE = {"device": "cpu", "processor": "P1", "libraries": {"torch": "2.13.0"}, "time": "2026-01-02", "commit": "abc"}


def quality(items, weights="w0", made=MADE, **more):
    """An entry for scores of seeds by items; answers are told apart by their scores."""
    table = np.atleast_2d(np.asarray(items, dtype=float))
    answers = ["".join("aa" if score else "bb" for score in row) for row in table]
    return {
        "kind": "quality", "model": "lstm", "task": "copy", "metric": "exact", "asked": {"updates": 5}, "data": "d",
        "seeds": list(range(len(table))), "scores": [float(row.mean()) for row in table], "made": made,
        "items": [gates.packed(row.tolist()) for row in table], "answers": answers,
        "weights": [f"{weights}{n}" for n in range(len(table))], "command": "pytest this",
    } | more  # fmt: skip


def speed(ratios, made=MADE, memory=(), **more):
    return {
        "kind": "speed", "model": "lstm", "task": "tokens", "metric": "step", "asked": {"batch": 3}, "made": made,
        "ratios": list(ratios), "seconds": 0.02, "reference_seconds": 0.01, "memory": list(memory),
    } | more  # fmt: skip


def losses(values, made=MADE):
    return {"kind": "losses", "model": "lstm", "task": "copy", "metric": "loss", "asked": {}, "made": made} | {
        "losses": list(values)
    }


def drawn(share, seeds=3, items=401, seed=0):
    return 100.0 * (np.random.default_rng(seed).random((seeds, items)) < share)


# Quality


def test_the_same_answers_are_ok():
    verdict = gates.quality(quality(drawn(0.7)), quality(drawn(0.7)))
    assert verdict.answer == "ok"
    assert verdict.changed == ()
    assert gates.exit_code([verdict]) == 0


def test_a_lower_score_is_worse_once_the_whole_interval_is_beyond_the_tolerance():
    before, now = quality(drawn(0.8)), quality(drawn(0.6, seed=1), weights="v")
    verdict = gates.quality(before, now)
    assert verdict.answer == "worse"
    assert gates.exit_code([verdict]) == 1
    for part in ("quality of lstm on copy", "exact", "3 seeds and 401 test items", "[-", "pytest this"):
        assert part in verdict.text()
    gap = float(np.mean(now["scores"]) - np.mean(before["scores"]))
    assert gates.quality(before, now, tolerance=-gap).answer == "ok"  # the estimate is there, the interval is not
    assert gates.quality(now, before).answer == "better"


def test_two_percent_of_the_answers_of_the_same_weights_are_seen_though_the_score_hardly_moves():
    before = drawn(0.7, seeds=1, items=500)
    after = before.copy()
    changed = np.random.default_rng(5).choice(500, 10, replace=False)
    after[0, changed] = 100.0 - after[0, changed]
    verdict = gates.quality(quality(before), quality(after))
    assert verdict.answer == "worse"
    assert "10 of 500 answers" in verdict.why
    assert gates.quality(quality(before), quality(after, weights="other")).answer == "ok"
    assert gates.quality(quality(before), quality(after), changed=2.0).answer == "ok"


def test_answers_of_the_same_weights_may_differ_a_little_on_another_machine():
    before, after = drawn(0.7, seeds=1, items=500), drawn(0.7, seeds=1, items=500)
    after[0, :10] = 100.0 - after[0, :10]
    elsewhere = MADE | {"processor": "P2", "libraries": {"torch": "2.14.0"}}
    verdict = gates.quality(quality(before), quality(after, made=elsewhere))
    assert verdict.answer == "ok"
    assert verdict.changed == ("processor P1 -> P2", "torch 2.13.0 -> 2.14.0")


def test_trainings_that_only_differ_by_chance_hardly_ever_fail():
    random, failed = np.random.default_rng(3), 0
    for _ in range(100):
        skill = 0.6 + 0.03 * random.normal(size=(2, 3, 1))  # seeds differ by three points
        hard = 0.2 * random.normal(size=(1, 1, 80))
        one, other = 100.0 * (random.random((2, 3, 80)) < np.clip(skill + hard, 0, 1))
        failed += gates.quality(quality(one), quality(other, weights="v")).answer == "worse"
    assert failed <= 6  # 2.5 without any tolerance


def test_one_number_on_either_side_is_never_called_worse():
    def scored(*scores, weights="v"):
        return quality([[score] for score in scores], weights) | {"items": []}

    before = scored(50.0, weights="w")
    assert gates.quality(before, scored(40.0)).answer == "inconclusive"
    assert gates.quality(before, scored(49.5)).answer == "ok"
    assert gates.quality(scored(50.0, 50.1, 50.2, weights="w"), scored(40.0, 40.1, 40.2)).answer == "worse"


@pytest.mark.parametrize("other", [{"data": "e"}, {"asked": {"updates": 6}}, {"metric": "bleu"}])
def test_what_was_asked_otherwise_is_not_compared(other):
    with pytest.raises(BaselineError, match="--seqbench-update"):
        gates.quality(quality(drawn(0.7)), quality(drawn(0.7), **other))


@pytest.mark.parametrize("values", [[0.0, 100.0, 0.0], [9.09, 27.27, 9.09], np.random.default_rng(0).random(90)])
def test_scores_of_items_are_packed_to_two_decimals(values):
    row = gates.packed(list(map(float, values)))
    assert gates.unpacked(json.loads(json.dumps(row))) == pytest.approx(list(values), abs=0.005)


# Speed


def test_a_step_that_takes_a_tenth_longer_is_slower_and_one_percent_is_not():
    before = speed([2.0, 2.01, 1.99, 2.02, 1.98])
    assert gates.speed(before, speed([2.2, 2.21, 2.19]), 0.05, 0.25).answer == "worse"
    assert gates.speed(before, speed([2.02, 2.03, 2.01]), 0.05, 0.25).answer == "ok"
    assert gates.speed(before, speed([1.8, 1.81, 1.79]), 0.05, 0.25).answer == "better"


def test_the_slowdown_is_students_interval_of_logarithms():
    before, now = [2.0, 2.3, 1.9, 2.2], [2.5, 2.6, 2.4]
    found = gates.slowdown(before, now)
    told = stats.ttest_ind(np.log(now), np.log(before)).confidence_interval(0.99)
    assert (found.low, found.high) == pytest.approx((np.exp(told.low), np.exp(told.high)))


def test_processes_that_agree_by_luck_are_not_believed():
    found = gates.slowdown([2.0, 2.0, 2.0], [2.0, 2.0, 2.0])
    assert found.high - found.low > 0.01


def test_noise_that_hides_a_slowdown_is_inconclusive():
    verdict = gates.speed(speed([2.0, 2.4, 1.7]), speed([2.2, 2.7, 2.0]), 0.05, 0.25)
    assert verdict.answer == "inconclusive"
    assert verdict.line().startswith("inconclusive (machine busy)")
    assert gates.exit_code([verdict]) == 3
    assert gates.speed(speed([2.0, 2.1]), speed([2.0]), 0.05, 0.25, busy=2).answer == "inconclusive"


def test_a_baseline_from_another_machine_counts_by_ratios_with_a_warning():
    before = speed([2.0, 2.01, 1.99], made=MADE | {"processor": "P2"})
    verdict = gates.speed(before, speed([2.2, 2.21, 2.19]), 0.05, 0.25)
    assert verdict.answer == "ok"
    assert "another machine" in verdict.warning
    assert gates.speed(before, speed([3.0, 3.01, 2.99]), 0.05, 0.25).answer == "worse"


def test_twice_the_memory_is_worse_and_a_few_megabytes_are_not():
    before = speed([2.0, 2.0], memory=[60 << 20, 64 << 20])
    assert gates.speed(before, speed([2.0, 2.0], memory=[128 << 20, 130 << 20]), 0.05, 0.25).answer == "worse"
    assert gates.speed(before, speed([2.0, 2.0], memory=[70 << 20, 300 << 20]), 0.05, 0.25).answer == "ok"
    small = speed([2.0, 2.0], memory=[1 << 20])
    assert gates.speed(small, speed([2.0, 2.0], memory=[4 << 20]), 0.05, 0.25).answer == "ok"


# Losses


def test_losses_are_held_to_a_ten_thousandth_and_elsewhere_more_loosely():
    golden, near = [2.5, 2.4, 2.3], [2.5, 2.40001, 2.3]
    assert gates.losses(losses(golden), losses(near)).answer == "ok"
    other = gates.losses(losses(golden), losses([2.5, 2.41, 2.2]))
    assert other.answer == "worse"
    assert "from step 2" in other.why
    elsewhere = MADE | {"processor": "P2"}
    assert gates.losses(losses(golden), losses([2.5, 2.41, 2.29], made=elsewhere)).answer == "ok"
    assert gates.losses(losses(golden), losses([2.5, float("nan"), 2.3])).answer == "worse"


# Baselines


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "baselines" / "mine.json"
    new = {"one": quality(drawn(0.7)), "two": speed([2.0, 2.1])}
    baseline.read(path).write(new)
    return path, new


def test_a_baseline_is_read_as_it_was_written(stored):
    path, new = stored
    assert baseline.read(path).entries == new
    text = path.read_text()
    assert text.count('"processor": "P1"') == 1  # one environment for both
    baseline.read(path).write({})
    assert path.read_text() == text


def test_writing_keeps_what_is_not_measured_anew_and_says_what_changes_before(stored):
    path, new = stored
    kept = Kept(updating=True)
    kept.entry(path, "two", speed([2.5, 2.6]))
    before, said = path.read_text(), []
    for line in kept.written():
        said.append(line)
        if not line.startswith("written"):
            assert path.read_text() == before
    assert any("ratios: 2, 2.1 -> 2.5, 2.6" in line for line in said)
    assert set(baseline.read(path).entries) == set(new)
    assert baseline.read(path)["one"] == new["one"]


def test_what_is_not_in_a_baseline_names_the_option_that_measures_it(stored):
    path, _ = stored
    with pytest.raises(BaselineError, match=r"no baseline of 'three'.*--seqbench-update"):
        baseline.read(path)["three"]
    assert baseline.read(path.with_name("none.json")).entries == {}


def edited(text):
    return text.replace('"ratios": [2.0, 2.1]', '"ratios": [2.0, 9.9]')


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (edited, "edited by hand"),
        (lambda text: text[: len(text) // 2], "damaged"),
        (lambda text: "", "damaged"),
        (lambda text: "[1, 2]", "damaged"),
        (lambda text: "{" * 100_000, "damaged"),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), "schema 2 is newer than 1; update seqbench"),
        (lambda text: text.replace('"schema": 1', '"schema": "x"'), "damaged"),
    ],
)
def test_a_damaged_edited_or_newer_baseline_is_named_and_refused_and_never_written_over(stored, change, says):
    path, _ = stored
    path.write_text(change(path.read_text()))
    broken = path.read_text()
    with pytest.raises(BaselineError, match=says) as caught:
        baseline.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(BaselineError):
        Kept(updating=True).entry(path, "two", speed([2.0]))
    assert path.read_text() == broken


@pytest.mark.parametrize("wrong", [{"ratios": []}, {"ratios": ["x"]}, {"kind": "other"}, {"seconds": "fast"}])
def test_an_entry_with_a_right_checksum_must_still_be_an_entry(tmp_path, wrong):
    path = tmp_path / "mine.json"
    baseline.read(path).write({"one": speed([2.0]) | wrong})
    with pytest.raises(BaselineError, match="'one' is not as it should be"):
        baseline.read(path)


# Stored runs


def row(run, seed=0, right=0.7, probe="quality", **metrics):
    scores = drawn(right, seeds=1, items=101, seed=seed)[0]
    items = [{"item": n, "answer": f"a{s}", "reference": "a", "scores": {"exact": s}} for n, s in enumerate(scores)]
    kept = record.store(run, f"t{seed}", "answers.json", json.dumps({"items": items}).encode())
    told = Result(
        probe, "lstm", "copy", seed, "ok", {"exact": float(scores.mean()), **metrics}, "exact",
        artifacts={"answers": kept} if probe == "quality" else {}, environment=MADE, made_of={"data": "d"},
        command="seqbench run quick --models lstm", config={"batch": 4},
    )  # fmt: skip
    record.append(run, told)
    return told


def throughput(run, ratio, company=0, seconds=0.02):
    return row(run, probe="throughput", train_step_seconds=seconds, train_per_product=ratio, had_company=company)


@pytest.fixture
def seqbench(monkeypatch, capfd):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["seqbench", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capfd.readouterr()
        return int(stop.value.code or 0), out, err

    return call


def test_a_run_is_checked_against_a_file_that_was_made_from_another(tmp_path, seqbench):
    for seed in range(3):
        row(tmp_path / "old", seed, 0.8)
        row(tmp_path / "same", seed, 0.8)
        row(tmp_path / "new", seed, 0.4)
    file = tmp_path / "base.json"
    code, _, err = seqbench("check", tmp_path / "new", "--against", file)
    assert (code, err.count("\n")) == (2, 1)
    assert "--update" in err
    code, out, _ = seqbench("check", tmp_path / "old", "--against", file, "--update")
    assert code == 0
    assert out.index("scores: nothing ->") < out.index("written")
    assert seqbench("check", tmp_path / "same", "--against", file)[0] == 0
    code, out, _ = seqbench("check", tmp_path / "new", "--against", file)
    assert code == 1
    assert "worse: quality of lstm on copy" in out
    code, out, _ = seqbench("check", tmp_path / "new", "--against", tmp_path / "old", "--json")
    assert code == json.loads(out)["exit_code"] == 1


def test_runs_that_share_nothing_are_refused_in_one_line(tmp_path, seqbench):
    row(tmp_path / "one")
    throughput(tmp_path / "other", 2.0)
    code, _, err = seqbench("check", tmp_path / "one", "--against", tmp_path / "other")
    assert code == 2
    assert "quality of lstm on copy" in err
    assert "throughput of lstm on copy" in err
    assert seqbench("check", tmp_path / "none", "--against", tmp_path / "one")[0] == 2


def checked(tmp_path, ratio, more, company=0):
    """A throughput of `ratio` against 2.0; `more` is what measuring it again comes to."""
    throughput(tmp_path / "old", 2.0)
    stored, asked = throughput(tmp_path / "now", ratio, company), list(more)

    def again(one, seconds):
        assert 0 < seconds <= check.LIMIT
        if not asked:
            return None
        return dataclasses.replace(
            stored, metrics=stored.metrics | {"train_per_product": asked.pop(0), "had_company": 0}
        )

    return check.check(tmp_path / "now", tmp_path / "old", check.Tolerance(), again=again), asked


def test_a_speed_is_measured_again_before_it_fails(tmp_path):
    found, left = checked(tmp_path, 2.4, [2.41, 2.39, 9.0])
    assert found.code == 1
    assert left == [9.0]


def test_a_speed_that_was_slow_once_does_not_fail(tmp_path):
    found, left = checked(tmp_path, 2.4, [2.0, 9.0])
    assert (found.code, left) in [(0, [9.0]), (3, [9.0])]


def test_a_speed_that_is_level_is_not_measured_again(tmp_path):
    found, left = checked(tmp_path, 2.02, [9.0])
    assert (found.code, left) == (0, [9.0])


def test_a_speed_that_was_only_timed_in_company_is_inconclusive(tmp_path):
    found, _ = checked(tmp_path, 2.0, [], company=1)
    assert found.code == 3
    assert "inconclusive (machine busy)" in found.text()


# Notices


def test_github_gets_a_table_and_a_note_at_the_test(tmp_path, monkeypatch):
    worse = gates.quality(quality(drawn(0.8)), quality(drawn(0.6, seed=1), weights="v"))
    fine = gates.quality(quality(drawn(0.8)), quality(drawn(0.8)))
    assert list(notices.notes([("tests/test_a.py", 3, worse)])) == []
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (line,) = notices.notes([("tests/test_a,b.py", 3, worse), ("x.py", 1, fine)])
    assert line.startswith("::error file=tests/test_a%2Cb.py,line=3,title=seqbench%3A worse::")
    assert "\n" not in line
    assert notices.summary([worse, fine])
    text = (tmp_path / "summary.md").read_text()
    assert "1 worse, 1 ok" in text
    assert "| **worse** | quality of lstm on copy |" in text


def test_a_verdict_goes_through_the_properties_of_a_test_unchanged():
    elsewhere = MADE | {"processor": "P2"}
    both = [
        gates.speed(speed([2.0, 2.1], made=elsewhere), speed([2.0, 2.1]), 0.05, 0.25),
        gates.losses(losses([1.0]), losses([1.0])),
    ]
    kept = Kept(updating=False)
    assert verdicts([("other", "x"), *(pair for one in both for pair in kept.properties(one))]) == both
