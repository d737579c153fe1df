"""What a page is made of: cells, tables, drawings and sections, each a plain value."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TypeVar

from matplotlib.figure import Figure

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell of a table; the mark and its colour are the model's in every figure."""

    text: str
    note: str = ""
    strong: bool = False
    mark: str = ""
    colour: str = ""
    warning: str = ""
    value: float | None = None  # what it is sorted by, where its text says that in fewer digits
    tip: str = ""  # what stands behind it, told on hover, focus and touch
    link: str = ""  # anchor of the row that it was made of
    anchor: str = ""  # by which a link finds the row that starts here


@dataclasses.dataclass(frozen=True)
class Table:
    """A table with a caption; `numbers` are the columns aligned to the right, `quiet` the rows set back (floors)."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    quiet: int = 0  # that many of the last rows
    numbers: tuple[bool, ...] = ()
    note: str = ""  # under it: what it does not show
    anchor: str = ""  # by which a link finds it
    link: tuple[str, str] = ("", "")  # at the end of the note: anchor, words
    prose: bool = False  # its cells hold sentences, which wrap


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A figure, the name of its file, what it shows in words, and the line under it.

    `data` is the table under it, by default what `reports.figures.series` reads from the figure; `behind` tells of a
    series by its name what its points cannot: over how many seeds, say.
    """

    figure: Figure
    name: str
    alt: str
    caption: str
    data: Table | None = None
    behind: tuple[tuple[str, str], ...] = ()
    wide: bool = False  # over the whole width of the page


@dataclasses.dataclass(frozen=True)
class Shown:
    """A sample item as text, and its picture as a data URI and as the name of a file."""

    why: str
    item: int
    source: str | None
    picture: str | None
    file: str
    reference: str
    answers: tuple[tuple[Cell, str, str], ...]  # model, answer, score
    metric: str


@dataclasses.dataclass(frozen=True)
class Output:
    """The last lines that a trial printed, folded away under its name."""

    title: str
    lines: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Section:
    """What one task contributes to one part of the page."""

    title: str
    drawings: tuple[Drawing, ...] = ()
    tables: tuple[Table, ...] = ()
    samples: tuple[Shown, ...] = ()
    outputs: tuple[Output, ...] = ()
    note: str = ""
    explained: str = ""
    said: tuple[str, ...] = ()  # sentences that stand before the figures
    anchor: str = ""  # by which a link finds its heading


@dataclasses.dataclass(frozen=True)
class Page:
    """The whole report, in the order in which it is read."""

    title: str
    facts: str
    verdicts: tuple[tuple[str, str], ...]  # task, sentences
    caveats: tuple[str, ...]
    drawings: tuple[Drawing, ...]  # at a glance
    glance: Table | None
    parts: tuple[tuple[str, str, str, tuple[Section, ...]], ...]  # anchor, title, explanation, sections
    csv: str  # every trial; empty where there are too many to carry inside a page
    explained: str  # of the first figures
    offers: str = ""  # anchor of the part that offers the CSV where nothing stands at a glance


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much of each sort a page shows; what it leaves out is said beside it."""

    tasks: int
    lines: int  # models in their configurations, a task
    floors: int  # a task
    seeds: int  # curves a line
    answers: int  # models whose answers stand side by side
    attention: int  # figures a task
    failures: int
    commands: int
    columns: int = 24  # of a table in detail
    facts: int = 60  # about machines, and signatures


MANY = 2000  # rows above which a page holds aggregates
USUAL = Limits(tasks=24, lines=60, floors=24, seeds=50, answers=60, attention=24, failures=MANY, commands=MANY)
SNUG = Limits(tasks=24, lines=30, floors=16, seeds=20, answers=20, attention=10, failures=500, commands=MANY)
TIGHT = Limits(tasks=9, lines=15, floors=12, seeds=5, answers=8, attention=4, failures=100, commands=100)


def limits(rows: int) -> Limits:
    """How much a page shows of so many rows."""
    return USUAL if rows <= MANY else TIGHT


def less(rows: int) -> tuple[Limits, ...]:
    """What a page of so many rows that became too large shows instead, step by step."""
    return (SNUG, TIGHT) if limits(rows) is USUAL else ()


def first(items: Iterable[T], most: int, of: int, what: str) -> tuple[list[T], str]:
    """The first items, and a sentence that says so where there are more."""
    shown = list(islice(items, most))
    return shown, f"Showing the first {len(shown):,} of {of:,} {what}." if of > len(shown) else ""


class Names:
    """Names of figures and pictures, no two alike: they are identifiers in the page and files beside it."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def own(self, name: str) -> str:
        """The name, numbered where it is taken."""
        chosen, number = name, 1
        while chosen in self.taken:
            number += 1
            chosen = f"{name}-{number}"
        self.taken.add(chosen)
        return chosen

    def drawings(self, drawn: Sequence[Drawing]) -> tuple[Drawing, ...]:
        """The drawings, each with a name of its own."""
        return tuple(dataclasses.replace(d, name=self.own(d.name)) for d in drawn)

    def section(self, section: Section) -> Section:
        """The section, each drawing and picture in it with a name of its own."""
        samples = tuple(dataclasses.replace(s, file=self.own(s.file)) for s in section.samples)
        return dataclasses.replace(section, drawings=self.drawings(section.drawings), samples=samples)
