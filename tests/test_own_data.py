"""One's own text by folder: what is accepted, and how each fault is named."""

import gzip
import json
import os
import time
import tracemalloc
from pathlib import Path

import pytest

from tasks import SPLITS, BadInput, _folder
from tasks._folder import labelled, lines, parallel, table
from tasks._splits import normal
from tasks.sentiment import Sentiment
from tasks.translation import Translation
from tasks.verses import Verses

MULTI30K = Path(__file__).parents[2] / "shared" / "data" / "multi30k"
GERMAN = ["Ein Haus.", "Zwei Häuser.", "Ein Hund läuft.", "Der Hund schläft im Haus."]
ENGLISH = ["A house.", "Two houses.", "A dog runs.", "The dog sleeps in the house."]


@pytest.fixture
def pairs(tmp_path):
    """A folder of parallel text that is in order."""
    for part, number in (("train", 4), ("val", 2), ("test_2016", 3)):
        (tmp_path / f"{part}.de").write_text("\n".join(GERMAN[:number]) + "\n", encoding="utf-8")
        (tmp_path / f"{part}.en").write_text("\n".join(ENGLISH[:number]) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def reviews(tmp_path):
    """A folder of labelled text that is in order."""
    rows = [("so good", "good"), ('bad, "very" bad', "bad"), ("fine", "fine"), ("great", "good")]
    for part in ("train", "valid", "test"):
        text = "label,text\n" + "".join('{},"{}"\n'.format(b, a.replace('"', '""')) for a, b in rows)
        (tmp_path / f"{part}.csv").write_text(text, encoding="utf-8")
    return tmp_path


def test_parallel_text_becomes_a_task(pairs):
    task = Translation(Translation.Config(pair="de-en", vocabulary=200, words="common"), pairs)
    assert [len(task.items(split)) for split in SPLITS] == [4, 2, 3]  # one's own data are never filtered
    shown = task.show("test", 2)
    assert (shown.source, shown.reference) == ("Ein Hund läuft.", "A dog runs.")
    assert task.write(task.items("test").targets[2].tolist()) == "A dog runs."
    assert set(task.floors("test")) == {"constant", "copied source", "dictionary", "nearest neighbour"}


def test_the_pair_says_which_way(pairs):
    there = parallel(pairs, ("de", "en"))
    back = parallel(pairs, ("en", "de"))
    assert there["test"] == (GERMAN[:3], ENGLISH[:3])
    assert back["test"] == (ENGLISH[:3], GERMAN[:3])


@pytest.mark.parametrize("name", ["val", "valid", "validation", "dev", "dev2010", "val.lc.tok"])
def test_validation_has_many_names(pairs, name):
    for language in ("de", "en"):
        (pairs / f"val.{language}").rename(pairs / f"{name}.{language}")
    assert parallel(pairs, ("de", "en"))["validation"] == (GERMAN[:2], ENGLISH[:2])


def test_compressed_files_crlf_and_a_byte_order_mark_are_accepted(pairs):
    (pairs / "train.de").unlink()
    (pairs / "train.de.gz").write_bytes(gzip.compress(("\ufeff" + "\r\n".join(GERMAN)).encode()))
    assert parallel(pairs, ("de", "en"))["train"] == (GERMAN, ENGLISH)


def test_only_a_line_feed_ends_a_line(tmp_path):
    path = tmp_path / "train.de"
    path.write_text("one\u2028same\x85same\x0bsame\ntwo\n", encoding="utf-8")
    assert len(lines(path)) == 2


def test_a_line_without_a_partner_is_named(pairs):
    (pairs / "train.en").write_text("\n".join(ENGLISH[:3]) + "\n", encoding="utf-8")
    expected = r"train.de has 4 lines but .*train.en has 3: line 4 has no partner"
    with pytest.raises(BadInput, match=expected):
        parallel(pairs, ("de", "en"))


def test_a_blank_side_is_named(pairs):
    (pairs / "val.en").write_text("A house.\n \t\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"val.en: line 2 is blank"):
        parallel(pairs, ("de", "en"))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"  \n"])
def test_an_empty_file_is_named(pairs, content):
    (pairs / "test_2016.de").write_bytes(content)
    with pytest.raises(BadInput, match=r"test_2016.de is empty"):
        parallel(pairs, ("de", "en"))


