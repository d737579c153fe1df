"""Speed: what was measured of throughput, parallelism and scaling, made safe to tabulate, draw and compare."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from bench.statistics import Point, ratio
from reports import anchors, figures, words
from reports.figures import speed as speed_figures
from reports.figures.speed import Series
from reports.parts import Cell, Drawing
from reports.rows.settings import differing, machine, settings
from reports.rows.stored import Row, Stored, finished
from reports.scores.summary import OURS

SMALL, LARGE = 1e-12, 1e18  # what lies beyond is no measurement: it would only stretch an axis
SIGNED = ("exponent", "slope", "per_position", "fraction")  # the others are never below zero
ASIDE = ("notes", "conditions", "variant")  # settings that make no other measurement
ALIASES = {"joules_per_step": "energy", "peak_bytes": "memory", "share_of_peak": "peak_flops_per_second"}
DRAWN = 12  # lines of one figure
NOTES, NOTE = 12, 300  # remarks under a table, and letters of each
Write = Callable[[float | None], str]


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """One finished measurement: a model in one configuration on one task."""

    row: Row
    name: str  # for people; no two of a table share it

    @property
    def model(self) -> str:
        """The model's own name."""
        return self.row.result.model

    @property
    def clean(self) -> bool:
        """Whether the machine did nothing else meanwhile."""
        return not self.row.result.metrics.get("had_company", 0)

    @property
    def drawn(self) -> str:
        """The name as it stands in a figure, where a star is all the room that a warning has."""
        return self.name if self.clean else f"{self.name} *"

    @cached_property
    def notes(self) -> dict[str, str]:
        """What was said of a number, or of why there is none."""
        told = self.row.result.config.get("notes")
        return {k: v for k, v in told.items() if isinstance(v, str)} if isinstance(told, dict) else {}

    def get(self, name: str) -> float | None:
        """A number, None where it is missing or cannot be one."""
        value = self.row.result.metrics.get(name)
        least = -LARGE if any(part in name for part in SIGNED) else 0.0
        return value if value is not None and least <= value <= LARGE else None

    def bounds(self, name: str) -> tuple[float, float] | None:
        """The interval of a number, None where none is stored that holds it."""
        value, low, high = self.get(name), self.get(f"{name}_low"), self.get(f"{name}_high")
        return (low, high) if None not in (value, low, high) and low <= value <= high else None  # type: ignore[operator, return-value]

    def span(self, name: str) -> Point | None:
        """A number above zero with its interval, the number itself where it has none."""
        value = self.get(name)
        if value is None or value < SMALL:
            return None
        low, high = self.bounds(name) or (value, value)
        return Point(1.0, value, max(low, SMALL), high)

    def rate(self, name: str, seconds: str) -> Point | None:
        """A number of things a second, with the interval that the time of a call has."""
        value, time = self.span(name), self.span(seconds)
        if value is None or time is None or self.bounds(name):
            return value
        return Point(1.0, value.value, value.value * time.value / time.high, value.value * time.value / time.low)

    def points(
        self, value: str, low: str = "", high: str = "", along: str = "length", least: float = SMALL
    ) -> list[Point]:
        """The curve of `value`, sorted, one point a place; what is below `least` or cannot be is left out."""
        found: dict[float, Point] = {}
        for point in self.row.result.curve:
            if next(iter(point), "") != along:  # a point stands where its first number says
                continue
            at, y = point[along], point.get(value, math.nan)
            if 1 <= at <= LARGE and least <= y <= LARGE:
                span = point.get(low, y), point.get(high, y)
                found[at] = Point(at, y, *(span if least <= span[0] <= y <= span[1] <= LARGE else (y, y)))
        return [found[at] for at in sorted(found)]


def measured(stored: Stored, probe: str) -> dict[str, list[Row]]:
    """Finished measurements by task; of equal settings the latest."""
    found: dict[str, dict[str, Row]] = {}
    for row in stored.speed:
        if row.result.probe == probe and finished(row):
            key = json.dumps([row.result.model, told(row)], sort_keys=True)
            found.setdefault(row.result.task, {})[key] = row
    known = {task: place for place, task in enumerate(("translation", "sentiment", "captioning"))}
    order = sorted(found, key=lambda task: (known.get(task, len(known)), task))
    return {task: [*found[task].values()] for task in order}


def told(row: Row) -> dict[str, str]:
    """The settings that make it another measurement; remarks and what the machine did meanwhile do not."""
    return {key: value for key, value in settings(row.result).items() if key.split(".", 1)[0] not in ASIDE}


