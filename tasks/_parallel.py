"""From sentence to sentence: what every task of translation shares."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

import numpy as np

from tasks import EOS, SPLITS, UNK, BadInput, Items, Range, Scores, Shown, Spec, Split, Task
from tasks._files import digest
from tasks._folder import Pairs
from tasks._score import text_scores
from tasks._splits import in_earlier_splits, same
from tasks._text import Kind, Text, Vocabulary, written
from tasks.floors import Dictionary, most_frequent, nearest_texts

MARGIN = 5  # tokens that an answer may be longer than every training target
FEWEST = 50  # items with words that training never showed, below which they get no score of their own
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
        joined: Annotated[int, Range(0, 1000)] = 0  # words up to which training pairs are joined as well; 0: none are

    texts: dict[Split, Pairs]

    def build(self, config: Any, texts: dict[Split, Pairs]) -> None:
        """Learns the vocabularies from the training split, turns every text into tokens once. Raises BadInput."""
        self.config = config
        self.texts = {split: _lowered(pairs) if config.lower else pairs for split, pairs in texts.items()}
        self.checksum = digest(*(text for split in SPLITS for side in self.texts[split] for text in side), config)
        self.source_text, self.target_text = self._vocabularies(*self.texts["train"])
        if config.joined:
            self.texts["train"] = _and_joined(self.texts["train"], config.joined)
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
        sources, targets = self._encode(split, self.texts)
        if split == "train":
            longest = self.config.longest
            kept = [i for i, (s, t) in enumerate(zip(sources, targets, strict=True)) if max(len(s), len(t)) <= longest]
            sources, targets = [sources[i] for i in kept], [targets[i] for i in kept]
            self._kept = kept
        self.cut[split] = sum(len(source) > self.config.longest for source in sources)
        sources = [source[: self.config.longest] for source in sources]
        return Items(sources, targets, [len(source) for source in sources])

    def _encode(self, split: Split, texts: dict[Split, Pairs]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Sources and targets of a split as tokens, targets with their EOS."""
        by_word = self.config.tokenizer == "bpe"
        targets = _encoded(self.target_text, texts[split][1], by_word)
        return _encoded(self.source_text, texts[split][0], by_word), [np.append(t, np.int32(EOS)) for t in targets]

    def items(self, split: Split) -> Items:
        """All items of a split, in the order of the corpus."""
        return self._items[split]

    def at_length(self, words: int) -> Task | None:
        """Sentences of the test joined in their order, each time until the source has at least `words` words."""
        return self._asking(joined(self.texts["test"], [words]))

    def by_words(self, edges: Sequence[int]) -> dict[str, Task]:
        """Parts of the test by words of the source; those without an item are left out."""
        lengths = np.array([len(text.split()) for text in self.texts["test"][0]])
        parts: dict[str, Task] = {}
        for low, high in pairwise((0, *edges)):
            rows = np.flatnonzero((lengths > low) & (lengths <= high))
            if len(rows):
                parts[f"{low + 1} to {high}"] = self._asking(_picked(self.texts["test"], rows.tolist()))
        return parts

    def _asking(self, test: Pairs) -> Parallel:
        """This task with another test, in the same tokens; nothing of it is cut."""
        other = copy.copy(self)
        other.texts = self.texts | {"test": test}
        sources, targets = self._encode("test", other.texts)
        other._items = self._items | {"test": Items(sources, targets, [len(source) for source in sources])}
        room = max(self.spec.max_target, max(len(target) for target in targets) + MARGIN)
        other.spec = dataclasses.replace(self.spec, max_target=room)
        return other

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
        references = self.sentences(split)[1]
        totals, items, signatures = text_scores(hypotheses, references, lower=self.config.lower)
        rows = self.unseen if split == "test" else []
        if len(rows) >= FEWEST:
            said, wanted = ([texts[row] for row in rows] for texts in (hypotheses, references))
            apart, _, _ = text_scores(said, wanted, lower=self.config.lower)
            told = f"only the {len(rows)} items with a word that training never showed"
            totals |= {f"{metric}_unseen": value for metric, value in apart.items()}
            signatures |= {f"{metric}_unseen": f"{signatures[metric]}|{told}" for metric in apart}
        return Scores(totals, self.main, items, signatures)

    @property
    def unseen(self) -> list[int]:
        """Items of the test with a word, upper and lower case alike, that its side of training never shows.

        Training pairs that are too long count as shown, so that these are the same items for every tokenizer.
        """
        known = [{word for text in side for word in words_of(text)} for side in self.texts["train"]]
        pairs = zip(*self.texts["test"], strict=True)
        return [
            item
            for item, pair in enumerate(pairs)
            if any(word not in words for text, words in zip(pair, known, strict=True) for word in words_of(text))
        ]

    def facts(self, split: Split) -> dict[str, float | int]:
        """Size of the vocabularies, mean lengths in tokens (EOS included), and percent of tokens that are unknown."""
        items, facts = self.items(split), dict[str, float | int]()
        for side, text, sequences in (
            ("source", self.source_text, items.sources),
            ("target", self.target_text, items.targets),
        ):
            every = np.concatenate(list(sequences))
            facts[f"vocabulary_{side}"] = text.size
            facts[f"length_{side}"] = len(every) / len(items)
            facts[f"unknown_{side}"] = 100.0 * float((every == UNK).mean())
        return facts | ({"items_unseen": len(self.unseen)} if split == "test" else {})

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


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, marks left out."""
    return re.findall(r"\w+", text.lower())


def _lowered(pairs: Pairs) -> Pairs:
    return [text.lower() for text in pairs[0]], [text.lower() for text in pairs[1]]


def joined(pairs: Pairs, words: Sequence[int]) -> Pairs:
    """Neighbours joined by a space until the source has at least so many words, taking the numbers in turn.

    What is left over at the end and is too short is dropped, unless it is all there is.
    """
    sources, targets = list[str](), list[str]()
    held: tuple[list[str], list[str]] = ([], [])
    for source, target in zip(*pairs, strict=True):
        held[0].append(source)
        held[1].append(target)
        if sum(len(text.split()) for text in held[0]) >= words[len(sources) % len(words)]:
            sources.append(" ".join(held[0]))
            targets.append(" ".join(held[1]))
            held = ([], [])
    if not sources:
        sources, targets = [" ".join(held[0])], [" ".join(held[1])]
    return sources, targets


def _and_joined(pairs: Pairs, longest: int) -> Pairs:
    """All pairs, then all again in an order of their own, joined to lengths that go up to `longest` words."""
    order = np.random.default_rng(longest).permutation(len(pairs[0])).tolist()
    lengths = np.linspace(1, longest, 16).round().astype(int).tolist()
    more = joined(_picked(pairs, order), lengths)
    return [*pairs[0], *more[0]], [*pairs[1], *more[1]]


def _picked(pairs: Pairs, rows: Sequence[int]) -> Pairs:
    return [pairs[0][row] for row in rows], [pairs[1][row] for row in rows]
