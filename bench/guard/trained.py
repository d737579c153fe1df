"""Quality at a tiny budget, and the first losses of a training: always to the same bits on one machine."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch.nn import functional

from bench import machine, record, trial
from bench.budget import endless
from bench.guard import entries, promises
from bench.learning import Rule
from bench.probes import asked
from bench.record import Result
from bench.train import answers
from bench.trial import Budget, Trial, now
from models import Model
from tasks import PAD, BadInput, Batch, Range, Settings, Task

SUITE = "pytest"
THREADS = 1  # results differ in their last bits with their number


@dataclasses.dataclass(frozen=True)
class Quality(Settings):
    """How a model is trained and tested, and what counts as worse."""

    updates: Annotated[int, Range(1, 10_000_000)] = 60
    batch: Annotated[int, Range(1, 65536)] = 16
    seeds: Annotated[int, Range(1, 100)] = 3  # 0, 1, ...
    beam: Annotated[int, Range(1, 1000)] = 1
    tolerance: Annotated[float, Range(0, 100)] = 1.0  # points of the main score that may be lost
    changed: Annotated[float, Range(0, 100)] = 0.5  # percent of the answers of the same weights that may change


@dataclasses.dataclass(frozen=True)
class Losses(Settings):
    """Whose first losses are looked at."""

    steps: Annotated[int, Range(1, 1000)] = 10
    batch: Annotated[int, Range(1, 65536)] = 4
    seed: Annotated[int, Range(0, 2**31 - 1)] = 0


@dataclasses.dataclass(frozen=True)
class Subject:
    """Which model on which task, and with which settings."""

    model: str
    task: str
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    learning: dict[str, Any] = dataclasses.field(default_factory=dict)
    task_settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    data: str | None = None

    def trial(self, seed: int, updates: int, batch: int, beam: int = 1) -> Trial:
        """The training of it."""
        return Trial(
            self.model, self.task, seed, SUITE, Budget(updates=updates),
            model_settings=self.settings, learning=self.learning, task_settings=self.task_settings,
            batch=batch, beam=beam, points=1, precision="float32", data=self.data,
        )  # fmt: skip


@contextlib.contextmanager
def alike(device: str = "cpu") -> Iterator[torch.device]:
    """One thread and seeds of its own; whoever shares the process finds both as they were. Raises BadInput."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        try:
            yield machine.prepare(device, THREADS)
        finally:
            torch.set_num_threads(threads)


def quality(
    of: Subject, how: Quality, device: str, run: Path, weights: Path | None = None
) -> tuple[dict[str, Any], str]:
    """A baseline's entry for training and testing with every seed, and the first promise that a model broke.

    With `weights` (safetensors) nothing is trained: that model answers. Rows and answers are stored in `run`.
    Raises BadInput where the model or task cannot be used, and where a training came to no number.
    """
    with alike(device) as place:
        trials = [of.trial(seed, how.updates, how.batch, how.beam) for seed in range(1 if weights else how.seeds)]
        rows = [_tested(one, weights, run, place) if weights else _trained(one, run, place) for one in trials]
        broken = _broken(trials[0], weights, run, rows[0])
    return entries.quality(run, rows), broken


def _trained(one: Trial, run: Path, device: torch.device) -> Result:
    vouched = asked.vouched(one, machine.place(str(device), THREADS))
    row = trial.run(one, vouched, run, device)[0]
    record.append(run, row)
    if row.status != "ok":
        raise BadInput(f"{one.label()} came to no number: {row.reason}")
    return row


def _tested(one: Trial, weights: Path, run: Path, device: torch.device) -> Result:
    """The row of a model that was trained elsewhere."""
    model, task = _restored(one, weights, device), asked.tested(one)
    said = answers(model, task, "test", device, one.beam)
    scores, name = task.score(said.tokens, "test"), f"{Path(one.model).stem}-{weights.stem}"
    items = [
        {
            "item": n,
            "answer": task.write(tokens) if task.spec.target == "tokens" else str(tokens),
            "reference": task.show("test", n).reference,
            "scores": {metric: round(values[n], 2) for metric, values in scores.items.items()},
        }
        for n, tokens in enumerate(said.tokens)
    ]
    stored = {
        "answers": record.store(run, name, "answers.json", json.dumps({"items": items}).encode()),
        "checkpoint": record.store(run, name, "model.safetensors", save(_plain(model))),
    }
    row = Result(
        "quality", one.model, one.task, one.seed, "ok", dict(scores.totals), scores.main,
        config={"model": asked.config(model), "task": asked.config(task), "beam": one.beam, "weights": weights.name},
        signatures=scores.signatures, environment=machine.environment(device), artifacts=stored,
        suite=SUITE, time=now(), made_of={"data": task.checksum},
    )  # fmt: skip
    record.append(run, row)
    return row


def _restored(one: Trial, weights: Path, device: torch.device) -> Model:
    """The model with those weights. Raises BadInput."""
    model = asked.built(one, device)
    try:
        model.load_state_dict(load(weights.read_bytes()))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadInput(f"{weights} does not hold weights of {one.model} with these settings: {reason}") from None
    return model.eval()


def _plain(model: Model) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}


def _broken(one: Trial, weights: Path | None, run: Path, row: Result) -> str:
    """The first promise that the tested model breaks on a batch of its own task; empty where it keeps all."""
    path = weights or run / row.artifacts["checkpoint"]["path"]
    model, task = _restored(one, path, torch.device("cpu")), asked.task(one)
    return next(promises.broken(model, next(task.batches("validation", 4))), "")


def losses(of: Subject, how: Losses) -> dict[str, Any]:
    """A baseline's entry for the first losses of a training on the CPU, one a step. Raises BadInput."""
    one = of.trial(how.seed, how.steps, how.batch)
    with alike() as device:
        task, kind = asked.task(one), asked.model(one)[0]
        taught, settings = asked.rule(one, kind)
        model = asked.built(one, device)
        rule = taught(model, settings, how.steps, torch.float32)
        batches = list(itertools.islice(endless(task, how.batch, how.seed), how.steps))
        found = _losses(model.train(), rule, batches)
        environment = machine.environment(device)
    return {
        "kind": "losses",
        "model": of.model,
        "task": of.task,
        "metric": f"loss of the first {how.steps} steps",
        "asked": {**dataclasses.asdict(how), **_settings(of)},
        "data": task.checksum,
        "losses": [float(f"{loss:.8g}") for loss in found],
        "made": entries.made(environment, now()),
    }


def _settings(of: Subject) -> dict[str, Any]:
    told = {"settings": of.settings, "learning": of.learning, "task_settings": of.task_settings}
    plain: dict[str, Any] = json.loads(json.dumps({name: value for name, value in told.items() if value}))
    return plain


def _losses(model: Model, rule: Rule, batches: Sequence[Batch]) -> list[float]:
    """Of a rule that has no loss, those of the first state that it solves for, on the same batches."""
    told = [rule.learn(batch) for batch in batches]
    if all(loss is not None for loss in told):
        return [float(loss) for loss in told if loss is not None]
    next(rule.candidates(last=True))
    model.eval()
    with torch.no_grad():
        return [float(_loss(model, batch)) for batch in batches]


def _loss(model: Model, batch: Batch) -> torch.Tensor:
    logits = model.head(model(batch))
    if batch.target.is_floating_point():
        return functional.mse_loss(logits[:, 0], batch.target)
    return functional.cross_entropy(logits.flatten(0, 1), batch.wanted.flatten(), ignore_index=PAD)


def task_of(of: Subject) -> Task:
    """The task itself, without its test. Raises BadInput."""
    return asked.task(of.trial(0, 1, 1))
