"""ListOps: the value of nested lists of digits (Nangia and Bowman, 2018)."""

from __future__ import annotations

import numpy as np

from tasks.synthetic import Drawn, Synthetic

DIGITS, CUTS = 10, 4  # a list is cut at 1 to 4 places
MAX, MIN, MED, SM, CLOSE = range(DIGITS, DIGITS + 5)
NESTED = 4  # symbols of the shortest list: two digits, what opens it and what closes it


class ListOps(Synthetic):
    """One list of n symbols in all: an operator, then digits and lists. The label is its value, a digit.

    ```
    source: [MAX 4 [SM 7 8 ] [MED 1 9 2 ] 0 ]   (n = 13: the largest of 4, 15 modulo 10, 2 and 0)
    label:  5
    ```

    MAX, MIN; MED, the median, of an even number the mean of the middle two rounded down; SM, the sum modulo 10.
    Lists hold two arguments or more. Lengths are met exactly.

    Floor 1/10: one of ten labels by chance; the commonest is more often right, as maxima are large and minima
    small. Ceiling 100 %.
    """

    name = "synthetic.listops"
    symbols = DIGITS + 5
    choices = DIGITS
    labels = True
    least = NESTED
    letters = (*"0123456789", "[MAX", "[MIN", "[MED", "[SM", "]")

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """Level by level, all lists of a depth at once; values from the deepest upwards."""
        flat = np.empty(count * length, dtype=np.int64)
        start, size = np.arange(count) * length, np.full(count, length)
        levels = []
        while len(start):
            operator = random.integers(MAX, SM + 1, len(start))
            flat[start], flat[start + size - 1] = operator, CLOSE
            owner, start, size = arguments(random, start + 1, size - 2)
            value, nested = random.integers(DIGITS, size=len(owner)), size >= NESTED
            flat[start[~nested]] = value[~nested]
            levels.append((operator, owner, value, nested))
            start, size = start[nested], size[nested]
        results = np.empty(0, dtype=np.int64)
        for operator, owner, value, nested in reversed(levels):
            value[nested] = results
            results = applied(operator, owner, value)
        return Drawn(flat.reshape(count, length), results)

    def solve(self, source: np.ndarray) -> list[int]:
        """With a stack of the lists that are open."""
        stack: list[list[int]] = [[]]
        for symbol in source.tolist():
            if symbol == CLOSE:
                operator, *values = stack.pop()
                stack[-1].append(_value(operator, values))
            elif symbol >= DIGITS:
                stack.append([symbol])
            else:
                stack[-1].append(symbol)
        return stack[0]


def arguments(random: np.random.Generator, start: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, ...]:
    """Cuts `size` >= 2 symbols from `start` into arguments, for many lists: owner, start and size of each, in order.

    A part too short for a list becomes as many digits.
    """
    cuts = random.integers(1, size[:, None], (len(size), CUTS))
    cuts[:, 1:] *= random.integers(2, size=(len(size), CUTS - 1))  # a cut at 0 is none
    parts = np.diff(np.sort(cuts, axis=1), axis=1, prepend=0, append=size[:, None])
    digits = parts < NESTED
    times = np.where(digits, parts, 1)
    sizes = np.repeat(np.where(digits, 1, parts).ravel(), times.ravel())
    owner = np.repeat(np.arange(len(size)), times.sum(1))
    before = sizes.cumsum() - sizes  # symbols of all arguments before, those of other lists too
    return owner, before - (size.cumsum() - size)[owner] + start[owner], sizes


def applied(operator: np.ndarray, owner: np.ndarray, value: np.ndarray) -> np.ndarray:
    """The value of each list, (L,), from the values of all arguments, which are digits."""
    counts = np.bincount(owner, minlength=len(operator))
    first = counts.cumsum() - counts
    ranked = np.sort(owner * DIGITS + value) % DIGITS  # ascending within each list
    middle = (ranked[first + (counts - 1) // 2] + ranked[first + counts // 2]) // 2
    total = np.add.reduceat(value, first) % DIGITS
    return np.choose(operator - MAX, [ranked[first + counts - 1], ranked[first], middle, total])


def _value(operator: int, values: list[int]) -> int:
    if operator in (MAX, MIN):
        return max(values) if operator == MAX else min(values)
    ranked, half = sorted(values), len(values) // 2
    return sum(values) % DIGITS if operator == SM else (ranked[half] + ranked[-half - 1]) // 2


TASK = ListOps
