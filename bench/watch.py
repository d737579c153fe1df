"""Who looks on while a trial runs: sees how far it is, keeps its checkpoints, and may stop it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.checkpoint import Checkpoints, Snapshot


class Stopped(BaseException):
    """Somebody asked for an end; what is needed to go on is stored. No fault, so no Exception."""


@dataclasses.dataclass(frozen=True)
class Pulse:
    """How far a training is."""

    updates: int
    planned: int
    seconds: float  # on the training clock
    points: int = 0  # evaluations so far
    best: float | None = None  # on validation
    loss: float | None = None  # at the last evaluation


class Watch:
    """By default nobody looks on: nothing is told, kept or stopped."""

    def __init__(
        self,
        tell: Callable[[Pulse], None] = lambda pulse: None,
        checkpoints: Checkpoints | None = None,
        stopping: Callable[[], bool] = lambda: False,
        alive: Callable[[], None] = lambda: None,
        warn: Callable[[str], None] = lambda line: None,
        every: float = 60.0,
    ) -> None:
        """`stopping` is asked after every update; a checkpoint is kept at least each `every` seconds."""
        self.tell, self.checkpoints, self.stopping, self.warn, self.every = tell, checkpoints, stopping, warn, every
        self._alive, self._kept = alive, time.monotonic()

    def saved(self) -> Snapshot | None:
        """Where an interrupted training left off."""
        return self.checkpoints.newest(self.warn) if self.checkpoints else None

    def save(self, snapshot: Callable[[], Snapshot], updates: int) -> None:
        """Keeps a checkpoint. Raises RecordError."""
        if self.checkpoints:
            self.checkpoints.save(snapshot(), updates)
            self._kept = time.monotonic()

    def between(self, snapshot: Callable[[], Snapshot], updates: int) -> None:
        """Between two updates: keeps a checkpoint when it is time, or when this is the end. Raises Stopped."""
        stop = self.stopping()
        if stop or time.monotonic() - self._kept > self.every:
            self.save(snapshot, updates)
        if stop:
            raise Stopped

    def alive(self) -> None:
        """A sign of life where there are no updates to count. Raises Stopped: a checkpoint was kept before."""
        self._alive()
        if self.stopping():
            raise Stopped
