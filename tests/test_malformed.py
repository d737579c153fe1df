"""Whatever lies in a folder of one's own, or is typed as a setting, either works or is refused in one clear line.

SEQBENCH_SOAK=2000 tries that many examples instead of 320; each is made from its number alone.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import random
import signal
import socket
import struct
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import models
import tasks
from bench import learning
from tasks import SPLITS, BadInput, configured
from tasks.captioning import Captioning
from tasks.sentiment import Sentiment
from tasks.translation import Translation

EXAMPLES = range(int(os.environ.get("SEQBENCH_SOAK", "320")) // 4)  # of each of the four kinds below
PATIENCE = 10  # seconds

WORDS = ["ein", "Haus", "läuft", "im", "schnee", "ça", "日本", "x", "so", "good", "bad", "42"]


@contextmanager
def answered_in_time():
    """What lasts longer than PATIENCE is broken off, as soon as Python gets a word in."""

    def broken_off(*_):
        pytest.fail(f"took more than {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, broken_off)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def works_or_is_refused(attempt):
    """What `attempt` returns, or None where it raises BadInput of one line; every other exception passes."""
    with answered_in_time():
        try:
            return attempt()
        except BadInput as problem:
            text = str(problem)
            assert len(text.splitlines()) == 1
            assert 10 < len(text) < 1100
            return None


def sentences(draw, number):
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, 6))) for _ in range(number)]


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


# Files that are in order


def parallel_text(folder, draw):
    for part, number in (("train", 8), ("val", 3), ("test", 3)):
        for language in ("de", "en"):
            write(folder / f"{part}.{language}", "\n".join(sentences(draw, number)) + "\n")


def labelled_text(folder, draw):
    ending = draw.choice(["csv", "tsv", "jsonl"])
    for part, number in (("train", 8), ("val", 3), ("test", 3)):
        rows = [(text, ("bad", "good")[i % 2]) for i, text in enumerate(sentences(draw, number))]
        if ending == "jsonl":
            content = "\n".join(json.dumps({"text": text, "label": label}) for text, label in rows)
        else:
            comma = {"csv": ",", "tsv": "\t"}[ending]
            content = "\n".join(comma.join(row) for row in [("text", "label"), *rows])
        write(folder / f"{part}.{ending}", content + "\n")


def captioned_pictures(folder, draw):
    (folder / "images").mkdir()
    rows = ["image,caption,split"]
    for i, text in enumerate(sentences(draw, 6)):
        noise = np.random.default_rng(i).integers(0, 256, (9, 11, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "images" / f"{i}.png")
        rows.append(f"{i}.png,{text},{('train', 'train', 'val', 'val', 'test', 'test')[i]}")
    write(folder / "captions.csv", "\n".join(rows) + "\n")


# What may befall the bytes of a file


def inserted(piece):
    def change(content, draw):
        place = draw.randint(0, len(content))
        return content[:place] + piece + content[place:]

    return change


def in_a_line(piece):
    """The piece at the end of a line: of its sentence, its label or its caption."""

    def change(content, draw):
        every = content.split(b"\n")
        every[draw.randrange(len(every))] += piece
        return b"\n".join(every)

    return change


def flipped(content, draw):
    changed = bytearray(content or b" ")
    for _ in range(draw.randint(1, 5)):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def without_a_line(content, draw):
    every = content.split(b"\n")
    every.pop(draw.randrange(len(every)))
    return b"\n".join(every)


def with_a_line_twice(content, draw):
    every = content.split(b"\n")
    return b"\n".join([draw.choice(every), *every])


def in_json(value):
    """One value of a row replaced by what JSON lets stand there, or does not."""
    return lambda content, draw: content.replace(b'"good"', value, 1).replace(b"good", value, 1)


CHANGES = {
    "a null": inserted(b"\0"),
    "a mark of byte order": lambda content, draw: b"\xef\xbb\xbf" + content,
    "two marks of byte order": lambda content, draw: b"\xef\xbb\xbf" * 2 + content,
    "a mark in the middle": inserted("\ufeff".encode()),
    "lines of another system": lambda content, draw: content.replace(b"\n", b"\r\n"),
    "lines of an old system": lambda content, draw: content.replace(b"\n", b"\r"),
    "a lone carriage return": inserted(b"\r"),
    "latin-1": lambda content, draw: content.decode().encode("latin-1", "replace"),
    "utf-16": lambda content, draw: content.decode().encode("utf-16"),
    "half a pair, as bytes": inserted(b"\xed\xa0\x80"),
    "half a pair, escaped": in_json(b'"\\ud800"'),
    "a line separator": inserted("\u2028".encode()),
    "a next line": inserted("\x85".encode()),
    "file separators": in_a_line(b"\x1c\x1d\x1e\x0b\x0c"),
    "a mark from right to left": inserted("\u202e".encode()),
    "marks alone": in_a_line(b" \xe2\x80\x8b\xcc\x81"),
    "a long word": in_a_line(b"x" * 120_000),
    "a long row of marks": in_a_line("\u0301\u0327".encode() * 60_000),
    "a line that is too long": in_a_line(b"word " * 40_000),
    "a line of ten megabytes": in_a_line(b"y" * 10_000_000),
    "many columns": in_a_line(b",a\tb" * 30_000),
    "a quotation mark": inserted(b'"'),
    "a blank line": inserted(b"\n\n"),
    "a line less": without_a_line,
    "a line twice": with_a_line_twice,
    "nothing": lambda content, draw: b"",
    "one line feed": lambda content, draw: b"\n",
    "one line": lambda content, draw: content.split(b"\n")[0],
    "cut off": lambda content, draw: content[: draw.randint(0, len(content))],
    "flipped bits": flipped,
    "brackets": in_a_line(b"\n" + b"[" * 100_000),
    "objects in objects": in_a_line(b"\n" + b'{"a":' * 20_000),
    "an integer of 5,000 digits": in_json(b"9" * 5000),
    "not a number": in_json(b"NaN"),
    "beyond every number": in_json(b"1e999"),
    "nobody": in_json(b"null"),
    "a name twice": lambda content, draw: content.replace(b'{"text"', b'{"text": "x", "text"').replace(
        b"text,", b"text,text,"
    ),
    "a name in capitals": lambda content, draw: content.replace(b"text", b"TEXT").replace(b"image", b"Image "),
}

NAMES = [
    "../secret.png",
    "../../../../etc/passwd",
    "/dev/zero",
    "/proc/self/mem",
    ".",
    "images",
    "images/0.png",
    "./0.png",
    "0.png\0",
    "0.png" * 60,
    "x" * 5000,
    "\u202e0.png",
    "~/0.png",
]


def renamed(folder, draw):
    """A picture by another name, somewhere in the table."""
    table = folder / "captions.csv"
    if table.is_file():
        write(table, table.read_text(encoding="utf-8").replace(f"{draw.randrange(6)}.png", draw.choice(NAMES), 1))


# What may befall a file as a whole


def giant(path, draw):
    """A picture that would take gigabytes: nothing but its header."""
    side = draw.choice([7_000, 20_000, 2**31 - 1])
    body = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    write(path, b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)))


def a_folder(path, draw):
    path.unlink()
    path.mkdir()


def a_pipe(path, draw):
    path.unlink()
    os.mkfifo(path)


def a_socket(path, draw):
    path.unlink()
    with socket.socket(socket.AF_UNIX) as end:
        before = Path.cwd()
        os.chdir(path.parent)  # the address of a socket is short
        end.bind(path.name)
        os.chdir(before)


def a_link_out(path, draw):
    outside = path.parents[1] / f"outside {path.name}"
    path.rename(outside)
    path.symlink_to(outside)


def a_link_to_itself(path, draw):
    path.unlink()
    path.symlink_to(path)


def a_link_to_nothing(path, draw):
    path.unlink()
    path.symlink_to("nothing")


def packed(path, draw):
    write(path.with_name(path.name + ".gz"), gzip.compress(path.read_bytes()))
    path.unlink()


def packed_and_damaged(path, draw):
    content = gzip.compress(path.read_bytes())
    write(path.with_name(path.name + ".gz"), draw.choice([content[:-9], flipped(content, draw), b"", b"\x1f\x8b"]))
    path.unlink()


def packed_a_thousandfold(path, draw):
    write(path.with_name(path.name + ".gz"), gzip.compress(bytes(20_000_000) if draw.random() < 0.5 else b"a\n" * 500))
    path.unlink()


def a_name_of_no_letters(path, draw):
    path.rename(os.fsdecode(os.fsencode(path.parent) + b"/\xff\xfe." + path.suffix[1:].encode()))


def beside_another(path, draw):
    write(path.with_name(f"{path.stem}_2{path.suffix}"), path.read_bytes())


BEFALLS = [
    giant,
    a_folder,
    a_pipe,
    a_socket,
    a_link_out,
    a_link_to_itself,
    a_link_to_nothing,
    packed,
    packed_and_damaged,
    packed_a_thousandfold,
    a_name_of_no_letters,
    beside_another,
    lambda path, draw: path.unlink(),
]


def spoilt(folder, draw):
    """One thing goes wrong, or two."""
    for _ in range(draw.choice([1, 1, 1, 2])):
        files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        if not files:
            return
        path = draw.choice(files)
        kind = draw.random()
        if kind < 0.6:
            change = CHANGES[draw.choice(sorted(CHANGES))]
            if path.suffix == ".png":
                change = draw.choice([flipped, CHANGES["cut off"], CHANGES["nothing"], inserted(b"\0")])
            try:
                write(path, change(path.read_bytes(), draw))
            except UnicodeDecodeError:  # spoilt already, beyond this change
                continue
        elif kind < 0.9:
            draw.choice(BEFALLS)(path, draw)
        else:
            renamed(folder, draw)


@pytest.mark.parametrize("number", EXAMPLES)
def test_spoilt_parallel_text_works_or_is_refused(number, tmp_path):
    draw = random.Random(f"parallel {number}")
    folder = tmp_path / "own"
    folder.mkdir()
    parallel_text(folder, draw)
    spoilt(folder, draw)
    settings = {"pair": "de-en", "vocabulary": 60, "tokenizer": draw.choice(["bpe", "bpe", "word", "character"])}
    task = works_or_is_refused(lambda: Translation(configured(Translation.Config, settings, "translation"), folder))
    if task is not None:
        assert_whole(task)
        assert set(task.overlap) == {"validation", "test"}


@pytest.mark.parametrize("number", EXAMPLES)
def test_spoilt_labelled_text_works_or_is_refused(number, tmp_path):
    draw = random.Random(f"labelled {number}")
    folder = tmp_path / "own"
    folder.mkdir()
    labelled_text(folder, draw)
    if draw.random() < 0.2:  # one file, to be split by hash
        for part in ("val", "test"):
            next(folder.glob(f"{part}*")).unlink()
    spoilt(folder, draw)
    task = works_or_is_refused(lambda: Sentiment(Sentiment.Config(vocabulary=60), folder))
    if task is not None:
        assert_whole(task)


@pytest.mark.parametrize("number", EXAMPLES)
def test_spoilt_pictures_work_or_are_refused(number, tmp_path):
    draw = random.Random(f"pictures {number}")
    folder = tmp_path / "own"
    folder.mkdir()
    captioned_pictures(folder, draw)
    spoilt(folder, draw)
    config = Captioning.Config(pixels=16, patch=8, vocabulary=60)
    task = works_or_is_refused(lambda: Captioning(config, folder))
    if task is not None:
        assert_whole(task)


def assert_whole(task):
    """A task that was loaded has something to learn and to answer, and a name for what it read."""
    assert len(task.checksum) == 64
    for split in SPLITS:
        items = task.items(split)
        assert len(items) > 0
        assert min(items.source_lengths) > 0
        assert all(len(target) > 0 for target in items.targets)
        batch = next(task.batches(split, 4))
        assert len(batch.source) == len(batch.target) > 0


VALUES = [
    *("", " ", "0", "-1", "1", "2", "3", "128", "1.0", "0.5", "-0.0", "1e-9", "1e999", "-1e999", "nan", "inf", "-inf"),
    *("true", "False", "YES", "None", "null", "[]", "[1]", "1,2", "0.5,0.1", "0.5,,0.1", ",", "0x10", "1_000", "１２"),
    *(
        "pre",
        "bpe",
        "words",
        "de-en",
        "de--en",
        "-",
        "a" * 5000,
        "9" * 5000,
        "9" * 4000,
        "\0",
        "\ud800",
        "\u2028",
        "\n",
    ),
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        7,
        10**30,
        0.5,
        1.0,
        1e300,
        float("nan"),
        float("inf"),
        [],
        [0.5],
        [[0.5]],
        {},
        {"a": 1},
    ),
]


def configurations():
    """Every Config of ours by name."""
    kinds = {name: models.load(name) for name in models.names()} | {name: tasks.load(name) for name in tasks.names()}
    kinds |= {name: learning.load(name) for name in learning.RULES}
    return {name: kind.Config for name, kind in sorted(kinds.items())}


@pytest.mark.parametrize("number", EXAMPLES)
def test_wild_settings_work_or_are_refused(number):
    draw = random.Random(f"settings {number}")
    known = configurations()
    for _ in range(10):
        name = draw.choice(sorted(known))
        fields = [field.name for field in dataclasses.fields(known[name])]
        settings = {
            draw.choice([*fields, *fields, "wings", ""]): draw.choice(VALUES) for _ in range(draw.randint(1, 3))
        }
        chosen = works_or_is_refused(lambda: configured(known[name], settings, f"model {name}"))  # noqa: B023
        if chosen is not None:
            assert configured(known[name], dataclasses.asdict(chosen), name) == chosen
            as_text = {field: text(value) for field, value in dataclasses.asdict(chosen).items()}
            assert configured(known[name], as_text, name) == chosen


def text(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


QUERIES = [
    "",
    " ",
    "\0",
    "\ud800",
    "bad \udcff",
    "\u2028",
    "\ufeff",
    "x" * 200_000,
    "\u0301" * 50_000,
    "日本",
    "/dev/zero",
    ".",
    "a\nb",
]


@pytest.mark.parametrize("make", [parallel_text, labelled_text, captioned_pictures])
def test_wild_queries_are_read_or_refused(make, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    make(folder, random.Random(1))
    task = {
        parallel_text: lambda: Translation(Translation.Config(pair="de-en", vocabulary=60), folder),
        labelled_text: lambda: Sentiment(Sentiment.Config(vocabulary=60), folder),
        captioned_pictures: lambda: Captioning(Captioning.Config(pixels=16, patch=8, vocabulary=60), folder),
    }[make]()
    read = [works_or_is_refused(lambda: task.read(query)) for query in QUERIES]  # noqa: B023
    assert any(found is None for found in read)
    assert all(len(found) > 0 for found in read if found is not None)
