"""Two runs cell by cell: what differs between their machines and settings, and then by how much their numbers differ.

A cell is a model on a task that both measured. Where both hold the same data, seeds and test items, it is the
differences themselves that are averaged: whatever both share cancels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from reports import ReportError, words
from reports.compare.cells import Cell, cells, matched
from reports.compare.environments import Fact, facts
from reports.compare.gaps import scored
from reports.compare.paces import paced
from reports.compare.repeats import Repeats, repeats
from reports.compare.verdicts import KINDS, OTHER, Difference, Kind, judged
from reports.rows.stored import Stored, gather


@dataclasses.dataclass(frozen=True)
class Differences:
    """All that differs between two runs, environments first."""

    runs: tuple[str, str]
    facts: Sequence[Fact]
    found: Sequence[Difference]
    alone: tuple[Sequence[str], Sequence[str]]  # cells that only the first, only the second holds
    repeated: Repeats  # trials that both hold under one identity

    def of(self, *kinds: Kind) -> list[Difference]:
        """The differences of some kinds."""
        return [one for one in self.found if one.kind in kinds]


def differences(first: Path, second: Path, task: str = "", metric: str = "", strict: bool = False) -> Differences:
    """Compares two runs cell by cell, on all tasks or one.

    With `strict` a cell that both hold and that cannot be compared is an error too. Raises ReportError and RecordError.
    """
    from reports.compare.compare import measured

    runs = [measured(gather([Path(run)]), metric) for run in (first, second)]
    pairs = [(a, b) for a, b in matched(*map(cells, runs)) if _asked(a or b, task)]
    both = [(a, b) for a, b in pairs if a and b]
    names = _names(Path(first), Path(second))
    if not both:
        raise ReportError(_nothing(names, task, runs))
    tried = [t for a, b in both for t in (*scored(a, b), *paced(a, b))]
    found = [one for kind in KINDS for one in judged(t for t in tried if t.told.kind == kind)]
    if strict:
        _demand(found, names)
    alone = [a.said for a, b in pairs if a and not b], [b.said for a, b in pairs if b and not a]
    return Differences(names, facts(*runs), found, alone, repeats(*runs))


def shared(first: Path, second: Path) -> bool:
    """Whether both runs measured some model on the same task. Raises ReportError and RecordError."""
    one, other = ({cell.key for cell in cells(gather([Path(run)]))} for run in (first, second))
    return bool(one & other)


def _names(first: Path, second: Path) -> tuple[str, str]:
    """Names of the folders; with that of the folder above where both are called alike."""
    one, other = first.resolve(), second.resolve()
    told = [words.clean(path.name) for path in (one, other)]
    if told[0] == told[1]:
        told = [words.clean(f"{path.parent.name}/{path.name}") for path in (one, other)]
    return (told[0], told[1]) if told[0] != told[1] else (f"{told[0]} (first)", f"{told[1]} (second)")


def _nothing(names: tuple[str, str], task: str, runs: Sequence[Stored]) -> str:
    if task:
        tasks = dict.fromkeys(cell.task for run in runs for cell in cells(run))
        known = words.several([repr(words.clean(one)) for one in tasks], "or", most=12) or "none"
        return f"--task {words.clean(task)}: the two runs do not share such a task; expected {known}"
    return (
        f"{names[0]} and {names[1]} have no model and task in common; "
        "`seqbench compare --together` ranks the models of both"
    )


def _demand(found: Iterable[Difference], names: tuple[str, str]) -> None:
    for one in found:
        if one.verdict == OTHER or (one.kind == "quality" and one.notes):
            said = words.several(one.notes) or "no interval"
            raise ReportError(
                f"{one.name} on {words.lowered(words.task(one.task))} cannot be compared fairly between {names[0]} and "
                f"{names[1]}: {one.label}: {said}; run it with equal settings, or leave --strict away"
            )


def _asked(cell: Cell | None, task: str) -> bool:
    return not task or (cell is not None and task in (cell.task, words.task(cell.task), cell.row.result.task))
