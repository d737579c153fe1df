"""Scenes: the grammar, what is held out, how answers are marked, and the task around them."""

from __future__ import annotations

import functools
import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import EOS, SPECIALS, SPLITS, BadInput, captioning, configured
from tasks import _scenes as scenes
from tasks._scenes import ABOVE, CELLS, EMPTY, KINDS, LEFT, WORDS, Scene
from tasks.captioning import GRID, Captioning, photographs
from tasks.floors import nearest_vectors

cells = st.lists(st.sampled_from([EMPTY, *range(len(KINDS))]), min_size=CELLS, max_size=CELLS)
any_scene = cells.filter(lambda kinds: any(k != EMPTY for k in kinds)).map(lambda k: Scene(tuple(k), (0,) * CELLS))
sentences = st.lists(st.sampled_from(WORDS), max_size=12)


@functools.cache
def task(**settings):
    return Captioning(Captioning.Config(**({"scenes": 1000} | settings)))


def said(scene):
    return [word for word, _ in scenes.describe(scenes.placed(scene))]


@settings(deadline=None)
@given(any_scene)
def test_a_sentence_read_back_gives_the_scene(scene):
    assert scenes.parse(said(scene)) == scenes.placed(scene)


@settings(deadline=None)
@given(sentences)
def test_whatever_parses_says_again_what_it_meant(words):
    items = scenes.parse(words)
    if items is not None:
        assert scenes.parse([word for word, _ in scenes.describe(items)]) == items


def test_the_drawn_example_is_described_as_the_docstring_says():
    bag, boot, coat = (KINDS.index(kind) for kind in ("bag", "boot", "coat"))
    example = Scene((bag, bag, EMPTY, EMPTY, EMPTY, EMPTY, boot, EMPTY, coat), (0,) * CELLS)
    sentence = "two bags far above a boot far left of a coat"
    assert " ".join(said(example)) == sentence
    tokens = [len(SPECIALS) + WORDS.index(word) for word in said(example)] + [EOS]
    assert f"target: {sentence}  -> {' '.join(map(str, tokens))}" in captioning.__doc__


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "bag",
        "a",
        "a bags",
        "two bag",
        "a bag left",
        "a bag left of",
        "a bag of a bag",
        "a bag a bag",
        "a bag far a boot",
        "above a bag",
        "a bag above above a boot",
        "<unk> bag",
        "a bag far far above a boot",
    ],
)
def test_what_the_grammar_does_not_allow_is_not_parsed(sentence):
    assert scenes.parse(sentence.split()) is None


def brute_force(scene):
    """Relations and kinds straight from coordinates."""
    at = [(divmod(cell, 3), kind) for cell, kind in enumerate(scene.kinds) if kind != EMPTY]
    relations = [()]
    for ((row, column), _), ((next_row, next_column), _) in itertools.pairwise(at):
        gap = next_row - row - 1 if next_row > row else next_column - column - 1
        relations.append((("far",) if gap else ()) + (ABOVE if next_row > row else LEFT))
    return relations, [kind for _, kind in at]


@settings(deadline=None)
@given(any_scene, any_scene)
def test_marks_agree_with_brute_force(truth, other):
    relations, kinds = brute_force(truth)
    other_relations, other_kinds = brute_force(other)
    mark = scenes.mark(said(other), scenes.placed(truth))
    assert mark.structure == (relations == other_relations)
    right = [a == b for a, b in zip(kinds, other_kinds, strict=False)] if mark.structure else [False] * len(kinds)
    assert list(mark.named) == right


def test_a_wrong_kind_leaves_the_structure_right_though_the_count_changes():
    truth = scenes.parse(["two", "bags", "above", "a", "coat"])
    mark = scenes.mark(["a", "bag", "left", "of", "a", "boot", "above", "a", "coat"], truth)
    assert mark == (True, (True, False, True))


