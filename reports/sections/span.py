"""Memory span: up to which length a task is still solved, seed by seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reports import words
from reports.figures.long import Curve, Frame
from reports.parts import Cell, Drawing, Limits, Section, Table
from reports.rows.settings import base
from reports.rows.stored import Row, Stored
from reports.sections import long, seeded
from reports.sections.literature import older
from reports.sections.seeded import Line, Panel

TITLE = "Memory span"
EXPLAINED = (
    "A fresh model is trained at each length. Rates are tried in the same order for every model until one reaches on "
    "validation what is stated as enough, so that the later ones need not have been tried; of those that were, the "
    "training that is best on validation is asked on the test. The span of a seed is the longest length that it "
    "solved, all shorter ones that were tried too. What is said of a model is the median over its seeds, never its "
    "best seed. Below a number of seeds stands Wilson's 95 % interval of their share, below a mean Student's t "
    "interval over seeds. In the figures small marks are single seeds, lines are means and go where every seed was "
    "tried, and the dashed line is the score that counts as solved."
)
SPREAD = 1 / 6  # variance of the sum that the adding task asks for: the squared error of always answering 1


class Reach(NamedTuple):
    """The span of one seed, or of the median of several."""

    span: float
    beyond: bool  # the search ended there: it may be longer
    shortest: float  # length tried

    def __str__(self) -> str:
        if not self.span:
            return f"below {words.count(self.shortest)}"
        return f"at least {words.count(self.span)}" if self.beyond else words.count(self.span)


def sections(stored: Stored, most: Limits) -> list[Section]:
    """One section a task and variant."""
    made = long.sections(stored, "span", most, TITLE, EXPLAINED, lambda p, lines: _section(p, lines, most.columns))
    beside = long.beside(TITLE, seeded.panels(stored, "span"), "median span over seeds", whole, most)
    return [*made, *beside]


def whole(one: Line) -> Cell:
    """The median span of a line, and over how many seeds."""
    reached = [reach(row) for row in one.rows]
    return Cell(str(middle(reached)), note=words.plural(one.seeds, "seed"))


def _section(panel: Panel, lines: Sequence[Line], columns: int) -> Section:
    every = any(one.told("probe", "every") is True for one in lines)
    lengths = _lengths(lines)[:columns]
    tables = [_overview(panel, lines), _shares(panel, lines, lengths)]
    if every:
        tables += [*_scores(panel, lines, lengths)]
    chief = seeded.chief(lines)
    said = [_spans(panel, chief), _ends(chief) if every else ""]
    drawn = _drawing(panel, lines)
    note = " ".join(one for one in (_solved(lines), _stopped(lines), _searched(lines, every), _older(lines)) if one)
    return Section("", (drawn,) if drawn else (), tuple(tables), note=note, said=tuple(s for s in said if s))


def along(lines: Sequence[Line]) -> str:
    """What grows: "length", or a setting of the task."""
    return lines[0].text("probe", "along").replace("_", " ") or "length"


def reach(row: Row) -> Reach:
    """How far one seed came."""
    points = seeded.seed_curve(row, "length", "score")
    metrics = row.result.metrics
    span = max(metrics.get("span", 0.0), 0.0)
    return Reach(
        min(span, seeded.LARGE), span > 0 and metrics.get("first_unsolved", 1.0) == 0, min(points, default=0.0)
    )


def middle(reached: Sequence[Reach]) -> Reach:
    """The median; the mean of the two in the middle of an even number, "at least" where the longer one is."""
    found = sorted(reached)
    low, high = found[(len(found) - 1) // 2], found[len(found) // 2]
    return Reach((low.span + high.span) / 2, high.beyond, low.shortest)


def _lengths(lines: Sequence[Line]) -> list[float]:
    """Those that the search was given; middles that it tried are in the figure."""
    return sorted({n for one in lines for n in one.numbers("probe", "lengths")}) or long.common(
        lines, "length", "score"
    )


def _overview(panel: Panel, lines: Sequence[Line]) -> Table:
    columns = (
        "model", "span of each seed", "median span", "seeds", "rates, in order", "updates, all trainings",
        "training, s", "trained parameters",
    )  # fmt: skip
    rows = tuple(
        (
            long.head(one),
            Cell(_each([str(reach(row)) for row in one.rows])),
            Cell(str(middle([reach(row) for row in one.rows])), strong=True),
            Cell(words.count(one.seeds)),
            Cell(_rates(one)),
            long.ranged(one.get("updates"), words.count),
            long.ranged(one.get("train_seconds"), words.seconds),
            long.ranged(one.get("parameters_trained"), words.amount),
        )
        for one in lines
    )
    numbers = (False, False, True, True, False, True, True, True)
    return Table(f"{panel.title}: memory span in {_unit(along(lines))}", columns, rows, numbers=numbers)


def _unit(along: str) -> str:
    return "elements" if along == "length" else along


def _each(spans: Sequence[str]) -> str:
    """ "10, 40 and 50"; "10 (all 3)" where they are the same."""
    if len(spans) > 1 and len({*spans}) == 1:
        return f"{spans[0]} (all {len(spans)})"
    return words.several(spans, last="and", most=10)


def _rates(one: Line) -> str:
    rule = one.text("learning", "rule")
    if rule and rule != "gradient":
        return f"none: {rule.replace('_', ' ')}"
    return words.listed([words.significant(rate, 1) for rate in one.numbers("probe", "rates")[:8]]) or "–"


def _shares(panel: Panel, lines: Sequence[Line], lengths: Sequence[float]) -> Table:
    columns = ("model", *(seeded.at(along(lines), n) for n in lengths))
    rows = tuple((long.head(one), *(_share(one, n) for n in lengths)) for one in lines)
    note = (
        "A seed that stopped at a shorter one counts as not having solved it; “not tried” is what no seed came to."
        if any(cell.text == "not tried" for row in rows for cell in row)
        else ""
    )
    return Table(f"{panel.title}: seeds that solved it", columns, rows, numbers=long.numbered(columns), note=note)


def _share(one: Line, length: float) -> Cell:
    scores = [s for row in one.rows if (s := seeded.seed_curve(row, "length", "score").get(length)) is not None]
    threshold = one.number("probe", "solved")
    if not scores or threshold is None:
        return Cell("not tried" if not scores else "–")
    return long.share(sum(score >= threshold for score in scores), one.seeds)


def _scores(panel: Panel, lines: Sequence[Line], lengths: Sequence[float]) -> Iterator[Table]:
    """Scores at every length, the squared error of sums, and what is carried there."""
    name = long.metric(lines)
    columns = ("model", *(seeded.at(along(lines), n) for n in lengths))
    numbers = long.numbered(columns)
    found = {one: one.curve("length", "score") for one in lines}

    def table(what: str, cells: Sequence[tuple[Cell, ...]]) -> Table:
        return Table(f"{panel.title}: {what}", columns, tuple(cells), numbers=numbers)

    write = long.score(name)
    scored = [(long.head(m), *(long.estimated(c.get(n, []), write, name) for n in lengths)) for m, c in found.items()]
    yield table(f"{words.headed(name)}, mean over seeds", scored)
    if base(panel.task) == "synthetic.adding" and name == "explained":
        wrong = {m: {n: [squared_error(y) for y in ys] for n, ys in c.items()} for m, c in found.items()}
        cells = [
            (long.head(m), *(long.estimated(c.get(n, []), words.significant) for n in lengths))
            for m, c in wrong.items()
        ]
        yield table(f"mean squared error, mean over seeds; always answering 1 has {words.significant(SPREAD)}", cells)
    if any(one.curve("length", "carry_bytes") for one in lines):
        yield table(
            "state carried from token to token while answering, and what is kept of the source",
            [(long.head(one), *(_held(one, n) for n in lengths)) for one in lines],
        )


def squared_error(explained: float) -> float:
    """The mean squared error that goes with a share of variance explained, in percent."""
    return (100 - explained) * SPREAD / 100


def _held(one: Line, length: float) -> Cell:
    carried, kept = (one.curve("length", name).get(length) for name in ("carry_bytes", "memory_bytes"))
    if not carried:
        return Cell("–")
    return Cell(words.memory(long.mean(carried)), note=f"{words.memory(long.mean(kept))} of the source" if kept else "")


def _drawing(panel: Panel, lines: Sequence[Line]) -> Drawing | None:
    name, grows = long.metric(lines), along(lines)
    frame = Frame(
        grows, words.headed(name), name in words.PERCENT, lines[0].number("probe", "solved") if lines else None
    )
    curves = [_curve(one) for one in lines[: long.DRAWN]]
    caption = f"{words.metric(name)} on the test against {grows}"
    return long.drawing(curves, frame, f"span-{panel.slug}", panel.title, caption, long.score(name))


def _curve(one: Line) -> Curve:
    """Means where every seed was tried: a mean over those that got far would flatter. Seeds are drawn one by one."""
    found = one.curve("length", "score")
    whole = {x: ys for x, ys in found.items() if x >= 1 and len(ys) == one.seeds}
    points = [p._replace(low=p.y, high=p.y) for p in long.places(whole)]
    several = one.rows[: long.DOTS] if one.seeds > 1 else ()
    seeds = [
        (x, y) for row in several for x, y in seeded.seed_curve(row, "length", "score").items() if x >= 1 and x in found
    ]
    return Curve(one.name, one.model, points, seeds)


def _solved(lines: Sequence[Line]) -> str:
    threshold, name = lines[0].number("probe", "solved"), long.metric(lines)
    if threshold is None:
        return ""
    told = (
        f"Solved means {words.metric(name)} of at least {words.number(threshold, name)}{words.unit(name)} on the test"
    )
    return f"{told}."


def _stopped(lines: Sequence[Line]) -> str:
    """When a training ends before its budget, and which rates are not tried any more."""
    name, own = long.metric(lines), [one for one in lines if one.numbers("probe", "rates")]
    enough = {words.number(n, name) for one in own if (n := one.number("probe", "enough")) is not None}
    if not enough:
        return ""
    orders = {tuple(one.numbers("probe", "rates")) for one in own}
    order = "the same order for every model" if len(orders) == 1 else "the order in which the table lists them"
    at = f"{words.listed(sorted(enough), 'or')}{words.unit(name)} on validation"
    return f"Rates are tried in {order} until one reaches {at}, where its training ends early."


def _older(lines: Sequence[Line]) -> str:
    """Says of associative recall in a form that is not run any more that it is none of today's."""
    if not any(older(row) for one in lines for row in one.rows):
        return ""
    return (
        "These trials ran an older form of associative recall, in which keys are asked anew and a blank parts key from "
        "value: they stand beside no trial of the present form."
    )


