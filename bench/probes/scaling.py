"""Scaling: time and memory of training and writing against length or width, by doublings, until something ends it."""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch

from bench import curves, meters
from bench.clock import Timing, contest, once
from bench.curves import Curve, Fitted
from bench.match import scalable
from bench.operators import counted
from bench.probes import asked
from bench.probes._timed import Subject, company, drawn, row, spread, subject, unending
from bench.probes.parallelism import told
from bench.record import Result
from bench.train import OutOfMemoryError, room
from bench.trial import Trial
from bench.watch import Watch
from models import State
from tasks import BadInput, Batch, Range, Settings

Point = dict[str, float | int]
PASSES = 3  # in which memory is measured, none of them timed
SPARE = 0.85  # of the free memory that a longer sequence may be expected to take


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """How far and how long."""

    along: Literal["length", "width"] = "length"  # what doubles: tokens, or the model's width and all sizes with it
    what: Literal["whole", "encoder"] = "whole"  # a training step, or the encoder's layers forward and backward
    equal: Literal["", "width", "parameters"] = ""  # in what the models of a comparison are alike, for who shows it
    shortest: Annotated[int, Range(2, 65_536)] = 16  # tokens, or units
    longest: Annotated[int, Range(2, 1 << 20)] = 65_536
    length: Annotated[int, Range(2, 65_536)] = 64  # tokens of source and target where widths double
    limit: Annotated[float, Range(0.01, 3600)] = 4.0  # seconds of one call, above which no longer one is tried
    seconds: Annotated[float, Range(0.1, 3600)] = 4.0  # a contest may last, warm-up aside
    rounds: Annotated[int, Range(3, 1000)] = 7
    write: bool = True  # whether writing is timed as well


def run(trial: Trial, made_of: dict[str, str], out: Path, device: torch.device, watch: Watch) -> list[Result]:
    """Times one model at every length, or at every width."""
    of, how = subject(trial, device), asked.probe(trial)
    points: list[Point] = []
    timed: list[Timing] = []
    before: Callable[[], Any] | None = None  # the step at half of that, which takes turns with it
    notes, place, writes = {"stopped": "the longest asked for"}, how.shortest, how.write and how.what == "whole"
    while place <= how.longest:
        watch.alive()
        if reason := _too_much(points, place, how, device):
            notes["stopped"] = reason
            break
        try:
            own = of if how.along == "length" else widened(trial, place, device)
            point, timings, before = _point(own, how, place, writes, before)
        except OutOfMemoryError as error:
            notes["stopped"] = f"{place}: {error}"
            break
        points.append(point)
        timed += timings
        if writes and point["generate_seconds"] > how.limit:
            notes["writing"] = f"writing {2 * place} would take longer than {how.limit:g} s"
            writes = False
        place *= 2
    if not points:
        raise OutOfMemoryError(notes["stopped"])
    main = "longest_length" if how.along == "length" else "largest_width"
    metrics = _fits(points) | {main: points[-1][how.along]} | company(timed)
    return [row(of, made_of, main, metrics, points, notes)]


def widened(trial: Trial, width: int, device: torch.device) -> Subject:
    """The trial's model at that width (or at as many units), its other sizes in proportion. Raises BadInput."""
    kind, base = asked.model(trial)
    names = scalable(kind, base, trial.model)
    factor = width / getattr(base, names[0])
    own = dataclasses.asdict(base)
    try:
        wide = dataclasses.asdict(base.sized(**{name: max(1, round(own[name] * factor)) for name in names}))
    except ValueError as error:
        raise BadInput(f"model {trial.model} at width {width}: {error}") from None
    changed = {name: value for name, value in wide.items() if value != own[name]}
    return subject(dataclasses.replace(trial, model_settings=trial.model_settings | changed), device)


def _too_much(points: list[Point], place: int, how: Config, device: torch.device) -> str:
    """Why `place` is not tried, by what half of it took and needed; empty where it is."""
    if not points:
        return ""
    last, before = points[-1], points[-2] if len(points) > 1 else points[-1]
    grown = max(2.0, float(last["step_seconds"] / before["step_seconds"]) if before is not last else 2.0)
    expected = last["step_seconds"] * grown
    if expected > how.limit:
        return f"time limit: {place} would take about {expected:.1f} s a step, above {how.limit:g} s"
    free = meters.available_bytes(device)
    if device.type == "cpu" and free is not None and "step_bytes" in last:  # a GPU says when it is full, Linux kills
        needed = last["step_bytes"] * max(2.0, min(4.0, last["step_bytes"] / max(1, before.get("step_bytes", 1))))
        if needed > SPARE * free:
            return f"memory: {place} would need about {needed / 2**30:.1f} GiB of {free / 2**30:.1f} GiB that are free"
    return ""


