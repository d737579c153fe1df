"""Duplicate: what was read is said twice (duplicate string of Delétang et al., 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.synthetic import Drawn, Synthetic


class Duplicate(Synthetic):
    """n of 2 symbols; the answer is the same, and the same again.

    ```
    source: 0 1 1   (n = 3)
    target: 0 1 1 0 1 1
    ```

    Floor 1/2: each symbol by chance. Ceiling 100 %.
    """

    name = "synthetic.duplicate"
    symbols = 2
    choices = 2

    def written(self, length: int) -> int:
        """Twice what is read."""
        return 2 * length

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """Any symbols."""
        sources = random.integers(2, size=(count, length))
        return Drawn(sources, np.tile(sources, 2))

    def solve(self, source: np.ndarray) -> list[int]:
        """Round the source, from its start, two times."""
        return [int(source[place % len(source)]) for place in range(2 * len(source))]

    def aligned(self, source: np.ndarray, answer: Sequence[int]) -> list[int]:
        """From the start to the end, twice."""
        return [*range(len(source)), *range(len(source))]


TASK = Duplicate
