"""Long sequences: tables, cells and words that the sections of memory, extrapolation, gradients and length share."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from bench.statistics import Interval, over_seeds
from reports import anchors, figures, parts, words
from reports.figures import long as long_figures
from reports.figures.long import Curve, Frame, Place
from reports.parts import Cell, Drawing, Limits, Section, Table
from reports.rows.checked import LONG
from reports.rows.settings import variant
from reports.rows.stored import Stored, finished
from reports.scores.failures import wilson
from reports.scores.tables import possible
from reports.sections.seeded import PLACES, Line, Panel, chief, panels

PANELS = 12  # variants of one probe that are shown
DRAWN = 8  # lines of one figure
ROOM = words.LONGEST - 60  # letters of a paragraph of the summary
DOTS = 10  # seeds that are drawn one by one
Values = Sequence[float]
Write = Callable[[float | None], str]


Make = Callable[[Panel, Sequence[Line]], Section]


def beside(
    title: str, found: dict[Panel, list[Line]], what: str, cell: Callable[[Line], Cell], most: Limits
) -> list[Section]:
    """One section a task that was run in several variants: models down, variants across."""
    tasks: dict[str, list[Panel]] = {}
    for panel in found:
        tasks.setdefault(panel.task, []).append(panel)
    return [
        Section(f"{title}: {words.task(task)}, variants side by side", tables=(_beside(found, own, what, cell, most),))
        for task, own in [*tasks.items()][:PANELS]
        if len(own) > 1
    ]


def _beside(
    found: dict[Panel, list[Line]], own: Sequence[Panel], what: str, cell: Callable[[Line], Cell], most: Limits
) -> Table:
    shown, note = parts.first(own, PANELS, len(own), "variants")
    rows: dict[str, list[Cell]] = {}
    heads: dict[str, Cell] = {}
    for n, panel in enumerate(shown):
        for one in found[panel][: most.lines]:
            heads.setdefault(one.name, head(one))
            told = cell(one)
            made = "" if told.text == "–" else anchors.row(one.rows[0])
            rows.setdefault(one.name, [Cell("–")] * len(shown))[n] = dataclasses.replace(told, link=made)
    known = {name: place for place, name in enumerate(words.MODELS.values())}
    order = sorted(rows, key=lambda name: (known.get(name, len(known)), name))[: most.lines]
    columns = ("model", *(words.cut(words.clean(panel.variant), 80) or "–" for panel in shown))
    cells = tuple((heads[name], *rows[name]) for name in order)
    return Table(f"{words.task(own[0].task)}: {what}", columns, cells, numbers=numbered(columns), note=note)


def sections(stored: Stored, probe: str, most: Limits, title: str, explained: str, make: Make) -> list[Section]:
    """One section a panel; the first explains what was done, and says how many panels are left out."""
    found = panels(stored, probe)
    shown, cut = parts.first(found.items(), min(most.tasks, PANELS), len(found), "variants")
    made = []
    for n, (panel, lines) in enumerate(shown):
        few, note = parts.first(lines, most.lines, len(lines), "configurations")
        section = make(panel, few)
        drawn = f"The figures show the first {DRAWN}." if len(few) > DRAWN else ""
        notes = (
            cut if not n else "",
            note,
            drawn,
            section.note,
            spoken(few) if section.said else "",
            lonely(few),
            missing(stored, probe, panel),
        )
        made.append(
            dataclasses.replace(
                section,
                title=f"{title}: {panel.title}",
                tables=tuple(leading(table) for table in section.tables),
                explained="" if n else explained,
                note=" ".join(one for one in notes if one),
            )
        )
    return made


def leading(table: Table) -> Table:
    """Every number leads to the stored row that the head of its line leads to."""
    rows = (
        (first, *(c if c.link or c.text == "–" else dataclasses.replace(c, link=first.link) for c in rest))
        for first, *rest in table.rows
    )
    return dataclasses.replace(table, rows=tuple(rows))


def spoken(lines: Sequence[Line]) -> str:
    """Which of several configurations of a model the sentences are about."""
    if len(chief(lines)) == len(lines):
        return ""
    return (
        "Of a model that ran with several settings the sentences tell those with most seeds (of as many, the longest "
        "search, then the longest training, then the latest); tables hold all."
    )


def lonely(lines: Sequence[Line]) -> str:
    """Which models ran with one seed, and so have no interval over seeds."""
    alone = [one.the for one in lines if one.seeds == 1]
    if not alone:
        return ""
    if len(alone) == len(lines):
        return "One seed a model: there is no interval over seeds, and how much another seed would differ is not known."
    return f"Of {words.several(alone)} there is one seed, and so no interval over seeds."


def missing(stored: Stored, probe: str, panel: Panel) -> str:
    """Which trials of the panel gave no number."""
    lost = Counter(
        row.result.model
        for row in stored.long
        if row.result.probe == probe and not finished(row) and Panel(row.result.task, variant(row.result)) == panel
    )
    said = [f"{words.plural(n, 'seed')} of {words.the(words.model(model))}" for model, n in sorted(lost.items())]
    return f"No number came of {words.several(said)}, which count nowhere here: see Failures." if said else ""


def head(one: Line) -> Cell:
    """The first cell of a line: its name and mark."""
    style = figures.styles([one.model])[one.model]
    made = anchors.row(one.rows[0])
    return Cell(one.name, mark=figures.MARKS.get(style.marker, "●"), colour=style.colour, link=made)


def mean(values: Values) -> float:
    """Over seeds."""
    return statistics.fmean(values)


def ranged(values: Values, write: Write) -> Cell:
    """A mean over seeds, below it the smallest and the largest of them."""
    if not values:
        return Cell("–")
    low, high = write(min(values)), write(max(values))
    return Cell(write(mean(values)), note=f"{low} to {high}" if low != high else "")


def estimated(values: Values, write: Write, metric: str = "") -> Cell:
    """A mean over seeds, below it the 95 % interval of that mean, as far as a score of that metric goes."""
    return Cell(write(mean(values)), note=between(possible(over_seeds(values), metric), write)) if values else Cell("–")


def between(span: Interval | None, write: Write) -> str:
    """ "12.3 to 14.5"; an interval of no width says nothing but that the seeds agree."""
    if span is None:
        return ""
    return "all alike" if alike(span) else f"{write(span.low)} to {write(span.high)}"


def alike(span: Interval) -> bool:
    """Whether seeds agree to the last digit, but for rounding."""
    return span.high - span.low <= 1e-9 * max(abs(span.low), 1.0)


def sure(values: Values, write: Write, metric: str = "") -> str:
    """ " (95 % interval over 3 seeds 12.3 to 14.5)", or that there is none."""
    span = possible(over_seeds(values), metric)
    if span is None:
        return " (one seed)"
    if alike(span):
        return f" (all {span.n} seeds alike)"
    return f" (95 % interval over {span.n} seeds {between(span, write)})"


def share(times: int, of: int) -> Cell:
    """How many seeds, below it Wilson's interval of the share."""
    span = wilson(times, of)
    return Cell(f"{times:,} of {of:,}", note=f"{100 * span.low:.0f} to {100 * span.high:.0f} %")


