"""Scenes composed of real photographs, described by a fixed grammar: structure and naming are scored apart.

Two to six cells of a 3 x 3 grid (45, 30, 15, 5 and 5 % of the scenes; places drawn evenly) hold a
photograph of 28 x 28 grey pixels from Fashion-MNIST, the others are black. One cell is one patch.
A scene draws its items from two kinds (two scenes in three) or three, so that counts and order carry
the sentence: who only knows which kinds there are cannot write it.

```
source: [bag ][bag ][    ]
        [    ][    ][    ]   nine vectors of 784 numbers from 0 to 1, row by row
        [boot][    ][coat]
target: two bags far above a boot far left of a coat  -> 5 27 10 9 4 19 10 7 8 4 15 2
```

Grammar, one sentence of 5 to 23 words a scene (`tasks/_scenes.py`):

```
sentence := row | row ["far"] "above" sentence        "far": an empty row lies between
row      := group | group ["far"] "left of" row       "far": an empty cell lies between
group    := "a" kind | ("two" | "three") kinds        equal kinds side by side are one group
```

There are nine kinds: shirts, the tenth class, are left out, since in grey and at this size people
cannot tell them from tops and coats either. Each split has photographs of its own. Eighteen of the 72
ordered pairs "kind directly left of another kind" never occur in training: nine are kept for
validation and nine for test, and every fourth scene there holds one; scores on those scenes alone are
the metrics that end with `_held_out`.

The best possible score is known: who recognises every photograph reaches 100 on every metric (10 on
CIDEr-D). With `--data captioning=DIR`, one's own pictures and captions: see `tasks/_pictures.py`.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from tasks import EOS, SPECIALS, SPLITS, BadInput, Items, Range, Scores, Shown, Spec, Split, Task, until_eos
from tasks import _files as files
from tasks import _scenes as scenes
from tasks._caption_score import caption_scores
from tasks._pictures import Captioned, captioned, picture
from tasks._splits import in_earlier_splits
from tasks._text import Text
from tasks.floors import most_frequent, nearest_vectors

GRID = (scenes.SIDE, scenes.SIDE)
SIZE = scenes.SIDE * scenes.PIXELS  # pixels along one side of a scene
PART = 10_000  # training scenes that are compared at once


class Captioning(Task):
    """Structure: the right number of items in the right relations, every kind masked and counts expanded.

    Naming: the share of all items given the right kind; where the structure is wrong, none is.
    """

    name = "captioning"
    main: ClassVar[str] = "exact"  # needs structure and naming at once: it spreads models furthest apart

    @dataclasses.dataclass(frozen=True)
    class Config(Task.Config):
        """Settings of the scenes, and of pictures of one's own."""

        scenes: Annotated[int, Range(1, 1_000_000)] = 10000  # for training
        global_vector: bool = False  # the whole picture as one vector (S = 1) instead of a grid of patches
        pixels: Annotated[int, Range(1, 1024)] = 96  # along one side of a picture of one's own
        patch: Annotated[int, Range(1, 1024)] = 16  # pixels along one side of its patches; a divisor of the above
        vocabulary: Annotated[int, Range(50, 50_000)] = 2000  # most byte-pair pieces of captions of one's own
        longest: Annotated[int, Range(1, 1000)] = 40  # pieces; longer captions of one's own are cut

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.pixels % self.patch:
                raise ValueError(f"patch={self.patch} does not divide pixels={self.pixels}: expected whole patches")

    def __new__(cls, config: Any = None, data: Path | None = None) -> Captioning:
        """Scenes, or OwnCaptions where there is a folder `data`."""
        return super().__new__(OwnCaptions if data is not None else cls)

    def __init__(self, config: Any = None, data: Path | None = None) -> None:
        """Draws the scenes of training, about 0.2 ms each. Raises BadInput on damaged data."""
        self.config: Captioning.Config = config or self.Config()
        self.numbers: dict[Split, int] = {"train": self.config.scenes, "validation": 800, "test": 1000}
        self.splits: dict[Split, Composed] = {}
        self._items: dict[Split, Items] = {}
        whole = self.config.global_vector
        self.spec = Spec(
            source="vectors",
            source_size=SIZE * SIZE if whole else scenes.PIXELS**2,
            target_size=len(SPECIALS) + len(scenes.WORDS),
            max_target=scenes.LONGEST + 1,
            patch_shape=(1, SIZE, SIZE) if whole else (1, scenes.PIXELS, scenes.PIXELS),
            grid=None if whole else GRID,
        )
        sums = [files.manifest().get(f"fashion/{split}.xz") for split in self.numbers]
        self.checksum = files.digest("captioning", sums, self.config, scenes.SEED, scenes.WORDS)
        self.items("train")  # here, so that the training clock starts with scenes drawn, as with texts read

    def composed(self, split: Split) -> Composed:
        """The scenes of a split, drawn when first asked for."""
        if split not in self.splits:
            self.splits[split] = Composed(split, self.numbers[split], self.config.global_vector)
        return self.splits[split]

    def _arranged(self, patches: np.ndarray) -> np.ndarray:
        return whole(patches) if self.config.global_vector else patches

    def items(self, split: Split) -> Items:
        """Sources are put together when asked for, in about 20 microseconds."""
        if split not in self._items:
            composed = self.composed(split)
            targets = [_tokens(sentence) for sentence in composed.sentences]
            self._items[split] = Items(composed, targets, [self.patches] * len(composed))
        return self._items[split]

    @property
    def patches(self) -> int:
        """Vectors in one source (S)."""
        return 1 if self.config.global_vector else scenes.CELLS

    def score(self, answers: Sequence[Sequence[int]], split: Split) -> Scores:
        """`exact`, `structure`, `naming`, these on held-out combinations, `kind_*`, BLEU, chrF, CIDEr-D."""
        composed = self.composed(split)
        said = [self.write(answer) for answer in answers]
        totals, items, signatures = caption_scores(said, [[" ".join(s)] for s in composed.sentences])
        marks = [scenes.mark(a.split(), t) for a, t in zip(said, composed.placed, strict=True)]
        items["structure"] = [100.0 * m.structure for m in marks]
        items["naming"] = [100.0 * float(np.mean(m.named)) for m in marks]
        held = np.array([scenes.held_out(truth, split) for truth in composed.placed])
        for suffix, rows in {"": np.ones_like(held), "_held_out": held}.items():
            if rows.any():
                of = [m for m, row in zip(marks, rows, strict=True) if row]
                totals[f"exact{suffix}"] = float(np.mean(np.array(items["exact"])[rows]))
                totals[f"structure{suffix}"] = 100.0 * float(np.mean([m.structure for m in of]))
                totals[f"naming{suffix}"] = 100.0 * float(np.mean([named for m in of for named in m.named]))
        totals |= _by_kind(marks, composed.placed)
        return Scores(totals, self.main, items, signatures | _signatures(totals))

    def floors(self, split: Split) -> dict[str, Scores]:
        """`constant`: the commonest training sentence. `nearest`: that of the training scene at the smallest angle.

        `patchwise`: each cell named alone by ridge regression on its pixels, then put into the grammar's words.
        """
        composed, train = self.composed(split), self.composed("train")
        commonest = most_frequent([tuple(sentence) for sentence in train.sentences])
        nearest = _nearest(train, composed)
        weights = _ridge(train.photos)
        named = [scenes.placed(_named(composed.patches(i), weights)) for i in range(len(composed))]
        sentences: dict[str, list[Sequence[str]]] = {
            "constant": [commonest] * len(composed),
            "nearest neighbour": [train.sentences[i] for i in nearest],
            "patchwise": [[word for word, _ in scenes.describe(items)] for items in named],
        }
        return {floor: self.score([_tokens(s).tolist() for s in said], split) for floor, said in sentences.items()}

    def alignment(self, split: Split, item: int) -> list[set[int]]:
        """For each word of the sentence, the patches it speaks of.

        A count and a kind speak of their group, the words of a relation of the groups on both its sides.
        """
        composed = self.composed(split)
        cells = composed.scenes[item].cells()
        if self.config.global_vector:
            cells = [0] * len(cells)
        return [{cells[i] for i in about} for _, about in scenes.describe(composed.placed[item])]

    def show(self, split: Split, item: int) -> Shown:
        """The scene in grey, 84 x 84."""
        composed = self.composed(split)
        grey = scenes.paste(composed.patches(item), (1, scenes.PIXELS, scenes.PIXELS), *GRID)
        return Shown(None, np.repeat(grey, 3, axis=2), " ".join(composed.sentences[item]))

    def read(self, query: str) -> np.ndarray:
        """The middle square of a picture file in grey, at 84 x 84. Raises BadInput (see `picture`)."""
        return self._arranged(scenes.cut(picture(Path(query), SIZE, grey=True), *GRID))

    def write(self, tokens: Sequence[int]) -> str:
        """The words up to EOS, spaces between."""
        return " ".join(_word(token) for token in until_eos(tokens))


