"""Runs as tidy pandas tables: the one frame behind results.csv and results.parquet, and what `load` returns."""

from __future__ import annotations

import csv
import functools
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from bench.record import Result
from reports import words
from reports.rows.private import placeless
from reports.rows.settings import command, machine, own_data, settings, variant, way
from reports.rows.stored import Row, Stored, finished, gather
from reports.scores import tables
from reports.scores.tables import Line
from reports.sections import speed

MOST = 200  # metrics in a file, and settings, so that its size grows with the rows alone
PIECE, ROWS = 2**20, 4096  # letters and rows of a file that are held at once
FORMULA = r"=+\-@\uff1d\uff0b\uff0d\uff20"  # what a formula begins with, as in a set of letters
LONGEST = 4000  # letters of a text in a file
LOW, HIGH = "_low", "_high"  # ends of the interval of a measurement
WHOLE = 2**63  # the first whole number that a column cannot hold

COLUMNS = {
    "trials": {
        "task": "the task; its settings follow where it was run with several",
        "probe": 'what was measured: "quality", "floor" (an answer that needs no model), "throughput", ...',
        "model": "the model's own name; a floor's name where probe is floor",
        "seed": "of initial weights and of the order of data",
        "status": '"ok", "failed", "diverged" or "skipped"',
        "main": "the metric that heads the tables",
        "reason": "why there is no number",
        "value": "the main metric on the test split; empty where there is none",
        "run": "the folder",
        "suite": "the suite that it was run for",
        "data": "last name of the folder of one's own data; empty for data that come with seqbench",
        "device": "cpu, or the GPU's name",
        "threads": "threads of the processor",
        "time": "when it ended, UTC",
        "id": "names the trial: a checksum of all that determines it",
        "command": "repeats this trial",
        "METRIC": "one column a metric, by its own name; seconds, bytes and tokens a second where the name says so",
        "setting.GROUP.NAME": "one column a setting, as text: setting.model.hidden, setting.budget.updates, ...",
    },
    "scores": {
        "task": "the task",
        "kind": '"model" or "floor"',
        "model": "its own name",
        "name": "its name for people, with the settings that tell it from others of its model",
        "metric": "the task's main metric",
        "value": "mean over the seeds, test split",
        "low": "lower end of the 95 % interval; empty where nothing is there to compute one from",
        "high": "upper end",
        "interval_over": 'what the interval is over: "seeds", "test items" or both',
        "seeds": "seeds that gave a number",
        "failed": "seeds that gave none",
        "below": "floors that score more",
        "METRIC": "one column a metric: its mean over the seeds",
    },
    "curves": {
        "task": "the task",
        "model": "its own name",
        "name": "its name for people",
        "seed": "the seed",
        "value": "the main metric on validation",
        "updates": "updates done by then",
        "flops": "operations done by then, by the model's own formula",
        "seconds": "on the training clock, evaluation left out",
        "METRIC": "the main metric once more, by its own name",
    },
    "answers": {
        "task": "the task",
        "model": "its own name",
        "name": "its name for people",
        "seed": "the seed",
        "item": "place of the item in the test split",
        "source": "what was asked; empty where it is a picture",
        "reference": "the right answer",
        "answer": "what the model wrote",
        "METRIC": "one column a score of the item",
    },
    "speed": {
        "probe": '"throughput", "parallelism" or "scaling"',
        "task": "the task",
        "model": "its own name",
        "name": "its name for people, with the settings that tell it apart",
        "batch": "items of a training step",
        "device": "cpu, or the GPU's name",
        "threads": "threads of the processor",
        "metric": "what was measured: seconds, bytes or tokens a second where the name says so",
        "value": "the median over rounds",
        "low": "lower end of its 95 % interval; empty where none was measured",
        "high": "upper end",
        "company": "whether another process was busy meanwhile",
    },
    "scaling": {
        "task": "the task",
        "model": "its own name",
        "name": "its name for people, with the settings that tell it apart",
        "batch": "items of a step",
        "device": "cpu, or the GPU's name",
        "threads": "threads of the processor",
        "length": "source and target, tokens",
        "step_seconds": "a training step: median, and both ends of its 95 % interval",
        "step_low": "",
        "step_high": "",
        "step_bytes": "peak memory of a step: the middle of three passes, the least and the most",
        "step_bytes_low": "",
        "step_bytes_high": "",
        "flops": "operations of a step, by the model's formula",
        "moved_bytes": "bytes that the operators of a step read and wrote; empty where they were not counted",
        "rounds": "rounds that the times are medians of",
        "growth": "times as long as half of it, both taking turns: median, and both ends of its 95 % interval",
        "growth_low": "",
        "growth_high": "",
        "generate_seconds": "writing an answer of this length: median, and both ends of its 95 % interval",
        "generate_low": "",
        "generate_high": "",
        "company": "whether another process was busy meanwhile",
    },
    "long": {
        "probe": '"span", "extrapolate", "gradients", "by_length" or "data_curve"',
        "variant": "the variant of the suite",
        "task": "the task",
        "model": "its own name",
        "seed": "the seed",
        "METRIC": "one column a number of the point: length, score, distance, stage, log10_norm, examples, ...",
    },
    "claims": {
        "claim": "the claim's short name",
        "statement": "the claim, in words",
        "verdict": '"supported", "contradicted", "negligible", "inconclusive" or "not measured"',
        "part": "one of the effects that it rests on; empty where the suite does not measure the claim yet",
        "part_verdict": "the verdict of that effect",
        "beside": "whether the effect is only shown beside the others, and decides nothing",
        "value": "the effect",
        "low": "lower end of its 95 % interval",
        "high": "upper end",
        "interval_over": "what the interval is over: seeds, test items, rounds",
        "least": "the smallest effect worth naming",
        "none": "what no effect would be: 0 of a difference, 1 of a ratio",
        "unit": "the effect's unit",
        "lacks": "what is missing, where there is no effect",
        "command": "what would measure it",
    },
}  # fmt: skip


