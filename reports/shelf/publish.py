"""`seqbench publish`: a report with its results in a folder of its own, beside those published before.

A published folder is a run: rows, the answers and attention that its report shows, and the report. Checkpoints stay
with the run, which each row says; and no row tells a place on the machine that it was made on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import record
from bench.record import LEFT_OUT, RESULTS, Result
from reports import ReportError, words
from reports.rows import private
from reports.shelf import shelf
from reports.told import Tell, quiet

PUBLISHED = Path(__file__).parents[1] / "published"
README = Path(__file__).parents[2] / "README.md"
SHOWN = ("answers", "attention", "curve")  # artifacts that a report needs
MOST = 32 * 2**20  # bytes of them
OURS = {RESULTS, "artifacts", "figures", "index.html", "report.md", "results.csv", "results.parquet", "trials.csv"}
PRIVATE = ("command", "reason", "output", "model", "config", "environment", "suite", "budget")  # fields that may tell
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
ELSEWHERE = "parameters and traces stay with the run"
TOO_LARGE = "beyond the bound of what is published"
GONE = "not there when this was published"


@dataclasses.dataclass(frozen=True)
class Published:
    """What was published, and what of it was not."""

    folder: Path
    rows: int
    torn: int  # lines that are no whole rows, which were passed over
    bytes: int  # of artifacts
    left_out: dict[str, int]  # why -> files

    def said(self) -> list[str]:
        """A line each for a person to read."""
        if not self.rows:
            return [
                f"Kept: {self.folder}: its answers are not there; publish it from its run once more, "
                f"with --name {self.folder.name} --replace"
            ]
        lines = [f"Published: {self.folder}: {words.plural(self.rows, 'row')}, {words.memory(self.bytes)} of artifacts"]
        lines += [f"  {words.plural(number, 'file')} left out: {why}" for why, number in self.left_out.items()]
        torn = f"  {words.plural(self.torn, 'line')} passed over: torn, or changed since written"
        return lines + ([torn] if self.torn else [])


def publish(
    runs: Sequence[Path], name: str, into: Path = PUBLISHED, replace: bool = False, most: int = MOST, tell: Tell = quiet
) -> Published:
    """Writes a report of `runs` with its results into the folder `name` below `into`, whole or not at all.

    What stood there is kept unless `replace`, and files in it that are none of a report's always. At most `most` bytes
    of artifacts, whole tasks and models first come. Raises ReportError and RecordError.
    """
    from reports.page import html

    if not NAME.fullmatch(name):
        raise ReportError(
            f"--name {words.clean(name)!r}: expected small letters, digits and hyphens, such as quick-cpu"
        )
    place = into / name
    if place.exists() and not replace:
        raise ReportError(f"{place} is published already; choose another --name, or give --replace")
    with _explained(into), _beside(into) as aside:
        made = aside / name
        found = _copied([Path(run) for run in runs], made, most)
        html.write([made], made, tell)
        _discreet(made)
        _kept(place, made)
        _moved(made, place, aside)
    return dataclasses.replace(found, folder=place)


def refresh(into: Path = PUBLISHED, most: int = MOST, tell: Tell = quiet) -> list[Published]:
    """Makes every published report again, from its own rows. Raises ReportError and RecordError.

    One whose answers were never published with it stays as it is, since its page shows more than it could again.
    """
    found = []
    for folder in shelf.folders(into):
        tell(f"publishing {folder.name}")
        if lacking(folder):
            found.append(Published(folder, 0, 0, 0, {}))
        else:
            found.append(publish([folder], folder.name, into, True, most, tell))
    return found


def lacking(folder: Path) -> bool:
    """Whether rows name answers or attention that are neither there nor said to be left out. Raises RecordError."""
    named = (e for row in record.read(folder) for name, e in row.artifacts.items() if name in SHOWN)
    return any(isinstance(e, dict) and LEFT_OUT not in e and not (folder / str(e.get("path"))).is_file() for e in named)


@contextlib.contextmanager
def _explained(into: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReportError(f"{into} cannot be written: {error.strerror}; what was published before is kept") from error


@contextlib.contextmanager
def _beside(into: Path) -> Iterator[Path]:
    """A folder on the same disk, so that what is made in it can be renamed; gone afterwards."""
    into.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".publishing-", dir=into))
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _moved(made: Path, place: Path, aside: Path) -> None:
    """Puts the new folder in its place; the old one comes back where that fails or is interrupted."""
    before = aside / "before"
    made.chmod(0o755)
    try:
        if place.exists():
            place.rename(before)
        made.rename(place)
    except BaseException:
        if before.exists() and not place.exists():
            before.rename(place)
        raise


def _kept(place: Path, made: Path) -> None:
    """Files of a person's own that lie in a published folder stay in it."""
    for path in sorted(place.iterdir()) if place.is_dir() else ():
        if path.name not in OURS:
            copy: Any = shutil.copytree if path.is_dir() else shutil.copy2
            copy(path, made / path.name)


# Rows and artifacts


