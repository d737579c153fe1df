"""What a figure draws, read back from it: its series, their points, and the table that stands under it.

Read from the finished figure rather than told by whoever draws it: so no figure is without a table, and the table
cannot say anything but what is drawn. A series is named by the legend, by the label of its row, or by the note beside
its point; what has none of these (a level that counts, a guide to the eye) is no series.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection, LineCollection, PolyCollection, QuadMesh
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation

from reports import words
from reports.figures.style import INTERVAL, KIND
from reports.magnitude import magnitude
from reports.parts import Cell, Table

MOST = 120  # rows of the table under one figure
SEED, RING = "one seed", "ringed"


@dataclasses.dataclass(frozen=True)
class Mark:
    """A point: where it stands, and how far its interval reaches."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclasses.dataclass
class Strand:
    """One line of a series, or its loose points; `kind` tells it from the others of its series."""

    kind: str
    artist: Artist
    marks: list[Mark]


@dataclasses.dataclass
class Series:
    """Everything drawn of one name; each of its artists carries `gid`, as do its line and words in the legend."""

    name: str
    colour: str
    gid: str
    strands: list[Strand] = dataclasses.field(default_factory=list)
    artists: list[Artist] = dataclasses.field(default_factory=list)

    def take(self, artist: Artist) -> None:
        """Counts the artist among its own."""
        artist.set_gid(self.gid)
        self.artists.append(artist)


@dataclasses.dataclass(frozen=True)
class Read:
    """What was found in a figure; `rows` are its axes along y where that is one of names, `across` says so."""

    series: tuple[Series, ...]
    head: tuple[str, ...]  # of x and of y
    grids: tuple[tuple[str, ...], ...] = ()  # a table that is no list of points: heat maps, pictures, bars
    columns: tuple[str, ...] = ()


def read(figure: Figure) -> Read:
    """The series of a figure, which are marked by this: each artist with the `gid` of its series."""
    axes = figure.axes[0] if figure.axes else None
    if axes is None:
        return Read((), ("", ""))
    if any(axes.images for axes in figure.axes):
        return Read((), ("", ""), tuple(_pictured(figure.axes)), _numbered(figure.axes))
    meshes = [(one, c) for one in figure.axes for c in one.collections if isinstance(c, QuadMesh)]
    if len(meshes) > 1:
        wide = max(np.asarray(mesh.get_array()).shape[1] for _, mesh in meshes)
        return Read((), ("", ""), tuple(_heats(meshes)), ("head", "row", *(f"column {n + 1}" for n in range(wide))))
    if meshes:
        return Read((), ("", ""), tuple(_heat(*meshes[0])), ("written", *_labels(axes.xaxis)))
    bars = [c for c in axes.containers if isinstance(c, BarContainer)]
    if bars:
        found = _bars(bars)
        return Read(found, ("", ""), tuple(_stacked(axes, bars)), ("", *(str(b.get_label()) for b in bars)))
    if len(figure.axes) > 1 and _rows(axes):
        return Read(_panelled(figure.axes), ("", ""))
    found = _listed(axes) or _labelled(figure, axes) or _noted(axes)
    return Read(found, (axes.get_xlabel() or "across", axes.get_ylabel()))


def _children(axes: Axes) -> list[Artist]:
    """Lines, areas and points in the order in which they were drawn."""
    return [c for c in axes.get_children() if isinstance(c, Line2D | Collection)]


def _colour(artist: Artist) -> str:
    told: Any = artist.get_color() if isinstance(artist, Line2D) else _first(artist)
    return to_hex(told) if told is not None else ""


def _first(artist: Any) -> Any:
    found = artist.get_edgecolor() if isinstance(artist, LineCollection) else artist.get_facecolor()
    return found[0] if len(found) else None


def _points(line: Line2D) -> list[tuple[float, float]]:
    x, y = (np.asarray(v, dtype=float).ravel() for v in (line.get_xdata(), line.get_ydata()))
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True) if np.isfinite(a) and np.isfinite(b)]


def _marked(line: Line2D) -> bool:
    return line.get_marker() not in (None, "None", "none", "", " ")


def _kind(line: Line2D) -> str:
    """What whoever drew it says that a line is among those of its series."""
    label = str(line.get_label())
    return label.removeprefix(KIND) if label.startswith(KIND) else ""


