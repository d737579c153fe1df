"""Stored rows and their artifacts, checked: what a report may rely on, whoever wrote the file."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from bench import record
from bench.record import RecordError, Result
from reports import ReportError

PROBES = ("quality", "floor")
APART = ": "  # between a task and the settings by which it is told apart


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a model answered to one item of the test split."""

    item: int
    source: str | None
    picture: str | None  # as a data URI; only the first items carry one
    reference: str
    answer: str
    scores: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Attention:
    """Where a model looked while it answered one item."""

    item: int
    source_tokens: tuple[str, ...]
    answer_tokens: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]  # (T, S), rows over the source
    grid: tuple[int, int] | None  # rows and columns of patches
    picture: str | None


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
        return tuple(a for a in (_answer(i) for i in _list(items)) if a)

    @cached_property
    def attention(self) -> tuple[Attention, ...]:
        """Attention over some items; none for models without it."""
        return tuple(a for a in (_attention(i) for i in _list(self._artifact("attention"))) if a)

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

    @property
    def quality(self) -> tuple[Row, ...]:
        """Finished trials of models."""
        return tuple(r for r in self.rows if r.result.probe == "quality" and r.result.status == "ok" and scored(r))

    @property
    def floors(self) -> tuple[Row, ...]:
        """Floors, one a task and name."""
        return tuple(r for r in self.rows if r.result.probe == "floor" and r.result.status == "ok" and scored(r))

    @property
    def unfinished(self) -> tuple[Row, ...]:
        """Trials without a number: failed, skipped, interrupted, or done without the metric they name."""
        return tuple(r for r in self.rows if r.result.status != "ok" or not scored(r))

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks in the order in which people think of them, others by name."""
        known = {task: place for place, task in enumerate(("translation", "sentiment", "captioning"))}
        done = {r.result.task for r in (*self.quality, *self.floors)}
        bases = {base(task) for task in done}
        found = done | {r.result.task for r in self.unfinished if base(r.result.task) not in bases}
        return tuple(sorted(found, key=lambda task: (known.get(base(task), len(known)), task)))


def gather(runs: Sequence[Path]) -> Stored:
    """Reads runs. Raises ReportError when there is no result in any, RecordError when one cannot be read."""
    latest: dict[str, Row] = {}
    torn: dict[str, int] = {}
    total = other = 0
    for run in runs:
        if bad := len(record.torn(run)):
            torn[run.resolve().name] = torn.get(run.resolve().name, 0) + bad
        for result in (_checked(r) for r in record.read(run)):
            if result.probe not in PROBES:
                other += 1
                continue
            total += 1
            if result.status == "ok":  # what failed before and was repeated is no failure any more
                latest.pop(_asked(result), None)
            latest.pop(_identity(result), None)  # so that the rows stay in the order of their writing
            latest[_identity(result)] = Row(run, result)
    if not latest:
        where = ", ".join(str(run) for run in runs) or "no folder given"
        raise ReportError(f"no results to report in {where}: run a suite first, then name its folder")
    return Stored(_parted(tuple(latest.values())), torn, total - len(latest), other)


def _parted(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """A task that was run with several settings (two pairs of languages) becomes as many tasks, told apart by name."""
    told: dict[str, dict[Row, dict[str, str]]] = {}
    for row in rows:
        if row.result.status == "ok" and isinstance(row.result.config.get("task"), dict):
            told.setdefault(row.result.task, {})[row] = dict(_flat(row.result.config["task"]))
    names: dict[Row, str] = {}
    for task, settled in told.items():
        keys = dict.fromkeys(key for flat in settled.values() for key in flat)
        differing = [key for key in keys if len({flat.get(key) for flat in settled.values()}) > 1]
        for row, flat in settled.items() if differing else ():
            names[row] = f"{task}{APART}{', '.join(f'{key} {flat.get(key)}' for key in differing)}"
    return tuple(
        Row(row.run, dataclasses.replace(row.result, task=names[row])) if row in names else row for row in rows
    )


def base(task: str) -> str:
    """The task's own name, without the settings that tell it from itself."""
    return task.split(APART, 1)[0]


def scored(row: Row) -> bool:
    """Whether the row holds the metric that it says is its main one."""
    return row.result.main in row.result.metrics


