"""Over tasks: pairs with their tests, time to a target that failures never reach, ranks only where they may be."""

import math

import numpy as np
import pytest

from bench.record import Result, append
from reports.page.html import write
from reports.rows.stored import gather
from reports.scores import pairs, tables
from reports.sections import overall


def trial(run, model, task, seed, score, curve, status="ok"):
    points = [{"updates": n, "seconds": at, "accuracy": value} for n, (at, value) in enumerate(curve, 1)]
    append(
        run,
        Result(
            "quality", model, task, seed, status, {"accuracy": score} if status == "ok" else {}, "accuracy",
            reason="" if status == "ok" else "out of memory", curve=points, id=f"{model}{task}{seed}",
            command=f"seqbench run quick {model} {task} {seed}",
        ),
    )  # fmt: skip


def found(run):
    stored = gather([run])
    return {task: tables.lines(stored, task) for task in stored.tasks}


def duels(run):
    return {task: pairs.pairs(lines) for task, lines in found(run).items()}


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    for task, scale in (("sentiment", 1.0), ("captioning", 2.0), ("verses", 3.0)):
        for seed in range(3):
            slow = [(10 * scale, 40.0), (20 * scale, 60.0 + seed), (30 * scale, 79.0)]
            trial(folder, "lstm", task, seed, 80.0 + seed, slow)
            trial(folder, "rnn", task, seed, 60.0 + seed, [(1 * scale, 50.0), (4 * scale, 72.0 if seed else 70.0)])
    return folder


def rows(section):
    [table] = section.tables
    return [tuple((cell.text, cell.note) for cell in row) for row in table.rows]


def test_numbers_of_pairs_and_targets_lead_to_their_rows_and_tell_what_is_behind_them(run):
    first, *_ = overall.duels(duels(run))
    for cell in first.tables[0].rows[0]:
        assert cell.link.startswith("row-")
        assert "LSTM: mean" in cell.tip
        assert "vanilla RNN: mean" in cell.tip
    [section] = overall.targets(found(run))
    for row in section.tables[0].rows:
        assert all(cell.link.startswith("row-") and cell.tip for cell in row[1:])


def test_pairs_have_difference_interval_p_and_verdict(run):
    first, *_ = overall.duels(duels(run))
    [row] = rows(first)
    assert row[0][0] == "LSTM over vanilla RNN"
    assert row[1][0] == "20.0"
    assert row[2][1] == "over seeds"
    assert row[3][0] == "< 0.001"
    assert (row[5][0], row[6][0]) == ("100 %", "leads")
    assert float(row[4][0]) > 10
    assert "-" not in row[4][1]


def test_the_time_to_nine_tenths_of_the_best_is_the_median_of_the_seeds_that_got_there(run):
    [section] = overall.targets(found(run))  # nine tenths of 79 is 71.1
    told = {row[0][0]: row[1:] for row in rows(section)}
    assert told["LSTM"][0] == ("30.0", "3 of 3 seeds")
    assert told["vanilla RNN"][0] == ("4.0", "2 of 3 seeds")


def test_a_failed_seed_never_gets_there(run):
    trial(run, "rnn", "sentiment", 3, 0.0, [], status="failed")
    [section] = overall.targets(found(run))
    told = {row[0][0]: row[1:] for row in rows(section)}
    assert [note for _, note in told["vanilla RNN"]] == ["2 of 4 seeds", "2 of 3 seeds", "2 of 3 seeds"]


def test_the_profile_holds_the_share_of_tasks_within_each_factor(run):
    [section] = overall.targets(found(run))
    [drawing] = section.drawings
    [axes] = drawing.figure.axes
    drawn = {line.get_label(): line.get_ydata() for line in axes.lines}
    lstm, rnn = (np.round(drawn[name]) for name in ("LSTM", "vanilla RNN"))
    assert list(rnn) == [100] * len(overall.FACTORS)
    assert list(lstm) == [100.0 * (factor >= 7.5) for factor in overall.FACTORS]  # 30 s beside 4 s


def test_with_two_tasks_there_is_no_profile(run, tmp_path):
    two = {task: lines for task, lines in found(run).items() if task != "verses"}
    [section] = overall.targets(two)
    assert section.drawings == ()


def test_ranks_are_told_from_eight_tasks_up(run, tmp_path):
    [few] = overall.ranks(found(run))
    assert few.said == ("Too few tasks: 3 tasks were run, and ranks are compared from eight on.",)
    many = tmp_path / "many"
    for number in range(9):
        for place, model in enumerate(("lstm", "rnn", "bahdanau")):
            trial(many, model, f"task{number}", 0, 80.0 - 10 * place, [])
    trial(many, "echo_state", "task0", 0, 99.0, [])  # not on the others: it takes no part
    [section] = overall.ranks(found(many))
    told = [tuple(text for text, _ in row) for row in rows(section)]
    assert [row[:2] for row in told] == [("LSTM", "1.00"), ("vanilla RNN", "2.00"), ("Bahdanau attention", "3.00")]
    critical = 2.343 * math.sqrt(3 * 4 / (6 * 9))  # Demšar, table 5
    assert f"{critical:.2f}" in section.tables[0].caption
    assert [row[2] for row in told] == ["1", "1, 2", "2"]


def test_one_model_has_nobody_to_be_compared_with(tmp_path):
    trial(tmp_path / "run", "lstm", "sentiment", 0, 80.0, [])
    lines = found(tmp_path / "run")
    assert [*overall.duels(duels(tmp_path / "run"))] == [*overall.targets(lines)] == [*overall.ranks(lines)] == []


def test_all_of_it_stands_on_the_page(run, tmp_path):
    page = write([run], tmp_path / "report").read_text()
    for anchor in ("pairs", "targets", "ranks"):
        assert f'id="{anchor}"' in page
    assert "Too few tasks" in (tmp_path / "report" / "report.md").read_text()
