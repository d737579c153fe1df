"""The one training loop: any rule, any task, under a budget, with evaluation off the clock.

What a training holds between two updates is a `Snapshot`; one that goes on from there comes to the same bits.
"""

from __future__ import annotations

import dataclasses
import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from bench import meters, splits
from bench.budget import Learner, Meter, endless, planned
from bench.checkpoint import Snapshot
from bench.learning import Rule
from bench.machine import wait
from bench.trial import Budget
from bench.watch import Pulse, Watch
from models import Model
from tasks import PAD, Batch, Split, Task

TELLING = 20  # updates below which nothing is said of a loss that rose


class DivergedError(Exception):
    """The loss is no number, or was never below its start."""


class OutOfMemoryError(Exception):
    """The device has no room for a batch: says which, and how much was asked for."""


@dataclasses.dataclass
class Training:
    """What training used and came to."""

    updates: int = 0
    examples: int = 0
    source_tokens: int = 0  # padding not counted; vectors count as tokens
    target_tokens: int = 0
    flops: float | None = None  # by the model's formula, padding not counted; None where it states none
    seconds: float = 0.0  # on the training clock: batches, updates, solving; no evaluation
    curve: list[dict[str, float | int]] = dataclasses.field(default_factory=list)
    best: dict[str, Tensor] = dataclasses.field(default_factory=dict)  # the state that did best on validation
    best_score: float | None = None
    chosen: dict[str, float | int] = dataclasses.field(default_factory=dict)  # what set the best candidate apart
    interruptions: int = 0  # how often training went on from a checkpoint
    peak_bytes: int | None = None  # at the peak of an update or of solving, beyond what is held between updates
    joules: float | None = None  # on the training clock; None where nobody counts them

    def used(self) -> dict[str, float | int]:
        """The budget on every axis."""
        tokens = self.source_tokens + self.target_tokens
        operations = {} if self.flops is None else {"flops": self.flops}
        used = {"updates": self.updates, "examples": self.examples, "tokens": tokens, **operations}
        return used | {"seconds": round(self.seconds, 3)}


def train(
    make: Callable[[int], Learner],
    task: Task,
    budget: Budget,
    batch: int,
    seed: int,
    device: torch.device,
    points: int = 4,
    watch: Watch | None = None,
    enough: float | None = None,
) -> tuple[Model, Training]:
    """Trains what `make(updates)` returns and leaves the state that did best on validation in it.

    Ends early where validation reaches `enough`. Goes on from the newest checkpoint that `watch` has.
    Raises DivergedError, OutOfMemoryError, Stopped, TestReadError.
    """
    splits.untouched(task)
    watch = watch or Watch()
    saved = watch.saved()
    updates = saved.numbers["planned"] if saved else planned(make, task, budget, batch, seed, device)
    course = Course(*make(updates), task, updates, device, points, enough)
    if saved:
        course.restore(saved)
    course.run(endless(task, batch, seed, course.training.updates), watch)
    course.model.load_state_dict(course.training.best)
    return course.model, course.training