def settings(result: Result) -> dict[str, str]:
    """What a trial was told, flat: its seed, what it chose itself and what it happened to use are left out."""
    config, asked = dict(result.config), result.config.get("asked")
    if isinstance(asked, dict) and isinstance(config.get("learning"), dict):
        # a ridge strength chosen on validation differs from seed to seed and makes no other configuration
        config["learning"] = {**_dict(asked.get("learning")), "precision": config["learning"].get("precision")}
    allowed = {k: v for k, v in result.budget.items() if k != "used"}
    if allowed.get("seconds") is not None:  # its number of updates then follows from the machine
        allowed = {"seconds": allowed["seconds"]}
    told = {**config, "budget": allowed, "device": result.environment.get("device", "")}
    told.pop("asked", None)
    return {k: v for k, v in _flat(told) if k.rsplit(".", 1)[-1] != "seed"}


def described(result: Result) -> dict[str, str]:
    """Every setting of a trial as it ran, flat, defaults and choices included."""
    allowed = {k: v for k, v in result.budget.items() if k != "used"}
    told = {**{k: v for k, v in result.config.items() if k != "asked"}, "budget": allowed}
    return {k: v for k, v in _flat(told) if v != "null"}


def _identity(result: Result) -> str:
    if result.probe == "floor":
        return json.dumps(["floor", result.task, result.model, result.config.get("task")], sort_keys=True)
    if result.id:
        return result.id
    if result.command:
        return _asked(result)
    return json.dumps([result.probe, result.task, result.model, result.seed, settings(result)], sort_keys=True)


def _asked(result: Result) -> str:
    """Names what was asked for; a trial that died before it had an identity has nothing else."""
    return json.dumps([result.probe, result.command, result.environment.get("device")])


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield whole(name), _text(value) if isinstance(value, str) else json.dumps(value)


def _checked(result: Result) -> Result:
    """The row with every field of the type it should have; what is not is left out."""
    texts = ("probe", "model", "task", "status", "main", "reason", "suite", "command", "time", "id")
    fields: dict[str, Any] = {f: _text(getattr(result, f)) for f in texts}
    fields |= {f: _dict(getattr(result, f)) for f in ("config", "budget", "environment")}
    return dataclasses.replace(
        result,
        **fields,
        metrics=_numbers(result.metrics),
        signatures={k: _text(v) for k, v in _dict(result.signatures).items()},
        artifacts={k: v for k, v in _dict(result.artifacts).items() if isinstance(v, dict)},
        curve=[_numbers(point) for point in _list(result.curve)],
        seed=int(_number(result.seed) or 0),
    )


def _answer(item: Any) -> Answer | None:
    if not isinstance(item, dict) or not isinstance(item.get("item"), int):
        return None
    source, picture = item.get("source"), item.get("picture")
    return Answer(
        item=item["item"],
        source=source if isinstance(source, str) else None,
        picture=picture if isinstance(picture, str) else None,
        reference=_text(item.get("reference")),
        answer=_text(item.get("answer")),
        scores=_numbers(item.get("scores")),
    )


def _attention(item: Any) -> Attention | None:
    """An item whose weights fit its tokens and its grid, else None."""
    if not isinstance(item, dict) or not isinstance(item.get("item"), int):
        return None
    answer = tuple(_text(t) for t in _list(item.get("answer_tokens")))
    rows = [[_number(w) for w in _list(row)] for row in _list(item.get("weights"))][: len(answer)]
    weights = tuple(tuple(w for w in row if w is not None) for row in rows)
    source = tuple(_text(t) for t in _list(item.get("source_tokens")))
    size, grid = len(rows[0]) if rows else 0, _grid(item.get("grid"))
    fits = size > 0 and all(len(row) == size for row in weights) and len(weights) == len(answer)
    if not fits or (len(source) != size if grid is None else grid[0] * grid[1] != size):
        return None
    picture = item.get("picture")
    return Attention(item["item"], source, answer, weights, grid, picture if isinstance(picture, str) else None)


def _grid(value: Any) -> tuple[int, int] | None:
    sides = _list(value)
    if len(sides) == 2 and all(isinstance(s, int) and 0 < s <= 64 for s in sides):
        return sides[0], sides[1]
    return None


def _numbers(value: Any) -> dict[str, float]:
    found = {k: _number(v) for k, v in _dict(value).items()}
    return {k: v for k, v in found.items() if v is not None}


def _number(value: Any) -> float | None:
    """A finite number, else None: JSON knows NaN in Python only, and a report none."""
    try:
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
    except OverflowError:  # an integer of thousands of digits
        return None


def _text(value: Any) -> str:
    return whole(value if isinstance(value, str) else "" if value is None else str(value))


def whole(text: str) -> str:
    """The text without halves of characters, which JSON can hold and no file can."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _dict(value: Any) -> dict[str, Any]:
    return {_text(k): v for k, v in value.items()} if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
