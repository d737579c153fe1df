"""All that a report is made from: stored rows and their artifacts, the latest where a trial was repeated.

A task that was run with several settings, or on several data, is parted into as many tasks.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from bench import record
from bench.record import RecordError, Result
from reports import ReportError, words
from reports.rows.artifacts import Answer, Attention, answered, attended
from reports.rows.checked import CLAIMED, LONG, PROBES, SPEED, TUNED, checked
from reports.rows.fields import mapping, sequence
from reports.rows.lean import Shared, uncollected
from reports.rows.settings import base, data, differing, flat, own_data, settings, variant
from reports.words import APART


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One trial, the folder it lies in, and whatever of its artifacts could be read."""

    run: Path
    result: Result
    problems: list[str] = dataclasses.field(default_factory=list)  # artifacts that could not be read, and why

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """Answers to the test items in their order; none where they were not stored or cannot be read."""
        content = self._artifact("answers")
        items = content.get("items") if isinstance(content, dict) else None
        return tuple(a for a in (answered(i) for i in sequence(items)) if a)

    @cached_property
    def attention(self) -> tuple[Attention, ...]:
        """Attention over some items; none for models without it."""
        return tuple(a for a in (attended(i) for i in sequence(self._artifact("attention"))) if a)

    def _artifact(self, name: str) -> Any:
        try:
            content = record.artifact(self.run, self.result, name)
            return None if content is None else json.loads(content)
        except RecordError as error:
            # the folder's own name is enough: a page that is passed on should not tell where it was made
            self.problems.append(str(error).replace(f"{self.run.resolve()}/", "").replace(f"{self.run}/", ""))
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            self.problems.append(f"{name} of {self.result.model} on {self.result.task} is not what it should be")
        return None


@dataclasses.dataclass(frozen=True)
class Stored:
    """Everything that a report is made from: one row a trial, the latest where a trial was repeated."""

    rows: tuple[Row, ...]
    torn: dict[str, int]  # run -> lines that are not whole rows
    repeated: int  # rows left out because a later one stands for the same trial
    other: int  # rows of other probes, which this report does not show

    @cached_property
    def trials(self) -> tuple[Row, ...]:
        """Trials of models, finished or not."""
        return tuple(r for r in self.rows if r.result.probe == "quality")

    @cached_property
    def quality(self) -> tuple[Row, ...]:
        """Finished trials of models."""
        return tuple(r for r in self.trials if finished(r))

    @cached_property
    def floors(self) -> tuple[Row, ...]:
        """Floors, one a task and name."""
        return tuple(r for r in self.rows if r.result.probe == "floor" and finished(r))

    @cached_property
    def speed(self) -> tuple[Row, ...]:
        """Measurements of speed, finished or not."""
        return tuple(r for r in self.rows if r.result.probe in SPEED)

    @cached_property
    def long(self) -> tuple[Row, ...]:
        """Trials of memory, extrapolation, gradients, length and data, finished or not."""
        return tuple(r for r in self.rows if r.result.probe in LONG)

    @cached_property
    def claimed(self) -> tuple[Row, ...]:
        """Measurements that claims alone ask for, finished or not."""
        return tuple(r for r in self.rows if r.result.probe in CLAIMED)

    @cached_property
    def tuning(self) -> tuple[Row, ...]:
        """Trials of searches for settings, finished or not."""
        return tuple(r for r in self.rows if r.result.probe in TUNED)

    @cached_property
    def unfinished(self) -> tuple[Row, ...]:
        """Trials without a number: failed, diverged, skipped, or done without the metric they name.

        Those of a search are told with it: that bad settings fail says nothing of a model.
        """
        return tuple(r for r in self.rows if r.result.probe not in TUNED and not finished(r))

    @cached_property
    def by_task(self) -> dict[str, list[Row]]:
        """Finished trials and floors of each task."""
        found: dict[str, list[Row]] = {}
        for row in (*self.quality, *self.floors):
            found.setdefault(row.result.task, []).append(row)
        return found

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Tasks in the order in which people think of them, others by name."""
        known = {task: place for place, task in enumerate(("translation", "sentiment", "captioning"))}
        bases = {base(task) for task in self.by_task}
        tried = {r.result.task for r in self.unfinished if r.result.probe in PROBES}
        found = self.by_task.keys() | {task for task in tried if base(task) not in bases}
        return tuple(sorted(found, key=lambda task: (known.get(base(task), len(known)), task)))


def gather(runs: Sequence[Path]) -> Stored:
    """Reads runs. Raises ReportError when there is no result in any, RecordError when one cannot be read."""
    with uncollected():
        return _gathered(runs)


def _gathered(runs: Sequence[Path]) -> Stored:
    latest, shared = _Latest(), Shared()
    torn: dict[str, int] = {}
    total = other = 0
    for run in runs:
        for _, stored in record.rows(run):
            if stored is None:
                torn[run.resolve().name] = torn.get(run.resolve().name, 0) + 1
            elif stored["probe"] not in (*PROBES, *SPEED, *LONG, *CLAIMED, *TUNED):
                other += 1
            else:
                latest.add(Row(run, checked(stored, shared)))
                total += 1
    if not latest.rows:
        where = ", ".join(str(run) for run in runs) or "no folder given"
        raise ReportError(f"no results to report in {where}: run a suite first, then name its folder")
    rows = tuple(latest.rows.values())
    # settings of the task part no other probe's task; of long sequences they part those of one variant
    rooms: dict[tuple[str, ...], list[Row]] = {(): [], ("speed",): []}
    for row in rows:
        rooms.setdefault(_room(row.result), []).append(row)
    parted = tuple(row for room in rooms.values() for row in _parted(tuple(room)))
    return Stored(parted, torn, total - len(rows), other)


def _room(result: Result) -> tuple[str, ...]:
    """Among which rows a task that was run with several settings becomes several tasks."""
    if result.probe in (*LONG, *CLAIMED):
        return result.probe, variant(result)
    return ("speed",) if result.probe in SPEED else TUNED if result.probe in TUNED else ()


def group(row: Row, name: str) -> dict[str, Any]:
    """A group of settings that a row names, such as its model's; {} where there is none."""
    return mapping(row.result.config.get(name))


