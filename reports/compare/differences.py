"""Two runs cell by cell: what differs between their machines and settings, and then by how much their numbers differ.

A cell is a model on a task that both measured. Where both hold the same data, seeds and test items, it is the
differences themselves that are averaged: whatever both share cancels.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from bench import statistics
from bench.statistics import Interval, Planned, Point
from reports import ReportError, words
from reports.compare.environments import UNTOLD, Fact, facts
from reports.rows.stored import (
    Row,
    Stored,
    allowed,
    base,
    configuration,
    data,
    differing,
    finished,
    gather,
    settings,
    variant,
)
from reports.scores import tables
from reports.scores.tables import Line
from reports.sections import speed
from reports.sections.speed import Measured

Kind = Literal["quality", "long", "time", "speed"]
KINDS: tuple[Kind, ...] = ("quality", "long", "time", "speed")
PLACES = ("device", "threads")  # settings of the machine, which are told with it
APART, SAME, FEW, OTHER = "not separable", "the same", "cannot be told with so few", "not compared"
COUNTED = (SAME, APART, FEW, OTHER)  # verdicts that tell nothing apart
ROUNDS = "rounds of timing"
NORMAL = 1.959964  # half of a 95 % interval, in standard errors
SPEEDS = {  # metric -> the time whose interval it has, what it is called, and what more and less of it are
    "train_target_tokens_per_second": ("train_step_seconds", "training, target tokens/s", ("faster", "slower")),
    "forward_target_tokens_per_second": ("forward_seconds", "forward alone, target tokens/s", ("faster", "slower")),
    "first_token_seconds": ("", "first token, s", ("slower", "faster")),
    "generate_tokens_per_second_1": ("token_seconds", "writing one sequence, tokens/s", ("faster", "slower")),
    "generate_tokens_per_second_best": ("", "writing at the best batch, tokens/s", ("faster", "slower")),
    "greatest_tokens_per_second": ("", "training at the best batch, tokens/s", ("faster", "slower")),
    "peak_bytes": ("", "peak memory of a step", ("more", "less")),
    "joules_per_step": ("", "energy of a step, J", ("more", "less")),
}  # fmt: skip
LENGTHS = (("step", "a step of length {:,.0f}, s"), ("generate", "writing {:,.0f} tokens, s"))


@dataclasses.dataclass(frozen=True)
class Difference:
    """One number of one cell in both runs; `change` is second - first, of times and speeds second / first."""

    kind: Kind
    task: str
    model: str
    name: str  # of the model, for people
    metric: str
    label: str  # of the metric, for people
    first: float
    second: float
    change: float
    low: float | None = None  # 95 % interval of the change, for this one alone
    high: float | None = None
    over: str = ""  # what the interval is over
    p: float | None = None  # corrected by Holm over all that were tested together
    verdict: str = OTHER  # of the second against the first
    notes: tuple[str, ...] = ()  # settings that differ, and why nothing is compared


@dataclasses.dataclass(frozen=True)
class Differences:
    """All that differs between two runs, environments first."""

    runs: tuple[str, str]
    facts: Sequence[Fact]
    found: Sequence[Difference]
    alone: tuple[Sequence[str], Sequence[str]]  # cells that only the first, only the second holds

    def of(self, *kinds: Kind) -> list[Difference]:
        """The differences of some kinds."""
        return [one for one in self.found if one.kind in kinds]


def differences(first: Path, second: Path, task: str = "", metric: str = "", strict: bool = False) -> Differences:
    """Compares two runs cell by cell, on all tasks or one.

    With `strict` a cell that both hold and that cannot be compared is an error too. Raises ReportError and RecordError.
    """
    from reports.compare.compare import measured

    runs = [measured(gather([Path(run)]), metric) for run in (first, second)]
    pairs = [(a, b) for a, b in matched(*map(_cells, runs)) if _asked(a or b, task)]
    both = [(a, b) for a, b in pairs if a and b]
    names = _names(Path(first), Path(second))
    if not both:
        raise ReportError(_nothing(names, task, runs))
    tried = [t for a, b in both for t in (*_scored(a, b), *_paced(a, b))]
    found = [one for kind in KINDS for one in judged(t for t in tried if t.told.kind == kind)]
    if strict:
        _demand(found, names)
    alone = [a.said for a, b in pairs if a and not b], [b.said for a, b in pairs if b and not a]
    return Differences(names, facts(*runs), found, alone)


def shared(first: Path, second: Path) -> bool:
    """Whether both runs measured some model on the same task. Raises ReportError and RecordError."""
    one, other = ({cell.key for cell in _cells(gather([Path(run)]))} for run in (first, second))
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
        tasks = dict.fromkeys(cell.task for run in runs for cell in _cells(run))
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


# Which cells are the same


@dataclasses.dataclass(frozen=True, eq=False)
class Cell:
    """A model on a task as one run measured it."""

    what: str  # the probe of time or of long sequences, with its variant; empty for quality
    line: Line | None  # where seeds were trained
    timed: Measured | None  # where it was timed

    @property
    def row(self) -> Row:
        """The first of its rows."""
        if self.line is not None:
            return self.line.rows[0]
        assert self.timed is not None
        return self.timed.row

    @property
    def task(self) -> str:
        """The task's own name."""
        return base(self.row.result.task)

    @property
    def name(self) -> str:
        """The model's name, for people."""
        return self.line.name if self.line else self.timed.name if self.timed else ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What is measured of whom on what."""
        return self.what, self.task, self.row.result.model

    @property
    def told(self) -> dict[str, str]:
        """Its settings, those of the machine aside."""
        aside = (*PLACES, *speed.ASIDE)
        return {k: v for k, v in settings(self.row.result).items() if k.split(".", 1)[0] not in aside}

    @property
    def part(self) -> tuple[str, str]:
        """Data, and settings of the task."""
        return data(self.row.result), str(self.row.result.config.get("task"))

    @property
    def said(self) -> str:
        """ "LSTM on translation, throughput"."""
        what = f", {self.what}" if self.what else ""
        return f"{self.name} on {words.lowered(words.task(self.task))}{what}"


def matched(first: Sequence[Cell], second: Sequence[Cell]) -> list[tuple[Cell | None, Cell | None]]:
    """Cells of both runs that belong together, and what is left over.

    By all settings; then by data and the settings of the task; then by model and task, where no choice is left.
    """
    pairs: list[tuple[Cell | None, Cell | None]] = []
    rest = [[*first], [*second]]
    for key in (_exactly, lambda cell: (cell.key, cell.part), lambda cell: cell.key):
        groups = [_grouped(side, key) for side in rest]
        for name, own in groups[0].items():
            other = groups[1].get(name, [])
            if len(own) == len(other) == 1:
                pairs.append((own[0], other[0]))
                rest[0].remove(own[0])
                rest[1].remove(other[0])
    order = {cell: place for place, cell in enumerate(first)}
    pairs.sort(key=lambda pair: order[pair[0]] if pair[0] else 0)
    return [*pairs, *((cell, None) for cell in rest[0]), *((None, cell) for cell in rest[1])]


def _exactly(cell: Cell) -> Hashable:
    return cell.key, cell.part, tuple(sorted(cell.told.items()))


def _grouped(cells: Iterable[Cell], key: Callable[[Cell], Hashable]) -> dict[Hashable, list[Cell]]:
    found: dict[Hashable, list[Cell]] = {}
    for cell in cells:
        found.setdefault(key(cell), []).append(cell)
    return found


def _asked(cell: Cell | None, task: str) -> bool:
    return not task or (cell is not None and task in (cell.task, words.task(cell.task), cell.row.result.task))


def _cells(stored: Stored) -> list[Cell]:
    trained = [line for task in stored.tasks for line in tables.lines(stored, task) if line.kind == "model"]
    timed = [
        Cell(words.PROBES[probe], None, one)
        for probe in ("throughput", "parallelism", "scaling")
        for rows in speed.measured(stored, probe).values()
        for one in speed.named(rows)
    ]
    return [*(Cell("", line, None) for line in trained), *_long(stored), *timed]


def _long(stored: Stored) -> Iterator[Cell]:
    """Trials of long sequences, the seeds of one model in one configuration together."""
    found: dict[tuple[str, ...], dict[int, Row]] = {}
    for row in stored.long:
        r = row.result
        if finished(row):
            named = words.clean(variant(r))[:48]
            what = words.PROBES[r.probe] + (f" ({named})" if named else "")
            found.setdefault((what, r.task, r.model, configuration(r)), {})[r.seed] = row
    for (what, task, model, _), seeds in found.items():
        yield Cell(what, Line("model", task, model, words.model(model), tuple(seeds[s] for s in sorted(seeds))), None)


# Scores


@dataclasses.dataclass(frozen=True)
class Tried:
    """A difference whose verdict waits for the other tests of its kind; `said` is what more and less of it are."""

    told: Difference
    said: tuple[str, str]
    test: Planned | None = None


def judged(tried: Iterable[Tried]) -> list[Difference]:
    """Verdicts after Holm's correction over all the tests."""
    every = [*tried]
    verdicts = iter(statistics.family([one.test for one in every if one.test]))
    found = []
    for one in every:
        verdict = next(verdicts) if one.test else None
        found.append(_settled(one, verdict))
    return found


