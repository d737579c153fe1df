"""Running a suite: which of its trials run, and where; whether their folder can be written; what is told on the way."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench import goal
from bench.goal import Goal
from bench.trial import Trial
from bench.typed import UsageError

if TYPE_CHECKING:
    from bench.contest import Cell, Decision
    from bench.trial import Place
    from bench.workers import Workers

Retry = Literal["none", "failed", "diverged", "all"]


@dataclasses.dataclass(frozen=True)
class How:
    """In which way a suite is run."""

    device: str
    threads: int  # 0 takes every core
    retry: Retry
    explain: bool
    timeout: float
    in_process: bool
    within: float  # seconds after which no further trial is begun; 0: never
    goal: Goal | None = None  # the size that every model is brought to


def started(trials: list[Trial], folder: Path, how: How) -> int:
    """Runs what is not stored yet, or explains what would run; how many trials failed."""
    from bench import contest, workers
    from bench.progress import Progress

    with workers.workers(how.timeout or None) as some:
        place, cells = (_here if how.in_process else _asked)(trials, how, some)
        if how.explain:
            _explained(contest.decided(cells, folder, how.retry))
            return 0
        writable(folder)
        with Progress(len(trials)) as progress:
            progress.say(f"{len(trials)} trials on {place.device} into {folder}")
            some_ = None if how.in_process else some
            return contest.Contest(folder, place, progress, some_, how.retry, how.within).run(cells)


def _asked(trials: list[Trial], how: How, some: Workers) -> tuple[Place, list[Cell]]:
    """Where trials run and what they are made of, by the process that knows: this one imports no torch."""
    place, aim = some.place(how.device, how.threads), how.goal
    if aim is not None:
        trials = goal.solved(trials, lambda trial: some.matched(trial, aim), told)
    return place, [(trial, some.vouched(trial, place)) for trial in trials]


def _here(trials: list[Trial], how: How, some: Workers) -> tuple[Place, list[Cell]]:
    from bench import machine
    from bench.probes import asked

    place, aim = machine.place(how.device, how.threads or None), how.goal
    if aim is not None:
        from bench import match

        trials = goal.solved(trials, lambda trial: match.matched(trial, aim), told)
    return place, [(trial, asked.vouched(trial, place)) for trial in trials]


def _explained(decisions: list[Decision]) -> None:
    for one in decisions:
        print(f"{'runs ' if one.runs else 'stays'}  {one.trial.label()}: {one.why}")
    print(f"{sum(one.runs for one in decisions)} of {len(decisions)} would run; nothing was started")


def writable(folder: Path) -> None:
    """Makes the folder. Raises UsageError where nothing can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}; choose another folder with --out") from None


def told(line: str) -> None:
    """Tells a person, aside from what a command prints."""
    print(line, file=sys.stderr, flush=True)
