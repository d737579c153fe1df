"""A suite under way: what is stored is left, what another run has begun is left to it, what fails is a row."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Literal, NoReturn

from bench import disk, identity, record
from bench.record import Result
from bench.trial import Place, Trial, fault
from bench.watch import Stopped
from bench.workers import WorkerError, Workers

if TYPE_CHECKING:
    from bench.progress import Progress

UNFINISHED = "unfinished"  # below a run's folder: what trials need to go on, a folder each
CLAIMS = ".claims"  # one byte of this file is locked for each trial under way
Cell = tuple[Trial, dict[str, str]]  # and what it is made of
GRACE = 40.0  # seconds that a trial under way may still take when the time that was given is over; the first has all
Retry = Literal["none", "failed", "diverged", "all"]


class Ended(BaseException):
    """A signal ended the run; everything is stored."""

    def __init__(self, by: int) -> None:
        super().__init__(by)
        self.by = by


class TimeIsUp(Exception):
    """The time that was given is over, and this run does no more."""


@dataclasses.dataclass(frozen=True)
class Decision:
    """Whether a cell runs, and why."""

    trial: Trial
    id: str
    runs: bool
    why: str
    status: str = ""  # of the stored row


class Contest:
    """Runs cells into a folder that other runs may be filling as well."""

    def __init__(
        self,
        folder: Path,
        place: Place,
        progress: Progress,
        workers: Workers | None,
        retry: Retry = "none",
        within: float = 0,
    ) -> None:
        """Without `workers`, trials run in this process: for a debugger, since a crash then ends the run.

        After `within` seconds no further trial is begun, and one that is still under way GRACE seconds later is
        stopped, unless it is the run's first, so that every run comes further; 0 means that all run to their end.
        """
        self.end = time.monotonic() + within if within else float("inf")
        self.folder, self.place, self.progress, self.workers, self.retry = folder, place, progress, workers, retry
        self.claims = Claims(folder)
        self.stop = 0  # the signal that asked for an end
        self.failed = 0
        self.ended = 0  # trials that this run brought to an end

    def run(self, cells: list[Cell], begun: int = 0) -> int:
        """Runs what is to be run, after `begun` trials of others; how many failed. Raises Ended, RecordError."""
        for line in record.mend(self.folder):
            self.progress.say(line)
        decisions = decided(cells, self.folder, self.retry)
        left = [cell for cell, decision in zip(cells, decisions, strict=True) if decision.runs]
        self._recalled([decision for decision in decisions if not decision.runs])
        self.progress.number = begun + len(cells) - len(left)
        with self._signals(), contextlib.suppress(TimeIsUp):
            others = [cell for cell in self._in_time(left) if not self._claimed(cell, wait=False)]
            for cell in self._in_time(others):
                self._claimed(cell, wait=True)
        return self.failed

    def _in_time(self, cells: list[Cell]) -> Iterator[Cell]:
        """The cells that may still begin."""
        for number, cell in enumerate(cells):
            if time.monotonic() > self.end:
                left = len(cells) - number
                many = f"{left} trials left; the same command goes on with them"
                self.progress.say(f"time is up: {many if left > 1 else '1 trial left; the same command runs it'}")
                return
            yield cell

    def _recalled(self, stored: list[Decision]) -> None:
        """Says what is stored; the failed among them still count. Drops what they needed to go on."""
        if stored:
            self.progress.say(f"{len(stored)} are stored already")
        failed = [decision for decision in stored if decision.status != "ok"]
        if failed:
            self.failed += len(failed)
            self.progress.say(f"{len(failed)} of them failed before; --retry failed runs them again")
        for decision in stored:
            disk.cleared(self.folder / UNFINISHED / decision.id)

    def _claimed(self, cell: Cell, wait: bool) -> bool:
        """Runs a cell unless another run has it; with `wait`, when that one is done and left it undone."""
        trial, made_of = cell
        name = identity.name(made_of)
        with self.claims.held(name, self._patience(trial) if wait else None) as mine:
            if not mine:
                return False
            if decided([cell], self.folder, self.retry if not wait else "none")[0].runs:
                self._one(trial, made_of, self.folder / UNFINISHED / name)
            else:
                self.progress.number += 1
            return True

    def _patience(self, trial: Trial) -> Callable[[], None]:
        """What to do while another run has a trial: say so once, and heed signals."""
        self.progress.say(f"{trial.label()}: another run is at it; waiting")

        def pause() -> None:
            time.sleep(0.2)
            self._heed()
            if time.monotonic() > self.end:
                self.progress.say(f"time is up: {trial.label()} is still another run's")
                raise TimeIsUp

        return pause

    def _one(self, trial: Trial, made_of: dict[str, str], scratch: Path) -> None:
        """Runs a trial, stores its rows, then throws away what it needed to go on."""
        self.progress.begin(trial.label())
        with disk.explained(scratch):
            disk.folder(scratch)
        rows = self._rows(trial, made_of, scratch)
        for row in rows:
            record.append(self.folder, row)
            if row.status == "ok":
                self.progress.end(f"{row.model}: {row.main} {row.metrics[row.main]:.1f}")
            else:
                self.progress.end(f"{row.status}: {row.reason}")
        disk.cleared(scratch)
        self.ended += 1
        self.failed += any(row.status != "ok" for row in rows)
        self._heed()

    def _rows(self, trial: Trial, made_of: dict[str, str], scratch: Path) -> list[Result]:
        try:
            if self.workers is None:
                return self._here(trial, made_of, scratch)
            return self.workers.run(
                trial, made_of, self.folder, self.place, scratch, self.progress.train, self.progress.say, self._stopping
            )
        except WorkerError as error:
            return [fault(trial, made_of, "failed", str(error), self.place.environment, error.output)]
        except Stopped:
            if self._over() and not self.stop:
                self._given_up(trial, scratch)
            raise Ended(self.stop or signal.SIGTERM) from None  # somebody may have told the worker itself

    def _here(self, trial: Trial, made_of: dict[str, str], scratch: Path) -> list[Result]:
        import torch

        from bench import trial as trials
        from bench.checkpoint import Checkpoints
        from bench.watch import Watch

        watch = Watch(self.progress.train, Checkpoints(scratch), self._stopping, warn=self.progress.say)
        return trials.run(trial, made_of, self.folder, torch.device(self.place.device), watch)

    def _stopping(self) -> bool:
        return bool(self.stop) or self._over()

    def _over(self) -> bool:
        return self.ended > 0 and time.monotonic() > self.end + GRACE

    def _given_up(self, trial: Trial, scratch: Path) -> NoReturn:
        left = "is left where it is; the same command goes on from there"
        told = left if _goes_on(scratch) else "was stopped; the same command begins it anew"
        self.progress.say(f"time is up: {trial.label()} {told}")
        raise TimeIsUp

    def _heed(self) -> None:
        if self.stop:
            raise Ended(self.stop)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """The first Ctrl-C or SIGTERM lets the trial keep a checkpoint; the second ends it at once."""

        def heard(number: int, frame: FrameType | None) -> None:
            if self.stop:
                raise Ended(self.stop)
            self.stop = number
            self.progress.say("stopping: the trial keeps a checkpoint first (again: at once)")

        try:
            before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not the main thread: whoever runs that hears the signals
            before = {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Claims:
    """Which trials somebody is at, by locks that the system gives up when their holder dies."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / CLAIMS

    @contextlib.contextmanager
    def held(self, name: str, pause: Callable[[], None] | None) -> Iterator[bool]:
        """Holds the claim to a trial; False where somebody else does, unless `pause` is called until they do not."""
        with disk.explained(self.path):
            disk.folder(self.path.parent)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            yield self._taken(descriptor, int(name[:15], 16), pause)
        finally:
            os.close(descriptor)

    def _taken(self, descriptor: int, place: int, pause: Callable[[], None] | None) -> bool:
        while True:
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
                return True
            except (BlockingIOError, PermissionError):
                if pause is None:
                    return False
                pause()


