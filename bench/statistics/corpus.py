"""Scores of a whole corpus (BLEU, chrF) as one number an item, so that what holds for means holds for them.

A corpus score is a function of sums over items. Leaving out one item at a time gives pseudo-values (Efron & Tibshirani,
1993, ch. 11): their mean is the score, and their spread over items is that of the score over draws of items.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from bench.statistics.intervals import Floats

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

Score = Callable[[Floats, int], float]  # of the sums over so many items


def pseudo_values(counts: Floats, score: Score) -> Floats:
    """One number an item, (N,), whose mean is the score of all; `counts` is (N, K), K numbers an item.

    Shifted by the jackknife's estimate of bias, so that the mean is the score that was measured. Raises ValueError.
    """
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or len(table) < 2:
        raise ValueError(f"counts of shape {table.shape}; expected (items, numbers) with at least two items")
    n, sums = len(table), table.sum(axis=0)
    without = np.array([score(sums - own, n - 1) for own in table])
    return score(sums, n) + (n - 1) * (without.mean() - without)


def paired_texts(
    first: Sequence[str], second: Sequence[str], references: Sequence[str], metric: Metric,
    by: Literal["bootstrap", "randomisation"] = "randomisation", resamples: int = 0,
) -> float:  # fmt: skip
    """The p that two outputs of one training each are equally good, by sacrebleu's own paired tests.

    Bootstrap resampling (Koehn, 2004) or approximate randomisation (Riezler & Maxwell, 2005) over test items, with
    sacrebleu's numbers of draws unless told otherwise and always the same draws. Where there is hardly a difference
    sacrebleu's bootstrap finds one too easily (p of 0.21 where randomisation and the t have 0.57): it takes the mean
    of the absolute differences away, which is more than the difference. Raises ValueError.
    """
    from sacrebleu.significance import PairedTest, Result

    if not len(first) == len(second) == len(references) or not references:
        told = f"{len(first)} and {len(second)} answers for {len(references)} references"
        raise ValueError(f"{told}; expected one each, and at least one")
    systems: list[tuple[str, Sequence[str]]] = [("first", list(first)), ("second", list(second))]
    kind = {"bootstrap": "bs", "randomisation": "ar"}[by]
    with _seeded():
        _, found = PairedTest(systems, {"score": metric}, [list(references)], kind, n_samples=resamples)()
    _, result = next(pair for name, pair in found.items() if name != "System")  # by the name of the score
    assert isinstance(result, Result)
    assert result.p_value is not None
    return result.p_value


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    """sacrebleu draws as its environment variable says, and tells every step; here always alike, and silent."""
    told, logger = os.environ.get("SACREBLEU_SEED"), logging.getLogger("sacrebleu")
    level = logger.level
    os.environ["SACREBLEU_SEED"] = "12345"  # sacrebleu's own default
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        if told is None:
            del os.environ["SACREBLEU_SEED"]
        else:
            os.environ["SACREBLEU_SEED"] = told