def test_bytes_that_are_not_utf8_are_named_with_their_line(pairs):
    (pairs / "train.de").write_bytes("Ein Haus.\nZwei Häuser.\nü\nx\n".encode().replace("ü".encode(), b"\xfc"))
    with pytest.raises(BadInput, match=r"train.de: line 3 is not valid UTF-8"):
        parallel(pairs, ("de", "en"))


@pytest.mark.parametrize(
    "content", [b"not gzip", gzip.compress(b"A house.\n" * 50, mtime=0)[:-9], b"\x1f\x8b\x08" + bytes(30)]
)
def test_a_damaged_archive_is_named(pairs, content):
    (pairs / "train.en").unlink()
    (pairs / "train.en.gz").write_bytes(content)
    with pytest.raises(BadInput, match=r"train.en.gz (cannot be read|is empty)"):
        parallel(pairs, ("de", "en"))


def test_a_missing_file_is_named_with_what_is_there(pairs):
    (pairs / "val.en").unlink()
    with pytest.raises(BadInput, match=r"no file validation\*.en .*it holds: .*val.de"):
        parallel(pairs, ("de", "en"))
    with pytest.raises(BadInput, match=r"no file train\*.fr"):
        parallel(pairs, ("de", "fr"))


def test_a_missing_folder_is_named(tmp_path):
    for reader in (lambda folder: parallel(folder, ("de", "en")), labelled):
        with pytest.raises(BadInput, match=r"nowhere does not exist"):
            reader(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="is not a folder"):
        labelled(tmp_path / "file")


def test_several_tests_must_be_chosen_from(pairs):
    for language, texts in (("de", GERMAN), ("en", ENGLISH)):
        (pairs / f"test_2017.{language}").write_text(texts[3], encoding="utf-8")
    with pytest.raises(BadInput, match=r"test_2016.de, test_2017.de; choose one with test=test_2016"):
        Translation(Translation.Config(pair="de-en"), pairs)
    chosen = Translation(Translation.Config(pair="de-en", test="test_2017", vocabulary=99), pairs)
    assert chosen.show("test", 0).source == GERMAN[3]
    with pytest.raises(BadInput, match=r"no file test_2018\*.de"):
        Translation(Translation.Config(pair="de-en", test="test_2018"), pairs)