def named(rows: Sequence[Row]) -> list[Measured]:
    """Each with a name, in the usual order of models; what differs within a model is said."""
    apart: dict[Row, str] = {}
    for model in dict.fromkeys(row.result.model for row in rows):
        own = [row for row in rows if row.result.model == model]
        all_told = [told(row) for row in own]
        keys = differing(all_told)
        apart |= {row: _apart(one, keys) for row, one in zip(own, all_told, strict=True)}
    shown = words.distinct((words.model(r.result.model) + apart[r], str((r.result.model, told(r)))) for r in rows)
    place = {model: n for n, model in enumerate(OURS)}
    found = [Measured(row, name) for row, name in zip(rows, shown, strict=True)]
    return sorted(found, key=lambda m: (place.get(m.model, len(place)), m.model, m.name))


def _apart(one: dict[str, str], keys: Sequence[str], most: int = 3) -> str:
    said = [_setting(key, one.get(key, "–")) for key in keys[:most]] + (["…"] if len(keys) > most else [])
    return f", {words.clean(', '.join(said))}" if said else ""


def _setting(key: str, value: str) -> str:
    """ "plain attention", "bfloat16", "not compiled", "hidden 128"."""
    name, short = key.rsplit(".", 1)[-1].replace("_", " "), words.cut(_bare(value), 24)
    if name == "compile" and value in ("true", "false"):
        return "compiled" if value == "true" else "not compiled"
    if name in ("attention", "precision", "device"):
        return f"{short} attention" if name == "attention" else short
    return f"{short} threads" if name == "threads" else f"{words.cut(name, 24)} {short}"


def _bare(value: str) -> str:
    """ "0.001, 0.003" for a list; anything else as it is."""
    inner = value[1:-1]
    return inner.replace('"', "") if value[:1] + value[-1:] == "[]" and not set("[{") & set(inner) else value


def company(one: Measured) -> str:
    """The warning of a timing that shared its machine."""
    if one.clean:
        return ""
    used = one.get("company")
    if not used:
        return "another process was busy during this timing"
    return f"another process used {words.significant(used, 2)} processors during this timing"


def head(one: Measured) -> Cell:
    """The first cell of a measurement: its name and mark, and a warning where it had company."""
    style = figures.styles([one.model])[one.model]
    made, mark = anchors.row(one.row), figures.MARKS.get(style.marker, "●")
    return Cell(one.name, mark=mark, colour=style.colour, warning=company(one), link=made)


def cell(one: Measured, name: str, write: Write, note: str = "") -> Cell:
    """A number with its interval below; "not measured" where a remark says why, "–" where nothing does."""
    value = one.get(name)
    if value is None:
        return Cell("not measured" if {name, ALIASES.get(name)} & one.notes.keys() else "–")
    span = between(one.bounds(name), write)
    return Cell(write(value), note=note or span, tip=_behind(one, write(value), span), link=anchors.row(one.row))


def rated(one: Measured, name: str, seconds: str) -> Cell:
    """A number of things a second with its interval below."""
    point = one.rate(name, seconds)
    if point is None:
        return Cell("–")
    said, span = words.count(point.value), between((point.low, point.high), words.count)
    return Cell(said, note=span, tip=_behind(one, said, span), link=anchors.row(one.row))


def _behind(one: Measured, said: str, span: str) -> str:
    """ "LSTM: 5.31; 95 % interval 5.2–5.4; median of 15 rounds of one process, seed 0"."""
    rounds = one.get("rounds")
    medians = f"median of {words.plural(int(rounds), 'round')} of one process, " if rounds and span else ""
    parts = [f"{one.name}: {said}", f"95 % interval {span}" if span else "", f"{medians}seed {one.row.result.seed}"]
    return "; ".join(part for part in parts if part)


def between(span: tuple[float, float] | None, write: Write) -> str:
    """ "19.8–22.9"; nothing where there is no interval."""
    return f"{write(span[0])}–{write(span[1])}" if span and span[0] < span[1] else ""


def percent(value: float | None) -> str:
    """A share as a percentage."""
    return "–" if value is None else words.number(100 * value) if value < 1000 else words.significant(100 * value)


def power(value: float | None) -> str:
    """An exponent, two digits behind the point."""
    return "–" if value is None else words.number(value, "loss") if abs(value) < 1000 else words.significant(value)


