"""Scores of a cell in two runs: their difference, its interval and its test."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from bench import statistics
from bench.statistics import Interval, Planned
from reports import words
from reports.compare.cells import Cell, unlike
from reports.compare.verdicts import FEW, SAME, Difference, Kind, Tried, between
from reports.rows.settings import data
from reports.scores.tables import Line


def scored(first: Cell, second: Cell) -> Iterator[Tried]:
    """The main score of both."""
    one, other = first.line, second.line
    if one is None or other is None:
        return
    kind: Kind = "long" if first.what else "quality"
    label = words.headed(one.metric) + (f", {first.what}" if first.what else "")
    told = Difference(
        kind, first.task, one.model, first.name, one.metric, label, one.value, other.value, other.value - one.value
    )
    notes = unlike(first, second)
    reason = _incomparable(one, other)
    said = ("better", "worse") if kind == "quality" else ("higher", "lower")
    if reason:
        yield Tried(dataclasses.replace(told, notes=(reason, *notes)), said)
        return
    certain = data(one.rows[0].result) == data(other.rows[0].result) != ""
    notes = notes if certain else ("not told whether the data are the same", *notes)
    span, test = _contrast(one, other, certain)
    told = between(dataclasses.replace(told, notes=notes), span)
    if span is None:
        yield Tried(dataclasses.replace(told, verdict=FEW), said)
    elif span.low == span.high == 0:
        yield Tried(dataclasses.replace(told, verdict=SAME), said)
    else:
        yield Tried(told, said, test)


def _incomparable(one: Line, other: Line) -> str:
    """Why two scores say nothing of each other; nothing where they do."""
    first, second = one.rows[0].result, other.rows[0].result
    if one.metric != other.metric:
        return f"scored by {words.metric(one.metric)} and by {words.metric(other.metric)}"
    if data(first) and data(second) and data(first) != data(second):
        return "other data, or other settings of the task"
    if first.signatures.get(one.metric) != second.signatures.get(one.metric):
        return "the score was computed in another way"
    return ""


def _contrast(one: Line, other: Line, same_items: bool) -> tuple[Interval | None, Planned | None]:
    """Interval and test of the second score minus the first, over all that both allow for.

    The same seeds are compared one by one, and so are the same test items where answers are stored: by differences of
    each, over both. Other seeds are each run's own (Welch, or `statistics.difference_over_both`). None where one seed
    without answers leaves nothing to go by.
    """
    seeds = [[row.result.seed for row in line.rows] for line in (one, other)]
    first, second = (one.items, other.items) if same_items else (None, None)
    if first and second and first.which == second.which:
        if seeds[0] == seeds[1]:
            apart = second.table - first.table
            return statistics.over_both(apart), Planned(0.0, lambda: statistics.chance(apart))
        tables_ = second.table, first.table
        return statistics.difference_over_both(*tables_), statistics.paired(*tables_)
    if seeds[0] == seeds[1]:
        gaps = np.subtract(other.values, one.values)
        return statistics.over_seeds(gaps), Planned(0.0, lambda: statistics.chance(gaps[:, None]))
    return statistics.difference_over_seeds(other.values, one.values), Planned(
        0.0, lambda: statistics.welch(other.values, one.values)
    )
