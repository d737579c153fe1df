"""Selective copy: ten symbols among n blanks have to be found, and said in their order (Gu and Dao, 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.synthetic import Drawn, Synthetic

ALPHABET, KEPT = 8, 10  # symbols, and how many are to be kept
BLANK = ALPHABET


class SelectiveCopy(Synthetic):
    """Ten of 8 symbols and n blanks, mixed; the answer is the ten.

    ```
    source: 3 8 1 7 0 8 0 5 2 6 8 4 1   (n = 3: 8 is a blank)
    target: 3 1 7 0 0 5 2 6 4 1
    ```

    Floor 1/8: each symbol by chance. Ceiling 100 %.
    """

    name = "synthetic.selective_copy"
    symbols = ALPHABET + 1
    choices = ALPHABET

    def written(self, length: int) -> int:
        """Ten, whatever the number of blanks."""
        return KEPT

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """Ten places of all, and a symbol for each."""
        kept = random.integers(ALPHABET, size=(count, KEPT))
        places = np.sort(random.random((count, length + KEPT)).argpartition(KEPT, axis=1)[:, :KEPT], axis=1)
        sources = np.full((count, length + KEPT), BLANK)
        np.put_along_axis(sources, places, kept, axis=1)
        return Drawn(sources, kept)

    def solve(self, source: np.ndarray) -> list[int]:
        """All that is no blank."""
        return [int(symbol) for symbol in source if symbol != BLANK]

    def aligned(self, source: np.ndarray, answer: Sequence[int]) -> list[int]:
        """Where no blank is."""
        return [int(place) for place in np.flatnonzero(source != BLANK)]


TASK = SelectiveCopy
