"""Reverse: what was read is said from its end (Delétang et al., 2023, "Neural networks and the Chomsky hierarchy")."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.synthetic import Drawn, Synthetic

ALPHABET = 8


class Reverse(Synthetic):
    """n of 8 symbols; the answer is the same from the last to the first.

    ```
    source: 3 1 7 0 0   (n = 5)
    target: 0 0 7 1 3
    ```

    Floor 1/8: each symbol by chance. Ceiling 100 %.
    """

    name = "synthetic.reverse"
    symbols = ALPHABET
    choices = ALPHABET

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """Any symbols."""
        sources = random.integers(ALPHABET, size=(count, length))
        return Drawn(sources, sources[:, ::-1])

    def solve(self, source: np.ndarray) -> list[int]:
        """Taken from the end, one after the other."""
        rest = source.tolist()
        return [rest.pop() for _ in source]

    def aligned(self, source: np.ndarray, answer: Sequence[int]) -> list[int]:
        """The last place first."""
        return list(range(len(source)))[::-1]


TASK = Reverse
