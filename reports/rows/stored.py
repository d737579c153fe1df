"""Stored rows and their artifacts, checked: what a report may rely on, whoever wrote the file."""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench import record
from bench.record import RecordError, Result
from reports import ReportError, words
from reports.rows import private
from reports.rows._heads import decoded
from reports.rows._lean import Shared, tidy
from reports.words import APART, whole

PROBES = ("quality", "floor")
SPEED = ("throughput", "parallelism", "scaling")
LONG = ("span", "extrapolate", "gradients", "by_length", "data_curve")
CLAIMED = ("order", "alignment", "decoding")  # measured for claims alone
TUNED = ("tune",)
SPENT = ("used", "interruptions")  # what a budget says of what happened, not of what was allowed
SHOWN = ("answers", "attention")  # artifacts that a report opens
TEXTS = ("probe", "model", "task", "status", "main", "reason", "suite", "command", "time", "id")
WHEN = ("updates", "examples", "tokens", "flops", "seconds")  # where training stood at a point of its curve
MEASURED = {  # what a point of a curve holds; of speed, the first that is there tells where it stands
    "throughput": ("batch", "generate_tokens_per_second"),
    "parallelism": (
        "length", "batch", "threads", "parallel_fraction", "chain", "launches", "step_seconds", "step_low", "step_high",
        "tokens_per_second", "low", "high",
    ),
    "scaling": (
        "length", "step_seconds", "step_low", "step_high", "step_bytes", "generate_seconds", "generate_low",
        "generate_high",
    ),
    "span": ("length", "score", "carry_bytes", "memory_bytes"),
    "extrapolate": ("length", "score"),
    "gradients": ("distance", "stage", "log10_norm"),
    "by_length": ("words", "asked", "items", "mean", "low", "high"),  # and the score, by the main metric's name
    "data_curve": ("examples", "score", "seconds"),
}  # fmt: skip
CODE = 200  # files of code whose checksums a row may name
FOUND = (
    "asked",
    "data",
    "overlap",
    "tuned",
    "matched",
    "selection",
    "provenance",
    "seeds",
)  # says how settings came about
LONGEST = 1000  # points of a curve of long sequences
NUMBER = int | float  # made once: a million of them are looked at
LINES, LETTERS = 20, 2000  # of what a failed trial printed


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered to one item of the test split."""

    item: int
    source: str | None
    picture: str | None  # as a data URI; only the first items carry one
    reference: str
    answer: str
    scores: dict[str, float]


@dataclasses.dataclass(frozen=True, slots=True)
class Attention:
    """Where a model looked while it answered one item."""

    item: int
    source_tokens: tuple[str, ...]
    answer_tokens: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]  # (T, S), rows over the source
    grid: tuple[int, int] | None  # rows and columns of patches
    picture: str | None
    heads: NDArray[np.float64] | None = dataclasses.field(default=None, compare=False)  # (T, layers, heads, S)


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
                latest.add(Row(run, _checked(stored, shared)))
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
    return _dict(row.result.config.get(name))


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
    told = {part: dict(_flat(rows[0].result.config["task"])) for part, rows in parts.items()}
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


def data(result: Result) -> str:
    """Names the data of a trial: their checksum; where they lay, in rows too old to have one."""
    return result.made_of.get("data", "") or _where(result)


def own_data(result: Result) -> str:
    """The last name of the folder of one's own data; nothing for data that come with seqbench.

    Never the whole path: a page that is passed on should not tell where it was made.
    """
    where = _where(result)
    return private.last(where) if where else ""


def command(result: Result) -> str:
    """The command that repeats a trial, without the places of its data and of a model's file."""
    return private.command(result.command)


def _where(result: Result) -> str:
    """The folder of one's own data, from the settings, or from the command in rows that do not store it."""
    if "data" in result.config or "--data" not in result.command:
        told = result.config.get("data")
        return told if isinstance(told, str) else ""
    return _option(result.command, "--data").partition("=")[2]


def _option(command: str, name: str) -> str:
    try:
        given = shlex.split(command)
    except ValueError:  # an open quotation mark
        return ""
    return next((told for option, told in pairwise(given) if option == name), "")


def variant(result: Result) -> str:
    """The variant of a suite that a row belongs to: from the settings, or from the command of one that failed."""
    if "variant" in result.config or "--variant" not in result.command:
        told = result.config.get("variant")
        return told if isinstance(told, str) else ""
    return _option(result.command, "--variant")


def base(task: str) -> str:
    """The task's own name, without the settings that tell it from itself."""
    return task.split(APART, 1)[0]


def finished(row: Row) -> bool:
    """Whether the trial came to the metric that its row says is its main one."""
    return row.result.status == "ok" and row.result.main in row.result.metrics


def differing(told: Sequence[dict[str, str]]) -> list[str]:
    """Settings that are not the same everywhere."""
    keys = dict.fromkeys(key for one in told for key in one)
    return [key for key in keys if len({one.get(key) for one in told}) > 1]


def settings(result: Result) -> dict[str, str]:
    """What a trial was told, flat: its seed, what it chose itself and what it happened to use are left out.

    Device and threads count: times are not the same without them. Data do not: they make another task.
    """
    return {k: v for k, v in _flat(_told(result)) if k.rsplit(".", 1)[-1] != "seed"}


def configuration(result: Result) -> str:
    """The settings as one text, the same for trials that differ in their seed alone."""
    text = json.dumps(_told(result), sort_keys=True)
    return json.dumps(settings(result), sort_keys=True) if '"seed"' in text else text  # flat takes ten times as long


