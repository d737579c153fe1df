"""Sort: what was read is said in ascending order (Graves et al., 2014, 4.5, where numbers come with priorities)."""

from __future__ import annotations

import numpy as np

from tasks.synthetic import Drawn, Synthetic

ALPHABET = 16


class Sort(Synthetic):
    """n of 16 symbols; the answer is the same, smallest first, each as often as it came.

    ```
    source: 12 3 15 3 0   (n = 5)
    target: 0 3 3 12 15
    ```

    Floor 1/16: each symbol by chance. Ceiling 100 %.
    """

    name = "synthetic.sort"
    symbols = ALPHABET
    choices = ALPHABET

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """Any symbols."""
        sources = random.integers(ALPHABET, size=(count, length))
        return Drawn(sources, np.sort(sources, axis=1))

    def solve(self, source: np.ndarray) -> list[int]:
        """The smallest of what is left, until nothing is."""
        rest, done = source.tolist(), []
        while rest:
            done.append(min(rest))
            rest.remove(done[-1])
        return done


TASK = Sort
