"""The adding problem: the sum of the two that are marked (Hochreiter and Schmidhuber, 1997, 5.4; Le et al., 2015)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tasks import BadInput, Scores, Spec, Split
from tasks.synthetic import Drawn, Synthetic

DIGITS = 10
SPREAD = 1 / 6  # variance of the sum of two numbers from 0 to 1: the squared error of always saying 1
NEAR = 0.04  # errors below count as found: those of Hochreiter and Schmidhuber, whose sums run from 0 to 1


class Adding(Synthetic):
    """n elements, two of them marked, one in each half. The answer is their sum.

    ```
    source: 0.25 0.5* 0.75 0.125 1* 0   (n = 6; as numbers: vectors of a value from 0 to 1 and a mark, 0 or 1)
    target: 1.5
    source: 3 8* 1 0 5* 9               (as tokens: digits and marked digits)
    label:  13
    ```

    As a number, floor 0 % of the variance: always 1. As tokens, floor 1/19: one of the sums 0 to 18 by chance; always
    9 is right for 1/10. Ceiling 100 %, up to rounding.
    """

    name = "synthetic.adding"
    main = "explained"
    symbols = 2 * DIGITS
    choices = 2 * DIGITS - 1
    labels = True
    least = 2
    letters = (*"0123456789", *(f"{digit}*" for digit in range(DIGITS)))

    @dataclasses.dataclass(frozen=True)
    class Config(Synthetic.Config):
        """Whether values are numbers and so is the sum, or digits and the sum a label."""

        form: Literal["number", "tokens"] = "number"

    def __init__(self, config: Any = None, data: Path | None = None) -> None:
        super().__init__(config, data)
        if not self._numeric:
            self.main = "accuracy"  # type: ignore[misc]  # it depends on the form

    @property
    def _numeric(self) -> bool:
        return bool(self.config.form == "number")

    @property
    def chance(self) -> float:
        """The floor in percent: of the variance, or of the sums."""
        return 0.0 if self._numeric else super().chance

    def _spec(self) -> Spec:
        if self._numeric:
            return Spec("vectors", source_size=2, target_size=1, max_target=1, target="number")
        return super()._spec()

    def draw(self, random: np.random.Generator, count: int, length: int) -> Drawn:
        """Any values; a mark in each half."""
        marks = np.zeros((count, length), dtype=bool)
        for start, end in ((0, length // 2), (length // 2, length)):
            marks[np.arange(count), random.integers(start, end, count)] = True
        if self._numeric:
            values = random.random((count, length), dtype=np.float32)
            return Drawn(np.stack([values, marks], axis=2), (values * marks).sum(1))
        digits = random.integers(DIGITS, size=(count, length))
        return Drawn(digits + DIGITS * marks, (digits * marks).sum(1))

    def solve(self, source: np.ndarray) -> list[Any]:
        """The marked ones, one by one."""
        if self._numeric:
            return [math.fsum(value for value, mark in source.tolist() if mark)]
        return [sum(symbol - DIGITS for symbol in source.tolist() if symbol >= DIGITS)]

    def score(self, answers: Sequence[Sequence[Any]], split: Split) -> Scores:
        """As a number: the variance that answers explain, and how many are near; both in percent."""
        if not self._numeric:
            return super().score(answers, split)
        if any(len(answer) != 1 for answer in answers):
            raise ValueError("an answer is one number")
        wanted = np.concatenate(self.items(split).targets).astype(np.float64)
        errors = np.concatenate([np.asarray(answer, dtype=np.float64) for answer in answers]) - wanted
        items = {"explained": 100 * (1 - errors**2 / SPREAD), "near": 100.0 * (np.abs(errors) < NEAR)}
        said = {"explained": "100 (1 - mse / (1/6))", "near": f"100 times the share with |error| < {NEAR}"}
        totals = {metric: float(values.mean()) for metric, values in items.items()}
        return Scores(totals, self.main, {metric: values.tolist() for metric, values in items.items()}, said)

    def guesses(self, split: Split, seed: int = 0) -> list[list[Any]]:
        """As a number, always 1: none drawn does better."""
        return [[1.0]] * len(self.items(split)) if self._numeric else super().guesses(split, seed)

    def floors(self, split: Split) -> dict[str, Scores]:
        """One who says the likeliest sum, 1 or 9; of tokens, one who draws as well."""
        if self._numeric:
            return {"constant": self.score(self.guesses(split), split)}
        return super().floors(split)

    def letter(self, token: Any) -> str:
        """A digit or a value, with a star if it is marked."""
        if not self._numeric:
            return super().letter(token)
        value, mark = token
        return f"{np.float32(value)}{'*' * bool(mark)}"

    def read(self, query: str) -> np.ndarray:
        """Values from 0 to 1, the marked with a star, (S, 2); or digits, (S,). Raises BadInput."""
        if not self._numeric:
            return super().read(query)
        try:
            rows = [(float(word.removesuffix("*")), float(word.endswith("*"))) for word in query.split()]
        except ValueError:
            rows = []
        if not rows or not all(0 <= value <= 1 for value, _ in rows):
            raise BadInput(f"{self.name}: expected numbers from 0 to 1, a * behind the marked, separated by spaces")
        return np.array(rows, dtype=np.float32)

    def write(self, tokens: Sequence[Any]) -> str:
        """A sum as text."""
        return f"{tokens[0]:.4g}" if self._numeric else super().write(tokens)


TASK = Adding
