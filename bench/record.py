"""What a trial leaves behind: one row of results.jsonl, and files named in it by their SHA-256.

Standard library only, so that a report can read results on a machine that has no torch.

A row ends with two fields of its own: `after`, the checksum of the row before it, and `sum`, the
checksum of its bytes up to there. So a changed row is recognised by itself, and a missing one by the next.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import re
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench import disk
from bench.disk import RecordError

__all__ = [
    "LEFT_OUT",
    "RESULTS",
    "SCHEMA",
    "RecordError",
    "Result",
    "append",
    "artifact",
    "mend",
    "read",
    "result",
    "rows",
    "storable",
    "store",
    "torn",
]

SCHEMA = 2
RESULTS = "results.jsonl"
ASIDE = "results.torn"  # where a torn last line is kept
LARGEST_ROW = 64 * 1024  # bytes; longer things belong in artifacts
LEFT_OUT = "left_out"  # in an artifact's entry: why a published run does not hold it
SEALED = 64  # bytes that a row's checksums take
SEAL = re.compile(rb', "after": "([0-9a-f]{16}|)", "sum": "([0-9a-f]{16})"\}$')


@dataclasses.dataclass(frozen=True)
class Result:
    """One trial, done or failed.

    `curve` holds one point an evaluation: updates, examples, tokens, seconds (training clock), loss
    (training, mean since the last point) and the validation metrics.
    `artifacts` maps a name to {"path": below the run's folder, "sha256": ...}:
    answers (answers.json), attention (attention.json), checkpoint (model.safetensors). An entry with "left_out", which
    says why, is of a file that was not published with the row.
    """

    probe: str  # what was measured: "quality", "floor" (an answerer without a sequence model), or a probe of time
    model: str  # a model, or the floor's name
    task: str
    seed: int
    status: str  # "ok", "failed", "diverged" or "skipped"
    metrics: dict[str, float | int]  # name -> number, on the test split
    main: str = ""  # the metric that heads the tables
    reason: str = ""  # why it failed or was skipped, one line
    config: dict[str, Any] = dataclasses.field(default_factory=dict)  # model, learning, task, batch, precision
    budget: dict[str, Any] = dataclasses.field(default_factory=dict)  # what was allowed, and what was used
    curve: list[dict[str, float | int]] = dataclasses.field(default_factory=list)
    signatures: dict[str, str] = dataclasses.field(default_factory=dict)
    environment: dict[str, Any] = dataclasses.field(default_factory=dict)
    artifacts: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    suite: str = ""
    command: str = ""  # repeats this trial
    time: str = ""  # when it ended, UTC, ISO 8601
    id: str = ""  # names the trial: a hash of all that determines it
    made_of: dict[str, str] = dataclasses.field(default_factory=dict)  # what went into the id, part by part
    output: str = ""  # the last lines of what a failed trial printed
    schema: int = SCHEMA


def append(run: Path, result: Result) -> None:
    """Adds one row: a single locked write, flushed to the disk. Raises RecordError.

    A torn last line (a writer died in the middle) is set aside first, so that it cannot swallow this row.
    """
    body, path = storable(result), run / RESULTS
    with disk.explained(path):
        disk.folder(run)
        new = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _mended(descriptor, run)
            size = os.fstat(descriptor).st_size
            _added(descriptor, sealed(body, _last_sum(descriptor, size)), size)
        finally:
            os.close(descriptor)
        if new:
            disk.settle(run)


def storable(result: Result) -> str:
    """The row as JSON. Raises ValueError or TypeError where JSON cannot hold it, or where it is too long."""
    body = json.dumps(dataclasses.asdict(result), allow_nan=False, ensure_ascii=False)
    size = len(body.encode(errors="backslashreplace")) + SEALED
    if size > LARGEST_ROW:
        raise ValueError(f"a row of {size} bytes exceeds {LARGEST_ROW}: {result.model} on {result.task}")
    return body


def sealed(body: str, after: str) -> bytes:
    """A row as it is stored: the JSON object `body`, the checksum of the row before, and its own."""
    content = body.removesuffix("}").encode(errors="backslashreplace") + f', "after": "{after}"'.encode()
    return content + f', "sum": "{_sum(content)}"}}\n'.encode()


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _added(descriptor: int, row: bytes, size: int) -> None:
    """One write and a flush; what a failed write left is taken away again, as far as the disk allows."""
    try:
        disk.write(descriptor, row)
        os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):  # then the torn line stays: whoever comes next sets it aside
            os.ftruncate(descriptor, size)
        raise


def _last_sum(descriptor: int, size: int) -> str:
    """The checksum that the last row carries; empty where there is none."""
    tail = os.pread(descriptor, min(size, LARGEST_ROW), max(0, size - LARGEST_ROW))
    seal = SEAL.search(tail.rstrip(b"\n"))
    return seal[2].decode() if seal else ""


def mend(run: Path) -> list[str]:
    """Sets a torn last line aside and names every damaged one, a line each for a person to read."""
    path = run / RESULTS
    if not path.exists():
        return []
    with disk.explained(path):
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            cut = _mended(descriptor, run)
        finally:
            os.close(descriptor)
    said = [f"{path}: the last line was torn ({cut} bytes); it was set aside in {ASIDE}"] if cut else []
    return said + [f"{path}: line {number} is damaged and does not count" for number in torn(run)]


def _mended(descriptor: int, run: Path) -> int:
    """Ends the file with a whole line; how many bytes were set aside for it. The lock is held."""
    size = os.fstat(descriptor).st_size
    if not size or os.pread(descriptor, 1, size - 1) == b"\n":
        return 0
    tail, start = b"", size
    while start and b"\n" not in tail:
        step = min(start, LARGEST_ROW)
        start -= step
        tail = os.pread(descriptor, step, start) + tail
    tail = tail.rpartition(b"\n")[2]
    if _parsed(tail) is not None:  # only the end of the line is missing
        disk.write(descriptor, b"\n")
        os.fsync(descriptor)
        return 0
    aside = os.open(run / ASIDE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        disk.write(aside, tail + b"\n")
        os.fsync(aside)
    finally:
        os.close(aside)
    disk.settle(run)
    os.ftruncate(descriptor, size - len(tail))
    os.fsync(descriptor)
    return len(tail)


def read(run: Path) -> Iterator[Result]:
    """Rows of a run, oldest first; a line that is no row is passed over, and named by `torn`. Raises RecordError."""
    for _, row in rows(run):
        if row is not None:
            yield result(row)


def result(row: dict[str, Any]) -> Result:
    """A stored row without what seals it."""
    return Result(**{name: row[name] for name in FIELDS if name in row})


def torn(run: Path) -> list[int]:
    """Numbers of the lines that are not whole rows, counted from 1."""
    return [number for number, row in rows(run) if row is None]


def rows(run: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Line numbers and rows as stored, older schemas lifted; None for a line that is no whole row.

    Raises RecordError for a file that cannot be read, or that a newer seqbench wrote.
    """
    path = run / RESULTS
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                row = _parsed(line)
                if row is not None and row["schema"] > SCHEMA:
                    raise RecordError(
                        f"{path}, line {number}: schema {row['schema']} is newer than {SCHEMA}; update seqbench"
                    )
                yield number, None if row is None else lifted(row)
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}; is {run} the folder of a run?") from error


