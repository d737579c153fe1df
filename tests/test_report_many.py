"""A folder of many rows: the report holds aggregates and the first of each sort, says so, and is soon made."""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from test_report import MAIN, MODELS, answered, attention, inert, seen, text

from bench import record
from reports import parts
from reports.page import html
from reports.page.html import write
from reports.rows import lean, settings
from reports.rows.stored import gather
from reports.scores import tables

CODE = {f"models/part_{n}.py": f"{n:012x}" for n in range(16)}  # what a row's identity is made of
TASK = {"tokenizer": "bpe", "vocabulary": 2000, "joint": True, "lower": False, "longest": 60, "words": "common"}
SETTINGS = {"width": 128, "layers": 1, "bidirectional": True, "dropout": 0.05, "word_dropout": 0.0, "feed": True}
LEARNING = {"rule": "gradient", "precision": "float32", "rate": 0.002, "warmup": 0.06, "decay": "linear", "clip": 1.0}
MACHINE = {
    "device": "cpu", "processor": "Example processor", "cores": 2, "threads": 2, "python": "3.11.9", "commit": "0123",
    "libraries": {"torch": "2.13.0", "numpy": "2.4.6", "tokenizers": "0.23.3", "sacrebleu": "2.6.0"},
}  # fmt: skip


def fill(run: Path, number: int, sweep: bool = False, tasks: Sequence[str] = tuple(MAIN), items: int = 60) -> Path:
    """A folder of so many rows, like those of real trials in size; with `sweep`, each has settings of its own."""
    stored = {task: _artifacts(run, task, items) for task in tasks}
    after = ""
    with (run / record.RESULTS).open("wb") as file:
        for row in _rows(number, sweep, stored):
            line = record.sealed(json.dumps(row), after)
            after = line[-19:-3].decode()  # the row's own checksum
            file.write(line)
    return run


def _artifacts(run: Path, task: str, number: int) -> dict[str, dict[str, str]]:
    """Answers and attention that all rows of a task share, so that a folder of many rows is soon written."""
    items = answered(task, 0.6, 0, number)
    contents = {"answers": json.dumps({"items": items}), "attention": json.dumps(attention(task, items, 6))}
    found = {name: record.store(run, task, f"{name}.json", text.encode()) for name, text in contents.items()}
    return found | {"checkpoint": {"path": "artifacts/none/model.safetensors", "sha256": "0" * 64}}


