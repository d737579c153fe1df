"""Bucket sort: five symbols in ascending order, so that counting them is enough (Delétang et al., 2023)."""

from __future__ import annotations

import numpy as np

from tasks.synthetic import Drawn, Synthetic

ALPHABET = 5


class BucketSort(Synthetic):
    """n of 5 symbols; the answer is the same, smallest first.

    ```
    source: 4 2 0 2 1 4 0   (n = 7)
    target: 0 0 1 2 2 4 4
    ```

    Floor 1/5: each symbol by chance. Ceiling 100 %.
    """

    name = "synthetic.bucket_sort"
    symbols = ALPHABET
    choices = ALPHABET

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """Any symbols."""
        sources = random.integers(ALPHABET, size=(count, length))
        return Drawn(sources, np.sort(sources, axis=1))

    def solve(self, source: np.ndarray) -> list[int]:
        """One bucket after the other, emptied."""
        buckets = source.tolist()
        return [symbol for symbol in range(ALPHABET) for _ in range(buckets.count(symbol))]


TASK = BucketSort
