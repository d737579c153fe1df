"""Trials that gave no number: counted, explained, repeated; and training that was interrupted."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from test_report import build, failure, floor, text, trial

from bench.record import Result, append
from reports.page.html import write
from reports.rows.stored import gather
from reports.scores import failures, tables


def told(run: Path) -> str:
    """The words of a report of a run."""
    return text(write([run], run.parent / "page").parent)


def lost(run: Path, status: str, seed: int, model: str = "lstm", **changes: object) -> None:
    """Stores a trial without a number."""
    row = Result(
        "quality", model, "sentiment", seed, status, {}, reason=f"{status}: no reason", id=f"{model}{status}{seed}"
    )
    append(run, dataclasses.replace(row, command=f"seqbench run {status} {seed}", **changes))  # type: ignore[arg-type]


def test_the_head_of_the_page_and_its_warning_count_the_same_trials(tmp_path):
    page = told(build(tmp_path / "run"))
    (head,) = re.findall(r"3 tasks, 1 seed, (\d+) trials;", page)
    (warning,) = re.findall(r"1 trial of (\d+) gave no number: see Failures", page)
    assert head == warning == "15"


def test_floors_that_failed_are_no_failed_trial_of_a_model(tmp_path):
    trial(tmp_path / "run", "lstm", "sentiment")
    append(tmp_path / "run", Result("floor", "floors", "sentiment", 0, "failed", {}, reason="no disk", command="c"))
    page = told(tmp_path / "run")
    assert "Floors of sentiment could not be measured: see Failures." in page
    assert "1 model, 1 task, 1 seed, 1 trial" in page
    assert "gave no number: see" not in page
    assert "How often a trial of each model failed" in page


@pytest.mark.parametrize("known", ["by its id", "by its command"])
def test_floors_that_failed_and_were_repeated_with_success_are_no_failure(tmp_path, known):
    run = tmp_path / "run"
    names = {"id": "f1"} if known == "by its id" else {"command": "seqbench run --models floors"}
    row = Result("floor", "floors", "sentiment", 0, "failed", {}, reason="no disk")
    append(run, dataclasses.replace(row, **names))
    trial(run, "lstm", "sentiment")
    for name in ("majority", "bag of words"):
        done = Result("floor", name, "sentiment", 0, "ok", {"accuracy": 50.0}, "accuracy", config={"task": {}})
        append(run, dataclasses.replace(done, **names))
    stored = gather([run])
    assert not stored.unfinished
    assert len(stored.floors) == 2
    assert "None of 1 trial failed." in told(run)


def test_a_failure_after_a_success_of_other_floors_stays(tmp_path):
    run = tmp_path / "run"
    floor(run, "majority", "sentiment", 50.0)
    append(run, Result("floor", "floors", "emoji", 0, "failed", {}, command="another"))
    assert [row.result.task for row in gather([run]).unfinished] == ["emoji"]


def test_a_failure_rate_counts_what_diverged_and_not_what_was_skipped(tmp_path):
    run = tmp_path / "run"
    for seed in range(13):
        trial(run, "lstm", "sentiment", seed)
    lost(run, "failed", 13)
    lost(run, "diverged", 14)
    lost(run, "skipped", 15)
    trial(run, "rnn", "sentiment")
    page = told(run)
    assert (
        "LSTM 3 of 16 trials gave no number: 1 diverged, 1 failed, 1 skipped 13.3 2 of 15 trials that ran 3.7–37.9"
        in page
    )
    assert "vanilla RNN 0 of 1 trial gave no number 0.0 0 of 1 trial that ran 0.0–79.3" in page
    assert "3 trials of 17 gave no number: see Failures." in page


def test_a_model_whose_trials_were_all_skipped_has_no_rate(tmp_path):
    lost(tmp_path / "run", "skipped", 0)
    (rate,) = failures.rates(gather([tmp_path / "run"]))
    assert (rate.without, rate.ran, rate.failed, rate.interval) == (1, 0, 0, None)
    assert "LSTM 1 of 1 trial gave no number: 1 skipped – –" in told(tmp_path / "run")


@pytest.mark.parametrize(
    ("times", "of", "low", "high"), [(0, 5, 0.0, 0.4345), (2, 15, 0.0374, 0.3788), (10, 10, 0.7225, 1.0)]
)
def test_intervals_of_rates_are_wilsons(times, of, low, high):
    span = failures.wilson(times, of)
    assert (span.low, span.high) == pytest.approx((low, high), abs=5e-5)
    assert (span.over, span.n) == ("trials", of)


def test_a_failure_shows_its_reason_its_command_and_the_last_lines_that_it_printed(tmp_path):
    run = tmp_path / "run"
    printed = "\n".join(f"line {n}" for n in range(40)) + "\n<b>Killed</b>\n"
    trial(run, "rnn", "sentiment")
    lost(run, "failed", 3, output=printed)
    lost(run, "diverged", 4)
    folder = write([run], tmp_path / "page").parent
    page = (folder / "index.html").read_text("utf-8")
    assert all(
        said in text(folder) for said in ("failed: no reason", "seqbench run failed 3", "seqbench run diverged 4")
    )
    (folded,) = re.findall(r'<details class="output">.*?</details>', page, re.DOTALL)
    assert "LSTM on sentiment, seed 3: the last lines that it printed" in folded
    assert folded.count("\n") > 20
    assert "&lt;b&gt;Killed&lt;/b&gt;" in folded
    assert "line 21\n" in folded
    assert "line 20\n" not in folded
    assert "&lt;b&gt;Killed&lt;/b&gt;" in (folder / "report.md").read_text("utf-8")


def test_how_often_training_was_interrupted_is_said_and_is_no_setting(tmp_path):
    run = tmp_path / "run"
    for seed, times in enumerate((0, 2)):
        used = {"updates": 700, "seconds": 70.0, "interruptions": times}
        trial(run, "lstm", "sentiment", seed, budget={"updates": 700, "used": used})
    trial(run, "rnn", "sentiment", budget={"updates": 700, "used": {}, "interruptions": 1})
    stored = gather([run])
    assert sorted(line.name for line in tables.lines(stored, "sentiment")) == ["LSTM", "vanilla RNN"]
    page = told(run)
    assert "Training was interrupted and went on from a checkpoint in 2 trials (3 times in all)" in page
    assert "interruptions" not in page


def test_training_that_was_never_interrupted_needs_no_line(tmp_path):
    trial(tmp_path / "run", "lstm", "sentiment", budget={"updates": 700, "used": {"interruptions": 0}})
    assert "interrupted" not in told(tmp_path / "run")


def test_a_damaged_row_count_and_a_failure_stand_side_by_side(tmp_path):
    run = tmp_path / "run"
    failure(run, "lstm", "sentiment")
    with (run / "results.jsonl").open("a") as file:
        file.write("torn\n")
    page = told(run)
    assert "1 trial of 1 gave no number" in page
    assert "1 line of run could not be read" in page