def _searched(lines: Sequence[Line], every: bool) -> str:
    tried, refine = _lengths(lines), lines[0].number("probe", "refine")
    if not tried:
        return ""
    said = f"Tried were {words.several([words.count(n) for n in tried], most=24)}"
    if every:
        said += ", each whether or not the one before was solved"
    elif refine and refine > 0:
        said += f", and up to {words.plural(int(refine), 'middle')} between the last solved and the first that was not"
    return f"{said}. Nothing beyond {words.count(tried[-1])} was tried: a span that ends there is “at least”."


def _spans(panel: Panel, lines: Sequence[Line]) -> str:
    """Medians from the longest to the shortest, models that agree together."""
    found: dict[str, list[Line]] = {}
    reached = {one: middle([reach(row) for row in one.rows]) for one in lines}
    for one in sorted(lines, key=lambda one: (-reached[one].span, not reached[one].beyond)):
        found.setdefault(str(reached[one]), []).append(one)
    grows = along(lines)
    some = {one.seeds for one in lines}
    over = f"median over {some.pop()} seeds" if len(some) == 1 and 1 not in some else "median over seeds"
    over = "one seed" if all(one.seeds == 1 for one in lines) else over
    said = []
    for told, own in found.items():
        at = reached[own[0]]
        unit = "" if grows == "length" else f" {seeded.unit(grows, at.span or at.shortest)}"
        said.append(f"{told}{unit} for {words.several([one.the for one in own])}")
    return f"On {panel.said} the memory span ({over}) is {words.several(said)}."


def _ends(lines: Sequence[Line]) -> str:
    """Who scores most and least at the largest."""
    name, places = long.metric(lines), long.common(lines, "length", "score")
    if not places:
        return ""
    last, write = places[-1], long.united(name)
    found = [(ys, one) for one in lines if (ys := one.curve("length", "score").get(last))]
    found.sort(key=lambda pair: -long.mean(pair[0]))
    told = [found[0], found[-1]] if len(found) > 1 else found
    said = [f"{one.the} scores {write(long.mean(ys))}{long.sure(ys, write, name)}" for ys, one in told]
    return f"At {seeded.at(along(lines), last)} {words.listed(said, 'and, lowest,')}."
