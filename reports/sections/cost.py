"""Quality against cost: which models nobody beats in both, by seconds, operations and energy of training.

A model is dominated where another scores no less at no greater cost, and is better in one of the two; those that nobody
dominates are the front (Pareto).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from reports import figures, words
from reports.parts import Cell, Drawing, Section, Table
from reports.scores import tables
from reports.scores.beside import Timings, crowd, disturbed, used
from reports.scores.pairs import LEADS, Pair
from reports.scores.tables import Line
from reports.sections import behind
from reports.sections.keys import Keys
from reports.words import slug

TITLE = "Quality against cost"
EXPLAINED = (
    "Up is better, left is cheaper. The line of steps is the front: no other model is both better and cheaper than one "
    "on it. The others are dominated, and the table says by whom; that goes by the means, so beside a dominator stands "
    "where its lead is not separable. The dashed line is the best floor."
)


class Axis(NamedTuple):
    """A cost: its column in the table of points, what it is called, its heading, and how it is written."""

    column: str
    said: str
    head: str
    write: Callable[[float | None], str]


def _giga(value: float | None) -> str:
    return words.significant(None if value is None else value / 1e9)


def _kilo(value: float | None) -> str:
    return words.significant(None if value is None else value / 1e3)


AXES = (
    Axis("train_seconds", "training time", "training, s", words.seconds),
    Axis("flops", "operations of training", "GFLOP", _giga),
    Axis("joules", "energy of training", "energy, kJ", _kilo),
)
UNTOLD = {
    "train_seconds": "seconds of training are not stored with these rows",
    "flops": "operations are not stored with these rows, or the models state none",
    "joules": "energy was not measured: no counter of it could be read (NVML on a GPU, RAPL on a processor), or no "
    "timings of the same settings stand beside these rows (seqbench run speed makes them)",
}


def points(lines: Sequence[Line], timings: Timings) -> pd.DataFrame:
    """`tables.comparison` with what each training cost: "train_seconds", "flops" and "joules", NaN where untold."""
    found = tables.comparison(lines)
    joules = [timings.joules(line) if line.kind == "model" else None for line in lines]
    costs = {
        "train_seconds": [line.means.get("train_seconds") for line in lines],
        "flops": [used(line, "flops") for line in lines],
        "joules": [told.value if told else None for told in joules],
    }
    return found.assign(**{name: [_positive(value) for value in own] for name, own in costs.items()})


def _positive(value: float | None) -> float:
    return value if value is not None and value > 0 else math.nan


def dominators(costs: Sequence[float], scores: Sequence[float]) -> list[list[int]]:
    """Of each place, the places of the front that dominate it; none for one that is on the front itself."""
    places = range(len(costs))

    def beats(one: int, other: int) -> bool:
        no_worse = costs[one] <= costs[other] and scores[one] >= scores[other]
        return no_worse and (costs[one], scores[one]) != (costs[other], scores[other])

    front = [n for n in places if not any(beats(other, n) for other in places)]
    return [[n for n in front if beats(n, place)] for place in places]


def sections(
    found: Mapping[str, Sequence[Line]], duels: Mapping[str, Sequence[Pair]], keyed: Keys, timings: Timings
) -> list[Section | None]:
    """A section a task; what was not measured is said where it first is not."""
    made: list[Section | None] = []
    said: set[str] = set()
    for task, lines in found.items():
        section = _section(task, lines, duels[task], keyed, timings)
        made.append(dataclasses.replace(section, note="") if section and section.note in said else section)
        said |= {section.note} if section else set()
    return made


def _section(task: str, lines: Sequence[Line], duels: Sequence[Pair], keyed: Keys, timings: Timings) -> Section | None:
    """A figure on each axis that is told, the front of each in a sentence, and who is dominated by whom."""
    models = [line for line in lines if line.kind == "model"]
    table = points(lines, timings)
    told = [axis for axis in AXES if table[axis.column].notna().any()]
    if not told:
        return None
    found = {axis: _dominated(models, table, axis) for axis in told}
    untold = words.capital("; ".join(UNTOLD[axis.column] for axis in AXES if axis not in told))
    return Section(
        words.task(task),
        tuple(_drawing(task, lines, table, axis) for axis in told),
        (_table(task, models, table, found, _settled(duels), keyed),),
        said=tuple(_front(task, axis, own, _crowded(axis, models)) for axis, own in found.items()),
        note=f"{untold}." if untold else "",
    )


Dominated = Mapping[Line, Sequence[Line]]


def _dominated(models: Sequence[Line], table: pd.DataFrame, axis: Axis) -> dict[Line, list[Line]]:
    """Each model whose cost is told, with the models of the front that dominate it; the cheapest first."""
    costs = table[axis.column].tolist()[: len(models)]  # models stand before floors
    own = sorted((n for n in range(len(models)) if not math.isnan(costs[n])), key=lambda n: (costs[n], n))
    found = dominators([costs[n] for n in own], [models[n].value for n in own])
    return {models[n]: [models[own[k]] for k in by] for n, by in zip(own, found, strict=True)}


def _settled(duels: Sequence[Pair]) -> set[tuple[Line, Line]]:
    return {(pair.better, pair.worse) for pair in duels if pair.verdict == LEADS}


def _crowded(axis: Axis, models: Sequence[Line]) -> str:
    """What has to be known of seconds that were not measured alone."""
    told = disturbed(models) if axis is AXES[0] else ""
    return f" (others used the machine beside {told}, whose seconds are too long)" if told else ""


def _front(task: str, axis: Axis, found: Dominated, crowded: str) -> str:
    """ "Translation, by training time: the LSTM and the transformer are the front; the vanilla RNN is dominated."."""
    front = [words.the(line.name) for line, by in found.items() if not by]
    behind = [f"{words.the(line.name)} is dominated by {words.several(_names(by))}" for line, by in found.items() if by]
    where = f"{words.task(task)}, by {axis.said}{crowded}"
    if len(found) == 1:
        return f"{where}: {front[0]} alone has a cost, so there is nobody to compare it with."
    ahead = f"{words.several(front)} {'is' if len(front) == 1 else 'are'} the front"
    return f"{where}: {ahead}{'; ' if behind else ', and no model is dominated'}{words.several(behind)}."


def _names(lines: Sequence[Line]) -> list[str]:
    return [words.the(line.name) for line in lines]


def _table(
    task: str, models: Sequence[Line], table: pd.DataFrame, found: Mapping[Axis, Dominated],
    settled: set[tuple[Line, Line]], keyed: Keys,
) -> Table:  # fmt: skip
    rows = tuple(
        (
            keyed.plain(line),
            Cell(words.number(line.value, line.metric)),
            *(cell for axis, own in found.items() for cell in _cells(line, axis, own, table.iloc[place], settled)),
        )
        for place, line in enumerate(models)
    )
    head = ("model", words.headed(models[0].metric), *(h for axis in found for h in (axis.head, "dominated by")))
    caption = f"{words.task(task)}: what each score cost, and who was both better and cheaper"
    return Table(caption, head, rows, numbers=(False, True, *[True, False] * len(found)))


def _cells(
    line: Line, axis: Axis, found: Dominated, row: pd.Series[float], settled: set[tuple[Line, Line]]
) -> tuple[Cell, Cell]:
    if line not in found:
        return Cell("–"), Cell("–")
    told = [by.name + ("" if (by, line) in settled else " (not separable)") for by in found[line]]
    warning = crowd(line) if axis is AXES[0] else ""
    return Cell(axis.write(float(row[axis.column])), warning=warning), Cell("; ".join(told) or "nobody")


def _drawing(task: str, lines: Sequence[Line], table: pd.DataFrame, axis: Axis) -> Drawing:
    shown = [(line, cost) for line, cost in zip(lines, table[axis.column], strict=True) if not math.isnan(cost)]
    said = [f"{x.name} {words.number(x.value, x.metric)} at {axis.write(cost)}" for x, cost in shown]
    metric = lines[0].metric
    return Drawing(
        figures.cost(table, axis.column),
        f"cost-{'' if axis is AXES[0] else axis.column + '-'}{slug(task)}",
        f"{words.task(task)}, {words.headed(metric)} against {axis.said} ({axis.head}): {'; '.join(said)}",
        f"{words.task(task)}: {words.metric(metric)} against {axis.said}",
        behind=behind.series(lines),
    )
