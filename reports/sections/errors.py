"""Errors by kind, from stored answers alone: labels confused, sources too long, pictures read or named wrongly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from bench import statistics
from bench.statistics import Floats
from reports import words
from reports.parts import Cell, Limits, Section, Table
from reports.rows.artifacts import Answer
from reports.rows.stored import Row
from reports.scores.tables import Line
from reports.sections.keys import Keys

TITLE = "Errors by kind"
EXPLAINED = (
    "What kind of mistakes each model makes, counted over its stored answers, all seeds together up to five. Labels: "
    "which was taken for which. Sentences: the mean score of single sentences by the length of their source, which is "
    "not the score of the whole test. Scenes: whether the arrangement or the naming of things was wrong."
)
SEEDS = 5  # whose answers are read: the texts of many would take minutes
LABELS = 12  # up to which answers are taken for labels
GROUPS = 4  # of source lengths, each with about as many items
FEWEST = 20  # items, of which a group of lengths has at least that many
RIGHT = 99.995
Answered = dict[Line, list[Answer]]


def section(task: str, lines: Sequence[Line], keyed: Keys, most: Limits) -> Section | None:
    """The tables that a task's answers allow; None where they allow none."""
    models = [line for line in lines if line.kind == "model"][: most.answers]
    answered = {line: own for line in models if (own := [a for row in line.rows[:SEEDS] for a in _answers(row, line)])}
    made = [table for table in (_confused(task, answered, keyed), _missed(task, answered, keyed)) if table]
    made += [table for table in (_by_length(task, answered, keyed),) if table]
    return Section(words.task(task), tables=tuple(made)) if made else None


def _answers(row: Row, line: Line) -> tuple[Answer, ...]:
    """A seed's answers; only those of the first stay in memory, which the page shows."""
    found = row.answers
    if row is not line.rows[0]:
        vars(row).pop("answers", None)
    return found


def _confused(task: str, answered: Answered, keyed: Keys) -> Table | None:
    """How often each label was answered with each; a row a model and label. None where answers are no labels."""
    labels = sorted({a.reference for own in answered.values() for a in own})
    few = 1 < len(labels) <= LABELS and all("accuracy" in a.scores for own in answered.values() for a in own[:1])
    if not answered or not few:
        return None
    other = any(a.answer not in labels for own in answered.values() for a in own)
    rows = tuple(
        row
        for line, own in answered.items()
        for row in _confusion(line, own, [*labels, *([""] if other else [])], keyed)
    )
    said = [f"answered: {words.clean(label)}" for label in labels] + (["another answer"] if other else [])
    head = ("model", "it was", *said, "right, %")
    caption = f"{words.task(task)}: which label was taken for which, numbers of answers"
    return Table(caption, head, rows, numbers=(False, False, *[True] * (len(said) + 1)))


def _confusion(line: Line, own: Sequence[Answer], answers: Sequence[str], keyed: Keys) -> Iterator[tuple[Cell, ...]]:
    """A row a label; "" among the `answers` stands for whatever is none."""
    counted = Counter((a.reference, a.answer if a.answer in answers else "") for a in own)
    for label in filter(None, answers):
        total = sum(n for (was, _), n in counted.items() if was == label)
        cells = [Cell(f"{counted[label, said]:,}", strong=said == label) for said in answers]
        right = f"{100 * counted[label, label] / total:.1f}" if total else "–"
        yield keyed.plain(line), Cell(words.clean(label)), *cells, Cell(right)


def _missed(task: str, answered: Answered, keyed: Keys) -> Table | None:
    """Shares of scenes told right, with wrong things, in a wrong arrangement, or both wrong; None for other tasks."""
    told = {
        line: [a for a in own if {"exact", "structure", "naming"} <= a.scores.keys()] for line, own in answered.items()
    }
    told = {line: own for line, own in told.items() if own}
    if not told:
        return None
    rows = tuple((keyed.plain(line), Cell(f"{len(own):,}"), *_shares(own)) for line, own in told.items())
    head = (
        "model", "answers", "told exactly, %", "all named, arrangement wrong, %", "arranged rightly, naming wrong, %",
        "both wrong, %", "right but otherwise worded, %",
    )  # fmt: skip
    caption = f"{words.task(task)}: what was wrong with the scenes"
    return Table(caption, head, rows, numbers=(False, *[True] * 6))


