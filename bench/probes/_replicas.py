"""Learning on several devices at once: a process each with the same model, which average their gradients.

Data parallelism as in Li et al. (2020, "PyTorch Distributed"). Every device learns from a batch of its own, so that n
of them learn from n batches at once. Groups of one, two, four, ... take turns, as contestants of `bench.clock` do, and
a group is as slow as its slowest member. On a CPU, where there is one device, processes with a share of the threads
each take the places of devices.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import distributed
from torch.multiprocessing.spawn import ProcessException, start_processes

from bench import clock, machine
from bench.clock import Contest
from bench.meters import Company
from bench.probes._timed import drawn, subject
from bench.trial import Trial
from bench.watch import Watch
from bench.workers.line import die_with_parent

MET, FOUND = "met", "found.json"  # where processes find each other, and what the first of them leaves


@dataclasses.dataclass(frozen=True)
class Race:
    """What all processes have to know."""

    trial: Trial
    devices: tuple[str, ...]  # cuda:0, cuda:1, ...; or cpu as often
    threads: int  # of a process
    length: int  # tokens of source and target
    seconds: float  # that may pass, warm-up aside
    rounds: int

    @property
    def sizes(self) -> list[int]:
        """How many devices learn together: 1, 2, 4, ..., and all."""
        whole = len(self.devices)
        return sorted({2**k for k in range(whole.bit_length()) if 2**k < whole} | {whole})


class ReplicaError(RuntimeError):
    """One of the processes came to no end."""


def raced(race: Race, watch: Watch) -> Contest:
    """Seconds of an update by the number of devices, as text. Raises ReplicaError with what the first of them said."""
    with tempfile.TemporaryDirectory() as folder:
        group = start_processes(_replica, (race, folder), nprocs=len(race.devices), join=False, start_method="spawn")
        try:
            while not group.join(timeout=0.2):
                watch.alive()
        except ProcessException as error:
            raise ReplicaError(_last_line(error)) from error
        finally:
            for process in group.processes:
                process.kill()
        return Contest(**json.loads((Path(folder) / FOUND).read_text(encoding="utf-8")))


def _last_line(error: Exception) -> str:
    """Of a traceback that came as text, what was raised."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _replica(rank: int, race: Race, folder: str) -> None:
    """The life of one process."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it says when it ends
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all are on this machine, whatever its name resolves to
    device = machine.prepare(race.devices[rank], race.threads)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "gloo", init_method=f"file://{Path(folder) / MET}", rank=rank, world_size=len(race.devices)
    )
    try:
        found = _contest({size: _learning(race, size, rank, device) for size in race.sizes}, race, device)
        if rank == 0:
            (Path(folder) / FOUND).write_text(json.dumps(dataclasses.asdict(found)), encoding="utf-8")
    finally:
        distributed.destroy_process_group()


def _learning(race: Race, size: int, rank: int, device: torch.device) -> Callable[[], object]:
    """An update of the first `size` replicas together; of the others, nothing."""
    group = distributed.new_group(list(range(size)), backend="nccl" if device.type == "cuda" else "gloo")
    if rank >= size:
        return lambda: None
    of = subject(race.trial, device)
    if size > 1:
        of.rule.spread(group)
    batch = drawn(of.spec, race.trial.batch, race.length, race.length, device, seed=rank)
    return lambda: of.rule.learn(batch)


def _contest(calls: dict[int, Callable[[], object]], race: Race, device: torch.device) -> Contest:
    """As `clock.contest`, by all processes in step; what the first of them decides holds for all."""
    first, repeats = {}, {}
    for size, call in calls.items():
        times: list[float] = []
        start = time.perf_counter()
        while _agreed(not times or not clock.steady(times, time.perf_counter() - start)):
            times.append(clock.once(call, device))
        first[str(size)], usual = _most(times[0]), _most(clock.usual_of(times))
        repeats[size] = clock.filling(usual)
    timed, order = clock.Rounds(race.seconds, race.rounds), list(calls)
    while _agreed(timed.more):
        distributed.barrier()
        company, own, took = Company(), time.process_time(), {}
        for size in order:
            distributed.barrier()
            took[str(size)] = _most(clock.once(calls[size], device, repeats[size]))
        spent = time.process_time() - own
        timed.add(took, company.processors(_sum(spent) - spent))
        order.reverse()
    return timed.contest(first)


def _agreed(yes: bool) -> bool:
    """What the first process thinks."""
    told = torch.tensor(int(yes))
    distributed.broadcast(told, 0)
    return bool(told)


def _most(value: float) -> float:
    return _together(value, distributed.ReduceOp.MAX)


def _sum(value: float) -> float:
    return _together(value, distributed.ReduceOp.SUM)


def _together(value: float, how: distributed.ReduceOp.RedOpType) -> float:
    told = torch.tensor(value, dtype=torch.float64)
    distributed.all_reduce(told, how)
    return float(told)