class Runs:
    """What some runs hold, as tidy tables that are made when asked for; `about` says what each column is.

    Ours are `trials` (a row a trial, failed ones too), `scores` (a row a model and task, with its interval), `curves`
    (a row an evaluation), `answers` (a row an answer), `speed` (a row a measured number), `scaling` (a row a length),
    `long` (a row a point) and `claims` (a row an effect). The figures take such tables: `reports.figures.quality` and
    `cost` one task's `scores`, `reports.figures.learning` one task's `curves`; each returns a matplotlib figure.
    """

    def __init__(self, stored: Stored, names: Sequence[str]) -> None:
        self.stored, self.names = stored, tuple(names)

    @cached_property
    def lines(self) -> dict[str, list[Line]]:
        """Models of each task from best to worst, then its floors."""
        return {task: tables.lines(self.stored, task) for task in self.stored.tasks}

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a trial, one column a metric and a setting."""
        return trials(self.stored)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row a model (in one configuration) or floor on a task: its main score with a 95 % interval."""
        return _frame("scores", (tables.comparison(own) for own in self.lines.values() if own))

    @cached_property
    def curves(self) -> pd.DataFrame:
        """One row an evaluation on validation, and where training then stood."""
        return _frame("curves", (tables.curves(own) for own in self.lines.values()))

    @cached_property
    def answers(self) -> pd.DataFrame:
        """One row an answer to an item of the test split, where answers are stored."""
        rows = [record for own in self.lines.values() for line in own for record in _answers(line)]
        return _frame("answers", [pd.DataFrame(rows)])

    @cached_property
    def speed(self) -> pd.DataFrame:
        """One row a measured number of throughput, parallelism and scaling, with its 95 % interval."""
        rows = [record for one, of in _measured(self.stored) for record in _numbers(one, of)]
        return _frame("speed", [pd.DataFrame(rows)])

    @cached_property
    def scaling(self) -> pd.DataFrame:
        """One row a length at which a model was timed."""
        found = ((one, of) for one, of in _measured(self.stored) if of["probe"] == "scaling")
        rows = [
            {**{k: v for k, v in of.items() if k != "probe"}, **point, "company": not one.clean}
            for one, of in found
            for point in one.row.result.curve
        ]
        return _frame("scaling", [pd.DataFrame(rows)])

    @cached_property
    def long(self) -> pd.DataFrame:
        """One row a point of memory spans, extrapolation, gradients, lengths and amounts of data."""
        rows = [
            point | {"probe": r.probe, "variant": variant(r), "task": r.task, "model": r.model, "seed": r.seed}
            for r in (row.result for row in self.stored.long if finished(row))
            for point in r.curve
        ]
        return _frame("long", [pd.DataFrame(rows)])

    @cached_property
    def claims(self) -> pd.DataFrame:
        """One row an effect that a claim rests on, measured or not, or a claim that the suite does not measure yet."""
        from reports import claims
        from reports.sections import on_trial

        return _frame("claims", [pd.DataFrame(on_trial.records(claims.tried(self.stored)))])

    @property
    def about(self) -> pd.DataFrame:
        """What each column of each table is; METRIC, GROUP and NAME stand for names of the runs' own."""
        rows = [(table, column, what) for table, own in COLUMNS.items() for column, what in own.items()]
        return pd.DataFrame(rows, columns=["table", "column", "what"])

    def __repr__(self) -> str:
        return f"<{words.several(self.names)}: {_counted(self.stored)}; tables {', '.join(COLUMNS)}>"

    def _repr_html_(self) -> str:
        from reports.notebook import shown

        return shown(self.lines, self.stored, self.names, _counted(self.stored))