def test_structure_and_naming_of_a_split_agree_with_counting_by_hand():
    k = task()
    composed = k.composed("validation")
    answers = [target.tolist() for target in k.items("validation").targets]
    bag, boot = (len(SPECIALS) + WORDS.index(word) for word in ("bag", "boot"))
    answers = [
        [boot if token == bag else token for token in answer] for answer in answers
    ]  # every single bag is a boot
    answers[0] = []
    totals = k.score(answers, "validation").totals
    alone = [sum(w == "bag" for w in s) for s in composed.sentences]
    lost = sum(alone[1:]) + len(composed.placed[0])
    number = sum(len(items) for items in composed.placed)
    assert totals["structure"] == pytest.approx(100 * (1 - 1 / len(composed)))
    assert totals["naming"] == pytest.approx(100 * (1 - lost / number))
    assert totals["exact"] == pytest.approx(100 * sum(n == 0 for n in alone[1:]) / len(composed))
    assert totals["kind_bag"] < 60 < totals["kind_coat"]


def test_held_out_combinations_never_occur_in_training_and_each_fourth_scene_elsewhere_has_one():
    every = set().union(*scenes.HELD_OUT.values())
    assert len(every) == 18
    for items in task().composed("train").placed:
        assert not scenes.neighbours(items) & every
    for split in ("validation", "test"):
        other = every - scenes.HELD_OUT[split]
        for number, items in enumerate(task().composed(split).placed):
            assert scenes.held_out(items, split) == (number % 4 == 3)
            assert not scenes.neighbours(items) & other


def test_every_kind_stands_on_both_sides_of_some_trained_pair():
    shown = set().union(*(scenes.neighbours(items) for items in task().composed("train").placed))
    assert {a for a, _ in shown} == {b for _, b in shown} == set(range(len(KINDS)))


def test_no_photograph_is_in_two_splits():
    seen = [{photo.tobytes() for kind in photographs(split) for photo in kind} for split in SPLITS]
    assert [len(photos) for photos in seen] == [9000, 900, 1800]
    assert len(set().union(*seen)) == 11_700


def test_more_scenes_begin_with_the_same_scenes():
    assert task(scenes=50).composed("train").scenes == task().composed("train").scenes[:50]


def test_scenes_are_the_same_on_every_machine():
    assert [" ".join(s) for s in task().composed("test").sentences[:3]] == [
        "two bags far above a bag",
        "a sneaker far above a sneaker",
        "a pullover left of a bag above a bag",
    ]


def test_sentences_have_five_to_twenty_three_words_and_two_to_six_items():
    composed = task().composed("train")
    assert {len(items) for items in composed.placed} == {2, 3, 4, 5, 6}
    assert all(5 <= len(sentence) <= scenes.LONGEST for sentence in composed.sentences)


def test_the_longest_sentence_a_grid_can_need_fits_the_spec():
    far = (0, EMPTY, 1) * 3
    three = (0, 1, 0, 1, 0, 1, EMPTY, EMPTY, EMPTY)
    apart = (0, 1, 0, EMPTY, EMPTY, EMPTY, 1, 0, 1)
    longest = max(len(said(Scene(kinds, (0,) * CELLS))) for kinds in (far, three, apart))
    assert longest == scenes.LONGEST == task().spec.max_target - 1


def test_sources_hold_the_photographs_named_and_black_elsewhere():
    composed = task().composed("test")
    for item in range(20):
        scene, patches = composed.scenes[item], composed[item]
        for cell in range(CELLS):
            if scene.kinds[cell] == EMPTY:
                assert not patches[cell].any()
            else:
                photo = composed.photos[scene.kinds[cell], scene.photos[cell]]
                assert np.array_equal(np.rint(patches[cell] * 255), photo)
        assert np.array_equal(patches, composed[item])