class _Room:
    """How many bytes of artifacts there is room for, and what was left out."""

    def __init__(self, most: int) -> None:
        self.most, self.used, self.left_out = most, 0, dict[str, int]()

    def out(self, why: str) -> None:
        """One more file is left out."""
        self.left_out[why] = self.left_out.get(why, 0) + 1


def _copied(runs: Sequence[Path], made: Path, most: int) -> Published:
    """Rows of all runs, one after the other and sealed anew, and their artifacts as far as there is room."""
    rows, torn = _rows(runs)
    if not rows:
        where = words.several([run.name for run in runs]) or "no folder given"
        raise ReportError(f"no results to publish in {where}: run a suite first, then name its folder")
    room, after, lines = _Room(most), "", list[bytes]()
    full = _within(rows, most)
    for run, row in rows:
        entries = {
            name: _entry(run, row, name, made, room, full)
            for name in row["artifacts"]
            if isinstance(row["artifacts"][name], dict)
        }
        body = json.dumps(_plain(row) | {"artifacts": entries}, allow_nan=False, ensure_ascii=False)
        lines.append(record.sealed(body, after))
        if len(lines[-1]) > record.LARGEST_ROW:
            raise ReportError(f"a row of {row['model']} on {row['task']} has no room left to say what was left out")
        after = json.loads(lines[-1])["sum"]
    made.mkdir(parents=True, exist_ok=True)
    (made / RESULTS).write_bytes(b"".join(lines))
    return Published(made, len(rows), torn, room.used, room.left_out)


def _rows(runs: Sequence[Path]) -> tuple[list[tuple[Path, dict[str, Any]]], int]:
    """Every row once, and how many lines are no rows."""
    found: dict[str, tuple[Path, dict[str, Any]]] = {}
    torn = 0
    for run in runs:
        for _, row in record.rows(run):
            if row is None:
                torn += 1
                continue
            own = {key: value for key, value in row.items() if key not in ("after", "sum")}
            found.setdefault(json.dumps(own, sort_keys=True), (run, {"artifacts": {}, **own}))
    return [*found.values()], torn


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: private.plain(value, key) if key in PRIVATE else value for key, value in row.items()}


def _within(rows: Sequence[tuple[Path, dict[str, Any]]], most: int) -> set[tuple[str, str, str]]:
    """Which models' artifacts are published: all seeds of one on a task or none, or intervals would be other ones."""
    sizes: dict[tuple[str, str, str], int] = {}
    for run, row in rows:
        files = (run / str(e.get("path")) for n, e in row["artifacts"].items() if n in SHOWN and isinstance(e, dict))
        size = sum(file.stat().st_size for file in files if file.is_file())
        sizes[_cell(row)] = sizes.get(_cell(row), 0) + size
    chosen, used = set[tuple[str, str, str]](), 0
    for cell, size in sizes.items():
        if used + size <= most:
            chosen.add(cell)
            used += size
    return chosen


def _cell(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["probe"], row["task"], row["model"]


def _entry(
    run: Path, row: dict[str, Any], name: str, made: Path, room: _Room, full: set[tuple[str, str, str]]
) -> dict[str, str]:
    """What the published row says of an artifact, which is copied where a report shows it."""
    entry = {key: value for key, value in row["artifacts"][name].items() if isinstance(value, str)}
    if LEFT_OUT in entry:
        why = entry[LEFT_OUT]
    elif name not in SHOWN:
        why = ELSEWHERE
    elif not (run / entry.get("path", "")).is_file():
        why = GONE
    elif _cell(row) not in full:
        why = TOO_LARGE
    else:
        return _stored(run, row, name, entry, made, room)
    room.out(why)
    return entry | {LEFT_OUT: why}


def _stored(
    run: Path, row: dict[str, Any], name: str, entry: dict[str, str], made: Path, room: _Room
) -> dict[str, str]:
    content = record.artifact(run, Result(**_named(row)), name)
    assert content is not None
    trial = re.sub(r"[^A-Za-z0-9_-]", "", str(row.get("id", ""))) or "none"
    path = made / "artifacts" / trial / f"{name}.json"
    number = 1
    while path.exists() and path.read_bytes() != content:  # two runs of one trial
        number += 1
        path = path.with_name(f"{name}-{number}.json")
    if not path.exists():
        room.used += len(content)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return entry | {"path": str(path.relative_to(made))}


def _named(row: dict[str, Any]) -> dict[str, Any]:
    return {field: row[field] for field in record.FIELDS if field in row}


# No place of a machine


def _discreet(made: Path) -> None:
    """Raises ReportError where a file names this user's home; the texts of answers are the data's own."""
    homes = {str(Path.home()), os.path.realpath(Path.home())} - {"/"}
    for path in sorted(p for p in made.rglob("*") if p.is_file() and "artifacts" not in p.relative_to(made).parts):
        content = path.read_bytes()
        if any(f"{home}/".encode() in content for home in homes):
            raise ReportError(f"{path.name} would tell where it was made ({Path.home()}): nothing was published")
