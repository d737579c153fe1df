"""A trial: one model on one task with one seed under one budget. Describing one needs no torch; running one does."""

from __future__ import annotations

import dataclasses
import shlex
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from bench.record import Result
    from bench.watch import Watch


SEEDS = ("order", "initial", "reservoir")  # of data; of first weights and dropout; of an echo-state network's weights
TIMED = ("throughput", "parallelism", "scaling", "decoding")  # probes that measure time and memory


@dataclasses.dataclass(frozen=True)
class Budget:
    """What training may use: exactly one of these is set.

    Examples, tokens and operations become whole updates, rounded up. Seconds become a number of updates by a timed
    warm-up on a copy of the model; that number is stored, and `updates` = that number repeats the run.
    """

    updates: int | None = None
    examples: int | None = None
    tokens: int | None = None  # of sources and targets, padding not counted
    flops: float | None = None  # of learning from batches, by the model's formula; solving a readout comes on top
    seconds: float | None = None

    def asked(self) -> tuple[str, float]:
        """The axis that is set, and how much of it. Raises ValueError where it is not one."""
        given = [(name, value) for name, value in dataclasses.asdict(self).items() if value is not None]
        if len(given) != 1:
            raise ValueError(f"a budget of {dict(given) or 'nothing'}; expected one of updates, seconds, flops, ...")
        return given[0][0], float(given[0][1])


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
    compile: bool = False  # by torch.compile, as far as it takes the model
    variant: str = ""  # which of its suite's variants
    probe_settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    matched: dict[str, Any] = dataclasses.field(default_factory=dict)  # what the model's sizes were solved for
    tuned: dict[str, Any] = dataclasses.field(default_factory=dict)  # where its settings come from; {}: set by hand
    seeds: dict[str, int] = dataclasses.field(default_factory=dict)  # by what they draw, where it is not `seed`

    def drawn_by(self, what: str) -> int:
        """The seed of one of SEEDS."""
        return self.seeds.get(what, self.seed)

    @property
    def timed(self) -> bool:
        """Whether what is measured is time, which depends on the machine."""
        return self.probe in TIMED

    def label(self) -> str:
        """The trial in a word or four."""
        if self.timed:
            return f"{self.probe} of {self.model} on {self.task}"
        if self.probe not in ("quality", "floor"):
            return f"{self.probe} of {self.model} on {self.task}, seed {self.seed}"
        return f"{self.model} on {self.task}" + (f", seed {self.seed}" if self.probe != "floor" else "")

    def command(self, device: torch.device | None = None) -> str:
        """The command line that repeats this trial alone, with as many threads as now if it runs on a device."""
        words = ["seqbench", "run", self.suite, "--models", self.model, "--tasks", self.task]
        words += ["--variant", self.variant] if self.variant else []
        words += ["--seed", str(self.seed)]
        if device is not None:
            import torch

            words += ["--device", str(device), "--threads", str(torch.get_num_threads())]
        if self.data:
            words += ["--data", f"{self.task}={self.data}"]
        for scope, settings in (("model", self.model_settings), ("task", self.task_settings)):
            for name, value in settings.items():
                words += ["--set", f"{scope}.{name}={_plain(value)}"]
        # of a search, the place of a trial in it is left out: its command trains the same model, and tests it
        asked = {} if self.probe == "tune" else self.probe_settings
        for scope, settings in (("learning", self.learning), ("probe", asked), ("seed", self.seeds)):
            for name, value in settings.items():
                words += ["--set", f"{scope}.{name}={_plain(value)}"]
        words += ["--compile"] if self.compile else []
        used = {k: v for k, v in dataclasses.asdict(self.budget).items() if v is not None}
        alone = {"batch": self.batch, "beam": self.beam, "points": self.points, "precision": self.precision}
        for name, value in (used | alone).items():
            words += ["--set", f"{name}={value}"]
        return shlex.join(words)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where trials run, in words that travel between processes."""

    device: str  # cpu, cuda or cuda:N
    bfloat16: bool  # whether it multiplies that
    threads: int
    environment: dict[str, Any] = dataclasses.field(default_factory=dict)  # what rows say of it

    @property
    def kind(self) -> str:
        """cpu or cuda."""
        return self.device.partition(":")[0]


def _plain(value: Any) -> str:
    return ",".join(str(v) for v in value) if isinstance(value, list | tuple) else str(value)


def run(
    trial: Trial, made_of: dict[str, str], out: Path, device: torch.device, watch: Watch | None = None
) -> list[Result]:
    """Runs a trial and says how it went; whatever a model or task raises becomes a row with its reason.

    Interrupts pass through, and so does what cannot be stored. Floors give one row each, other probes one.
    """
    import importlib

    from bench import machine, record, splits
    from bench.disk import RecordError
    from bench.train import DivergedError
    from bench.watch import Watch

    try:
        probe = importlib.import_module(f"bench.probes.{trial.probe}")
        with splits.trial():
            rows: list[Result] = probe.run(trial, made_of, out, device, watch or Watch())
        for row in rows:
            record.storable(row)
        return rows
    except RecordError:
        raise
    except Exception as error:
        # any fault of one cell is a row, and the suite goes on
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}"
        status = "diverged" if isinstance(error, DivergedError) else "failed"
        return [fault(trial, made_of, status, reason, machine.environment(device))]


def fault(
    trial: Trial, made_of: dict[str, str], status: str, reason: str, environment: dict[str, Any], output: str = ""
) -> Result:
    """The row of a trial that came to no number, with what it printed last."""
    from bench import identity
    from bench.record import Result

    return Result(
        probe=trial.probe,
        model=trial.model,
        task=trial.task,
        seed=trial.seed,
        status=status,
        metrics={},
        reason=" ".join(reason.split())[:500],
        config={
            "model": trial.model_settings,
            "learning": trial.learning,
            "task": trial.task_settings,
            "matched": trial.matched,
        },
        budget={k: v for k, v in dataclasses.asdict(trial.budget).items() if v is not None},
        environment=environment,
        suite=trial.suite,
        command=trial.command(),
        time=now(),
        id=identity.name(made_of),
        made_of=made_of,
        output=output[-4000:],
    )


def now() -> str:
    """UTC to the second, ISO 8601."""
    import datetime

    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def from_plain(value: dict[str, Any]) -> Trial:
    """The trial that `dataclasses.asdict` took apart."""
    return Trial(**value | {"budget": Budget(**value["budget"])})
