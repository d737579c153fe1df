"""What the README says of two published runs beside each other: a table of their differences in quality."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.disk import whole
from bench.record import RESULTS
from reports import ReportError, words
from reports.compare import contrast, differences
from reports.compare.verdicts import OTHER, Difference
from reports.page.html import markdown

CLOSED = "<!-- /seqbench:differences -->"
OPENED = r"<!-- seqbench:differences ([a-z0-9-]+) ([a-z0-9-]+) -->"
BLOCK = re.compile(rf"{OPENED}((?:(?!<!-- seqbench:).)*?){CLOSED}", re.DOTALL)  # within a pair no other begins


def refreshed(readme: Path, into: Path) -> list[str]:
    """Writes each table that the README asks for between <!-- seqbench:differences FIRST SECOND --> and its end.

    A line for each that says so, or why it stays as it was: a run is not published, or the two have nothing in common.
    """
    text = readme.read_text("utf-8") if readme.is_file() else ""
    said = []

    def told(found: re.Match[str]) -> str:
        names = (found[1], found[2])
        try:
            body = _body(into, *names)
        except ReportError as error:
            said.append(f"{readme.name}: differences of {words.listed(names)} stay as they were: {error}")
            return found[0]
        said.append(f"{readme.name}: differences of {words.listed(names)}")
        return f"<!-- seqbench:differences {names[0]} {names[1]} -->\n\n{body}\n\n{CLOSED}"

    new = BLOCK.sub(told, text)
    if new != text:
        whole(readme, new.encode())
    return said


def named(readme: Path) -> set[str]:
    """Which runs the README sets beside one another."""
    text = readme.read_text("utf-8") if readme.is_file() else ""
    return {name for found in BLOCK.finditer(text) for name in found.groups()[:2]}


def _body(into: Path, first: str, second: str) -> str:
    if waiting := [name for name in (first, second) if not (into / name / RESULTS).is_file()]:
        raise ReportError(f"{words.listed(waiting)} not published")
    found = differences.differences(into / first, into / second)
    own = found.of("quality")
    if not own:
        raise ReportError("no scores in common")
    head = f"| task, score | model | {first} | {second} | difference, 95 % interval | verdict |"
    table = "\n".join([head, "|---|---|---:|---:|---:|---|", *map(_line, own)])
    return f"{table}\n\n{markdown(' '.join(_explained(found, own)))}"


def _line(one: Difference) -> str:
    score = f"{words.lowered(words.task(one.task))}, {words.headed(one.metric).replace(', %', ' %')}"
    named = [str(markdown(told)) for told in (score, one.name)]
    cells = (*named, contrast.amount(one.first, one), contrast.amount(one.second, one), _change(one), one.verdict)
    return "| " + " | ".join(cells) + " |"


def _change(one: Difference) -> str:
    if one.low is None or one.high is None:
        return contrast.change(one)
    return f"{contrast.change(one)} [{contrast.within(one).replace(' to ', ', ')}]"


def _explained(found: differences.Differences, own: Sequence[Difference]) -> Iterator[str]:
    """What the numbers are: which way round, over what, corrected for how many, and what is not alike."""
    items = {re.sub(r"[\d,]+ test items", "test items", one.over) for one in own if one.over}  # tasks have their own
    overs = f", with intervals over {words.listed(sorted(items), 'or')}" if items else ""
    yield f"A difference is {found.runs[1]} minus {found.runs[0]}{overs};"
    tests = sum(one.p is not None for one in own)
    yield f"verdicts corrected by Holm over {words.plural(tests, 'test')}." if tests else "nothing was tested."
    notes = dict.fromkeys(note for one in own if one.verdict == OTHER for note in one.notes)
    if notes:
        yield f"Not compared: {words.several([*notes], most=2)}."
