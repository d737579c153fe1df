"""Parallelism: how much of a model's work can be done at once, along time and batch, over threads and devices."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from bench import curves
from bench import profile as profiling
from bench.clock import Contest, Timing, contest, once
from bench.curves import Curve, Fitted
from bench.operators import counted
from bench.probes import asked
from bench.probes._replicas import Race, ReplicaError, raced
from bench.probes._timed import Subject, company, doubling, drawn, row, spread, subject
from bench.record import Result
from bench.train import OutOfMemoryError, room
from bench.trial import Place, Trial
from bench.watch import Watch
from models import Model
from tasks import BadInput, Batch, Range, Settings

BOUNDED = 10  # times the largest throughput measured, above which the end of its interval says nothing
BRIEF = 8  # source tokens where only the writing is looked at
Point = dict[str, float | int]


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """How far and how long."""

    longest: Annotated[int, Range(16, 65_536)] = 256  # tokens
    length: Annotated[int, Range(1, 65_536)] = 32  # tokens, where the batch, the threads or the devices change
    largest: Annotated[int, Range(4, 65_536)] = 256  # batch
    seconds: Annotated[float, Range(0.1, 600)] = 2.0  # a contest may last, warm-up aside
    rounds: Annotated[int, Range(3, 1000)] = 7
    limit: Annotated[float, Range(0.01, 600)] = 4.0  # seconds of one call, above which no larger one is tried
    devices: Annotated[int, Range(0, 64)] = 0  # that learn together, each from a batch; 0: all GPUs that there are


def run(trial: Trial, made_of: dict[str, str], out: Path, device: torch.device, watch: Watch) -> list[Result]:
    """Times one model against length, batch, threads and devices."""
    of, how = subject(trial, device), asked.probe(trial)
    devices = _chosen(how.devices, device)
    timed: list[Timing] = []
    by_length = list(_by_length(of, how, timed, watch))
    by_batch = list(_by_batch(of, how, timed, watch))
    by_threads = list(_by_threads(of, how, timed, watch)) if device.type == "cpu" else []
    by_devices, noted = _by_devices(of, how, devices, timed, watch)
    batch = drawn(of.spec, trial.batch, how.length, how.length, device)
    shares = profiling.shares(lambda: of.rule.learn(batch), device)
    metrics: Point = {n: value for n, value in by_length[-1].items() if n.startswith("parallel_fraction")}
    saturation, open_end = _saturation(by_batch)
    metrics |= _length(by_length) | saturation | company(timed)
    metrics |= {f"share_{part}": share for part, share in shares.items()} | _devices(by_devices)
    curve = [*by_length, *by_batch, *by_threads, *by_devices]
    return [row(of, made_of, "parallel_fraction", metrics, curve, NOTES | noted | open_end)]


NOTES = {
    "at_once": f"forward pass without gradients at batch 1, {BRIEF} source tokens, all target positions in one call",
    "one_by_one": "the same, a call for each position",
    "parallel_fraction": "share p of the time one by one that goes away when n positions are done at once, by "
    "Amdahl's law: at once = one by one x ((1 - p) + p / n)",
    "launches": "of a training step at batch 1: kernels on a GPU, operators on a CPU",
}


def _by_length(of: Subject, how: Config, timed: list[Timing], watch: Watch) -> Iterator[Point]:
    """Doubling lengths at batch 1."""
    length = 8
    while length <= how.longest:
        watch.alive()
        narrow = drawn(of.spec, 1, BRIEF, length, of.device)
        both = drawn(of.spec, 1, length, length, of.device)
        with room(both):
            calls = _passes(of.model, narrow) | {"step": partial(of.rule.learn, both)}
            found = contest(calls, of.device, how.seconds, how.rounds)
        times = found.timings
        timed += times.values()
        share = found.of(partial(parallel_fraction, positions=length), "at_once", "one_by_one")
        yield {
            "length": length,
            "at_once_seconds": times["at_once"].seconds,
            "one_by_one_seconds": times["one_by_one"].seconds,
            "parallel_fraction": share.seconds,
            "parallel_fraction_low": share.low,
            "parallel_fraction_high": share.high,
            "chain": of.model.chain(length, length),
            "launches": launches(calls["step"], of.device),
            "step_seconds": times["step"].seconds,
            "step_low": times["step"].low,
            "step_high": times["step"].high,
        }
        if max(t.seconds for t in times.values()) > how.limit:
            break
        length *= 2


def parallel_fraction(at_once: float, one_by_one: float, positions: int) -> float:
    """Amdahl's p from the times of `positions` > 1 at once and one by one; below 0 where at once is slower."""
    return (1 - at_once / one_by_one) / (1 - 1 / positions)


