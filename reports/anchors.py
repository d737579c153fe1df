"""Where links lead: an anchor for every table, heading and stored row, the same as long as its name is."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from reports import words
from reports.parts import Cell, Drawing, Names, Page, Section, Table
from reports.rows.settings import described
from reports.rows.stored import Row


def row(of: Row) -> str:
    """The anchor of a stored trial: it follows from the trial, not from its place on the page."""
    r = of.result
    return f"row-{_checksum(r.id, r.probe, r.model, r.task, r.seed, r.command)}"


def settings(of: Row) -> str:
    """The anchor of the settings that a trial ran under, the same for its seeds."""
    r = of.result
    return f"settings-{_checksum(r.model, r.task, described(r))}"


def _checksum(*told: Any) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]


def anchored(page: Page) -> Page:
    """The page with an anchor at every heading and table; links that lead nowhere are left out."""
    names = Names()
    names.taken = {"summary", "glance", *(anchor for anchor, *_ in page.parts), *(d.name for d in drawings(page))}
    glance = page.glance and _table(page.glance, names, "table-glance")
    parts = tuple(
        (anchor, title, told, tuple(_section(one, names, anchor) for one in sections))
        for anchor, title, told, sections in page.parts
    )
    made = dataclasses.replace(page, glance=glance, parts=parts)
    known = _known(made)
    glance = glance and _linked(glance, known)
    parts = tuple((*told, tuple(_bound(one, known) for one in sections)) for *told, sections in parts)  # type: ignore[misc]
    return dataclasses.replace(made, glance=glance, parts=parts)


def _section(section: Section, names: Names, part: str) -> Section:
    own = f"{part}-{words.slug(section.title)}" if section.title else part
    anchor = section.anchor or (names.own(own) if section.title else "")
    own_tables = tuple(_table(table, names, f"table-{own}") for table in section.tables)
    return dataclasses.replace(section, anchor=anchor, tables=own_tables)


def _table(table: Table, names: Names, name: str) -> Table:
    """The table under its own anchor or a new one; of two rows with one anchor the first keeps it."""
    anchor = table.anchor or names.own(name)
    rows = tuple(tuple(_once(cell, names) if cell.anchor else cell for cell in line) for line in table.rows)
    return dataclasses.replace(table, anchor=anchor, rows=rows)


def _once(cell: Cell, names: Names) -> Cell:
    free = cell.anchor not in names.taken
    names.taken.add(cell.anchor)
    return cell if free else dataclasses.replace(cell, anchor="")


def drawings(page: Page) -> Iterator[Drawing]:
    """Every figure of a page, in order."""
    yield from page.drawings
    for *_, sections in page.parts:
        for section in sections:
            yield from section.drawings


def tables(page: Page) -> Iterator[Table]:
    """Every table of a page, in order."""
    if page.glance:
        yield page.glance
    for *_, sections in page.parts:
        for section in sections:
            yield from section.tables


def _known(page: Page) -> set[str]:
    """Every anchor that a link may name."""
    cells = {cell.anchor for table in tables(page) for line in table.rows for cell in line if cell.anchor}
    parts = {anchor for anchor, *_ in page.parts}
    return cells | parts | {section.anchor for *_, sections in page.parts for section in sections} - {""}


def _bound(section: Section, known: set[str]) -> Section:
    return dataclasses.replace(section, tables=tuple(_linked(table, known) for table in section.tables))


def _linked(table: Table, known: set[str]) -> Table:
    rows = tuple(
        tuple(dataclasses.replace(c, link="") if c.link and c.link not in known else c for c in line)
        for line in table.rows
    )
    return dataclasses.replace(table, rows=rows)