# Rows with a name each: bars and their ends


def _rows(axes: Axes) -> dict[float, str]:
    """Where along y which name stands; nothing where the axis is one of numbers."""
    names = {at: name for at, name in zip(axes.get_yticks(), _labels(axes.yaxis), strict=False) if name}
    return {} if axes.get_ylabel() or all(magnitude(name) is not None for name in names.values()) else names


def _listed(axes: Axes) -> tuple[Series, ...]:
    """Points of an axis whose places have names."""
    names = _rows(axes)
    found = [Series(name, "", f"series-{n}") for n, name in enumerate(names.values())]
    _placed(axes, dict(zip(names, found, strict=True)))
    return tuple(found)


def _panelled(panels: Sequence[Axes]) -> tuple[Series, ...]:
    """Rows of panels with names at their left alone: of one name one series, over all rows and panels.

    The first row has the headings of all columns; the first panel of each row tells what the row is of.
    """
    found: dict[tuple[str, int], Series] = {}
    heads: dict[int, str] = {}
    own: dict[float, Series] = {}
    row = ""
    for axes in panels:
        place, title = axes.get_subplotspec(), " ".join(_title(axes).split())
        column = place.colspan.start if place else 0
        if not column:
            row, own = title, _of_one_name(_rows(axes), found)
        _placed(axes, own, f"{row.rpartition(': ')[0]}, {heads.setdefault(column, title)}" if column else row)
    return tuple(found.values())


def _of_one_name(names: dict[float, str], found: dict[tuple[str, int], Series]) -> dict[float, Series]:
    """The series of each place; of two places with one name each has its own."""
    times = Counter[str]()
    own = {}
    for at, name in names.items():
        own[at] = found.setdefault((name, times[name]), Series(name, "", f"series-{len(found)}"))
        times[name] += 1
    return own


def _placed(axes: Axes, at: dict[float, Series], kind: str = "") -> None:
    """Gives each series what is drawn at its place along y; a line that is labelled so is an interval."""
    lines = [c for c in _children(axes) if isinstance(c, Line2D)]
    spans = {y: x for c in lines if c.get_label() == INTERVAL and (x := _level(c)) for y in [_points(c)[0][1]]}
    for line in lines:
        places = _points(line)
        own = at.get(places[-1][1]) if places else None
        if own is None:
            continue
        own.take(line)
        if _marked(line):
            own.strands.append(Strand(kind or _kind(line), line, [_reaching(x, y, spans.get(y), x) for x, y in places]))


def _reaching(x: float, y: float, span: tuple[float, ...] | None, value: float) -> Mark:
    """A point with its interval; without one where nothing reaches from one side of it to the other."""
    return Mark(x, y, *span) if span and span[0] <= value <= span[1] and span[0] < span[1] else Mark(x, y)


def _level(line: Line2D) -> tuple[float, float] | None:
    """The two ends of a level line."""
    found = _points(line)
    return (found[0][0], found[1][0]) if len(found) == 2 and found[0][1] == found[1][1] and not _marked(line) else None


# Lines with a legend


def _labelled(figure: Figure, axes: Axes) -> tuple[Series, ...]:
    """Lines that the legend names, with whatever else has their colour and comes after them."""
    children = _children(axes)
    named = [c for c in children if (label := str(c.get_label())) and not label.startswith("_")]
    if not named:
        return ()
    found = [Series(str(c.get_label()), _colour(c), f"series-{n}") for n, c in enumerate(named)]
    kinds = _kinds(figure, [one.name for one in found])
    owner: dict[str, Series] = {}
    for colour in {one.colour for one in found}:
        owner[colour] = next(one for one in found if one.colour == colour)
    for child in children:
        if child in named:
            owner[_colour(child)] = found[named.index(child)]
        if own := owner.get(_colour(child)):
            own.take(child)
            _strand(own, child, kinds)
    _keyed(figure, found)
    for own in found:
        _spread(own)
    return tuple(found)


def _kinds(figure: Figure, names: Sequence[str]) -> dict[str, str]:
    """How a line is drawn -> what that stands for, where the legend tells of it: dashed "at the start"."""
    entries = [
        (handle, text.get_text())
        for legend in figure.legends
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True)
    ]
    return {str(h.get_linestyle()): told for h, told in entries if isinstance(h, Line2D) and told not in names}


