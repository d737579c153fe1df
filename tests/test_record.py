"""Rows are written whole, read back the same, and never lost to a torn neighbour."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import record
from bench.commands import verification
from bench.record import RecordError, Result


def row(**changes):
    return dataclasses.replace(Result("quality", "lstm", "translation", 3, "ok", {"bleu": 12.5}, "bleu"), **changes)


def test_what_is_appended_is_read_back_the_same(tmp_path):
    rows = [row(seed=seed, reason="ü\u2028<script>", curve=[{"updates": 7, "loss": 1.5}]) for seed in range(3)]
    for one in rows:
        record.append(tmp_path, one)
    assert list(record.read(tmp_path)) == rows


def test_a_row_is_one_line_with_its_schema_number(tmp_path):
    record.append(tmp_path, row(reason="two\nlines"))
    (line,) = (tmp_path / "results.jsonl").read_text().splitlines()
    assert json.loads(line)["schema"] == record.SCHEMA


def test_no_number_that_json_lacks_is_ever_written(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        record.append(tmp_path, row(metrics={"bleu": float("nan")}))
    assert not (tmp_path / "results.jsonl").exists()


def test_a_torn_last_line_is_counted_and_swallows_no_later_row(tmp_path):
    record.append(tmp_path, row(seed=1))
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('{"probe": "quality", "mod')
    assert record.torn(tmp_path) == [2]
    record.append(tmp_path, row(seed=2))
    assert [r.seed for r in record.read(tmp_path)] == [1, 2]
    assert record.torn(tmp_path) == []
    assert (tmp_path / record.ASIDE).read_text() == '{"probe": "quality", "mod\n'


def test_text_that_is_no_unicode_is_kept_all_the_same(tmp_path):
    record.append(tmp_path, row(reason="half \ud800 of a pair"))
    assert next(record.read(tmp_path)).reason == "half \ud800 of a pair"


def test_a_line_of_nothing_but_brackets_is_no_row(tmp_path):
    (tmp_path / "results.jsonl").write_text("[" * 100_000 + "\n")
    assert list(record.read(tmp_path)) == []
    assert record.torn(tmp_path) == [1]


def test_a_newer_schema_is_refused_by_name(tmp_path):
    record.append(tmp_path, row(schema=record.SCHEMA + 1))
    with pytest.raises(RecordError, match=r"results\.jsonl, line 1: schema 3 is newer than 2"):
        list(record.read(tmp_path))


def test_a_row_too_long_for_one_write_is_refused(tmp_path):
    with pytest.raises(ValueError, match="exceeds 65536"):
        record.append(tmp_path, row(reason="x" * record.LARGEST_ROW))


def test_a_folder_without_results_is_named(tmp_path):
    with pytest.raises(RecordError, match=r"is .+nowhere the folder of a run"):
        list(record.read(tmp_path / "nowhere"))


def test_a_full_disk_leaves_the_rows_that_were_there(tmp_path, monkeypatch):
    record.append(tmp_path, row(seed=1))

    def full(descriptor, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record.os, "write", full)
    with pytest.raises(RecordError, match="No space left on device; everything stored before is kept; make room"):
        record.append(tmp_path, row(seed=2))
    assert [r.seed for r in record.read(tmp_path)] == [1]


def test_an_artifact_comes_back_and_a_changed_one_is_refused(tmp_path):
    entry = record.store(tmp_path, "abc", "answers.json", b"[1]")
    one = row(artifacts={"answers": entry})
    assert record.artifact(tmp_path, one, "answers") == b"[1]"
    assert record.artifact(tmp_path, one, "attention") is None
    (tmp_path / entry["path"]).write_bytes(b"[2]")
    with pytest.raises(RecordError, match="damaged"):
        record.artifact(tmp_path, one, "answers")


def test_an_artifact_outside_the_run_is_not_opened(tmp_path):
    one = row(artifacts={"answers": {"path": "../secret", "sha256": ""}})
    with pytest.raises(RecordError, match="outside the run's folder"):
        record.artifact(tmp_path, one, "answers")


def test_eight_writers_at_once_mix_no_rows(tmp_path):
    number = 1000 if os.environ.get("SEQBENCH_SOAK") else 50
    code = (
        "import sys; from pathlib import Path; from bench.record import Result, append\n"
        f"for n in range({number}): append(Path(sys.argv[1]), Result('quality', sys.argv[2] * 500, 't', n, 'ok', {{}}))"
    )
    here = Path(__file__).parents[1]
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name], cwd=here) for name in "abcdefgh"]
    assert [writer.wait() for writer in writers] == [0] * 8
    rows = list(record.read(tmp_path))
    assert len(rows) == 8 * number
    assert {(r.model[0], r.seed) for r in rows} == {(name, n) for name in "abcdefgh" for n in range(number)}
    assert not [line for line in verification.problems(tmp_path) if "the row before it" in line]


def test_records_need_nothing_but_the_standard_library():
    code = "import sys, bench.record; print(sorted({'torch', 'numpy', 'pandas'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "line",
    [
        '{"schema": "x"}',
        '{"schema": -1, "probe": "", "model": "", "task": "", "seed": 0, "status": "ok", "metrics": {}}',
        '{"schema": 1, "probe": "", "model": "", "task": "", "seed": "0", "status": "ok", "metrics": {}}',
        '{"schema": 1, "probe": "", "model": "", "task": "", "seed": 0, "status": "ok", "metrics": {"a": NaN}}',
        '{"schema": 1, "probe": "", "model": "", "task": "", "seed": 0, "status": "ok", "metrics": {"a": 1e999}}',
        '{"schema": 1, "probe": "", "model": "", "task": "", "seed": 0, "status": "ok", "metrics": {"a": "b"}}',
        '{"schema": ' + "9" * 5000 + "}",
        '{"schema": 1, "probe": "", "model": "", "task": "", "seed": 0, "status": "ok", "metrics": {"a": '
        + "9" * 400
        + "}}",
        "\x00" * 99,
        "\ufeff{}",
        "null",
    ],
)
def test_a_line_that_is_no_row_is_passed_over_and_named(line, tmp_path):
    record.append(tmp_path, row(seed=1))
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write(line + "\n")
    record.append(tmp_path, row(seed=2))
    assert [r.seed for r in record.read(tmp_path)] == [1, 2]
    assert record.torn(tmp_path) == [2]


def test_a_large_folder_is_read_quickly_and_in_little_memory(tmp_path):
    number = 100_000 if os.environ.get("SEQBENCH_SOAK") else 10_000
    curve = [{"updates": n, "seconds": n / 7, "loss": 1.0 / (n + 1), "bleu": 3.0 * n} for n in range(4)]
    body, after = record.storable(row(curve=curve, reason="x" * 500)), ""
    with (tmp_path / "results.jsonl").open("wb") as file:
        for _ in range(number):
            file.write(sealed := record.sealed(body, after))
            after = json.loads(sealed)["sum"]
    code = (
        "import re, sys, time; from pathlib import Path; from bench import record; start = time.process_time()\n"
        "print(sum(1 for _ in record.read(Path(sys.argv[1]))), time.process_time() - start,"
        r" re.search(r'VmHWM:\s+(\d+)', Path('/proc/self/status').read_text())[1])"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    rows, seconds, kilobytes = done.stdout.split()
    assert int(rows) == number
    assert float(seconds) < number / 10_000
    assert int(kilobytes) < 400_000


def test_a_byte_order_mark_before_an_old_row_does_not_hide_it(tmp_path):
    told = dataclasses.asdict(row()) | {"schema": 1}
    (tmp_path / "results.jsonl").write_text(json.dumps(told) + "\n", encoding="utf-8-sig")
    assert [one.metrics for one in record.read(tmp_path)] == [{"bleu": 12.5}]


def test_what_looks_like_a_seal_within_a_text_seals_nothing(tmp_path):
    inside = ', "after": "0123456789abcdef", "sum": "0123456789abcdef"}'
    record.append(tmp_path, row(reason=inside))
    record.append(tmp_path, row(reason=f"{inside}\n"))
    assert [one.reason for one in record.read(tmp_path)] == [inside, f"{inside}\n"]
