"""A worker: runs one trial, tells how far it is, and ends."""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.disk import RecordError
from bench.trial import Place, from_plain
from bench.watch import Pulse, Stopped
from bench.workers.line import Line, die_with_parent

if TYPE_CHECKING:
    import torch

TELL_EVERY = 0.25  # seconds between two signs of life


def worked(question: dict[str, Any], files: list[int], server: Line) -> None:
    """A worker's life; never returns."""
    code = 1
    try:
        server.socket.close()
        teller = Teller(Line(socket.socket(fileno=files[0])))
        for number in (1, 2):
            os.dup2(files[1], number)
        faulthandler.enable()
        die_with_parent()
        _run(question, teller)
        code = 0
    except ConnectionError:
        pass  # who asked is gone
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _run(question: dict[str, Any], teller: Teller) -> None:
    from bench import machine, trial
    from bench.checkpoint import Checkpoints
    from bench.watch import Watch
    from tasks import BadInput

    stops: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stops.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    place = Place(**question["place"])
    device = machine.prepare(place.device, place.threads)
    apart = _device_start(device)
    watch = Watch(
        tell=teller.pulse,
        checkpoints=Checkpoints(Path(question["folder"])),
        stopping=lambda: bool(stops),
        alive=teller.alive,
        warn=lambda line: teller.line.say(kind="warn", line=line),
    )
    try:
        rows = trial.run(from_plain(question["trial"]), question["made_of"], Path(question["out"]), device, watch)
        plain = [dataclasses.asdict(row) for row in rows]
        teller.line.say(kind="rows", rows=[row | {"environment": row["environment"] | apart} for row in plain])
    except Stopped:
        teller.line.say(kind="stopped")
    except RecordError as problem:
        teller.line.say(kind="record", line=str(problem))
    except BadInput as problem:
        teller.line.say(kind="bad", line=str(problem))


def _device_start(device: torch.device) -> dict[str, float]:
    """Seconds until a GPU had its first number, which no clock of a trial should hold; empty on a CPU."""
    if device.type == "cpu":
        return {}
    import torch

    from bench.machine import wait

    start = time.perf_counter()
    torch.zeros((), device=device)
    wait(device)
    return {"device_start_seconds": round(time.perf_counter() - start, 3)}


class Teller:
    """Tells how far a worker is, but not oftener than anybody could read."""

    def __init__(self, line: Line) -> None:
        self.line, self.points, self.last = line, 0, 0.0

    def pulse(self, pulse: Pulse) -> None:
        """An update or an evaluation is done."""
        if pulse.points != self.points or self._due():
            self.points, self.last = pulse.points, time.monotonic()
            self.line.say(kind="pulse", pulse=dataclasses.asdict(pulse))

    def alive(self) -> None:
        """Something else is done."""
        if self._due():
            self.last = time.monotonic()
            self.line.say(kind="alive")

    def _due(self) -> bool:
        return time.monotonic() - self.last > TELL_EVERY
