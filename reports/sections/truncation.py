"""Truncated back-propagation beside the whole: what it saves in time and memory, and what memory span it costs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from bench.statistics import Point, ratio
from reports import parts, words
from reports.parts import Cell, Limits, Section, Table
from reports.rows.fields import number
from reports.rows.settings import base
from reports.rows.stored import Row, Stored, group
from reports.scores.summary import OURS
from reports.sections import long, seeded, span, speed
from reports.sections.scaling import TIME, WHATS
from reports.sections.seeded import Line
from reports.sections.speed import Measured

T = TypeVar("T")

TITLE = "Truncated back-propagation"
EXPLAINED = (
    "Truncated back-propagation reads what comes before the last elements without keeping anything for a gradient, so "
    "that gradients go back so many elements and no further. Models stand here that ran with it and without, all else "
    "equal but the lengths that were asked."
)


class Cut(NamedTuple):
    """A model whose gradients go back so far (0: all the way): what a step takes, and how far it remembers."""

    model: str
    back: float
    timed: Measured | None = None
    searched: Line | None = None

    @property
    def told(self) -> str:
        """How far gradients go back."""
        return f"{words.count(self.back)} elements" if self.back else "all the way"


def cuts(stored: Stored) -> list[Cut]:
    """Models that ran with truncation and without, all else equal, each from the shortest way back to the whole."""
    rows = [row for own in speed.measured(stored, "scaling").values() for row in own]
    timed = _alike([(row, Measured(row, words.model(row.result.model))) for row in rows], ("model.truncate",))
    lines = [one for own in seeded.panels(stored, "span").values() for one in own]
    searched = _alike([(one.rows[0], one) for one in lines], ("model.truncate", seeded.LENGTHS, seeded.RATES))
    place = {model: n for n, model in enumerate(OURS)}
    order = sorted({*timed, *searched}, key=lambda key: (place.get(key[0], len(place)), key[0], key[1] or seeded.LARGE))
    return [Cut(*key, timed.get(key), searched.get(key)) for key in order]


def _alike(found: Sequence[tuple[Row, T]], aside: Sequence[str]) -> dict[tuple[str, float], T]:
    """By model and truncation what differs in nothing else but what is left `aside`; of several sets the largest."""
    sets: dict[str, dict[str, dict[tuple[str, float], T]]] = {}
    for row, one in found:
        back = number(group(row, "model").get("truncate"))
        if back is not None and 0 <= back <= seeded.LARGE:
            told = {k: v for k, v in speed.told(row).items() if k not in aside}
            key = json.dumps([base(row.result.task), told], sort_keys=True)
            sets.setdefault(row.result.model, {}).setdefault(key, {})[row.result.model, back] = one
    largest = [max(own.values(), key=len) for own in sets.values()]
    return {key: one for own in largest if len(own) > 1 for key, one in own.items()}


def sections(stored: Stored, most: Limits) -> list[Section]:
    """Truncated back-propagation beside the whole: time, memory and span."""
    every = cuts(stored)
    found, note = parts.first(every, most.lines, len(every), "truncations")
    if not found:
        return []
    columns = "model", "gradients go back", "time of a step, ms", "memory of a step", "median span"
    rows = tuple((_named(one), Cell(one.told), *_cost(one, found), _remembers(one)) for one in found)
    whats = dict.fromkeys(_what(one) for one in found if one.timed)
    said = f"What is timed: {words.listed([*whats])}. Below a time stands its 95 % interval." if whats else ""
    table = Table(
        "Truncated back-propagation: time, memory and span", columns, rows, numbers=long.numbered(columns, 2),
        note=" ".join(s for s in (said, note) if s),
    )  # fmt: skip
    said_of = tuple(s for one in found if (s := _saves(one, found)))
    return [Section(TITLE, tables=(table,), said=said_of, explained=EXPLAINED)]


def _what(one: Cut) -> str:
    """ "encoder alone, forward and backward, of 8 sources"."""
    assert one.timed
    config = one.timed.row.result.config
    what, batch = group(one.timed.row, "probe").get("what"), number(config.get("batch"))
    told = WHATS.get(what, "a step") if isinstance(what, str) else "a step"
    return f"{told}, of {words.plural(int(batch), 'source')}" if batch else told


def _named(one: Cut) -> Cell:
    """The model, and a warning where its timing had company."""
    cell = long.head(one.searched) if one.searched else speed.head(one.timed) if one.timed else Cell("")
    return dataclasses.replace(
        cell, text=words.model(one.model), warning=speed.company(one.timed) if one.timed else "", anchor=""
    )


def _length(one: Cut, found: Sequence[Cut]) -> float | None:
    """The longest length at which all truncations of the model were timed."""
    known = [{p.length for p in c.timed.points(*TIME)} for c in found if c.timed and c.model == one.model]
    return max(set.intersection(*known), default=None) if known else None


def _timed(one: Cut, at: float | None, name: str, low: str = "", high: str = "") -> Point | None:
    """A number of the curve at that length, with its interval."""
    points = one.timed.points(name, low, high) if one.timed else []
    return next((p for p in points if p.length == at), None)


def _cost(one: Cut, found: Sequence[Cut]) -> tuple[Cell, Cell]:
    at = _length(one, found)
    time, held = _timed(one, at, *TIME), _timed(one, at, "step_bytes")
    if time is None or at is None:
        return Cell("–"), Cell("–")
    bounds = speed.between((1e3 * time.low, 1e3 * time.high), words.significant)
    where = f"at {words.count(at)} tokens"
    return (
        Cell(words.significant(1e3 * time.value), note=f"{bounds} {where}".strip()),
        Cell(words.memory(held.value) if held else "–"),
    )


def _remembers(one: Cut) -> Cell:
    if one.searched is None:
        return Cell("–")
    whole = span.whole(one.searched)
    return dataclasses.replace(whole, note=f"{words.lowered(words.task(base(_task(one.searched))))}, {whole.note}")


def _task(one: Line) -> str:
    return one.rows[0].result.task


def _saves(one: Cut, found: Sequence[Cut]) -> str:
    """What the shortest way back of a model saves and costs against the whole way."""
    own = [c for c in found if c.model == one.model]
    whole = next((c for c in own if not c.back), None)
    if whole is None or one is not own[0] or one is whole:
        return ""
    name, back = words.the(words.model(one.model)), f"{words.count(one.back)} elements"
    said = [s for s in (_ratios(one, whole, found), _spans_apart(one, whole)) if s]
    return f"Where gradients of {name} go back {back} instead of all the way, {'; '.join(said)}." if said else ""


def _ratios(one: Cut, whole: Cut, found: Sequence[Cut]) -> str:
    at = _length(one, found)
    times = [_timed(c, at, *TIME) for c in (one, whole)]
    held = [_timed(c, at, "step_bytes") for c in (one, whole)]
    if at is None or times[0] is None or times[1] is None:
        return ""
    took = ratio(times[0], times[1])
    sure = f" (95 % interval {speed.between((took.low, took.high), words.significant)})" if took.low < took.high else ""
    less = f" and {words.significant(held[0].value / held[1].value)} times the memory" if held[0] and held[1] else ""
    return f"a step over {words.count(at)} tokens takes {words.significant(took.value)} times the time{sure}{less}"


def _spans_apart(one: Cut, whole: Cut) -> str:
    if one.searched is None or whole.searched is None:
        return ""
    short, full = (span.middle([span.reach(row) for row in c.rows]) for c in (one.searched, whole.searched))
    return f"the median span on {words.lowered(words.task(base(_task(one.searched))))} is {short} instead of {full}"