def test_a_link_out_of_the_folder_is_refused(pairs, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.de"
    outside.write_text("\n".join(GERMAN), encoding="utf-8")
    (pairs / "train.de").unlink()
    (pairs / "train.de").symlink_to(outside)
    with pytest.raises(BadInput, match=r"train.de is a link that leads out"):
        parallel(pairs, ("de", "en"))


def test_a_link_within_the_folder_is_accepted(pairs):
    (pairs / "train.de").rename(pairs / "german.txt")
    (pairs / "train.de").symlink_to(pairs / "german.txt")
    assert parallel(pairs, ("de", "en"))["train"][0] == GERMAN


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_without_waiting_for_it(pairs):
    (pairs / "train.de").unlink()
    os.mkfifo(pairs / "train.de")
    with pytest.raises(BadInput, match=r"train.de is not a regular file"):
        parallel(pairs, ("de", "en"))


def test_labelled_text_becomes_a_task(reviews):
    task = Sentiment(Sentiment.Config(vocabulary=100), reviews)
    assert task.labels == ["bad", "fine", "good"]
    assert task.spec.target_size == 7
    assert task.show("test", 1).source == 'bad, "very" bad'
    assert [int(target[0]) for target in task.items("test").targets] == [6, 4, 5, 6]
    assert task.floors("test")["majority"].totals["accuracy"] == 50


def test_the_three_forms_of_a_table_hold_the_same(tmp_path):
    rows = [('he said "no", twice', "-1"), ("two  words", "1")]
    (tmp_path / "a.csv").write_text('text,label\n"he said ""no"", twice",-1\ntwo  words,1\n', encoding="utf-8")
    (tmp_path / "a.tsv").write_text('Label\tid\tText\n-1\t7\the said "no", twice\n1\t8\ttwo  words\n', encoding="utf-8")
    documents = [json.dumps({"text": text, "label": int(label)}) for text, label in rows]
    (tmp_path / "a.jsonl").write_text("\n".join(documents), encoding="utf-8")
    expected = ([text for text, _ in rows], [label for _, label in rows])
    assert table(tmp_path / "a.csv") == table(tmp_path / "a.tsv") == table(tmp_path / "a.jsonl") == expected


def test_one_file_is_split_by_hash_and_stays_so(tmp_path):
    path = tmp_path / "all.tsv"
    rows = [f"text number {i}\t{'even' if i % 2 == 0 else 'odd'}" for i in range(300)]
    path.write_text("text\tlabel\n" + "\n".join(rows), encoding="utf-8")
    first = labelled(tmp_path)
    path.write_text("text\tlabel\n" + "\n".join([*rows, "TEXT, number 7!\todd"]), encoding="utf-8")
    second = labelled(tmp_path)
    assert sum(len(first[split][0]) for split in SPLITS) == 300
    assert 220 < len(first["train"][0]) < 260
    for split in SPLITS:
        assert set(first[split][0]) <= set(second[split][0])
        assert ("text number 7" in second[split][0]) == ("TEXT, number 7!" in second[split][0])


def test_too_few_texts_to_split_are_refused(tmp_path):
    (tmp_path / "all.csv").write_text("text,label\nso good,1\nso bad,0\n")
    with pytest.raises(BadInput, match=r"too few texts \(2\) to split"):
        labelled(tmp_path)


def test_a_label_seen_only_in_the_test_is_named(reviews):
    with (reviews / "test.csv").open("a") as file:
        file.write("odd,strange\n")
    with pytest.raises(BadInput, match=r"label 'odd' is in test but never in training"):
        Sentiment(data=reviews)


def test_one_label_is_not_a_choice(reviews):
    (reviews / "train.csv").write_text("text,label\nso good,good\nso bad,good\n")
    with pytest.raises(BadInput, match=r"training holds 1 label \(good\)"):
        labelled(reviews)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "sentence,label\nx,y\n", r"line 1 must name the columns text and label, .*found: sentence, label"),
        ("a.csv", "text,label,TEXT \nx,y,z\n", r"each once; found: text, label, text"),
        ("a.csv", "\ntext,label\nx,y\n", r"line 1 must name the columns"),
        ("a.csv", "text,label\nx,y\nx,y,z\n", r"line 3 has 3 columns, expected 2"),
        ("a.csv", "text,label\nx,y\n  ,y\n", r"line 3 lacks a text or a label"),
        ("a.csv", 'text,label\n"x,y\n', r"line \d cannot be read"),
        ("a.csv", "text,label\n", r"holds no rows"),
        ("a.tsv", "text\tlabel\nx\t \n", r"line 2 lacks a text or a label"),
        ("a.jsonl", '{"text": "x", "label": "y"}\n{"text": \n', r"line 2 is not JSON"),
        ("a.jsonl", '{"text": "x", "label": "y"}\n["x", "y"]\n', r"line 2 is not an object"),
        ("a.jsonl", '{"text": "x", "label": null}\n', r"line 1 lacks a text or a label"),
        ("a.jsonl", '{"text": "x", "label": "y"}\n' + "[" * 100_000, r"line 2 is not JSON"),
        ("a.jsonl", '{"text": "x", "label": "y"}\n{"text": "bad \\ud800", "label": "y"}', r"line 2 holds half"),
        ("a.jsonl", '{"text": "x", "label": "\\udfff"}', r"line 1 holds half of a surrogate pair"),
        ("a.jsonl", '{"text": "x", "label": "y", "text": "z"}', r"line 1 is not JSON \('text' stands there twice\)"),
        ("a.jsonl", '{"text": "x", "label": NaN}', r"line 1 lacks a text or a label"),
        ("a.jsonl", '{"text": "x", "label": 1' + "0" * 5000 + "}", r"line 1 is not JSON"),
        ("a.csv", "text,label\nx,y\n" + "x" * 200_000 + ",y\n", r"line 3 has 200,002 characters; at most 131,072"),
        ("a.csv", 'text,label\n"' + "x\n" * 100_000 + '",y\n', r"line \d+ cannot be read: field larger"),
    ],
)
def test_a_fault_in_a_table_is_named_with_its_line(tmp_path, name, content, words):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=words):
        table(tmp_path / name)


