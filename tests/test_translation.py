"""Translation: which pairs it takes, what a model sees of them, and how answers are scored."""

import hashlib
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

import tasks._parallel as parallel_file
from tasks import EOS, SPECIALS, SPLITS, BadInput, configured, load
from tasks._parallel import MARGIN, _encoded
from tasks._score import text_scores
from tasks._text import Text
from tasks.translation import Translation, _vendored, common
from tasks.verses import Verses

SMALL = {
    "train": (
        ["Turn it on", "Turn it off", "Turn it", "it is on", "On it is", "a b c d"],
        ["An", "Aus", "An", "an", "an das señor", "x y"],
    ),
    "validation": (["turn it", "turn off"], ["AN", "an"]),
    "test": (["it, it!", "it on now"], ["an", "an"]),
}


@pytest.fixture(scope="module")
def task():
    return Translation()


@pytest.fixture
def own(tmp_path):
    """A tiny task of one's own data."""

    def get(texts=SMALL, **settings):
        for split, sides in texts.items():
            for language, sentences in zip(("en", "es"), sides, strict=True):
                (tmp_path / f"{split}.{language}").write_text("\n".join(sentences), encoding="utf-8")
        return Translation(Translation.Config(**{"vocabulary": 200, **settings}), tmp_path)

    return get


def test_common_words_are_counted_on_each_side_of_training_alone():
    kept = common(SMALL, least=3)
    assert kept["train"] == (["Turn it on", "Turn it"], ["An", "An"])  # "is", "Aus" are rare
    assert kept["validation"] == (["turn it"], ["AN"])  # "off" occurs once in training
    assert kept["test"] == (["it, it!"], ["an"])  # "now" never does, marks do not count


def test_every_common_pair_is_also_among_all_pairs(task):
    every = _vendored("en-es")
    for split in SPLITS:
        assert set(zip(*task.texts[split], strict=True)) < set(zip(*every[split], strict=True))
    assert [len(every[split][0]) for split in SPLITS] == [13914, 2447, 2790]


def test_the_specification_says_what_the_items_are(task):
    spec = task.spec
    assert (spec.source, spec.target, spec.joint_vocabulary) == ("tokens", "tokens", True)
    for split in SPLITS:
        items = task.items(split)
        assert max(int(s.max()) for s in items.sources) < spec.source_size
        assert max(int(t.max()) for t in items.targets) < spec.target_size
        assert list(items.source_lengths) == [len(s) for s in items.sources]
        assert all(s.dtype == np.int32 and len(s) > 0 and EOS not in s for s in items.sources)
    assert spec.max_target == max(len(t) for t in task.items("train").targets) + MARGIN


def test_two_vocabularies_are_learned_from_their_own_side(own):
    task = own(joint=False)
    assert not task.spec.joint_vocabulary
    assert (task.spec.source_size, task.spec.target_size) == (task.source_text.size, task.target_text.size)
    assert "ñ" not in task.source_text.tokenizer.get_vocab()
    assert "ñ" in task.target_text.tokenizer.get_vocab()
    assert own().spec.source_size == own().spec.target_size


def test_the_vocabulary_is_learned_from_training_alone(task):
    again = Text.learn([*task.texts["train"][0], *task.texts["train"][1]], "bpe", task.config.vocabulary)
    assert again.document() == task.source_text.document()


@pytest.mark.parametrize("tokenizer", ["bpe", "word", "character"])
def test_every_tokenizer_writes_what_it_reads(own, tokenizer):
    task = own(tokenizer=tokenizer, vocabulary=100)
    target, reference = task.items("train").targets[5].tolist(), task.sentences("train")[1][5]
    assert "".join(task.write(target).split()) == "".join(reference.split())
    assert len(task.pieces(target)) == len(target) - 1
    assert task.items("train").source_lengths[0] == {"bpe": 3, "word": 3, "character": 10}[tokenizer]


def test_words_encoded_once_are_words_encoded_in_their_sentence(task):
    texts = ["It's  on", " a\u00a0b  ", "über—alles ", "¿Qué, no?", "e\u0301 \u0301e", "日本 語", "x " * 30 + "x"]
    for sentences in (texts, ["¿Qué, no?", "e\u0301 \u0301e", "über—alles (now)", "日本 語!"]):
        plain = task.source_text.encode_all(sentences, eos=False)
        for one, other in zip(_encoded(task.source_text, sentences, by_word=True), plain, strict=True):
            np.testing.assert_array_equal(one, other)


