"""Results as tables: every trial in one tidy frame, and each model's line beside the others and the floors."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import islice

import numpy as np
import pandas as pd

from bench import statistics
from bench.statistics import Interval
from reports import words
from reports.rows.settings import configuration, data, differing, own_data, settings, variant, way
from reports.rows.stored import Row, Stored
from reports.scores import _corpus, _items
from reports.scores._failed import failures

Means = dict[str, float]
BESIDE = 50  # configurations that are not shown, looked at for settings that tell the shown ones from them
BOUNDS = (0.0, 100.0)  # of scores in `words.SCALE_OF_100`


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """One model (in one configuration) on one task, over all its seeds; or one floor."""

    kind: str  # "model" or "floor"
    task: str
    model: str
    name: str  # for people; no two lines of a task share it
    rows: tuple[Row, ...]  # one a seed
    higher: tuple[tuple[str, float], ...] = ()  # floors that score more, and what they score
    failed: int = 0  # seeds that were tried and came to no number

    @property
    def metric(self) -> str:
        """The task's main metric."""
        return self.rows[0].result.main

    @property
    def below(self) -> tuple[str, ...]:
        """Floors that score more."""
        return tuple(name for name, _ in self.higher)

    @cached_property
    def made(self) -> tuple[Row, ...]:
        """One row of each way in which its trials were made: data, settings, budget, code, machine."""
        ways: dict[object, Row] = {}
        for row in self.rows:  # equal dictionaries are one object, and the seeds are told apart from what they seed
            r = row.result
            told = id(r.made_of), id(r.signatures), r.model, r.main, data(r), own_data(r)
            ways.setdefault((*way(r), *told), row)
        return tuple(ways.values())

    @cached_property
    def undecided(self) -> tuple[str, ...]:
        """Floors that score more, but no more than the interval allows: other items or seeds could turn it round."""
        span = self.interval
        return tuple(name for name, value in self.higher if span and value <= span.high)

    @cached_property
    def means(self) -> Means:
        """Metric -> mean over the seeds that measured it."""
        told = [row.result.metrics for row in self.rows]
        names = dict.fromkeys(name for metrics in told for name in metrics)
        return {name: float(np.mean([metrics[name] for metrics in told if name in metrics])) for name in names}

    @cached_property
    def value(self) -> float:
        """Mean of the main metric over the seeds."""
        return float(np.mean(self.values))

    @cached_property
    def values(self) -> tuple[float, ...]:
        """The main metric by seed."""
        return tuple(row.result.metrics[self.metric] for row in self.rows)

    @property
    def seeds(self) -> str:
        """How many seeds it stands for: "5 seeds"; "4 of 5 seeds" where one failed."""
        tried = words.plural(len(self.rows) + self.failed, "seed")
        return f"{len(self.rows):,} of {tried}" if self.failed else tried

    @cached_property
    def items(self) -> _items.Items | None:
        """The main metric by seed and test item, where the answers of every seed allow it."""
        return _items.items(self.rows, self.metric) if self.kind == "model" else None

    @cached_property
    def resamples(self) -> statistics.Floats | None:
        """The main metric over resampled test items, where one seed's answers allow it."""
        if len(self.rows) != 1 or len(self.rows[0].answers) < 2:
            return None
        answers, value = self.rows[0].answers, self.value
        scores = _items.means(answers, self.metric, value)
        if scores is not None:
            return statistics.resampled_means(scores)
        counts = _items.counts(self.rows[0], answers, self.metric, value)
        return None if counts is None else statistics.resampled(counts, _corpus.OF[self.metric].score)

    @cached_property
    def interval(self) -> Interval | None:
        """95 % interval: over seeds from two on, and items too where answers are stored; of one seed over items."""
        bounds = BOUNDS if self.metric in words.SCALE_OF_100 else None
        if len(self.rows) > 1 and self.items:
            return statistics.over_both(self.items.table, bounds=bounds)
        if len(self.rows) > 1:
            return possible(statistics.over_seeds(self.values), self.metric)
        if self.resamples is None:
            return None
        return statistics.interval(self.resamples, len(self.rows[0].answers))