def test_a_circle_of_links_and_a_link_to_nothing_are_named(pairs):
    for target in ("train.de", "nowhere.de"):
        (pairs / "train.de").unlink()
        (pairs / "train.de").symlink_to(pairs / target)
        with pytest.raises(BadInput, match=r"train.de cannot be read"):
            parallel(pairs, ("de", "en"))


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_file_of_more_bytes_than_are_read_is_refused_with_the_limit(pairs, monkeypatch, ending):
    monkeypatch.setattr(_folder, "LARGEST_TEXT", 1000)
    (pairs / "train.de").unlink()
    content = os.urandom(1001)  # large when packed, too
    (pairs / f"train.de{ending}").write_bytes(gzip.compress(content) if ending else content)
    with pytest.raises(BadInput, match=rf"train.de{ending} has 1,0\d\d bytes; at most 1,000 are read"):
        parallel(pairs, ("de", "en"))


def test_a_small_archive_is_unpacked_no_further_than_the_limit(pairs, monkeypatch):
    monkeypatch.setattr(_folder, "LARGEST_TEXT", 3_000_000)
    (pairs / "train.de").unlink()
    (pairs / "train.de.gz").write_bytes(gzip.compress(b"a line\n" * 20_000_000))
    tracemalloc.start()
    with pytest.raises(BadInput, match=r"train.de.gz unpacks to more than 3,000,000 bytes"):
        parallel(pairs, ("de", "en"))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10_000_000  # bytes, of 140 million


def test_a_line_without_end_is_refused_with_the_limit(pairs):
    longest = _folder.LONGEST_LINE
    (pairs / "train.de").write_text("x" * longest + "\n" + "x" * (longest + 1) + "\nx\nx\n")
    with pytest.raises(BadInput, match=r"train.de: line 2 has 131,073 characters; at most 131,072 are read"):
        parallel(pairs, ("de", "en"))
    (pairs / "train.de").write_text("x" * longest + "\nx\nx\nx\n")
    assert len(parallel(pairs, ("de", "en"))["train"][0][0]) == longest


def test_a_folder_whose_name_is_too_long_is_named(tmp_path):
    with pytest.raises(BadInput, match="cannot be read: File name too long"):
        labelled(tmp_path / ("x" * 5000))


def test_texts_that_stand_in_an_earlier_split_too_are_kept_and_counted(reviews):
    with (reviews / "train.csv").open("a") as file:
        file.write("good,never again\nfine,!!!\n")
    (reviews / "valid.csv").write_text("label,text\ngood,NEVER again!\nbad,new\n")
    (reviews / "test.csv").write_text("label,text\ngood,New.\nbad,newer\nfine,!!!\nfine,???\n")
    task = Sentiment(Sentiment.Config(vocabulary=100), reviews)
    assert task.overlap == {"validation": 1, "test": 2}
    assert len(task.items("test")) == 4


def test_a_long_row_of_marks_is_compared_in_time():
    started = time.monotonic()
    assert normal("a" + "\u0301\u0327" * 60_000 + "b") == normal("á\u0327b")
    assert time.monotonic() - started < 2  # seconds; sorted by the standard library it takes 20


def test_a_corpus_of_long_sentences_alone_has_floors(pairs):
    for language in ("de", "en"):
        (pairs / f"train.{language}").write_text("\n".join(["word " * 60] * 4))
    task = Translation(Translation.Config(pair="de-en", vocabulary=200, longest=100), pairs)
    assert task.floors("test")["dictionary"].totals.keys() >= {"bleu", "chrf"}


def test_verses_take_no_folder(pairs):
    with pytest.raises(BadInput, match="task translation"):
        Verses(data=pairs)


@pytest.mark.skipif(not MULTI30K.is_dir(), reason=f"needs Multi30k in {MULTI30K}, which may not be distributed")
def test_multi30k_is_read_as_it_is_distributed():
    texts = parallel(MULTI30K, ("de", "en"))
    assert [len(texts[split][0]) for split in SPLITS] == [29_000, 1_014, 1_000]
    assert all(len(sources) == len(targets) for sources, targets in texts.values())
