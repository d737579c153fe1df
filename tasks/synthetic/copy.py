"""Copy memory: ten symbols, a delay of n blanks, a sign; then the ten again (Hochreiter and Schmidhuber, 1997)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.synthetic import Drawn, Synthetic

ALPHABET, KEPT = 8, 10  # symbols, and how many are to be kept
BLANK, SIGN = ALPHABET, ALPHABET + 1


class Copy(Synthetic):
    """Ten of 8 symbols, n blanks, and a sign that asks for them.

    ```
    source: 3 1 7 0 0 5 2 6 4 1 8 8 8 9   (n = 3: 8 is a blank, 9 the sign)
    target: 3 1 7 0 0 5 2 6 4 1
    ```

    Floor 1/8: each symbol by chance. Ceiling 100 %.
    """

    name = "synthetic.copy"
    symbols = ALPHABET + 2
    choices = ALPHABET

    def written(self, length: int) -> int:
        """Ten, whatever the delay."""
        return KEPT

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """Symbols, blanks, the sign."""
        kept = random.integers(ALPHABET, size=(count, KEPT))
        rest = np.full((count, length + 1), BLANK)
        rest[:, -1] = SIGN
        return Drawn(np.concatenate([kept, rest], 1), kept)

    def solve(self, source: np.ndarray) -> list[int]:
        """All that is neither blank nor sign."""
        return [int(symbol) for symbol in source if symbol < ALPHABET]

    def aligned(self, source: np.ndarray, answer: Sequence[int]) -> list[int]:
        """Place for place."""
        return list(range(KEPT))


TASK = Copy