def _point(
    of: Subject, how: Config, place: int, writes: bool, before: Callable[[], Any] | None
) -> tuple[Point, list[Timing], Callable[[], Any]]:
    """Memory first, in a pass of its own, then time, `before` taking turns; the step comes back for the next point.

    What a machine is slower by in one minute than in the next would otherwise stand between two lengths.
    """
    length = place if how.along == "length" else how.length
    batch = drawn(of.spec, of.trial.batch, length, length, of.device)
    step: Callable[[], Any] = (lambda: of.rule.learn(batch)) if how.what == "whole" else (lambda: _encoded(of, batch))
    with room(batch):
        first = once(step, of.device)
        peaks = [peak for _ in range(PASSES) if (peak := meters.peak_bytes(step, of.device)) is not None]
        moved = counted(step).bytes if how.what == "encoder" and not of.trial.compile else 0
        calls = (
            {"step": step} | ({"before": before} if before else {}) | ({"write": _writer(of, batch)} if writes else {})
        )
        took_turns = contest(calls, of.device, how.seconds, how.rounds)
        found = took_turns.timings
    took = found["step"]
    point: Point = {how.along: place, **_told("step", took), "flops": _flops(of, how, batch), "rounds": took.n}
    point |= {"company": took.company} | ({"moved_bytes": moved} if moved else {})
    point |= {"compile_seconds": max(0.0, first - took.seconds)} if of.trial.compile else {}
    point |= _told("generate", found["write"]) if writes else {}
    point |= spread("growth", took_turns.of(operator.truediv, "step", "before")) if before else {}
    return point | _spread(peaks), list(found.values()), step


def _flops(of: Subject, how: Config, batch: Batch) -> float:
    """Of a training step, or of the encoder's layers forward and backward: a source, and no target."""
    if how.what == "whole":
        return of.flops(batch)
    size, length = batch.source.shape[:2]
    return of.rule.flops({part: size * n for part, n in of.model.flops(length, 0).items()}, 0)


def _spread(peaks: list[int]) -> Point:
    """Bytes at the peak, in the middle of what several passes needed, and the least and the most."""
    if not peaks:
        return {}
    low, middle, high = (sorted(peaks)[place] for place in (0, len(peaks) // 2, -1))
    span: Point = {"step_bytes_low": max(1, low), "step_bytes_high": high} if middle else {}
    return {"step_bytes": middle} | span


def _told(name: str, timing: Timing) -> Point:
    return {f"{name}_seconds": timing.seconds, f"{name}_low": timing.low, f"{name}_high": timing.high}


def _writer(of: Subject, batch: Batch) -> Callable[[], Any]:
    model = unending(of.model)
    return lambda: model.generate(batch.source, batch.source_length, room=batch.target.shape[1])


def _encoded(of: Subject, batch: Batch) -> None:
    """Reads a source and sends a gradient back through all that was left of it; forward alone where nothing learns."""
    with torch.autocast(of.device.type, of.precision, enabled=of.precision != torch.float32):
        state = of.model.encode(batch.source, batch.source_length, 1)
    left = [leaf for leaf in _leaves(state) if leaf.requires_grad]
    if left:
        torch.autograd.backward(left, [torch.ones_like(leaf) for leaf in left])
        of.model.zero_grad(set_to_none=True)


def _leaves(state: State) -> list[torch.Tensor]:
    def leaves(value: Any) -> list[torch.Tensor]:
        if isinstance(value, torch.Tensor):
            return [value]
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
        return [leaf for part in parts for leaf in leaves(part)]

    return leaves(state.memory) + leaves(state.carry)


def _fits(points: list[Point]) -> dict[str, float | int]:
    """Exponents below and above the knee of time, over the last octave, of memory and of writing."""
    step = _curve(points, "step_seconds", "step_low", "step_high")
    found = curves.knee(step)
    turn = found[1].value if found else float(step.x[0])
    place = np.arange(len(step.x))  # each region holds three points at least, wherever the knee may be
    parts = {
        "exponent_flat": curves.exponent(step.part((step.x <= turn) | (place < 3))),
        "exponent_steep": curves.exponent(step.part((step.x >= turn) | (place >= len(place) - 3))),
        "last_octave_slope": _last(points) or curves.exponent(step.part(slice(-2, None))),
        "memory_exponent": curves.exponent(_memory(points)),
        "generate_exponent": curves.exponent(_writing(points)),
    }
    metrics: dict[str, float | int] = {}
    for name, fitted in parts.items():
        metrics |= told(name, fitted) if fitted else {}
    return metrics


def _last(points: list[Point]) -> Fitted | None:
    """The slope over the last doubling, whose two ends took turns."""
    last = points[-1]
    if "growth" not in last:
        return None
    return Fitted(*(math.log2(last[name]) for name in ("growth", "growth_low", "growth_high")))


def _memory(points: list[Point]) -> Curve:
    return _curve([p for p in points if p.get("step_bytes")][-4:], "step_bytes", "step_bytes_low", "step_bytes_high")


def _writing(points: list[Point]) -> Curve:
    written = [p for p in points if "generate_seconds" in p]
    return _curve(written[-4:], "generate_seconds", "generate_low", "generate_high")


def _curve(points: list[Point], *names: str) -> Curve:
    """Those numbers against whatever doubles, which is what a point holds first."""
    return Curve.of([[next(iter(p.values())), *(p[name] for name in names)] for p in points])
