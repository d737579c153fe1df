"""Stack manipulation: a stack, what is done to it, and what is on it then (Delétang et al., 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.synthetic import Drawn, Synthetic

POP, PUSH = 2, 3  # PUSH pushes a 0, PUSH + 1 a 1


class Stack(Synthetic):
    """n symbols: what is on the stack, from the bottom, then actions. The answer is what is left, from the top.

    ```
    source: 0 1 1 pop pop push1   (n = 6)
    target: 1 0
    ```

    One of the n symbols or more is on the stack at first. Nothing happens where there is nothing to pop; if the last
    pop would leave nothing, a push stands in its place. Floor 1/2: each symbol by chance. Ceiling 100 %.
    """

    name = "synthetic.stack"
    symbols = 5
    choices = 2
    letters = ("0", "1", "pop", "push0", "push1")

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """Content of any length, then actions."""
        content = np.arange(length) < random.integers(1, length + 1, (count, 1))
        actions = random.integers(POP, PUSH + 2, (count, length))
        sources = np.where(content, random.integers(2, size=(count, length)), actions)
        emptied = ~staying(sources).any(1)
        sources[emptied, -1] = random.integers(PUSH, PUSH + 2, emptied.sum())
        pushed = np.where(sources < POP, sources, sources - PUSH)
        return Drawn(sources, [row[kept][::-1] for row, kept in zip(pushed, staying(sources), strict=True)])

    def solve(self, source: np.ndarray) -> list[int]:
        """Action by action."""
        stack: list[int] = []
        for symbol in source.tolist():
            if symbol != POP:
                stack.append(symbol if symbol < POP else symbol - PUSH)
            elif stack:
                stack.pop()
        return stack[::-1]

    def aligned(self, source: np.ndarray, answer: Sequence[int]) -> list[int]:
        """Where each symbol that is left was pushed, or lay at first, the highest first."""
        return [int(place) for place in np.flatnonzero(staying(source[None])[0])][::-1]


def staying(sources: np.ndarray) -> np.ndarray:
    """Which symbols are on the stack at the end, (N, S): those pushed to a height that no later one lies below."""
    height = np.where(sources == POP, -1, 1).cumsum(1)  # a pop of nothing lowers the ground, which changes none of it
    lowest = np.minimum.accumulate(height[:, ::-1], axis=1)[:, ::-1]  # from here on
    return (sources != POP) & (lowest == height)


TASK = Stack
