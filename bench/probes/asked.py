"""From the names and settings of a trial to the things themselves. Every mistake in them is BadInput."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import models
import tasks
from bench import identity, learning, machine, splits
from bench.trial import SEEDS, Place, Trial
from models import Model
from tasks import Task


def task(trial: Trial) -> Task:
    """The trial's task without its test split, loaded once a process."""
    return _task(trial.task, json.dumps(trial.task_settings, sort_keys=True), trial.data)


def tested(trial: Trial) -> Task:
    """The trial's task with its test split, which is opened once a trial and ends all training on it.

    Raises TestReadError.
    """
    return splits.opened(task(trial))


@functools.lru_cache(maxsize=8)
def _task(name: str, settings: str, data: str | None) -> Task:
    kind = tasks.load(name)
    configuration = tasks.configured(kind.Config, json.loads(settings), f"task {name}")
    return splits.closed(kind(configuration, Path(data) if data else None))


def model(trial: Trial) -> tuple[type[Model], Any]:
    """The trial's model class and its configuration."""
    kind = models.load(trial.model)
    return kind, tasks.configured(kind.Config, trial.model_settings, f"model {trial.model}")


def rule(trial: Trial, kind: type[Model]) -> tuple[type[learning.Rule], Any]:
    """The rule that teaches the trial's model, and its configuration."""
    if kind.learning not in learning.RULES:
        known = ", ".join(learning.RULES)
        raise tasks.BadInput(f"model {trial.model}: learning = {kind.learning!r}; expected one of: {known}")
    taught = learning.load(kind.learning)
    return taught, tasks.configured(taught.Config, trial.learning, f"learning rule {kind.learning}")


def probe(trial: Trial) -> Any:
    """The settings of the trial's probe, {} where it has none. Raises BadInput."""
    kind = getattr(importlib.import_module(f"bench.probes.{trial.probe}"), "Config", tasks.Settings)
    return tasks.configured(kind, trial.probe_settings, f"probe {trial.probe}")


def vouched(trial: Trial, place: Place) -> dict[str, str]:
    """What the trial is made of; every name, setting and file in it is good. Raises BadInput."""
    one, chosen_probe = task(trial), probe(trial)
    how = dataclasses.asdict(chosen_probe)
    if check := getattr(importlib.import_module(f"bench.probes.{trial.probe}"), "vouch", None):
        check(chosen_probe, place)
    precise = machine.precision(place.bfloat16, trial.precision)
    if trial.probe == "floor":
        exact = dataclasses.replace(trial, task_settings=config(one), precision="")
        return identity.parts(exact, one.checksum, place.kind, None, place.threads)
    kind, chosen = model(trial)
    taught, settings = rule(trial, kind)
    exact = dataclasses.replace(
        trial,
        task_settings=config(one),
        model_settings=dataclasses.asdict(chosen),  # with all defaults, and each value of its own type
        learning=dataclasses.asdict(settings),
        precision=str(taught.computes(precise)).removeprefix("torch."),
        probe_settings=how,
    )
    made = identity.parts(exact, one.checksum, place.kind, kind.learning, place.threads)
    return made | ({"machine": _machine(place)} if trial.timed else {})


def _machine(place: Place) -> str:
    """What another clock belongs to."""
    several = [f"{place.environment['gpus']} GPUs"] if place.environment.get("gpus", 1) > 1 else []
    return ", ".join([*(str(place.environment.get(part, "unknown")) for part in ("processor", "device")), *several])


def built(trial: Trial, device: torch.device) -> Model:
    """The model as its seed makes it, on the device."""
    kind, chosen = model(trial)
    torch.manual_seed(trial.drawn_by(kind.drawn))
    return kind(task(trial).spec, chosen).to(device)


def learner(trial: Trial, device: torch.device) -> Callable[[int], tuple[Model, learning.Rule]]:
    """What makes, for a number of updates, the model as its seed makes it and the rule that teaches it."""
    kind, _ = model(trial)
    taught, settings = rule(trial, kind)
    precision = computed(trial, taught, device)

    def make(updates: int) -> tuple[Model, learning.Rule]:
        one = built(trial, device)
        teacher = taught(one, settings, updates, precision)
        if trial.compile:
            teacher.compile()
        return one, teacher

    return make


def seeds(trial: Trial) -> dict[str, int]:
    """What each seed of the trial is."""
    return {what: trial.drawn_by(what) for what in SEEDS}


def computed(trial: Trial, taught: type[learning.Rule], device: torch.device) -> torch.dtype:
    """The precision that a rule computes in."""
    return taught.computes(machine.precision(machine.able(device), trial.precision))


def config(configured: Task | Model) -> dict[str, Any]:
    """A configuration as plain values."""
    chosen: Any = getattr(configured, "config", None)
    if not dataclasses.is_dataclass(chosen) or isinstance(chosen, type):
        return {}
    return dataclasses.asdict(chosen)
