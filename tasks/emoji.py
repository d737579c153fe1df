"""Emoji to their Unicode names: small colour pictures, with combinations of activity and skin tone held out whole."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np

from tasks import SPLITS, BadInput, Items, Range, Scores, Shown, Spec, Split, Task
from tasks import _files as files
from tasks._caption_score import caption_scores
from tasks._parallel import MARGIN
from tasks._pictures import picture
from tasks._scenes import cut
from tasks._splits import split_of
from tasks._text import Text
from tasks.floors import most_frequent, nearest_vectors

SIDE = 32  # pixels
PICTURES, NAMES = "emoji/pictures.xz", "emoji/names.tsv.xz"
TONE = re.compile(r"\b(?:medium-light|medium-dark|light|medium|dark) skin tone\b")
PERSON = re.compile(r"\b(?:man|men|woman|women|person|people)\b")


class Named(NamedTuple):
    """One picture and what it may be called."""

    picture: np.ndarray  # (32, 32, 3) uint8
    names: tuple[str, ...]  # several where emoji share a picture; the first is the target


class Emoji(Task):
    """Unicode names of emoji, in lower case.

    ```
    source: the picture of a woman surfing, 16 patches of 8 x 8 pixels in three colours, numbers from 0 to 1
    target: woman surfing dark skin tone  -> 71 402 118 87 90 2
    ```

    Whatever has no skin tone (flags, food, faces) is in training: nobody can name what he never saw. Of the rest,
    a combination is an activity with its tones, whoever does it. About 10 % of the combinations are
    held out whole for validation (186 pictures) and as many for test (214); scores on those pictures
    alone end with `_held_out`. A further 92 and 81 are single pictures whose combination training
    shows with another person. Every activity, tone and word occurs in training (3,068 pictures), so
    the best possible score is 100 (10 on CIDEr-D).
    """

    name = "emoji"
    main: ClassVar[str] = "chrf"  # gives part of the credit for part of the name; exact starts from zero

    @dataclasses.dataclass(frozen=True)
    class Config(Task.Config):
        """Settings of the task."""

        patch: Literal[4, 8, 16, 32] = 8  # pixels along one side of a patch
        vocabulary: Annotated[int, Range(100, 20_000)] = 1500  # most byte-pair pieces, specials included

    def __init__(self, config: Any = None, data: Path | None = None) -> None:
        """Reads the vendored pictures. Raises BadInput on damaged files, or own data."""
        self.config: Emoji.Config = config or self.Config()
        if data is not None:
            raise BadInput(f"emoji reads no data of one's own; for captioned pictures say captioning={data}")
        every = vendored()
        part = parts([named.names for named in every])
        self.splits: dict[Split, list[Named]] = {split: [] for split in SPLITS}
        for named, split in zip(every, part, strict=True):
            self.splits[split].append(named)
        shown = {combination(named.names[0]) for named in self.splits["train"]}
        self.held_out = {
            split: np.array([combination(named.names[0]) not in shown for named in self.splits[split]])
            for split in SPLITS
        }
        self.text = Text.learn([n.names[0] for n in self.splits["train"]], "bpe", self.config.vocabulary)
        self._items = {split: self._tokens(split) for split in SPLITS}
        rows = SIDE // self.config.patch
        self.spec = Spec(
            source="vectors",
            source_size=3 * self.config.patch**2,
            target_size=self.text.size,
            max_target=max(len(target) for target in self._items["train"].targets) + MARGIN,
            patch_shape=(3, self.config.patch, self.config.patch),
            grid=(rows, rows),
        )
        self.checksum = files.digest("emoji", *(files.manifest().get(f) for f in (PICTURES, NAMES)), self.config)

    def _tokens(self, split: Split) -> Items:
        rows = SIDE // self.config.patch
        sources = [cut(named.picture, rows, rows) for named in self.splits[split]]
        targets = self.text.encode_all([named.names[0] for named in self.splits[split]])
        return Items(sources, targets, [rows * rows] * len(sources))

    def items(self, split: Split) -> Items:
        """Pictures in the order of their names."""
        return self._items[split]

    def score(self, answers: Sequence[Sequence[int]], split: Split) -> Scores:
        """chrF, BLEU, exact, CIDEr-D; all but BLEU also as means over the held-out combinations."""
        said = [self.write(answer) for answer in answers]
        totals, items, signatures = caption_scores(said, [named.names for named in self.splits[split]])
        held = self.held_out[split]
        if held.any():
            for metric in ("chrf", "exact", "cider"):
                totals[f"{metric}_held_out"] = float(np.mean(np.array(items[metric])[held]))
                signatures[f"{metric}_held_out"] = f"{signatures[metric]}|mean over pictures of held-out combinations"
        return Scores(totals, self.main, items, signatures)

    def floors(self, split: Split) -> dict[str, Scores]:
        """`constant`: the commonest training name. `nearest`: that of the training picture at the smallest angle."""
        train, asked = self.splits["train"], self.splits[split]
        targets = self._items["train"].targets
        known, wanted = (np.stack([255 - n.picture for n in part]).astype(np.float32) for part in (train, asked))
        constant = most_frequent([tuple(target.tolist()) for target in targets])
        nearest = nearest_vectors(known.reshape(len(known), -1), wanted.reshape(len(wanted), -1))
        return {
            "constant": self.score([constant] * len(asked), split),
            "nearest neighbour": self.score([targets[int(i)].tolist() for i in nearest], split),
        }

    def show(self, split: Split, item: int) -> Shown:
        """The picture, 32 x 32 on white."""
        named = self.splits[split][item]
        return Shown(None, named.picture, named.names[0])

    def read(self, query: str) -> np.ndarray:
        """The middle square of a picture file on white, at 32 x 32. Raises BadInput (see `picture`)."""
        rows = SIDE // self.config.patch
        return cut(picture(Path(query), SIDE, ground=255), rows, rows)

    def write(self, tokens: Sequence[int]) -> str:
        """A name. Tokens from EOS on are left out."""
        return self.text.decode(tokens)

    def pieces(self, tokens: Sequence[int]) -> tuple[str, ...]:
        """Byte-pair pieces up to EOS."""
        return self.text.pieces(tokens)


def vendored() -> list[Named]:
    """Every distinct picture with all its names, in the order of the first names. Raises BadInput."""
    pictures = np.frombuffer(files.expand(files.raw(PICTURES), PICTURES), np.uint8).reshape(-1, SIDE, SIDE, 3)
    names: dict[bytes, list[str]] = {}
    for drawn, (_, name) in zip(pictures, files.rows(NAMES)[1:], strict=True):
        names.setdefault(drawn.tobytes(), []).append(name.lower())
    return [
        Named(np.frombuffer(content, np.uint8).reshape(SIDE, SIDE, 3), tuple(several))
        for content, several in names.items()
    ]


def combination(name: str) -> tuple[str, tuple[str, ...]]:
    """The activity and the tones of a name: ("surfing", ("dark skin tone",)), whoever surfs."""
    activity = " ".join(PERSON.sub("", TONE.sub("", name)).split())
    return activity, tuple(TONE.findall(name))


def parts(names: Sequence[tuple[str, ...]]) -> list[Split]:
    """The split of each picture by hash: of its combination first, then of its name.

    Without a tone, or with several names: training.
    """
    return [_part(several) for several in names]


def _part(names: tuple[str, ...]) -> Split:
    activity, tones = combination(names[0])
    if not tones or len(names) > 1:
        return "train"
    whole = split_of(f"{activity}|{tones}", 26, 26)
    return whole if whole != "train" else split_of(names[0], 20, 20)


TASK = Emoji
