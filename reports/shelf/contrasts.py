"""What the README says of two published runs beside each other: a table of their differences in quality."""

from __future__ import annotations

import re
from pathlib import Path

from bench.disk import whole
from bench.record import RESULTS
from reports import words
from reports.compare import contrast, differences
from reports.compare.verdicts import Difference
from reports.page.html import markdown

CLOSED = "<!-- /seqbench:differences -->"
OPENED = r"<!-- seqbench:differences ([a-z0-9-]+) ([a-z0-9-]+) -->"
BLOCK = re.compile(rf"{OPENED}((?:(?!<!-- seqbench:).)*){CLOSED}", re.DOTALL)  # within a pair no other begins


def refreshed(readme: Path, into: Path) -> list[str]:
    """Writes each table that the README asks for between <!-- seqbench:differences FIRST SECOND --> and its end.

    A line that says so for each; one of whose runs is not published stays as it is. Raises ReportError and RecordError.
    """
    text = readme.read_text("utf-8") if readme.is_file() else ""
    said = []

    def told(found: re.Match[str]) -> str:
        names = (found[1], found[2])
        if waiting := [name for name in names if not (into / name / RESULTS).is_file()]:
            said.append(f"{readme.name}: {words.listed(waiting)} not published, so the differences stay as they were")
            return found[0]
        said.append(f"{readme.name}: differences of {words.listed(names)}")
        return f"<!-- seqbench:differences {names[0]} {names[1]} -->\n\n{_table(into, *names)}\n{CLOSED}"

    new = BLOCK.sub(told, text)
    if new != text:
        whole(readme, new.encode())
    return said


def named(readme: Path) -> set[str]:
    """Which runs the README sets beside one another."""
    text = readme.read_text("utf-8") if readme.is_file() else ""
    return {name for found in BLOCK.finditer(text) for name in found.groups()[:2]}


def _table(into: Path, first: str, second: str) -> str:
    found = differences.differences(into / first, into / second)
    lines = (_line(one) for one in found.of("quality"))
    head = f"| task, score | model | {first} | {second} | difference, 95 % interval | verdict |"
    return "\n".join([head, "|---|---|---:|---:|---:|---|", *lines, ""])


def _line(one: Difference) -> str:
    score = f"{words.lowered(words.task(one.task))}, {words.headed(one.metric).replace(', %', ' %')}"
    named = [str(markdown(told)) for told in (score, one.name)]
    cells = (*named, contrast.amount(one.first, one), contrast.amount(one.second, one), _change(one), one.verdict)
    return "| " + " | ".join(cells) + " |"


def _change(one: Difference) -> str:
    span = contrast.within(one)
    return contrast.change(one) if one.low is None else f"{contrast.change(one)} [{span.replace(' to ', ', ')}]"
