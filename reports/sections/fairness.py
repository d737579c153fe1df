"""Is a comparison fair? A checklist over every row that a table compares: kept, broken, or not told by the rows.

Older rows do not hold everything; what nobody wrote down is "not told", never taken for equal.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from reports import words
from reports.parts import Cell, Section, Table
from reports.rows.settings import base
from reports.rows.stored import Row, Stored, finished
from reports.scores.checklist import BROKEN, KEPT, UNTOLD, Item
from reports.scores.checks import checklist
from reports.scores.tables import Line
from reports.words import slug

ANCHOR = "fairness"
TITLE = "Fairness checklist"
EXPLAINED = (
    "A comparison says something about models only where all else is equal. For each task, what was equal for every "
    "model in its table (kept), what was not (broken, with the values), and what the rows do not say (not told)."
)
MARKS = {KEPT: ("✓", "var(--good)"), BROKEN: ("✗", "var(--warn)"), UNTOLD: ("?", "var(--muted)")}
Lists = Mapping[str, Sequence["Item"]]  # by task


def unnumbered(stored: Stored, tasks: Iterable[str]) -> list[Row]:
    """Trials of models on these tasks that gave no number; one that does not say on which part counts for each."""
    own = {*tasks}
    either = own | {base(task) for task in own}
    return [row for row in stored.trials if not finished(row) and row.result.task in either]


def face(items: Iterable[Item]) -> str:
    """ "Not equal here: parameters (1.1 to 3.9 million), tuning."; empty where nothing is broken."""
    unlike = [item.brief for item in items if item.state == BROKEN and item.brief]
    return f"Not equal here: {', '.join(unlike)}." if unlike else ""


def counted(items: Sequence[Item]) -> str:
    """ "12 kept, 3 broken, 2 not told"."""
    return ", ".join(f"{sum(item.state == state for item in items)} {state}" for state in (KEPT, BROKEN, UNTOLD))


def compares(lines: Sequence[Line], failed: Sequence[Row]) -> bool:
    """Whether anything is compared: two models, or one and some that gave no number."""
    models = sum(line.kind == "model" for line in lines)
    return models > 1 or (models == 1 and bool(failed))


def checklists(stored: Stored, found: Mapping[str, Sequence[Line]]) -> dict[str, list[Item]]:
    """The checklist of every task whose table compares something."""
    failed = {task: unnumbered(stored, [task]) for task in found}
    return {task: checklist(own, failed[task]) for task, own in found.items() if compares(own, failed[task])}


def sections(lists: Lists) -> list[Section | None]:
    """The checklist as a table a task."""
    return [Section(f"{words.task(t)}: {counted(items)}", tables=(_table(t, items),)) for t, items in lists.items()]


def noted(table: Table, task: str, items: Sequence[Item] | None) -> Table:
    """The table with a note under it that says what was not equal and leads to the checklist."""
    said = face(items or ())
    if not said:
        return table
    return dataclasses.replace(table, note=f"{table.note} {said}".strip(), link=(_anchor(task), TITLE))


def overview(table: Table, lists: Lists) -> Table:
    """The table of all tasks with a note under it that names what was not equal in some."""
    broken = (item for items in lists.values() for item in items if item.state == BROKEN and item.brief)
    unlike = dict.fromkeys(item.brief.partition(" (")[0] for item in broken)
    if not unlike:
        return table
    said = f"In some tasks not all was equal: {', '.join(unlike)}."
    return dataclasses.replace(table, note=f"{table.note} {said}".strip(), link=(ANCHOR, TITLE))


def _anchor(task: str) -> str:
    return f"{ANCHOR}-{slug(task)}"


def _table(task: str, items: Sequence[Item]) -> Table:
    rows = tuple(
        (Cell(item.name, mark=MARKS[item.state][0], colour=MARKS[item.state][1]), _state(item), Cell(item.said))
        for item in items
    )
    head, caption = ("what should be equal", "", "what the rows say"), f"{words.task(task)}: was it a fair comparison?"
    return Table(caption, head, rows, numbers=(False,) * 3, anchor=_anchor(task))


def _state(item: Item) -> Cell:
    return Cell(item.state, strong=item.state == BROKEN)


def as_plain(items: Iterable[Item]) -> list[dict[str, str | bool]]:
    """The checklist for JSON."""
    return [{"name": i.name, "state": i.state, "said": i.said, "unfair": i.unfair, "mend": i.mend} for i in items]


def texts(items: Sequence[Item]) -> Iterator[str]:
    """The checklist as lines of text."""
    width = max((len(item.name) for item in items), default=0)
    for item in items:
        yield f"  {MARKS[item.state][0]} {item.state:8}  {item.name:{width}}  {item.said}"


def broken(items: Iterable[Item]) -> Item | None:
    """The first item that makes a comparison unfair."""
    return next((item for item in items if item.unfair), None)
