"""Quality by length of the source: parts of the test by words, and sources made longer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from reports import words
from reports.figures.long import Curve, Frame, Place
from reports.parts import Cell, Drawing, Limits, Section, Table
from reports.rows.stored import Stored
from reports.sections import long, seeded
from reports.sections.seeded import Line, Panel

TITLE = "Quality by source length"
EXPLAINED = (
    "One trained model, asked two ways: about the test in parts by words of the source, and about sources made longer. "
    "Of one seed the interval is over test items, of several it is Student's over seeds. A score "
    "of a whole part, such as BLEU, is no mean over its sentences: the mean of these, which has an interval, "
    "then stands in a table of its own."
)
WAYS = {  # where a point says how long: heading, axis, how a length is said
    "words": ("parts of the test", "words of the source, at most", "up to {} words"),
    "asked": ("sources made longer", "words of the source, about", "about {} words"),
}
ENOUGH = 30  # items of a part, below which no sentence rests on it
CLOSE = 1e-6  # a score and the mean over items that differ by less are the same


def sections(stored: Stored, most: Limits) -> list[Section]:
    """One section a task and variant."""
    made = long.sections(stored, "by_length", most, TITLE, EXPLAINED, lambda p, lines: _section(p, lines, most.columns))
    what = "score at the longest source that was made longer"
    return [*made, *long.beside(TITLE, seeded.panels(stored, "by_length"), what, _longest, most)]


def _longest(one: Line) -> Cell:
    main = one.rows[0].result.main
    place, values = max(one.curve("asked", main).items(), default=(0.0, []))
    if not values:
        return Cell("–")
    span = _sure(one, "asked", main, place).strip(" ()")
    return Cell(words.number(long.mean(values), main), note=f"at about {words.count(place)} words; {span}")


def _section(panel: Panel, lines: Sequence[Line], columns: int) -> Section:
    drawings = tuple(d for way in WAYS if (d := _drawing(panel, lines, way)))
    tables = tuple(t for way in WAYS for t in _tables(panel, lines, way, columns))
    said = tuple(s for way in WAYS if (s := _said(panel, seeded.chief(lines), way)))
    return Section("", drawings, tables, said=said)


def name(lines: Sequence[Line]) -> str:
    """The main metric, under whose name points hold their scores."""
    return lines[0].rows[0].result.main if lines else ""


def item_interval(one: Line, way: str, at: float) -> tuple[float, float, float] | None:
    """Mean over items and its interval, of a line of one seed."""
    if one.seeds != 1:
        return None
    found = [one.curve(way, key).get(at) for key in ("mean", "low", "high")]
    if not all(found):
        return None
    mean, low, high = (values[0] for values in found if values)
    return (mean, low, high) if low <= mean <= high else None


def _drawing(panel: Panel, lines: Sequence[Line], way: str) -> Drawing | None:
    heading, axis, _ = WAYS[way]
    main = name(lines)
    frame = Frame(axis, words.headed(main), main in words.PERCENT)
    curves = [Curve(one.name, one.model, _points(one, way, main)) for one in lines[: long.DRAWN]]
    caption = f"{words.metric(main)} against length: {heading}"
    return long.drawing(curves, frame, f"length-{way}-{panel.slug}", panel.title, caption, long.score(main))


def _points(one: Line, way: str, main: str) -> list[Place]:
    """Means over seeds with their range; of one seed the interval over items, where it is of this score."""
    made = []
    for place in long.places(one.curve(way, main)):
        items = item_interval(one, way, place.x)
        if items and abs(items[0] - place.y) < CLOSE:
            place = place._replace(low=items[1], high=items[2])
        if place.x >= 1:
            made.append(place)
    return made


def _tables(panel: Panel, lines: Sequence[Line], way: str, most: int) -> Iterator[Table]:
    main, (heading, _, spoken) = name(lines), WAYS[way]
    lengths = long.common(lines, way, main)[:most]
    if not lengths:
        return
    columns = ("model", "seeds", *(spoken.format(words.count(n)) for n in lengths))
    last = (Cell("test items"), Cell(""), *(Cell(_items(lines, way, n)) for n in lengths))

    def table(what: str, cell: Callable[[Line, float], Cell]) -> Table:
        rows = [(long.head(one), Cell(words.count(one.seeds)), *(cell(one, n) for n in lengths)) for one in lines]
        caption = f"{panel.title}: {what}, {heading}"
        return Table(caption, columns, (*rows, last), quiet=1, numbers=long.numbered(columns))

    yield table(words.headed(main), lambda one, n: _cell(one, way, main, n))
    if any(_apart(one, way, main, n) for one in lines for n in lengths):
        yield table(f"mean {words.headed(main)} of single items", lambda one, n: _mean(one, way, main, n))


def _apart(one: Line, way: str, main: str, at: float) -> bool:
    """Whether the score is no mean over items."""
    values, items = one.curve(way, main).get(at), item_interval(one, way, at)
    return bool(values and items and abs(items[0] - values[0]) >= CLOSE)


def _cell(one: Line, way: str, main: str, at: float) -> Cell:
    """A score with its interval: over seeds, or over items where it is their mean."""
    values, items = one.curve(way, main).get(at, []), item_interval(one, way, at)
    if not values or items is None:
        return long.estimated(values, long.score(main), main)
    span = f"{words.number(items[1], main)} to {words.number(items[2], main)}"
    return Cell(words.number(values[0], main), note="" if _apart(one, way, main, at) else span)


def _mean(one: Line, way: str, main: str, at: float) -> Cell:
    """The mean over items, with its interval over items where there is one seed."""
    items = item_interval(one, way, at)
    if items is None:
        return long.estimated(one.curve(way, "mean").get(at, []), long.score(main), main)
    mean, low, high = (words.number(n, main) for n in items)
    return Cell(mean, note=f"{low} to {high}")


def _items(lines: Sequence[Line], way: str, at: float) -> str:
    """How many items were asked, where all were asked as many."""
    found = {n for one in lines for n in one.curve(way, "items").get(at, [])}
    return words.count(found.pop()) if len(found) == 1 else "–"


def _said(panel: Panel, lines: Sequence[Line], way: str) -> str:
    """Who is best and who is last at the longest, and how that compares with the shortest."""
    main, spoken = name(lines), WAYS[way][2]
    lengths = long.common(lines, way, main)
    whole = [n for n in lengths if _fewest(lines, way, n) >= ENOUGH] or lengths
    if len(whole) < 2:
        return ""
    first, last = whole[0], whole[-1]
    found = [(ys, one) for one in lines if (ys := one.curve(way, main).get(last))]
    found.sort(key=lambda pair: -long.mean(pair[0]))
    ends = [("highest", *found[0])] + ([("lowest", *found[-1])] if len(found) > 1 else [])
    write = long.united(main)
    said = [
        f"{one.the} scores {which}: {write(long.mean(ys))}{_sure(one, way, main, last)}"
        + (f", against {write(long.mean(before))} at {spoken.format(words.count(first))}" if before else "")
        for which, ys, one in ends
        for before in [one.curve(way, main).get(first)]
    ]
    few = f" (the longest part with {ENOUGH} items or more)" if last != lengths[-1] else ""
    made = "" if way == "words" else " made longer"
    return f"On {panel.said}, at {spoken.format(words.count(last))} of source{made}{few}, {'; '.join(said)}."


def _fewest(lines: Sequence[Line], way: str, at: float) -> float:
    """The smallest number of items that a model was asked there."""
    return min((n for one in lines for n in one.curve(way, "items").get(at, [])), default=0.0)


def _sure(one: Line, way: str, main: str, at: float) -> str:
    values, items = one.curve(way, main).get(at, []), item_interval(one, way, at)
    write = long.score(main)
    if one.seeds > 1:
        return long.sure(values, write, main)
    if items is None or abs(items[0] - values[0]) >= CLOSE:
        return " (one seed)"
    return f" (95 % interval over test items {write(items[1])} to {write(items[2])}; one seed)"
