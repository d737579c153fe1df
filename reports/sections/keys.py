"""How a model stands in a table: its mark and colour, the same as in every figure, and what its interval is over."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from bench.statistics import BOTH, ITEMS, SEEDS, Interval
from reports import anchors, figures, words
from reports.parts import Cell
from reports.scores import summary
from reports.scores.tables import Line


class Keys:
    """Each model's name with its mark and colour."""

    def __init__(self, models: Iterable[str]) -> None:
        self.styles = figures.styles(models)

    def cell(self, line: Line) -> Cell:
        """The first cell of a line, with a warning where it stays below a floor."""
        if line.kind == "floor":
            return Cell(line.name, link=anchors.row(line.rows[0]))
        made = anchors.row(line.rows[0])
        return dataclasses.replace(self.model(line.model, line.name), warning=summary.warning(line), link=made)

    def plain(self, line: Line) -> Cell:
        """The same without a warning, for tables that do not compare with floors."""
        return dataclasses.replace(self.cell(line), warning="")

    def model(self, model: str, name: str) -> Cell:
        """A model under a name."""
        style = self.styles[model]
        return Cell(name, mark=figures.MARKS.get(style.marker, "●"), colour=style.colour)


def within(found: Interval | None, metric: str) -> str:
    """ "19.8–22.9"."""
    return f"{words.number(found.low, metric)}–{words.number(found.high, metric)}" if found else "–"


def over(line: Line) -> str:
    """What the interval of a line is over: "3 seeds and 500 test items", "4 of 5 seeds", "500 test items"."""
    found = line.interval
    if found is None or found.over == SEEDS:
        return line.seeds
    if found.over == BOTH:
        return f"{line.seeds} and {found.items:,} {ITEMS}"
    return found.told + (f"; {line.seeds}" if line.failed else "")


def note(line: Line) -> str:
    """Below a score: its interval and what that is over."""
    return f"{within(line.interval, line.metric)} over {over(line)}" if line.interval else over(line)