def possible(span: Interval | None, metric: str) -> Interval | None:
    """The interval without values that no score can have: Student's t does not know where a scale ends."""
    if span is None or metric not in words.SCALE_OF_100:
        return span
    return dataclasses.replace(span, low=max(span.low, BOUNDS[0]), high=min(span.high, BOUNDS[1]))


def difference(better: Line, worse: Line) -> Interval | None:
    """Interval of the difference of two lines, over what both allow for; None where it is nothing.

    Seeds are each line's own, test items are shared: over both, else over seeds (Welch). Where one of them has a single
    seed it is over test items alone, by resampling the same items where both have one.
    """
    fewest = min(len(better.rows), len(worse.rows))
    if max(len(better.rows), len(worse.rows)) > 1:
        first, second = better.items, worse.items
        if first and second and first.which == second.which:
            return statistics.difference_over_both(first.table, second.table)
        return statistics.difference_over_seeds(better.values, worse.values) if fewest > 1 else None
    if better.resamples is None or worse.resamples is None:
        return None
    items = [[a.item for a in line.rows[0].answers] for line in (better, worse)]
    return statistics.interval(better.resamples - worse.resamples, len(items[0])) if items[0] == items[1] else None


@dataclasses.dataclass(frozen=True, eq=False)
class Ranking:
    """The lines of a task that are shown, and how many there are in all."""

    lines: list[Line]  # models from best to worst, then floors from best to worst
    models: int
    floors: int


def lines(stored: Stored, task: str) -> list[Line]:
    """Models of a task from best to worst, then its floors from best to worst."""
    return ranking(stored, task).lines


def ranking(stored: Stored, task: str, most: int | None = None, floors: int | None = None) -> Ranking:
    """The lines of a task, at most so many of models and of floors.

    Where not all have room, the best of each model comes before a second one of any.
    """
    rows = stored.by_task.get(task, [])
    groups, low = _groups(rows), _ranked(_floors(task, [row for row in rows if row.result.probe == "floor"]))
    lost = failures(stored, task, [group.rows for group in groups])
    return Ranking([*_ranked(_models(task, groups, low, most, lost)), *low[:floors]], len(groups), len(low))


@dataclasses.dataclass(frozen=True, eq=False)
class _Group:
    """The seeds of one model in one configuration."""

    model: str
    main: str
    told: str  # all its settings as one text
    rows: tuple[Row, ...]

    @cached_property
    def value(self) -> float:
        return math.fsum(row.result.metrics[self.main] for row in self.rows) / len(self.rows)


def _groups(rows: Sequence[Row]) -> list[_Group]:
    found: dict[tuple[str, str, str], dict[int, Row]] = {}
    known: dict[tuple[object, ...], str] = {}  # by what the settings are made of: few, where rows are many
    for row in rows:
        r = row.result
        if r.probe == "quality":
            made = way(r)
            if made not in known:
                known[made] = configuration(r)
            # a seed run twice (by two versions of the code, say) is still one seed: the later row stands
            found.setdefault((r.model, r.main, known[made]), {})[r.seed] = row
    return [_Group(*key, tuple(seeds[seed] for seed in sorted(seeds))) for key, seeds in found.items()]


def _floors(task: str, rows: Sequence[Row]) -> list[Line]:
    names = words.distinct((words.floor(row.result.model), row.result.model) for row in rows)
    return [Line("floor", task, row.result.model, name, (row,)) for row, name in zip(rows, names, strict=True)]


def _models(
    task: str, groups: list[_Group], floors: Sequence[Line], most: int | None, lost: Sequence[int]
) -> list[Line]:
    chosen, failed = _foremost(groups, most), dict(zip(groups, lost, strict=True))
    found = []
    for group, name in zip(chosen, _names(chosen, groups), strict=True):
        higher = tuple((f.name, f.value) for f in floors if f.metric == group.main and group.value < f.value)
        found.append(Line("model", task, group.model, name, group.rows, higher, failed[group]))
    return found


