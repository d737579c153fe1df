"""Times and speeds of a cell in two runs: their ratio, its interval and its test."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np

from bench import statistics
from bench.statistics import Planned, Point
from reports import words
from reports.compare.cells import Cell, unlike
from reports.compare.verdicts import FEW, SAME, Difference, Tried, between
from reports.rows.settings import allowed
from reports.scores.tables import Line
from reports.sections.speed import Measured

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


def paced(first: Cell, second: Cell) -> Iterator[Tried]:
    """Seconds of training, or every speed and memory that both measured."""
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
        other_mean / one_mean, notes=unlike(first, second),
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
    return Tried(between(told, dataclasses.replace(span, low=math.exp(span.low), high=math.exp(span.high))), said, test)


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
    found, notes = statistics.ratio(other, one), unlike(first, second)
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
