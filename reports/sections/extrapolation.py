"""Length extrapolation: scores at lengths beyond those of training."""

from __future__ import annotations

from collections.abc import Sequence

from reports import words
from reports.figures.long import Curve, Frame
from reports.parts import Cell, Drawing, Limits, Section, Table
from reports.rows.stored import Stored
from reports.sections import long, seeded
from reports.sections.seeded import Line, Panel

TITLE = "Length extrapolation"
EXPLAINED = (
    "Trained on lengths up to the dashed line, chosen on validation there, then asked about longer ones. What a model "
    "does beyond says something of it only where it learned the task inside: where its mean inside stays below 95 %, "
    "nothing is concluded. Numbers and lines are means over seeds; below numbers stand the lowest and the highest, and "
    "bars reach from the one to the other."
)
LEARNED, KEPT = 95.0, 99.0  # mean inside from which the rest is interpreted; mean beyond from which a seed keeps it


def sections(stored: Stored, most: Limits) -> list[Section]:
    """One section a task and variant."""
    return long.sections(
        stored, "extrapolate", most, TITLE, EXPLAINED, lambda p, lines: _section(p, lines, most.columns)
    )


def _section(panel: Panel, lines: Sequence[Line], columns: int) -> Section:
    drawn, chief = _drawing(panel, lines), seeded.chief(lines)
    said = [s for s in (*_kept(panel, chief), _unlearned(panel, chief)) if s]
    tables = (_table(panel, lines), _lengths(panel, lines, columns))
    return Section("", (drawn,) if drawn else (), tables, said=tuple(said))


def trained(one: Line) -> float:
    """The longest length of training; without one nothing is inside."""
    told = one.number("task", "length")
    return told if told is not None and told >= 1 else 0.0


def inside(one: Line) -> list[float]:
    """Of each seed the mean over the lengths of training."""
    return _means(one, 0.0, trained(one))


def beyond(one: Line) -> list[float]:
    """Of each seed the mean over longer lengths."""
    return _means(one, trained(one), seeded.LARGE)


def _means(one: Line, low: float, high: float) -> list[float]:
    found = [[y for x, y in seeded.seed_curve(row, "length", "score").items() if low < x <= high] for row in one.rows]
    return [long.mean(ys) for ys in found if ys]


def _longest(one: Line) -> tuple[float, list[float]]:
    """The largest length that was asked, and the scores of seeds there."""
    return max(one.curve("length", "score").items(), default=(0.0, []))


def _table(panel: Panel, lines: Sequence[Line]) -> Table:
    name = long.metric(lines)
    write = long.score(name)
    columns = (
        "model", "seeds", "trained up to", "mean inside", "mean beyond",
        f"seeds with {KEPT:.0f}{words.unit(name)} or more beyond", "training, s",
    )  # fmt: skip
    rows = tuple(
        (
            long.head(one),
            Cell(words.count(one.seeds)),
            Cell(words.count(trained(one)) if trained(one) else "–"),
            long.ranged(inside(one), write),
            long.ranged(beyond(one), write),
            long.share(sum(y >= KEPT for y in beyond(one)), len(beyond(one))) if beyond(one) else Cell("–"),
            long.ranged(one.get("seconds_total"), words.seconds),
        )
        for one in lines
    )
    note = "Below a number of seeds stands Wilson's 95 % interval of their share."
    caption = f"{panel.title}: {words.headed(name)} inside and beyond the lengths of training"
    return Table(caption, columns, rows, numbers=long.numbered(columns), note=note)


def _lengths(panel: Panel, lines: Sequence[Line], most: int) -> Table:
    """A column a length; of more than there is room for the shortest, and the longest."""
    name = long.metric(lines)
    places = long.common(lines, "length", "score")
    kept = places if len(places) <= most else [*places[: most - 1], places[-1]]
    longest = {trained(one) for one in lines}
    columns = ("model", "seeds", *(f"{words.count(n)}{' (beyond)' * (n > max(longest))}" for n in kept))
    rows = []
    for one in lines:
        found = one.curve("length", "score")
        scores = (long.ranged(found.get(n, []), long.score(name)) for n in kept)
        rows.append((long.head(one), Cell(words.count(one.seeds)), *scores))
    note = f"Showing {len(kept)} of {len(places)} lengths." if len(kept) < len(places) else ""
    caption = f"{panel.title}: {words.headed(name)} at each length that was asked, mean and range of seeds"
    return Table(caption, columns, tuple(rows), numbers=long.numbered(columns), note=note)


def _drawing(panel: Panel, lines: Sequence[Line]) -> Drawing | None:
    name = long.metric(lines)
    uprights = tuple(dict.fromkeys(t for one in lines if (t := trained(one))))[:3]
    frame = Frame("length", words.headed(name), name in words.PERCENT, upright=uprights)
    curves = [
        Curve(one.name, one.model, [p for p in long.places(one.curve("length", "score")) if p.x >= 1])
        for one in lines[: long.DRAWN]
    ]
    caption = f"{words.metric(name)} against length"
    return long.drawing(curves, frame, f"extrapolation-{panel.slug}", panel.title, caption, long.score(name))


def _kept(panel: Panel, lines: Sequence[Line]) -> list[str]:
    """What each that learned the task inside does at the largest length."""
    learned = [one for one in lines if (own := inside(one)) and long.mean(own) >= LEARNED]
    learned.sort(key=lambda one: -long.mean(beyond(one) or [0.0]))
    return [f"On {panel.said} {one.the} {_goes_on(one)}." for one in learned]


def _goes_on(one: Line) -> str:
    place, values = _longest(one)
    if place <= trained(one):
        return "learned it at the lengths of training, and was asked nothing longer"
    write, own = long.united(one.metric), beyond(one)
    times = words.significant(place / trained(one))
    at = f"{write(long.mean(values))}{long.sure(values, write, one.metric)} at length {words.count(place)}"
    keeps = f"{sum(y >= KEPT for y in own):,} of {words.plural(len(own), 'seed')} {KEPT:.0f} % or more beyond"
    return f"goes from {write(long.mean(inside(one)))} inside to {at}, {times} times the longest of training; {keeps}"


def _some(own: Sequence[float]) -> str:
    """How many seeds learned it all the same."""
    some = sum(y >= LEARNED for y in own)
    return f", though {some:,} of {words.plural(len(own), 'seed')} {LEARNED:.0f} % or more" if some else ""


def _unlearned(panel: Panel, lines: Sequence[Line]) -> str:
    """Of whom nothing is concluded."""
    write = long.united(long.metric(lines))
    weak = [(one, own) for one in lines if (own := inside(one)) and long.mean(own) < LEARNED]
    silent = [one for one in lines if not inside(one)]
    said = [f"{one.the} ({write(long.mean(own))}{_some(own)})" for one, own in weak]
    told = ""
    if said:
        does = "what it does" if len(said) == 1 else "what they do"
        told = (
            f"On {panel.said} {words.several(said)} did not learn it, on average, even at the lengths of training: "
            f"{does} beyond says nothing of extrapolation."
        )
    if silent:
        names = words.several([one.the for one in silent])
        told += f"{' ' if told else ''}Of {names} nothing was asked inside, so nothing is concluded."
    return told
