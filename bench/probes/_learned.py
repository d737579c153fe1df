"""What probes of learning share: several trainings in one trial, each kept when it is done, the best by validation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor

from bench import identity, machine
from bench.checkpoint import Snapshot
from bench.probes import asked
from bench.record import Result
from bench.train import DivergedError, Training, answers, train
from bench.trial import Trial, now
from bench.watch import Watch
from models import Model
from tasks import BadInput, Range, Scores, Task
from tasks.synthetic import Synthetic

Rates = tuple[Annotated[float, Range(0, 10, "(]")], ...]
Numbers = dict[str, float | int]
WORST = -1e18  # what a training that diverged scores on validation; JSON holds no infinity


@dataclasses.dataclass
class Stages:
    """The finished parts of a trial, and the state of the best model so far: an interrupted one goes on behind them."""

    watch: Watch
    done: dict[str, Any] = dataclasses.field(default_factory=dict)
    best: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    kept: dict[str, Tensor] = dataclasses.field(default_factory=dict)  # of models that are asked later

    def __post_init__(self) -> None:
        if saved := self.watch.saved():
            self.done, self.best, self.kept = saved.numbers["stages"], saved.part("best"), saved.part("kept")

    def keep(self, name: str, model: Model) -> None:
        """Puts a finished model aside until the test is opened."""
        self.kept |= {f"{name}/{key}": value.detach().cpu().clone() for key, value in model.state_dict().items()}

    def model(self, name: str) -> dict[str, Tensor]:
        """The state of a model that was put aside."""
        return {key.removeprefix(f"{name}/"): value for key, value in self.kept.items() if key.startswith(f"{name}/")}

    @property
    def inner(self) -> Watch:
        """Who looks on within a part: it is seen and may be stopped, and keeps nothing of its own."""
        return Watch(self.watch.tell, None, self.watch.stopping, self.watch.alive, self.watch.warn)

    def once(self, name: str, part: Callable[[], Any]) -> Any:
        """What `part` comes to, by itself or as it was kept: numbers that JSON can hold."""
        if name not in self.done:
            self.done[name] = part()
            tensors = {f"best.{key}": value for key, value in self.best.items()}
            tensors |= {f"kept.{key}": value for key, value in self.kept.items()}
            self.watch.save(lambda: Snapshot(tensors, {"stages": self.done}), len(self.done))
        return self.done[name]


def best(
    trial: Trial, rates: Sequence[float], device: torch.device, stages: Stages, enough: float | None = None
) -> tuple[Model, Numbers, list[Numbers]]:
    """The model that did best on validation, what its training came to, and all trainings, one a rate.

    Rates are tried in their order until validation reaches `enough`; a model that learns in closed form is taught once.
    Raises DivergedError where no rate came to a number.
    """
    kind, _ = asked.model(trial)
    tried: list[Numbers] = []
    for rate in rates if kind.learning == "gradient" and rates else (None,):
        own = trial if rate is None else dataclasses.replace(trial, learning=trial.learning | {"rate": rate})
        name = f"{own.task_settings} {own.probe_settings} {rate} {own.seed}"
        before = max((one["validation"] for one in tried), default=WORST)
        tried.append(stages.once(name, lambda own=own, before=before: _taught(own, device, stages, enough, before)))  # type: ignore[misc]
        if enough is not None and tried[-1]["validation"] >= enough:
            break
    chosen = max(tried, key=lambda one: one["validation"])
    if chosen["validation"] == WORST:
        raise DivergedError(f"at every rate tried: {', '.join(f'{rate:g}' for rate in rates)}")
    model = asked.built(trial, device)
    model.load_state_dict(stages.best)
    return model, chosen, tried


def _taught(trial: Trial, device: torch.device, stages: Stages, enough: float | None, before: float) -> Numbers:
    """One training; its model becomes the best if it beats `before` on validation."""
    try:
        model, training = taught(trial, device, stages.inner, enough)
    except DivergedError:
        return {"validation": WORST, "diverged": 1, **_rate(trial)}
    found = float(training.best_score or 0.0)
    if found > before:
        stages.best = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
    used = {"updates": training.updates, "examples": training.examples, "seconds": round(training.seconds, 3)}
    return {"validation": found, **used, **_rate(trial), **training.chosen}


def _rate(trial: Trial) -> Numbers:
    return {"rate": float(trial.learning["rate"])} if "rate" in trial.learning else {}


def taught(
    trial: Trial, device: torch.device, watch: Watch, enough: float | None = None, task: Task | None = None
) -> tuple[Model, Training]:
    """A model of the trial's, trained on its task, or on `task` under the same specification."""
    task, make = task or asked.task(trial), asked.learner(trial, device)
    order = trial.drawn_by("order")
    return train(make, task, trial.budget, trial.batch, order, device, trial.points, watch, enough)


def on_test(model: Model, task: Task, device: torch.device, watch: Watch, beam: int = 1) -> Scores:
    """Scores on the test split of a task that was opened."""
    return task.score(answers(model, task, "test", device, beam, watch=watch).tokens, "test")


def drawn(trial: Trial) -> Synthetic:
    """The trial's task, which has to be one of any length. Raises BadInput."""
    task = asked.task(trial)
    if not isinstance(task, Synthetic):
        raise BadInput(
            f"probe {trial.probe} needs a task of any length, such as synthetic.recall; {trial.task} is none"
        )
    return task


def row(
    trial: Trial,
    made_of: dict[str, str],
    device: torch.device,
    main: str,
    metrics: Numbers,
    curve: Sequence[Numbers],
    *,
    model: Model | None = None,
    notes: dict[str, str] | None = None,
    signatures: dict[str, str] | None = None,
    artifacts: dict[str, dict[str, str]] | None = None,
) -> Result:
    """What a probe of learning stores; a point of its curve stands where its first number says."""
    kind, chosen = asked.model(trial)
    rule, settings = asked.rule(trial, kind)
    precision = asked.computed(trial, rule, device)
    counts = {} if model is None else model.parameter_counts()
    return Result(
        probe=trial.probe,
        model=trial.model,
        task=trial.task,
        seed=trial.seed,
        status="ok",
        metrics=metrics | {f"parameters_{name}": number for name, number in counts.items()},
        main=main,
        config={
            "model": dataclasses.asdict(chosen),
            "learning": {"rule": kind.learning, "precision": str(precision).removeprefix("torch.")}
            | dataclasses.asdict(settings),
            "task": asked.config(asked.task(trial)),
            "batch": trial.batch,
            "points": trial.points,
            "probe": dataclasses.asdict(asked.probe(trial)),
            "notes": notes or {},
            "variant": trial.variant,
            "data": trial.data,
            "selection": "validation",
            "seeds": asked.seeds(trial),
            "tuned": trial.tuned,
            "matched": trial.matched,
        },
        budget={k: v for k, v in dataclasses.asdict(trial.budget).items() if v is not None},
        curve=[{name: value for name, value in point.items() if math.isfinite(value)} for point in curve],
        signatures=signatures or {},
        environment=machine.environment(device),
        artifacts=artifacts or {},
        suite=trial.suite,
        command=trial.command(device),
        time=now(),
        id=identity.name(made_of),
        made_of=made_of,
    )
