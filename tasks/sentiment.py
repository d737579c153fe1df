"""Is the sentence for or against? Film reviews, or one's own labelled texts."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from tasks import SPECIALS, SPLITS, BadInput, Items, Range, Scores, Shown, Spec, Split, Task, until_eos
from tasks._files import digest, rows
from tasks._folder import Pairs, labelled
from tasks._score import label_scores
from tasks._splits import in_earlier_splits, same
from tasks._text import Kind, Text, Vocabulary, written
from tasks.floors import bag_of_words, most_frequent

TESTS = ("reviews", "amazon", "nyt", "tweets")
CLEAR = 0.5  # mean rating from which a sentence counts as positive or negative; what lies between is dropped


class Sentiment(Task):
    """Sentences of film reviews that people rated as positive or negative.

    ```
    source: Even the digressions are funny.  -> 372 83 1920 519 461 253 443 15
    target: positive                         -> 5
    ```

    The answer is one token, 4 specials + label, without EOS. Training texts with more than
    Config.longest tokens are left out; elsewhere they are cut (`cut` counts them). With `data`, a folder of
    csv, tsv or jsonl files with the fields text and label: train.*, val*.*, test*.*, or one file.
    """

    name = "sentiment"
    main = "accuracy"

    @dataclasses.dataclass(frozen=True)
    class Config(Task.Config):
        """Settings of the task."""

        test: str = "reviews"  # or amazon, nyt, tweets: trained on films, asked about others; own data: which test file
        tokenizer: Kind = "bpe"
        vocabulary: Vocabulary = 4000  # most tokens, specials included
        lower: bool = True  # everything in lower case
        longest: Annotated[int, Range(1, 10_000)] = 80  # tokens; longer texts are left out of training, cut elsewhere

    def __init__(self, config: Any = None, data: Path | None = None) -> None:
        self.config = config or self.Config()
        self._ours = data is None
        if data is None:
            if self.config.test not in TESTS:
                raise BadInput(f"sentiment: unknown test={self.config.test!r}; known: {', '.join(TESTS)}")
            self._texts = _vendored(self.config.test)
        else:
            self._texts = labelled(Path(data), "" if self.config.test == "reviews" else self.config.test)
        self.labels = sorted(set(self._texts["train"][1]))
        self.checksum = digest(*(text for split in SPLITS for side in self._texts[split] for text in side), self.config)
        self.text = self._vocabulary(self.config)
        self.cut = dict.fromkeys(SPLITS, 0)  # sources cut to Config.longest tokens
        before = len(self._texts["train"][0])
        self._items = {split: self._tokens(split) for split in SPLITS}
        self.left_out = before - len(self._items["train"])  # training texts that are too long
        self.spec = Spec(
            source="tokens", source_size=self.text.size, target_size=len(SPECIALS) + len(self.labels), max_target=1
        )

    def _vocabulary(self, config: Any) -> Text:
        return Text.learn(self._texts["train"][0], config.tokenizer, config.vocabulary, lower=config.lower)

    def _tokens(self, split: Split) -> Items:
        texts, labels = self._texts[split]
        sources, longest = self.text.encode_all(texts, eos=False), self.config.longest
        if split == "train":
            kept = [i for i, source in enumerate(sources) if len(source) <= longest]
            if not kept:
                raise BadInput(f"sentiment: no training text has at most longest={longest} tokens")
            self._texts[split] = ([texts[i] for i in kept], [labels[i] for i in kept])
            labels, sources = self._texts[split][1], [sources[i] for i in kept]
        self.cut[split] = sum(len(source) > longest for source in sources)
        sources = [source[:longest] for source in sources]
        targets = [np.array([len(SPECIALS) + self.labels.index(label)], dtype=np.int32) for label in labels]
        return Items(sources, targets, [len(source) for source in sources])

    def items(self, split: Split) -> Items:
        """All items of a split, in the order of the corpus."""
        return self._items[split]

    @property
    def overlap(self) -> dict[str, int]:
        """Texts of validation and of test that stand, normalised, in an earlier split."""
        return in_earlier_splits({split: list(map(same, self._texts[split][0])) for split in SPLITS})

    def at_length(self, words: int) -> Task | None:
        """Whole product reviews, cut to `words` words; of one's own data whole texts of the test, cut so."""
        texts, labels = documents() if self._ours else self._texts["test"]
        known = [(text, label) for text, label in zip(texts, labels, strict=True) if label in self.labels]
        cut = [" ".join(text.split()[:words]) for text, _ in known]
        return self._asking((cut, [label for _, label in known]))

    def by_words(self, edges: Sequence[int]) -> dict[str, Task]:
        """Parts of the test by words; those without an item are left out."""
        texts, labels = self._texts["test"]
        parts: dict[str, Task] = {}
        for low, high in pairwise((0, *edges)):
            rows = [row for row, text in enumerate(texts) if low < len(text.split()) <= high]
            if rows:
                parts[f"{low + 1} to {high}"] = self._asking(([texts[r] for r in rows], [labels[r] for r in rows]))
        return parts

    def _asking(self, test: Pairs) -> Sentiment:
        """This task with another test, in the same tokens; nothing of it is cut."""
        other = copy.copy(self)
        other._texts = self._texts | {"test": test}
        sources = self.text.encode_all(test[0], eos=False)
        targets = [np.array([len(SPECIALS) + self.labels.index(label)], dtype=np.int32) for label in test[1]]
        other._items = self._items | {"test": Items(sources, targets, [len(source) for source in sources])}
        return other

    def score(self, answers: Sequence[Sequence[int]], split: Split) -> Scores:
        """Accuracy and macro F1; an answer that is no label is wrong."""
        given = [(until_eos(answer) or [-1])[0] for answer in answers]
        return label_scores(given, [int(target[0]) for target in self._items[split].targets])

    def floors(self, split: Split) -> dict[str, Scores]:
        """The most frequent label of training, and logistic regression on words and pairs of words."""
        (known, labels), (texts, _) = self._texts["train"], self._texts[split]
        numbers = [len(SPECIALS) + self.labels.index(label) for label in labels]
        majority = [[most_frequent(numbers)]] * len(texts)
        if self.config.lower:
            known, texts = [text.lower() for text in known], [text.lower() for text in texts]
        bag = [[label] for label in bag_of_words(known, numbers, texts)]
        return {"majority": self.score(majority, split), "bag of words": self.score(bag, split)}

    def show(self, split: Split, item: int) -> Shown:
        """Text and label, and the text's tokens as they are spelt in the vocabulary."""
        texts, labels = self._texts[split]
        return Shown(texts[item], None, labels[item], self.text.pieces(self._items[split].sources[item].tolist()))

    def read(self, query: str) -> np.ndarray:
        """One text as tokens (S,), cut to Config.longest. Raises BadInput when it is blank or no text."""
        if not query.strip():
            raise BadInput("sentiment: nothing to judge; give a sentence")
        return self.text.encode(written(query, self.name).strip(), eos=False)[: self.config.longest]

    def write(self, tokens: Sequence[int]) -> str:
        """The label of an answer, or the special token that stands in its place."""
        names = [*SPECIALS, *self.labels]
        return " ".join(names[token] for token in until_eos(tokens)[:1])


