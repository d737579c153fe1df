"""A search for settings on the page: what was tried, given up and chosen, and the learning rate's share in it."""

import json

import pytest

from bench import record
from bench.record import Result
from reports.page import html
from reports.parts import USUAL
from reports.rows import stored
from reports.sections import tuning


def row(run, number, score, model="lstm", task="translation", rate=1e-3, pruned=0, status="ok", space="", **more):
    config = {"model": {"dropout": 0.1, "hidden": 7} | more, "learning": {"rule": "gradient", "rate": rate}}
    config |= {"probe": {"number": number, "space": space}, "notes": {"metric": "bleu"}, "task": {"pair": "en-es"}}
    metrics = {"validation": score, "pruned": pruned, "seconds": 10.0} if status == "ok" else {}
    record.append(
        run,
        Result(
            "tune", model, task, 0, status, metrics, "validation", config=config, budget={"updates": 600},
            id=f"{model} {task} {number}", suite="quick", reason="" if status == "ok" else "the loss is nan",
        ),
    )  # fmt: skip


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    row(folder, 0, 20.0)
    row(folder, 1, 23.0, rate=3e-3, dropout=0.25)
    row(folder, 2, 30.0, rate=9e-3, pruned=1)
    row(folder, 3, 0.0, rate=1e-2, status="diverged")
    row(folder, 0, 41.0, model="rnn")
    row(folder, 1, 40.0, model="rnn", rate=2e-3)
    return folder


def table(run):
    [section] = tuning.sections(stored.gather([run]), USUAL)
    return section, {
        cells[0].text: dict(zip(tuning.HEAD, (c.text for c in cells), strict=True)) for cells in section.tables[0].rows
    }


def test_every_model_has_its_trials_the_scores_before_and_after_and_what_won(run):
    section, said = table(run)
    assert section.title == "Translation"
    assert said["LSTM"] | {"training": ""} == {
        "model": "LSTM", "trials": "4", "given up": "1", "failed": "1", "updates each": "600", "training": "",
        "before": "20.0", "best": "23.0", "settings of the best": "rate 0.003, dropout 0.25",
    }  # fmt: skip
    assert said["vanilla RNN"]["settings of the best"] == "the suite's own"
    assert "BLEU on validation" in section.tables[0].caption


def test_the_figure_holds_whole_trials_by_their_rate_and_the_given_up_as_dots(run):
    section, _ = table(run)
    [axes] = section.drawings[0].figure.axes
    drawn = {line.get_label(): list(zip(*line.get_data(), strict=True)) for line in axes.lines if line.get_xdata().size}
    assert drawn["LSTM"] == [(1e-3, 20.0), (3e-3, 23.0)]
    assert drawn["vanilla RNN"] == [(1e-3, 41.0), (2e-3, 40.0)]
    assert [(9e-3, 30.0)] in drawn.values()
    assert next(text.get_text() for text in axes.get_xticklabels()) == "0.001"


def test_what_was_searched_stands_in_a_table_where_rows_tell_it(run, tmp_path):
    section, _ = table(run)
    assert len(section.tables) == 1
    assert "at 0.003" in section.drawings[0].alt
    told = {"learning.rate": {"low": 0.0003, "high": 0.01, "log": True}, "model.pool": ["last", "highest"]}
    row(tmp_path / "other", 0, 20.0, space=json.dumps(told))
    section, _ = table(tmp_path / "other")
    [[model, ranges]] = section.tables[1].rows
    assert (model.text, ranges.text) == ("LSTM", "rate 0.0003 to 0.01 (log), pool last or highest")


def test_a_search_alone_makes_a_page_and_its_failed_trials_are_no_failures_of_the_model(run, tmp_path):
    page = html.write([run], tmp_path / "report").read_text()
    assert "Which settings suit which sequence model" in page
    assert "6 trials of tuning" in page
    assert 'id="tuning"' in page
    assert 'id="failures"' not in page
    assert "A search took the LSTM from 20.0 BLEU to 23.0 BLEU on validation" in page
    assert "for the vanilla RNN nothing did better than the suite&#39;s own settings." in page
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert "rate 0.003, dropout 0.25" in markdown


def test_nothing_that_a_row_holds_breaks_the_page(tmp_path):
    run = tmp_path / "run"
    row(run, 0, 5.0, rate="<script>alert(1)</script>")
    row(run, "x", 6.0, dropout=["<b>"], hidden={"a": 1})
    row(run, None, -1e300, rate=-1)
    row(run, 2, 7.0, task="<script>t</script>", model="<script>m</script>")
    page = html.write([run], tmp_path / "report").read_text()
    assert "<script>alert" not in page
    assert "<script>m" not in page


def test_without_a_search_there_is_no_such_part(tmp_path):
    record.append(tmp_path / "run", Result("quality", "lstm", "translation", 0, "ok", {"bleu": 20.0}, "bleu"))
    assert 'id="tuning"' not in html.write([tmp_path / "run"], tmp_path / "report").read_text()
    assert json.dumps([*tuning.sections(stored.gather([tmp_path / "run"]), USUAL)]) == "[]"
