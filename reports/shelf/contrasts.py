"""What the README says of two published runs beside each other: a table of their differences in quality."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from reports import ReportError, words
from reports.compare import contrast, differences
from reports.compare.verdicts import OTHER, Difference
from reports.page.html import markdown
from reports.shelf.blocks import Kind


def body(first: Path, second: Path) -> str:
    """Their differences in quality, a line each, and what the numbers are. Raises ReportError where there is none."""
    found = differences.differences(first, second)
    own = found.of("quality")
    if not own:
        raise ReportError("no scores in common")
    head = f"| task, score | model | {first.name} | {second.name} | difference, 95 % interval | verdict |"
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


KIND = Kind("differences", 2, body)
