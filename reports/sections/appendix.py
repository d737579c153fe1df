"""The last parts of a page: what failed, on which machine and by which command each number was made, and all as CSV."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from reports import anchors, frames, parts, words
from reports.parts import Cell, Limits, Output, Section, Table
from reports.rows.checked import LONG
from reports.rows.fields import number
from reports.rows.private import placeless
from reports.rows.settings import command, described, own_data, variant
from reports.rows.stored import Row, Stored, finished
from reports.scores import failures
from reports.scores.failures import Rate
from reports.scores.tables import Line

Rows = tuple[tuple[Cell, ...], ...]
Settings = tuple[tuple[str, str], ...]
OVERLAP = ("task", "data", "of validation, also in training", "of test, also in training or validation")
EVERY = " Every trial is in results.csv and results.parquet."


def failed(stored: Stored, most: Limits) -> Section | None:
    """Trials without a number, and artifacts that could not be read; a failure is a row and is shown as one."""
    shown, note = parts.first(stored.unfinished, most.failures, len(stored.unfinished), "trials without a number")
    common = [_reasons(stored, most)] if note else []
    made = (*_rates(stored, most), *common, _trials(shown, note)) if shown else ()
    outputs = tuple(
        Output(_printed(row), words.lines(placeless(row.result.output))) for row in shown if row.result.output.strip()
    )
    problems = list(dict.fromkeys(words.clean(p) for row in stored.rows for p in row.problems))
    damaged = f"Files that could not be read: {words.several(problems, most=20)}." if problems else ""
    said = tuple(_none_of(stored))
    return Section("", tables=made, outputs=outputs, note=damaged, said=said) if made or damaged or said else None


def _none_of(stored: Stored) -> Iterator[str]:
    """That nothing failed, where anything was tried: a part that is missing would leave it open."""
    trials, others = len(stored.trials) + len(stored.long), len(stored.speed) + len(stored.claimed)
    tried = [words.plural(n, what) for n, what in ((trials, "trial"), (others, "measurement")) if n]
    if tried and not stored.unfinished:
        yield f"None of {words.listed(tried)} failed."


def _rates(stored: Stored, most: Limits) -> Iterator[Table]:
    """How often each model came to no number; nothing where none was tried."""
    found = failures.rates(stored)
    shown, note = parts.first(found, most.lines, len(found), "models")
    rows = tuple((Cell(words.model(rate.model)), Cell(rate.said()), *_share(rate)) for rate in shown)
    head = ("model", "trials", "failure rate, %", "95 % interval (Wilson)")
    if rows:
        yield Table("How often a trial of each model failed", head, rows, numbers=(False, False, True, True), note=note)


def _share(rate: Rate) -> tuple[Cell, Cell]:
    span = rate.interval
    if span is None:
        return Cell("–"), Cell("–")
    of = f"{rate.failed:,} of {words.plural(rate.ran, 'trial')} that ran"
    return Cell(f"{100 * rate.failed / rate.ran:.1f}", note=of), Cell(f"{100 * span.low:.1f}–{100 * span.high:.1f}")


def _reasons(stored: Stored, most: Limits) -> Table:
    """What many failures have in common, where they are too many to be shown one by one."""
    found = failures.reasons(stored)
    shown, note = parts.first(found, most.failures, len(found), "reasons")
    rows = tuple((Cell(words.model(m)), Cell(k), Cell(f"{n:,}"), Cell(_reason(r))) for m, k, r, n in shown)
    return Table("Reasons, the most frequent first", ("model", "what", "trials", "reason"), rows, note=note)


def _trials(shown: Iterable[Row], note: str) -> Table:
    rows = tuple(
        (
            Cell(_who(row)),
            Cell(_where(row)),
            Cell(str(row.result.seed)),
            Cell(failures.kind(row)),
            Cell(_reason(row.result.reason)),
            Cell(command(row.result) or "–"),
        )
        for row in shown
    )
    head = ("model", "task", "seed", "what", "reason", "command that repeats it")
    return Table("Trials that gave no number", head, rows, note=note + EVERY if note else "")


def _who(row: Row) -> str:
    return words.floor(row.result.model) if row.result.probe == "floor" else words.model(row.result.model)


def _where(row: Row) -> str:
    """The task, and what was measured there where it is not quality; under which variant of the suite."""
    measured = f", {words.PROBES[row.result.probe]}" if row.result.probe in words.PROBES else ""
    told = words.cut(words.clean(variant(row.result)), 80) if row.result.probe in LONG else ""
    return words.task(row.result.task) + measured + (f" ({told})" if told else "")


def _reason(told: str) -> str:
    return words.clean(placeless(told)) or "no reason was stored"


def _printed(row: Row) -> str:
    what = f"{words.capital(_who(row))} on {words.task(row.result.task).lower()}"
    return f"{what}, seed {row.result.seed}: the last lines that it printed"


def made(stored: Stored, found: Mapping[str, Sequence[Line]], most: Limits) -> list[Section | None]:
    """Machines, signatures, settings and commands."""
    lines = [line for own in found.values() for line in own]
    timed = [
        (words.model(row.result.model), _where(row), row) for row in (*stored.speed, *stored.long) if finished(row)
    ]
    trials = [(line.name, words.task(line.task), row) for line in lines for row in line.rows]
    first = [(line.name, words.task(line.task), line.rows[0]) for line in lines if line.kind == "model"]
    told = _told([*first, *timed[: most.commands]])  # seeds of one configuration have one line
    made = [(name, where, row) for name, where, row in (*trials, *timed) if row.result.command]
    number = sum(bool(row.result.command) for own in stored.by_task.values() for row in own)
    number += sum(bool(row.result.command) for _, _, row in timed)
    shown, note = parts.first((_origin(*one) for one in made), most.commands, number, "commands")
    return [
        _table("Machine and versions", ("", ""), *_environment(stored, most)),
        _table("Own data: items that stand in two splits", OVERLAP, *_overlaps(stored, most)),
        _table("How each score is computed", ("task", "metric", "signature"), *_signatures(stored, most)),
        _table("Settings", ("model", "task", "settings"), told),
        _table(
            "The command that made each number", ("model", "task", "seed", "commit", "machine", "command"),
            tuple(shown), note + EVERY if note else "",
        ),
    ]  # fmt: skip


def _told(configured: Iterable[tuple[str, str, Row]]) -> Rows:
    """A line a configuration, found by those that ran under it."""
    found: dict[tuple[str, str, Settings], str] = {}
    for name, where, row in configured:
        found.setdefault((name, where, _settings(row)), anchors.settings(row))
    return tuple((Cell(name, anchor=at), Cell(where), Cell(_said(told))) for (name, where, told), at in found.items())


def _said(told: Settings) -> str:
    """All settings; one whose value is endless is cut, which takes nothing from the others."""
    return ", ".join(f"{words.clean(name)}={words.clean(value)}" for name, value in told)


def _origin(name: str, where: str, row: Row) -> tuple[Cell, ...]:
    """What made a number: seed, commit, machine and command; the model's name leads on to its settings."""
    told = row.result.environment
    return (
        Cell(name, anchor=anchors.row(row), link=anchors.settings(row)),
        Cell(where),
        Cell(str(row.result.seed)),
        Cell(words.clean(str(told.get("commit") or "–"))[:12]),
        Cell(words.cut(machine(told), 60) or "–"),
        Cell(command(row.result)),
    )


