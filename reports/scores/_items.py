"""Scores of test items, seed by seed: what an interval over seeds and test items is made from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.statistics import Floats, pseudo_values
from reports.rows.artifacts import Answer
from reports.rows.stored import Row
from reports.scores import _corpus

TOLERANCE = 0.02  # a score made again from stored answers is the stored one when nearer than this
MOST_SEEDS = 20  # beyond, reading all answers would take minutes, and the interval is over seeds alone


class Items(NamedTuple):
    """A table of scores, (S, I), whose rows have the seeds' scores as means, and which items they are."""

    table: Floats
    which: tuple[int, ...]


def items(rows: Sequence[Row], metric: str) -> Items | None:
    """Scores of every item by seed; None where seeds answered unlike items, or answers or their scores are not stored.

    A corpus score has pseudo-values. Scores that do not give the stored total are none of this metric.
    """
    if len(rows) > MOST_SEEDS:
        return None
    found: list[Floats] = []
    which: tuple[int, ...] = ()
    for place, row in enumerate(rows):
        answers = row.answers
        if place:  # the page shows answers of the first seed alone: the texts of all would fill the memory
            vars(row).pop("answers", None)
        own = tuple(a.item for a in answers)
        values = _scores(row, answers, metric) if len(own) > 1 and own == (which or own) else None
        if values is None:
            return None
        which = own
        found.append(values)
    return Items(np.array(found), which)


def means(answers: Sequence[Answer], metric: str, value: float) -> Floats | None:
    """One score an item where their mean is the score, (I,)."""
    scores = [a.scores[metric] for a in answers if metric in a.scores]
    whole = len(scores) == len(answers) and math.isclose(float(np.mean(scores)), value, abs_tol=TOLERANCE)
    return np.array(scores) if whole else None


def counts(row: Row, answers: Sequence[Answer], metric: str, value: float) -> Floats | None:
    """What a corpus score is made from, (I, K), where it gives the score."""
    made = _corpus.OF.get(metric)
    found = made.counts(answers, row.result.signatures.get(metric, "")) if made else None
    if made is None or found is None:
        return None
    again = made.score(found.sum(axis=0), len(found))
    # a score that was made otherwise: an interval of another score would mislead
    return found if math.isclose(again, value, abs_tol=TOLERANCE) else None


def _scores(row: Row, answers: Sequence[Answer], metric: str) -> Floats | None:
    value = float(row.result.metrics[metric])
    plain = means(answers, metric, value)
    if plain is not None:
        return plain
    found = counts(row, answers, metric, value)
    return None if found is None else pseudo_values(found, _corpus.OF[metric].score)
