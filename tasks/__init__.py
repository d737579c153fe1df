"""What is asked: the three types that every task and every model share, and the list of tasks.

A task turns raw text or pictures into batches of numbers and scores the answers that come back.
File name = task name: ``tasks/translation.py`` ends with ``TASK = Translation``. ``names()`` lists
the files without importing them, ``load("translation")`` imports one, ``load("path/to/mine.py")``
imports anybody's.

Shapes: ``B`` batch, ``S`` source, ``T`` target, ``F`` numbers in one vector.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tasks._registry import BadInput, found, listed
from tasks._settings import Chance, Depth, Range, Settings, Share, Size, configured

__all__ = [
    "BOS",
    "EOS",
    "PAD",
    "SPECIALS",
    "SPLITS",
    "UNK",
    "BadInput",
    "Batch",
    "Chance",
    "Depth",
    "Items",
    "Range",
    "Scores",
    "Settings",
    "Share",
    "Shown",
    "Size",
    "Spec",
    "Split",
    "Task",
    "collate",
    "configured",
    "found",
    "listed",
    "load",
    "names",
    "order",
    "pad",
    "until_eos",
]

PAD, BOS, EOS, UNK = range(4)
SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Spec:
    """All that a model may know about a task."""

    source: Literal["tokens", "vectors"]
    source_size: int  # vocabulary, or numbers in one vector (F)
    target_size: int  # vocabulary, or specials + labels
    max_target: int  # longest answer in tokens, EOS included; 1 means that the answer is a label
    target: Literal["tokens", "number"] = "tokens"  # "number": one real value, squared error
    patch_shape: tuple[int, int, int] | None = None  # (C, h, w) where a vector is a patch of a picture
    grid: tuple[int, int] | None = None  # rows and columns of patches
    joint_vocabulary: bool = False  # source and target tokens are the same symbols


class Batch(NamedTuple):
    """Some items of a split, padded with PAD (tokens) or zeros (vectors) behind their ends."""

    source: Int[Tensor, "B S"] | Float[Tensor, "B S F"]  # int64 tokens or float32 vectors
    source_length: Int[Tensor, " B"]  # int64, kept on the CPU: packing must not stall the device
    target: Int[Tensor, "B T"] | Float[Tensor, "B 1"]  # closed by EOS unless a label
    target_length: Int[Tensor, " B"]  # int64, on the CPU
    item: Int[Tensor, " B"]  # which items of the split these are, on the CPU
    given: Int[Tensor, "B T"] | None = None  # tokens of the target that are told, PAD where one has to be found

    @property
    def wanted(self) -> Tensor:
        """The target with PAD in place of what was given: what is learned and scored."""
        return self.target if self.given is None else self.target.masked_fill(self.given != PAD, PAD)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch with its source and target on `device`; lengths stay on the CPU."""
        source, target = self.source.to(device, non_blocking=True), self.target.to(device, non_blocking=True)
        given = None if self.given is None else self.given.to(device, non_blocking=True)
        return self._replace(source=source, target=target, given=given)


@dataclasses.dataclass(frozen=True)
class Scores:
    """How good a set of answers is. Every metric is better when larger."""

    totals: dict[str, float]  # metric -> value over the whole split
    main: str  # the metric that chooses the best state and heads the tables
    items: dict[str, list[float]] = dataclasses.field(default_factory=dict)  # one value an item
    signatures: dict[str, str] = dataclasses.field(default_factory=dict)  # metric -> how it was computed


@dataclasses.dataclass(frozen=True)
class Items:
    """One split: sources and targets of equal number, item i of one belonging to item i of the other.

    Targets hold no BOS; they end with EOS unless they are labels. Either sequence may compute its
    arrays when asked (pictures), as long as the same index always gives the same array.
    """

    sources: Sequence[np.ndarray]  # (S,) integers, or (S, F) float32
    targets: Sequence[np.ndarray]  # (T,) integers, or (1,) float32
    source_lengths: Sequence[int]  # known without computing the source: bucketing reads them all
    given: Sequence[np.ndarray] | None = None  # (T,) tokens of each target that are told, PAD for the others

    def __len__(self) -> int:
        return len(self.source_lengths)

    def both_lengths(self) -> np.ndarray:
        """One number an item (N,), in the order of target length and then of source length."""
        source = np.asarray(self.source_lengths, dtype=np.int64)
        return np.array([len(t) for t in self.targets]) * (source.max(initial=0) + 1) + source


@dataclasses.dataclass(frozen=True)
class Shown:
    """One item as a person sees it."""

    source: str | None  # text, or None where the source is a picture
    picture: np.ndarray | None  # (h, w, 3) uint8, or None where the source is text
    reference: str
    source_tokens: tuple[str, ...] = ()  # what attention weights over the source line up with


