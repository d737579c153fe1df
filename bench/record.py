"""What a trial leaves behind: one row of results.jsonl, and files named in it by their SHA-256.

Standard library only, so that a report can read results on a machine that has no torch.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCHEMA = 1
RESULTS = "results.jsonl"
LARGEST_ROW = 64 * 1024  # bytes; longer things belong in artifacts


class RecordError(Exception):
    """A results file that cannot be read or written: one line that names it and what to do."""


@dataclasses.dataclass(frozen=True)
class Result:
    """One trial, done or failed.

    `curve` holds one point an evaluation: updates, examples, tokens, seconds (training clock), loss
    (training, mean since the last point) and the validation metrics.
    `artifacts` maps a name to {"path": below the run's folder, "sha256": ...}:
    answers (answers.json), attention (attention.json), checkpoint (model.safetensors).
    """

    probe: str  # what was measured: "quality", or "floor" (an answerer without a sequence model)
    model: str  # a model, or the floor's name
    task: str
    seed: int
    status: str  # "ok", "failed", "skipped" or "interrupted"
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
    schema: int = SCHEMA


def append(run: Path, result: Result) -> None:
    """Adds one row: a single locked write, flushed to the disk. Raises RecordError.

    A torn last line (a writer died in the middle) is closed first, so that it cannot swallow this row.
    """
    row = (json.dumps(dataclasses.asdict(result), allow_nan=False, ensure_ascii=False) + "\n").encode(
        errors="backslashreplace"
    )
    if len(row) > LARGEST_ROW:
        raise RecordError(f"a row of {len(row)} bytes exceeds {LARGEST_ROW}: {result.model} on {result.task}")
    path = run / RESULTS
    try:
        run.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                row = b"\n" + row
            if os.write(descriptor, row) != len(row):
                raise OSError(0, "the row was written only in part: is the disk full?")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror}; rows already in it are kept") from error


def read(run: Path) -> Iterator[Result]:
    """Rows of a run, oldest first; a line that is no row is passed over by `torn` alone. Raises RecordError."""
    for number, line in _lines(run):
        row = _parsed(line)
        if row is None:
            continue
        if row.get("schema", 0) > SCHEMA:
            raise RecordError(
                f"{run / RESULTS}, line {number}: schema {row['schema']} is newer than {SCHEMA}; update seqbench"
            )
        yield Result(**{f.name: row[f.name] for f in dataclasses.fields(Result) if f.name in row})


def torn(run: Path) -> list[int]:
    """Numbers of the lines that are not whole rows, counted from 1."""
    return [number for number, line in _lines(run) if _parsed(line) is None]


def _lines(run: Path) -> Iterator[tuple[int, bytes]]:
    path = run / RESULTS
    try:
        with path.open("rb") as file:
            yield from ((n, line) for n, line in enumerate(file, 1) if line.strip())
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}; is {run} the folder of a run?") from error


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    needed = {"probe", "model", "task", "seed", "status", "metrics", "schema"}
    return row if isinstance(row, dict) and needed <= row.keys() else None


def store(run: Path, trial: str, name: str, content: bytes) -> dict[str, str]:
    """Writes an artifact of a trial whole or not at all, and says where and with which SHA-256."""
    folder = run / "artifacts" / trial
    folder.mkdir(parents=True, exist_ok=True)
    path, temporary = folder / name, folder / f".{name}.{os.getpid()}"
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RecordError(f"{path} cannot be written: {error.strerror}; rows already stored are kept") from error
    return {"path": str(path.relative_to(run)), "sha256": hashlib.sha256(content).hexdigest()}


def artifact(run: Path, result: Result, name: str) -> bytes | None:
    """The bytes of an artifact, or None where the row names none. Raises RecordError when damaged."""
    entry = result.artifacts.get(name)
    if entry is None:
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
