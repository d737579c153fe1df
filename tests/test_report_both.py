"""What a report says of several seeds with stored answers: intervals over both, and how many seeds failed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_report import MAIN, answered, text, trial

from bench import statistics
from bench.record import Result, append, store
from reports import words
from reports.page.html import write
from reports.rows.stored import gather
from reports.scores import tables


def told(run: Path) -> str:
    return text(write([run], run.parent / "page").parent)


def lines(run: Path, task: str) -> list[tables.Line]:
    return tables.lines(gather([run]), task)


def lost(run: Path, seed: int, status: str = "failed", **changes: object) -> None:
    """A trial that came to no number, with the settings and the budget that it was given."""
    append(run, Result("quality", "lstm", "sentiment", seed, status, {}, "", "lost", id=f"l{seed}{changes}", **changes))


@pytest.mark.parametrize("task", MAIN)
def test_several_seeds_with_answers_have_intervals_over_seeds_and_test_items(tmp_path, task):
    for seed in range(3):
        trial(tmp_path / "run", "lstm", task, seed)
    (line,) = lines(tmp_path / "run", task)
    assert line.items.table.mean(axis=1) == pytest.approx(line.values, abs=0.02)
    assert line.interval == statistics.over_both(line.items.table, bounds=(0.0, 100.0))
    assert 0 <= line.interval.low < line.value < line.interval.high <= 100
    assert line.interval.told == "3 seeds and 60 test items"
    assert "intervals over 3 seeds and 60 test items" in told(tmp_path / "run")


def test_the_table_of_a_plain_score_is_what_is_stored(tmp_path):
    for seed in range(2):
        trial(tmp_path / "run", "lstm", "sentiment", seed)
    (line,) = lines(tmp_path / "run", "sentiment")
    stored = [[item["scores"]["accuracy"] for item in answered("sentiment", 0.62, seed)] for seed in range(2)]
    assert line.items.table.tolist() == stored


def test_two_models_are_compared_over_seeds_and_test_items(tmp_path):
    for seed in range(3):
        for model in ("bahdanau", "rnn"):
            trial(tmp_path / "run", model, "sentiment", seed)
    best, other = lines(tmp_path / "run", "sentiment")
    span = tables.difference(best, other)
    assert span == statistics.difference_over_both(best.items.table, other.items.table)
    assert f"{words.number(span.low)} to {words.number(span.high)}, 3 seeds and 60 test items)" in told(
        tmp_path / "run"
    )


def test_one_seed_against_several_is_compared_over_test_items_alone(tmp_path):
    trial(tmp_path / "run", "bahdanau", "sentiment")
    for seed in range(3):
        trial(tmp_path / "run", "rnn", "sentiment", seed)
    best, other = lines(tmp_path / "run", "sentiment")
    span = tables.difference(best, other)
    assert (span.over, span.n) == ("test items", 60)
    page = told(tmp_path / "run")
    assert f"{words.number(span.low)} to {words.number(span.high)}, 60 test items of one seed of " in page
    assert (
        "Some models have one seed only: their intervals are over test items, the others' over seeds and test" in page
    )


@pytest.mark.parametrize("fault", ["no answers", "other items", "another score"])
def test_where_one_seed_lacks_what_the_others_have_the_interval_is_over_seeds(tmp_path, fault):
    run = tmp_path / "run"
    for seed in range(2):
        trial(run, "lstm", "sentiment", seed)
    items = answered("sentiment", 0.62, 2, 60 if fault == "another score" else 59)
    entry = store(run, "x", "answers.json", json.dumps({"items": items}).encode())
    trial(
        run,
        "lstm",
        "sentiment",
        2,
        artifacts={} if fault == "no answers" else {"answers": entry},
        metrics={"accuracy": 3.0},
    )
    (line,) = lines(run, "sentiment")
    assert line.items is None
    assert (line.interval.over, line.interval.n) == ("seeds", 3)
    span = statistics.over_seeds(line.values)
    assert (line.interval.low, line.interval.high) == (max(span.low, 0.0), min(span.high, 100.0))


def test_more_seeds_than_are_worth_reading_leave_the_interval_over_seeds(tmp_path):
    for seed in range(21):
        trial(tmp_path / "run", "lstm", "sentiment", seed)
    (line,) = lines(tmp_path / "run", "sentiment")
    assert line.interval.over == "seeds"


def test_answers_of_the_first_seed_alone_stay_in_memory(tmp_path):
    for seed in range(3):
        trial(tmp_path / "run", "lstm", "sentiment", seed)
    (line,) = lines(tmp_path / "run", "sentiment")
    assert line.interval
    assert ["answers" in vars(row) for row in line.rows] == [True, False, False]


def test_a_mean_over_four_seeds_of_five_says_so(tmp_path):
    run = tmp_path / "run"
    for seed in range(4):
        trial(run, "lstm", "sentiment", seed)
    lost(run, 4, "diverged")
    (line,) = lines(run, "sentiment")
    assert (line.failed, line.seeds) == (1, "4 of 5 seeds")
    page = told(run)
    assert "over 4 of 5 seeds and 60 test items" in page
    assert page.count("4 of 5 seeds") >= 3  # at a glance, beside the mean, and beside the interval
    assert tables.comparison([line])["failed"].tolist() == [1]


def test_a_seed_that_was_skipped_or_succeeded_in_the_end_did_not_fail(tmp_path):
    run = tmp_path / "run"
    lost(run, 0, "failed")
    for seed in range(2):
        trial(run, "lstm", "sentiment", seed)
    lost(run, 2, "skipped")
    lost(run, 3, "interrupted")
    (line,) = lines(run, "sentiment")
    assert (line.failed, line.seeds) == (0, "2 seeds")


def test_a_failure_belongs_to_the_line_that_was_asked_for_in_the_same_words(tmp_path):
    run = tmp_path / "run"
    for hidden in (64, 128):
        asked = {"model_settings": {"hidden": hidden}, "learning": {}, "budget": {"updates": 9, "seconds": None}}
        config = {"model": {"hidden": hidden, "layers": 1}, "asked": asked}
        for seed in range(hidden // 32):
            budget = {"updates": 9, "seconds": None, "used": {"seconds": 1.0 + seed}}
            trial(run, "lstm", "sentiment", seed, config=config, id=f"{hidden}-{seed}", budget=budget)
    lost(run, 7, config={"model": {"hidden": 64}, "learning": {}}, budget={"updates": 9})
    lost(run, 8, config={"model": {"hidden": 64}, "learning": {}}, budget={"updates": 10})
    found = {line.rows[0].result.config["model"]["hidden"]: line.seeds for line in lines(run, "sentiment")}
    assert found == {64: "2 of 3 seeds", 128: "4 seeds"}


def test_one_good_seed_of_two_says_both_what_its_interval_is_over_and_what_failed(tmp_path):
    run = tmp_path / "run"
    trial(run, "lstm", "sentiment")
    lost(run, 1)
    page = told(run)
    assert "over 60 test items; 1 of 2 seeds" in page
    assert np.isfinite(lines(run, "sentiment")[0].interval.low)