def _passes(model: Model, batch: Batch) -> dict[str, Callable[[], Any]]:
    """All positions at once, and one after another by the model's own step."""

    @torch.no_grad()
    def at_once() -> None:
        model(batch)

    @torch.no_grad()
    def one_by_one() -> None:
        Model.forward(model, batch)

    def still(call: Callable[[], Any]) -> Callable[[], Any]:
        def called() -> None:
            model.eval()
            call()
            model.train()

        return called

    return {"at_once": still(at_once), "one_by_one": still(one_by_one)}


def launches(call: Callable[[], Any], device: torch.device) -> int:
    """Kernels that a call starts on a GPU; on a CPU, operators."""
    if device.type == "cuda":
        with profile(activities=[ProfilerActivity.CUDA]) as seen:
            once(call, device)
        return sum(e.count for e in seen.key_averages() if e.device_type == DeviceType.CUDA)
    return counted(call).number


def _by_batch(of: Subject, how: Config, timed: list[Timing], watch: Watch) -> Iterator[Point]:
    """Doubling batches of one length, until training is no faster, or too slow."""
    size, rates = 1, []
    while size <= how.largest:
        watch.alive()
        batch = drawn(of.spec, size, how.length, how.length, of.device)
        try:
            with room(batch):
                found = contest({"step": partial(of.rule.learn, batch)}, of.device, how.seconds, how.rounds)
        except OutOfMemoryError:
            return
        timed.append(found.timings["step"])
        rate = found.of(partial(operator.truediv, size * how.length), "step")
        rates.append(rate.seconds)
        yield {"batch": size, "tokens_per_second": rate.seconds, "low": rate.low, "high": rate.high}
        slow = found.timings["step"].seconds > how.limit / 2
        if slow or (len(rates) > 2 and rates[-1] < 1.02 * rates[-3]):
            return
        size *= 2


def _by_threads(of: Subject, how: Config, timed: list[Timing], watch: Watch) -> Iterator[Point]:
    """One thread, two, four, ..., and as many as there were."""
    before = torch.get_num_threads()
    batch = drawn(of.spec, of.trial.batch, how.length, how.length, of.device)
    counts = doubling(before)

    def learns(threads: int) -> Callable[[], Any]:
        def learn() -> None:
            torch.set_num_threads(threads)
            of.rule.learn(batch)

        return learn

    watch.alive()
    try:
        found = contest({str(n): learns(n) for n in counts}, of.device, how.seconds * len(counts), how.rounds)
    finally:
        torch.set_num_threads(before)
    timed += found.timings.values()
    for name, timing in found.timings.items():
        yield {"threads": int(name), "step_seconds": timing.seconds, "low": timing.low, "high": timing.high}


def vouch(how: Config, place: Place) -> None:
    """Raises BadInput where so many devices are not there."""
    there = place.environment.get("gpus", how.devices)
    if place.kind == "cuda" and how.devices > there:
        raise BadInput(f"probe parallelism: devices={how.devices}, but there are {there}; take 0 for all of them")


