"""Runs as tables and as files: the same numbers everywhere, every column documented, nobody's folders told."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from rich.console import Console

import reports
from bench.progress import Steps
from bench.record import RecordError, Result, append, read
from reports import ReportError, figures, frames, words
from reports.page.html import write
from reports.rows import private
from reports.sections import on_trial
from tests.test_fairness import trial as told
from tests.test_report import HOSTILE, Seen, floor, inert, text, trial
from tests.test_report_long import spans
from tests.test_report_speed import scaling, throughput

PUBLISHED = Path(__file__).parents[1] / "reports" / "published"
HOME = "/home/alice.smith/private corpora"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models and a floor on one task, with two seeds; speed and length of one, and a span."""
    folder = tmp_path_factory.mktemp("tables") / "run"
    for seed in range(2):
        trial(folder, "lstm", "sentiment", seed)
        trial(folder, "rnn", "sentiment", seed)
        spans(folder, "lstm", seed)
    floor(folder, "majority", "sentiment", 50.0)
    throughput(folder, "lstm")
    scaling(folder, "lstm", longest=64)
    return folder


@pytest.fixture(scope="module")
def page(run: Path) -> Path:
    return write([run], run.parent / "page").parent


def test_a_number_is_the_same_on_the_page_in_markdown_in_both_files_and_in_python(run, page):
    rows = {(r.probe, r.model, r.seed): r for r in read(run)}
    spreadsheet, parquet = pd.read_csv(page / "results.csv"), pd.read_parquet(page / "results.parquet")
    loaded = reports.load(run)
    for frame in (spreadsheet, parquet, loaded.trials):
        assert len(frame) == len(rows)
        for one in frame.to_dict("records"):
            row = rows[one["probe"], one["model"], one["seed"]]
            assert one["value"] == row.metrics[row.main]
            assert {name: one[name] for name in row.metrics} == row.metrics
    lstm = loaded.scores.set_index("model").loc["lstm"]
    assert lstm["value"] == np.mean([rows["quality", "lstm", seed].metrics["accuracy"] for seed in range(2)])
    said = f"{words.number(lstm['value'])} % accuracy"
    assert said in text(page)
    assert said in (page / "report.md").read_text("utf-8")


def test_both_files_hold_the_same_frame(page):
    parquet = pd.read_parquet(page / "results.parquet")
    spreadsheet = pd.read_csv(page / "results.csv", dtype=str, keep_default_na=False)
    assert list(spreadsheet.columns) == list(parquet.columns)
    for name in parquet.columns:
        if pd.api.types.is_numeric_dtype(parquet[name]):
            given = [float(cell or "nan") for cell in spreadsheet[name]]
            np.testing.assert_array_equal(given, parquet[name].to_numpy(float))
        else:
            assert list(spreadsheet[name]) == list(parquet[name].fillna("")), name


def test_a_spreadsheet_written_in_pieces_is_the_same(run, monkeypatch):
    frame = frames.trials(reports.load(run).stored, frames.MOST)
    whole = [*frames.spreadsheet(frame)]
    monkeypatch.setattr(frames, "PIECE", 100)
    monkeypatch.setattr(frames, "ROWS", 3)
    pieces = [*frames.spreadsheet(frame)]
    assert len(frame) > 3
    assert len(whole) == 1 < len(pieces)
    assert "".join(pieces) == whole[0]


def test_the_same_rows_make_the_same_bytes(run, tmp_path):
    stored = reports.load(run).stored
    one, other = (frames.trials(stored, frames.MOST) for _ in range(2))
    assert frames.parquet(one) == frames.parquet(other)
    assert "".join(frames.spreadsheet(one)) == "".join(frames.spreadsheet(other))
    assert b"pandas" in frames.parquet(one)  # it is what it says it is


def test_every_column_is_documented_or_a_number_of_the_runs_own(run):
    loaded = reports.load(run)
    own = {name for row in read(run) for name in (*row.metrics, *(key for point in row.curve for key in point))}
    for table, columns in frames.COLUMNS.items():
        frame = getattr(loaded, table)
        assert len(frame), table
        documented = {column for column in columns if column.upper() != column and "GROUP" not in column}
        assert documented <= {*frame.columns}, table
        assert all(name in own or name.startswith("setting.") for name in {*frame.columns} - documented), table
    about = loaded.about
    assert list(about.columns) == ["table", "column", "what"]
    assert {*about["table"]} == {*frames.COLUMNS}