def test_one_vector_holds_the_same_pixels_as_nine_patches():
    one, nine = task(global_vector=True, scenes=9), task(scenes=9)
    assert one.items("train").sources[2].shape == (1, 84 * 84)
    assert (one.spec.grid, one.spec.patch_shape, nine.spec.grid) == (None, (1, 84, 84), GRID)
    picture = nine.show("train", 2).picture
    assert np.array_equal(np.rint(one.items("train").sources[2].reshape(84, 84) * 255), picture[..., 0])
    assert np.allclose(scenes.cut(picture[..., :1], *GRID), nine.items("train").sources[2], atol=1e-6)


def test_every_word_is_aligned_with_the_cells_it_speaks_of():
    k = task()
    composed = k.composed("test")
    for item in range(50):
        words, about = composed.sentences[item], k.alignment("test", item)
        assert len(words) == len(about)
        for word, patches in zip(words, about, strict=True):
            assert patches <= set(composed.scenes[item].cells())
            if word in (*KINDS, *scenes.PLURALS):
                names = KINDS if word in KINDS else scenes.PLURALS
                assert {composed.scenes[item].kinds[patch] for patch in patches} == {names.index(word)}
    assert task(global_vector=True, scenes=9).alignment("train", 0)[0] == {0}


def test_perfect_answers_reach_the_best_scores_and_gibberish_is_scored_not_raised():
    k = task()
    best = k.score([target.tolist() for target in k.items("validation").targets], "validation")
    assert all(v == pytest.approx(10 if m.startswith("cider") else 100) for m, v in best.totals.items())
    assert best.totals.keys() == best.signatures.keys()
    worst = k.score([[3, 5, 5, 0, 1]] * 800, "validation")
    assert worst.totals["structure"] == worst.totals["naming"] == worst.totals["exact_held_out"] == 0


def test_floors_are_in_order_and_quick():
    started = time.process_time()
    floors = task().floors("validation")
    assert time.process_time() - started < 10
    exact = {floor: scores.totals["exact"] for floor, scores in floors.items()}
    assert list(exact) == sorted(exact, key=exact.__getitem__) == ["constant", "nearest neighbour", "patchwise"]
    assert exact["constant"] < 5
    assert floors["patchwise"].totals["structure"] == 100
    assert 30 < exact["patchwise"] < 80


@pytest.mark.parametrize("part", [10_000, 300])
def test_the_nearest_scene_is_looked_for_in_all_of_training(part, monkeypatch):
    monkeypatch.setattr(captioning, "PART", part)
    train, asked = task().composed("train"), task().composed("test")
    stacked = [np.stack([some.patches(i).ravel() for i in range(len(some))]) for some in (train, asked)]
    found = captioning._nearest(train, asked)
    assert np.array_equal(found, nearest_vectors(*stacked))
    assert set(found // 100) == set(range(len(train) // 100))


def test_scenes_are_drawn_and_put_into_tokens_once_and_before_training_starts(monkeypatch):
    k = Captioning(Captioning.Config(scenes=20))
    assert "train" in k.splits
    first = {split: k.items(split) for split in ("train", "validation")}
    monkeypatch.setattr(captioning, "_tokens", None)
    monkeypatch.setattr(captioning, "Composed", None)
    assert all(k.items(split) is items for split, items in first.items())
    assert len(list(k.batches("train", 7, epoch=1))) == 3


def test_a_picture_file_becomes_a_source(tmp_path):
    from PIL import Image

    k = task()
    Image.fromarray(k.show("test", 1).picture).save(tmp_path / "scene.png")
    assert np.allclose(k.read(str(tmp_path / "scene.png")), k.items("test").sources[1], atol=0.01)


def test_impossible_settings_are_refused():
    with pytest.raises(BadInput, match="captioning: scenes=0 lies outside 1 to 1,000,000"):
        configured(Captioning.Config, {"scenes": 0}, "captioning")


def test_composing_a_source_is_quick():
    sources = task().items("train").sources
    started = time.process_time()
    for item in range(300):
        sources[item]
    assert (time.process_time() - started) / 300 < 5e-4  # seconds; ten times what it takes on a quiet machine