def _strand(own: Series, child: Artist, kinds: dict[str, str]) -> None:
    if isinstance(child, Line2D) and (places := _points(child)):
        loose = child.get_linestyle() in ("None", "none", "", " ")
        kind = _kind(child) or kinds.get(str(child.get_linestyle()), "")
        if loose and own.strands and not _kind(child):
            kind = RING if child.get_markerfacecolor() == "none" else SEED
        own.strands.append(Strand(kind, child, [Mark(x, y) for x, y in places]))


def _spread(own: Series) -> None:
    """Gives the points of the first line the ends of what is drawn upright through them; numbers lines alike."""
    ends: dict[float, tuple[float, float]] = {}
    for artist in own.artists:
        for x, low, high in _upright(artist):
            ends[x] = (low, high)
    for strand in [s for s in own.strands if s.kind not in (SEED, RING)][:1]:
        strand.marks = [_reaching(m.x, m.y, ends.get(m.x), m.y) for m in strand.marks]
    same = [strand for strand in own.strands if not strand.kind]
    for n, strand in enumerate(same if len(same) > 1 else [], 1):
        strand.kind = f"line {n}"


def _upright(artist: Artist) -> Iterator[tuple[float, float, float]]:
    """Where upright lines, or an area, stand and how far they reach."""
    if not isinstance(artist, LineCollection | PolyCollection):
        return
    found: dict[float, list[float]] = {}
    for path in artist.get_paths():
        for x, y in np.asarray(path.vertices, dtype=float):
            found.setdefault(float(x), []).append(float(y))
    yield from ((x, min(y), max(y)) for x, y in found.items())


def _keyed(figure: Figure, found: Sequence[Series]) -> None:
    """Marks the entries of the legend, by which a series can be hidden."""
    for legend in figure.legends:
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
            own = next((one for one in found if one.name == text.get_text()), None)
            if own and handle is not None:
                handle.set_gid(own.gid.replace("series", "key"))
                text.set_gid(own.gid.replace("series", "key"))


# Points with a note beside each


def _noted(axes: Axes) -> tuple[Series, ...]:
    """Points that a note names; an upright line through one is its interval."""
    notes = [child for child in axes.get_children() if isinstance(child, Annotation)]
    names = {tuple(map(float, note.xy)): note for note in notes}
    lines = [child for child in _children(axes) if isinstance(child, Line2D)]
    found: list[Series] = []
    for line in lines:
        places = _points(line)
        if len(places) == 1 and places[0] in names:
            own = Series(names[places[0]].get_text(), _colour(line), f"series-{len(found)}")
            for artist in (line, names[places[0]]):
                own.take(artist)
            span = _through(own, places[0][0], lines)
            own.strands.append(Strand("", line, [_reaching(*places[0], span, places[0][1])]))
            found.append(own)
    return tuple(found)


def _through(own: Series, x: float, lines: Iterable[Line2D]) -> tuple[float, float] | None:
    for line in lines:
        places = _points(line)
        if len(places) == 2 and {at for at, _ in places} == {x} and _colour(line) == own.colour and not _marked(line):
            own.take(line)
            return places[0][1], places[1][1]
    return None


# Bars, heat maps and pictures


def _bars(containers: Sequence[BarContainer]) -> tuple[Series, ...]:
    found = []
    for n, container in enumerate(containers):
        own = Series(str(container.get_label()), "", f"series-{n}")
        for patch in container:
            own.take(patch)
        found.append(own)
    return tuple(found)


def _stacked(axes: Axes, containers: Sequence[BarContainer]) -> Iterator[tuple[str, ...]]:
    for row, name in enumerate(_labels(axes.yaxis)):
        yield name, *(_said(bars.patches[row].get_width()) for bars in containers)


def _heat(axes: Axes, mesh: QuadMesh) -> Iterator[tuple[str, ...]]:
    weights = np.asarray(mesh.get_array(), dtype=float)
    for name, row in zip(_labels(axes.yaxis), weights, strict=False):
        yield name, *(f"{weight:.2f}" for weight in row)


def _heats(meshes: Sequence[tuple[Axes, QuadMesh]]) -> Iterator[tuple[str, ...]]:
    """Of several maps each row under the title of its own."""
    for axes, mesh in meshes:
        for place, row in enumerate(np.asarray(mesh.get_array(), dtype=float), 1):
            yield _title(axes), str(place), *(f"{weight:.2f}" for weight in row)


