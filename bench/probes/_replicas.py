"""Learning on several devices at once: a process each with the same model, which average their gradients.

Data parallelism as in Li et al. (2020, "PyTorch Distributed"). Every device learns from a batch of its own, so that n
of them learn from n batches at once. Groups of one, two, four, ... take turns, as contestants of `bench.clock` do, and
a group is as slow as its slowest member. On a CPU, where there is one device, processes with a share of the threads
each take the places of devices.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
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
from bench.probes._timed import doubling, drawn, subject
from bench.train import room
from bench.trial import Trial
from bench.watch import Watch
from bench.workers.line import die_with_parent

MET, ALIVE, FOUND, RAISED = "met", "alive", "found.json", "raised"  # files by which processes and their parent speak
PATIENCE = datetime.timedelta(minutes=5)  # after which a process that waits for the others gives up


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
        return doubling(len(self.devices))


class ReplicaError(RuntimeError):
    """One of the processes came to no end."""


def raced(race: Race, watch: Watch) -> Contest:
    """Seconds of an update by the number of devices, as text. Raises ReplicaError with what was raised first, Stopped.

    The watch hears of life when the processes have done something, so that its owner sees when they hang.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        group = start_processes(_replica, (race, folder), nprocs=len(race.devices), join=False, start_method="spawn")
        try:
            seen = 0.0
            while not group.join(timeout=0.2):
                last, seen = seen, _beat(folder)
                if seen != last or watch.stopping():
                    watch.alive()
            return Contest(**json.loads((folder / FOUND).read_text(encoding="utf-8")))
        except (ProcessException, OSError) as error:
            raise ReplicaError(_first_fault(folder) or _last_line(error)) from error
        finally:
            for process in group.processes:
                process.kill()
                process.join()


def _beat(folder: Path) -> float:
    """When the processes last did something together."""
    with contextlib.suppress(OSError):
        return (folder / ALIVE).stat().st_mtime
    return 0.0


def _first_fault(folder: Path) -> str:
    """What the process that failed first raised."""
    with contextlib.suppress(OSError):
        return (folder / RAISED).read_text(encoding="utf-8")
    return ""


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _replica(rank: int, race: Race, folder: Path) -> None:
    """The life of one process, which leaves what came of it in `folder`."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it says when it ends
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all are on this machine, whatever its name resolves to
    try:
        found = _run(rank, race, folder)
    except Exception as error:
        with contextlib.suppress(FileExistsError), (folder / RAISED).open("x", encoding="utf-8") as file:
            file.write(" ".join(f"{type(error).__name__}: {error}".splitlines()[:1]))
        raise  # without leaving the group, which could wait for those that are in the middle of something
    if rank == 0:
        (folder / FOUND).write_text(json.dumps(dataclasses.asdict(found)), encoding="utf-8")
    distributed.destroy_process_group()


def _run(rank: int, race: Race, folder: Path) -> Contest:
    device = machine.prepare(race.devices[rank], race.threads)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    meeting = f"file://{folder / MET}"
    size = len(race.devices)
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size, timeout=PATIENCE)
    calls = {size: _learning(race, size, rank, device) for size in race.sizes}
    return _contest(calls, race, device, folder / ALIVE)


def _learning(race: Race, size: int, rank: int, device: torch.device) -> Callable[[], object]:
    """An update of the first `size` replicas together; of the others, nothing."""
    kind = "nccl" if device.type == "cuda" else "gloo"
    group = distributed.new_group(list(range(size)), backend=kind, timeout=PATIENCE)
    if rank >= size:
        return lambda: None
    of = subject(race.trial, device)
    if size > 1:
        of.rule.spread(group)
    batch = drawn(of.spec, race.trial.batch, race.length, race.length, device, seed=rank)

    def learn() -> None:
        with room(batch):
            of.rule.learn(batch)

    return learn


def _contest(calls: dict[int, Callable[[], object]], race: Race, device: torch.device, alive: Path) -> Contest:
    """As `clock.contest`, by all processes in step; what the first of them decides holds for all."""
    first, repeats = {}, {}
    for size, call in calls.items():
        times = [clock.once(call, device)]
        start = time.perf_counter()
        while _agreed(not clock.steady(times, time.perf_counter() - start), alive):
            times.append(clock.once(call, device))
        first[str(size)], usual = _most(times[0]), _most(clock.usual_of(times))
        repeats[size] = clock.filling(usual)
    timed, order = clock.Rounds(race.seconds, race.rounds), list(calls)
    while _agreed(timed.more, alive):
        distributed.barrier()
        company, own, took = Company(), time.process_time(), {}
        for size in order:
            distributed.barrier()
            took[str(size)] = _most(clock.once(calls[size], device, repeats[size]))
        spent = time.process_time() - own
        timed.add(took, company.processors(_sum(spent) - spent))
        order.reverse()
    return timed.contest(first)


def _agreed(yes: bool, alive: Path) -> bool:
    """What the first process thinks; all have come so far."""
    told = torch.tensor(int(yes))
    distributed.broadcast(told, 0)
    alive.touch()
    return bool(told)


def _most(value: float) -> float:
    return _together(value, distributed.ReduceOp.MAX)


def _sum(value: float) -> float:
    return _together(value, distributed.ReduceOp.SUM)


def _together(value: float, how: distributed.ReduceOp.RedOpType) -> float:
    told = torch.tensor(value, dtype=torch.float64)
    distributed.all_reduce(told, how)
    return float(told)
