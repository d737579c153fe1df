"""Evidence for claims: rows picked by what they ran, and effects with intervals from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from bench import statistics
from bench.statistics import Interval
from reports import words
from reports.rows.settings import base, changed, code, differing, settings, variant
from reports.rows.stored import Row, Stored, finished
from reports.scores import tables
from reports.sections.seeded import seed_curve

LARGEST = 1e15  # of a number that counts, such as bytes
FEWEST = 3  # seeds, below which there is no verdict
ASIDE = ("variant", "notes", "conditions", "threads_used")  # settings that say nothing of what was compared
TIMED = ("parallelism", "scaling", "decoding")  # probes whose numbers are times
BOTH_MODELS = ("model", "learning")  # settings that differ between unlike models


class Lacking(Exception):
    """What no run has measured yet, in a few words."""


class Effect(NamedTuple):
    """An effect with its 95 % interval, what that is over, and the rows behind it."""

    value: float
    low: float
    high: float
    over: str  # "3 seeds", "3 seeds and 869 test items"
    rows: tuple[Row, ...] = ()


class Pick(NamedTuple):
    """Which rows: one model in one variant of a suite, by one probe on one task."""

    model: str
    variant: str
    task: str
    probe: str = "quality"

    def __str__(self) -> str:
        return f"{words.the(words.model(self.model))} in “{self.variant}”"


class Evidence:
    """The rows of some runs, as claims ask for them."""

    def __init__(self, stored: Stored) -> None:
        self.rows: dict[Pick, list[Row]] = {}
        for row in stored.rows:
            r = row.result
            self.rows.setdefault(Pick(r.model, variant(r), base(r.task), r.probe), []).append(row)

    def seeds(self, pick: Pick, fewest: int = FEWEST) -> list[Row]:
        """A row a seed, the latest of each. Raises Lacking where they are too few, unlike or broken."""
        latest: dict[int, Row] = {}
        for row in self.rows.get(pick, ()):
            latest[row.result.seed] = row
        rows = [latest[seed] for seed in sorted(latest)]
        if not rows:
            raise Lacking(f"no run of {pick}")
        if broken := [row for row in rows if not finished(row) and row.result.status != "diverged"]:
            raise Lacking(f"seed {broken[0].result.seed} of {pick} came to no number")
        if len(rows) < fewest:
            raise Lacking(f"{words.plural(len(rows), 'seed')} of {pick}; {fewest} are needed")
        if unlike := _unlike(rows):
            raise Lacking(f"the seeds of {pick} differ in {words.several(unlike)}")
        if pick.probe in TIMED:
            quiet(pick, rows)
        return rows

    def values(self, pick: Pick, of: Callable[[Row], float | None], fewest: int = FEWEST) -> list[float]:
        """One number a seed. Raises Lacking where a seed has none."""
        found = [of(row) for row in self.seeds(pick, fewest)]
        numbers = [n for n in found if n is not None]
        if len(numbers) < len(found):
            raise Lacking(f"{pick} holds no such number for {words.plural(len(found) - len(numbers), 'seed')}")
        return numbers


def _unlike(rows: Sequence[Row]) -> list[str]:
    """Settings in which rows differ; a run that diverged names those alone that it was given."""
    told = [_told(row) for row in rows]
    whole = [one for one, row in zip(told, rows, strict=True) if finished(row)]
    keys = differing(whole) if whole else []
    for one, row in zip(told, rows, strict=True):
        if not finished(row) and whole:
            keys += [key for key, value in one.items() if any(other.get(key, value) != value for other in whole)]
    return [*dict.fromkeys(keys)]


def _told(row: Row) -> dict[str, str]:
    return {k: v for k, v in settings(row.result).items() if k.partition(".")[0] not in ASIDE}


def alike(first: Sequence[Row], second: Sequence[Row], but: Sequence[str]) -> None:
    """Raises Lacking where two groups differ in more than the settings, or groups of settings, in `but`."""
    keys = _unlike([first[0], second[0]])
    others = [key for key in keys if not any(key == name or key.startswith(f"{name}.") for name in but)]
    if others:
        raise Lacking(f"what is compared differs in {words.several(others)} as well")
    if files := changed(code(row.result for row in (*first, *second))):
        raise Lacking(f"what is compared ran through unlike code ({words.several(files, most=3)}): run it again")


def quiet(pick: Pick, rows: Sequence[Row]) -> None:
    """Raises Lacking where others used the machine while times were taken."""
    if busy := [row.result.seed for row in rows if row.result.metrics.get("had_company")]:
        told = f"others used the machine beside seed {busy[0]} of {pick}"
        raise Lacking(f"{told}: run it again on an idle one (--retry all)")


def metric(name: str) -> Callable[[Row], float | None]:
    """A metric of a row."""
    return lambda row: row.result.metrics.get(name)


def main(row: Row) -> float | None:
    """The main score; of a run that diverged nothing is left: zero."""
    return 0.0 if row.result.status == "diverged" else row.result.metrics.get(row.result.main)


def curve(row: Row, along: str, value: str) -> dict[float, float]:
    """A row's numbers by place, of any size: bytes are many."""
    return seed_curve(row, along, value, most=LARGEST)


