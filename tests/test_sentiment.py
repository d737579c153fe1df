"""Sentiment: labels as one token, tests of transfer, floors."""

from collections import Counter

import numpy as np
import pytest

from tasks import SPLITS, UNK, BadInput, configured, load
from tasks.sentiment import Sentiment, _vendored


@pytest.fixture(scope="module")
def task():
    return Sentiment()


def test_a_label_is_one_token_behind_the_specials(task):
    assert (task.spec.target_size, task.spec.max_target) == (6, 1)
    assert task.labels == ["negative", "positive"]
    for split in SPLITS:
        targets = task.items(split).targets
        assert {target.shape for target in targets} == {(1,)}
        assert {int(target[0]) for target in targets} == {4, 5}
    assert [task.write([4]), task.write([5]), task.write([3])] == ["negative", "positive", "<unk>"]


def test_the_specification_covers_every_source(task):
    for split in SPLITS:
        items = task.items(split)
        assert max(int(s.max()) for s in items.sources) < task.spec.source_size
        assert max(items.source_lengths) <= task.config.longest
        assert min(items.source_lengths) > 0
        assert list(items.source_lengths) == [len(s) for s in items.sources]


def test_the_halves_are_about_equal(task):
    for split in SPLITS:
        counts = Counter(int(target[0]) for target in task.items(split).targets)
        assert 0.48 < counts[5] / len(task.items(split)) < 0.52


def test_a_batch_holds_one_label_a_row(task):
    batch = next(task.batches("train", 7))
    assert batch.target.shape == (7, 1)
    assert batch.target_length.tolist() == [1] * 7
    for row, item in enumerate(batch.item.tolist()):
        assert batch.target[row, 0] == task.items("train").targets[item][0]


def test_labels_as_answers_score_everything_and_others_nothing(task):
    right = [target.tolist() for target in task.items("test").targets]
    assert task.score(right, "test").totals == {"accuracy": 100, "macro_f1": 100}
    assert task.score([[9 - answer[0]] for answer in right], "test").totals == {"accuracy": 0, "macro_f1": 0}
    assert task.score([[2]] * len(right), "test").totals["accuracy"] == 0  # EOS is no label
    assert task.score([[]] * len(right), "test").totals["accuracy"] == 0


def test_the_floors_are_where_counting_words_puts_them(task):
    floors = {name: scores.totals["accuracy"] for name, scores in task.floors("test").items()}
    assert floors["majority"] == pytest.approx(100 * 514 / 1018)
    assert 76 < floors["bag of words"] < 84


@pytest.mark.parametrize(("test", "size"), [("amazon", 2967), ("nyt", 2930), ("tweets", 3278)])
def test_a_test_of_transfer_changes_the_test_alone(test, size):
    films, others = _vendored("reviews"), _vendored(test)
    assert len(others["test"][0]) == size
    assert others["test"] != films["test"]
    assert (others["train"], others["validation"]) == (films["train"], films["validation"])


def test_a_model_of_films_is_asked_about_tweets(task):
    other = Sentiment(Sentiment.Config(test="tweets"))
    assert other.text.document() == task.text.document()
    assert other.show("test", 3).source == "LMAO, AMAZING!"
    assert other.checksum != task.checksum


def test_what_is_too_long_leaves_training_and_is_cut_elsewhere(task):
    short = Sentiment(Sentiment.Config(longest=9))
    assert short.left_out > task.left_out
    assert max(short.items("train").source_lengths) == 9
    assert len(short.items("test")) == len(task.items("test"))
    assert short.cut["test"] == sum(n > 9 for n in task.items("test").source_lengths) > 0
    item = len(short.items("train")) - 1  # texts and items stay in step
    np.testing.assert_array_equal(short.read(short.show("train", item).source), short.items("train").sources[item])


def test_case_is_kept_when_asked():
    cased = Sentiment(Sentiment.Config(lower=False, tokenizer="word", vocabulary=9000))
    assert list(cased.read("The")) != list(cased.read("the"))
    uncased = Sentiment(Sentiment.Config(tokenizer="word", vocabulary=9000))
    assert list(uncased.read("The")) == list(uncased.read("the"))
    assert UNK not in [*cased.read("The the"), *uncased.read("The")]  # two unknown words would be equal


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"test": "books"}, "unknown test='books'; known: reviews, amazon, nyt, tweets"),
        ({"tokenizer": "bytes"}, "tokenizer='bytes' is none of: bpe, word, character"),
        ({"vocabulary": 7}, "vocabulary=7 lies outside 8 to 1,000,000"),
        ({"longest": 0}, "longest=0 lies outside 1 to 10,000"),
    ],
)
def test_a_setting_out_of_range_is_named(settings, words):
    kind = load("sentiment")
    with pytest.raises(BadInput, match=words):
        kind(configured(kind.Config, settings, "sentiment"))


def test_a_blank_text_is_refused(task):
    with pytest.raises(BadInput, match="nothing to judge"):
        task.read("\n ")


def test_a_query_that_is_no_text_is_refused(task):
    with pytest.raises(BadInput, match=r"sentiment: .* not valid UTF-8"):
        task.read("a byte \udcff of another encoding")