def _vendored(test: str) -> dict[Split, Pairs]:
    texts: dict[Split, Pairs] = {split: ([], []) for split in SPLITS}
    reviews = [row for row in rows("sentiment/reviews.tsv.xz")[1:] if row[0] != "test" or test == "reviews"]
    others = [] if test == "reviews" else rows(f"sentiment/{test}.tsv.xz")[1:]
    for split, _, rating, text in reviews + others:
        if abs(float(rating)) >= CLEAR:
            texts[split][0].append(text)  # type: ignore[index]
            texts[split][1].append("positive" if float(rating) > 0 else "negative")  # type: ignore[index]
    return texts


def documents() -> Pairs:
    """Whole product reviews, their sentences in order, with the label of their mean rating where that is clear."""
    found: dict[str, list[tuple[int, float, str]]] = {}
    for _, name, rating, text in rows("sentiment/amazon.tsv.xz")[1:]:
        document, _, place = name.partition("_")
        found.setdefault(document, []).append((int(place), float(rating), text))
    texts, labels = list[str](), list[str]()
    for sentences in found.values():
        mean = sum(rating for _, rating, _ in sentences) / len(sentences)
        if abs(mean) >= CLEAR:
            texts.append(" ".join(text for _, _, text in sorted(sentences)))
            labels.append("positive" if mean > 0 else "negative")
    return texts, labels


TASK = Sentiment
