"""Parity: whether the number of ones is odd; every symbol counts (Delétang et al., 2023, parity check)."""

from __future__ import annotations

import numpy as np

from tasks.synthetic import Drawn, Synthetic


class Parity(Synthetic):
    """n of 2 symbols; the label is 1 if the number of ones is odd, else 0.

    ```
    source: 0 1 1 0 1   (n = 5)
    label:  1
    ```

    Floor 1/2: one of two labels by chance. Ceiling 100 %.
    """

    name = "synthetic.parity"
    symbols = 2
    choices = 2
    labels = True

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """Any symbols."""
        sources = random.integers(2, size=(count, length))
        return Drawn(sources, sources.sum(1) % 2)

    def solve(self, source: np.ndarray) -> list[int]:
        """Turned round at every one."""
        odd = False
        for symbol in source:
            odd ^= bool(symbol)
        return [int(odd)]


TASK = Parity