def score(metric: str) -> Write:
    """How a score is written."""
    return lambda value: words.number(value, metric)


def united(metric: str) -> Write:
    """How a score is written in a sentence: "93.1 %", "21.0 BLEU"."""
    unit = words.unit(metric) or f" {words.metric(metric)}"
    return lambda value: words.number(value, metric) + unit


def metric(lines: Sequence[Line]) -> str:
    """The main metric of a panel."""
    return lines[0].metric if lines else "score"


def places(curve: dict[float, list[float]]) -> list[Place]:
    """Means over seeds, and their range."""
    return [Place(x, mean(ys), min(ys), max(ys)) for x, ys in curve.items()]


def drawing(curves: Sequence[Curve], frame: Frame, name: str, title: str, caption: str, write: Write) -> Drawing | None:
    """Curves as a figure; nothing where they have one place in all."""
    drawn = [one for one in curves if one.points or one.seeds]
    known = {p.x for one in drawn for p in one.points} | {x for one in drawn for x, _ in one.seeds}
    if len(known) < 2:
        return None
    ends = [f"{one.name} {write(p.y)} at {_place(p.x)}" for one in drawn if one.points for p in one.points[-1:]]
    alt = f"{title}: {caption}, {frame.label} against {frame.along}, last points: {'; '.join(ends)}"
    draw = long_figures.flow if any(one.early for one in drawn) else long_figures.lines
    return Drawing(draw(drawn, frame), name, alt, words.capital(caption))


def _place(x: float) -> str:
    return words.count(x) if x >= 1 or x <= 0 else f"{x:.2g}"


def numbered(columns: Sequence[str], texts: int = 1) -> tuple[bool, ...]:
    """Which columns hold numbers: all but the first few."""
    return (*[False] * texts, *[True] * (len(columns) - texts))


def common(lines: Sequence[Line], along: str, value: str) -> list[float]:
    """Every place at which a line was measured, rising."""
    return sorted({x for one in lines for x in one.curve(along, value)})[:PLACES]


def median(values: Values) -> float:
    """The middle one; of an even number the mean of the two in the middle."""
    return float(statistics.median(values)) if values else math.nan


def verdicts(found: Iterable[tuple[str, Sequence[Section]]]) -> Iterator[tuple[str, str]]:
    """What each probe comes to: the first sentences of its sections, as many as there is room for."""
    for title, made in found:
        telling = [section.said for section in made if section.said]
        said = [own[0] for own in telling] if len(telling) > 1 else [one for own in telling for one in own]
        kept = [one for n, one in enumerate(said) if sum(len(s) + 1 for s in said[: n + 1]) <= ROOM] or said[:1]
        rest = ["More stands under Long sequences."] if len(kept) < len(said) else []
        if kept:
            yield title, " ".join([*kept, *rest])


def caveats(stored: Stored) -> Iterator[str]:
    """What a reader must know before leaning on the numbers."""
    done = sum(finished(row) for row in stored.long)
    if lost := len(stored.long) - done:
        yield f"{words.plural(lost, 'trial')} of long sequences of {len(stored.long):,} gave no number: see Failures."
    seeds = Counter(len(one.rows) for probe in LONG for lines in panels(stored, probe).values() for one in lines)
    if seeds[1]:
        which = "every line has" if len(seeds) == 1 else f"{words.plural(seeds[1], 'line')} of {seeds.total():,} have"
        yield f"Long sequences: {which} one seed, and so no interval over seeds."
