"""What stands behind a score: its mean, interval and seeds in one line, and the row that it was made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench.statistics import Interval
from reports import anchors, figures, words
from reports.parts import Cell
from reports.scores.tables import Line

SEEDS = 12  # scores of single seeds that are told


def scored(line: Line, **further: Any) -> Cell:
    """The cell of a line's score: sorted by all its digits, with what stands behind it and a link to its row."""
    text = words.number(line.value, line.metric)
    return Cell(text, value=line.value, tip=told(line), link=anchors.row(line.rows[0]), **further)


def told(line: Line) -> str:
    """ "LSTM: mean BLEU 62.1; 95 % interval 60.2 to 64.0 over 3 seeds and 60 test items; seed 0 61.9, ..."."""
    score = f"{words.number(line.value, line.metric)}{words.unit(line.metric)}"
    what = f"{'mean ' if len(line.rows) > 1 else ''}{words.metric(line.metric)} {score}"
    said = [f"{line.name}: {what}", *_span(line), *_seeds(line)]
    return "; ".join(said)


def _span(line: Line) -> list[str]:
    span: Interval | None = line.interval
    if span is None:
        return ["no interval"] if line.kind == "model" else []
    low, high = (words.number(end, line.metric) for end in (span.low, span.high))
    return [f"95 % interval {low} to {high} over {span.told}"]


def _seeds(line: Line) -> list[str]:
    if line.kind == "floor":
        return ["a floor: it needs no sequence model"]
    scored = zip(line.rows[: SEEDS + 1], line.values, strict=False)
    scores = [f"seed {row.result.seed} {words.number(value, line.metric)}" for row, value in scored]
    failed = [f"{words.plural(line.failed, 'seed')} gave no number"] if line.failed else []
    return [words.several(scores, most=SEEDS, of=len(line.rows)), *failed]


def series(lines: Iterable[Line]) -> tuple[tuple[str, str], ...]:
    """What the points of a figure stand for, by the name that the figure writes."""
    return tuple((figures.short(line.name), told(line)) for line in lines)
