"""Pace: how long a step takes beside reference work, in several processes one after another, and how much memory."""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from bench.guard import turns
from bench.guard.turns import Round, Work
from tasks import Range, Settings

Share = Annotated[float, Range(0, 100, "(]")]
OF = {"step": "training step", "write": "writing of a batch"}
SHAPE = ("of", "batch", "source", "target", "vocabulary")
LIMIT = 60.0  # seconds that one check takes at most
EACH = 6.0  # seconds of turns in one process, at most


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """What is timed, and what counts as slower."""

    of: Literal["step", "write"] = "step"  # an update, or greedy answers to a batch
    batch: Annotated[int, Range(1, 65536)] = 16
    source: Annotated[int, Range(1, 65536)] = 24  # tokens
    target: Annotated[int, Range(1, 65536)] = 24  # tokens, EOS included
    vocabulary: Annotated[int, Range(5, 1_000_000)] = 1000
    threads: Annotated[int, Range(1, 1024)] = 1  # one: what a neighbour takes from the others does not show
    processes: Annotated[int, Range(2, 20)] = 3  # measured one after another; a baseline takes five more
    tolerance: Share = 0.05  # share by which a step may be slower
    memory: Share = 0.25  # share by which it may need more memory
    seconds: Annotated[float, Range(5, 3600)] = LIMIT  # of one check, repeats included

    def asked(self, settings: dict[str, Any]) -> dict[str, Any]:
        """What is timed, in plain values; the reference's version is part of it."""
        from bench.guard.reference import VERSION

        shape = {name: getattr(self, name) for name in SHAPE} | {"threads": self.threads, "reference": VERSION}
        return shape | ({"settings": settings} if settings else {})

    def work(self, model: str, settings: dict[str, Any]) -> Work:
        """The piece of work as a process is told of it."""
        shape = {name: getattr(self, name) for name in SHAPE}
        return {"model": model, "settings": settings, "weighed": True, **shape}


@dataclasses.dataclass
class Pace:
    """What some processes came to."""

    ratios: list[float] = dataclasses.field(default_factory=list)  # step over reference, one a process
    seconds: list[float] = dataclasses.field(default_factory=list)  # a call of the step, one a round
    reference: list[float] = dataclasses.field(default_factory=list)  # a call of the reference, one a round
    memory: list[int] = dataclasses.field(default_factory=list)  # bytes, one a process; none where nobody tells
    busy: int = 0  # processes that came to no ratio, since others used the machine

    def add(self, found: list[Round], weighed: int | None) -> None:
        """One process more."""
        value = turns.ratio(found, "model", "reference")
        if value is None:
            self.busy += 1
        else:
            self.ratios.append(value)
        if weighed is not None:
            self.memory.append(weighed)
        for one in filter(turns.alone, found) if value is not None else ():
            self.seconds.append(one.seconds["model"])
            self.reference.append(one.seconds["reference"])

    def entry(self) -> dict[str, Any]:
        """The numbers as a baseline keeps them."""
        return {
            "ratios": [round(value, 5) for value in self.ratios],
            "seconds": _median(self.seconds),
            "reference_seconds": _median(self.reference),
            "noise": round(statistics.stdev(map(math.log, self.ratios)), 5) if len(self.ratios) > 1 else None,
            "memory": list(self.memory),
        }


def _median(seconds: list[float]) -> float | None:
    return float(f"{statistics.median(seconds):.4g}") if seconds else None


def measured(
    model: str, settings: dict[str, Any], how: Config, device: str, folder: Path | None = None
) -> Iterator[Pace]:
    """The pace after each process that gave a ratio or failed to, for as long as somebody asks and time is left.

    Nobody else of this user times anything meanwhile. Raises ContestantError where the model cannot be run.
    """
    from bench.guard.reference import VERSION

    works = {"model": how.work(model, settings), "reference": {"reference": VERSION}}
    pace, longest = Pace(), 0.0
    with turns.undisturbed():
        begun = time.monotonic()
        while not longest or time.monotonic() - begun + longest < how.seconds:
            start = time.monotonic()
            pace.add(*_one(works, how.threads, device, folder))
            longest = max(longest, time.monotonic() - start)
            yield pace


def _one(works: dict[str, Work], threads: int, device: str, folder: Path | None) -> tuple[list[Round], int | None]:
    """The rounds of one process, and the bytes that the model needs in it."""
    process = turns.Process(works, device, threads, folder)
    with turns.processes(process):
        told = process.ready()
        found = turns.rounds({name: turns.Turns(process, name) for name in works}, told["calls"], EACH)
    return found, told["memory"]["model"]["bytes"]