def _rows(number: int, sweep: bool, stored: dict[str, dict[str, dict[str, str]]]) -> Iterator[dict[str, Any]]:
    for task in stored:
        base = {"probe": "floor", "status": "ok", "main": MAIN[task], "seed": 0, "schema": record.SCHEMA, "task": task}
        base["made_of"] = {"data": task}
        for n, name in enumerate(("majority", "dictionary")):
            yield base | {"model": name, "metrics": {MAIN[task]: 20.0 + 20 * n}, "config": {"task": TASK}}
    cells = [(model, task) for task in stored for model in MODELS]
    for n in range(number - 2 * len(stored)):
        model, task = cells[n % len(cells)]
        row = _trial(n, model, task, n // len(cells), sweep)
        lost = {
            "status": ("failed", "diverged")[n % 2],
            "metrics": {},
            "curve": [],
            "reason": f"lost at update {n % 7}",
        }
        yield row | lost | {"output": f"line {n}\n" * 20} if n % 50 == 7 else row | {"artifacts": stored[task]}


def _trial(n: int, model: str, task: str, seed: int, sweep: bool) -> dict[str, Any]:
    quality, seconds = MODELS[model]
    value = 100 * quality + (n * 7919 % 101 - 50) / 25
    settings = SETTINGS | {"hidden": n if sweep else 128}
    asked = {"model": model, "task": task, "seed": seed, "suite": "long", "batch": 64, "data": None, "learning": {}}
    curve = [
        {"updates": 225 * k, "examples": 14_323 * k, "tokens": 243_000 * k, "seconds": seconds * k / 4, "loss": 4 / k}
        | {MAIN[task]: value * k / 4, "chrf": value * k / 5, "exact": value * k / 6}
        for k in range(1, 5)
    ]
    metrics = {MAIN[task]: value, "chrf": value + 20.1, "exact": value / 2, "train_seconds": seconds + n % 9 / 10}
    metrics |= {"parameters_trained": 915_280, "parameters_total": 915_280, "updates": 900, "examples": 57_294}
    metrics |= {f"{what}_tokens_per_second": 9000.5 + n % 100 for what in ("source", "target", "generate")}
    made_of = CODE | {"data": task, "seed": str(seed), "model": model, "settings": json.dumps(settings)}
    command = f"seqbench run long --models {model} --tasks {task} --seed {seed} " + "--set model.width=128 " * 8
    return {
        "probe": "quality", "model": model, "task": task, "seed": 0 if sweep else seed, "status": "ok",
        "main": MAIN[task], "metrics": metrics, "curve": curve, "environment": MACHINE, "made_of": made_of,
        "config": {"model": settings, "learning": LEARNING, "task": TASK, "batch": 64, "data": None, "asked": asked,
                   "seeds": {"order": n, "initial": n, "reservoir": n}},
        "budget": {"updates": 900, "used": {"updates": 900, "seconds": seconds, "interruptions": 0}},
        "signatures": {MAIN[task]: "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"},
        "suite": "long", "command": command, "time": "2026-01-01T00:00:00+00:00", "id": f"{n:016x}",
        "schema": record.SCHEMA,
    }  # fmt: skip


@pytest.fixture(scope="module", params=[False, True], ids=["many seeds", "many configurations"])
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float, bool]:
    """A report of 3,000 rows, the seconds it took, and whether each row is a configuration of its own."""
    run = fill(tmp_path_factory.mktemp("many") / "run", 3000, request.param, ["translation"])
    start = time.process_time()
    folder = write([run], run.parent / "page").parent
    return folder, time.process_time() - start, request.param


def test_three_thousand_rows_take_seconds(many):
    folder, seconds, _ = many
    assert seconds < 15
    assert (folder / "index.html").stat().st_size < 1_000_000
    assert len([*(folder / "figures").iterdir()]) < 20


def test_what_is_left_out_is_said(many):
    folder, _, sweep = many
    page = text(folder)
    inert(folder)
    commands = f"Showing the first {15 if sweep else 100} of 2,938 commands."
    assert f"{commands} Every trial is in results.csv and results.parquet." in page
    assert "60 trials of 2,998 gave no number" in page
    assert ("Translation: showing the first 15 of 2,938 configurations" in page) == sweep
    assert ("showing the first 5 of up to 600 seeds" in page) != sweep
    assert "Showing the first" in (folder / "report.md").read_text("utf-8")


def test_every_row_is_in_the_spreadsheet_beside_the_page_and_not_inside_it(many):
    folder, *_ = many
    assert len((folder / "results.csv").read_text("utf-8").splitlines()) == 3001
    assert not [value for _, value in seen(folder).attributes if value.startswith("data:text/csv")]
    assert "Every trial is in results.csv and results.parquet beside this page" in text(folder)


