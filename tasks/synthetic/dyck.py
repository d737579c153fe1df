"""Dyck: whether brackets of two kinds are balanced (the language D2; Chomsky and Schützenberger, 1963)."""

from __future__ import annotations

import numpy as np

from tasks.synthetic import Drawn, Synthetic

FILLER = 4  # kind k opens as 2 k and closes as 2 k + 1


class Dyck(Synthetic):
    """n brackets; if n is odd, n - 1 and a dot at the end. The label is 1 if they are balanced, else 0.

    ```
    source: ( [ ( ) ] ) [ ] .   (n = 9)
    label:  1
    source: ( [ ( ) ) ] [ ] .   (two closing brackets have changed places)
    label:  0
    ```

    Half of the examples are balanced: all shapes are equally likely, and so are the kinds. In the other half two
    closing brackets of unlike kind have changed places, such as close no neighbour where there are any: neither
    counts nor depths nor neighbours tell. Where all are of one kind, the first and the last have changed places.

    Floor 1/2: one of two labels by chance. Ceiling 100 %.
    """

    name = "synthetic.dyck"
    symbols = 5
    choices = 2
    labels = True
    least = 2
    letters = ("(", ")", "[", "]", ".")

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """Pairs, their kinds, and what is wrong."""
        pairs = partners(shapes(random, count, length // 2))
        opening, good = random.integers(2, size=pairs.shape[:2]), random.integers(2, size=count)
        closing, alike = opening.copy(), np.ptp(opening, axis=1) == 0
        wrong = np.flatnonzero((good == 0) & ~alike)
        liking = random.random(opening.shape) + (np.ptp(pairs, axis=2) > 1)
        for kind in (0, 1):
            chosen = np.where(opening == kind, liking, -1).argmax(1)
            closing[wrong, chosen[wrong]] = 1 - kind
        sources = np.full((count, length), FILLER)
        np.put_along_axis(sources, pairs[..., 0], 2 * opening, axis=1)
        np.put_along_axis(sources, pairs[..., 1], 2 * closing + 1, axis=1)
        turned, ends = np.flatnonzero((good == 0) & alike), [0, 2 * (length // 2) - 1]
        sources[turned[:, None], ends] = sources[turned[:, None], ends[::-1]]
        return Drawn(sources, good)

    def solve(self, source: np.ndarray) -> list[int]:
        """With a stack of what is open."""
        stack: list[int] = []
        for symbol in source[source != FILLER].tolist():
            if symbol % 2 == 0:
                stack.append(symbol)
            elif not stack or stack.pop() != symbol - 1:
                return [0]
        return [int(not stack)]


def shapes(random: np.random.Generator, count: int, pairs: int) -> np.ndarray:
    """Balanced brackets, each shape equally likely: (N, 2 pairs), 1 where one opens and -1 where one closes.

    Of all rotations of a row with one -1 too many, just one stays above zero until its end (the cycle lemma;
    Dvoretzky and Motzkin, 1947): that which starts behind its first lowest place.
    """
    steps = random.permuted(np.tile(np.repeat([1, -1], [pairs, pairs + 1]), (count, 1)), axis=1)
    start = steps.cumsum(1).argmin(1) + 1
    return np.take_along_axis(steps, (start[:, None] + np.arange(2 * pairs)) % (2 * pairs + 1), axis=1)


def partners(steps: np.ndarray) -> np.ndarray:
    """The place of each opening bracket and that of its closing one, (N, pairs, 2)."""
    depth = steps.cumsum(1) + (steps < 0)  # the same for both of a pair, which follow each other at that depth
    return depth.argsort(axis=1, kind="stable").reshape(len(steps), -1, 2)


TASK = Dyck