def machine(environment: dict[str, Any]) -> str:
    """ "AMD EPYC (cpu, 2 threads)"."""
    name = words.clean(str(environment.get("processor") or ""))
    more = [words.clean(str(environment["device"]))] if environment.get("device") else []
    more += [words.plural(environment["threads"], "thread")] if isinstance(environment.get("threads"), int) else []
    return f"{name} ({', '.join(more)})" if name and more else name or ", ".join(more)


def _table(title: str, head: tuple[str, ...], rows: Rows, note: str = "") -> Section | None:
    return Section(title, tables=(Table(title, head, rows, note=note),)) if rows else None


def _environment(stored: Stored, most: Limits, values: int = 4) -> tuple[Rows, str]:
    """Every fact about the machines, with all its values where trials ran on several."""
    told: dict[str, dict[str, None]] = {}
    for environment in {id(e): e for e in (row.result.environment for row in stored.rows)}.values():
        for key, value in environment.items():
            told.setdefault(key, {})[words.clean(_spoken(value))] = None
    shown, note = parts.first(told.items(), most.facts, len(told), "facts")
    listed = ((key, [*found][:values] + (["…"] if len(found) > values else [])) for key, found in shown)
    return tuple((Cell(key.replace("_", " ")), Cell("; ".join(found))) for key, found in listed), note


def _overlaps(stored: Stored, most: Limits) -> tuple[Rows, str]:
    """How many items of validation and test an earlier split holds too, of each task on one's own data."""
    found: dict[tuple[str, str, str, str], None] = {}
    for r in (row.result for row in stored.quality):
        told = r.config.get("overlap")
        if isinstance(told, dict) and told:
            counts = (words.count(number(told.get(split))) for split in ("validation", "test"))
            found[words.task(r.task), own_data(r), *counts] = None  # type: ignore[index]
    shown, note = parts.first(found, most.facts, len(found), "tasks")
    return tuple(tuple(Cell(text) for text in entry) for entry in shown), note


def _spoken(value: Any) -> str:
    """A stored value in words: a table of versions as "torch 2.11.0, numpy 2.4.6"."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_spoken(inner)}" for key, inner in value.items())
    return value if isinstance(value, str) else json.dumps(value)


def _signatures(stored: Stored, most: Limits) -> tuple[Rows, str]:
    stored_once = dict.fromkeys(
        (row.result.task, name, signature)
        for row in stored.rows
        for name, signature in row.result.signatures.items()
        if not name.startswith(words.KIND)  # said once, by naming
    )
    found = dict.fromkeys(
        (words.task(task), words.metric(name), words.clean(signature)) for task, name, signature in stored_once
    )
    shown, note = parts.first(found, most.facts, len(found), "signatures")
    return tuple(tuple(Cell(text) for text in entry) for entry in shown), note


def _settings(row: Row) -> Settings:
    said = described(row.result).items()
    if row.result.probe in words.PROBES:  # what was remarked stands beside the numbers
        said = {key: value for key, value in said if not key.startswith("notes.")}.items()
    return tuple((key, placeless(value)) for key, value in said)


def spreadsheet(stored: Stored) -> Iterator[str]:
    """Every trial as a line of CSV: results.csv, as a page carries it."""
    return frames.spreadsheet(frames.trials(stored, frames.MOST))