class Task(ABC):
    """Items in three splits, a way to score answers, and the floors that any model should beat."""

    name: ClassVar[str]
    main: ClassVar[str]  # name of the main metric
    fresh: ClassVar[bool] = False  # whether no training example ever comes twice

    @dataclasses.dataclass(frozen=True)
    class Config(Settings):
        """Settings of the task; each task states its own, with their ranges."""

    spec: Spec
    checksum: str  # SHA-256 over the raw data and the settings that shape it

    @abstractmethod
    def __init__(self, config: Any = None, data: Path | None = None) -> None:
        """Reads the vendored corpus, or one's own from the folder `data`. Raises BadInput."""

    @abstractmethod
    def items(self, split: Split) -> Items:
        """All items of a split, in their fixed order."""

    @abstractmethod
    def score(self, answers: Sequence[Sequence[int]], split: Split) -> Scores:
        """Scores one answer an item (tokens as generated: up to EOS, which may be there or not)."""

    @abstractmethod
    def floors(self, split: Split) -> dict[str, Scores]:
        """Scores of answerers that need no sequence model, best known by name."""

    @abstractmethod
    def show(self, split: Split, item: int) -> Shown:
        """One item as text or picture."""

    @abstractmethod
    def read(self, query: str) -> np.ndarray:
        """What a person types (text, or the path of an image) as one source, (S,) or (S, F). Raises BadInput."""

    @abstractmethod
    def write(self, tokens: Sequence[int]) -> str:
        """An answer as text. Tokens from EOS on are left out."""

    @property
    def overlap(self) -> dict[str, int]:
        """How many items of validation and of test an earlier split holds as well, after normalisation.

        Nothing is taken out: whose data they are decides. {} where the task itself keeps its splits apart.
        """
        return {}

    def at_length(self, words: int) -> Task | None:
        """The same task with a test whose sources are about so many words long; None where there is no such thing.

        A model of this task's specification answers it as it is, with `spec.max_target` for room.
        """
        return None

    def by_words(self, edges: Sequence[int]) -> dict[str, Task]:
        """The test in parts by words of the source, "1 to 5" and so on up to the last edge; {} where none are known."""
        return {}

    def facts(self, split: Split) -> dict[str, float | int]:
        """Numbers that say what a split is in this task's tokens, such as its mean lengths; {} where it tells none."""
        return {}

    def pieces(self, tokens: Sequence[int]) -> tuple[str, ...]:
        """Each token of an answer as text, up to and without EOS; for labelling attention."""
        return tuple(self.write([token]) for token in until_eos(tokens))

    def batches(self, split: Split, size: int, seed: int = 0, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """Batches of `size` items, the last one smaller; the order is a function of (seed, epoch).

        Items of like length share a batch, so that little of it is padding. Training batches come in
        random order, others by length. `start` skips that many batches (exact resume).
        """
        items = self.items(split)
        # only training may look at targets: their padding costs the most, as every place of it meets the head
        sizes = items.both_lengths() if split == "train" else np.asarray(items.source_lengths)
        for rows in order(sizes, size, seed, epoch, shuffle=split == "train")[start:]:
            yield collate(items, rows, self.spec)


def until_eos(tokens: Sequence[int]) -> list[int]:
    """The tokens before the first EOS, PAD and BOS left out."""
    answer = []
    for token in tokens:
        if token == EOS:
            break
        if token not in (PAD, BOS):
            answer.append(int(token))
    return answer


def order(by_length: np.ndarray, size: int, seed: int, epoch: int, shuffle: bool, pool: int = 200) -> list[np.ndarray]:
    """Which items each batch holds. Shuffled: sorted by length within pools of `pool` batches."""
    rows = np.arange(len(by_length))
    if not shuffle:
        rows = rows[np.argsort(by_length, kind="stable")]
        return [rows[i : i + size] for i in range(0, len(rows), size)]
    random = np.random.default_rng([seed, epoch])
    random.shuffle(rows)
    batches = []
    for i in range(0, len(rows), size * pool):
        near = rows[i : i + size * pool]
        near = near[np.argsort(by_length[near], kind="stable")]
        batches += [near[j : j + size] for j in range(0, len(near), size)]
    return [batches[i] for i in random.permutation(len(batches))]


def collate(items: Items, rows: Sequence[int] | np.ndarray, spec: Spec) -> Batch:
    """Pads the items `rows` into one batch."""
    source, source_length = pad([items.sources[int(i)] for i in rows])
    target, target_length = pad([items.targets[int(i)] for i in rows])
    given = None if items.given is None else pad([items.given[int(i)] for i in rows])[0]
    item = torch.as_tensor(np.asarray(rows, dtype=np.int64))
    return Batch(source, source_length, target, target_length, item, given)


def pad(sequences: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """(S,) or (S, F) arrays of unequal S as one tensor (B, S[, F]), zeros behind, with their lengths (B,)."""
    lengths = [len(s) for s in sequences]
    first = sequences[0]
    kind = np.float32 if np.issubdtype(first.dtype, np.floating) else np.int64
    padded = np.zeros((len(sequences), max(lengths), *first.shape[1:]), dtype=kind)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return torch.from_numpy(padded), torch.tensor(lengths)


def names() -> list[str]:
    """Every task in this folder, by file name, and those that are drawn, as synthetic.NAME; none is imported."""
    here = Path(__file__).parent
    return [*listed(here), *(f"synthetic.{name}" for name in listed(here / "synthetic"))]


def load(name: str) -> type[Task]:
    """The task class of that name, dotted module, or path of a .py file. Raises BadInput."""
    return found(name, "tasks", names(), "TASK", Task)  # type: ignore[type-abstract]
