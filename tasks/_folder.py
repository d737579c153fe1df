"""One's own text from a folder: parallel sentences or labelled texts, with every fault named by file and line."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import stat
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks import SPLITS, BadInput, Split
from tasks._splits import same, split_of
from tasks._text import is_text

Pairs = tuple[list[str], list[str]]  # sources and targets (or texts and labels), item by item
BEGINNINGS = {"train": r"train", "validation": r"(val|valid|validation|dev)", "test": r"test"}
TABLES = ("csv", "tsv", "jsonl")
LARGEST_TEXT = 2**30  # bytes of a file, packed and unpacked
LONGEST_LINE = 2**17  # characters; as many as the csv reader takes for one field


def parallel(folder: Path, pair: tuple[str, str], test: str = "") -> dict[Split, Pairs]:
    """Sentences of each split from files such as train.de and train.en, plain or .gz, aligned line by line.

    Validation files begin with val, valid or dev. `test` names the test files, without endings, where
    several match. Raises BadInput.
    """
    texts: dict[Split, Pairs] = {}
    for split in SPLITS:
        paths = [_one(folder, split, (language,), test) for language in pair]
        sources, targets = (lines(path) for path in paths)
        if len(sources) != len(targets):
            shorter = min(len(sources), len(targets))
            raise BadInput(
                f"{paths[0]} has {len(sources)} lines but {paths[1]} has {len(targets)}: "
                f"line {shorter + 1} has no partner; parallel files need one sentence a line, in the same order"
            )
        texts[split] = (sources, targets)
    return texts


def labelled(folder: Path, test: str = "") -> dict[Split, Pairs]:
    """Texts and labels of each split from train.*, val*.* and test*.* (csv, tsv or jsonl, plain or .gz).

    A folder with one such file is split by the hash of each normalised text, about 80/10/10. Every label
    must occur in training. Raises BadInput.
    """
    only = [path for path in _files(folder) if _ending(path) in TABLES]
    if len(only) == 1:
        parts = _by_hash(only[0], *table(_inside(folder, only[0])))
    else:
        parts = {split: table(_one(folder, split, TABLES, test)) for split in SPLITS}
    known = set(parts["train"][1])
    if len(known) < 2:
        raise BadInput(
            f"{folder}: training holds {len(known)} label ({', '.join(known)}); classifying needs two or more"
        )
    for split in SPLITS:
        unseen = sorted(set(parts[split][1]) - known)
        if unseen:
            raise BadInput(
                f"{folder}: label {unseen[0]!r} is in {split} but never in training; expected one of {sorted(known)}"
            )
    return parts


def lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text file, plain or .gz, without their ends. Raises BadInput for a blank line."""
    every = _decoded(path)
    for number, line in enumerate(every, 1):
        if not line.strip():
            raise BadInput(f"{path}: line {number} is blank; every line needs a sentence")
    return every


def table(path: Path) -> Pairs:
    """Texts and labels of a csv, tsv or jsonl file with the fields text and label. Raises BadInput."""
    texts, labels = [], []
    for number, row in _json_rows(path) if _ending(path) == "jsonl" else _csv_rows(path):
        text, label = row.get("text"), row.get("label")
        if isinstance(label, int):
            label = str(label)
        if not (isinstance(text, str) and text.strip() and isinstance(label, str) and label.strip()):
            raise BadInput(f"{path}: line {number} lacks a text or a label; expected both, not blank")
        if not (is_text(text) and is_text(label)):
            raise BadInput(f"{path}: line {number} holds half of a surrogate pair (\\ud800), which is no character")
        texts.append(text.strip())
        labels.append(label.strip())
    if not texts:
        raise BadInput(f"{path} holds no rows; expected one text and one label a row")
    return texts, labels


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    for number, line in enumerate(_decoded(path), 1):
        try:
            row = json.loads(line, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path}: line {number} is not JSON ({error})") from None
        if not isinstance(row, dict):
            raise BadInput(f'{path}: line {number} is not an object such as {{"text": "...", "label": "..."}}')
        yield number, row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object each of whose names stands there once; left to itself, the last one wins."""
    row = dict(pairs)
    if len(row) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"{name[:200]!r} stands there twice")
    return row


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Rows as dictionaries by lower-cased column name. In a tsv file quotation marks are only characters."""
    content = [line + "\n" for line in _decoded(path)]
    if _ending(path) == "tsv":
        reader = csv.reader(content, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True)
    else:
        reader = csv.reader(content, strict=True)
    try:
        columns = header(next(reader), ("text", "label"), path)
        for row in reader:
            if len(row) != len(columns):
                raise BadInput(f"{path}: line {reader.line_num} has {len(row)} columns, expected {len(columns)}")
            yield reader.line_num, dict(zip(columns, row, strict=True))
    except csv.Error as error:
        raise BadInput(f"{path}: line {reader.line_num} cannot be read: {error}") from None