class _Latest:
    """Rows as they come: a later one stands for an earlier one of the same trial, a success for what failed before."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}  # in the order of their writing
        self.unfinished: dict[str, set[str]] = {}  # what names a trial without a number -> keys of its rows

    def add(self, row: Row) -> None:
        """Takes in the next row."""
        key = _identity(row.result)
        self.rows.pop(key, None)
        if row.result.status != "ok":
            for mark in _marks(row.result):
                self.unfinished.setdefault(mark, set()).add(key)
        elif self.unfinished:
            for failed in {k for mark in _marks(row.result) for k in self.unfinished.pop(mark, ())}:
                if failed in self.rows and self.rows[failed].result.status != "ok":
                    del self.rows[failed]
        self.rows[key] = row


def _identity(result: Result) -> str:
    if result.probe == "floor":  # every floor of a trial carries the trial's id
        told = result.config.get("task")
        return json.dumps(["floor", result.task, result.model, told, data(result)], sort_keys=True)
    if result.id:
        return result.id
    if result.command and result.probe not in SPEED:
        return _asked(result)
    return json.dumps([result.probe, result.task, result.model, result.seed, settings(result)], sort_keys=True)


def _marks(result: Result) -> list[str]:
    """What names a trial whose row may name no model of its own, such as that of floors that failed."""
    return ([f"{result.probe} {result.id}"] if result.id else []) + ([_asked(result)] if result.command else [])


def _asked(result: Result) -> str:
    """Names what was asked for; a trial that died before it had an identity has nothing else."""
    asked = [result.probe, result.command, result.environment.get("device")]
    if result.probe in SPEED:  # one command measures many
        asked += [result.model, result.task, result.config.get("model")]
    return json.dumps(asked)


class _Part(NamedTuple):
    """What one task was: its settings, and its data by their checksum."""

    settings: str
    data: str


def _parted(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """A task run with several settings (two pairs of languages) or on several data becomes as many tasks."""
    found: dict[str, dict[_Part, list[Row]]] = {}
    texts: dict[int, str] = {}  # by identity: rows share equal settings, and `rows` keeps them alive
    for row in rows:
        told = row.result.config.get("task")
        if row.result.status == "ok" and isinstance(told, dict):
            if id(told) not in texts:
                texts[id(told)] = json.dumps(told, sort_keys=True)
            part = _Part(texts[id(told)], data(row.result))
            found.setdefault(row.result.task, {}).setdefault(part, []).append(row)
    names = {(task, part): name for task, parts in found.items() for part, name in _labels(parts).items()}
    named = {row: names[task, part] for task, parts in found.items() for part, own in parts.items() for row in own}
    only = _only(names)
    renamed = ((row, named.get(row) or only.get((row.result.task, row.result.made_of.get("data")))) for row in rows)
    return tuple(_called(row, f"{row.result.task}{APART}{name}") if name else row for row, name in renamed)


def _only(names: dict[tuple[str, _Part], str]) -> dict[tuple[str, str | None], str]:
    """Task and data -> the part, where just one has these data: there a trial belongs that failed."""
    found: dict[tuple[str, str | None], set[str]] = {}
    for (task, part), name in names.items():
        if part.data:
            found.setdefault((task, part.data), set()).add(name)
    return {key: next(iter(own)) for key, own in found.items() if len(own) == 1}


def _called(row: Row, task: str) -> Row:
    return Row(row.run, dataclasses.replace(row.result, task=task))


def _labels(parts: dict[_Part, list[Row]], most: int = 90) -> dict[_Part, str]:
    """What tells each part of a task from the others, in words; nothing where there is one part."""
    if len(parts) == 1:
        return dict.fromkeys(parts, "")
    told = {part: dict(flat(rows[0].result.config["task"])) for part, rows in parts.items()}
    keys = differing(list(told.values()))
    spoken = _data_matters(parts)
    shown = []
    for part, rows in parts.items():
        said = [f"{key} {told[part].get(key)}" for key in keys]
        said += [_data_said(part, rows)] if spoken else []
        shown.append((words.cut(words.clean(", ".join(said)), most), json.dumps(part)))
    return dict(zip(parts, words.distinct(shown), strict=True))


def _data_matters(parts: dict[_Part, list[Row]]) -> bool:
    """Whether data tell parts apart: two with the same settings, or some with one's own data and some without."""
    alike = len({part.settings for part in parts}) < len(parts)
    return alike or len({_folder(rows) for rows in parts.values()}) > 1


def _data_said(part: _Part, rows: list[Row]) -> str:
    folder = _folder(rows)
    return f"own data: {folder}" if folder else "supplied data" if part.data else "data not recorded"


def _folder(rows: Iterable[Row]) -> str:
    return next((name for row in rows if (name := own_data(row.result))), "")


def finished(row: Row) -> bool:
    """Whether the trial came to the metric that its row says is its main one."""
    return row.result.status == "ok" and row.result.main in row.result.metrics
