"""Contestants in processes of their own that take turns: one at a time computes, the others wait.

A process is new each time it is asked for, so that what differs from process to process (where memory lies, say) is
among what is measured. Rounds in which others used the processors do not count.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.meters import Company
from tasks import BadInput

CONTESTANT = Path(__file__).with_name("contestant.py")
TURN = 0.02  # seconds of one turn, at least: what slows a machine for a tenth of a second is to slow both
ROUND = 0.6  # seconds of one round, in as many turns each as fit: company is counted in hundredths
ROUNDS = 9  # without company that make up a measurement
FEWEST = 3  # below which it is none
SILENT = 120.0  # seconds without an answer after which a process is given up
Work = dict[str, Any]


class ContestantError(BadInput):
    """A contestant came to no number: one line that says why."""


@dataclasses.dataclass(frozen=True)
class Round:
    """Some turns of each."""

    seconds: dict[str, float]  # contestant -> seconds a call, over its turns
    company: float  # processors that others used meanwhile


class Process:
    """A process that holds some contestants. Raises ContestantError where one cannot be made."""

    def __init__(self, works: Mapping[str, Work], device: str, threads: int, folder: Path | None = None) -> None:
        self.works, self.folder = works, folder or Path.cwd()
        words = [sys.executable, "-P", str(CONTESTANT), str(self.folder)]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self._process = subprocess.Popen(  # noqa: S603 (our own words, no shell)
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, cwd=self.folder, env=_clean()
        )
        self._send({"contestants": works, "device": device, "threads": threads})

    def ready(self) -> dict[str, Any]:
        """Waits until all are built and warm: {"calls": {name: usual seconds}, "memory": {name: {"bytes": N}}}."""
        return self._answer()

    def turn(self, name: str, calls: int) -> tuple[float, float]:
        """Seconds a call over `calls` in a row, and processor seconds in all."""
        self._send({"turn": name, "calls": calls})
        said = self._answer()
        return float(said["seconds"]), float(said["cpu"])

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(OSError, AttributeError):
                stream.close()  # type: ignore[union-attr]

    def _send(self, command: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # then the answer tells
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        stream = self._process.stdout
        assert stream is not None
        if not select.select([stream], [], [], SILENT)[0]:
            raise ContestantError(f"{self._names()}: no answer within {SILENT:g} s")
        said = json.loads(stream.readline() or b"null")
        if said is None:
            raise ContestantError(f"{self._names()}: the process ended ({self._last_line()})")
        if "error" in said:
            raise ContestantError(f"{self._names()}: {said['error']}")
        return dict(said)

    def _names(self) -> str:
        return ", ".join(str(work.get("model", "reference")) for work in self.works.values())

    def _last_line(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return " ".join(lines[-1].split())[:300] if lines else f"exit code {self._process.wait()}"


@dataclasses.dataclass(frozen=True)
class Turns:
    """One contestant of a process."""

    process: Process
    name: str

    def turn(self, calls: int) -> tuple[float, float]:
        """As Process.turn."""
        return self.process.turn(self.name, calls)


def _clean() -> dict[str, str]:
    """The environment without what would measure or change a process from outside."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST_"))}


@contextlib.contextmanager
def processes(*wanted: Process) -> Iterator[None]:
    """Ends them all, come what may."""
    try:
        yield
    finally:
        for one in wanted:
            one.close()


def rounds(held: Mapping[str, Turns], usual: Mapping[str, float], seconds: float, count: int = ROUNDS) -> list[Round]:
    """Rounds of turns in alternating order until `count` were without company or `seconds` are over; all of them."""
    calls = {name: max(1, round(TURN / max(usual[name], 1e-9))) for name in held}
    turns = max(1, round(ROUND / max(sum(calls[name] * usual[name] for name in held), TURN)))
    found: list[Round] = []
    order, end = list(held), time.monotonic() + seconds
    while sum(map(alone, found)) < count and (len(found) < FEWEST or time.monotonic() < end):
        company, cpu, took = Company(), 0.0, dict.fromkeys(held, 0.0)
        for _ in range(turns):
            for name in order:
                each, used = held[name].turn(calls[name])
                took[name] += each / turns
                cpu += used
            order.reverse()
        found.append(Round(took, company.processors(cpu)))
    return found


def alone(one: Round) -> bool:
    """Whether nobody else used the machine in a round."""
    return not Company.matters(one.company)


def ratio(found: list[Round], over: str, under: str) -> float | None:
    """Median, over the rounds without company, of how many times as long one takes; None where they are too few."""
    clean = [one.seconds[over] / one.seconds[under] for one in found if alone(one)]
    return statistics.median(clean) if len(clean) >= FEWEST else None


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Waits until no other process of this user times anything on this machine: timings beside timings are none."""
    path = Path(tempfile.gettempdir()) / f"seqbench-timing-{os.getuid()}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
