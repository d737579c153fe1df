"""Even pairs: whether 01 and 10 come an even number of times, so that the ends agree (Delétang et al., 2023)."""

from __future__ import annotations

import itertools

import numpy as np

from tasks.synthetic import Drawn, Synthetic


class EvenPairs(Synthetic):
    """n of 2 symbols; the label is 1 if neighbours differ an even number of times, else 0.

    ```
    source: 0 1 1 0 1   (n = 5: 01, 10 and 01 are three)
    label:  0
    ```

    Floor 1/2: one of two labels by chance. Ceiling 100 %.
    """

    name = "synthetic.even_pairs"
    symbols = 2
    choices = 2
    labels = True
    least = 2

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """Any symbols."""
        sources = random.integers(2, size=(count, length))
        return Drawn(sources, (sources[:, 0] == sources[:, -1]).astype(np.int64))

    def solve(self, source: np.ndarray) -> list[int]:
        """Pair by pair."""
        unlike = sum(a != b for a, b in itertools.pairwise(source.tolist()))
        return [1 - unlike % 2]


TASK = EvenPairs
