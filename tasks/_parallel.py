"""From sentence to sentence: what every task of translation shares."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from tasks import EOS, SPLITS, BadInput, Items, Range, Scores, Shown, Spec, Split, Task
from tasks._files import digest
from tasks._folder import Pairs
from tasks._score import text_scores
from tasks._splits import in_earlier_splits, same
from tasks._text import Kind, Text, Vocabulary, written
from tasks.floors import Dictionary, most_frequent, nearest_texts

MARGIN = 5  # tokens that an answer may be longer than every training target
Longest = Annotated[int, Range(2, 10_000)]  # tokens


class Parallel(Task):
    """Sources and targets that are both text. Subclasses find the texts; the rest is the same for all.

    Sources are written without EOS, targets with. Training pairs with more than Config.longest tokens
    on a side are left out; validation and test keep every item, and a longer source is cut there
    (`cut` counts them). The splits of our corpora are disjoint; of one's own, `overlap` counts the pairs in two.
    """

    main = "bleu"

    @dataclasses.dataclass(frozen=True)
    class Config(Task.Config):
        """Settings of a translation."""

        pair: str = ""  # source and target language, such as en-es
        tokenizer: Kind = "bpe"
        vocabulary: Vocabulary = 3000  # most tokens, specials included; of both languages together if joint
        joint: bool = True  # one vocabulary for both languages
        lower: bool = False  # everything in lower case, references too
        longest: Longest = 60  # tokens; longer pairs are left out of training, longer sources cut elsewhere

    texts: dict[Split, Pairs]

    def build(self, config: Any, texts: dict[Split, Pairs]) -> None:
        """Learns the vocabularies from the training split, turns every text into tokens once. Raises BadInput."""
        self.config = config
        self.texts = {split: _lowered(pairs) if config.lower else pairs for split, pairs in texts.items()}
        self.checksum = digest(*(text for split in SPLITS for side in self.texts[split] for text in side), config)
        self.source_text, self.target_text = self._vocabularies(*self.texts["train"])
        self.cut = dict.fromkeys(SPLITS, 0)  # sources cut to Config.longest tokens
        self._items = {split: self._tokens(split) for split in SPLITS}
        self.left_out = len(self.texts["train"][0]) - len(self._items["train"])  # training pairs that are too long
        if not len(self._items["train"]):
            raise BadInput(f"{self.name}: no training pair has at most longest={config.longest} tokens a side")
        self.spec = Spec(
            source="tokens",
            source_size=self.source_text.size,
            target_size=self.target_text.size,
            max_target=max(len(target) for target in self._items["train"].targets) + MARGIN,
            joint_vocabulary=config.joint,
        )

    def _vocabularies(self, sources: list[str], targets: list[str]) -> tuple[Text, Text]:
        kind, size = self.config.tokenizer, self.config.vocabulary
        if self.config.joint:
            both = Text.learn([*sources, *targets], kind, size)
            return both, both
        return Text.learn(sources, kind, size), Text.learn(targets, kind, size)

    def _tokens(self, split: Split) -> Items:
        """Training keeps its texts and its items in step: what is too long leaves both."""
        by_word = self.config.tokenizer == "bpe"
        sources = _encoded(self.source_text, self.texts[split][0], by_word)
        targets = [
            np.append(target, np.int32(EOS)) for target in _encoded(self.target_text, self.texts[split][1], by_word)
        ]
        if split == "train":
            longest = self.config.longest
            kept = [i for i, (s, t) in enumerate(zip(sources, targets, strict=True)) if max(len(s), len(t)) <= longest]
            sources, targets = [sources[i] for i in kept], [targets[i] for i in kept]
            self._kept = kept
        self.cut[split] = sum(len(source) > self.config.longest for source in sources)
        sources = [source[: self.config.longest] for source in sources]
        return Items(sources, targets, [len(source) for source in sources])

    def items(self, split: Split) -> Items:
        """All items of a split, in the order of the corpus."""
        return self._items[split]

    def sentences(self, split: Split) -> Pairs:
        """The raw texts behind `items`, item by item."""
        sources, targets = self.texts[split]
        if split == "train":
            return [sources[i] for i in self._kept], [targets[i] for i in self._kept]
        return sources, targets

    @property
    def overlap(self) -> dict[str, int]:
        """Pairs of validation and of test whose both sides, normalised, stand as a pair in an earlier split."""
        pairs = {split: zip(*self.sentences(split), strict=True) for split in SPLITS}
        return in_earlier_splits({split: [(same(s), same(t)) for s, t in pairs[split]] for split in SPLITS})

    def score(self, answers: Sequence[Sequence[int]], split: Split) -> Scores:
        """BLEU, chrF and exact matches of the answers as text against the raw references."""
        return self._scores([self.write(answer) for answer in answers], split)

    def _scores(self, hypotheses: Sequence[str], split: Split) -> Scores:
        totals, items, signatures = text_scores(hypotheses, self.sentences(split)[1], lower=self.config.lower)
        return Scores(totals, self.main, items, signatures)

    def floors(self, split: Split) -> dict[str, Scores]:
        """The constant answer, the copied source, a dictionary learned word by word, the nearest training source."""
        known, translations = self.sentences("train")
        sources, _ = self.sentences(split)
        dictionary = Dictionary(known, translations)
        answers = {
            "constant": [most_frequent(translations)] * len(sources),
            "copied source": sources,
            "dictionary": [dictionary.translate(source) for source in sources],
            "nearest neighbour": [translations[i] for i in nearest_texts(known, sources)],
        }
        return {name: self._scores(texts, split) for name, texts in answers.items()}

    def show(self, split: Split, item: int) -> Shown:
        """Source and reference as text, and the source's tokens as they are spelt in the vocabulary."""
        sources, targets = self.sentences(split)
        tokens = self.source_text.pieces(self._items[split].sources[item].tolist())
        return Shown(sources[item], None, targets[item], tokens)

    def read(self, query: str) -> np.ndarray:
        """One sentence as tokens (S,), cut to Config.longest. Raises BadInput when it is blank or no text."""
        if not query.strip():
            raise BadInput(f"{self.name}: nothing to translate; give a sentence in {self.config.pair.split('-')[0]}")
        text = written(query.lower() if self.config.lower else query, self.name).strip()
        return self.source_text.encode(text, eos=False)[: self.config.longest]

    def write(self, tokens: Sequence[int]) -> str:
        """An answer as text."""
        return self.target_text.decode(tokens)

    def pieces(self, tokens: Sequence[int]) -> tuple[str, ...]:
        """Each token of an answer as it is spelt in the vocabulary."""
        return self.target_text.pieces(tokens)


def languages(pair: str, name: str) -> tuple[str, str]:
    """Source and target of a pair such as en-es. Raises BadInput."""
    source, _, target = pair.partition("-")
    if not (source.isalnum() and target.isalnum() and source != target):
        raise BadInput(f"{name}: pair={pair!r} is not two languages such as en-es")
    return source, target


def _encoded(text: Text, sentences: list[str], by_word: bool) -> list[np.ndarray]:
    """Tokens (S,) int32 of each sentence, without EOS.

    Byte pairs never cross a space, so each distinct word is encoded once: five times faster on verses.
    """
    if not by_word or any("" in sentence.split(" ") for sentence in sentences):  # more than one space in a row
        return text.encode_all(sentences, eos=False)
    words = sorted({word for sentence in sentences for word in sentence.split(" ")})
    tokens = {word: array.tolist() for word, array in zip(words, text.encode_all(words, eos=False), strict=True)}
    joined = ([token for word in sentence.split(" ") for token in tokens[word]] for sentence in sentences)
    return [np.array(sentence, dtype=np.int32) for sentence in joined]


def _lowered(pairs: Pairs) -> Pairs:
    return [text.lower() for text in pairs[0]], [text.lower() for text in pairs[1]]
