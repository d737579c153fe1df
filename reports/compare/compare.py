"""`seqbench compare`: models of a task from best to worst, two by two, and whether the comparison is a fair one."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.statistics import Interval
from reports import ReportError, words
from reports.rows.settings import base, differing, variant
from reports.rows.stored import Row, Stored, gather
from reports.scores import summary, tables
from reports.scores.checklist import Item
from reports.scores.checks import checklist
from reports.scores.pairs import LEADS, Pair, pairs, within
from reports.scores.tables import Line
from reports.sections import fairness

ALONE = ("device", "processor", "cores", "threads", "platform", "python")  # facts of a machine that stand by themselves
SHOWN = 4  # values of a fact


@dataclasses.dataclass(frozen=True, eq=False)
class Ranked:
    """One table: the models and floors of a task with one set of settings, and its models two by two."""

    task: str  # as the report calls it
    lines: Sequence[Line]
    pairs: Sequence[Pair]


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """The tables that a reader would hold side by side, and what was not equal among them."""

    title: str
    tables: Sequence[Ranked]
    items: Sequence[Item]


@dataclasses.dataclass(frozen=True)
class Compared:
    """All comparisons of some runs."""

    runs: Sequence[str]
    unlike: Sequence[str]  # facts of the machines that differ, and how
    comparisons: Sequence[Comparison]


def compare(runs: Sequence[Path], task: str = "", metric: str = "", strict: bool = False) -> Compared:
    """Compares what runs hold of a task, or of all.

    With `strict` raises ReportError where a comparison is unfair; always where there is nothing to compare, or no such
    task or metric. Raises RecordError when a run cannot be read.
    """
    stored = gather([Path(run) for run in runs])
    found = [one for part in _by_variant(measured(stored, metric)) for one in _comparisons(*part, task)]
    if not found:
        raise ReportError(_nothing(stored, task))
    for one in found if strict else ():
        _demand(one)
    return Compared([run.resolve().name for run in map(Path, runs)], _unlike(found), found)


def measured(stored: Stored, metric: str) -> Stored:
    """The same rows, headed by another metric. Raises ReportError where no row of a model has a score of that name."""
    if not metric:
        return stored
    scores = dict.fromkeys(s for r in stored.trials for s in (r.result.main, *r.result.signatures) if s)
    if not any(metric in row.result.metrics for row in stored.trials) or metric not in scores:
        known = words.several([words.clean(score) for score in scores], "or", most=12) or "none"
        raise ReportError(f"--metric {words.clean(metric)}: no such score in these runs; expected {known}")
    headed = (Row(row.run, dataclasses.replace(row.result, main=metric)) for row in stored.rows)
    return dataclasses.replace(stored, rows=tuple(headed))


def _by_variant(stored: Stored) -> list[tuple[str, Stored]]:
    """Each variant of a suite by itself, with all the floors: variants differ in what they hold equal."""
    names = dict.fromkeys(variant(row.result) for row in stored.trials)
    if len(names) < 2:
        return [(name, stored) for name in names]
    floors = [row for row in stored.rows if row.result.probe == "floor"]
    own = {name: [row for row in stored.trials if variant(row.result) == name] for name in names}
    return [(name, dataclasses.replace(stored, rows=(*rows, *floors))) for name, rows in own.items()]


def _comparisons(named: str, stored: Stored, asked: str) -> Iterator[Comparison]:
    """One a task. Parts of a task (other settings, other data) on which the same models ran are tasks of their own."""
    groups: dict[str, list[Ranked]] = {}
    for task in stored.tasks:
        lines = tables.lines(stored, task)
        if _asked(task, asked) and any(line.kind == "model" for line in lines):
            groups.setdefault(base(task), []).append(Ranked(task, lines, pairs(lines)))
    more = f", {words.cut(words.clean(named), 80)}" if named else ""
    for task, parts in groups.items():
        alike = len({frozenset(line.model for line in part.lines if line.kind == "model") for part in parts}) == 1
        for title, own in [(p.task, [p]) for p in parts] if alike else [(task, parts)]:
            lines = [line for part in own for line in part.lines]
            failed = fairness.unnumbered(stored, [part.task for part in own])
            yield Comparison(words.task(title) + more, own, checklist(lines, failed))


def _asked(task: str, asked: str) -> bool:
    return not asked or asked in (task, base(task), words.task(task))


def _nothing(stored: Stored, asked: str) -> str:
    known = [t for t in stored.tasks if any(row.result.probe == "quality" for row in stored.by_task.get(t, ()))]
    if not known:
        return "no trained model gave a number in these runs; `seqbench run quick` makes some"
    names = words.several([repr(words.clean(task)) for task in known], "or", most=12)
    return f"--task {words.clean(asked)}: these runs have no such task; expected {names}"


def _demand(one: Comparison) -> None:
    """Raises ReportError for the first item that makes a comparison unfair."""
    item = fairness.broken(one.items)
    if item:
        parts = [repr(words.clean(part.task)) for part in one.tables]
        named = len(parts) > 1 and "--task" in item.mend
        mend = item.mend + (f" ({words.several(parts, 'or')})" if named else "")
        raise ReportError(f"{one.title} is no fair comparison: {item.name}: {item.said}; {mend}")


def _unlike(found: Iterable[Comparison]) -> list[str]:
    """ "threads 1 and 2"."""
    rows = [row for one in found for part in one.tables for line in part.lines for row in line.rows]
    models = {id(row.result.environment): row.result.environment for row in rows if row.result.probe == "quality"}
    told = [_facts(environment) for environment in models.values()]
    return [f"{key} {_values(told, key)}" for key in differing(told)]


def _facts(environment: dict[str, Any]) -> dict[str, str]:
    libraries = environment.get("libraries")
    named = {key: environment[key] for key in ALONE if key in environment}
    named |= {str(key): value for key, value in libraries.items()} if isinstance(libraries, dict) else {}
    return {words.cut(words.clean(key), 40): words.cut(words.clean(str(value)), 60) for key, value in named.items()}


def _values(told: Sequence[dict[str, str]], key: str) -> str:
    return words.several([*dict.fromkeys(one.get(key, "not told") for one in told)], most=SHOWN)


# As text


def text(found: Compared) -> str:
    """What a person reads."""
    blocks = [[f"The trials ran in unlike environments: {'; '.join(found.unlike)}."]] if found.unlike else []
    blocks += [[*_told(one)] for one in found.comparisons]
    return "\n\n".join("\n".join(block) for block in blocks)


def _told(one: Comparison) -> Iterator[str]:
    said = fairness.face(one.items)
    for part in one.tables:
        models = [line for line in part.lines if line.kind == "model"]
        yield f"{one.title if len(one.tables) == 1 else words.task(part.task)}: {words.headed(models[0].metric)}"
        yield from [f"! {said}"] if said else []
        yield from ["! Models in another table are not compared with these."] if len(one.tables) > 1 else []
        yield from aligned([_standing(place, line) for place, line in enumerate(models, 1)], right=(0, 2))
        yield from [_floor(part.lines)] if len(models) < len(part.lines) else []
        yield ""
        yield from _pairs(part.pairs) if part.pairs else ["One model: nothing to compare it with."]
        yield ""
    yield f"{fairness.TITLE}: {fairness.counted(one.items)}"
    yield from fairness.texts(one.items)


def _standing(place: int, line: Line) -> list[str]:
    seeds = [str(row.result.seed) for row in line.rows]
    said = f"seed{'s' if len(seeds) > 1 else ''} {words.several(seeds, most=12)}"
    return [
        str(place), line.name, words.number(line.value, line.metric), _interval(line.interval, line.metric),
        f"n = {len(seeds)} ({said})", summary.warning(line),
    ]  # fmt: skip


def _interval(span: Interval | None, metric: str) -> str:
    return f"[{within(span, metric)}] over {span.n:,} {span.over}" if span else "no interval"


def _floor(lines: Sequence[Line]) -> str:
    best = next(line for line in lines if line.kind == "floor")
    return f"  the best floor, {best.name}: {words.number(best.value, best.metric)}"


def _pairs(found: Sequence[Pair]) -> Iterator[str]:
    tested = words.plural(sum(pair.p is not None for pair in found), "test")
    yield f"Two by two: difference, 95 % interval of each by itself, p corrected by Holm over {tested}"
    yield from aligned([_pair(pair) for pair in found], right=(1,))
    settling: dict[str, list[str]] = {}
    for pair in found:
        if pair.verdict != LEADS:
            settling.setdefault(pair.settled_by(), []).append(f"{pair.better.name} over {pair.worse.name}")
    yield from (f"  {'; '.join(_first(named))}: {said}." for said, named in settling.items())


def _first(names: list[str], most: int = 2) -> list[str]:
    return names if len(names) <= most + 1 else [*names[:most], f"and {len(names) - most} more"]


def _pair(pair: Pair) -> list[str]:
    metric, span = pair.better.metric, pair.span
    over = "seed pairs" if max(len(pair.better.rows), len(pair.worse.rows)) > 1 else "items"
    return [
        f"{pair.better.name} over {pair.worse.name}",
        words.number(pair.gap, metric),
        f"[{within(span, metric)}] over {span.over}" if span else "no interval",
        "" if pair.p is None else "p < 0.001" if pair.p < 0.001 else f"p = {pair.p:.3f}",
        "" if pair.effect is None else f"more in {100 * pair.effect:.0f} % of {over}",
        pair.verdict,
    ]  # fmt: skip


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int]) -> Iterator[str]:
    """Cells in columns, those of `right` to the right."""
    widths = [max(map(len, column), default=0) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield f"  {'  '.join(cells)}".rstrip()


# As JSON


def as_json(found: Compared) -> str:
    """The same for a program."""
    told = {"runs": [*found.runs], "unlike": [*found.unlike], "comparisons": [_plain(one) for one in found.comparisons]}
    return json.dumps(finite(told), indent=2, ensure_ascii=False, allow_nan=False)


def finite(told: Any) -> Any:
    """JSON has no infinity: scores near the largest number that there is have sums beyond it."""
    if isinstance(told, dict):
        return {key: finite(value) for key, value in told.items()}
    if isinstance(told, list):
        return [finite(value) for value in told]
    return None if isinstance(told, float) and not math.isfinite(told) else told


def _plain(one: Comparison) -> dict[str, Any]:
    return {
        "title": one.title,
        "fair": fairness.broken(one.items) is None,
        "note": fairness.face(one.items),
        "tables": [
            {
                "task": part.task,
                "metric": part.lines[0].metric,
                "lines": [_plain_line(line) for line in part.lines],
                "pairs": [_plain_pair(pair) for pair in part.pairs],
            }
            for part in one.tables
        ],
        "checklist": fairness.as_plain(one.items),
    }


def _plain_line(line: Line) -> dict[str, Any]:
    return {
        "kind": line.kind, "model": line.model, "name": line.name, "value": line.value,
        "interval": _plain_span(line.interval), "seeds": [row.result.seed for row in line.rows],
        "values": [*line.values],
    }  # fmt: skip


def _plain_pair(pair: Pair) -> dict[str, Any]:
    return {
        "better": pair.better.name, "worse": pair.worse.name, "difference": pair.gap,
        "interval": _plain_span(pair.span), "p_holm": pair.p, "superiority": pair.effect, "verdict": pair.verdict,
        "settled_by": pair.settled_by(),
    }  # fmt: skip


def _plain_span(span: Interval | None) -> dict[str, Any] | None:
    return dataclasses.asdict(span) if span else None