def at(along: str, place: float, value: str) -> Callable[[Row], float | None]:
    """A curve's number at one place."""
    return lambda row: curve(row, along, value).get(place)


def above(first: Pick, second: Pick, but: Sequence[str]) -> Callable[[Evidence], Effect]:
    """By how much the main score of the first lies above the second's, over seeds, and test items where stored."""

    def measure(evidence: Evidence) -> Effect:
        one, other = evidence.seeds(first), evidence.seeds(second)
        alike(one, other, but)
        if all(finished(row) for row in (*one, *other)):
            better, worse = (tables.Line("model", p.task, p.model, p.model, tuple(rows)) for p, rows in
                             ((first, one), (second, other)))  # fmt: skip
            return told(better.value - worse.value, tables.difference(better, worse), (*one, *other))
        return less(evidence.values(first, main), evidence.values(second, main), (*one, *other))

    return measure


def over(
    first: Pick, second: Pick, of: Callable[[Row], float | None], but: Sequence[str] = BOTH_MODELS
) -> Callable[[Evidence], Effect]:
    """By how much a number of the first lies above the second's, over seeds."""

    def measure(evidence: Evidence) -> Effect:
        one, other = evidence.seeds(first), evidence.seeds(second)
        alike(one, other, but)
        return less(evidence.values(first, of), evidence.values(second, of), (*one, *other))

    return measure


def times(
    first: Pick, second: Pick, of: Callable[[Row], float | None], but: Sequence[str] = BOTH_MODELS
) -> Callable[[Evidence], Effect]:
    """How many times the second's a number of the first is: a ratio of geometric means, over seeds."""
    logarithms = over(first, second, lambda row: logged(of(row)), but)
    return lambda evidence: raised(logarithms(evidence))


def itself(pick: Pick, of: Callable[[Row], float | None]) -> Callable[[Evidence], Effect]:
    """A number of one group, over seeds."""
    return lambda evidence: mean(evidence.values(pick, of), evidence.seeds(pick))


def mean(values: Sequence[float], rows: Sequence[Row]) -> Effect:
    """The mean of one value a seed."""
    return told(float(np.mean(values)), statistics.over_seeds(values), rows)


def less(first: Sequence[float], second: Sequence[float], rows: Sequence[Row]) -> Effect:
    """The difference of two means of one value a seed (Welch)."""
    gap = float(np.mean(first) - np.mean(second))
    return told(gap, statistics.difference_over_seeds(first, second), rows)


def raised(effect: Effect) -> Effect:
    """A difference of logarithms as a ratio."""
    value, low, high = (math.exp(min(n, 700.0)) for n in effect[:3])
    return effect._replace(value=value, low=low, high=high)


def logged(value: float | None) -> float | None:
    """The natural logarithm of a number above zero."""
    return math.log(value) if value is not None and value > 0 else None


def told(value: float, span: Interval | None, rows: Sequence[Row]) -> Effect:
    """A number with its interval. Raises Lacking without one."""
    if span is None:
        raise Lacking("no interval can be told from these rows")
    return Effect(value, span.low, span.high, span.told, tuple(rows))