def _settled(one: Tried, verdict: statistics.Verdict | None) -> Difference:
    told = one.told
    if verdict is None:
        return told
    if verdict.answer != "apart":
        return dataclasses.replace(told, p=verdict.corrected, verdict=verdict.answer)
    neutral = 0.0 if told.kind in ("quality", "long") else 1.0
    return dataclasses.replace(told, p=verdict.corrected, verdict=one.said[told.change < neutral])


def _scored(first: Cell, second: Cell) -> Iterator[Tried]:
    """The main score of both."""
    one, other = first.line, second.line
    if one is None or other is None:
        return
    kind: Kind = "long" if first.what else "quality"
    label = words.headed(one.metric) + (f", {first.what}" if first.what else "")
    told = Difference(
        kind, first.task, one.model, first.name, one.metric, label, one.value, other.value, other.value - one.value
    )
    notes = _unlike(first, second)
    reason = _incomparable(one, other)
    said = ("better", "worse") if kind == "quality" else ("higher", "lower")
    if reason:
        yield Tried(dataclasses.replace(told, notes=(reason, *notes)), said)
        return
    certain = data(one.rows[0].result) == data(other.rows[0].result) != ""
    notes = notes if certain else ("not told whether the data are the same", *notes)
    span, test = contrast(one, other, certain)
    told = _between(dataclasses.replace(told, notes=notes), span)
    if span is None:
        yield Tried(dataclasses.replace(told, verdict=FEW), said)
    elif span.low == span.high == 0:
        yield Tried(dataclasses.replace(told, verdict=SAME), said)
    else:
        yield Tried(told, said, test)