def test_what_is_too_long_leaves_training_but_not_the_test(own):
    whole, short = own(tokenizer="word"), own(tokenizer="word", longest=3)
    assert [whole.items("train").source_lengths[i] for i in (0, 2, 5)] == [3, 2, 4]
    assert (len(whole.items("train")), whole.left_out) == (6, 0)
    assert (len(short.items("train")), short.left_out) == (
        4,
        2,
    )  # four words in one source, three and EOS in one target
    assert len(short.items("test")) == len(whole.items("test")) == 2
    assert list(whole.items("test").source_lengths) == [4, 3]
    assert list(short.items("test").source_lengths) == [3, 3]
    assert short.cut == {"train": 0, "validation": 0, "test": 1}
    for i, target in enumerate(short.items("train").targets):  # texts and items stay in step
        assert short.show("train", i).reference == short.write(target.tolist())


def test_references_as_answers_score_everything(task):
    answers = [target.tolist() for target in task.items("test").targets]
    scores = task.score(answers, "test")
    assert scores.totals["bleu"] > 99.5
    assert scores.totals["exact"] > 99
    assert scores.main == task.main == "bleu"
    assert all(len(values) == len(answers) for values in scores.items.values())
    assert task.score(answers[1:] + answers[:1], "test").totals["bleu"] < 10


def test_what_follows_the_end_is_not_scored(own):
    task = own()
    answers = [target.tolist() for target in task.items("train").targets]
    answers[0] = answers[1]
    expected = task.score(answers, "train").totals
    assert 0 < expected["exact"] < 100
    assert task.score([[*answer, 9, 9, 9] for answer in answers], "train").totals == expected
    assert task.score([answer[:-1] for answer in answers], "train").totals == expected


def test_lower_case_is_in_texts_references_and_signature(own):
    task = own(lower=True)
    assert task.show("train", 0).reference == "an"
    np.testing.assert_array_equal(task.read("TURN it On"), task.read("turn it on"))
    scores = task.score([target.tolist() for target in task.items("test").targets], "test")
    assert "case:lc" in scores.signatures["bleu"]
    assert scores.totals["exact"] == 100


def test_the_floors_stand_in_their_order(task):
    floors = {name: scores.totals["bleu"] for name, scores in task.floors("validation").items()}
    assert set(floors) == {"constant", "copied source", "dictionary", "nearest neighbour"}
    assert floors["constant"] < floors["copied source"] < floors["dictionary"] < floors["nearest neighbour"] < 25
    assert floors["dictionary"] > 8


def test_one_item_is_shown_with_its_tokens(task):
    shown = task.show("test", 3)
    assert (shown.source, shown.reference) == ("Connection error", "Error de conexión")
    assert "".join(shown.source_tokens).replace("▁", " ").strip() == shown.source
    assert len(shown.source_tokens) == task.items("test").source_lengths[3]


def test_the_checksum_moves_with_the_settings_and_the_texts_alone(own):
    first = own().checksum
    assert len(bytes.fromhex(first)) == hashlib.sha256().digest_size
    assert own().checksum == first
    assert own(vocabulary=201).checksum != first
    assert own(texts={**SMALL, "test": (["it"], ["an"])}).checksum != first


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        (Translation, {"pair": "es-en"}, "unknown pair 'es-en'; known: en-es, en-de"),
        (Translation, {"pair": "spanish"}, "is not two languages"),
        (Translation, {"words": "rare"}, "words='rare' is none of: common, all"),
        (Translation, {"tokenizer": "bytes"}, "tokenizer='bytes' is none of: bpe, word, character"),
        (Translation, {"vocabulary": 4}, "vocabulary=4 lies outside 8 to 1,000,000"),
        (Translation, {"longest": 1}, "longest=1 lies outside 2 to 10,000"),
        (Verses, {"pair": "en-de"}, "unknown pair 'en-de'; known: en-fr, en-es"),
    ],
)
def test_a_setting_out_of_range_is_named(kind, settings, words):
    with pytest.raises(BadInput, match=words):
        kind(configured(kind.Config, settings, kind.name))


def test_a_blank_sentence_is_refused(task):
    with pytest.raises(BadInput, match="nothing to translate"):
        task.read("  ")


@pytest.mark.parametrize("query", ["half \ud800", "a byte \udcff of another encoding"])
@pytest.mark.parametrize("lower", [True, False])
def test_a_query_that_is_no_text_is_refused(own, query, lower):
    with pytest.raises(BadInput, match="not valid UTF-8") as caught:
        own(lower=lower).read(query)
    assert "\n" not in str(caught.value)


