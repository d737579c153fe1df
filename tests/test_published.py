"""Publishing: whole or not at all, clean to the checker, within its bound, and without a word of where it was made."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from markupsafe import Markup

from bench import record
from bench.commands import verification
from bench.record import LEFT_OUT, RecordError, read
from reports import ReportError
from reports.compare import differences
from reports.figures.svg import Drawn
from reports.page import html
from reports.rows.stored import gather
from reports.sections import on_trial
from reports.shelf import blocks, contrasts, publish, shelf, speeds
from reports.shelf.publish import ELSEWHERE, GONE, TOO_LARGE
from tests import faults
from tests.test_fairness import MODELS, fill, seqbench, trial  # noqa: F401 - a fixture
from tests.test_report import floor, text
from tests.test_report_speed import SPEEDS, parallelism, throughput

HOME = "/home/alice.smith"
MARKED = "# Ours\n\n<!-- seqbench:headline {} -->\nold\n<!-- /seqbench:headline -->\n\nThe rest stays.\n"


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without figures, which take nearly all of the time."""
    monkeypatch.setattr(html, "drawn", lambda *_: Drawn(Markup("<svg></svg>"), "<svg></svg>"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A floor and two seeds, really trained: a run that the checker finds clean."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    folder.mkdir()
    floors = faults.trial("floors", probe="floor", model_settings={})
    assert faults.run(folder, [floors, faults.trial("bahdanau"), faults.trial("bahdanau", seed=4)]) == 0
    return folder


@pytest.fixture
def shelved(tmp_path: Path) -> Path:
    return tmp_path / "project" / "reports" / "published"


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_readme_says_of_the_claims_what_code_says_of_their_published_rows():
    root = Path(__file__).parents[1]
    [(_, said)] = on_trial.verdicts(gather([root / "reports" / "published" / "claims-two-cores"]))
    assert said in " ".join((root / "README.md").read_text(encoding="utf-8").split())


def test_a_published_folder_is_clean_to_the_checker_and_holds_what_its_report_shows(whole, shelved):
    found = publish.publish([whole], "first", shelved)
    assert verification.problems(whole) == []
    assert verification.problems(shelved / "first") == []
    names = files(shelved / "first")
    assert {"results.jsonl", "index.html", "report.md", "results.csv", "results.parquet"} <= {*names}
    assert sum(name.endswith("answers.json") for name in names) == 2
    assert sum(name.endswith("attention.json") for name in names) == 2
    assert not [name for name in names if name.endswith(".safetensors")]
    assert found.left_out == {ELSEWHERE: 2}
    assert (found.rows, found.torn) == (len([*read(whole)]), 0)
    assert found.bytes == sum(len(c) for name, c in names.items() if name.startswith("artifacts/"))
    assert [p.name for p in shelved.iterdir()] == ["first"]  # nothing temporary is left


def test_a_file_that_is_gone_or_changed_is_still_found_by_the_checker(whole, shelved):
    publish.publish([whole], "first", shelved)
    answers = sorted((shelved / "first").rglob("answers.json"))
    answers[0].unlink()
    answers[1].write_text("{}")
    problems = verification.problems(shelved / "first")
    assert len(problems) == 2
    assert "cannot be read" in problems[0] + problems[1]
    assert "is damaged" in problems[0] + problems[1]


def test_every_row_and_number_is_published(whole, shelved):
    publish.publish([whole], "first", shelved)
    before, after = [*read(whole)], [*read(shelved / "first")]
    for one, other in zip(before, after, strict=True):
        assert dataclasses.replace(one, artifacts={}, command="", config={}) == dataclasses.replace(
            other, artifacts={}, command="", config={}
        )
        assert {name: entry["sha256"] for name, entry in one.artifacts.items()} == {
            name: entry["sha256"] for name, entry in other.artifacts.items()
        }


def test_what_is_there_is_kept_unless_it_is_to_be_replaced(whole, shelved):
    publish.publish([whole], "first", shelved)
    (shelved / "first" / "notes.md").write_text("mine")
    before = files(shelved / "first")
    with pytest.raises(ReportError, match="published already; choose another --name, or give --replace"):
        publish.publish([whole], "first", shelved)
    assert files(shelved / "first") == before
    publish.publish([whole], "first", shelved, replace=True)
    assert files(shelved / "first") == before  # the same again to the byte, and a person's own file


@pytest.mark.parametrize("broken", ["write", "_moved", "_discreet"])
def test_what_was_published_survives_a_failure(whole, shelved, monkeypatch, broken):
    publish.publish([whole], "first", shelved)
    before = files(shelved)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(html if broken == "write" else publish, broken, full)
    with pytest.raises(ReportError, match="what was published before is kept"):
        publish.publish([whole], "first", shelved, replace=True)
    assert files(shelved) == before


def test_the_old_folder_comes_back_where_the_new_one_cannot_be_put(whole, shelved, monkeypatch):
    publish.publish([whole], "first", shelved)
    before, rename = files(shelved), Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if self.name == "first" and self.parent != shelved:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish.publish([whole], "first", shelved, replace=True)
    assert files(shelved) == before


def test_no_file_tells_whose_machine_it_was(tmp_path, shelved):
    command = f"seqbench run quick --models {HOME}/mine.py --data 'sentiment={HOME}/my corpora/reviews'"
    config = {"data": f"{HOME}/my corpora/reviews", "asked": {"data": f"{HOME}/my corpora/reviews", "learning": {}}}
    trial(tmp_path / "run", "lstm", 0, config, command=command)
    lost = {"status": "failed", "metrics": {}, "artifacts": {}, "reason": f"no file {HOME}/x.csv"}
    output = f'File "{HOME}/seqbench/bench/train.py", line 3\nC:\\Users\\alice.smith\\x'
    made_of = {"data": "ab", "mine.py": "1"}  # code of one's own counts by the file's name
    trial(tmp_path / "run", f"{HOME}/mine.py", 1, config, command=command, output=output, made_of=made_of, **lost)
    publish.publish([tmp_path / "run"], "first", shelved)
    assert not [name for name, content in files(shelved).items() if b"alice" in content or b"corpora" in content]
    (row, failed) = read(shelved / "first")
    assert row.config["data"] == row.config["asked"]["data"] == "reviews"
    assert "--data sentiment=reviews" in row.command
    assert (failed.reason, failed.output.splitlines()[0]) == ("no file x.csv", 'File "train.py", line 3')


def test_a_home_that_would_be_told_is_refused(tmp_path, shelved, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/srv"))
    trial(tmp_path / "run", "lstm", 0, metrics={"accuracy": 5.0, "in:/srv/x": 1.0}, artifacts={})
    with pytest.raises(ReportError, match="would tell where it was made"):
        publish.publish([tmp_path / "run"], "first", shelved)
    assert not (shelved / "first").exists()


def test_several_runs_become_one_chain_of_rows_each_once(tmp_path, shelved):
    fill(tmp_path / "a", seeds=2, models={"lstm": 0.7})
    fill(tmp_path / "b", seeds=2, models={"rnn": 0.5})
    with (tmp_path / "b" / record.RESULTS).open("a") as file:
        file.write('{"torn')
    found = publish.publish([tmp_path / "a", tmp_path / "b", tmp_path / "a"], "both", shelved)
    assert (found.rows, found.torn) == (4, 1)
    assert "1 line passed over: torn, or changed since written" in found.said()[-1]
    assert record.torn(shelved / "both") == []
    assert not [p for p in verification.problems(shelved / "both") if "missing or was changed" in p]
    page = text(shelved / "both")
    assert "LSTM" in page
    assert "vanilla RNN" in page


def test_two_runs_of_one_trial_keep_the_answers_of_both(tmp_path, shelved):
    for run, share in (("a", 0.4), ("b", 0.9)):
        trial(tmp_path / run, "lstm", 0, time=run)
        (path,) = (tmp_path / run).rglob("answers.json")
        items = json.loads(path.read_text())
        items["items"][0]["answer"] = str(share)
        entry = record.store(tmp_path / run, "x", "answers.json", json.dumps(items).encode())
        row = dataclasses.replace(next(read(tmp_path / run)), artifacts={"answers": entry})
        shutil.rmtree(path.parent)
        (tmp_path / run / record.RESULTS).unlink()
        record.append(tmp_path / run, row)
    publish.publish([tmp_path / "a", tmp_path / "b"], "both", shelved)
    stored = [record.artifact(shelved / "both", row, "answers") for row in read(shelved / "both")]
    assert [json.loads(content or b"")["items"][0]["answer"] for content in stored] == ["0.4", "0.9"]


def test_a_bound_leaves_out_whole_models_and_says_so(tmp_path, shelved):
    fill(tmp_path / "run", seeds=2, models={"lstm": 0.7, "rnn": 0.5})
    size = sum(p.stat().st_size for p in (tmp_path / "run").rglob("answers.json"))
    found = publish.publish([tmp_path / "run"], "small", shelved, most=size // 2 + 100)
    assert found.left_out == {TOO_LARGE: 2}
    kept = {row.model: LEFT_OUT not in row.artifacts["answers"] for row in read(shelved / "small")}
    assert kept == {"lstm": True, "rnn": False}
    assert "Files that could not be read" not in text(shelved / "small")
    publish.publish([tmp_path / "run"], "none", shelved, most=0)
    assert not (shelved / "none" / "artifacts").exists()


def test_damaged_answers_are_not_published(tmp_path, shelved):
    fill(tmp_path / "run", seeds=1, models={"lstm": 0.7})
    next((tmp_path / "run").rglob("answers.json")).write_text("{}")
    with pytest.raises(RecordError, match="is damaged"):
        publish.publish([tmp_path / "run"], "first", shelved)
    assert not (shelved / "first").exists()


def test_refreshing_changes_nothing_but_the_report(tmp_path, whole, shelved):
    publish.publish([whole], "first", shelved)
    before = files(shelved)
    (shelved / "first" / "index.html").write_text("old")
    (shelved / "first" / "trials.csv").write_text("old")
    fill(shelved / "without", seeds=1, models={"lstm": 0.7})
    shutil.rmtree(shelved / "without" / "artifacts")
    said = [line for one in publish.refresh(shelved) for line in one.said()]
    assert files(shelved / "first") == {name.partition("/")[2]: content for name, content in before.items()}
    assert [line for line in said if "its answers are not there; publish it from its run" in line]
    assert sorted(p.name for p in (shelved / "without").iterdir()) == [record.RESULTS]
    publish.publish([shelved / "without"], "again", shelved)
    assert next(read(shelved / "again")).artifacts["answers"][LEFT_OUT] == GONE


def test_the_index_tells_of_every_report(tmp_path, shelved):
    fill(tmp_path / "a", seeds=2, models={"lstm": 0.7, "rnn": 0.5})
    throughput(tmp_path / "b", "lstm", time="2026-01-02T03:04:05+00:00")
    publish.publish([tmp_path / "a"], "quality", shelved)
    publish.publish([tmp_path / "b"], "speed", shelved)
    page = shelf.index(shelved).read_text()
    one, other = (line for line in page.splitlines() if line.startswith("| ["))
    assert one.startswith(
        "| [quality](quality/report.md) | quick | Example (cpu, 2 threads) | – | vanilla RNN and LSTM"
    )
    assert "| 0 and 1 | sentiment: LSTM" in one
    assert "% accuracy (" in one
    assert "2026-01-02" in other
    assert "translation: LSTM trains 15,000 target tokens/s" in other


def test_only_the_headline_run_refreshes_the_readme(seqbench, tmp_path, shelved):  # noqa: F811
    fill(tmp_path / "run", seeds=2, models={"lstm": 0.7, "rnn": 0.5})
    floor(tmp_path / "run", "majority", "sentiment", 50.0)
    readme = tmp_path / "project" / "README.md"
    publish.publish([tmp_path / "run"], "first", shelved)
    readme.write_text(MARKED.format("second"))
    with pytest.raises(ReportError, match="is not published"):
        shelf.headline(readme, shelved)
    shelf.headline(readme, shelved, "first")
    said = readme.read_text()
    assert said.startswith("# Ours\n\n<!-- seqbench:headline first -->\n[![")
    assert said.endswith("<!-- /seqbench:headline -->\n\nThe rest stays.\n")
    assert "(reports/published/first/figures/quality-sentiment.svg)](reports/published/first/report.md)" in said
    (line,) = (line for line in said.splitlines() if line.startswith("| LSTM"))
    assert line.split("|")[2].split("[")[0].strip() in text(shelved / "first")
    assert "| *floors* | majority 50.0 |" in said
    assert "2 seeds. Brackets: 95 % intervals over seeds and test items." in said
    shelf.headline(readme, shelved)
    assert readme.read_text() == said
    readme.write_text("no marker")
    assert "it stays as it is" in shelf.headline(readme, shelved, "first")


def test_a_readme_shows_several_runs_and_a_new_headline_takes_the_place_of_the_first(tmp_path, shelved):
    readme = tmp_path / "project" / "README.md"
    for name in ("first", "second", "third"):
        fill(tmp_path / name, seeds=1, models={"lstm": 0.7})
        publish.publish([tmp_path / name], name, shelved)
    readme.write_text(MARKED.format("first") + "\nBetween.\n\n" + MARKED.format("second"))
    assert shelf.named(readme) == ["first", "second"]
    assert shelf.headline(readme, shelved) == "README.md: figure and table of first and second"
    said = readme.read_text()
    above, below = said.split("\nBetween.\n")
    assert "published/first/report.md" in above
    assert "published/second/report.md" in below
    shelf.headline(readme, shelved, "third")
    assert shelf.named(readme) == ["third", "second"]
    shelf.headline(readme, shelved, "second")
    assert shelf.named(readme) == ["second", "third"]


APART = "Before.\n\n<!-- seqbench:differences first {} -->\nold\n<!-- /seqbench:differences -->\nAfter.\n"


def test_a_readme_sets_two_published_runs_side_by_side_and_waits_for_one_that_is_not(tmp_path, shelved, monkeypatch):
    readme = tmp_path / "project" / "README.md"
    for name, right in (("first", 0.5), ("second", 0.8)):
        monkeypatch.setitem(MODELS, "lstm", right)
        fill(tmp_path / name, seeds=3, models={"lstm": right})
        publish.publish([tmp_path / name], name, shelved)
    readme.write_text(APART.format("second") + APART.format("later"))
    assert blocks.named(readme, contrasts.KIND) == {"first", "second", "later"}
    assert blocks.refreshed(readme, shelved, contrasts.KIND) == [
        "README.md: differences of first and second",
        "README.md: differences of first and later not changed: later not published",
    ]
    said = readme.read_text()
    assert said.endswith(APART.format("later"))
    [line] = (line for line in said.splitlines() if "LSTM" in line)
    [one] = differences.differences(shelved / "first", shelved / "second").of("quality")
    task, model, before, after, change, verdict = (cell.strip() for cell in line.strip("|").split("|"))
    assert (task, model, verdict) == ("sentiment, accuracy %", "LSTM", one.verdict)
    assert float(after) - float(before) == pytest.approx(one.change, abs=0.11)
    assert change.startswith(f"+{one.change:.1f} points [+")
    assert "A difference is second minus first, with intervals over 3 seeds and test items; verdicts corrected" in said
    blocks.refreshed(readme, shelved, contrasts.KIND)
    assert readme.read_text() == said


def test_runs_without_a_score_in_common_leave_the_readme_as_it_is_and_the_rest_is_done(tmp_path, shelved, seqbench):  # noqa: F811
    readme = shelved.parent / "README.md"
    throughput(tmp_path / "speed", "lstm")
    fill(tmp_path / "quality", seeds=1, models={"lstm": 0.7})
    publish.publish([tmp_path / "speed"], "second", shelved)
    readme.write_text(APART.format("second"))
    code, out, _ = seqbench("publish", tmp_path / "quality", "--name", "first", "--into", shelved)
    assert code == 0
    assert "differences of first and second not changed: first and second have no model and task in common" in out
    assert readme.read_text() == APART.format("second")


def test_a_readme_shows_a_run_of_speed_a_line_a_model_with_its_parallelism(tmp_path, shelved, seqbench):  # noqa: F811
    readme = shelved.parent / "README.md"
    readme.parent.mkdir(parents=True)
    asked = "<!-- seqbench:speed fast -->\nold\n<!-- /seqbench:speed -->\nAfter.\n"
    readme.write_text(asked)
    assert blocks.refreshed(readme, shelved, speeds.KIND) == [
        "README.md: speed of fast not changed: fast not published"
    ]
    assert readme.read_text() == asked
    for model in ("rnn", "transformer"):
        throughput(tmp_path / "run", model, metrics={"had_company": float(model == "rnn")})
    parallelism(tmp_path / "run", "transformer")
    assert seqbench("publish", tmp_path / "run", "--name", "fast", "--into", shelved)[0] == 0
    said = readme.read_text()
    assert said.endswith("<!-- /seqbench:speed -->\nAfter.\n")
    rows = (line for line in said.splitlines() if line.startswith("| "))
    lines = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert lines[0][:2] == ["translation", "training, target tokens/s"]
    assert [line[0] for line in lines[1:]] == ["vanilla RNN \\*", "transformer"]
    rnn, transformer = (line[1:] for line in lines[1:])
    rate, low, high = (float(n.strip("[],").replace(",", "")) for n in transformer[0].split())
    assert low < rate == SPEEDS["transformer"][0] < high
    writes = SPEEDS["transformer"][1]
    assert transformer[3] == f"{writes:,.0f} / {21.5 * writes:,.0f} (64)"
    assert transformer[4:] == ["2.00 KiB", f"{100 * SPEEDS['transformer'][2]:.1f} %", "12.0"]
    assert rnn[-2:] == ["–", "–"]
    assert "Another process was busy during this timing." in said
    shelf.index(shelved)
    assert blocks.refreshed(readme, shelved, speeds.KIND) == ["README.md: speed of fast"]
    assert readme.read_text() == said


def test_a_run_without_throughput_leaves_the_table_of_speed_as_it_is(tmp_path, shelved):
    readme = shelved.parent / "README.md"
    fill(tmp_path / "run", seeds=1, models={"lstm": 0.7})
    publish.publish([tmp_path / "run"], "quality", shelved)
    readme.write_text("<!-- seqbench:speed quality -->\nold\n<!-- /seqbench:speed -->\n")
    [said] = blocks.refreshed(readme, shelved, speeds.KIND)
    assert said == "README.md: speed of quality not changed: no throughput measured"
    assert "\nold\n" in readme.read_text()


def test_prose_that_names_a_closing_marker_stays(tmp_path, shelved):
    readme = tmp_path / "project" / "README.md"
    fill(tmp_path / "run", seeds=1, models={"lstm": 0.7})
    publish.publish([tmp_path / "run"], "first", shelved)
    prose = "Between.\n<!-- /seqbench:headline --> and <!-- /seqbench:differences --> close them.\n"
    readme.write_text(MARKED.format("first") + APART.format("first") + prose)
    shelf.headline(readme, shelved)
    blocks.refreshed(readme, shelved, contrasts.KIND)
    assert readme.read_text().endswith("After.\n" + prose)


def test_what_a_readme_asks_for_and_nobody_published_stays_as_it_is(tmp_path, shelved):
    readme = tmp_path / "project" / "README.md"
    fill(tmp_path / "run", seeds=1, models={"lstm": 0.7})
    publish.publish([tmp_path / "run"], "first", shelved)
    open_end = "<!-- seqbench:headline first -->\nNobody closed this.\n"
    readme.write_text(open_end + MARKED.format("first") + MARKED.format("later"))
    assert "not published, so left as it was: later" in shelf.headline(readme, shelved)
    said = readme.read_text()
    assert said.startswith(open_end)
    assert said.endswith(MARKED.format("later"))
    assert "| LSTM |" in said


def test_the_command_publishes_refreshes_and_tells_mistakes_in_one_line(seqbench, tmp_path, shelved):  # noqa: F811
    fill(tmp_path / "run", seeds=1, models={"lstm": 0.7})
    code, out, _ = seqbench("publish", tmp_path / "run", "--name", "first", "--into", shelved)
    assert (code, (shelved / "README.md").is_file()) == (0, True)
    assert "Published: " in out
    assert seqbench("publish", "--refresh", "--into", shelved)[0] == 0
    for typed, told in {
        (tmp_path / "run",): "expected folders of runs and --name NAME, or --refresh alone",
        ("--refresh", tmp_path / "run", "--name", "x"): "or --refresh alone",
        (tmp_path / "run", "--name", "../x"): "expected small letters, digits and hyphens",
        (tmp_path / "run", "--name", "first"): "is published already",
        (tmp_path / "nowhere", "--name", "other"): "the folder of a run",
    }.items():
        code, _, err = seqbench("publish", *typed, "--into", shelved)
        assert (code, len(err.splitlines())) == (2, 1)
        assert told in err
