"""Reproduction: numbers that others published beside ours, which come from stored rows alone."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from bench.statistics import Interval, over_seeds
from reports import words
from reports.parts import Cell, Limits, Section, Table
from reports.rows.fields import number
from reports.rows.settings import base, settings
from reports.rows.stored import Row, Stored, finished, group
from reports.sections.literature import GRU, PUBLISHED, Published, Taken

REPRODUCED, BELOW, ABOVE, UNDECIDED = "reproduced", "below", "above", "undecided"
INCOMPARABLE, ABSENT = "not comparable", "not run"
VERDICTS = REPRODUCED, BELOW, ABOVE, UNDECIDED, INCOMPARABLE, ABSENT
EXPLAINED = (
    "Each entry states its tolerance. A number is reproduced where all of our 95 % interval over seeds (with one seed, "
    "our number) lies within the tolerance of the published one; it is below or above where all of it lies outside on "
    "that side, and undecided where it reaches over the edge. Where the published number is the best of several seeds, "
    "the best of ours is held against it. What differs too much to be judged is not comparable, and shown all the same."
)
ABSURD = 1e12  # no number of ours is as large
OWN_GRU = re.compile(r"(?:^|[/\\:])gru(?:\.py)?$", re.IGNORECASE)  # somebody's file, with its folder or without
SLACK = 1e-9  # what an edge of the tolerance may be missed by, for rounding in the last digit
Found = list[tuple[Row, Taken]]


@dataclasses.dataclass(frozen=True)
class Reproduction:
    """A published number with ours, one value a seed, and what comes of comparing them."""

    published: Published
    verdict: str
    reason: str = ""
    values: tuple[float, ...] = ()
    settings: str = ""
    metric: str = ""  # of ours, where it is not the published one

    @property
    def best(self) -> float:
        """The best of our seeds."""
        return (min if self.published.lower else max)(self.values)

    @property
    def interval(self) -> Interval | None:
        """95 % interval over our seeds, without values that the metric cannot have; None for one seed."""
        return _interval(self.published, self.values)


def reproduced(stored: Stored, published: Sequence[Published] | None = None) -> list[Reproduction]:
    """Every published number in reading order, with what the stored rows say to it."""
    rows: dict[tuple[str, str, str], list[Row]] = {}
    for row in stored.rows:
        if finished(row):
            rows.setdefault((row.result.probe, base(row.result.task), _called(row.result.model)), []).append(row)
    return [_one(p, rows) for p in (PUBLISHED if published is None else published)]


def _called(model: str) -> str:
    """A model's name; one name for every GRU, which is always somebody's file."""
    return GRU if OWN_GRU.search(model) else model


def _one(published: Published, rows: dict[tuple[str, str, str], list[Row]]) -> Reproduction:
    ours, found = published.ours, Found()
    if ours:
        own = rows.get((ours.probe, ours.task, ours.model), [])
        found = [(row, taken) for row in own if (taken := ours.take(row)) and abs(taken.value) < ABSURD]
    if not found:
        return Reproduction(published, ABSENT)
    group, groups = _chosen([(row, taken) for row, taken in found if not taken.unlike] or found)
    values, unlike = tuple(taken.value for _, taken in group), group[0][1].unlike
    verdict, reason = (INCOMPARABLE, unlike) if unlike else judged(published, values)
    told = _settings(group[0][0]) + (f"; of {groups} such settings that with most seeds" if groups > 1 else "")
    metric = group[0][1].metric or (ours.metric if ours else "")
    return Reproduction(published, verdict, reason, values, told, metric)


def judged(published: Published, values: Sequence[float]) -> tuple[str, str]:
    """The verdict over values, one a seed, and its reason."""
    low, high = published.low - published.tolerance - SLACK, published.high + published.tolerance + SLACK
    best = (min if published.lower else max)(values)  # the only one, or what the best of others is held against
    span = None if published.best_of > 1 else _interval(published, values)
    least, most = (span.low, span.high) if span else (best, best)
    if low <= least and most <= high:
        return REPRODUCED, ""
    if not (most < low or least > high):
        return UNDECIDED, "our interval reaches over the edge of the tolerance: more seeds would tell"
    verdict = BELOW if most < low else ABOVE
    better = (verdict == BELOW) == published.lower
    if not better and len(values) < published.best_of:
        seeds = words.plural(len(values), "seed")
        return INCOMPARABLE, f"published is the best of {published.best_of} seeds, ours of {seeds}, and it is worse"
    return verdict, f"which is {'better' if better else 'worse'}"


def _interval(published: Published, values: Sequence[float]) -> Interval | None:
    span = over_seeds(values)
    if span is None:
        return None
    return dataclasses.replace(span, low=max(span.low, 0.0), high=min(span.high, published.most))


def _chosen(found: Found) -> tuple[Found, int]:
    """Of the settings those with most seeds, then most updates, then the latest, whatever they score; and how many.

    One row a seed, the latest.
    """
    groups: dict[str, dict[int, tuple[Row, Taken]]] = {}
    for row, taken in found:
        told = {k: v for k, v in settings(row.result).items() if not k.startswith("notes.")}
        groups.setdefault(json.dumps([told, taken.unlike], sort_keys=True), {})[row.result.seed] = (row, taken)
    ranked = [(len(own), _updates(next(iter(own.values()))[0]), place) for place, own in enumerate(groups.values())]
    return list([*groups.values()][max(ranked)[2]].values()), len(groups)


def _updates(row: Row) -> float:
    return number(row.result.budget.get("updates")) or 0.0


def _settings(row: Row) -> str:
    """What a reader needs to judge a row, in short."""
    model, probe, parameters = group(row, "model"), group(row, "probe"), row.result.metrics.get("parameters_total")
    sizes = ((name, number(model.get(name))) for name in ("width", "hidden", "units", "layers"))
    said = [f"{name} {size:,.10g}" for name, size in sizes if size is not None]
    said += [f"{words.amount(parameters)} parameters"] if parameters is not None else []
    if _updates(row):
        said.append(f"{words.count(_updates(row))} updates")
    rates = probe.get("rates")
    numbers = [n for rate in (rates if isinstance(rates, list) else []) if (n := number(rate)) is not None]
    said += [f"best of rates {words.listed([f'{n:g}' for n in numbers])}"] if len(numbers) > 1 else []
    vocabulary = number(group(row, "task").get("vocabulary"))
    said += [f"vocabulary {vocabulary:,.10g}"] if vocabulary is not None else []
    said += [_asked(row), words.clean(str(row.result.environment.get("device") or ""))[:40]]
    return words.cut(", ".join(s for s in said if s), 200)


def _asked(row: Row) -> str:
    """The lengths beyond those of training that a row was asked about: few, where the published mean is over all."""
    trained = number(group(row, "task").get("length"))
    if row.result.probe != "extrapolate" or trained is None:
        return ""
    lengths = sorted({p["length"] for p in row.result.curve if "length" in p and p["length"] > trained})
    return f"asked at {words.several([words.count(n) for n in lengths], most=6)}" if lengths else ""


def explained(stored: Stored) -> str:
    """How the comparison came out, in a sentence, and how it was made."""
    return f"{_counted(reproduced(stored))} {EXPLAINED}"


def _counted(found: Sequence[Reproduction]) -> str:
    counts = Counter(one.verdict for one in found)
    said = [f"{counts[verdict]} {'is' if counts[verdict] == 1 else 'are'} {verdict}" for verdict in VERDICTS]
    told = [s for s, verdict in zip(said, VERDICTS, strict=True) if counts[verdict]]
    return f"Of {words.plural(len(found), 'published number')} {words.listed(told)}."


def sections(stored: Stored, most: Limits) -> list[Section]:
    """A table a topic; none at all where no stored row answers any published number."""
    found = reproduced(stored)
    if all(one.verdict == ABSENT for one in found):
        return []
    topics = dict.fromkeys(one.published.topic for one in found)
    found.sort(key=lambda one: one.verdict == ABSENT)  # what has an answer comes first, as published otherwise
    return [Section(t, tables=(_table(t, [one for one in found if one.published.topic == t]),)) for t in topics]


def _table(topic: str, found: Sequence[Reproduction]) -> Table:
    columns = ("what", "published", "ours", "verdict", "settings of ours", "source")
    rows = tuple(_cells(one) for one in found)
    return Table(f"{topic}: published numbers and ours", columns, rows, numbers=(False,) * len(columns), prose=True)


def _cells(one: Reproduction) -> tuple[Cell, ...]:
    published = one.published
    asked = f"{published.asked}; " if published.asked else ""
    tolerance = f"; tolerance {published.tolerance:g}" if published.ours else ""
    return (
        Cell(published.what),
        Cell(published.told, note=f"{asked}{published.metric}{tolerance}"),
        _ours(one),
        Cell(
            one.verdict,
            note=one.reason or (lacks(published) if one.verdict == ABSENT else ""),
            strong=one.verdict == REPRODUCED,
        ),
        Cell(one.settings or "–"),
        Cell(published.source),
    )


def lacks(published: Published) -> str:
    """What it would take to run it."""
    return "; ".join(s for s in (published.missing, published.command) if s)


def _ours(one: Reproduction) -> Cell:
    """Our number with n and interval; the best of the seeds where the published one is such a best, then the mean."""
    if not one.values:
        return Cell("–")
    other = one.metric
    write = words.significant if one.published.lower and not other else words.number
    mean, span, n = float(np.mean(one.values)), one.interval, len(one.values)
    told = (f"{write(span.low)}–{write(span.high)}, " if span else "") + f"n = {n}" + (f"; {other}" if other else "")
    if one.published.best_of == 1 or n == 1:
        return Cell(write(mean), note=told)
    return Cell(write(one.best), note=f"best of {n}; mean {write(mean)}, {told}")
