"""Results as tables: every trial in one tidy frame, and each model's line beside the others and the floors."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from bench import statistics
from bench.statistics import Interval
from reports import _bleu, words
from reports.stored import Row, Stored, gather, settings

Means = dict[str, float]
TOLERANCE = 0.02  # a score made again from stored answers is the stored one when nearer than this


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """One model (in one configuration) on one task, over all its seeds; or one floor."""

    kind: str  # "model" or "floor"
    task: str
    model: str
    name: str  # for people; tells configurations of one model apart
    rows: tuple[Row, ...]  # one a seed
    below: tuple[str, ...] = ()  # floors that the model stays below

    @property
    def metric(self) -> str:
        """The task's main metric."""
        return self.rows[0].result.main

    @cached_property
    def means(self) -> Means:
        """Metric -> mean over the seeds that measured it."""
        names = dict.fromkeys(name for row in self.rows for name in row.result.metrics)
        return {n: float(np.mean([r.result.metrics[n] for r in self.rows if n in r.result.metrics])) for n in names}

    @property
    def value(self) -> float:
        """Mean of the main metric over the seeds."""
        return self.means[self.metric]

    @cached_property
    def values(self) -> tuple[float, ...]:
        """The main metric by seed."""
        return tuple(row.result.metrics[self.metric] for row in self.rows)

    @cached_property
    def resamples(self) -> statistics.Floats | None:
        """The main metric over resampled test items, where one seed's answers allow it."""
        if len(self.rows) != 1 or len(self.rows[0].answers) < 2:
            return None
        answers, value = self.rows[0].answers, self.value
        scores = [a.scores[self.metric] for a in answers if self.metric in a.scores]
        if len(scores) == len(answers) and math.isclose(float(np.mean(scores)), value, abs_tol=TOLERANCE):
            return statistics.resampled_means(scores)
        if self.metric == "bleu":
            return _resampled_bleu(self.rows[0], value)
        return None

    @cached_property
    def interval(self) -> Interval | None:
        """95 % interval: over seeds from two on, over test items where there is one seed."""
        if len(self.rows) > 1:
            return _possible(statistics.over_seeds(self.values), self.metric)
        if self.resamples is None:
            return None
        return statistics.interval(self.resamples, len(self.rows[0].answers))


def _possible(span: Interval | None, metric: str) -> Interval | None:
    """The interval without values that no score can have: Student's t does not know where a scale ends."""
    if span is None or metric not in words.SCALE_OF_100:
        return span
    return dataclasses.replace(span, low=max(span.low, 0.0), high=min(span.high, 100.0))


def _resampled_bleu(row: Row, value: float) -> statistics.Floats | None:
    counts = _bleu.counts(row.answers, row.result.signatures.get("bleu", ""))
    if counts is None or not math.isclose(_bleu.corpus(counts.sum(axis=0), len(counts)), value, abs_tol=TOLERANCE):
        return None  # the stored score was made otherwise: an interval of another score would mislead
    return statistics.resampled(counts, _bleu.corpus)


def difference(better: Line, worse: Line) -> Interval | None:
    """Interval of the difference of two lines: Welch over seeds, paired over test items, else None."""
    if len(better.rows) > 1 and len(worse.rows) > 1:
        return statistics.difference_over_seeds(better.values, worse.values)
    first, second = better.resamples, worse.resamples
    if first is None or second is None:
        return None
    items = [[a.item for a in line.rows[0].answers] for line in (better, worse)]
    return statistics.interval(first - second, len(items[0])) if items[0] == items[1] else None


def lines(stored: Stored, task: str) -> list[Line]:
    """Models of a task from best to worst, then its floors from best to worst."""
    floors = [
        Line("floor", task, r.result.model, words.floor(r.result.model), (r,))
        for r in stored.floors
        if r.result.task == task
    ]
    return [*_ranked(_models(stored, task, floors)), *_ranked(floors)]


def _models(stored: Stored, task: str, floors: Sequence[Line]) -> list[Line]:
    groups: dict[tuple[str, str, str], dict[int, Row]] = {}
    for row in stored.quality:
        if row.result.task == task:
            told = str(sorted(settings(row.result).items()))
            # a seed run twice (by two versions of the code, say) is still one seed: the later row stands
            groups.setdefault((row.result.model, row.result.main, told), {})[row.result.seed] = row
    found = []
    for (model, main, _), rows in groups.items():
        seeds = tuple(rows[seed] for seed in sorted(rows))
        alike = [next(iter(g.values())) for key, g in groups.items() if key[0] == model]
        name = words.model(model) + _told_apart(seeds[0], alike)
        value = float(np.mean([r.result.metrics[main] for r in seeds]))
        below = tuple(f.name for f in floors if f.metric == main and value < f.value)
        found.append(Line("model", task, model, name, seeds, below))
    return found


def _ranked(unordered: Sequence[Line]) -> list[Line]:
    return sorted(unordered, key=lambda line: (-line.value, line.name))


def _told_apart(row: Row, alike: Sequence[Row]) -> str:
    """The settings in which a row differs from others of its model, in brackets; nothing where it is alone."""
    mine, others = settings(row.result), [settings(r.result) for r in alike]
    keys = [k for k in dict.fromkeys(k for o in others for k in o) if len({o.get(k, "–") for o in others}) > 1]
    told = [f"{k.rsplit('.', 1)[-1].replace('_', ' ')} {mine.get(k, '–')[:24]}" for k in keys]
    shown = told[:3] + (["…"] if len(told) > 3 else [])
    return f" ({words.clean(', '.join(shown))})" if shown else ""


def load(*runs: Path) -> pd.DataFrame:
    """One row a trial, one column a metric, for one's own analysis. Raises ReportError and RecordError."""
    plain = ("probe", "model", "task", "seed", "status", "reason", "main", "suite", "time", "command", "id")
    stored = gather([Path(run) for run in runs])
    return pd.DataFrame(
        {"run": row.run.resolve().name}
        | {name: getattr(row.result, name) for name in plain}
        | {f"setting.{name}": value for name, value in settings(row.result).items()}
        | row.result.metrics
        for row in stored.rows
    )


def comparison(found: Sequence[Line]) -> pd.DataFrame:
    """One row a line: names, the main metric with its interval, what it stays below, and the mean of every metric."""
    return pd.DataFrame(_record(line) for line in found)


def _record(line: Line) -> dict[str, object]:
    span = line.interval
    return {
        "task": line.task,
        "kind": line.kind,
        "model": line.model,
        "name": line.name,
        "metric": line.metric,
        "value": line.value,
        "low": span.low if span else math.nan,
        "high": span.high if span else math.nan,
        "interval_over": span.over if span else "",
        "seeds": len(line.rows),
        "below": "; ".join(line.below),
        **line.means,
    }


def curves(found: Sequence[Line]) -> pd.DataFrame:
    """One row an evaluation: the task's main metric on validation, and where training then stood."""
    points = []
    for line in found:
        for row in line.rows if line.kind == "model" else ():
            for point in row.result.curve:
                names = {"task": line.task, "model": line.model, "name": line.name, "seed": row.result.seed}
                points.append({**names, **point, "value": point.get(line.metric, math.nan)})
    return pd.DataFrame(points)