def test_a_table_without_rows_has_its_columns(tmp_path):
    floor(tmp_path / "run", "majority", "sentiment", 50.0)
    loaded = reports.load(tmp_path / "run")
    for table in ("curves", "answers", "speed", "scaling", "long"):
        assert len(getattr(loaded, table)) == 0
        assert "model" in getattr(loaded, table)


def test_answers_and_lengths_are_those_that_were_stored(run):
    loaded = reports.load(run)
    answers = loaded.answers
    assert len(answers) == 4 * 60
    means = answers.groupby(["model", "seed"])["accuracy"].mean()
    for row in read(run):
        if row.probe == "quality":
            assert means[row.model, row.seed] == pytest.approx(row.metrics["accuracy"])
    (timed,) = (row for row in read(run) if row.probe == "scaling")
    assert list(loaded.scaling["step_seconds"]) == [point["step_seconds"] for point in timed.curve]
    speed = loaded.speed.set_index(["probe", "metric"]).loc[("throughput", "train_step_seconds")]
    assert speed["low"] < speed["value"] < speed["high"]
    assert not [name for name in loaded.speed["metric"] if name.endswith(("_low", "_high"))]


def test_the_main_figures_are_functions_of_a_table(run):
    loaded = reports.load(run)
    scores, curves = (t[t["task"] == "sentiment"] for t in (loaded.scores, loaded.curves))
    for drawn in (figures.quality(scores), figures.cost(scores), figures.learning(curves, "updates", "accuracy")):
        assert isinstance(drawn, Figure)


def test_runs_are_named_by_text_or_path_and_mistakes_are_one_line(run, tmp_path):
    assert len(reports.load(str(run), run).trials) == len(reports.load(run).trials)  # a repeated trial counts once
    with pytest.raises(ReportError, match="no folder given"):
        reports.load()
    with pytest.raises(RecordError, match=r"is .* the folder of a run") as missing:
        reports.load(tmp_path / "nowhere")
    assert "\n" not in str(missing.value)


def test_a_run_shows_itself_in_a_notebook_and_runs_nothing(run, tmp_path):
    shown = Seen(reports.load(run)._repr_html_())
    said = " ".join(" ".join(shown.text).split())
    lstm = reports.load(run).scores.set_index("model").loc["lstm"]
    assert f"{words.number(lstm['value'])} {words.number(lstm['low'])}–{words.number(lstm['high'])}" in said
    assert "2 seeds and 60 test items" in said
    append(tmp_path / "run", Result("quality", HOSTILE, HOSTILE, 0, "ok", {HOSTILE: 1.0}, HOSTILE))
    hostile = reports.load(tmp_path / "run")
    nasty = Seen(hostile._repr_html_())
    assert not {"script", "img", "a"} & {*nasty.tags}
    assert not [name for name, _ in nasty.attributes if name.startswith("on")]
    colours = [
        value for name, value in nasty.attributes if name == "style" and re.search(r"color:\s*#|background:\s*#", value)
    ]
    assert not colours  # the notebook's own, light or dark
    assert "\n" not in repr(hostile)


def test_a_notebook_shows_speed_and_long_sequences_too(run):
    shown = " ".join(" ".join(Seen(reports.load(run)._repr_html_()).text).split())
    loaded = reports.load(run)
    speed = loaded.speed.set_index(["probe", "metric"])["value"]
    assert f"LSTM {words.count(speed['throughput', 'train_target_tokens_per_second'])} (" in shown
    assert "Random tokens: scaling" in shown
    assert "more table" not in shown
    assert "tables trials, scores, curves" in repr(loaded)


def test_a_notebook_tells_the_median_span_and_what_lies_below_or_beyond_the_search(tmp_path):
    for seed, reached in enumerate((0, 20, 400)):
        spans(tmp_path / "run", "lstm", seed, reached)
    shown = " ".join(" ".join(Seen(reports.load(tmp_path / "run")._repr_html_()).text).split())
    assert re.search(r"LSTM 20 below \d+ to at least 400 3", shown)


