"""Modular arithmetic: digits with +, - and *, modulo five and without brackets (Delétang et al., 2023)."""

from __future__ import annotations

import numpy as np

from tasks.synthetic import Drawn, Synthetic

MODULUS = 5
PLUS, MINUS, TIMES, EQUALS = range(MODULUS, MODULUS + 4)


class ModularArithmetic(Synthetic):
    """n symbols: digits below 5, operators between them; if n is even, = at the end. The label is the value modulo 5.

    ```
    source: 3 + 2 * 4 - 1   (n = 7; products come first: 10 modulo 5)
    label:  0
    ```

    Floor 1/5: one of five labels by chance. Ceiling 100 %.
    """

    name = "synthetic.modular_arithmetic"
    symbols = MODULUS + 4
    choices = MODULUS
    labels = True
    letters = ("0", "1", "2", "3", "4", "+", "-", "*", "=")

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """Any digits, any operators."""
        digits = random.integers(MODULUS, size=(count, (length + 1) // 2))
        operators = random.integers(PLUS, TIMES + 1, (count, digits.shape[1] - 1))
        sources = np.full((count, length), EQUALS)
        sources[:, ::2] = digits
        sources[:, 1 : 2 * operators.shape[1] : 2] = operators
        return Drawn(sources, values(digits, operators))

    def solve(self, source: np.ndarray) -> list[int]:
        """Products first, then their sum."""
        products: list[list[int]] = [[1, int(source[0])]]  # factors; the first is the sign
        for operator, digit in zip(source[1::2].tolist(), source[2::2].tolist(), strict=False):
            if operator == TIMES:
                products[-1].append(digit)
            else:
                products.append([1 if operator == PLUS else -1, digit])
        return [sum(_product(factors) for factors in products) % MODULUS]


def values(digits: np.ndarray, operators: np.ndarray) -> np.ndarray:
    """The value of each row, (N,), from left to right: the sum so far, and the product that is not yet part of it."""
    total, product = np.zeros(len(digits), dtype=np.int64), digits[:, 0]
    for operator, digit in zip(operators.T, digits[:, 1:].T, strict=True):
        times = operator == TIMES
        total = total + np.where(times, 0, product)
        product = np.where(times, product, np.where(operator == MINUS, -1, 1)) * digit % MODULUS
    return (total + product) % MODULUS


def _product(factors: list[int]) -> int:
    product = 1
    for factor in factors:
        product = product * factor % MODULUS  # else it would have as many digits as factors
    return product


TASK = ModularArithmetic
