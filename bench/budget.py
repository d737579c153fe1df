"""What a budget comes to in updates, and what training uses of it on every axis.

Schedules need the number of updates before the first of them. Updates are given; examples, tokens and operations are
summed over the batches as they will come; seconds are forecast by a few timed updates on a copy that is thrown away.
"""

from __future__ import annotations

import functools
import math
import statistics
import time
from collections.abc import Callable, Iterator

import torch

from bench.learning import Rule
from bench.machine import wait
from bench.trial import Budget
from models import Model
from tasks import BadInput, Batch, Task

Learner = tuple[Model, Rule]
WARMING, TIMED = 4, 12  # updates before, and of, a forecast


class Meter:
    """Counts the floating-point operations of learning by the model's formula; padding does not count."""

    def __init__(self, model: Model, rule: Rule) -> None:
        self.known = bool(model.flops(1, 1))  # a model may state none
        self._of_pair = functools.cache(lambda source, target: rule.flops(model.flops(source, target), target))

    def flops(self, batch: Batch) -> float:
        """Operations of learning from a batch; 0 where the model states none."""
        if not self.known:
            return 0.0
        return sum(map(self._of_pair, batch.source_length.tolist(), batch.target_length.tolist()))


def planned(
    make: Callable[[int], Learner], task: Task, budget: Budget, batch: int, seed: int, device: torch.device
) -> int:
    """The number of updates that a budget comes to, and no more passes than the rule can use. Raises BadInput."""
    axis, amount = budget.asked()
    model, rule = make(1)
    if axis == "updates":
        updates = int(amount)
    elif axis == "seconds":
        updates = affordable(make, task, amount, batch, seed, device)
    else:
        updates = counted(_cost(axis, model, rule), amount, task, batch, seed)
    per_pass = math.ceil(len(task.items("train")) / batch)
    return max(1, updates if rule.passes is None or task.fresh else min(updates, rule.passes * per_pass))


def _cost(axis: str, model: Model, rule: Rule) -> Callable[[Batch], float]:
    """What one batch uses of that axis. Raises BadInput where the model states no operations."""
    if axis == "examples":
        return lambda batch: len(batch.item)
    if axis == "tokens":
        return lambda batch: int(batch.source_length.sum() + batch.target_length.sum())
    meter = Meter(model, rule)
    if not meter.known:
        raise BadInput(f"a budget in flops: {type(model).__name__} states no flops(); give updates or tokens instead")
    return meter.flops


def counted(cost: Callable[[Batch], float], amount: float, task: Task, batch: int, seed: int) -> int:
    """Updates until the batches, in the order in which they come, cost that amount or more."""
    used, updates = 0.0, 0
    if not task.fresh:  # every pass costs the same: only the last one is walked
        passes, amount = _passes(cost, amount, task, batch)
        updates = passes * math.ceil(len(task.items("train")) / batch)
    for one in endless(task, batch, seed, updates):
        if used >= amount:
            break
        used += cost(one)
        updates += 1
    return updates


def _passes(cost: Callable[[Batch], float], amount: float, task: Task, batch: int) -> tuple[int, float]:
    """Whole passes over the data that the amount pays for, and what is left of it."""
    each = sum(cost(one) for one in task.batches("train", batch))
    passes = int(amount // each)
    return passes, amount - passes * each


def affordable(
    make: Callable[[int], Learner], task: Task, seconds: float, batch: int, seed: int, device: torch.device
) -> int:
    """Updates that fit into `seconds`, by the mean of twelve timed ones, after four, on a model that is thrown away."""
    model, rule = make(WARMING + TIMED)
    model.train()
    stream, times = endless(task, batch, seed), []
    for _ in range(WARMING + TIMED):
        wait(device)
        start = time.perf_counter()
        rule.learn(next(stream).to(device))
        wait(device)
        times.append(time.perf_counter() - start)
    return max(1, int(seconds / statistics.fmean(times[WARMING:])))


def endless(task: Task, batch: int, seed: int, start: int = 0) -> Iterator[Batch]:
    """Training batches, epoch after epoch, each in an order of its own, without the first `start`."""
    epoch, skipped = divmod(start, math.ceil(len(task.items("train")) / batch))
    while True:
        yield from task.batches("train", batch, seed, epoch, skipped)
        epoch, skipped = epoch + 1, 0
