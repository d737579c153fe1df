"""CIDEr-D against frozen values, and its limits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks._caption_score import CiderD, caption_scores
from tasks._score import text_scores

REFERENCES = [
    ["a dog runs on the grass", "a brown dog is running"],
    ["two cats sleep on a red sofa"],
    ["a man rides a horse on the beach", "a person on a horse", "the man is riding a horse by the sea"],
    ["a dog sleeps on the sofa", "one dog on a sofa"],
]
ANSWERS = ["a dog is running on the grass", "two dogs sleep on the sofa", "a a a horse", "a dog sleeps on the sofa"]
# from the class Cider of pycocoevalcap 1.2.0, run once
GOLDEN = [2.9391377976139506, 2.028862469778697, 1.5910710234073808, 5.405145058259366]

captions = st.lists(st.sampled_from(["a", "bag", "two", "left", "of", "boot", "far"]), min_size=1, max_size=9).map(
    " ".join
)


def test_cider_d_equals_the_values_of_the_authors_code():
    assert CiderD(REFERENCES).scores(ANSWERS) == pytest.approx(GOLDEN, rel=1e-9)


def test_a_perfect_answer_to_a_single_reference_scores_ten():
    references = ["a bag left of a coat", "two boots above a bag", "a dress far above a top"]
    assert CiderD([[r] for r in references]).scores(references) == pytest.approx([10, 10, 10])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(captions, st.lists(captions, min_size=1, max_size=3)), min_size=1, max_size=5))
def test_every_score_lies_within_its_scale(pairs):
    answers, references = [h for h, _ in pairs], [r for _, r in pairs]
    totals, items, signatures = caption_scores(answers, references)
    assert totals.keys() == items.keys() == signatures.keys() == {"bleu", "chrf", "exact", "cider"}
    for metric, most in {"bleu": 100, "chrf": 100, "exact": 100, "cider": 10}.items():
        assert all(0 <= value <= most + 1e-6 for value in [totals[metric], *items[metric]])
        assert len(items[metric]) == len(pairs)


def test_an_empty_answer_scores_nothing():
    assert CiderD(REFERENCES).scores(["", "", "", ""]) == [0, 0, 0, 0]


def test_one_reference_each_gives_what_text_scores_gives():
    single = [r[0] for r in REFERENCES]
    totals, _, signatures = caption_scores(ANSWERS, [[r] for r in single])
    plain, _, plain_signatures = text_scores(ANSWERS, single)
    assert {m: totals[m] for m in plain} == plain
    assert {m: signatures[m] for m in plain} == plain_signatures


def test_more_references_never_hurt_exact_and_bleu_counts_them_all():
    totals, items, signatures = caption_scores(ANSWERS, REFERENCES)
    assert items["exact"] == [0, 0, 0, 100]
    assert totals["exact"] == 25
    assert totals["bleu"] > text_scores(ANSWERS, [r[-1] for r in REFERENCES])[0]["bleu"]
    assert "nrefs:var" in signatures["bleu"]


def test_the_signature_says_that_these_are_not_the_servers_numbers():
    assert "not comparable with COCO-server numbers" in caption_scores(ANSWERS, REFERENCES)[2]["cider"]


@pytest.mark.parametrize(("answers", "references"), [([], []), (["a"], [[]]), (["a", "b"], [["a"]])])
def test_unequal_numbers_and_missing_references_raise(answers, references):
    with pytest.raises(ValueError, match=r"reference|shorter|longer"):
        caption_scores(answers, references)