def load(*runs: str | Path) -> Runs:
    """Runs as tidy tables, from folders that `seqbench run` wrote. Raises ReportError and RecordError."""
    folders = [Path(run) for run in runs]
    return Runs(gather(folders), [words.clean(folder.resolve().name) for folder in folders])


def _counted(stored: Stored) -> str:
    rows = words.plural(len(stored.rows), "row")
    models = len({row.result.model for row in stored.rows if row.result.probe != "floor"})
    return f"{rows}, {words.plural(models, 'model')}, {words.plural(len(stored.tasks), 'task')}"


def _frame(table: str, frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """The frames one below the other, the documented columns first, there also where no row is."""
    full = [frame for frame in frames if len(frame)]
    found = pd.concat(full, ignore_index=True) if full else pd.DataFrame()
    told = [column for column in COLUMNS[table] if not column.isupper()]
    return found.reindex(columns=[*told, *(column for column in found.columns if column not in told)])


def _answers(line: Line) -> Iterator[dict[str, object]]:
    for row in line.rows if line.kind == "model" else ():
        held = "answers" in vars(row)
        for one in row.answers:
            told = {"task": line.task, "model": line.model, "name": line.name, "seed": row.result.seed}
            told |= {"item": one.item, "source": one.source, "reference": one.reference, "answer": one.answer}
            yield told | {name: value for name, value in one.scores.items() if name not in told}
        if not held:  # the texts of all seeds would fill the memory twice
            vars(row).pop("answers", None)


def _measured(stored: Stored) -> Iterator[tuple[speed.Measured, dict[str, object]]]:
    """Each measurement of speed, and what says which it is."""
    for probe in ("throughput", "parallelism", "scaling"):
        for task, rows in speed.measured(stored, probe).items():
            for one in speed.named(rows):
                batch, of = one.row.result.config.get("batch"), machine(one.row.result)
                yield one, {"probe": probe, "task": task, "model": one.model, "name": one.name, "batch": batch, **of}


def _numbers(one: speed.Measured, of: dict[str, object]) -> Iterator[dict[str, object]]:
    metrics = one.row.result.metrics
    for name, value in metrics.items():
        ends = name.removesuffix(LOW).removesuffix(HIGH)
        if (ends != name and ends in metrics) or name in ("company", "had_company"):
            continue
        low, high = one.bounds(name) or (math.nan, math.nan)
        yield of | {"metric": name, "value": value, "low": low, "high": high, "company": not one.clean}


# One row a trial


def trials(stored: Stored, most: int | None = None) -> pd.DataFrame:
    """One row a trial, one column a metric and a setting, at most so many of each."""
    results = [row.result for row in stored.rows]
    told = _settings(results)
    frame = pd.DataFrame(_plain(stored.rows))
    metrics = [*islice(dict.fromkeys(name for r in results for name in r.metrics), most)]
    keys = [*islice(dict.fromkeys(key for one in told for key in one), most)]
    measured = {_text(name): [r.metrics.get(name, math.nan) for r in results] for name in metrics}
    set_to = {f"setting.{_text(key)}": [_setting(one.get(key)) for one in told] for key in keys}
    own = {name: column for name, column in (measured | set_to).items() if name not in frame}  # takes nobody's place
    return pd.concat([frame, pd.DataFrame(own, index=frame.index)], axis=1)


def _plain(rows: Sequence[Row]) -> Iterator[dict[str, object]]:
    runs = {run: _text(run.resolve().name) for run in {row.run for row in rows}}
    for row in rows:
        r = row.result
        yield {
            **{name: _text(getattr(r, name)) for name in ("task", "probe", "model")},
            "seed": r.seed if abs(r.seed) < WHOLE else -1,
            **{name: _text(getattr(r, name)) for name in ("status", "main", "reason")},
            "value": r.metrics.get(r.main, math.nan) if finished(row) else math.nan,
            "run": runs[row.run],
            "suite": _text(r.suite),
            "data": _text(own_data(r)),
            **{name: _text(str(value)) for name, value in machine(r).items()},
            "time": _text(r.time),
            "id": _text(r.id),
            "command": _text(command(r)),
        }


@functools.lru_cache(maxsize=4096)  # most texts of a row stand in many others
def _text(value: str) -> str:
    return words.clean(placeless(value), LONGEST)


def _setting(value: str | None) -> str | None:
    return None if value is None else _text(value)


def _settings(results: Sequence[Result]) -> list[dict[str, str]]:
    known: dict[tuple[object, ...], dict[str, str]] = {}  # by what they are made of: few, where rows are many
    found = []
    for r in results:
        made = way(r)
        if made not in known:
            known[made] = settings(r)
        found.append(known[made])
    return found


# As files


def spreadsheet(frame: pd.DataFrame) -> Iterator[str]:
    """A frame as CSV, in pieces of whole lines; a text that a spreadsheet would take for a formula is quoted."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_literal(str(name)) for name in frame.columns)
    for start in range(0, len(frame), ROWS):
        piece = frame[start : start + ROWS]
        writer.writerows(zip(*(_cells(piece.iloc[:, place]) for place in range(piece.shape[1])), strict=True))
        if buffer.tell() > PIECE:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _cells(column: pd.Series[Any]) -> list[Any]:
    """A column's cells as they are written: empty where there is nothing."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return ["" if cell != cell else cell for cell in column.tolist()]
    return [_literal(cell) if isinstance(cell, str) else "" if cell != cell else cell for cell in column.tolist()]


@functools.lru_cache(maxsize=4096)
def _literal(text: str) -> str:
    """A text that no spreadsheet takes for a formula, neither where it begins nor where a semicolon parts cells."""
    if ";" in text:
        text = re.sub(rf"(;\s*)([{FORMULA}])", r"\1'\2", text)
    return f"'{text}" if re.match(rf"\s*[{FORMULA}]", text) else text


def parquet(frame: pd.DataFrame) -> bytes:
    """A frame as Parquet: the same bytes for the same frame and versions."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()
