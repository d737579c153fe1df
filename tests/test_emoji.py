"""Emoji: what is drawn, what is held out, how answers are scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks import SPLITS, BadInput, Items, configured
from tasks._files import rows
from tasks._parallel import MARGIN
from tasks.emoji import NAMES, Emoji, combination


@pytest.fixture(scope="module")
def task():
    return Emoji()


def names(task, split):
    return [named.names[0] for named in task.splits[split]]


def test_every_picture_is_in_one_split_and_no_two_are_the_same(task):
    pictures = [named.picture.tobytes() for split in SPLITS for named in task.splits[split]]
    assert len(pictures) == len(set(pictures)) == 3641
    said = [name for split in SPLITS for named in task.splits[split] for name in named.names]
    assert len(said) == len(rows(NAMES)) - 1 == 3655


def test_a_combination_is_an_activity_with_its_tones_whoever_does_it():
    assert combination("man surfing dark skin tone") == ("surfing", ("dark skin tone",))
    assert combination("woman surfing medium-dark skin tone")[1] == ("medium-dark skin tone",)
    assert combination("kiss person person dark skin tone light skin tone")[1] == ("dark skin tone", "light skin tone")
    assert combination("pizza") == ("pizza", ())


def test_held_out_combinations_never_occur_in_training_and_the_others_do(task):
    shown = {combination(name) for name in names(task, "train")}
    for split in ("validation", "test"):
        for name, held in zip(names(task, split), task.held_out[split], strict=True):
            assert (combination(name) not in shown) == held
        assert 0.6 < task.held_out[split].mean() < 0.8
    assert not task.held_out["train"].any()


def test_every_word_and_activity_of_a_test_name_occurs_in_training(task):
    words = {word for name in names(task, "train") for word in name.split()}
    activities = {combination(name)[0] for name in names(task, "train")}
    for split in ("validation", "test"):
        for name in names(task, split):
            assert set(name.split()) <= words
            assert combination(name)[0] in activities


def test_perfect_answers_reach_the_best_scores(task):
    best = task.score([target.tolist() for target in task.items("test").targets], "test")
    assert all(v == pytest.approx(10 if m.startswith("cider") else 100) for m, v in best.totals.items())
    assert best.totals.keys() == best.signatures.keys()
    assert {"chrf_held_out", "exact_held_out", "cider_held_out"} <= best.totals.keys()


def test_a_shared_picture_may_be_called_by_any_of_its_names(task):
    train = task.splits["train"]
    item = next(i for i, named in enumerate(train) if "norway" in named.names)
    assert {"norway", "bouvet island"} <= set(train[item].names)
    answers = [[] for _ in train]
    answers[item] = task.text.encode("norway").tolist()
    assert task.score(answers, "train").items["exact"][item] == 100


def test_sources_are_patches_of_the_picture_shown(task):
    from tasks._scenes import paste

    assert (task.spec.grid, task.spec.patch_shape) == ((4, 4), (3, 8, 8))
    source = task.items("test").sources[5]
    assert source.shape == (16, 192)
    assert np.array_equal(paste(source, (3, 8, 8), 4, 4), task.show("test", 5).picture)


def test_the_nearest_picture_names_the_thing_but_never_all_of_it(task):
    floors = task.floors("test")
    assert floors["nearest neighbour"].totals["chrf"] > 60
    assert floors["nearest neighbour"].totals["exact"] == 0
    assert floors["constant"].totals["chrf"] < 20


def test_a_picture_file_becomes_a_source(task, tmp_path):
    from PIL import Image

    Image.fromarray(task.show("test", 0).picture).save(tmp_path / "emoji.png")
    assert np.allclose(task.read(str(tmp_path / "emoji.png")), task.items("test").sources[0], atol=0.01)


@pytest.mark.parametrize(("settings", "words"), [({"patch": 5}, "none of: 4, 8, 16, 32"), ({"vocabulary": 10}, "100")])
def test_impossible_settings_are_refused(settings, words):
    with pytest.raises(BadInput, match=f"emoji: .*{words}"):
        configured(Emoji.Config, settings, "emoji")


@pytest.mark.parametrize("patch", [4, "16"])
def test_pictures_are_cut_as_asked(patch):
    cut = Emoji(configured(Emoji.Config, {"patch": patch}, "emoji"))
    assert cut.spec.patch_shape == (3, int(patch), int(patch))
    assert cut.items("test").sources[0].shape == ((32 // int(patch)) ** 2, 3 * int(patch) ** 2)


def test_the_longest_answer_is_known_from_training_alone_and_has_room_for_every_name(task, monkeypatch):
    longest = {split: max(len(target) for target in task.items(split).targets) for split in SPLITS}
    assert task.spec.max_target == longest["train"] + MARGIN >= max(longest.values())
    named = Emoji._tokens

    def lengthened(self, split):
        items = named(self, split)
        more = [np.concatenate([target[:-1]] * 9 + [target]) for target in items.targets]
        return items if split == "train" else Items(items.sources, more, items.source_lengths)

    monkeypatch.setattr(Emoji, "_tokens", lengthened)
    assert Emoji().spec.max_target == task.spec.max_target


def test_data_of_ones_own_are_refused_with_a_way_out():
    with pytest.raises(BadInput, match="captioning=mine"):
        Emoji(None, Path("mine"))
