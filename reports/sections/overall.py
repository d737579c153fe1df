"""Over tasks: models two by two, how soon each comes to a target, and who is ahead on many tasks at once."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from bench.statistics import TOO_FEW, first_reached, profile, ranked
from reports import anchors, words
from reports.figures import overall as drawn
from reports.parts import Cell, Drawing, Section, Table
from reports.rows.settings import base
from reports.scores import tables
from reports.scores.beside import BUSY, busy
from reports.scores.pairs import Pair, within
from reports.scores.tables import Line
from reports.sections import behind

PAIRS = "Two by two"
PAIRED = (
    "The first model of a row scored more. Intervals are 95 %, each by itself, over what they say; p is corrected by "
    "Holm over all pairs of a task. The effect size is the difference in standard deviations of a run (Hedges' g). "
    "The column after it says how often the first scores more: a seed of the one against "
    "a seed of the other (a seed that failed loses), or item by item where each has one seed. "
    '"Not separable" is an answer: what was measured does not tell the two apart.'
)
TARGETS = "Time to a target"
TIMED = (
    "Seconds of training until validation first has nine tenths of the best score that any model of the task came to: "
    "the median over the seeds that got there, and how many did. A seed that failed never gets there. "
    "The figure shows on which share of the tasks a model needs at most so many times the seconds of the fastest."
)
CROWDED = "Where the machine was busy, others used it too: those seconds are too long, in the figure as in the table."
SHARE = 0.9  # of the best score on validation
FACTORS = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 50.0)
RANKS = "Ranks over tasks"
RANKED = (
    "Mean rank over tasks, 1 the best, a model in its best configuration; only models with a score on every task take "
    "part. Two models are apart where their mean ranks differ by more than Nemenyi's critical difference (95 %)."
)
Found = Mapping[str, Sequence[Line]]


def duels(found: Mapping[str, Sequence[Pair]]) -> Iterator[Section]:
    """A table of pairs a task."""
    for task, told in found.items():
        if told:
            head = ("models", "difference", "95 % interval", "p", "effect size", "scores more", "verdict")
            rows = tuple(_pair(pair) for pair in told)
            caption = f"{words.task(task)}: {words.headed(told[0].better.metric)}, models two by two"
            yield Section(words.task(task), tables=(Table(caption, head, rows, numbers=(False, *[True] * 5, False)),))


def _pair(pair: Pair) -> tuple[Cell, ...]:
    metric, span = pair.better.metric, pair.span
    p = "–" if pair.p is None else "< 0.001" if pair.p < 0.001 else f"{pair.p:.3f}"
    cells = (
        Cell(f"{pair.better.name} over {pair.worse.name}"),
        Cell(words.number(pair.gap, metric)),
        Cell(within(span, metric), note=f"over {span.over}") if span else Cell("–"),
        Cell(p),
        Cell(words.number(pair.size.value), note=within(pair.size)) if pair.size else Cell("–"),
        Cell("–" if pair.effect is None else f"{100 * pair.effect:.0f} %", note=_chances(pair)),
        Cell(pair.verdict, strong=pair.verdict == "leads"),
    )
    tip, made = f"{behind.told(pair.better)}. {behind.told(pair.worse)}", anchors.row(pair.better.rows[0])
    return tuple(dataclasses.replace(cell, tip=tip, link=made) for cell in cells)


def _chances(pair: Pair) -> str:
    return f"{100 * pair.beats.low:.0f} to {100 * pair.beats.high:.0f} %" if pair.beats else ""


def targets(found: Found) -> Iterator[Section]:
    """One section for all tasks: seconds to the target, and the profile over tasks from three on."""
    timed = {task: times for task, lines in found.items() if (times := _times(lines))}
    if not timed:
        return
    models = list(dict.fromkeys(name for times in timed.values() for name in times))
    own = {task: {line.model: line for line in _best(found[task])} for task in timed}
    rows = tuple(
        (Cell(words.model(name)), *(_reached(timed[task].get(name), own[task].get(name)) for task in timed))
        for name in models
    )
    head = ("model", *(words.task(task) for task in timed))
    caption = f"Seconds of training to {SHARE:.0%} of the task's best score on validation"
    table = Table(caption, head, rows, numbers=(False, *[True] * len(timed)))
    note = CROWDED if any(busy(line) for lines in own.values() for line in lines.values()) else ""
    yield Section("", tuple(_profile(timed, models)), (table,), note=note)


def _times(lines: Sequence[Line]) -> dict[str, list[float]]:
    """Model -> seconds to the target by seed, in its best configuration; infinity where a seed never got there."""
    ways = {line.model: [_way(line, place) for place in range(len(line.rows))] for line in _best(lines)}
    best = max((score for own in ways.values() for way in own for _, score in way), default=0.0)
    if best <= 0:
        return {}
    failed = {line.model: line.failed for line in _best(lines)}
    return {
        model: [first_reached(way, SHARE * best) for way in own] + [math.inf] * failed[model]
        for model, own in ways.items()
    }


def _models(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if line.kind == "model"]


def _best(lines: Iterable[Line]) -> list[Line]:
    """Each model in its best configuration."""
    return list({line.model: line for line in reversed(_models(lines))}.values())[::-1]


def _way(line: Line, place: int) -> list[tuple[float, float]]:
    points = tables.course(line.rows[place])
    return [(p["seconds"], p[line.metric]) for p in points if "seconds" in p and line.metric in p]


def _reached(times: Sequence[float] | None, line: Line | None) -> Cell:
    """ "12 s (3 of 5)"; "never (0 of 5)"."""
    if not times or line is None:
        return Cell("–")
    there = [t for t in times if math.isfinite(t)]
    seconds = words.seconds(statistics.median(there)) if there else "never"
    note = f"{len(there)} of {words.plural(len(times), 'seed')}"
    warning = BUSY if there and busy(line) else ""
    return Cell(seconds, note=note, warning=warning, tip=behind.told(line), link=anchors.row(line.rows[0]))


def _profile(timed: Mapping[str, Mapping[str, Sequence[float]]], models: Sequence[str]) -> Iterator[Drawing]:
    if len(timed) < 3 or len(models) < 2:
        return
    costs = np.array([[statistics.median(times.get(m, [math.inf])) for m in models] for times in timed.values()])
    shares = profile(np.maximum(costs, 1e-3), FACTORS)
    at = {m: f"{words.model(m)} {100 * own[0]:.0f} %" for m, own in zip(models, shares, strict=True)}
    alt = f"Share of {len(timed)} tasks within a factor of the fastest; fastest itself: {'; '.join(at.values())}"
    yield Drawing(
        drawn.profile(models, FACTORS, shares),
        "profile",
        alt,
        "Share of tasks within so many times the seconds of the fastest; equal lines are drawn a little apart",
    )


def ranks(found: Found) -> Iterator[Section]:
    """Mean ranks; below eight tasks the sentence that they are too few."""
    tasks: dict[str, dict[str, float]] = {}
    for task, lines in found.items():  # of a task that fell into parts the first counts: the others are much like it
        tasks.setdefault(base(task), {line.model: line.value for line in reversed(_models(lines))})
    scores = [*tasks.values()]
    tried = dict.fromkeys(model for own in scores for model in own)
    models = [model for model in tried if all(model in own for own in scores)]
    if len(scores) < 2 or len(models) < 2:
        return
    told = ranked(np.array([[own[model] for model in models] for own in scores]))
    if isinstance(told, str):
        few = words.plural(len(scores), "task")
        yield Section("", said=(f"{words.capital(TOO_FEW)}: {few} were run, and ranks are compared from eight on.",))
        return
    order = sorted(range(len(models)), key=lambda place: told.means[place])
    bars = {place: [str(n) for n, own in enumerate(told.alike(), 1) if place in own] for place in order}
    rows = tuple(
        (Cell(words.model(models[p])), Cell(f"{told.means[p]:.2f}"), Cell(", ".join(bars[p]) or "–")) for p in order
    )
    caption = f"Mean ranks over {told.tasks} tasks; critical difference {told.critical:.2f}"
    table = Table(caption, ("model", "mean rank", "not apart in group"), rows, numbers=(False, True, True))
    yield Section("", tables=(table,))