def _parsed(line: bytes) -> dict[str, Any] | None:
    """A whole row: JSON without NaN, every field of its kind, its checksum right."""
    if len(line) > LARGEST_ROW + 1:
        return None
    content = line.rstrip(b"\n")
    seal = SEAL.search(content, max(0, len(content) - SEALED))
    if seal and _sum(content[: seal.end(1) + 1]) != seal[2].decode():
        return None
    try:
        row = DECODER.decode(content.removeprefix(BOM_UTF8).decode(errors="surrogatepass"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or not row.keys() >= NEEDED or type(row["schema"]) is not int:
        return None
    if row["schema"] > SCHEMA:
        return row
    return row if (seal or row["schema"] == 1) and _fields_right(row) else None


def _no_number(name: str) -> Any:
    raise ValueError(name)


DECODER = json.JSONDecoder(parse_constant=_no_number)  # made once: making one takes a third of a row's reading


def _fields_right(row: dict[str, Any]) -> bool:
    if not all(isinstance(row[name], kind) for name, kind in FIELDS.items() if name in row):
        return False
    numbers = row["metrics"].values()
    return all(isinstance(n, NUMBER) and abs(n) <= sys.float_info.max for n in numbers) and row["schema"] > 0


def lifted(row: dict[str, Any]) -> dict[str, Any]:
    """A row of an older schema as one of today's."""
    while row["schema"] < SCHEMA:
        row = LIFTS[row["schema"]](row)
    return row


def _from_1(row: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 had no checksums, did not say what its id is made of, and kept no output."""
    return row | {"made_of": {}, "output": "", "schema": 2}


LIFTS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_1}
NUMBER = int | float  # made once: a union takes longer to make than to ask
KINDS = {"str": str, "int": int, "dict": dict, "list": list}
FIELDS: dict[str, type] = {f.name: KINDS[str(f.type).partition("[")[0]] for f in dataclasses.fields(Result)}
NEEDED = {"probe", "model", "task", "seed", "status", "metrics", "schema"}


def store(run: Path, trial: str, name: str, content: bytes) -> dict[str, str]:
    """Writes an artifact of a trial whole or not at all, and says where and with which SHA-256. Raises RecordError."""
    path = run / "artifacts" / trial / name
    disk.whole(path, content)
    return {"path": str(path.relative_to(run)), "sha256": hashlib.sha256(content).hexdigest()}


def artifact(run: Path, result: Result, name: str) -> bytes | None:
    """The bytes of an artifact, or None where the row names none or says why it was left out.

    Raises RecordError when damaged.
    """
    entry = result.artifacts.get(name)
    if entry is None or LEFT_OUT in entry:
        return None
    path = (run / entry["path"]).resolve()
    if not path.is_relative_to(run.resolve()):
        raise RecordError(f"{run / RESULTS}: artifact {entry['path']!r} lies outside the run's folder")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise RecordError(f"{path} is damaged: its SHA-256 is not the one in {RESULTS}")
    return content
