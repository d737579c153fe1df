"""Answerers without a sequence model, against plain loops and against what they must never beat."""

from collections import defaultdict

import numpy as np
import pytest

from tasks._score import label_scores, text_scores
from tasks.floors import (
    NULL,
    Dictionary,
    bag_of_words,
    ibm1,
    most_frequent,
    nearest_texts,
    nearest_vectors,
    unspaced,
    words,
)

PAIRS = [
    (["das", "haus", "ist", "klein"], ["the", "house", "is", "small"]),
    (["das", "buch", "ist", "gut"], ["the", "book", "is", "good"]),
    (["ein", "haus"], ["a", "house"]),
    (["ein", "buch", "ein", "buch"], ["a", "book", "a", "book"]),
    (["klein", "ist", "das", "buch"], ["the", "small", "book"]),
]


def ibm1_by_loops(pairs, rounds):
    """Brown et al. (1993), 4.2, as it stands in the paper."""
    chance = defaultdict(lambda: 1.0)
    for _ in range(rounds):
        count, total = defaultdict(float), defaultdict(float)
        for source, target in pairs:
            for e in target:
                explained = sum(chance[e, f] for f in [NULL, *source])
                for f in [NULL, *source]:
                    count[e, f] += chance[e, f] / explained
                    total[f] += chance[e, f] / explained
        chance = defaultdict(float, {(e, f): value / total[f] for (e, f), value in count.items()})
    return chance


@pytest.mark.parametrize("rounds", [1, 2, 7])
def test_the_dictionary_learns_what_a_plain_loop_learns(rounds):
    expected = ibm1_by_loops(PAIRS, rounds)
    learned = ibm1(PAIRS, rounds)
    assert set(learned) == {word for source, _ in PAIRS for word in source}
    for source, (target, value) in learned.items():
        assert value == pytest.approx(expected[target, source], rel=1e-9)
        assert value == pytest.approx(max(v for (_, f), v in expected.items() if f == source), rel=1e-9)


def test_the_dictionary_finds_the_right_words():
    learned = ibm1(PAIRS, 20)
    assert {f: learned[f][0] for f in ("haus", "buch", "ein", "gut")} == {
        "haus": "house",
        "buch": "book",
        "ein": "a",
        "gut": "good",
    }


def test_a_dictionary_without_sentences_is_refused():
    with pytest.raises(ValueError, match="at least one pair"):
        ibm1([], 3)


def test_the_dictionary_copies_unknown_words_and_writes_as_the_targets_do():
    sources = ["das Haus", "das Buch", "ein Haus", "ein Buch", "in Berlin", "in Haus"]
    targets = ["The house", "The book", "A house", "A book", "In Berlin", "In house"]
    dictionary = Dictionary(sources, targets, rounds=20)
    assert dictionary.translate("Das Haus, quux in berlin") == "The house, quux In Berlin"
    assert dictionary.translate("haus") == "house"


def test_marks_stand_where_a_reader_expects_them():
    assert unspaced(words("¿Qué (no) hay, don't go!")) == "¿Qué (no) hay, don't go!"


def test_the_most_frequent_answer_is_the_first_seen_of_equals():
    assert most_frequent(["b", "a", "a", "b"]) == "b"
    assert most_frequent([3, 5, 5]) == 5


def test_a_bag_of_words_learns_words_and_pairs():
    train = ["a good film", "good fun", "so good", "it is not good", "not good really", "a bad film"] * 4
    labels = [5, 5, 5, 4, 4, 4] * 4
    assert bag_of_words(train, labels, ["good", "not good", "bad thing"]) == [5, 4, 4]


def test_the_nearest_text_shares_the_rare_words():
    train = ["the time zone", "the device is off", "the zone of the device"]
    assert list(nearest_texts(train, ["time", "a device that is off", "zone of devices"], chunk=2)) == [0, 1, 2]


def test_the_nearest_vector_is_by_angle_not_length():
    train = np.array([[100.0, 1.0, 0.0], [0.0, 0.0, 0.1], [1.0, 1.0, 1.0]])
    asked = np.array([[1.0, 0.0, 0.0], [0.0, 0.1, 5.0], [9.0, 8.0, 9.0], [0.0, 0.0, 0.0]])
    assert list(nearest_vectors(train, asked, chunk=3)[:3]) == [0, 1, 2]


def test_text_scores_are_full_for_the_reference_and_none_for_nothing():
    references = ["The cat sat on the mat.", "It is switched off now."]
    totals, items, signatures = text_scores(references, references)
    assert totals == pytest.approx({"bleu": 100, "chrf": 100, "exact": 100})
    assert text_scores(["", ""], references)[0] == pytest.approx({"bleu": 0, "chrf": 0, "exact": 0})
    assert all(len(values) == 2 for values in items.values())
    assert "tok:13a" in signatures["bleu"]
    assert "case:mixed" in signatures["bleu"]


def test_text_scores_see_case_unless_told_otherwise():
    given, reference = ["THE CAT SAT ON THE MAT"], ["the cat sat on the mat"]
    assert text_scores(given, reference)[0]["bleu"] == pytest.approx(0)
    totals, _, signatures = text_scores(given, reference, lower=True)
    assert totals["bleu"] == pytest.approx(100)
    assert "case:lc" in signatures["bleu"]


def test_bleu_is_the_geometric_mean_with_the_brevity_penalty():
    """One sentence, worked by hand: precisions 4/4, 3/3, 2/2, 1/1 and length 4 for 5."""
    totals, _, _ = text_scores(["a b c d"], ["a b c d e"])
    assert totals["bleu"] == pytest.approx(100 * np.exp(1 - 5 / 4))


def test_label_scores_are_by_hand():
    scores = label_scores([4, 4, 5, 0], [4, 5, 5, 5])
    assert scores.totals["accuracy"] == pytest.approx(50)
    f_4, f_5 = 2 * 1 / (2 + 1), 2 * 1 / (1 + 3)  # 2 true positives / (answers + labels)
    assert scores.totals["macro_f1"] == pytest.approx(50 * (f_4 + f_5))
    assert scores.items["accuracy"] == [100, 0, 100, 0]


def test_scores_of_unequal_numbers_are_refused():
    with pytest.raises(ValueError, match="1 answers for 2 references"):
        text_scores(["a"], ["a", "b"])
    with pytest.raises(ValueError, match="0 answers for 0 references"):
        label_scores([], [])