def _told(result: Result) -> dict[str, Any]:
    config, asked = dict(result.config), result.config.get("asked")
    if isinstance(asked, dict) and isinstance(config.get("learning"), dict):
        # a ridge strength chosen on validation differs from seed to seed and makes no other configuration
        config["learning"] = {**_dict(asked.get("learning")), "precision": config["learning"].get("precision")}
    told = {key: value for key, value in config.items() if key not in FOUND}
    if own := _dict(_dict(asked).get("seeds")):  # seeds of order or weights that were held, or told apart
        told["seeds"] = own
    return {**told, "budget": allowed(result), **machine(result)}


def allowed(result: Result) -> dict[str, Any]:
    """The budget that a trial was given, without what it used of it."""
    given = {k: v for k, v in result.budget.items() if k not in SPENT}
    if given.get("seconds") is not None:  # its number of updates then follows from the machine
        return {"seconds": given["seconds"]}
    return given


def machine(result: Result) -> dict[str, Any]:
    """The device and the number of threads."""
    return {key: result.environment.get(key, "") for key in ("device", "threads")}


def interruptions(result: Result) -> int:
    """How often training went on from a checkpoint."""
    told = result.budget | _dict(result.budget.get("used"))
    return int(number(told.get("interruptions")) or 0)


def described(result: Result) -> dict[str, str]:
    """Every setting of a trial as it ran, flat, defaults and choices included."""
    given = {k: v for k, v in result.budget.items() if k not in SPENT}
    told = {k: v for k, v in result.config.items() if k not in ("asked", "data", "overlap")} | {"budget": given}
    own = own_data(result)
    return {k: v for k, v in _flat(told) if v != "null"} | ({"data": f"own data: {own}"} if own else {})


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield whole(name), _text(value) if isinstance(value, str) else json.dumps(value)


def _checked(row: dict[str, Any], shared: Shared) -> Result:
    """A stored row with every field of the type it should have, and without what no report shows.

    What is of the wrong type is left out; what other rows have too is kept once.
    """
    get = row.get
    config = dict(_dict(get("config")))
    if isinstance(config.get("asked"), dict):
        # the rest stands beside it already
        kept = ("learning", "model_settings", "seeds")
        config["asked"] = {name: config["asked"][name] for name in kept if name in config["asked"]}
    texts: dict[str, Any] = {name: _text(get(name)) for name in TEXTS}
    return Result(
        **texts,
        seed=int(number(get("seed")) or 0),
        metrics=_numbers(get("metrics")),
        config=shared(config),
        budget=tidy(_dict(get("budget"))),
        environment=shared(_dict(get("environment"))),
        signatures=shared({k: _text(v) for k, v in _dict(get("signatures")).items()}),
        artifacts={k: v for k, v in _dict(get("artifacts")).items() if isinstance(v, dict) and k in SHOWN},
        made_of=shared.texts(_made_of(row)),
        curve=_curve(row),
        output="\n".join(_text(get("output")).splitlines()[-LINES:])[-LETTERS:],
    )


def _made_of(row: dict[str, Any]) -> dict[str, str]:
    """The data's checksum; of a training's quality, the checksum of each file of code too."""
    made = _dict(row.get("made_of"))
    quality = row["probe"] == "quality"
    named = ((k, v) for k, v in made.items() if (k == "data" and v) or (quality and k.endswith(".py")))
    return {k: v if isinstance(v, str) else _text(v) for k, v in islice(named, CODE)}


def _curve(row: dict[str, Any]) -> list[dict[str, float]]:
    """A row's curve, as far as curves are drawn."""
    main = (row["main"],) if isinstance(row.get("main"), str) else ()
    names = MEASURED.get(row["probe"]) or ((*WHEN, *main) if main else ())
    names = (*names, *main) if row["probe"] == "by_length" else names
    most = LONGEST if row["probe"] in LONG else None
    return [_point(point, names) for point in _list(row.get("curve"))[:most]] if names else []


def _point(point: Any, names: Iterable[str]) -> dict[str, float]:
    told = ((name, number(_dict(point).get(name))) for name in names)
    return {sys.intern(whole(name)): n for name, n in told if n is not None}


def _answer(item: Any) -> Answer | None:
    if not isinstance(item, dict) or not isinstance(item.get("item"), int):
        return None
    source, picture = item.get("source"), item.get("picture")
    return Answer(
        item=item["item"],
        source=whole(source) if isinstance(source, str) else None,
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
    rows = [[number(w) for w in _list(row)] for row in _list(item.get("weights"))][: len(answer)]
    weights = tuple(tuple(w for w in row if w is not None) for row in rows)
    source = tuple(_text(t) for t in _list(item.get("source_tokens")))
    size, grid = len(rows[0]) if rows else 0, _grid(item.get("grid"))
    fits = size > 0 and all(len(row) == size for row in weights) and len(weights) == len(answer)
    if not fits or (len(source) != size if grid is None else grid[0] * grid[1] != size):
        return None
    picture, heads = item.get("picture"), decoded(item.get("heads"), len(answer), size)
    return Attention(item["item"], source, answer, weights, grid, picture if isinstance(picture, str) else None, heads)


def _grid(value: Any) -> tuple[int, int] | None:
    sides = _list(value)
    if len(sides) == 2 and all(isinstance(s, int) and 0 < s <= 64 for s in sides):
        return sides[0], sides[1]
    return None


def _numbers(value: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, told in _dict(value).items():
        if (n := number(told)) is not None:
            found[sys.intern(whole(name))] = n
    return found


def number(value: Any) -> float | None:
    """A finite number, else None: JSON knows NaN in Python only, and a report none."""
    try:
        return float(value) if isinstance(value, NUMBER) and math.isfinite(value) else None
    except OverflowError:  # an integer of thousands of digits
        return None


def _text(value: Any) -> str:
    return whole(value if isinstance(value, str) else "" if value is None else str(value))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
