"""Decoding: what a generated token costs, against the length of the source and its own place, and beside training.

Writing is greedy, one token after another, at a small batch, by a model that never ends. Where a model keeps keys and
values of what it wrote (a cache), the same is timed without: the whole prefix anew for each token.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from bench import curves
from bench.clock import Timing, contest
from bench.curves import Curve
from bench.probes import asked
from bench.probes._timed import Subject, company, drawn, row, spread, subject, unending
from bench.probes.parallelism import Point, told
from bench.record import Result
from bench.train import room
from bench.trial import Trial
from bench.watch import Watch
from models import Model, State
from tasks import BOS, BadInput, Batch, Range, Settings

Calls = dict[str, Callable[[], object]]
Length = Annotated[int, Range(1, 65_536)]  # tokens


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """How far and how long; lengths double from the shortest to the longest."""

    shortest: Length = 8
    longest: Length = 128
    length: Length = 16  # of the source while the target grows, and of the target while the source grows
    batch: Annotated[int, Range(1, 65_536)] = 4
    seconds: Annotated[float, Range(0.1, 600)] = 1.0  # a contest may last, warm-up aside
    rounds: Annotated[int, Range(3, 1000)] = 5
    limit: Annotated[float, Range(0.01, 600)] = 1.0  # seconds of one call, above which no longer one is tried


def run(trial: Trial, made_of: dict[str, str], out: Path, device: torch.device, watch: Watch) -> list[Result]:
    """Times one model."""
    of, how = subject(trial, device), asked.probe(trial)
    if of.spec.max_target == 1:
        raise BadInput(f"probe decoding needs answers longer than one token; {trial.task} asks for labels or numbers")
    if how.shortest > how.longest:
        raise BadInput(f"probe decoding: shortest={how.shortest} is above longest={how.longest}")
    timed: list[Timing] = []
    writer = unending(of.model)
    by_source = list(_by_source(of, writer, how, timed, watch))
    by_target = list(_by_target(of, writer, how, timed, watch))
    by_position = list(_by_position(of, writer, how, timed, watch))
    metrics = _slopes(by_source, by_target, by_position) | company(timed)
    last = by_target[-1]
    metrics |= {name: last[name] for name in last if name.startswith("training_over_generation")}
    metrics |= {name: last[name] for name in ("generate_tokens_per_second", "train_tokens_per_second")}
    metrics |= {"cached": int("uncached_seconds" in by_position[0]), "target_length": last["target_length"]}
    result = row(of, made_of, "training_over_generation", metrics, [*by_source, *by_target, *by_position], NOTES)
    return [dataclasses.replace(result, config=result.config | {"batch": how.batch})]  # not that of a training


NOTES = {
    "training_over_generation": "target tokens a second in training (forward, backward, update) over those in greedy "
    "generation (source read, then token by token), at the longest target that was timed",
    "slope_source": "exponent of the time of one generated token against the length of its source, read before",
    "slope_target": "exponent of the time of a whole answer, the source read, against its length",
    "slope_position": "exponent of the time of one token against its place in the answer",
    "slope_position_uncached": "the same where the whole prefix, and the source, are read anew for each token",
    "cached": "whether the model keeps keys and values (a cache) of what it wrote; others have nothing to leave out",
    "precision": "writing computes in float32, learning in the precision of the row",
    "cache_speedup": "time of the last place's token without a cache over that with it",
}


def _lengths(how: Config) -> Iterator[int]:
    length = how.shortest
    while length <= how.longest:
        yield length
        length *= 2


def _by_source(of: Subject, writer: Model, how: Config, timed: list[Timing], watch: Watch) -> Iterator[Point]:
    """Time of a generated token against the source's length, at a fixed number of tokens."""
    for length in _lengths(how):
        watch.alive()
        batch = drawn(of.spec, how.batch, length, how.length, of.device)
        with room(batch):
            call = partial(write, writer, read(writer, batch, how.length), how.batch, how.length)
            found = contest({"write": call}, of.device, how.seconds, how.rounds)
        timing = found.of(lambda seconds: seconds / how.length, "write")
        timed.append(timing)
        yield {"source_length": length, **spread("token_seconds", timing)}
        if timing.seconds * how.length > how.limit:
            return


