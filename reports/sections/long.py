"""Long sequences: trials of memory, extrapolation, gradients and length, put together over seeds."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from bench.statistics import Interval, over_seeds
from reports import anchors, figures, parts, words
from reports.figures import long as long_figures
from reports.figures.long import Curve, Frame, Place
from reports.parts import Cell, Drawing, Limits, Section, Table
from reports.rows.checked import LONG
from reports.rows.fields import number
from reports.rows.settings import base, differing, variant
from reports.rows.stored import Row, Stored, finished, group
from reports.scores.failures import wilson
from reports.scores.summary import OURS
from reports.scores.tables import possible
from reports.sections import speed

LARGE = 1e9  # what lies beyond is no score and no length: it would only stretch an axis
PANELS = 12  # variants of one probe that are shown
DRAWN = 8  # lines of one figure
PLACES = 48  # of one curve
ROOM = words.LONGEST - 60  # letters of a paragraph of the summary
DOTS = 10  # seeds that are drawn one by one
Values = Sequence[float]
Write = Callable[[float | None], str]
PLAIN = ("gradients", "data")  # variants called like their probe
RATES, LENGTHS, UPDATES, ENOUGH = "probe.rates", "probe.lengths", "budget.updates", "probe.enough"
SEARCHED = 2  # rank of a setting of the search
NAMED = 3  # settings in which one configuration of a model differs from another, and that its name tells


class Panel(NamedTuple):
    """What is compared: one task under the settings of one variant of the suite."""

    task: str
    variant: str

    @property
    def title(self) -> str:
        """ "Recall (truncated, 16)"; the task alone where its variant is called like it."""
        name, told = _known(words.task(self.task)), words.clean(self.variant)
        plain = base(self.task).rpartition(".")[2].replace("_", " ")
        for known in (f"{plain} by length", plain, *PLAIN):  # said by the heading already
            if told == known or told.startswith(f"{known}, "):
                told = told[len(known) :].lstrip(", ")
        return f"{name} ({words.cut(told, 80)})" if told else name

    @property
    def slug(self) -> str:
        """As part of a file's name."""
        return words.slug(f"{self.task} {self.variant}")

    @property
    def said(self) -> str:
        """Within a sentence."""
        return words.lowered(self.title)


def _known(name: str) -> str:
    """A task's name without the settings that its form does not have: "Associative recall: queries 8, pause 1"."""
    own, colon, apart = name.partition(words.APART)
    kept = ", ".join(one for one in apart.split(", ") if not one.endswith(" None"))
    return own + colon + kept if kept else own


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """One model in one configuration: a finished row a seed."""

    rows: tuple[Row, ...]  # by seed
    name: str  # for people; no two of a panel share it

    @property
    def model(self) -> str:
        """The model's own name."""
        return self.rows[0].result.model

    @property
    def the(self) -> str:
        """Within a sentence."""
        return words.the(self.name)

    @property
    def seeds(self) -> int:
        """How many there are."""
        return len(self.rows)

    def told(self, *keys: str) -> Any:
        """A setting, None where it is missing."""
        value: Any = self.rows[0].result.config
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def text(self, *keys: str) -> str:
        """A setting that is a text, clean and short."""
        value = self.told(*keys)
        return words.clean(value)[:32] if isinstance(value, str) else ""

    def number(self, *keys: str) -> float | None:
        """A setting that is a number."""
        return _possible(self.told(*keys))

    def numbers(self, *keys: str) -> list[float]:
        """A setting that is a list of numbers, the first of them."""
        value = self.told(*keys)
        told = value[:PLACES] if isinstance(value, list | tuple) else []
        return [n for one in told if (n := _possible(one)) is not None]

    @property
    def metric(self) -> str:
        """The task's main metric."""
        notes = self.told("notes")
        told = notes.get("metric") if isinstance(notes, dict) else None
        return told if isinstance(told, str) and told else self.rows[0].result.main

    def get(self, name: str) -> list[float]:
        """A metric, once a seed that has it."""
        return [n for row in self.rows if (n := _possible(row.result.metrics.get(name))) is not None]

    def curve(self, along: str, value: str, **at: float) -> dict[float, list[float]]:
        """Numbers over seeds at each place of a curve, in the order of places; `at` is what its points must hold."""
        found: dict[float, list[float]] = {}
        for row in self.rows:
            for place, y in seed_curve(row, along, value, **at).items():
                found.setdefault(place, []).append(y)
        return dict(sorted(found.items())[:PLACES])


def seed_curve(row: Row, along: str, value: str, most: float = LARGE, **at: float) -> dict[float, float]:
    """One seed's curve: number by place; of several at one place the last. What lies beyond `most` is left out."""
    found: dict[float, float] = {}
    for point in row.result.curve:
        x, y = _possible(point.get(along)), _possible(point.get(value), most)
        if x is not None and x >= 0 and y is not None and all(point.get(k) == v for k, v in at.items()):
            found[x] = y
    return found