def decided(cells: list[Cell], folder: Path, retry: Retry = "none") -> list[Decision]:
    """Which cells run, and why."""
    rows = list(record.read(folder)) if (folder / record.RESULTS).exists() else []
    latest = {row.id: row for row in rows}
    return [_decision(trial, made_of, latest, folder, retry) for trial, made_of in cells]


def _decision(trial: Trial, made_of: dict[str, str], latest: dict[str, Result], folder: Path, retry: Retry) -> Decision:
    name = identity.name(made_of)
    row = latest.get(name)
    if row is not None:
        again = row.status != "ok" and retry in ("all", row.status)
        how = f"it {'failed' if row.status == 'failed' else 'was ' + row.status}" if row.status != "ok" else "stored"
        why = f"again: {how} before" if again else how + (f" ({row.reason})" if row.reason else f", {row.time}")
        return Decision(trial, name, again, why, row.status)
    if _goes_on(folder / UNFINISHED / name):
        return Decision(trial, name, True, "goes on from its checkpoint")
    like = [r for r in latest.values() if r.made_of and _cell(r) == (trial.probe, trial.model, trial.task, trial.seed)]
    if not like:
        return Decision(trial, name, True, "not in the folder yet")
    nearest = min((identity.difference(made_of, r.made_of) for r in like), key=len)
    return Decision(trial, name, True, "changed since it was stored: " + "; ".join(nearest))


def _goes_on(scratch: Path) -> bool:
    """Whether a trial has left there what it needs to go on."""
    return scratch.is_dir() and any(scratch.glob("*.json"))


def _cell(row: Result) -> tuple[str, str, str, int]:
    """A floor's row bears the floor's name, its trial always the same."""
    return row.probe, "floors" if row.probe == "floor" else row.model, row.task, row.seed