def _between(told: Difference, span: Interval | None) -> Difference:
    return dataclasses.replace(told, low=span.low, high=span.high, over=span.told) if span else told


def _incomparable(one: Line, other: Line) -> str:
    """Why two scores say nothing of each other; nothing where they do."""
    first, second = one.rows[0].result, other.rows[0].result
    if one.metric != other.metric:
        return f"scored by {words.metric(one.metric)} and by {words.metric(other.metric)}"
    if data(first) and data(second) and data(first) != data(second):
        return "other data, or other settings of the task"
    if first.signatures.get(one.metric) != second.signatures.get(one.metric):
        return "the score was computed in another way"
    return ""


def _unlike(first: Cell, second: Cell, most: int = 4) -> tuple[str, ...]:
    """Settings that differ: "model.hidden 64 → 128"."""
    told = [first.told, second.told]
    keys = differing(told)
    said = [
        f"{_short(key)} {_short(told[0].get(key, UNTOLD))} → {_short(told[1].get(key, UNTOLD))}" for key in keys[:most]
    ]
    return (*said, *([f"{len(keys) - most} more settings"] if len(keys) > most else []))


def _short(text: str) -> str:
    return words.cut(words.clean(text), 40)


def contrast(one: Line, other: Line, same_items: bool) -> tuple[Interval | None, Planned | None]:
    """Interval and test of the second score minus the first, over all that both allow for.

    The same seeds are compared one by one, and so are the same test items where answers are stored: by differences of
    each, over both. Other seeds are each run's own (Welch, or `statistics.difference_over_both`). None where one seed
    without answers leaves nothing to go by.
    """
    seeds = [[row.result.seed for row in line.rows] for line in (one, other)]
    first, second = (one.items, other.items) if same_items else (None, None)
    if first and second and first.which == second.which:
        if seeds[0] == seeds[1]:
            apart = second.table - first.table
            return statistics.over_both(apart), Planned(0.0, lambda: statistics.chance(apart))
        tables_ = second.table, first.table
        return statistics.difference_over_both(*tables_), statistics.paired(*tables_)
    if seeds[0] == seeds[1]:
        gaps = np.subtract(other.values, one.values)
        return statistics.over_seeds(gaps), Planned(0.0, lambda: statistics.chance(gaps[:, None]))
    return statistics.difference_over_seeds(other.values, one.values), Planned(
        0.0, lambda: statistics.welch(other.values, one.values)
    )


# Times and speeds


def _paced(first: Cell, second: Cell) -> Iterator[Tried]:
    if first.line is not None and second.line is not None:
        yield from _trained(first, second)
    elif first.timed is not None and second.timed is not None:
        yield from _speeds(first, second, first.timed, second.timed)
        yield from _lengths(first, second, first.timed, second.timed)


