"""Scenes of photographs on a grid: how they are drawn, the grammar that describes them, and how answers are marked.

```
sentence := row | row ["far"] "above" sentence         "far": an empty row lies between
row      := group | group ["far"] "left of" row        "far": an empty cell lies between
group    := "a" kind | ("two" | "three") kinds         equal photographs side by side are one group
```
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tasks import SPLITS, Split

SIDE = 3  # cells in a row and in a column
CELLS = SIDE * SIDE
EMPTY = -1
PIXELS = 28  # a photograph is PIXELS x PIXELS
KINDS = ("top", "trouser", "pullover", "dress", "coat", "sandal", "sneaker", "bag", "boot")
CLASSES = (0, 1, 2, 3, 4, 5, 7, 8, 9)  # where the kinds lie among the ten vendored classes; 6, shirts, is left out
PLURALS = ("tops", "trousers", "pullovers", "dresses", "coats", "sandals", "sneakers", "bags", "boots")
COUNTS = ("a", "two", "three")
WORDS = (*COUNTS, "left", "of", "above", "far", *KINDS, *PLURALS)
NUMBERS = (2,) * 9 + (3,) * 6 + (4,) * 3 + (5, 6)  # of items: 45, 30, 15, 5, 5 %
PALETTE = (2, 2, 3)  # how many kinds a scene draws its items from: few, so that counts and order carry the sentence
LEFT, ABOVE = ("left", "of"), ("above",)
SEED = 20170825
LONGEST = 23  # words: three rows of two, the photographs of each row far apart

# A held-out combination is an ordered pair of kinds, the one directly before "left of" or "far left of", the
# other directly behind it. Each kind stands once on either side: kind k left of kind k + shift, modulo nine.
HELD_OUT: dict[Split, frozenset[tuple[int, int]]] = {
    "train": frozenset(),
    "validation": frozenset((k, (k + 2) % len(KINDS)) for k in range(len(KINDS))),
    "test": frozenset((k, (k + 4) % len(KINDS)) for k in range(len(KINDS))),
}


def _relation(before: int, behind: int) -> tuple[str, ...]:
    """How one cell lies to another behind it in reading order, no item between."""
    down, right = behind // SIDE - before // SIDE, behind % SIDE - before % SIDE
    far = ("far",) if max(down, right if down == 0 else 0) > 1 else ()
    return far + (ABOVE if down else LEFT)


RELATIONS = {pair: _relation(*pair) for pair in itertools.combinations(range(CELLS), 2)}


class Placed(NamedTuple):
    """One item of a scene in reading order: how the one before lies to it, and what it is."""

    relation: tuple[str, ...]  # () for the first, else ["far"] "left of" or ["far"] "above"
    kind: int


class Scene(NamedTuple):
    """Nine cells in reading order."""

    kinds: tuple[int, ...]  # EMPTY where there is none
    photos: tuple[int, ...]  # which photograph of its kind; meaningless where empty

    def cells(self) -> list[int]:
        """The cells that hold an item, in reading order."""
        return [cell for cell in range(CELLS) if self.kinds[cell] != EMPTY]


def placed(scene: Scene) -> tuple[Placed, ...]:
    """What the sentence says of a scene: every item with its relation to the one before."""
    cells = scene.cells()
    relations = [(), *(RELATIONS[pair] for pair in itertools.pairwise(cells))]
    return tuple(Placed(relation, scene.kinds[cell]) for relation, cell in zip(relations, cells, strict=True))


def groups(items: Sequence[Placed]) -> list[list[int]]:
    """Which items one count speaks of: runs of one kind side by side."""
    runs: list[list[int]] = []
    for i, item in enumerate(items):
        if runs and item.relation == LEFT and item.kind == items[i - 1].kind:
            runs[-1].append(i)
        else:
            runs.append([i])
    return runs


def describe(items: Sequence[Placed]) -> list[tuple[str, tuple[int, ...]]]:
    """The one sentence for `items`: words, each with the items it speaks of.

    A count and a kind speak of their group, the words of a relation of the groups on both its sides.
    """
    words: list[tuple[str, tuple[int, ...]]] = []
    before: tuple[int, ...] = ()
    for group in groups(items):
        here = tuple(group)
        first = items[group[0]]
        noun = (KINDS if len(group) == 1 else PLURALS)[first.kind]
        words += [(word, before + here) for word in first.relation]
        words += [(COUNTS[len(group) - 1], here), (noun, here)]
        before = here
    return words


def parse(words: Sequence[str]) -> tuple[Placed, ...] | None:
    """The items that a sentence speaks of, counts expanded; None where the grammar does not allow it."""
    items: list[Placed] = []
    left = list(words)
    relation: tuple[str, ...] | None = ()
    while relation is not None:
        if len(left) < 2 or left[0] not in COUNTS:
            return None
        count = COUNTS.index(left[0]) + 1
        names = KINDS if count == 1 else PLURALS
        if left[1] not in names:
            return None
        kind = names.index(left[1])
        items += [Placed(relation if i == 0 else LEFT, kind) for i in range(count)]
        relation, left = _next_relation(left[2:])
    return None if left else tuple(items)


def _next_relation(words: list[str]) -> tuple[tuple[str, ...] | None, list[str]]:
    """The relation that `words` begin with, or None, and the words behind it."""
    for relation in (LEFT, ABOVE, ("far", *LEFT), ("far", *ABOVE)):
        if tuple(words[: len(relation)]) == relation:
            return relation, words[len(relation) :]
    return None, words


class Mark(NamedTuple):
    """What is right about one answer."""

    structure: bool  # well-formed, with the right number of items in the right relations
    named: tuple[bool, ...]  # for each item of the truth, whether its kind is right


def mark(answer: Sequence[str], truth: Sequence[Placed]) -> Mark:
    """Structure masks every kind and expands counts; no item is named right where the structure is wrong."""
    said = parse(answer)
    if said is None or [i.relation for i in said] != [i.relation for i in truth]:
        return Mark(False, (False,) * len(truth))
    return Mark(True, tuple(a.kind == b.kind for a, b in zip(said, truth, strict=True)))


def neighbours(items: Sequence[Placed]) -> set[tuple[int, int]]:
    """Pairs of kinds, the first left of the second (near or far), equal kinds left out."""
    pairs = itertools.pairwise(items)
    return {(a.kind, b.kind) for a, b in pairs if b.relation[-2:] == LEFT and a.kind != b.kind}


def held_out(items: Sequence[Placed], split: Split) -> bool:
    """Whether a scene holds a combination that is kept for `split`."""
    return bool(neighbours(items) & HELD_OUT[split])


def draw(split: Split, number: int, photos: int) -> Scene:
    """Scene `number` of a split, from `photos` photographs a kind; the same on every machine.

    Every fourth scene of validation and test holds a combination kept for that split; all others hold none.
    """
    every = set().union(*HELD_OUT.values())
    kept = HELD_OUT[split] if number % 4 == 3 else frozenset()
    for scene in _draws(split, number, photos):
        items = placed(scene)
        pairs = neighbours(items) & every
        # two groups or more, so that every sentence states a relation
        if len(groups(items)) > 1 and bool(pairs) == bool(kept) and pairs <= kept:
            return scene
    raise AssertionError("the draws never end")


def _draws(split: Split, number: int, photos: int) -> Iterator[Scene]:
    """Scenes with one number of items, drawn from numpy's seed sequence: its words are the same in every version."""
    size = NUMBERS[int(_random(split, number, 0)[0]) % len(NUMBERS)]
    for attempt in itertools.count(1):
        words = _random(split, number, attempt)
        cells = np.argsort(words[:CELLS], kind="stable")[:size].tolist()
        picks, photo_of, rest = words[CELLS:].reshape(3, CELLS).tolist()
        few = rest[: PALETTE[rest[-1] % len(PALETTE)]]  # kinds of this scene, perhaps twice the same
        kinds = [few[picks[cell] % len(few)] % len(KINDS) if cell in cells else EMPTY for cell in range(CELLS)]
        yield Scene(tuple(kinds), tuple(word % photos for word in photo_of))


def _random(split: Split, number: int, attempt: int) -> np.ndarray:
    words: np.ndarray = np.random.SeedSequence((SEED, SPLITS.index(split), number, attempt)).generate_state(4 * CELLS)
    return words


def cut(picture: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """A picture (h, w, C) uint8 as patches (rows * columns, C * h/rows * w/columns) float32 from 0 to 1, row by row."""
    height, width, channels = picture.shape
    h, w = height // rows, width // columns
    patches = picture.reshape(rows, h, columns, w, channels).transpose(0, 2, 4, 1, 3)
    return patches.reshape(rows * columns, channels * h * w).astype(np.float32) / np.float32(255)


def paste(patches: np.ndarray, shape: tuple[int, int, int], rows: int, columns: int) -> np.ndarray:
    """The picture (h, w, C) uint8 that `cut` cut."""
    channels, h, w = shape
    picture = patches.reshape(rows, columns, channels, h, w).transpose(0, 3, 1, 4, 2)
    whole: np.ndarray = np.rint(picture.reshape(rows * h, columns * w, channels) * 255).astype(np.uint8)
    return whole