class Composed(Sequence[np.ndarray]):
    """The scenes of one split; a source is put together each time it is asked for."""

    def __init__(self, split: Split, number: int, whole: bool) -> None:
        self.whole = whole
        self.photos = photographs(split)
        self.scenes = [scenes.draw(split, i, self.photos.shape[1]) for i in range(number)]
        self.placed = [scenes.placed(scene) for scene in self.scenes]
        self.sentences = [[word for word, _ in scenes.describe(items)] for items in self.placed]

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, item: Any) -> Any:
        """Source `item`: (9, 784), or (1, 7056) as one vector, float32 from 0 to 1."""
        patches = self.patches(item)
        return whole(patches) if self.whole else patches

    def patches(self, item: int) -> np.ndarray:
        """Scene `item` cell by cell, (9, 784) float32 from 0 to 1."""
        scene = self.scenes[item]
        patches = np.zeros((scenes.CELLS, scenes.PIXELS**2), dtype=np.float32)
        for cell in scene.cells():
            np.multiply(self.photos[scene.kinds[cell], scene.photos[cell]], np.float32(1 / 255), out=patches[cell])
        return patches

    def lit(self, cell: int, rows: range) -> tuple[np.ndarray, np.ndarray]:
        """Which of the scenes `rows` hold a photograph in that cell, (n,), and its pixels, (n, 784) float32."""
        kinds = np.array([self.scenes[i].kinds[cell] for i in rows])
        photos = np.array([self.scenes[i].photos[cell] for i in rows])
        here = np.flatnonzero(kinds != scenes.EMPTY)
        return here, self.photos[kinds[here], photos[here]].astype(np.float32) / 255