def _possible(value: Any, most: float = LARGE) -> float | None:
    n = number(value)
    return n if n is not None and abs(n) <= most else None


def panels(stored: Stored, probe: str) -> dict[Panel, list[Line]]:
    """Finished trials of a probe: of each task and variant its models, in the usual order, each with its seeds."""
    found: dict[Panel, dict[str, dict[int, Row]]] = {}
    for row in stored.long:
        if row.result.probe == probe and finished(row):
            own = found.setdefault(Panel(row.result.task, variant(row.result)), {})
            key = json.dumps([row.result.model, _told(row)], sort_keys=True)
            own.setdefault(key, {})[row.result.seed] = row  # of equal settings and seeds the latest
    known = {task: place for place, task in enumerate(("translation", "sentiment", "captioning"))}
    order = sorted(found, key=lambda panel: (known.get(base(panel.task), len(known)), panel))
    return {panel: _lines(found[panel].values()) for panel in order}


def _told(row: Row) -> dict[str, str]:
    """The settings that make another line; in which order rates are tried does not."""
    rates = group(row, "probe").get("rates")
    told = speed.told(row)
    return told | {RATES: json.dumps(sorted(rates, key=str))} if isinstance(rates, list) else told


def _lines(groups: Iterable[dict[int, Row]]) -> list[Line]:
    """Each with a name, in the usual order of models; what differs within a model stands behind it in brackets."""
    rows = [tuple(own[seed] for seed in sorted(own)) for own in groups]
    told = {own[0]: _told(own[0]) for own in rows}
    models = {own[0]: own[0].result.model for own in rows}
    apart = {m: differing([told[row] for row in told if models[row] == m]) for m in dict.fromkeys(models.values())}
    keys = {m: _telling(own, [told[row] for row in told if models[row] == m]) for m, own in apart.items()}
    names = words.distinct(
        (words.model(model) + _apart(row, told[row], keys[model]), str((model, told[row])))
        for row, model in models.items()
    )
    place = {model: n for n, model in enumerate(OURS)}
    found = [Line(own, name) for own, name in zip(rows, names, strict=True)]
    return sorted(found, key=lambda one: (place.get(one.model, len(place)), one.model, one.name))


def _telling(keys: Sequence[str], told: Sequence[dict[str, str]]) -> list[str]:
    """The settings that a name tells; how a model was searched only where the others do not tell all apart."""
    known = [key for key in sorted(keys, key=_rank) if _rank(key) < SEARCHED]
    enough = len({tuple(one.get(key) for key in known) for one in told}) == len(told)
    return known if enough else sorted(keys, key=_rank)


def _rank(key: str) -> int:
    """What a model is comes first, and last how it was searched."""
    return 0 if key.startswith("model.") else SEARCHED if key in (RATES, ENOUGH) else 1


def _apart(row: Row, told: dict[str, str], keys: Sequence[str]) -> str:
    """ " (batch 64, 3,000 updates)"."""
    said = [_setting(row, key, told.get(key, "–")) for key in keys[:NAMED]] + ["…"] * (len(keys) > NAMED)
    return f" ({words.clean(', '.join(said))})" if said else ""


def _setting(row: Row, key: str, value: str) -> str:
    """ "3,000 updates", "rates 0.001 and 0.003", "up to 16 pairs", "hidden 128"."""
    listed = group(row, "probe").get(key.rpartition(".")[2])
    many = [n for one in listed[:PLACES] if (n := _possible(one)) is not None] if isinstance(listed, list) else []
    if key == UPDATES and (updates := _possible(row.result.budget.get("updates"))) is not None:
        return words.plural(int(updates), "update")
    if key == RATES and many:
        rates = words.listed([words.significant(rate, 1) for rate in sorted(many)])
        return f"rate{'s' * (len(many) > 1)} {rates}"
    if key == LENGTHS and many:
        along = group(row, "probe").get("along")
        return f"up to {at(words.cut(along, 24) if isinstance(along, str) else 'length', max(many))}"
    return f"{words.cut(key.rpartition('.')[2].replace('_', ' '), 24)} {words.cut(value, 24)}"


def chief(lines: Sequence[Line]) -> list[Line]:
    """Of each model the configuration that sentences are about: most seeds, the longest search, updates, the latest."""
    most: dict[str, Line] = {}
    for one in lines:
        most[one.model] = max(most.get(one.model, one), one, key=_weight)
    return [one for one in lines if most[one.model] is one]


def _weight(one: Line) -> tuple[int, float, float, str]:
    updates, latest = _possible(one.rows[0].result.budget.get("updates")), max(row.result.time for row in one.rows)
    return one.seeds, max(one.numbers("probe", "lengths"), default=0.0), updates or 0.0, latest


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


def at(along: str, place: float) -> str:
    """ "length 40", "32 pairs"."""
    return f"length {words.count(place)}" if along == "length" else f"{words.count(place)} {unit(along, place)}"


def unit(along: str, place: float) -> str:
    """ "pairs", "pair" of one."""
    return along.removesuffix("s") if place == 1 else along


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
