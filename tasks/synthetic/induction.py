"""Induction: the last symbol came once before; what came behind it then? (Olsson et al., 2022, "induction heads")."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.synthetic import Drawn, Synthetic

ALPHABET = 16


class Induction(Synthetic):
    """n of 16 symbols, ... a b ... a: the last occurs twice in all, and the label is what follows its first.

    ```
    source: 9 4 11 2 9 9 4   (n = 7)
    label:  11
    ```

    Floor 1/16: one of sixteen symbols by chance. Ceiling 100 %.
    """

    name = "synthetic.induction"
    symbols = ALPHABET
    choices = ALPHABET
    labels = True
    least = 3

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """Any symbols but a; then a at any place that leaves room for a b, and at the end."""
        rows, asked = np.arange(count), random.integers(ALPHABET, size=count)
        sources = (asked[:, None] + random.integers(1, ALPHABET, (count, length))) % ALPHABET
        first = random.integers(length - 2, size=count)
        sources[rows, first] = sources[:, -1] = asked
        return Drawn(sources, sources[rows, first + 1])

    def solve(self, source: np.ndarray) -> list[int]:
        """One place behind the only other."""
        *before, last = source.tolist()
        return [before[before.index(last) + 1]]

    def aligned(self, source: np.ndarray, answer: Sequence[int]) -> list[int]:
        """Behind where the last symbol came before."""
        return [source.tolist().index(source[-1]) + 1]


TASK = Induction