def _foremost(groups: list[_Group], most: int | None) -> list[_Group]:
    """The best of each model, then the best of the rest; the order is that of the rows."""
    if most is None or len(groups) <= most:
        return groups
    ranked, best = sorted(groups, key=lambda g: (-g.value, g.model, g.told)), dict[str, _Group]()
    for group in ranked:
        best.setdefault(group.model, group)
    leading = {*best.values()}
    chosen = {*[*best.values(), *(g for g in ranked if g not in leading)][:most]}
    return [g for g in groups if g in chosen]


def _ranked(unordered: Sequence[Line]) -> list[Line]:
    return sorted(unordered, key=lambda line: (-line.value, line.name))


def _names(chosen: Sequence[_Group], groups: Sequence[_Group]) -> list[str]:
    """A name for each that is shown, with the settings in which it differs from others of its model; no two alike."""
    shown, apart = {*chosen}, dict[_Group, str]()
    for model in dict.fromkeys(group.model for group in chosen):
        own = [group for group in chosen if group.model == model]
        hidden = (group for group in groups if group.model == model and group not in shown)
        apart |= zip(own, _told_apart(own, [*islice(hidden, BESIDE)]), strict=True)
    return words.distinct((words.model(g.model) + apart[g], str((g.model, g.main, g.told))) for g in chosen)


def _told_apart(shown: Sequence[_Group], hidden: Sequence[_Group], most: int = 3) -> list[str]:
    """The settings in which groups of one model differ, in brackets; nothing for one that is alone."""
    named = [variant(group.rows[0].result) for group in shown]
    if len({*named}) == len(named) > 1 and all(named):  # a suite gave each a name
        return [f" ({words.cut(words.clean(name), 60)})" for name in named]
    told = [_told(group) for group in shown]
    keys = differing([*told, *(_told(group) for group in hidden)])
    said = [[_setting(one, key) for key in keys[:most]] for one in told]
    for place, one in enumerate(told):
        same = [other for other, first in zip(told, said, strict=True) if first[:most] == said[place][:most]]
        more = [key for key in differing(same) if key not in keys[:most]]
        said[place] += [_setting(one, key) for key in more[:most]]
    dots = ["…"] if len(keys) > most else []
    return [f" ({words.clean(', '.join([*own, *dots]))})" if own else "" for own in said]


def _told(group: _Group) -> dict[str, str]:
    return settings(group.rows[0].result) | {"main": group.main}


def _setting(told: dict[str, str], key: str) -> str:
    return f"{key.rsplit('.', 1)[-1].replace('_', ' ')} {words.cut(told.get(key, '–'), 24)}"


def comparison(found: Sequence[Line]) -> pd.DataFrame:
    """One row a line: names, the main metric with its interval, what it stays below, and the mean of every metric."""
    return pd.DataFrame(_record(line) for line in found)


def _record(line: Line) -> dict[str, object]:
    span = line.interval
    told = {
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
        "failed": line.failed,
        "below": "; ".join(line.below),
    }
    return _with_metrics(told, line.means)


def _with_metrics(told: dict[str, object], metrics: Mapping[str, float]) -> dict[str, object]:
    """A record with a column a metric; one that is called "seed" or "name" takes nobody's place."""
    return told | {name: value for name, value in metrics.items() if name not in told}


def curves(found: Sequence[Line], seeds: int | None = None) -> pd.DataFrame:
    """One row an evaluation: the task's main metric on validation, and where training then stood.

    At most so many seeds a line.
    """
    return pd.DataFrame(
        point  # first: a metric may be called "seed" and must not take its place
        | {"task": line.task, "model": line.model, "name": line.name, "seed": row.result.seed}
        | {"value": point.get(line.metric, math.nan)}
        for line in found
        if line.kind == "model"
        for row in line.rows[:seeds]
        for point in course(row)
    )


def course(row: Row) -> list[dict[str, float]]:
    """A row's curve, one point an evaluation.

    Where a rule offered several candidates at once (ridge regression its strengths), the best of them
    is what training came to; the others were thrown away.
    """
    main, best = row.result.main, dict[float, dict[str, float]]()
    for place, point in enumerate(row.result.curve):
        at = point.get("updates", -1.0 - place)  # one that does not say when it was stands for itself
        if at not in best or point.get(main, -math.inf) > best[at].get(main, -math.inf):
            best[at] = point
    return list(best.values())
