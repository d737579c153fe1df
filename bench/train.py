"""The one training loop: any rule, any task, under a budget, with evaluation off the clock."""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from bench.learning import Rule
from bench.machine import wait
from bench.trial import Budget
from models import Model
from tasks import PAD, Batch, Split, Task

Learner = tuple[Model, Rule]


class DivergedError(Exception):
    """The loss is no longer a number."""


@dataclasses.dataclass
class Training:
    """What training used and came to."""

    updates: int = 0
    examples: int = 0
    source_tokens: int = 0  # padding not counted; vectors count as tokens
    target_tokens: int = 0
    seconds: float = 0.0  # on the training clock: batches, updates, solving; no evaluation
    curve: list[dict[str, float | int]] = dataclasses.field(default_factory=list)
    best: dict[str, Tensor] = dataclasses.field(default_factory=dict)  # the state that did best on validation
    best_score: float = -math.inf
    chosen: dict[str, float | int] = dataclasses.field(default_factory=dict)  # what set the best candidate apart

    def used(self) -> dict[str, float | int]:
        """The budget on every axis."""
        tokens = self.source_tokens + self.target_tokens
        return {"updates": self.updates, "examples": self.examples, "tokens": tokens, "seconds": round(self.seconds, 3)}


def train(
    make: Callable[[int], Learner],
    task: Task,
    budget: Budget,
    batch: int,
    seed: int,
    device: torch.device,
    points: int = 4,
    tell: Callable[[Training, int], None] = lambda training, updates: None,
) -> tuple[Model, Training]:
    """Trains what `make(updates)` returns and leaves the state that did best on validation in it.

    `tell(training, updates)` is called after every update and every evaluation. Raises DivergedError.
    """
    updates = planned(make, task, budget, batch, seed, device)
    model, rule = make(updates)
    training = Training()
    marks = {round(updates * (point + 1) / points) for point in range(points)} | {updates}
    loss, since = torch.zeros((), device=device), 0
    model.train()
    stream = endless(task, batch, seed)
    while training.updates < updates:
        with _clock(training, device, synchronise=training.updates + 1 in marks):
            now = next(stream)
            step = rule.learn(now.to(device))
        if step is not None:
            loss, since = loss + step, since + 1
        _count(training, now)
        tell(training, updates)
        if training.updates in marks:
            mean = float(loss) / since if since else None
            _evaluate(training, model, rule, task, device, mean, last=training.updates == updates)
            loss, since = torch.zeros((), device=device), 0
            tell(training, updates)
    model.load_state_dict(training.best)
    return model, training


def _count(training: Training, batch: Batch) -> None:
    training.updates += 1
    training.examples += len(batch.item)
    training.source_tokens += int(batch.source_length.sum())
    training.target_tokens += int(batch.target_length.sum())


@contextmanager
def _clock(training: Training, device: torch.device, synchronise: bool) -> Iterator[None]:
    start = time.perf_counter()
    yield
    if synchronise:
        wait(device)
    training.seconds += time.perf_counter() - start


def _evaluate(
    training: Training, model: Model, rule: Rule, task: Task, device: torch.device, loss: float | None, last: bool
) -> None:
    """Scores every candidate of the rule on validation and keeps the best; only making candidates is timed."""
    if loss is not None and not math.isfinite(loss):
        raise DivergedError(f"the training loss is {loss} after {training.updates} updates")
    candidates = rule.candidates(last)
    while True:
        with _clock(training, device, synchronise=True):
            candidate = next(candidates, None)
        if candidate is None:
            break
        scores = task.score(answers(model, task, "validation", device).tokens, "validation")
        point = training.used() | ({} if loss is None else {"loss": loss}) | candidate | scores.totals
        training.curve.append(point)
        if scores.totals[scores.main] > training.best_score:
            training.best_score = scores.totals[scores.main]
            training.best = {name: value.detach().clone() for name, value in model.state_dict().items()}
            training.chosen = candidate
    model.train()


def planned(
    make: Callable[[int], Learner], task: Task, budget: Budget, batch: int, seed: int, device: torch.device
) -> int:
    """The number of updates that a budget comes to, and no more passes than the rule can use."""
    per_pass = math.ceil(len(task.items("train")) / batch)
    if budget.updates is not None:
        updates = budget.updates
    elif budget.examples is not None:
        whole, rest = divmod(budget.examples, len(task.items("train")))
        updates = whole * per_pass + math.ceil(rest / batch)
    else:
        assert budget.seconds is not None
        updates = affordable(make, task, budget.seconds, batch, seed, device)
    passes = make(1)[1].passes
    return max(1, updates if passes is None else min(updates, passes * per_pass))


def affordable(
    make: Callable[[int], Learner], task: Task, seconds: float, batch: int, seed: int, device: torch.device
) -> int:
    """Updates that fit into `seconds`, by the mean of twelve timed ones, after four, on a model that is thrown away."""
    model, rule = make(16)
    model.train()
    stream, times = endless(task, batch, seed), []
    for _ in range(16):
        wait(device)
        start = time.perf_counter()
        rule.learn(next(stream).to(device))
        wait(device)
        times.append(time.perf_counter() - start)
    return max(1, int(seconds / statistics.fmean(times[4:])))


def endless(task: Task, batch: int, seed: int) -> Iterator[Batch]:
    """Training batches, epoch after epoch, each in an order of its own."""
    epoch = 0
    while True:
        yield from task.batches("train", batch, seed, epoch)
        epoch += 1


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a model said to every item of a split, in the split's order."""

    tokens: list[list[int]]
    seconds: float  # encoding and writing, moving to the device included
    written: int  # tokens, EOS included


@torch.no_grad()
def answers(model: Model, task: Task, split: Split, device: torch.device, beam: int = 1, size: int = 128) -> Answers:
    """Answers every item of a split, by greedy or beam search."""
    model.eval()
    said: list[list[int]] = [[] for _ in range(len(task.items(split)))]
    seconds, written = 0.0, 0
    for batch in task.batches(split, size):
        start = time.perf_counter()
        answer = model.generate(batch.source.to(device), batch.source_length, beam=beam).cpu()
        seconds += time.perf_counter() - start
        written += int((answer != PAD).sum())
        for item, tokens in zip(batch.item.tolist(), answer.tolist(), strict=True):
            said[item] = tokens
    return Answers(said, seconds, written)
