"""Tasks that are drawn, not collected: their best score is known, their length n is whatever one asks for.

Every training batch is fresh, of one length drawn between `shortest` and `length`; what validation and test hold
never comes in training. A file states one task: how examples are drawn, and, by other means, how one is solved.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np

from tasks import EOS, SPECIALS, BadInput, Batch, Items, Range, Scores, Shown, Spec, Split, Task, collate, until_eos

FIRST = len(SPECIALS)  # symbol 0 is this token
EPOCH = 2048  # training examples until the next epoch; none of them comes again
VALIDATION = 256  # examples, over all lengths of training
TENTHS = {"test": (0,), "validation": (1,), "train": tuple(range(2, 10))}  # of all sources, by a hash of each
TRIES = 50  # draws in a row that bring nothing: that length has too few sources to keep splits apart
ROOM = 1 << 22  # elements drawn at once
LONGEST = 65_536
Length = Annotated[int, Range(1, LONGEST)]


class Drawn(NamedTuple):
    """Examples of one length, in symbols that count from 0."""

    sources: np.ndarray  # (N, S) symbols, or (N, S, F) float32
    targets: Any  # (N, T) symbols without an end, (N,) labels, or a list of arrays (T,)
    given: np.ndarray | None = None  # (N, T) True where the answer's symbol is shown and not asked for


class Synthetic(Task):
    """A task "at length n". A subclass states its symbols, `draw`, and `solve`, which knows nothing of `draw`."""

    main: ClassVar[str] = "accuracy"
    fresh = True
    symbols: int  # that sources are made of
    choices: int  # that a symbol of an answer, or a label, is one of
    letters: ClassVar[tuple[str, ...]] = ()  # the symbols as a person reads them; none: their numbers
    labels: ClassVar[bool] = False  # whether an answer is one label
    least: ClassVar[int] = 1  # the smallest n
    ceiling: ClassVar[float] = 100.0  # what the reference solver scores
    config: Any  # of the class's own Config

    @dataclasses.dataclass(frozen=True)
    class Config(Task.Config):
        """Lengths are in the task's own n."""

        length: Length = 40  # of training, the longest
        shortest: Annotated[int, Range(0, LONGEST)] = 0  # of training; 0: all are as long as the longest
        tested: tuple[Length, ...] | None = None  # lengths in the test; none: that of training
        examples: Annotated[int, Range(1, 100_000)] = 500  # in the test, of each of its lengths

    def __init__(self, config: Any = None, data: Path | None = None) -> None:
        if data is not None:
            raise BadInput(f"{self.name} takes no data of your own; it draws them")
        self.config = config or self.Config()
        self.shortest = self.config.shortest or self.config.length
        self.tested = tuple(sorted(set(self.config.tested or (self.config.length,))))
        if self.shortest > self.config.length:
            raise BadInput(f"{self.name}: shortest={self.shortest} is above length={self.config.length}")
        for length in (self.shortest, self.config.length, *self.tested):
            if length < self.least:
                raise BadInput(f"{self.name}: a length of {length} is below its least, {self.least}")
            self.fits(length)
        self.spec = self._spec()
        told = json.dumps([self.name, dataclasses.asdict(self.config)])
        self.checksum = hashlib.sha256(told.encode()).hexdigest()
        self._items: dict[str, Items] = {}

    @abstractmethod
    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """`count` examples of length n."""

    @abstractmethod
    def solve(self, source: np.ndarray) -> list[int]:
        """The right answer to one source (S,) of symbols, as symbols or as a list of one label: a reference."""

    def aligned(self, source: np.ndarray, answer: Sequence[int]) -> list[int] | None:
        """Of each symbol of the right answer to a source (S,) the place, from 0, that it was read from; -1: from none.

        None where the task knows no such place: symbols are computed, or equal ones could stand for one another.
        """
        return None

    def fits(self, length: int) -> None:
        """Whether the other settings allow that length. Raises BadInput, which says the limit."""

    def practised(self, random: np.random.Generator) -> Synthetic:
        """What one training batch is drawn from: this task, or an easier form of it."""
        return self

    def written(self, length: int) -> int:
        """Symbols of the longest answer at length n, its end not counted."""
        return length

    @property
    def chance(self) -> float:
        """The floor: accuracy in percent of one who knows how long the answer is, and draws each symbol of it."""
        return 100.0 / self.choices

    def _spec(self) -> Spec:
        target = FIRST + self.choices
        if self.labels:
            return Spec("tokens", FIRST + self.symbols, target, max_target=1)
        # a vocabulary in common lets a symbol that is read be the one that is written
        size = FIRST + max(self.symbols, self.choices)
        room = max(self.written(length) for length in (self.config.length, *self.tested)) + 1
        return Spec("tokens", size, size, max_target=max(2, room), joint_vocabulary=True)

    def items(self, split: Split) -> Items:
        """A split in its fixed order, test by length; of training the first epoch's size, as an example."""
        if split not in self._items:
            if split == "test":
                plan = [(length, self.config.examples) for length in self.tested]
            else:
                lengths = np.unique(np.linspace(self.shortest, self.config.length, 16).round().astype(int)).tolist()
                total = EPOCH if split == "train" else VALIDATION
                counts = [len(part) for part in np.array_split(np.arange(total), len(lengths))]
                plan = list(zip(lengths, counts, strict=True))
            parts = [self._split(split, np.random.default_rng([0, n, len(split)]), count, n) for n, count in plan]
            self._items[split] = joined(parts)
        return self._items[split]

    def batches(self, split: Split, size: int, seed: int = 0, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """As of any task; in training each batch is drawn for itself, a function of (seed, epoch) and its place."""
        if split != "train":
            yield from super().batches(split, size, seed, epoch, start)
            return
        for place in range(start, -(-EPOCH // size)):
            random = np.random.default_rng([1, seed, epoch, place])
            count = min(size, EPOCH - place * size)
            length = int(random.integers(self.shortest, self.config.length + 1))
            items = self.practised(random)._split(split, random, count, length)
            batch = collate(items, np.arange(count), self.spec)
            yield batch._replace(item=batch.item + place * size)

    def _split(self, split: Split, random: np.random.Generator, count: int, length: int) -> Items:
        """`count` examples whose sources belong to that split; any at all where hardly one does."""
        kept: list[Items] = []
        have, barren, wanted = 0, 0, TENTHS[split]
        while have < count:
            ask = min(int((count - have) * 10 / len(wanted) * 1.2) + 4, max(1, ROOM // length))
            drawn = self.draw(random, ask, length)
            own = np.isin(tenths(drawn.sources), wanted) | (barren == TRIES)
            rows = np.flatnonzero(own)[: count - have]
            kept.append(self._as_items(drawn, rows))
            have, barren = have + len(rows), 0 if len(rows) else barren + 1
        return joined(kept)

    def _as_items(self, drawn: Drawn, rows: np.ndarray) -> Items:
        sources = list(drawn.sources[rows] + FIRST if self.spec.source == "tokens" else drawn.sources[rows])
        targets = self._targets(drawn.targets, rows)
        given = None
        if drawn.given is not None:  # the end is never asked for where answers are as long as one another
            shown = [np.append(drawn.given[row], True) for row in rows]
            given = [np.where(mask, target, 0) for mask, target in zip(shown, targets, strict=True)]
        return Items(sources, targets, [len(source) for source in sources], given)

    def _targets(self, drawn: Any, rows: np.ndarray) -> list[np.ndarray]:
        if self.spec.target == "number":
            return list(drawn[rows, None].astype(np.float32))
        if self.labels:
            return list(drawn[rows, None].astype(np.int64) + FIRST)
        return [np.append(np.asarray(drawn[row], dtype=np.int64) + FIRST, EOS) for row in rows]

    def asked(self, split: Split) -> list[list[int]]:
        """Of each item the tokens that have to be found, end excluded."""
        items = self.items(split)
        shown = items.given or [np.zeros_like(target) for target in items.targets]
        return [
            [int(token) for token, seen in zip(target, mask, strict=True) if not seen and token != EOS]
            for target, mask in zip(items.targets, shown, strict=True)
        ]

    def found(self, answers: Sequence[Sequence[int]], split: Split) -> list[list[int]]:
        """Of each answer the tokens in those places that were asked for, and those behind the last."""
        given = self.items(split).given
        if given is None:
            return [until_eos(answer) for answer in answers]
        return [
            [int(token) for token, seen in zip(answer, mask[:-1], strict=False) if not seen]
            + until_eos(answer[len(mask) - 1 :])
            for answer, mask in zip(answers, given, strict=True)
        ]

    def score(self, answers: Sequence[Sequence[int]], split: Split) -> Scores:
        """Accuracy: symbols right in their places; exact: answers right as a whole; both in percent."""
        pairs = list(zip(self.found(answers, split), self.asked(split), strict=True))
        accuracy = [100.0 * agreement(found, wanted) for found, wanted in pairs]
        exact = [100.0 * (found == wanted) for found, wanted in pairs]
        said = {"accuracy": "symbols right in their places", "exact": "answers right as a whole"}
        totals = {"accuracy": float(np.mean(accuracy)), "exact": float(np.mean(exact))}
        return Scores(totals, "accuracy", {"accuracy": accuracy, "exact": exact}, said)

    def lengths(self, split: Split) -> list[int]:
        """The length n of every item."""
        if split == "test":
            return [length for length in self.tested for _ in range(self.config.examples)]
        raise ValueError(f"lengths are known of the test, not of {split}")

    def guesses(self, split: Split, seed: int = 0) -> list[list[int]]:
        """Answers of one who draws every symbol."""
        random = np.random.default_rng([2, seed])
        targets = self.items(split).targets
        return [(random.integers(self.choices, size=(target != EOS).sum()) + FIRST).tolist() for target in targets]

    def floors(self, split: Split) -> dict[str, Scores]:
        """One who draws every symbol: its stated floor is `chance`; of labels, one who says the commonest as well."""
        floors = {"random": self.score(self.guesses(split), split)}
        if self.labels:
            labels = [int(target[0]) for target in self.items(split).targets]
            floors["constant"] = self.score([[Counter(labels).most_common(1)[0][0]]] * len(labels), split)
        return floors

    def show(self, split: Split, item: int) -> Shown:
        """One item as symbols."""
        items = self.items(split)
        source, reference = items.sources[item].tolist(), self.write(items.targets[item].tolist())
        return Shown(self.spell(source), None, reference, tuple(map(self.letter, source)))

    def letter(self, token: Any) -> str:
        """A source's token as a person reads it."""
        return self.letters[token - FIRST] if self.letters else str(token - FIRST)

    def spell(self, tokens: Sequence[Any]) -> str:
        """A source as text."""
        return " ".join(map(self.letter, tokens))

    def read(self, query: str) -> np.ndarray:
        """Symbols as `spell` writes them, separated by spaces, (S,). Raises BadInput."""
        known = {self.letter(token): token for token in range(FIRST, FIRST + self.symbols)}
        words = query.split()
        if not words or not all(word in known for word in words):
            raise BadInput(f"{self.name}: expected symbols among {shortened(list(known))}, separated by spaces")
        return np.array([known[word] for word in words], dtype=np.int64)

    def write(self, tokens: Sequence[int]) -> str:
        """An answer as text."""
        return " ".join(str(token - FIRST) for token in until_eos(tokens))


def agreement(found: Sequence[int], wanted: Sequence[int]) -> float:
    """Share of places at which two answers agree, of those that the longer one has."""
    longest = max(len(found), len(wanted))
    return sum(a == b for a, b in zip(found, wanted, strict=False)) / longest if longest else 1.0


def tenths(sources: np.ndarray) -> np.ndarray:
    """Which tenth of all sources each (N, ...) belongs to, by a hash of its symbols."""
    flat = np.ascontiguousarray(sources).reshape(len(sources), -1)
    words = flat.view(np.uint32) if flat.dtype == np.float32 else flat
    factors = np.random.default_rng(9).integers(1, 2**63, words.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    mixed = ((words.astype(np.uint64) + np.uint64(1)) * factors).sum(1, dtype=np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    return ((mixed >> np.uint64(33)) % np.uint64(10)).astype(np.int64)


def joined(parts: Sequence[Items]) -> Items:
    """Several lots of items as one."""
    given = [mask for part in parts for mask in part.given or ()]
    return Items(
        [source for part in parts for source in part.sources],
        [target for part in parts for target in part.targets],
        [length for part in parts for length in part.source_lengths],
        given or None,
    )


def shortened(words: Sequence[str], most: int = 12) -> str:
    """Some of many words."""
    return ", ".join(words[:most]) + (", ..." if len(words) > most else "")