def test_many_failures_are_counted_by_reason_and_shown_up_to_a_number(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    rows = [_trial(n, "lstm", "translation", n, False) | {"metrics": {}, "curve": []} for n in range(3000)]
    lost = [row | {"status": "failed", "reason": f"reason {n % 3}", "schema": 1} for n, row in enumerate(rows)]
    (run / record.RESULTS).write_text("".join(json.dumps(row) + "\n" for row in lost))
    page = text(write([run], tmp_path / "page").parent)
    assert "Reasons, the most frequent first" in page
    assert (
        "Showing the first 100 of 3,000 trials without a number. Every trial is in results.csv and results.parquet."
        in page
    )
    assert page.count("reason 1") < 200


def test_the_best_of_each_model_is_shown_before_a_second_of_any(many):
    folder, _, sweep = many
    stored = gather([folder.parent / "run"])
    shown = tables.ranking(stored, "translation", parts.TIGHT.lines).lines
    everything = tables.lines(stored, "translation") if not sweep else shown
    assert {line.model for line in shown} == {*MODELS, "majority", "dictionary"}
    assert [line.value for line in shown[:3]] == [line.value for line in everything[:3]]


def test_few_rows_are_all_shown(tmp_path):
    assert parts.limits(2000) is parts.USUAL
    assert parts.limits(2001) is parts.TIGHT
    assert parts.first(range(3), 3, 3, "rows") == ([0, 1, 2], "")
    assert parts.first(range(9), 3, 9, "rows") == ([0, 1, 2], "Showing the first 3 of 9 rows.")


def test_a_page_that_grows_too_large_is_made_again_with_less_of_each_sort(tmp_path, monkeypatch):
    run, told = fill(tmp_path / "run", 90, sweep=True, tasks=["sentiment"], items=9), []
    whole = write([run], tmp_path / "whole")
    monkeypatch.setattr(html, "LARGEST", len(whole.read_bytes()) - 1)
    snug = write([run], tmp_path / "snug", told.append)
    monkeypatch.setattr(html, "LARGEST", 1)
    least = write([run], tmp_path / "least", told.append)
    assert len(least.read_bytes()) < len(snug.read_bytes()) < len(whole.read_bytes())
    for most, shown in ((parts.SNUG, snug), (parts.TIGHT, least)):
        assert f"first {most.lines} of" in text(shown.parent)
        assert f"first {most.lines} of" not in text(whole.parent)
        assert (shown.parent / "results.csv").read_bytes() == (whole.parent / "results.csv").read_bytes()
    assert "there are too many to carry inside it" not in text(snug.parent)
    assert "there are too many to carry inside it" in text(least.parent)
    assert len([line for line in told if "making it again with less of each sort" in line]) == 1 + 2
    monkeypatch.setattr(parts, "limits", lambda rows: parts.TIGHT)
    told.clear()
    write([run], tmp_path / "last", told.append)
    assert not [line for line in told if "making it again" in line]


def test_rows_that_were_told_the_same_share_it_and_their_way_tells_settings_apart(tmp_path):
    run = fill(tmp_path / "run", 40, tasks=["translation"])
    trials = [row.result for row in gather([run]).trials]
    for group in ("model", "learning", "task"):
        assert len({id(r.config[group]) for r in trials if group in r.config}) == 1
    assert len({json.dumps(r.config["seeds"]) for r in trials}) == len(trials)
    ways = {settings.way(r) for r in trials}
    assert len(ways) == len({settings.configuration(r) for r in trials}) == 1
    wide = fill(tmp_path / "wide", 40, True, ["translation"])
    trials = [row.result for row in gather([wide]).trials]
    assert len({settings.way(r) for r in trials}) == len({settings.configuration(r) for r in trials}) == len(trials)


def test_settings_that_only_look_alike_make_no_one_line(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    after, lines = "", []
    for batch in (32, "32", None, "None"):
        row = _trial(0, "lstm", "translation", 0, False)
        lines.append(
            record.sealed(json.dumps(row | {"config": row["config"] | {"batch": batch}, "id": repr(batch)}), after)
        )
        after = lines[-1][-19:-3].decode()
    (run / record.RESULTS).write_bytes(b"".join(lines))
    assert len(tables.lines(gather([run]), "translation")) == 4


def test_what_is_passed_over_by_the_collector_is_its_business_again_afterwards():
    before = gc.get_freeze_count()

    def left():
        with lean.passed_over():
            assert gc.get_freeze_count() > 0
            raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        left()
    assert gc.get_freeze_count() == before


if __name__ == "__main__":  # python tests/test_report_many.py OUT ROWS [sweep]: how long, and how much memory
    out, rows = Path(sys.argv[1]), int(sys.argv[2])
    if not (out / record.RESULTS).exists():
        out.mkdir(parents=True, exist_ok=True)
        fill(out, rows, "sweep" in sys.argv, items=900)
        raise SystemExit("written; the same again measures")  # in a process of its own, for the sake of its memory
    began = time.perf_counter()
    write([out], out / "report")
    wall, busy = time.perf_counter() - began, time.process_time()
    peak, size = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        (out / record.RESULTS).stat().st_size / 2**20,
    )
    print(f"{rows:,} rows ({size:.0f} MiB): {wall:.1f} s, {busy:.1f} of a processor, {peak:.0f} MiB at most")