def _shares(own: Sequence[Answer]) -> Iterator[Cell]:
    """The five kinds in the order of the head; they add up to 100."""

    def kind(a: Answer) -> tuple[bool, bool, bool]:
        return a.scores["exact"] > RIGHT, a.scores["naming"] > RIGHT, a.scores["structure"] > RIGHT

    counted = Counter(kind(a) for a in own)
    exact = sum(n for (whole, _, _), n in counted.items() if whole)
    order = [(False, True, False), (False, False, True), (False, False, False), (False, True, True)]
    for n in (exact, *(counted[key] for key in order)):
        yield Cell(f"{100 * n / len(own):.1f}")


def _by_length(task: str, answered: Answered, keyed: Keys) -> Table | None:
    """Mean scores of single items by the length of their source; None without sources, or with too few items."""
    first = next(iter(answered), None)
    asked = first.rows[0].answers if first else ()
    lengths = np.array([len(a.source.split()) for a in asked if a.source is not None])
    metric = _metric(answered)
    if not metric or len({*lengths.tolist()}) < 2 or len(lengths) < GROUPS * FEWEST:
        return None
    bounds = edges(lengths)
    if len(bounds) < 3:
        return None
    held = [_inside(low, high) for low, high in pairwise(bounds)]
    rows = tuple(
        (keyed.plain(line), *(_mean([a for a in own if inside(a)], metric) for inside in held))
        for line, own in answered.items()
    )
    counts = [sum(low <= n < high for n in lengths.tolist()) for low, high in pairwise(bounds)]
    spans = [_span(low, high) for low, high in pairwise(bounds)]
    head = ("model", *(f"{told}, {words.plural(n, 'item')}" for told, n in zip(spans, counts, strict=True)))
    caption = f"{words.task(task)}: {words.metric(metric)} of single items by words in their source"
    return Table(
        f"{caption}{words.unit(metric) and ', in %'}; intervals over test items",
        head,
        rows,
        numbers=(False, *[True] * len(held)),
    )


def _metric(answered: Answered) -> str:
    """The main metric where single items have it, else the first that they have."""
    for line, own in answered.items():
        names = own[0].scores
        return line.metric if line.metric in names else next(iter(names), "")
    return ""


def edges(lengths: Floats, groups: int = GROUPS) -> list[int]:
    """Bounds of at most so many groups of about as many items each, the last one past the longest."""
    inner = np.quantile(lengths, np.arange(1, groups) / groups, method="closest_observation").astype(int) + 1
    return sorted({int(lengths.min()), *(int(b) for b in inner if b <= lengths.max()), int(lengths.max()) + 1})


def _inside(low: int, high: int) -> Callable[[Answer], bool]:
    return lambda a: a.source is not None and low <= len(a.source.split()) < high


def _span(low: int, high: int) -> str:
    """ "5 to 8 words"."""
    return f"{low} to {high - 1} words" if high - low > 1 else words.plural(low, "word")


def _mean(own: Sequence[Answer], metric: str) -> Cell:
    """The mean of a group with its interval over items; seeds of one item are averaged first."""
    scores: dict[int, list[float]] = {}
    for a in own:
        if metric in a.scores:
            scores.setdefault(a.item, []).append(a.scores[metric])
    if not scores:
        return Cell("–")
    means = [float(np.mean(told)) for told in scores.values()]
    span = statistics.over_items(means, resamples=400)
    within = f"{words.number(span.low, metric)}–{words.number(span.high, metric)}" if span else ""
    return Cell(words.number(float(np.mean(means)), metric), note=within)
