"""Cycle navigation: where on a cycle of five places one is after n moves (Delétang et al., 2023)."""

from __future__ import annotations

import numpy as np

from tasks.synthetic import Drawn, Synthetic

PLACES = 5
STAY, ON, BACK = range(3)


class CycleNavigation(Synthetic):
    """n moves from place 0: stay, one on, one back. The label is the place at the end.

    ```
    source: + 0 - - 0 -   (n = 6: one on, three back)
    label:  3
    ```

    Floor 1/5: one of five places by chance. Ceiling 100 %.
    """

    name = "synthetic.cycle_navigation"
    symbols = 3
    choices = PLACES
    labels = True
    letters = ("0", "+", "-")

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """Any moves."""
        sources = random.integers(3, size=(count, length))
        return Drawn(sources, ((sources == ON).sum(1) - (sources == BACK).sum(1)) % PLACES)

    def solve(self, source: np.ndarray) -> list[int]:
        """Step by step."""
        place = 0
        for move in source.tolist():
            place = {STAY: place, ON: (place + 1) % PLACES, BACK: (place or PLACES) - 1}[move]
        return [place]


TASK = CycleNavigation