def test_pairs_that_stand_in_an_earlier_split_too_are_kept_and_counted(own):
    texts = {
        "train": (["Turn it on.", "Off", "..."], ["An!", "Aus", "…"]),
        "validation": (["TURN IT ON", "off", "new"], ["an", "ab", "neu"]),  # "off" is rendered otherwise
        "test": (["New!", "turn it, on", "...", "!!!", "off"], ["Neu.", "An", "…", "…", "aus"]),
    }
    task = own(texts)
    assert task.overlap == {"validation": 1, "test": 4}
    assert [len(task.items(split)) for split in SPLITS] == [3, 3, 5]


def test_the_tasks_are_found_by_name_and_their_settings_are_frozen():
    assert load("translation") is Translation
    assert load("verses") is Verses
    with pytest.raises(FrozenInstanceError):
        Translation.Config().pair = "en-de"


def test_an_empty_answer_is_empty_text(task):
    assert task.write([EOS]) == task.write([]) == ""
    assert task.pieces([EOS, 7]) == ()
    assert task.write([len(SPECIALS) + 1, EOS, 7]) == task.write([len(SPECIALS) + 1])


# words that training never showed


UNSEEN = {
    "train": (["turn it on", "turn it off", "a b c d"], ["an", "aus", "x y"]),
    "validation": (["turn it"], ["an"]),
    "test": (["Turn IT, on!", "turn now", "it on", "on off"] * 15, ["AN", "an", "zu", "aus"] * 15),
}


def test_items_with_a_word_that_its_side_never_showed_are_found_whatever_case_and_marks(own):
    assert own(UNSEEN).unseen == [i for i in range(60) if i % 4 in (1, 2)]


@pytest.mark.parametrize("tokenizer", ["bpe", "word", "character"])
def test_they_are_the_same_for_every_tokenizer(own, tokenizer):
    assert own(UNSEEN, tokenizer=tokenizer, longest=8).unseen == own(UNSEEN).unseen


def test_they_have_scores_of_their_own_which_are_those_of_a_test_of_them_alone(own, monkeypatch):
    task = own(UNSEEN)
    said = ["an", "an", "ein", "aus"] * 15
    answers = [task.target_text.encode(text).tolist() for text in said]
    assert not any(name.endswith("unseen") for name in task.score(answers, "test").totals)  # thirty: too few
    monkeypatch.setattr(parallel_file, "FEWEST", 30)
    scores = task.score(answers, "test")
    rows = task.unseen
    alone, _, _ = text_scores([task.write(answers[i]) for i in rows], [UNSEEN["test"][1][i] for i in rows])
    for metric in ("bleu", "chrf", "exact"):
        assert scores.totals[f"{metric}_unseen"] == alone[metric]
        assert scores.signatures[f"{metric}_unseen"].endswith(
            "only the 30 items with a word that training never showed"
        )
    assert scores.totals["exact_unseen"] == 50.0
    assert scores.totals["exact"] == 50.0  # "AN" is not "an"
    assert len(scores.items["bleu"]) == 60
    assert not any("unseen" in name for name in task.score([answers[0]], "validation").totals)


def test_common_words_leave_too_few_to_score_and_all_words_enough(task):
    assert len(task.unseen) < parallel_file.FEWEST
    answers = [target.tolist() for target in task.items("test").targets]
    assert set(task.score(answers, "test").totals) == {"bleu", "chrf", "exact"}
    assert task.facts("test")["items_unseen"] == len(task.unseen)


def test_facts_count_tokens_and_those_that_are_unknown(own):
    word, character = (own(UNSEEN, tokenizer=kind).facts("test") for kind in ("word", "character"))
    assert word["length_source"] == (5 + 2 + 2 + 2) / 4  # marks are tokens of their own
    assert word["length_target"] == 2  # with EOS
    # Turn, IT, the comma and the mark; now
    assert word["unknown_source"] == pytest.approx(100 * 5 / 11)
    assert word["unknown_target"] == pytest.approx(100 * 2 / 8)  # AN, zu
    assert character["unknown_source"] < word["unknown_source"]
    assert character["length_source"] == (12 + 8 + 5 + 6) / 4
    assert word["vocabulary_source"] == own(UNSEEN, tokenizer="word").source_text.size
    assert "items_unseen" not in own(UNSEEN).facts("validation")
