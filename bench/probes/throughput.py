"""Throughput: tokens a second of training, reading and writing, and how near to the device's peak they come."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch

from bench import meters
from bench.budget import endless
from bench.clock import Contest, Timing, contest, once, product
from bench.probes import asked
from bench.probes._timed import Subject, company, row, spread, subject, unending
from bench.record import Result
from bench.sizes import state_bytes
from bench.train import OutOfMemoryError, room
from bench.trial import Trial
from bench.watch import Watch
from models import Model
from tasks import Batch, Range, Settings, Task, collate

BATCHES = tuple(4**k for k in range(9))  # sizes tried for the fastest writing
GAIN = 1.05  # a larger batch that is not this much faster is the last,
LONGEST = 2.0  # as is one whose answers take so many seconds


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """How long and on how much."""

    batches: Annotated[int, Range(1, 64)] = 4  # training batches that make up one call
    seconds: Annotated[float, Range(0.1, 600)] = 12.0  # a contest may last, warm-up aside
    rounds: Annotated[int, Range(3, 1000)] = 15
    written: Annotated[int, Range(2, 4096)] = 24  # tokens of an answer, where answers are text


def run(trial: Trial, made_of: dict[str, str], out: Path, device: torch.device, watch: Watch) -> list[Result]:
    """Times one model on the batches of one task."""
    how, of, task = asked.probe(trial), subject(trial, device), asked.task(trial)
    batches = [b.to(device) for b in itertools.islice(endless(task, trial.batch, trial.drawn_by("order")), how.batches)]
    notes: dict[str, str] = {}
    first = _first(of, batches) if trial.compile else 0.0
    costs = _costs(of, batches, notes)
    watch.alive()
    learning, learnt = _learning(of, batches, how)
    watch.alive()
    writing, curve, timed = _writing(of, asked.tested(trial), how, watch)
    metrics = costs | learnt | writing | company([*learning.timings.values(), *timed])
    metrics |= {"compile_seconds": max(0.0, first - learning.timings["train"].seconds) if trial.compile else 0}
    return [row(of, made_of, "train_target_tokens_per_second", metrics, curve, notes)]


def _first(of: Subject, batches: list[Batch]) -> float:
    """Seconds of the very first update on each batch, in which whatever is compiled is compiled."""
    with room(max(batches, key=lambda b: b.source.numel() + b.target.numel())):
        return once(learner(of, batches), of.device)


def _learning(of: Subject, batches: list[Batch], how: Config) -> tuple[Contest, dict[str, float | int]]:
    """Training, reading without gradients, and a matrix product, taking turns."""
    multiply, operations = product(of.device, of.precision)
    contestants = {"train": learner(of, batches), "forward": _reader(of, batches), "product": multiply}
    with room(max(batches, key=lambda b: b.source.numel() + b.target.numel())):
        found = contest(contestants, of.device, how.seconds, how.rounds)
    flops = sum(of.flops(b) for b in batches)
    metrics: dict[str, float | int] = {"rounds": found.timings["train"].n}
    for name, told in (("train", "train_step_seconds"), ("forward", "forward_seconds")):
        metrics |= spread(told, found.of(lambda s: s / len(batches), name))
        for side in ("source", "target"):
            tokens = float(sum(int(getattr(b, f"{side}_length").sum()) for b in batches))
            metrics |= _rate(f"{name}_{side}_tokens_per_second", found, name, tokens)
    metrics |= _rate("peak_flops_per_second", found, "product", operations)
    # the product takes turns with the step: what is left of it when the machine is slower just now (seqbench check)
    metrics |= spread(
        "train_per_product", found.of(lambda train, best: train / len(batches) / best, "train", "product")
    )
    if flops:
        metrics |= {"flops_step": flops / len(batches)} | _rate("flops_per_second", found, "train", flops)
        share = found.of(lambda train, best: flops / train / (operations / best), "train", "product")
        metrics |= spread("share_of_peak", share)
    return found, metrics


def _rate(name: str, found: Contest, of: str, amount: float) -> dict[str, float]:
    return spread(name, found.of(lambda seconds: amount / seconds, of))


def learner(of: Subject, batches: list[Batch]) -> Callable[[], object]:
    """One update on each batch."""

    def learn() -> None:
        for batch in batches:
            of.rule.learn(batch)

    return learn


def _reader(of: Subject, batches: list[Batch]) -> Callable[[], object]:
    """All positions of each batch at once, without gradients."""
    kind, precise = of.device.type, of.precision != torch.float32
    model = unending(of.model)

    @torch.no_grad()
    def read() -> None:
        with torch.autocast(kind, of.precision, enabled=precise):
            for batch in batches:
                model.head(model(batch))

    return read


def _writing(
    of: Subject, task: Task, how: Config, watch: Watch
) -> tuple[dict[str, float | int], list[dict[str, float | int]], list[Timing]]:
    """Time to the first token and for each further one at batch 1, and tokens a second against the batch."""
    model = unending(of.model)
    long = how.written if of.spec.max_target > 1 else 1
    single = _writer(model, task, 1, long, of.device)
    calls = {"whole": single} | ({"first": _writer(model, task, 1, 1, of.device)} if long > 1 else {})
    found = contest(calls, of.device, how.seconds / 2, how.rounds)
    metrics: dict[str, float | int] = {**spread("first_token_seconds", found.timings["first" if long > 1 else "whole"])}
    if long > 1:
        each = found.of(lambda whole, first: (whole - first) / (long - 1), "whole", "first")
        metrics |= spread("token_seconds", each)
    timed, curve = [found.timings["whole"]], []
    for size in BATCHES:
        watch.alive()
        try:
            call = {"write": _writer(model, task, size, long, of.device)}
            wrote = contest(call, of.device, min(2.0, how.seconds), min(7, how.rounds))
        except OutOfMemoryError:
            break
        rate = _rate("generate_tokens_per_second", wrote, "write", float(size * long))
        curve.append({"batch": size, **rate})
        timed.append(wrote.timings["write"])
        rates = [point["generate_tokens_per_second"] for point in curve]
        if wrote.timings["write"].seconds > LONGEST or (len(rates) > 1 and rates[-1] < GAIN * rates[-2]):
            break
    best = max(curve, key=lambda point: point["generate_tokens_per_second"])
    for name, point in (("1", curve[0]), ("best", best)):
        for end in ("", "_low", "_high"):
            metrics[f"generate_tokens_per_second_{name}{end}"] = point[f"generate_tokens_per_second{end}"]
    metrics["generate_best_batch"] = best["batch"]
    return metrics, curve, timed


def _writer(model: Model, task: Task, size: int, long: int, device: torch.device) -> Callable[[], object]:
    """Greedy answers of exactly `long` tokens to the middle items of the test split by length, all again if too few."""
    items = task.items("test")
    by_length = sorted(range(len(items)), key=lambda i: items.source_lengths[i])
    start = max(0, (len(items) - size) // 2)
    chosen = list(itertools.islice(itertools.cycle(by_length[start : start + size]), size))
    batch = collate(items, chosen, task.spec).to(device)

    def write() -> None:
        with room(batch):
            model.generate(batch.source, batch.source_length, room=long)

    return write


def _costs(of: Subject, batches: list[Batch], notes: dict[str, str]) -> dict[str, float | int]:
    """What does not need a clock: parameters, state, memory, padding; and energy."""
    counts = of.model.parameter_counts()
    largest = max(batches, key=lambda b: b.source.numel() + b.target.numel())
    learn = learner(of, [largest])
    with room(largest):
        once(learn, of.device)  # an optimiser takes its memory at the first step
        peak = meters.peak_bytes(learn, of.device)
    energy = meters.joules(learn, of.device)
    if energy is None:
        notes["energy"] = f"not measured: {meters.uncounted(of.device)}"
    if peak is None:
        notes["memory"] = "not measured: this system does not tell"
    metrics: dict[str, float | int] = {
        "parameters_trained": counts["trained"],
        "parameters_total": counts["total"],
        "padding_source": _padding([(b.source.shape[1], b.source_length) for b in batches]),
        "padding_target": _padding([(b.target.shape[1], b.target_length) for b in batches]),
        **state_bytes(of.model, largest),
    }
    metrics |= {} if peak is None else {"peak_bytes": peak}
    return metrics | ({} if energy is None else {"joules_per_step": energy})


def _padding(sides: list[tuple[int, torch.Tensor]]) -> float:
    places = sum(size * len(lengths) for size, lengths in sides)
    return 1 - sum(int(lengths.sum()) for _, lengths in sides) / places
