"""Multi-query associative recall: what belongs to which key, asked for every key (Arora et al., 2024, "Zoology")."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from tasks import BadInput, Range
from tasks.synthetic import Drawn, Synthetic


class Mqar(Synthetic):
    """n symbols: blanks, then pairs of a key and its value. Half of the keys are given, their values asked.

    ```
    source: 8 5 2 7 0 4 0 6 1   (n = 9, vocabulary 8, 4 pairs: values 0 to 3, keys 4 to 7, 8 is a blank)
    target: 7 7 0 6 6 1         (2 queries: 7 and 6 are given, each twice)
    ```

    Half of them, each once: were all asked, the answers given so far would tell the last one by elimination; were keys
    asked anew, a decoder could copy its own earlier answers. Either way loss would fall without any recall. A key is
    said twice for models that look before they read: additive attention is computed from the state before the newest
    symbol; self-attention, from the newest symbol itself, which has to be the key, or there would be one thing more to
    find first. Keys are distinct, values need not be. Floor: one of the values by chance, 1/64 by default.
    Ceiling 100 %.
    """

    name = "synthetic.mqar"
    least = 2

    @dataclasses.dataclass(frozen=True)
    class Config(Synthetic.Config):
        """Of the vocabulary one half are keys, the other values (one more, if it is odd)."""

        vocabulary: Annotated[int, Range(2, 8192)] = 128
        pairs: Annotated[int, Range(1, 4096)] = 4
        fewest: Annotated[int, Range(0, 4096)] = 0  # of a training batch, from this up; 0 or above: all
        queries: Annotated[int, Range(0, 4096)] = 0  # keys asked; 0: half of them; above the pairs: drawn anew
        again: Annotated[int, Range(0, 16)] = 1  # how often a key that is asked is said once more before its value

    def __init__(self, config: Any = None, data: Path | None = None) -> None:
        config = config or self.Config()
        self.symbols = config.vocabulary + 1
        self.keys = config.vocabulary // 2
        self.choices = config.vocabulary - self.keys  # values come first, so that a drawn answer is one of them
        super().__init__(config, data)

    def fits(self, length: int) -> None:
        """There are as many keys as pairs, and the length holds them. Raises BadInput."""
        pairs, vocabulary = self.config.pairs, self.config.vocabulary
        if pairs > self.keys:
            raise BadInput(f"{self.name}: {pairs} pairs, but a vocabulary of {vocabulary} has {self.keys} keys")
        if 2 * pairs > length:
            raise BadInput(f"{self.name}: {pairs} pairs, but a length of {length} holds {length // 2}")

    def practised(self, random: np.random.Generator) -> Synthetic:
        """Fewer pairs in some batches, where the key matters already and there is less to be found: from two up.

        One pair alone teaches that the key does not matter.
        """
        if not self.config.fewest:
            return self
        pairs = int(random.integers(min(self.config.fewest, self.config.pairs), self.config.pairs + 1))
        easier = copy.copy(self)
        easier.config = dataclasses.replace(self.config, pairs=pairs)
        return easier

    def written(self, length: int) -> int:
        """Every key that is asked, as often as it is said, and its value."""
        return self.stride * self.asks

    @property
    def stride(self) -> int:
        """Symbols of one query."""
        return 2 + int(self.config.again)

    @property
    def asks(self) -> int:
        """How many keys are asked."""
        return int(self.config.queries or max(1, self.config.pairs // 2))

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """Distinct keys, any values; the answer holds some of the pairs."""
        pairs = self.config.pairs
        keys = random.permuted(np.tile(np.arange(self.keys), (count, 1)), axis=1)[:, :pairs] + self.choices
        told = np.stack([keys, random.integers(self.choices, size=(count, pairs))], axis=2)  # (N, pairs, 2)
        sources = np.full((count, length), self.symbols - 1)
        sources[:, length - 2 * pairs :] = told.reshape(count, -1)
        asked = self._asked(random, count)
        turned = np.take_along_axis(told, asked[..., None], axis=1)
        targets = np.repeat(turned, [self.stride - 1, 1], axis=2).reshape(count, -1)
        return Drawn(sources, targets, np.tile([True] * (self.stride - 1) + [False], (count, self.asks)))

    def _asked(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Which pairs are asked (N, queries): none twice, unless there are more queries than pairs."""
        pairs = self.config.pairs
        if self.asks > pairs:
            return random.integers(pairs, size=(count, self.asks))
        return random.permuted(np.tile(np.arange(pairs), (count, 1)), axis=1)[:, : self.asks]

    def solve(self, source: np.ndarray, asked: Sequence[int] | None = None) -> list[int]:
        """Every key, as often as it is said, and its value: of the keys that were `asked`, else of all as they came."""
        told = [int(symbol) for symbol in source if symbol != self.symbols - 1]
        pairs = dict(zip(told[::2], told[1::2], strict=True))
        keys = pairs if asked is None else asked[:: self.stride - 1]
        return [symbol for key in keys for symbol in ([key] * (self.stride - 1) + [pairs[key]])]

    def aligned(self, source: np.ndarray, answer: Sequence[int]) -> list[int]:
        """Behind its key, for each value; keys are given."""
        behind = {int(symbol): place + 1 for place, symbol in enumerate(source)}
        step = self.stride
        return [behind[answer[n - 1]] if n % step == step - 1 else -1 for n in range(len(answer))]


TASK = Mqar
