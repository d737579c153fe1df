"""Recall of a symbol: what was read first has to be said after n elements; the rest is noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.synthetic import Drawn, Synthetic

KEYS, NOISE = 8, 8  # symbols to be kept, and symbols that come after them


class Recall(Synthetic):
    """n elements: one of 8 symbols, then n - 1 of 8 others. The label is the first.

    ```
    source: 5 11 8 15 9   (n = 5: a symbol below 8, four of 8 to 15)
    label:  5
    ```

    Floor 1/8: one of eight symbols by chance. Ceiling 100 %.
    """

    name = "synthetic.recall"
    symbols = KEYS + NOISE
    choices = KEYS
    labels = True

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """The symbol, then noise."""
        sources = random.integers(KEYS, KEYS + NOISE, (count, length))
        sources[:, 0] = random.integers(KEYS, size=count)
        return Drawn(sources, sources[:, 0])

    def solve(self, source: np.ndarray) -> list[int]:
        """The only symbol that is no noise."""
        return [int(symbol) for symbol in source if symbol < KEYS]

    def aligned(self, source: np.ndarray, answer: Sequence[int]) -> list[int]:
        """The first."""
        return [0]


TASK = Recall
