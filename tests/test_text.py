"""Vocabularies: never larger than asked, the same from the same, and learned in time from whatever is given."""

from __future__ import annotations

import random
import time
import unicodedata
from collections import Counter

import pytest

from tasks import SPECIALS, UNK, BadInput
from tasks._text import LONGEST_WORD, Text, is_text, written

KINDS = ["bpe", "word", "character"]


def of_many_characters(number=400):
    draw = random.Random(0)
    return ["".join(chr(0x4E00 + int(draw.expovariate(0.002))) for _ in range(20)) for _ in range(number)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [8, 50, 300])
def test_no_vocabulary_is_larger_than_asked(kind, size):
    assert Text.learn(of_many_characters(), kind, size).size == size


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_is_learned_from_the_same_where_characters_are_too_many(kind):
    # among characters that are equally frequent, the trainer itself would choose at random
    sentences = ["".join(chr(0x4E00 + 20 * i + j) for j in range(20)) for i in range(30)]
    assert len({Text.learn(sentences, kind, 100).document() for _ in range(5)}) == 1


@pytest.mark.parametrize(("kind", "space"), [("bpe", "▁"), ("character", " ")])
def test_the_most_frequent_characters_are_kept_and_the_others_unknown(kind, space):
    sentences = [f"{a} {b}" for a, b in zip(of_many_characters(), reversed(of_many_characters()), strict=True)]
    text = Text.learn(sentences, kind, 60)
    count = Counter("".join(sentences).replace(" ", ""))
    kept = [c for c, _ in count.most_common(40)]
    assert {*kept, space} <= set(text.tokenizer.get_vocab())
    rare = min(count, key=lambda c: (count[c], c))
    assert UNK in text.encode(rare)
    assert UNK not in text.encode(kept[0])


def test_characters_are_counted_as_they_are_read_composed_and_in_lower_case():
    sentences = ["E\u0301" * 50 + "b" * 40 + "c" * 30 + "d" * 20 + "f" * 10]
    vocabulary = set(Text.learn(sentences, "character", len(SPECIALS) + 4, lower=True).tokenizer.get_vocab())
    assert vocabulary == {*SPECIALS, "é", "b", "c", "d"}


def test_where_there_is_room_every_character_is_known():
    sentences = of_many_characters(20)
    text = Text.learn(sentences, "bpe", 2000)
    assert all(UNK not in text.encode(sentence) for sentence in sentences)


def test_a_word_without_end_is_learned_from_in_time():
    draw = random.Random(0)
    word = "".join(draw.choices("abcdefgh", k=500_000))
    started = time.monotonic()
    text = Text.learn([word, "ab cd"], "bpe", 300)
    assert time.monotonic() - started < 5  # seconds; whole, it takes minutes
    assert text.decode(text.encode(word[:5000]).tolist()) == word[:5000]


def test_words_of_a_usual_length_are_learned_from_whole():
    word = "ab" * (LONGEST_WORD // 2 - 1) + "xy"
    vocabulary = Text.learn([f"{word} {word}"] * 5, "bpe", 5000).tokenizer.get_vocab()
    assert max(len(token) for token in vocabulary) == len(word) + 1  # and the space before it


def test_bytes_that_are_no_text_are_refused_by_name():
    assert is_text("né 日本 \U0001f600\0")
    for text in ("half \ud800", "a byte \udcff"):
        assert not is_text(text)
        with pytest.raises(BadInput, match=r"translation: .* not valid UTF-8"):
            written(text, "translation")
    assert written(unicodedata.lookup("SNOWMAN"), "x") == "☃"
