"""Random tokens of one exact length, to be written down again: for clocks, where length alone matters."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from tasks import EOS, SPECIALS, BadInput, Items, Range, Scores, Shown, Spec, Split, Task, until_eos

SIZES: dict[Split, int] = {"train": 1024, "validation": 64, "test": 64}


class Tokens(Task):
    """Each source is as long as every other, and so is each target: the first tokens of its source, and EOS.

    ```
    source: 17 9 40 22   (length 4)
    target: 17 9 40 2
    ```
    """

    name = "tokens"
    main = "exact"

    @dataclasses.dataclass(frozen=True)
    class Config(Task.Config):
        """Sizes in tokens."""

        length: Annotated[int, Range(1, 65_536)] = 32  # of source and target, EOS included
        vocabulary: Annotated[int, Range(5, 65_536)] = 1000  # specials included

    def __init__(self, config: Any = None, data: Path | None = None) -> None:
        if data is not None:
            raise BadInput("tokens takes no data of your own; it draws them")
        self.config = config or self.Config()
        size, length = self.config.vocabulary, self.config.length
        self.spec = Spec("tokens", size, size, max_target=max(2, length), joint_vocabulary=True)
        self.checksum = hashlib.sha256(json.dumps(dataclasses.asdict(self.config)).encode()).hexdigest()
        self._items = {split: self._drawn(split) for split in SIZES}

    def _drawn(self, split: Split) -> Items:
        draw = np.random.default_rng([len(split), self.config.length])
        sources = draw.integers(len(SPECIALS), self.config.vocabulary, (SIZES[split], self.config.length))
        targets = np.concatenate([sources[:, :-1], np.full((SIZES[split], 1), EOS)], 1)
        return Items(list(sources), list(targets), [self.config.length] * SIZES[split])

    def items(self, split: Split) -> Items:
        """All items of a split."""
        return self._items[split]

    def score(self, answers: Sequence[Sequence[int]], split: Split) -> Scores:
        """The share of answers that are right to the last token, in percent."""
        wanted = [until_eos(target.tolist()) for target in self._items[split].targets]
        exact = [100.0 * (until_eos(a) == w) for a, w in zip(answers, wanted, strict=True)]
        return Scores({"exact": float(np.mean(exact))}, "exact", {"exact": exact})

    def floors(self, split: Split) -> dict[str, Scores]:
        """None: no answer is likelier than another."""
        return {}

    def show(self, split: Split, item: int) -> Shown:
        """One item as numbers."""
        items = self._items[split]
        source = items.sources[item].tolist()
        return Shown(self.write(source), None, self.write(items.targets[item].tolist()), tuple(map(str, source)))

    def read(self, query: str) -> np.ndarray:
        """Numbers separated by spaces, (S,). Raises BadInput."""
        words = query.split()
        known = range(len(SPECIALS), self.config.vocabulary)
        if not words or not all(word.isdecimal() and int(word) in known for word in words):
            raise BadInput(f"tokens: expected numbers from {known.start} to {known.stop - 1}, separated by spaces")
        return np.array([int(word) for word in words], dtype=np.int64)

    def write(self, tokens: Sequence[int]) -> str:
        """Tokens as their numbers."""
        return " ".join(map(str, until_eos(tokens)))


TASK = Tokens
