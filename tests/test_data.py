"""The vendored corpora of text: whole, named when damaged, split without leaks."""

import hashlib
import json
import lzma
import re
import shutil
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tasks import EOS, SPLITS, UNK, BadInput, _files, load
from tasks._splits import normal, split_of
from tasks.data import derive

TABLES = {
    "interface/en-de.tsv.xz": 2,
    "interface/en-es.tsv.xz": 2,
    "sentiment/reviews.tsv.xz": 3,
}  # file -> column of the sentence
OTHERS = ["sentiment/amazon.tsv.xz", "sentiment/nyt.tsv.xz", "sentiment/tweets.tsv.xz"]


@pytest.fixture(scope="module")
def task():
    """A task by name and settings, built once for all tests of this file."""
    built = {}

    def get(name, **settings):
        key = (name, *sorted(settings.items()))
        if key not in built:
            kind = load(name)
            built[key] = kind(kind.Config(**settings))
        return built[key]

    return get


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The vendored sentiment corpus in a folder that a test may damage."""
    shutil.copytree(_files.DATA / "sentiment", tmp_path / "sentiment")
    shutil.copy(_files.DATA / "checksums.json", tmp_path)
    monkeypatch.setattr(_files, "DATA", tmp_path)
    return tmp_path / "sentiment" / "reviews.tsv.xz"


@pytest.mark.parametrize("name", sorted(_files.manifest()))
def test_a_vendored_file_is_the_one_that_was_derived(name):
    content = _files.raw(name)
    assert hashlib.sha256(content).hexdigest() == _files.manifest()[name]["sha256"]
    assert len(content) > 0


def test_every_corpus_file_is_in_the_manifest_and_has_a_readme():
    known = set(_files.manifest())
    folders = {path.name for path in _files.DATA.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {name.partition("/")[0] for name in known}
    for folder in folders:
        files = {p.relative_to(_files.DATA).as_posix() for p in (_files.DATA / folder).iterdir()}
        assert files - known == {f"{folder}/README.md"}


def test_a_missing_file_is_named(copied):
    copied.unlink()
    with pytest.raises(BadInput, match=r"reviews.tsv.xz is missing.*git checkout"):
        _files.text("sentiment/reviews.tsv.xz")


def test_a_truncated_file_is_named(copied):
    copied.write_bytes(copied.read_bytes()[:-100])
    with pytest.raises(BadInput, match=r"reviews.tsv.xz has \d+ bytes, expected \d+"):
        _files.text("sentiment/reviews.tsv.xz")


def test_an_altered_file_is_named(copied):
    content = bytearray(copied.read_bytes())
    content[1000] ^= 1
    copied.write_bytes(content)
    with pytest.raises(BadInput, match=r"reviews.tsv.xz was altered"):
        _files.text("sentiment/reviews.tsv.xz")


def test_an_unlisted_file_is_refused(copied):
    with pytest.raises(BadInput, match="not listed"):
        _files.text("sentiment/more.tsv.xz")


@pytest.mark.parametrize("name", TABLES)
def test_no_sentence_is_in_two_splits_or_twice(name):
    sentences = Counter(normal(row[TABLES[name]]) for row in _files.rows(name)[1:])
    assert sentences.most_common(1)[0][1] == 1
    assert "" not in sentences


def test_no_verse_is_in_two_splits_or_twice():
    verses = Counter(normal(verse) for verse in _files.text("bible/en.txt.xz").splitlines())
    assert verses.most_common(1)[0][1] == 1


@pytest.mark.parametrize("name", OTHERS)
def test_a_test_of_transfer_holds_no_sentence_of_the_film_reviews(name):
    films = {normal(row[3]) for row in _files.rows("sentiment/reviews.tsv.xz")[1:]}
    others = {normal(row[3]) for row in _files.rows(name)[1:]}
    assert len(others) > 3000
    assert not films & others


@pytest.mark.parametrize("name", ["interface/en-de.tsv.xz", "interface/en-es.tsv.xz"])
def test_a_component_belongs_to_one_split_by_its_hash(name):
    rows = _files.rows(name)[1:]
    assert all(split == split_of(component, 32, 32) for split, component, _, _ in rows)
    assert {split for split, *_ in rows} == set(SPLITS)


def test_a_book_belongs_to_one_split():
    books = {(row[0], row[1]) for row in _files.rows("bible/references.tsv.xz")[1:]}
    assert len(books) == 66
    assert {book for split, book in books if split == "test"} == set(derive.HELD_OUT_BOOKS["test"])


def test_verses_stay_aligned_with_their_references():
    rows = _files.rows("bible/references.tsv.xz")[1:]
    here = rows.index(["test", "John", "3", "16"])
    texts = {language: _files.text(f"bible/{language}.txt.xz").splitlines() for language in ("en", "fr", "es")}
    assert {len(lines) for lines in texts.values()} == {len(rows)}
    assert texts["en"][here].startswith("For God so loved the world")
    assert texts["fr"][here].startswith("Car Dieu a tant aimé le monde")
    assert texts["es"][here].startswith("Porque de tal manera amó Dios al mundo")


@pytest.mark.parametrize("folder", ["interface", "bible", "sentiment"])
def test_the_readme_gives_the_counts_of_the_files(folder):
    readme = (_files.DATA / folder / "README.md").read_text(encoding="utf-8")
    for path in sorted((_files.DATA / folder).glob("*.tsv.xz")):
        splits = Counter(row[0] for row in _files.rows(f"{folder}/{path.name}")[1:])
        assert " | ".join(str(splits[s]) for s in SPLITS if splits[s]) in readme


@pytest.mark.parametrize("name", ["translation", "verses", "sentiment"])
def test_no_item_of_the_corpora_stands_in_an_earlier_split(task, name):
    assert task(name).overlap == {"validation": 0, "test": 0}


def test_the_main_translation_has_its_promised_size(task):
    sizes = [len(task("translation").items(split)) for split in SPLITS]
    assert sizes == [8911, 1079, 869]


def test_the_main_sentiment_has_its_promised_size(task):
    assert [len(task("sentiment").items(split)) for split in SPLITS] == [8038, 1013, 1018]


@pytest.mark.parametrize("name", ["translation", "verses"])
def test_a_target_comes_back_as_it_was_written(task, name):
    one = task(name)
    for split in SPLITS:
        references, targets = one.sentences(split)[1], one.items(split).targets
        same = np.mean([one.write(t.tolist()) == r for t, r in zip(targets[:500], references[:500], strict=True)])
        assert same > 0.99, split  # a character never seen in training may be lost elsewhere
        assert split != "train" or same == 1
        assert all(target[-1] == EOS and EOS not in target[:-1] for target in targets)


def test_a_source_is_read_as_it_was_prepared(task):
    for name in ("translation", "verses"):
        one = task(name)
        sources = one.items("validation").sources
        texts = one.sentences("validation")[0]
        for i in range(0, 300, 7):
            np.testing.assert_array_equal(one.read(texts[i]), sources[i])


def test_a_label_comes_back_as_it_was_written(task):
    one = task("sentiment")
    items = one.items("test")
    for i in range(20):
        shown = one.show("test", i)
        assert one.write(items.targets[i].tolist()) == shown.reference
        np.testing.assert_array_equal(one.read(shown.source), items.sources[i])
        assert UNK not in items.sources[i]


@pytest.mark.parametrize("name", ["translation", "verses", "sentiment"])
def test_the_example_in_the_docstring_is_true(task, name):
    lines = [line.strip() for line in load(name).__doc__.splitlines() if "->" in line]
    (source, tokens), (target, answer) = (re.split(r"\s*->\s*", line.partition(": ")[2]) for line in lines)
    assert task(name).read(source).tolist() == [int(token) for token in tokens.split()]
    assert task(name).write([int(token) for token in answer.split()]) == target


def test_sentences_are_the_same_but_for_case_width_marks_and_spaces():
    assert normal("Don’t STOP, now！") == normal("dont stop now")
    assert normal("stop") != normal("stops")


def test_deriving_takes_language_and_leaves_the_rest(tmp_path):
    english = {"a": {"good": "Turn it on", "one": "Start", "link": "See https://x.org now", "slot": "Turn {name} on"}}
    german = {"a": {"good": "Schalte es ein", "one": "Los geht es", "link": "Siehe es nun", "slot": "Schalte es an"}}
    twin = {"b": {"again": "TURN it on!", "same": "Turn off"}}, {"b": {"again": "Anders", "same": "turn OFF!"}}
    with zipfile.ZipFile(tmp_path / derive.INTERFACE, "w") as wheel:
        for part, texts in (("x", (english, german)), ("y", twin)):
            for language, content in zip(("en", "de"), texts, strict=True):
                wheel.writestr(f"homeassistant/components/{part}/translations/{language}.json", json.dumps(content))
        wheel.writestr("homeassistant-2026.2.3.dist-info/licenses/LICENSE.md", "as you like")
    written = derive.interface(tmp_path, tmp_path)
    assert [path.name for path in written] == ["en-de.tsv.xz", "en-es.tsv.xz", "LICENSE"]
    lines = lzma.decompress(written[0].read_bytes()).decode().splitlines()
    assert lines[1:] == [f"{split_of('x', 32, 32)}\tx\tTurn it on\tSchalte es ein"]


def test_deriving_cleans_a_verse():
    assert derive._verse("(7:26) L'Éternel dit [à Moïse]: Va") == "L'Éternel dit à Moïse: Va"
    assert derive._verse("who take refuge in him. Psalm 3 A Psalm by David, when") == "who take refuge in him."
    assert not derive._usable(["One", "Un (3:2) deux"])
    assert derive._usable(["One", "(3:2) Deux"])


def test_deriving_refuses_another_package(tmp_path):
    for name in derive.PACKAGES:
        Path(tmp_path / name).write_bytes(b"something else")
    with pytest.raises(SystemExit, match="is not the published package"):
        derive.check(tmp_path)