def test_claims_are_a_table_of_effects_with_their_verdicts():
    claims = reports.load(PUBLISHED / "claims-two-cores").claims
    told = json.loads(json.dumps(on_trial.plain(on_trial.tried_on([PUBLISHED / "claims-two-cores"]))))
    assert {*claims["claim"]} == {one["claim"] for one in told}
    first = next(one for one in told if one["parts"])
    own = claims[claims["claim"] == first["claim"]]
    assert list(own["part"]) == [part["part"] for part in first["parts"]]
    assert list(own["value"].dropna()) == [part["value"] for part in first["parts"] if "value" in part]
    assert {*own["verdict"]} == {first["verdict"]}
    measured = claims["value"].notna()
    assert measured.any()
    assert set(claims.loc[measured, "lacks"]) == {""}
    assert (claims.loc[~measured, "lacks"] != "").all()


def test_no_table_and_no_page_tells_where_data_lie(tmp_path):
    folder = f"{HOME}/reviews"
    command = f"seqbench run quick --models '{HOME}/mine.py' --data 'sentiment={folder}' --seed 0"
    config = {"data": folder, "model": {"hidden": 7, "weights": f"{HOME}/w.bin".replace(" ", "_")}, "task": {}}
    told(tmp_path / "run", "lstm", 0, config, command=command)
    told(
        tmp_path / "run",
        "rnn",
        0,
        config,
        command=command,
        status="failed",
        metrics={},
        reason=f"no file {HOME}/x",
        output=HOME,
    )
    made = write([tmp_path / "run"], tmp_path / "page").parent
    inert(made)
    files = {path.name: path.read_bytes() for path in made.iterdir() if path.is_file()}
    assert not {name for name, content in files.items() if b"alice" in content}
    assert "--data sentiment=reviews" in text(made)
    loaded = reports.load(tmp_path / "run")
    assert not [c for c in loaded.trials.columns if loaded.trials[c].astype(str).str.contains("alice").any()]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/home/alice", "~"),
        ("no file /home/alice/data/x.csv, sorry", "no file x.csv, sorry"),
        ('File "/opt/app/bench/train.py", line 3', 'File "train.py", line 3'),
        ("C:\\Users\\alice\\data\\x.csv", "x.csv"),
        ("~/corpora/x.csv", "x.csv"),
        ("file:///mnt/secret/x", "x"),
        ("tokens/s and 1/2 of https://example.org/a/b", "tokens/s and 1/2 of https://example.org/a/b"),
        ("</b></i>", "</b></i>"),
    ],
)
def test_a_path_is_told_by_its_last_name(given, kept):
    assert private.placeless(given) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (
            "seqbench run quick --data sentiment=/a/b/reviews/ --seed 0",
            "seqbench run quick --data sentiment=reviews --seed 0",
        ),
        ("seqbench run quick --data=sentiment=../../x/y", "seqbench run quick --data=sentiment=y"),
        ("seqbench run quick --models lstm,/a/b/mine.py", "seqbench run quick --models lstm,mine.py"),
        ("seqbench run quick --set task.edge='a b'", "seqbench run quick --set task.edge='a b'"),
        ("an open ' mark /a/b/c", "an open ' mark c"),
    ],
)
def test_a_command_tells_last_names(given, kept):
    assert private.command(given) == kept


def test_items_that_stand_in_two_splits_are_told_with_the_data(tmp_path):
    told(tmp_path / "run", "lstm", 0, {"data": "/x/reviews", "overlap": {"validation": 3, "test": 41}})
    page = text(write([tmp_path / "run"], tmp_path / "page").parent)
    assert "Own data: items that stand in two splits" in page
    assert "Sentiment reviews 3 41" in page
    assert "overlap" not in {c.partition("setting.")[2] for c in reports.load(tmp_path / "run").trials.columns}


@pytest.mark.parametrize(("terminal", "waited", "shows"), [(True, 3.0, True), (True, 1.0, False), (False, 9.0, False)])
def test_progress_is_shown_on_a_terminal_once_it_takes_a_while(monkeypatch, terminal, waited, shows):
    heard = io.StringIO()
    with Steps(Console(file=heard, force_terminal=terminal, width=80)) as steps:
        steps.began -= waited
        steps.say("figure 3 of 40 [x]")
    assert ("figure 3 of 40 [x]" in heard.getvalue()) == shows
    assert bool(heard.getvalue()) == shows


def test_a_report_tells_what_it_is_at(run, tmp_path):
    heard: list[str] = []
    write([run], tmp_path, heard.append)
    assert heard[0] == "reading results"
    assert heard[-1] == "writing files"
    assert [step for step in heard if re.fullmatch(r"figure \d+ of \d+", step)]