def whole(patches: np.ndarray) -> np.ndarray:
    """Patches (9, 784) as one vector (1, 7056), pixel row by pixel row."""
    rows = patches.reshape(scenes.SIDE, scenes.SIDE, scenes.PIXELS, scenes.PIXELS)
    return rows.transpose(0, 2, 1, 3).reshape(1, SIZE * SIZE)


def photographs(split: Split) -> np.ndarray:
    """Photographs by kind, (9, n, 784) uint8; no photograph is in two splits."""
    name = f"fashion/{split}.xz"
    every = np.frombuffer(files.expand(files.raw(name), name), np.uint8)
    return every.reshape(10, -1, scenes.PIXELS**2)[list(scenes.CLASSES)]


def _tokens(words: Sequence[str]) -> np.ndarray:
    return np.array([len(SPECIALS) + scenes.WORDS.index(word) for word in words] + [EOS], dtype=np.int32)


def _word(token: int) -> str:
    return (*SPECIALS, *scenes.WORDS)[token]


def _by_kind(marks: Sequence[scenes.Mark], truths: Sequence[Sequence[scenes.Placed]]) -> dict[str, float]:
    """Share of the items of each kind that are named right."""
    right: dict[str, list[bool]] = {kind: [] for kind in scenes.KINDS}
    for one, truth in zip(marks, truths, strict=True):
        for named, item in zip(one.named, truth, strict=True):
            right[scenes.KINDS[item.kind]].append(named)
    return {f"kind_{kind}": 100.0 * float(np.mean(named)) for kind, named in right.items() if named}


