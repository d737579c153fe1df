"""What intervals and tests promise, counted on tables drawn from a known truth.

A small form runs always; with SEQBENCH_SOAK every cell has 4,000 tables, and the table of what was held is printed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
from scipy import special

from bench import statistics

SOAK = "SEQBENCH_SOAK" in os.environ
TABLES = 4000 if SOAK else 300
SLACK = 0.0 if SOAK else 0.04  # three standard errors of a share of 95 % in 300
READINGS = ("effects", "shares")  # a ratio of the variances of the effects, or of their shares in that of the mean
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(61)


class Cell(NamedTuple):
    kind: str  # "normal", "half right" or "mostly right"
    seeds: int
    items: int
    reading: str
    ratio: float  # of what seeds vary by to what items vary by

    @property
    def variances(self) -> tuple[float, float]:
        """Of the effects of seeds and of items, on the scale of the score or of its log odds; the larger is 1."""
        if self.reading == "shares":
            return self.ratio * self.seeds / self.items, 1.0
        return min(self.ratio, 1.0), min(1 / self.ratio, 1.0)

    @property
    def middle(self) -> float:
        return 1.5 if self.kind == "mostly right" else 0.0

    @property
    def truth(self) -> float:
        if self.kind == "normal":
            return 0.0
        return float(special.expit(self.middle + np.sqrt(sum(self.variances)) * NODES) @ WEIGHTS / WEIGHTS.sum())


CELLS = [
    Cell(kind, seeds, items, reading, ratio)
    for kind in ("normal", "half right", "mostly right")
    for seeds in (3, 5, 10)
    for items in ((100, 1000) if SOAK else (100,))
    for reading in READINGS
    for ratio in (0.1, 1.0, 10.0)
]


def tables(cell: Cell, number: int, seed: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Scores of two models without a difference on the same items, (tables, S, I) each, some at a time.

    Half of what items vary by is shared; the other half is each model's own, so that each model differs on items.
    """
    random, left = np.random.default_rng(seed), number
    of_seeds, of_items = np.sqrt(cell.variances)
    while left:
        n = min(left, max(1, 1_000_000 // (cell.seeds * cell.items)))
        left -= n
        shared, *own = random.normal(0, of_items / np.sqrt(2), (3, n, 1, cell.items))
        latent = [cell.middle + shared + one + random.normal(0, of_seeds, (n, cell.seeds, 1)) for one in own]
        if cell.kind == "normal":
            yield tuple(x + random.normal(0, 1, x.shape) for x in latent)
        else:
            right = [special.expit(x) for x in latent]
            yield tuple((random.random(share.shape) < share) * 1.0 for share in right)


def counted(cell: Cell) -> tuple[float, float]:
    """Shares of tables: intervals that hold the truth, and tests that find a difference where there is none."""
    bounds = None if cell.kind == "normal" else (0.0, 1.0)
    held = found = 0
    for one, other in tables(cell, TABLES):
        parts = statistics.parts(one)
        halves = statistics.half_width(parts)
        ends = [statistics.around(float(m), float(h), bounds) for m, h in zip(parts.mean, halves, strict=True)]
        held += sum(low <= cell.truth <= high for low, high in ends)
        found += int((statistics.gap(one, other).p < 0.05).sum())
    return held / TABLES, found / TABLES


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: f"{c.kind}, {c.seeds} x {c.items}, {c.reading} {c.ratio:g}")
def test_intervals_hold_the_truth_and_tests_find_nothing_where_nothing_is(cell):
    held, found = counted(cell)
    if SOAK:
        print(f"\n{cell.kind}, {cell.seeds} x {cell.items}, {cell.reading} {cell.ratio:g}: {held:.2%}, {found:.2%}")
    highest = 1.0 if cell.seeds == 3 else 0.97
    assert 0.93 - SLACK <= held <= min(highest + SLACK, 1.0)
    # three seeds a model cannot do better than be careful, nor can a few where their scores are skewed
    careful = cell.seeds == 3 or cell.kind == "mostly right"
    assert (0.025 if careful else 0.04) - SLACK <= found <= 0.06 + SLACK


def test_an_interval_over_seeds_alone_or_items_alone_holds_less():
    """What would be printed if only one of the two counted: the reason for all this."""
    cell = Cell("normal", 5, 100, "shares", 1.0)
    seeds = items = both = 0
    for one, _ in tables(cell, 300, seed=1):
        for y in one:
            spans = statistics.over_seeds(y.mean(1)), statistics.over_both(y.mean(0)[None])
            seeds += spans[0].low <= 0 <= spans[0].high
            items += spans[1].low <= 0 <= spans[1].high
            whole = statistics.over_both(y)
            both += whole.low <= 0 <= whole.high
    assert max(seeds, items) < 275 < both


def test_pseudo_values_of_a_corpus_score_give_an_interval_that_holds_it():
    """A ratio of sums, as precision is: seeds and items vary, and the truth is known."""
    random, held, n = np.random.default_rng(6), 0, 200 if not SOAK else 2000
    for _ in range(n):
        length = random.integers(3, 30, 80)
        skill = special.expit(random.normal(0, 0.3, (4, 1)) + random.normal(0, 0.7, (1, 80)))
        right = random.binomial(length, skill)
        table = np.array(
            [
                statistics.pseudo_values(np.stack([r, length], 1) * 1.0, lambda sums, _: float(sums[0] / sums[1]))
                for r in right
            ]
        )
        span = statistics.over_both(table, bounds=(0.0, 1.0))
        held += span.low <= 0.5 <= span.high
    assert 0.91 <= held / n <= 0.985
