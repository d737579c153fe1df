"""Lines of a report: which rows they stand for, what they are called, and what is said of the gaps between them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from test_report import floor, seen, text, trial

from bench.record import Result, append
from reports import words
from reports.page.html import write
from reports.page.page import slug
from reports.parts import Names
from reports.rows.stored import gather
from reports.scores import tables


def told(run: Path) -> str:
    """The words of a report of a run."""
    return text(write([run], run.parent / "page").parent)


def names(run: Path, task: str = "sentiment") -> list[str]:
    return [line.name for line in tables.lines(gather([run]), task)]


def on(run: Path, data: str, folder: str | None, model: str = "lstm", **changes: object) -> Result:
    """A trial of sentiment on certain data."""
    config = {"model": {}, "task": {"words": "all"}, "data": folder}
    return trial(run, model, "sentiment", id=f"{model}{data}", made_of={"data": data}, config=config, **changes)


def floor_on(run: Path, data: str, value: float, **changes: object) -> None:
    made = {"made_of": {"data": data}, "config": {"task": {"words": "all"}}} | changes
    append(run, Result("floor", "majority", "sentiment", 0, "ok", {"accuracy": value}, "accuracy", **made))  # type: ignore[arg-type]


def test_a_curve_keeps_the_best_of_the_candidates_tried_at_once(tmp_path):
    points = [(100, 1.0, 40.0), (200, 2.0, 61.0), (200, 2.1, 70.0), (200, 2.2, 12.0)]
    curve = [dict(zip(("updates", "seconds", "accuracy"), point, strict=True)) for point in points]
    trial(tmp_path / "run", "echo_state", "sentiment", curve=curve)
    frame = tables.curves(tables.lines(gather([tmp_path / "run"]), "sentiment"))
    assert frame[["updates", "seconds", "value"]].to_numpy().tolist() == [[100, 1.0, 40.0], [200, 2.1, 70.0]]
    told(tmp_path / "run")
    assert "last points: echo-state network 70.0" in (tmp_path / "page" / "report.md").read_text("utf-8")


def test_own_data_and_the_data_inside_are_two_tables_with_floors_of_their_own(tmp_path):
    run = tmp_path / "run"
    for data, folder, value in (("a1", None, 99.5), ("b2", "/home/somebody/private/reviews/", 1.5)):
        on(run, data, folder)
        floor_on(run, data, value)
    stored = gather([run])
    assert stored.tasks == ("sentiment: own data: reviews", "sentiment: supplied data")
    ranked = {task: [(line.kind, line.below) for line in tables.lines(stored, task)] for task in stored.tasks}
    assert ranked[stored.tasks[0]] == [("model", ()), ("floor", ())]
    assert ranked[stored.tasks[1]] == [("model", ("majority",)), ("floor", ())]
    page = told(run)
    assert "On sentiment: own data: reviews the best is the LSTM" in page
    assert "somebody" not in page


def test_data_without_a_checksum_are_told_apart_by_where_they_lay(tmp_path):
    run = tmp_path / "run"
    for folder, value in ((None, 99.5), ("data/reviews", 1.5)):
        command = f"seqbench run quick --data sentiment={folder}" if folder else "seqbench run quick"
        trial(
            run, "lstm", "sentiment", id=f"{folder}", command=command, config={"task": {"words": "all"}, "data": folder}
        )
        floor_on(run, "", value, command=command)
    rows = gather([run])
    assert rows.tasks == ("sentiment: data not recorded", "sentiment: own data: reviews")
    assert [line.value for task in rows.tasks for line in tables.lines(rows, task) if line.kind == "floor"] == [
        99.5,
        1.5,
    ]


def test_folders_of_one_name_with_unlike_data_are_told_apart(tmp_path):
    for data, folder in (("a1", "x/reviews"), ("b2", "y/reviews")):
        on(tmp_path / "run", data, folder)
    tasks = gather([tmp_path / "run"]).tasks
    assert len({words.task(task) for task in tasks}) == 2
    assert all(re.fullmatch(r"sentiment: own data: reviews #\w{6}", task) for task in tasks)


def test_the_same_data_in_two_folders_are_one_line(tmp_path):
    for seed, folder in enumerate(("x/reviews", "y/reviews")):
        config = {"model": {}, "task": {"words": "all"}, "data": folder}
        trial(tmp_path / "run", "lstm", "sentiment", seed, made_of={"data": "a1"}, config=config)
    (line,) = tables.lines(gather([tmp_path / "run"]), "sentiment")
    assert (line.name, len(line.rows)) == ("LSTM", 2)


def test_a_trial_that_failed_belongs_to_the_data_it_ran_on(tmp_path):
    run = tmp_path / "run"
    on(run, "a1", None)
    on(run, "b2", "reviews")
    row = Result("quality", "rnn", "sentiment", 0, "failed", {}, reason="lost", id="f", made_of={"data": "b2"})
    append(run, row)
    assert [r.result.task for r in gather([run]).unfinished] == ["sentiment: own data: reviews"]


def test_settings_show_no_whole_path(tmp_path):
    on(tmp_path / "run", "a1", "/home/somebody/reviews")
    page = told(tmp_path / "run")
    assert "data=own data: reviews" in page
    assert "somebody" not in page


def test_long_names_that_begin_alike_keep_figures_of_their_own(tmp_path):
    for end in ("one", "two"):
        append(
            tmp_path / "run", Result("quality", "lstm", "summing" * 7 + end, 0, "ok", {"score": 1.0}, "score", id=end)
        )
    folder = write([tmp_path / "run"], tmp_path / "page").parent
    assert len([*(folder / "figures").glob("quality-*.svg")]) == 2
    found = [value for name, value in seen(folder).attributes if name == "id"]
    assert len(found) == len({*found})
    assert len([name for name in found if re.fullmatch(r"quality-\w+-\w{6}", name)]) == 2


def test_a_name_keeps_its_letters_in_a_file_and_gets_a_checksum_where_some_are_lost():
    assert [slug(name) for name in ("captioning", "Bahdanau attention", "echo-state network")] == [
        "captioning", "bahdanau-attention", "echo-state-network",
    ]  # fmt: skip
    unlike = ["a_b", "a/b", "a.b", "a  b", "a: b", "é", "ü", "", "-", "x" * 41, "x" * 42, "../x", "~x"]
    assert len({slug(name) for name in unlike}) == len(unlike)
    assert all(re.fullmatch(r"[a-z0-9-]{1,40}", slug(name)) for name in unlike)


def test_names_that_come_out_alike_all_the_same_are_numbered():
    taken = Names()
    assert [taken.own(name) for name in ("a-b", "a-b", "a-b-2", "a-b")] == ["a-b", "a-b-2", "a-b-2-2", "a-b-3"]


ALIKE: dict[str, list[dict[str, object]]] = {
    "a fourth setting": [{"config": {"model": {"a": n, "b": n, "c": n, "d": d}}} for n in (1, 2) for d in (1, 2)],
    "a long value": [{"config": {"model": {"kernel": "x" * 40 + end}}} for end in "ab"],
    "a control character": [{"config": {"model": {"kernel": end}}} for end in "\x01\x02"],
    "a metric": [{"main": main} for main in ("accuracy", "macro_f1")],
    "a long model": [{"model": "m" * 60 + end} for end in "ab"],
}


@pytest.mark.parametrize("kind", ALIKE)
def test_no_two_lines_share_a_name(tmp_path, kind):
    run = tmp_path / "run"
    for n, changes in enumerate(ALIKE[kind]):
        row = Result("quality", "lstm", "sentiment", 0, "ok", {"accuracy": 50.0 + n, "macro_f1": 50.0}, "accuracy")
        append(run, dataclasses.replace(row, id=str(n), **changes))
    found = names(run)
    assert len(found) == len({*found}) == len(ALIKE[kind])
    page = (write([run], tmp_path / "page").parent / "index.html").read_text("utf-8")
    glance = page.split("<caption><span>Main score by model and task")[1].split("</table>")[0]
    assert glance.count('scope="row"') == len(found)


def test_a_setting_that_tells_lines_apart_is_named_before_a_checksum_is(tmp_path):
    for d in (1, 2):
        trial(tmp_path / "run", "lstm", "sentiment", id=f"{d}", config={"model": {"a": 1, "b": 1, "c": 1, "d": d}})
    trial(tmp_path / "run", "lstm", "sentiment", id="3", config={"model": {"a": 2, "b": 2, "c": 2, "d": 1}})
    assert {*names(tmp_path / "run")} == {
        "LSTM (a 1, b 1, c 1, d 1, …)", "LSTM (a 1, b 1, c 1, d 2, …)", "LSTM (a 2, b 2, c 2, …)",
    }  # fmt: skip


def test_unlike_numbers_of_threads_are_two_lines_and_a_warning(tmp_path):
    for threads in (1, 16):
        environment = {"device": "cpu", "processor": "Example processor", "threads": threads}
        trial(tmp_path / "run", "lstm", "sentiment", threads, environment=environment)
    assert {*names(tmp_path / "run")} == {"LSTM (threads 1)", "LSTM (threads 16)"}
    page = told(tmp_path / "run")
    assert "unlike numbers of threads (1 and 16): their times are not comparable" in page
    assert "unlike machines" not in page


def test_a_floor_within_the_interval_is_a_gap_that_other_items_could_undo(tmp_path):
    run = tmp_path / "run"
    row = trial(run, "lstm", "sentiment")
    floor(run, "majority", "sentiment", row.metrics["accuracy"] + 0.5)
    floor(run, "oracle", "sentiment", 99.9)
    page = told(run)
    assert "The LSTM stays below the oracle." in page
    assert "The LSTM is below the majority, by a gap that other test items could undo." in page
    assert "below the oracle; below the majority, which other test items could undo" in page


def test_a_floor_within_the_interval_over_seeds_says_seeds(tmp_path):
    run = tmp_path / "run"
    rows = [trial(run, "lstm", "sentiment", seed, artifacts={}) for seed in range(3)]
    floor(run, "majority", "sentiment", sum(row.metrics["accuracy"] for row in rows) / 3 + 0.1)
    assert "is below the majority, by a gap that other seeds could undo" in told(run)


def test_a_floor_within_the_interval_over_both_says_both(tmp_path):
    run = tmp_path / "run"
    rows = [trial(run, "lstm", "sentiment", seed) for seed in range(3)]
    floor(run, "majority", "sentiment", sum(row.metrics["accuracy"] for row in rows) / 3 + 0.1)
    page = told(run)
    assert "is below the majority, by a gap that other seeds and test items could undo" in page
    assert "below the majority, which other seeds and test items could undo" in page


def test_a_floor_above_a_score_without_interval_is_only_a_higher_number(tmp_path):
    run = tmp_path / "run"
    for model in ("lstm", "rnn"):
        trial(run, model, "sentiment", artifacts={})
    floor(run, "majority", "sentiment", 99.9)
    page = told(run)
    assert re.search(
        "The (LSTM|vanilla RNN) and the .+ score below the majority, with no interval to judge it by", page
    )
    assert "stay below" not in page


def test_models_that_are_below_unlike_floors_are_named_one_by_one(tmp_path):
    run = tmp_path / "run"
    middle = min(trial(run, model, "sentiment").metrics["accuracy"] for model in ("lstm", "transformer", "echo_state"))
    floor(run, "oracle", "sentiment", 101.0)
    floor(run, "middle", "sentiment", middle + 12)
    page = told(run)
    assert re.search("The transformer .* and the echo-state network stays below the oracle and the middle", page)


def test_models_without_intervals_that_are_below_unlike_floors_share_one_remark(tmp_path):
    run = tmp_path / "run"
    middle = min(trial(run, model, "sentiment", artifacts={}).metrics["accuracy"] for model in ("lstm", "echo_state"))
    floor(run, "oracle", "sentiment", 101.0)
    floor(run, "middle", "sentiment", middle + 0.1)
    said = "LSTM scores below the oracle and the echo-state network scores below the oracle and the middle"
    assert f"{said}, with no interval to judge it by." in told(run)