def _by_devices(
    of: Subject, how: Config, devices: tuple[str, ...], timed: list[Timing], watch: Watch
) -> tuple[list[Point], dict[str, str]]:
    """One device, two, four, ..., each with a batch of its own; and a note: what it is, or why there is nothing."""
    if len(devices) < 2:
        return [], {}
    threads = max(1, torch.get_num_threads() // (len(devices) if of.device.type == "cpu" else 1))
    race = Race(of.trial, devices, threads, how.length, how.seconds, how.rounds)
    race = dataclasses.replace(race, seconds=how.seconds * len(race.sizes))
    if of.device.type == "cuda":
        torch.cuda.empty_cache()  # the first of the processes computes on the same device
    try:
        found = raced(race, watch)
    except ReplicaError as error:
        watch.warn(f"{of.trial.model}: no training on {len(devices)} devices: {error}")
        return [], {"device_efficiency": f"training on {len(devices)} devices failed: {error}"}
    timed += found.timings.values()
    points = [_together(found, size, size * of.trial.batch * how.length) for size in race.sizes]
    return points, {"device_efficiency": _meant(of, threads)}


def _meant(of: Subject, threads: int) -> str:
    """What the efficiency is of, and what it leaves out."""
    told = "tokens/s of all devices, each learning from a batch of its own (data parallel), over n times those of one"
    if of.device.type == "cpu":
        told += f"; a device is a process of {threads} {'thread' if threads == 1 else 'threads'}"
    alone = "; sums of a readout are added up when it is solved, which is not timed"
    return told + (alone if of.model.learning == "ridge" else "")


def _chosen(wanted: int, device: torch.device) -> tuple[str, ...]:
    """The devices that learn together, the trial's own first; of a GPU that was named by its number that one alone."""
    if device.type == "cpu":
        return ("cpu",) * wanted
    own = device.index or 0
    others = [number for number in range(torch.cuda.device_count()) if number != own]
    number = wanted or (1 + len(others) if device.index is None else 1)
    return tuple(f"cuda:{one}" for one in [own, *others][:number])


def _together(found: Contest, size: int, tokens: int) -> Point:
    """Throughput of `size` devices, and what is kept of as many times that of one."""
    rate = found.of(partial(operator.truediv, tokens), str(size))
    kept = found.of(operator.truediv, "1", str(size))
    return {
        "devices": size,
        "tokens_per_second": rate.seconds,
        "low": rate.low,
        "high": rate.high,
        **spread("device_efficiency", kept),
    }


def _devices(points: list[Point]) -> Point:
    """Of all devices together."""
    return {name: value for name, value in points[-1].items() if name.startswith("device")} if points else {}


def _length(points: list[Point]) -> dict[str, float]:
    """What step time against length comes to, and how launches grow."""
    curve = Curve.of([(p["length"], p["step_seconds"], p["step_low"], p["step_high"]) for p in points])
    metrics: dict[str, float] = {}
    if found := curves.knee(curve):
        for name, fitted in zip(("flat_seconds", "knee_length", "slope_exponent"), found, strict=True):
            metrics |= told(name, fitted)
    if len(points) > 1:
        first, last = points[0], points[-1]
        metrics["launches_per_position"] = (last["launches"] - first["launches"]) / (last["length"] - first["length"])
    return metrics


def _saturation(points: list[Point]) -> tuple[dict[str, float], dict[str, str]]:
    """The greatest throughput and the batch at half of it; or a note, where what was measured does not bound them."""
    found = curves.saturation(Curve.of([(p["batch"], p["tokens_per_second"], p["low"], p["high"]) for p in points]))
    if found is None:
        return {}, {}
    greatest, half = found
    if greatest.high > BOUNDED * max(p["tokens_per_second"] for p in points):
        why = f"throughput was still growing, or too noisy, at batch {points[-1]['batch']}, the largest that was tried"
        return {}, {"greatest_tokens_per_second": why, "half_batch": why}
    return told("greatest_tokens_per_second", greatest) | told("half_batch", half), {}


def told(name: str, fitted: Fitted) -> dict[str, float]:
    """A fitted number as metrics: NAME, NAME_low, NAME_high."""
    return {name: fitted.value, f"{name}_low": fitted.low, f"{name}_high": fitted.high}