class Course:
    """A training under way."""

    def __init__(
        self,
        model: Model,
        rule: Rule,
        task: Task,
        updates: int,
        device: torch.device,
        points: int,
        enough: float | None = None,
    ) -> None:
        self.model, self.rule, self.task, self.updates, self.device = model, rule, task, updates, device
        self.enough = math.inf if enough is None else enough
        self.marks = evaluated(updates, points)
        self.opening = max(1, updates // 20)  # updates whose mean loss is where training started
        self.meter = Meter(model, rule)
        self.training = Training(flops=0.0 if self.meter.known else None)
        self.loss, self.since = torch.zeros((), device=device), 0  # sum of losses since the last evaluation
        self.start = torch.zeros((), device=device)  # mean loss of the opening
        self.peak: meters.Peak | None = None  # while it is measured
        self.energy = meters.Energy(device)
        self.begun = False  # the first update pays for what torch and the optimiser set up once

    def run(self, stream: Iterator[Batch], watch: Watch) -> None:
        """Learns and evaluates until the budget is spent."""
        self.model.train()
        while True:
            if self._due():
                watch.save(self.snapshot, self.training.updates)  # so that a stop may fall into the evaluation
                self._evaluate(watch)
            best = self.training.best_score
            if self.training.updates == self.updates or (best is not None and best >= self.enough):
                break
            watch.between(self.snapshot, self.training.updates)
            self._learn(stream)
            watch.tell(self.pulse())
        self._judge()
        watch.save(self.snapshot, self.training.updates)

    def pulse(self) -> Pulse:
        """How far it is."""
        t = self.training
        loss = t.curve[-1].get("loss") if t.curve else None
        return Pulse(t.updates, self.updates, t.seconds, len(t.curve), t.best_score, loss)

    def _due(self) -> bool:
        done = self.training.updates
        return done in self.marks and not (self.training.curve and self.training.curve[-1]["updates"] == done)

    def _learn(self, stream: Iterator[Batch]) -> None:
        training = self.training
        self._meter()
        with _clock(training, self.device, synchronise=training.updates + 1 in self.marks):
            batch = next(stream)
            with room(batch):
                step = self.rule.learn(batch.to(self.device))
        self.begun = True
        if step is not None:
            self.loss, self.since = self.loss + step, self.since + 1
        training.updates += 1
        training.examples += len(batch.item)
        training.source_tokens += int(batch.source_length.sum())
        training.target_tokens += int(batch.target_length.sum())
        if training.flops is not None:
            training.flops += self.meter.flops(batch)
        if training.updates == self.opening:
            self.start = self.loss / max(1, self.since)

    def _evaluate(self, watch: Watch) -> None:
        """Scores every candidate of the rule on validation and keeps the best; only making candidates is timed."""
        training, last = self.training, self.training.updates == self.updates
        loss = float(self.loss) / self.since if self.since else None
        if loss is not None and not math.isfinite(loss):
            raise DivergedError(f"the training loss is {loss} after {training.updates} updates")
        candidates, points = self.rule.candidates(last), []
        while True:
            self._meter()
            with _clock(training, self.device, synchronise=True):
                candidate = next(candidates, None)
            self._metered()
            if candidate is None:
                break
            if training.flops is not None:
                training.flops += self.rule.solving()
            said = answers(self.model, self.task, "validation", self.device, watch=watch)
            scores = self.task.score(said.tokens, "validation")
            points.append(training.used() | ({} if loss is None else {"loss": loss}) | candidate | scores.totals)
            if training.best_score is None or scores.totals[scores.main] > training.best_score:
                training.best_score = scores.totals[scores.main]
                training.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
                training.chosen = candidate
        training.curve += points
        self.loss, self.since = torch.zeros((), device=self.device), 0
        self.model.train()
        watch.tell(self.pulse())

    def _meter(self) -> None:
        """Counts energy from here on, and up to the first evaluation memory, unless it does already."""
        self.energy.start()
        if self.begun and self.peak is None and not self.training.curve:
            self.peak = meters.Peak(self.device)

    def _metered(self) -> None:
        """Counts no further: evaluating and storing take memory and energy of their own."""
        training, used = self.training, self.energy.stop()
        if used is not None:
            training.joules = (training.joules or 0.0) + used
        if self.peak is not None and (held := self.peak.bytes()) is not None:
            training.peak_bytes = max(training.peak_bytes or 0, held)
        self.peak = None

    def _judge(self) -> None:
        """Raises DivergedError where every mean loss lies above that of the opening by more than a hundredth."""
        losses, start = [point["loss"] for point in self.training.curve if "loss" in point], float(self.start)
        if losses and self.updates >= TELLING and all(loss > start + 0.01 * abs(start) for loss in losses):
            raise DivergedError(
                f"the training loss began at {start:.3g} and stayed above it for the whole budget "
                f"({', '.join(f'{loss:.3g}' for loss in losses)})"
            )

    def snapshot(self) -> Snapshot:
        """Everything that the rest of the training depends on."""
        t = self.training
        with _clock(t, self.device, synchronise=True):  # what was launched before counts; copying it does not
            pass
        self._metered()
        parts = {"model": self.model.state_dict(), "best": t.best, "rule": self.rule.state()}
        tensors = {f"{part}.{name}": value for part, named in parts.items() for name, value in named.items()}
        tensors |= {"loss": self.loss, "start": self.start, "random": torch.get_rng_state()}
        if self.device.type == "cuda":
            tensors["random_cuda"] = torch.cuda.get_rng_state(self.device)
        plain = {f.name: getattr(t, f.name) for f in dataclasses.fields(t) if f.name != "best"}
        return Snapshot(tensors, {"planned": self.updates, "since": self.since, "training": plain})

    def restore(self, saved: Snapshot) -> None:
        """Goes back to where a snapshot was taken."""
        self.model.load_state_dict(saved.part("model"))
        best = {name: value.to(self.device) for name, value in saved.part("best").items()}
        self.training = Training(**saved.numbers["training"], best=best)
        self.training.interruptions += 1
        self.rule.restore(saved.part("rule"))
        self.loss, self.start = saved.tensors["loss"].to(self.device), saved.tensors["start"].to(self.device)
        self.since = saved.numbers["since"]
        torch.set_rng_state(saved.tensors["random"])
        if self.device.type == "cuda" and "random_cuda" in saved.tensors:
            torch.cuda.set_rng_state(saved.tensors["random_cuda"], self.device)


def evaluated(updates: int, points: int) -> list[int]:
    """The updates after which a training is evaluated, the last among them."""
    return sorted({round(updates * (point + 1) / points) for point in range(points)} | {updates})


@contextmanager
def room(batch: Batch) -> Iterator[None]:
    """Says at which lengths and batch memory ran out, and how much was asked for. Raises OutOfMemoryError."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error)
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and "allocate memory" not in text:
            raise
        asked = re.search(r"ried to allocate ([\d.]+ ?\w+)", text)
        size, source, target = len(batch.item), batch.source.shape[1], batch.target.shape[1]
        raise OutOfMemoryError(
            f"out of memory at batch {size}, source length {source}, target length {target}"
            + (f": {asked[1]} more were asked for" if asked else "")
        ) from error


@contextmanager
def _clock(training: Training, device: torch.device, synchronise: bool) -> Iterator[None]:
    start = time.perf_counter()
    yield
    if synchronise:
        wait(device)
    training.seconds += time.perf_counter() - start


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a model said to every item of a split, in the split's order."""

    tokens: list[list[Any]]  # int tokens, or one float where the target is a number
    seconds: float  # encoding and writing, moving to the device included
    written: int  # tokens, EOS included


@torch.no_grad()
def answers(
    model: Model,
    task: Task,
    split: Split,
    device: torch.device,
    beam: int = 1,
    size: int = 128,
    watch: Watch | None = None,
) -> Answers:
    """Answers every item of a split, by greedy or beam search. Raises OutOfMemoryError, Stopped."""
    model.eval()
    said: list[list[Any]] = [[] for _ in range(len(task.items(split)))]
    seconds, written = 0.0, 0
    for batch in task.batches(split, size):
        start = time.perf_counter()
        with room(batch):
            answer = model.generate(
                batch.source.to(device), batch.source_length, beam=beam, room=task.spec.max_target, given=batch.given
            ).cpu()
        seconds += time.perf_counter() - start
        written += int((answer != PAD).sum())
        for item, tokens in zip(batch.item.tolist(), answer.tolist(), strict=True):
            said[item] = tokens
        if watch is not None:
            watch.alive()
    return Answers(said, seconds, written)