def _signatures(totals: dict[str, float]) -> dict[str, str]:
    structure = "well-formed, with the right number of items and relations|kinds masked|counts expanded"
    naming = "share of items given the right kind|0 where the structure is wrong"
    said = {"structure": structure, "naming": naming}
    said |= {metric: f"naming of {metric[5:]} alone" for metric in totals if metric.startswith("kind_")}
    only = "scenes with a pair of kinds that training never shows"
    return said | {f"{m}_held_out": f"{m}|{only}" for m in ("exact", *said) if f"{m}_held_out" in totals}


def _nearest(train: Composed, asked: Composed) -> np.ndarray:
    """For each scene of `asked` the training scene at the smallest angle, the first of equals, (N,)."""
    best: np.ndarray = np.full(len(asked), -np.inf, dtype=np.float32)
    nearest: np.ndarray = np.zeros(len(asked), dtype=np.int64)
    for start in range(0, len(train), PART):
        likeness = _likeness(asked, train, range(start, min(start + PART, len(train))))
        row = likeness.argmax(axis=1)
        found = likeness[np.arange(len(asked)), row]
        nearest = np.where(found > best, start + row, nearest)
        best = np.maximum(found, best)
    return nearest


def _likeness(asked: Composed, train: Composed, rows: range) -> np.ndarray:
    """Products of the pixels of `asked` with those of training scenes, over the length of the latter, (N, rows).

    Cell by cell, since most cells are black: a tenth of the work of whole scenes.
    """
    products: np.ndarray = np.zeros((len(asked), len(rows)), dtype=np.float32)
    squares: np.ndarray = np.zeros(len(rows), dtype=np.float32)
    for cell in range(scenes.CELLS):
        mine, pixels = asked.lit(cell, range(len(asked)))
        theirs, known = train.lit(cell, rows)
        products[np.ix_(mine, theirs)] += pixels @ known.T
        squares[theirs] += np.square(known).sum(axis=1)
    return products / np.sqrt(squares)


def _ridge(photos: np.ndarray, strength: float = 10.0) -> np.ndarray:
    """Weights (785, 9) from the pixels of a photograph, and one, to its kind."""
    kinds, n, pixels = photos.shape
    x = np.ones((kinds * n, pixels + 1))
    x[:, :-1] = photos.reshape(-1, pixels) / 255
    y = np.repeat(np.eye(kinds), n, axis=0)
    weights: np.ndarray = np.linalg.solve(x.T @ x + strength * np.eye(pixels + 1), x.T @ y)
    return weights


def _named(patches: np.ndarray, weights: np.ndarray) -> scenes.Scene:
    """The scene that ridge regression sees; a black patch is an empty cell."""
    kinds = np.argmax(patches @ weights[:-1] + weights[-1], axis=1)
    return scenes.Scene(tuple(np.where(patches.any(axis=1), kinds, scenes.EMPTY).tolist()), (0,) * scenes.CELLS)