def _by_target(of: Subject, writer: Model, how: Config, timed: list[Timing], watch: Watch) -> Iterator[Point]:
    """Time of whole answers against their length, and of learning from answers of that length."""
    for length in _lengths(how):
        watch.alive()
        batch = drawn(of.spec, how.batch, how.length, length, of.device)
        calls: Calls = {
            "generate": partial(writer.generate, batch.source, batch.source_length, room=length),
            "learn": partial(of.rule.learn, batch),
        }
        with room(batch):
            found = contest(calls, of.device, how.seconds, how.rounds)
        timed += found.timings.values()
        ratio, tokens = found.ratio("generate", "learn"), how.batch * length
        yield {
            "target_length": length,
            **spread("generate_seconds", found.timings["generate"]),
            "generate_tokens_per_second": tokens / found.timings["generate"].seconds,
            "train_tokens_per_second": tokens / found.timings["learn"].seconds,
            "training_over_generation": ratio.value,
            "training_over_generation_low": ratio.low,
            "training_over_generation_high": ratio.high,
        }
        if max(timing.seconds for timing in found.timings.values()) > how.limit:
            return


def _by_position(of: Subject, writer: Model, how: Config, timed: list[Timing], watch: Watch) -> Iterator[Point]:
    """Time of one token against its place, from what was kept and, where something grows with it, from scratch."""
    for place in _lengths(how):
        watch.alive()
        batch = drawn(of.spec, how.batch, how.length, place, of.device)
        state = write(writer, read(writer, batch, place), how.batch, place - 1)
        calls: Calls = {"step": partial(write, writer, state, how.batch, 1)}
        if cached(writer, batch):
            calls |= {"anew": partial(anew, writer, batch)}
        with room(batch):
            found = contest(calls, of.device, how.seconds, how.rounds)
        timed += found.timings.values()
        point: Point = {"position": place, **spread("token_seconds", found.timings["step"])}
        if "anew" in calls:
            point |= spread("uncached_seconds", found.timings["anew"])
            point["cache_speedup"] = found.ratio("anew", "step").value
        yield point
        if max(timing.seconds for timing in found.timings.values()) > how.limit:
            return


@torch.no_grad()
def read(model: Model, batch: Batch, tokens: int) -> State:
    """What reading the sources leaves, with room for so many tokens."""
    return model.encode(batch.source, batch.source_length, tokens)


@torch.no_grad()
def write(model: Model, state: State, size: int, tokens: int) -> State:
    """The state of `size` sequences after so many more tokens, each the likeliest; the first of them follow BOS."""
    token = torch.full((size,), BOS, device=model.head.weight.device)
    for _ in range(tokens):
        feature, state = model.step(token, state)
        token = model.logits(feature).argmax(-1)
    return state


@torch.no_grad()
def anew(model: Model, batch: Batch) -> Tensor:
    """The token behind a prefix as long as the batch's targets, everything computed again."""
    return model.logits(model(batch)[:, -1]).argmax(-1)


def cached(model: Model, batch: Batch) -> bool:
    """Whether a model keeps what grows with the answer, under `carry["cache"]`: keys and values of its positions."""
    state = write(model, read(model, batch, 1), len(batch.item), 1)
    return state.carry.get("cache") is not None


def _slopes(by_source: Sequence[Point], by_target: Sequence[Point], by_position: Sequence[Point]) -> Point:
    """Exponents with their intervals; each is left out where fewer than two lengths were timed."""
    metrics: Point = {}
    for name, x, y, points in (
        ("slope_source", "source_length", "token_seconds", by_source),
        ("slope_target", "target_length", "generate_seconds", by_target),
        ("slope_position", "position", "token_seconds", by_position),
        ("slope_position_uncached", "position", "uncached_seconds", by_position),
    ):
        rows = [(p[x], p[y], p[f"{y}_low"], p[f"{y}_high"]) for p in points if y in p]
        fitted = curves.exponent(Curve.of(rows))
        metrics |= {} if fitted is None else told(name, fitted)
    last = by_position[-1]
    return metrics | ({"cache_speedup": last["cache_speedup"]} if "cache_speedup" in last else {})
