"""Where the time of a training step goes: shares of the parts that models name, forward and backward."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from models.layers import scope

STEPS = 3
STEP = "a whole step"
BACKWARD = "autograd::engine::evaluate_function"
OTHER = "other"
BACKWARD_NODE = 1  # their scope among recorded functions (at::RecordScope)


def shares(step: Callable[[], object], device: torch.device) -> dict[str, float]:
    """Share of the time of `step` by part (models/layers/scope.py), "other" the rest; they sum to 1.

    The fastest of a few steps counts. Of a CPU it is time on the clock, Python's included, of a GPU that of kernels.
    What is recorded takes longer, small operators most; a compiled step shows no parts. Gradients added up into
    parameters belong to "other".
    """
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    step()
    with scope.profiled(), profile(activities=activities) as recorded:
        step()  # the first one recorded pays for the recorder's start
        for _ in range(STEPS):
            with record_function(STEP):
                step()
        if on_gpu:
            torch.cuda.synchronize(device)
    return attributed(recorded.events() or [], on_gpu)


def attributed(events: Iterable[Any], on_gpu: bool) -> dict[str, float]:
    """Own time of every event of the fastest whole step, the one least disturbed, part by part, over all of it."""
    events = sorted((e for e in events if e.device_type.name == "CPU"), key=lambda e: e.time_range.start)
    starts = [e.time_range.start for e in events if e.name == STEP]
    forward = _forward(events)
    steps = [dict.fromkeys((*scope.PARTS, OTHER), 0.0) for _ in starts]
    for event in events:
        step = bisect.bisect(starts, event.time_range.start) - 1
        if step >= 0:
            owner = _owner(event, forward)
            steps[step][owner] = steps[step].get(owner, 0.0) + _own(event, on_gpu)
    spent = min(steps, key=lambda step: sum(step.values()))
    whole = sum(spent.values())
    return {name: time / whole for name, time in spent.items()}


def _forward(events: list[Any]) -> dict[tuple[int, int], str]:
    """The part of each forward operator by thread and sequence number.

    Operators show the number that the next node of the graph will get, so that the last of one number made the node.
    """
    made = [e for e in events if e.sequence_nr >= 0 and e.scope != BACKWARD_NODE and not e.name.startswith(BACKWARD)]
    return {(e.thread, e.sequence_nr): _owner(e, {}) for e in made}


def _owner(event: Any, forward: dict[tuple[int, int], str]) -> str:
    """The innermost part around an event; of backward operators that of the forward one."""
    while event is not None:
        if event.name.startswith(scope.MARK):
            return str(event.name.removeprefix(scope.MARK))
        if event.name.startswith(BACKWARD):
            return forward.get((event.fwd_thread, event.sequence_nr), OTHER)
        event = event.cpu_parent
    return OTHER


def _own(event: Any, on_gpu: bool) -> float:
    """Microseconds of an event without those inside it."""
    if not on_gpu:
        return float(event.self_cpu_time_total)
    # a name's own kernels would be those of its operators once more
    return 0.0 if event.is_user_annotation else float(sum(kernel.duration for kernel in event.kernels))