def remarks(found: Iterable[Measured], but: tuple[str, ...] = ()) -> str:
    """What was said of the numbers, each once, with the models that it was said of where not of all."""
    lines, said = [*found], dict[str, list[str]]()
    for one in lines:
        for key, text in one.notes.items():
            if key not in but:
                name = words.clean(key).replace("_", " ")[:40]
                said.setdefault(f"{name}: {words.cut(words.clean(text), NOTE)}", []).append(one.name)
    shown = [
        words.capital(text) + ("" if len(of) == len(lines) else f" ({words.several(of, most=4)})")
        for text, of in [*said.items()][:NOTES]
    ]
    rest = [f"{len(said) - NOTES:,} more remarks"] if len(said) > NOTES else []
    return "; ".join([*shown, *rest]) + "." if shown else ""


def times(one: Point, other: Point) -> str:
    """How many times as large the first is: "1.4 times as fast (95 % interval 1.3 to 1.5)", without the words."""
    found = ratio(one, other)
    if one.low == one.high and other.low == other.high:
        return f"{words.significant(found.value)} times"
    span = f"95 % interval {words.significant(found.low)} to {words.significant(found.high)}"
    return f"{words.significant(found.value)} times ({span})"


def converted(points: Iterable[Point], factor: float = 1000.0) -> list[Point]:
    """The curve in another unit: seconds as milliseconds."""
    return [Point(p.length, *(factor * v for v in (p.value, p.low, p.high))) for p in points]


def ring(points: Sequence[Point], at: Point | None) -> tuple[float, float] | None:
    """The place on a curve where it is ringed; None where the curve does not go there."""
    if at is None or not points or not points[0].length <= at.value <= points[-1].length:
        return None
    x, y = np.log([p.length for p in points]), np.log([p.value for p in points])
    return at.value, float(np.exp(np.interp(math.log(at.value), x, y)))


def starred(found: Iterable[Measured]) -> str:
    """What the stars in figures say."""
    return "" if all(one.clean for one in found) else "* Another process was busy during this timing."


def drawing(
    series: Sequence[Series], along: str, label: str, name: str, title: str, caption: str, write: Write,
    share: bool = False,
) -> Drawing | None:  # fmt: skip
    """Curves as a figure; nothing where no line has two points. `title` is the heading that it stands under."""
    drawn = [one for one in series if one.points]
    if not any(len(one.points) > 1 for one in drawn):
        return None
    ends = [f"{one.name} {write(one.points[-1].value)} at {words.count(one.points[-1].length)}" for one in drawn]
    alt = f"{title}: {caption}, {label} against {along}, last points: {'; '.join(ends)}"
    return Drawing(speed_figures.curves(drawn, along, label, share), name, alt, words.capital(caption))


def comparable(found: Sequence[Measured]) -> list[Measured]:
    """Those without company, where all ran on one machine, all compiled or none; else none of them."""
    clean = [one for one in found if one.clean]
    machines = {json.dumps([_processor(one), machine(one.row.result)], sort_keys=True) for one in clean}
    return clean if len(machines) == 1 and len(_compiled(clean)) == 1 else []


def _compiled(found: Sequence[Measured]) -> set[bool]:
    return {bool(one.row.result.config.get("compile")) for one in found}


def incomparable(found: Sequence[Measured]) -> str:
    """Why nothing is compared."""
    if not any(one.clean for one in found):
        return "every timing had company: nothing is compared."
    if len(_compiled([one for one in found if one.clean])) > 1:
        return "some models were compiled and others not: nothing is compared."
    return "the timings come from unlike machines: nothing is compared."


def _processor(one: Measured) -> Any:
    return one.row.result.environment.get("processor", "")


def caveats(stored: Stored) -> Iterator[str]:
    """What a reader must know before leaning on the timings."""
    done = [Measured(row, "") for row in stored.speed if finished(row)]
    if beside := [one for one in done if not one.clean]:
        yield (
            f"In {words.plural(len(beside), 'measurement')} of speed of {len(done):,} another process was busy: "
            "that is marked with a warning, and no sentence of this summary rests on it."
        )
    if len({json.dumps([_processor(one), machine(one.row.result)], sort_keys=True) for one in done}) > 1:
        yield "Speed was measured on unlike machines, or with unlike numbers of threads: see the settings."
    if lost := len(stored.speed) - len(done):
        yield f"{words.plural(lost, 'measurement')} of speed of {len(stored.speed):,} gave no number: see Failures."