def _pictured(axes: Sequence[Axes]) -> Iterator[tuple[str, ...]]:
    """What lies over each picture, row by row: how strongly it is coloured, in percent of the strongest place."""
    for one in axes:
        veil = np.asarray(one.images[-1].get_array(), dtype=float) if one.images else np.zeros((0, 0, 4))
        shares = veil[..., 3] / max(float(veil[..., 3].max(initial=0.0)), 1e-9)
        for place, row in enumerate(shares, 1):
            yield _title(one), str(place), *(f"{100 * share:.0f}" for share in row)


def _numbered(axes: Sequence[Axes]) -> tuple[str, ...]:
    wide = max(np.asarray(one.images[-1].get_array()).shape[1] for one in axes if one.images)
    return ("written", "row", *(f"column {n}, %" for n in range(1, wide + 1)))


def _title(axes: Axes) -> str:
    """Our figures have theirs at the left, those over pictures in the middle."""
    return axes.get_title(loc="left") or axes.get_title(loc="center")


def _labels(axis: Any) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


# The table under a figure


def table(found: Read, caption: str) -> Table | None:
    """Every series with its points; of many points some, evenly over each line, which the note then says."""
    if found.grids:
        rows = tuple(tuple(Cell(text) for text in row) for row in found.grids[:MOST])
        plain = len(found.columns) - len(found.columns[1:])
        return Table(caption, found.columns, rows, numbers=(*[False] * plain, *[True] * (len(found.columns) - plain)))
    strands = [(one, strand) for one in found.series for strand in one.strands]
    if not strands:
        return None
    total = sum(len(strand.marks) for _, strand in strands)
    room = max(MOST // len(strands), 2) if total > MOST else total
    listed = any(one.name and found.head[1] == "" for one in found.series)
    kinds, spans = any(s.kind for _, s in strands), any(m.low is not None for _, s in strands for m in s.marks)
    head = ("series", *(["line"] if kinds else []), found.head[0] or "value", *([] if listed else [found.head[1]]))
    rows = tuple(
        _row(one, strand, mark, kinds, listed, spans) for one, strand in strands for mark in some(strand.marks, room)
    )
    head += ("from", "to") if spans else ()
    numbers = tuple(place > kinds for place in range(len(head)))
    left_out = total - len(rows)
    note = f"{words.plural(left_out, 'point')} of {total:,} left out, evenly along each line." if left_out else ""
    return Table(caption, head, rows, numbers=numbers, note=note)


def _row(one: Series, strand: Strand, mark: Mark, kinds: bool, listed: bool, spans: bool) -> tuple[Cell, ...]:
    numbers = [mark.x] if listed else [mark.x, mark.y]
    ends = [mark.low, mark.high] if spans else []
    kind = [Cell(strand.kind)] if kinds else []
    return (Cell(one.name), *kind, *(Cell(_said(n)) for n in (*numbers, *ends)))


def some(marks: Sequence[Mark], room: int) -> list[Mark]:
    """At most so many, evenly from the first to the last."""
    if len(marks) <= room:
        return [*marks]
    return [marks[round(place)] for place in np.linspace(0, len(marks) - 1, room)]


def _said(value: float | None) -> str:
    whole = value is not None and value == round(value) and abs(value) < 1e15
    return words.count(value) if whole else words.significant(value, 4)


def told(found: Read, one: Series, strand: Strand, mark: Mark) -> str:
    """A point in words: "LSTM, one seed: BLEU 31.2 (30.1 to 32.4), updates 600"."""
    x, y = found.head
    ends = f" ({_said(mark.low)} to {_said(mark.high)})" if mark.low is not None else ""
    name = ", ".join(text for text in (one.name, strand.kind) if text)
    if not x:
        return f"{name} {_said(mark.x)}{ends}"
    return f"{name}: {y} {_said(mark.y)}{ends}, {x} {_said(mark.x)}" if y else f"{name}: {_said(mark.x)}{ends}, {x}"


def marks(found: Read) -> Iterator[tuple[Series, Strand, Mark]]:
    """Every point, in the order of the table."""
    yield from itertools.chain.from_iterable(
        ((one, strand, mark) for mark in strand.marks) for one in found.series for strand in one.strands
    )