def header(cells: list[str], needed: tuple[str, ...], path: Path) -> list[str]:
    """Names of columns in lower case, from the first line of a csv file; none stands there twice. Raises BadInput."""
    names = [name.strip().lower() for name in cells]
    often = Counter(name for name in names if name)
    if not all(often[name] for name in needed) or max(often.values()) > 1:
        found = ", ".join(names)[:200]
        raise BadInput(f"{path}: line 1 must name the columns {' and '.join(needed)}, each once; found: {found}")
    return names


def _by_hash(path: Path, texts: list[str], labels: list[str]) -> dict[Split, Pairs]:
    parts: dict[Split, Pairs] = {split: ([], []) for split in SPLITS}
    for text, label in zip(texts, labels, strict=True):
        part = parts[split_of(same(text), 26, 26)]
        part[0].append(text)
        part[1].append(label)
    for split, part in parts.items():
        if not part[0]:
            raise BadInput(
                f"{path} has too few texts ({len(texts)}) to split: {split} is empty; give three files instead"
            )
    return parts


def _one(folder: Path, split: Split, endings: tuple[str, ...], test: str) -> Path:
    """The one file of a split with one of the endings. Raises BadInput when there is none or several."""
    begins = re.compile(rf"{BEGINNINGS[split]}([^a-z].*)?$")
    named = [path for path in _files(folder) if _ending(path) in endings]
    matches = [path for path in named if begins.match(path.name.lower())]
    if split == "test" and test:
        matches = [path for path in named if _stem(path) == test]
    if len(matches) == 1:
        return _inside(folder, matches[0])
    wanted = f"{test if split == 'test' and test else split}*.{' or .'.join(endings)}"
    if not matches:
        there = ", ".join(path.name for path in _files(folder)) or "nothing"
        raise BadInput(f"{folder} has no file {wanted} (or .gz) for {split}; it holds: {there}")
    several = ", ".join(path.name for path in matches)
    choose = f"; choose one with test={_stem(matches[0])}" if split == "test" else "; leave one"
    raise BadInput(f"{folder} has several files {wanted} for {split}: {several}{choose}")


def _files(folder: Path) -> list[Path]:
    try:
        if not folder.is_dir():
            raise BadInput(f"folder {folder} does not exist or is not a folder")
        return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir())
    except OSError as error:
        raise BadInput(f"folder {folder} cannot be read: {error.strerror}") from None


def _ending(path: Path) -> str:
    """csv for reviews.csv and for reviews.csv.gz."""
    return path.name.removesuffix(".gz").rpartition(".")[2]


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0]


def _inside(folder: Path, path: Path) -> Path:
    """The path, if it leads to something in the folder. Raises BadInput for a link that leads out or nowhere."""
    try:
        there = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # gone, or a circle of links
        raise BadInput(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not there.is_relative_to(folder.resolve()):
        raise BadInput(f"{path} is a link that leads out of its folder; copy the file instead")
    return path


def regular(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; never waits for a pipe. Raises BadInput."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise BadInput(f"{path} cannot be opened: {error.strerror}") from error
    except ValueError as error:  # a null byte in the name
        raise BadInput(f"{str(path)!r} cannot be opened: {error}") from error
    try:
        status = os.fstat(descriptor)  # of what was opened: what is checked is what is read
        if not stat.S_ISREG(status.st_mode):
            raise BadInput(f"{path} is not a regular file")
        if status.st_size > limit:
            raise BadInput(f"{path} has {status.st_size:,} bytes; at most {limit:,} are read")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(status.st_size)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _decoded(path: Path) -> list[str]:
    """Lines of UTF-8, ended by LF or CRLF, a byte-order mark left out. Raises BadInput."""
    content = _unpacked(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path}: line {number} is not valid UTF-8; convert the file first") from None
    if not text.strip():
        raise BadInput(f"{path} is empty")
    # Only LF ends a line: other separators, such as U+2028, may stand inside a sentence.
    every = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    for number, line in enumerate(every, 1):
        if len(line) > LONGEST_LINE:
            raise BadInput(f"{path}: line {number} has {len(line):,} characters; at most {LONGEST_LINE:,} are read")
    return every


def _unpacked(path: Path) -> bytes:
    """The bytes of a file, those of a .gz no further than the limit: a small one may unfold into anything."""
    content = regular(path, LARGEST_TEXT)
    if not path.name.endswith(".gz"):
        return content
    unpacked = io.BytesIO()
    try:
        with gzip.open(io.BytesIO(content)) as packed:
            while piece := packed.read(2**20):
                if unpacked.tell() + len(piece) > LARGEST_TEXT:
                    raise BadInput(f"{path} unpacks to more than {LARGEST_TEXT:,} bytes; no more are read")
                unpacked.write(piece)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} cannot be read: {error}") from None
    return unpacked.getvalue()