def _trained(first: Cell, second: Cell) -> Iterator[Tried]:
    """Seconds of training, where both were given the same budget in something else than seconds."""
    one, other = first.line, second.line
    assert one is not None
    assert other is not None
    times = [_by_seed(line, "train_seconds") for line in (one, other)]
    given = [allowed(line.rows[0].result) for line in (one, other)]
    if first.what or not all(times) or given[0] != given[1] or "seconds" in given[0]:
        return
    one_mean, other_mean = (float(np.mean([*own.values()])) for own in times)
    told = Difference(
        "time", first.task, one.model, first.name, "train_seconds", "training, s", one_mean, other_mean,
        other_mean / one_mean, notes=_unlike(first, second),
    )  # fmt: skip
    if company := _company(one, other):
        yield Tried(dataclasses.replace(told, notes=(company, *told.notes)), ("slower", "faster"))
        return
    yield _over_logs(told, times)


def _by_seed(line: Line, metric: str) -> dict[int, float]:
    found = {row.result.seed: row.result.metrics.get(metric, 0.0) for row in line.rows}
    return found if min(found.values()) > 0 else {}


def _company(one: Line, other: Line) -> str:
    told = [row.result.metrics.get("had_company") for line in (one, other) for row in line.rows]
    if None in told:
        return "not told whether other processes were busy"
    return "another process was busy during a training" if any(told) else ""


def _over_logs(told: Difference, times: Sequence[dict[int, float]]) -> Tried:
    """The ratio of geometric means over seeds, seed by seed where they are the same."""
    logs = [np.log([*own.values()]) for own in times]
    said = ("slower", "faster")
    if times[0].keys() == times[1].keys():
        apart = logs[1] - logs[0]
        span, test = statistics.over_seeds(apart), Planned(0.0, lambda: statistics.chance(apart[:, None]))
    else:
        span = statistics.difference_over_seeds(logs[1], logs[0])
        test = Planned(0.0, lambda: statistics.welch(logs[1], logs[0]))
    told = dataclasses.replace(told, change=float(np.exp(logs[1].mean() - logs[0].mean())))
    if span is None:
        return Tried(dataclasses.replace(told, verdict=FEW), said)
    return Tried(
        _between(told, dataclasses.replace(span, low=math.exp(span.low), high=math.exp(span.high))), said, test
    )


def _speeds(first: Cell, second: Cell, one: Measured, other: Measured) -> Iterator[Tried]:
    for metric, (seconds, label, said) in SPEEDS.items():
        points = [x.rate(metric, seconds) if seconds else x.span(metric) for x in (one, other)]
        if points[0] and points[1]:
            yield _paired(first, second, metric, label, said, points[0], points[1])


def _lengths(first: Cell, second: Cell, one: Measured, other: Measured) -> Iterator[Tried]:
    """Times at the longest length that both were measured at, and how much of the memory that took."""
    if first.what != words.PROBES["scaling"]:
        return
    for what, label in LENGTHS:
        curves = [
            {p.length: p for p in x.points(f"{what}_seconds", f"{what}_low", f"{what}_high")} for x in (one, other)
        ]
        both = curves[0].keys() & curves[1].keys()
        if both:
            at = max(both)
            ends = curves[0][at], curves[1][at]
            yield _paired(first, second, f"{what}_seconds", label.format(at), ("slower", "faster"), *ends)


def _paired(
    first: Cell, second: Cell, metric: str, label: str, said: tuple[str, str], one: Point, other: Point
) -> Tried:
    """The second over the first, with the interval that both intervals give."""
    timed = first.timed, second.timed
    found, notes = statistics.ratio(other, one), _unlike(first, second)
    told = Difference(
        "speed", first.task, first.row.result.model, first.name, metric, f"{label} ({first.what})", one.value,
        other.value, found.value, notes=notes,
    )  # fmt: skip
    if not all(x and x.clean for x in timed) and not metric.endswith("_bytes"):
        return Tried(dataclasses.replace(told, notes=("another process was busy", *notes)), said)
    if found.low == found.high:
        return Tried(dataclasses.replace(told, verdict=SAME if found.value == 1 else FEW), said)
    told = dataclasses.replace(told, low=found.low, high=found.high, over=ROUNDS)
    return Tried(told, said, Planned(0.0, lambda: _chance(found)))


def _chance(found: Point) -> float:
    """How likely so far from one a ratio is by its own interval, normal in logarithms, on the side of one."""
    from scipy import stats

    towards = math.log(found.value / found.low) if found.value > 1 else math.log(found.high / found.value)
    if towards == 0:
        return float(found.value == 1)
    return float(2 * stats.norm.sf(NORMAL * abs(math.log(found.value)) / towards))