class OwnCaptions(Captioning):
    """Pictures and captions from a folder, see `tasks._pictures.captioned`; each caption is one training item.

    Sources are pictures cut into a grid of colour patches; targets are byte-pair pieces in lower case.
    Validation and test hold one item a picture, scored against all its captions.
    """

    main = "cider"  # made for several captions a picture: agreement counts by how telling the words are

    def __init__(self, config: Any = None, data: Path | None = None) -> None:
        """Reads every picture, about 3 ms each. Raises BadInput on any fault of the folder."""
        c: Captioning.Config = config or self.Config()
        self.config = c
        if data is None:
            raise BadInput("captions of one's own need a folder: captioning=DIR")
        every = captioned(Path(data), c.pixels)
        self.own = {split: [one for one in every if one.split == split] for split in SPLITS}
        self.text = Text.learn((s for one in self.own["train"] for s in one.captions), "bpe", c.vocabulary, lower=True)
        self._items = {split: self._tokens(split) for split in SPLITS}
        side = c.pixels if c.global_vector else c.patch
        self.spec = Spec(
            source="vectors",
            source_size=3 * side * side,
            target_size=self.text.size,
            max_target=c.longest + 1,
            patch_shape=(3, side, side),
            grid=None if c.global_vector else (c.pixels // side, c.pixels // side),
        )
        pictures = [hashlib.sha256(one.picture.tobytes()).hexdigest() for one in every]
        self.checksum = files.digest("own captions", pictures, [(one.captions, one.split) for one in every], c)

    def _tokens(self, split: Split) -> Items:
        """One item a caption in training, one a picture elsewhere; longer captions are cut."""
        chosen = [(i, s) for i, one in enumerate(self.own[split]) for s in one.captions[: self._said(split)]]
        targets = self.text.encode_all([s for _, s in chosen], eos=False)
        cut_off = [np.append(target[: self.config.longest], EOS).astype(np.int32) for target in targets]
        patches = Patches(self.own[split], [i for i, _ in chosen], 1 if self.config.global_vector else self._side())
        return Items(patches, cut_off, [patches.side**2] * len(chosen))

    def _side(self) -> int:
        return self.config.pixels // self.config.patch

    def _said(self, split: Split) -> int | None:
        return None if split == "train" else 1

    def items(self, split: Split) -> Items:
        """Pictures are cut when asked for."""
        return self._items[split]

    @property
    def overlap(self) -> dict[str, int]:
        """Pictures of validation and of test that stand, pixel by pixel, in an earlier split."""
        return in_earlier_splits({split: [one.picture.tobytes() for one in self.own[split]] for split in SPLITS})

    def references(self, split: Split) -> list[list[str]]:
        """All captions of each item's picture, in lower case."""
        said = [[" ".join(s.lower().split()) for s in one.captions] for one in self.own[split]]
        return [said[i] for i in self._rows(split)]

    def _rows(self, split: Split) -> list[int]:
        """Which picture each item shows."""
        return [i for i, one in enumerate(self.own[split]) for _ in one.captions[: self._said(split)]]

    def score(self, answers: Sequence[Sequence[int]], split: Split) -> Scores:
        """CIDEr-D, BLEU, chrF, exact against all captions of each picture."""
        totals, items, signatures = caption_scores([self.write(a) for a in answers], self.references(split))
        return Scores(totals, self.main, items, signatures)

    def floors(self, split: Split) -> dict[str, Scores]:
        """`constant`: the commonest training caption. `nearest`: one of the training picture at the smallest angle."""
        train, rows = self._items["train"].targets, self._rows("train")
        first = [rows.index(i) for i in range(len(self.own["train"]))]
        known, asked = (np.stack([one.picture.ravel() for one in self.own[part]]) for part in ("train", split))
        nearest = nearest_vectors(known - known.mean(axis=0), asked - known.mean(axis=0))
        constant = most_frequent([tuple(target.tolist()) for target in train])
        return {
            "constant": self.score([constant] * len(self._items[split]), split),
            "nearest neighbour": self.score([train[first[nearest[i]]].tolist() for i in self._rows(split)], split),
        }

    def alignment(self, split: Split, item: int) -> list[set[int]]:
        """Nobody said which part of a photograph a word speaks of. Raises BadInput."""
        raise BadInput("captions of one's own come without the places that their words speak of")

    def show(self, split: Split, item: int) -> Shown:
        """The picture as the model sees it, and its first caption."""
        one = self.own[split][self._rows(split)[item]]
        return Shown(None, one.picture, self.references(split)[item][0])

    def read(self, query: str) -> np.ndarray:
        """The middle square of a picture file. Raises BadInput (see `picture`)."""
        side = 1 if self.config.global_vector else self._side()
        return scenes.cut(picture(Path(query), self.config.pixels), side, side)

    def write(self, tokens: Sequence[int]) -> str:
        """A caption. Tokens from EOS on are left out."""
        return self.text.decode(tokens)

    def pieces(self, tokens: Sequence[int]) -> tuple[str, ...]:
        """Byte-pair pieces up to EOS."""
        return self.text.pieces(tokens)


class Patches(Sequence[np.ndarray]):
    """Pictures as patches, cut each time they are asked for: several items share one picture."""

    def __init__(self, own: Sequence[Captioned], rows: Sequence[int], side: int) -> None:
        self.own, self.rows, self.side = own, rows, side  # side: patches in a row and in a column

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: Any) -> Any:
        """Source `item`, (side * side, 3 * h * w) float32 from 0 to 1."""
        return scenes.cut(self.own[self.rows[item]].picture, self.side, self.side)


TASK = Captioning
