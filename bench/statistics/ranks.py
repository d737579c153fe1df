"""Many tasks at once: mean ranks with a critical difference, performance profiles, and time to a target."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from bench.statistics.intervals import LEVEL, Floats, Values

FEWEST_TASKS = 8  # below, ranks of one task weigh so much that no difference of mean ranks is to be trusted
TOO_FEW = "too few tasks"


@dataclasses.dataclass(frozen=True)
class Ranks:
    """Mean ranks over tasks, 1 the best, and how far apart two must be."""

    means: tuple[float, ...]  # in the order of the models
    critical: float
    tasks: int

    def apart(self, one: int, other: int) -> bool:
        """Whether two models, by their places, differ by more than chance among tasks allows for."""
        return abs(self.means[one] - self.means[other]) > self.critical

    def alike(self) -> list[tuple[int, ...]]:
        """The largest groups within which nobody is apart from anybody, best first: the bars of such a diagram."""
        order = sorted(range(len(self.means)), key=lambda place: self.means[place])
        reach = [tuple(m for m in order[k:] if not self.apart(order[k], m)) for k in range(len(order))]
        return [own for k, own in enumerate(reach) if len(own) > 1 and not any({*own} < {*b} for b in reach[:k])]


def ranked(scores: Floats, higher: bool = True, level: float = LEVEL) -> Ranks | str:
    """Mean ranks of models and Nemenyi's critical difference (Demšar, 2006, eq. 6); below eight tasks `TOO_FEW`.

    `scores` is (tasks, models), a model's mean on a task; not a number where it failed, which ranks last. Ties share
    their mean rank. It holds for these models against other tasks of such a sort. Raises ValueError.
    """
    x = _table(scores) * (-1 if higher else 1)
    tasks, models = x.shape
    if tasks < FEWEST_TASKS:
        return TOO_FEW
    means = stats.rankdata(np.where(np.isnan(x), np.inf, x), axis=1).mean(axis=0)
    q = float(stats.studentized_range.ppf(level, models, np.inf)) / math.sqrt(2)
    return Ranks(tuple(float(m) for m in means), q * math.sqrt(models * (models + 1) / (6 * tasks)), tasks)


def profile(costs: Floats, factors: Values) -> Floats:
    """Performance profiles (Dolan & Moré, 2002): on which share of tasks a model costs at most so many times the least.

    `costs` is (tasks, models), all above zero; infinite or not a number where a model failed: within no factor.
    Returns (models, factors). A task on which all failed counts for nobody. Raises ValueError.
    """
    x = np.where(np.isnan(_table(costs)), np.inf, costs)
    if (x <= 0).any():
        raise ValueError("costs of zero or below; expected times or the like, all above zero")
    best = x.min(axis=1, keepdims=True)
    times = np.divide(x, best, out=np.full_like(x, np.inf), where=np.isfinite(best) & np.isfinite(x))
    return np.asarray((times[:, :, None] <= np.asarray(factors, dtype=np.float64)).mean(axis=0), dtype=np.float64)


def first_reached(curve: Sequence[tuple[float, float]], target: float, higher: bool = True) -> float:
    """Where a curve of (seconds or updates, score) first has the target; infinity where it never does."""
    found = (at for at, score in sorted(curve) if (score >= target if higher else score <= target))
    return next(found, math.inf)


def reached(
    curves: Sequence[Sequence[tuple[float, float]]], target: float, by: Values, failed: int = 0, higher: bool = True
) -> Floats:
    """The share of runs that reached a target score by so many seconds or updates, (len(by),).

    Runs that `failed` count and never reach it; of a run that diverged what it had reached before does not count:
    leave its curve out and count it there. Raises ValueError where there is no run.
    """
    runs = len(curves) + failed
    if not runs:
        raise ValueError("no run; expected a curve or a failure")
    times = np.array([first_reached(curve, target, higher) for curve in curves] + [math.inf] * failed)
    return np.asarray((times[:, None] <= np.asarray(by, dtype=np.float64)).mean(axis=0), dtype=np.float64)


def _table(values: Floats) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] < 2 or not len(x):
        raise ValueError(f"scores of shape {x.shape}; expected tasks by models, at least two models")
    return x
