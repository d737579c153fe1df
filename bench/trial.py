"""A trial: one model on one task with one seed under one budget. Describing one needs no torch; running one does."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from bench.progress import Progress
    from bench.record import Result


@dataclasses.dataclass(frozen=True)
class Budget:
    """What training may use: exactly one of the three is set.

    Examples become whole updates, rounded up. Seconds become a number of updates by a timed warm-up
    on a copy of the model; that number is stored, and `updates` = that number repeats the run.
    """

    updates: int | None = None
    examples: int | None = None
    seconds: float | None = None


@dataclasses.dataclass(frozen=True)
class Trial:
    """All that is asked for. What is left out of `settings` falls to the defaults of the class it belongs to."""

    model: str
    task: str
    seed: int
    suite: str
    budget: Budget
    probe: str = "quality"
    model_settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    learning: dict[str, Any] = dataclasses.field(default_factory=dict)
    task_settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    batch: int = 64
    beam: int = 1  # 1 is greedy
    points: int = 4  # evaluations on validation, evenly spaced over the budget
    precision: str = "auto"
    data: str | None = None  # folder of one's own data

    def label(self) -> str:
        """The trial in a word or four."""
        return f"{self.model} on {self.task}" + (f", seed {self.seed}" if self.probe != "floor" else "")

    def identity(self, checksum: str, device: str) -> str:
        """A name that changes with anything that is asked for, with the data, and with the kind of device."""
        asked = json.dumps([dataclasses.asdict(self), checksum, device], sort_keys=True, default=str)
        return hashlib.sha256(asked.encode()).hexdigest()[:16]

    def command(self) -> str:
        """The command line that repeats this trial alone."""
        words = ["seqbench", "run", self.suite, "--models", self.model, "--tasks", self.task]
        words += ["--seed", str(self.seed)]
        if self.data:
            words += ["--data", f"{self.task}={self.data}"]
        for scope, settings in (("model", self.model_settings), ("task", self.task_settings)):
            for name, value in settings.items():
                words += ["--set", f"{scope}.{name}={_plain(value)}"]
        for name, value in self.learning.items():
            words += ["--set", f"learning.{name}={_plain(value)}"]
        used = {k: v for k, v in dataclasses.asdict(self.budget).items() if v is not None}
        alone = {"batch": self.batch, "beam": self.beam, "points": self.points, "precision": self.precision}
        for name, value in (used | alone).items():
            words += ["--set", f"{name}={value}"]
        return shlex.join(words)


def _plain(value: Any) -> str:
    return ",".join(str(v) for v in value) if isinstance(value, list | tuple) else str(value)


def run(trial: Trial, out: Path, device: torch.device, progress: Progress) -> list[Result]:
    """Runs a trial and says how it went; whatever a model or task raises becomes a row with its reason.

    Interrupts pass through. Floors give one row each, every other probe gives one.
    """
    from bench import machine
    from bench.probes import asked, floor, quality
    from bench.record import Result
    from tasks import BadInput

    try:
        if trial.probe == "floor":
            return floor.run(trial, out, device)
        return [quality.run(trial, out, device, progress)]
    except BadInput:
        raise
    except Exception as error:
        # any fault of one cell is a row, and the suite goes on
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        return [
            Result(
                probe=trial.probe,
                model=trial.model,
                task=trial.task,
                seed=trial.seed,
                status="failed",
                metrics={},
                reason=reason,
                config={"model": trial.model_settings, "learning": trial.learning, "task": trial.task_settings},
                budget=dataclasses.asdict(trial.budget),
                environment=machine.environment(device),
                suite=trial.suite,
                command=trial.command(),
                time=now(),
                id=trial.identity(asked.checksum(trial), device.type),
            )
        ]


def now() -> str:
    """UTC to the second, ISO 8601."""
    import datetime

    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
