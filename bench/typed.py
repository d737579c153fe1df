"""From what a person types to trials: which of a suite, over which data, with which settings changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from bench import goal, suites
from bench.goal import Goal
from bench.trial import SEEDS, Budget, Trial

ALONE = ("batch", "beam", "points", "precision")  # settings of a trial itself
SHOWN = 24  # variants that a message names
MOST = {"points": 50, "beam": 1000, "flops": 1e21}  # a row holds every point of its curve


class UsageError(Exception):
    """What was typed is wrong: one line, exit code 2."""


def selected(
    suite: str,
    models: str,
    tasks: str,
    seeds: list[int] | None,
    variant: str,
    data: list[str],
    changes: list[str],
) -> list[Trial]:
    """The trials of a suite that were asked for, with their settings changed. Raises UsageError."""
    trials = suites.load(suite)
    if trials is None:
        raise UsageError(f"unknown suite {suite!r}; known: {', '.join(suites.names())}")
    trials = suites.reshaped(trials, _words(models), _words(tasks), seeds)
    trials = of_variant(trials, variant)
    if not trials:
        raise UsageError(f"suite {suite} has no trial of --models {models or 'all'} on --tasks {tasks or 'all'}")
    trials = suites.fed(trials, own_data(data, trials))
    for text in changes:
        trials = changed(trials, text)
    return trials


def sized(text: str) -> Goal | None:
    """The size that models are brought to, None where none was asked for. Raises UsageError."""
    try:
        return goal.read(text) if text else None
    except ValueError as error:
        raise UsageError(f"--match {text}: {error}") from None


def of_variant(trials: list[Trial], variant: str) -> list[Trial]:
    """Those of one variant, or of all that fit a pattern with *. Raises UsageError where the suite has none."""
    known = list(dict.fromkeys(trial.variant for trial in trials if trial.variant))
    meant = [variant] if variant in known else [name for name in known if fnmatchcase(name, variant)]
    if variant and not meant:
        near = get_close_matches(variant, known, n=5) or known
        told = listed(map(repr, near[:SHOWN])) or "none: the suite has one form"
        more = f"; {len(known) - len(near[:SHOWN])} more" if len(known) > len(near[:SHOWN]) else ""
        raise UsageError(f"--variant {variant!r}: expected {told}{more}")
    return [trial for trial in trials if trial.variant in meant] if variant else trials


def _words(text: str) -> list[str] | None:
    return [word.strip() for word in text.split(",") if word.strip()] or None


def own_data(entries: list[str], trials: list[Trial]) -> dict[str, str]:
    """Task -> folder, from TASK=DIR. Raises UsageError."""
    data = {}
    for entry in entries:
        task, _, folder = entry.partition("=")
        if not folder:
            raise UsageError(f"--data {entry}: expected TASK=DIR, such as translation=../my-corpus")
        if task not in {t.task for t in trials}:
            raise UsageError(f"--data {entry}: no task {task!r} in this run; it has: {listed(t.task for t in trials)}")
        data[task] = folder
    return data


def listed(names: Iterable[str]) -> str:
    """Names, each once, separated by commas."""
    return ", ".join(dict.fromkeys(names))


def changed(trials: list[Trial], text: str) -> list[Trial]:
    """The trials with one setting changed where it applies. Raises UsageError where it applies nowhere."""
    key, equals, value = text.partition("=")
    scope, dot, name = key.rpartition(".")
    if not equals or not name:
        raise UsageError(f"--set {text}: expected KEY=VALUE, such as lstm.hidden=128 or updates=500")
    if not dot:
        return [_alone(trial, key, value, text) for trial in trials]
    contestants = {t.model for t in trials} | {t.task for t in trials}
    scopes = ("model", "learning", "task", "probe", "seed")
    if scope not in contestants | set(scopes):
        raise UsageError(f"--set {text}: {scope!r} is none of: {listed([*scopes, *sorted(contestants)])}")
    return [_scoped(trial, scope, name, value) for trial in trials]


def _scoped(trial: Trial, scope: str, name: str, value: str) -> Trial:
    if scope in ("task", trial.task):
        return dataclasses.replace(trial, task_settings=trial.task_settings | {name: value})
    if trial.probe == "floor":
        return trial
    if scope == "seed":
        return dataclasses.replace(trial, seeds=trial.seeds | {name: _seed(name, value)})
    if scope == "probe":
        return dataclasses.replace(trial, probe_settings=trial.probe_settings | {name: value})
    if scope == "learning":
        return dataclasses.replace(trial, learning=trial.learning | {name: value}, tuned={})
    if scope in ("model", trial.model):
        return dataclasses.replace(trial, model_settings=trial.model_settings | {name: value}, tuned={})
    return trial


def _seed(name: str, value: str) -> int:
    if name not in SEEDS or not (value.isascii() and value.isdigit() and int(value) < 2**31):
        raise UsageError(f"--set seed.{name}={value}: expected {', '.join(SEEDS)}, and a whole number below {2**31}")
    return int(value)


def _whole(value: str) -> int:
    """A whole number, as 200000 or as 2e5. Raises ValueError."""
    number = float(value)
    if not number.is_integer():
        raise ValueError(value)
    return int(number)


def _alone(trial: Trial, key: str, value: str, text: str) -> Trial:
    budgets = {field.name for field in dataclasses.fields(Budget)}
    if key not in budgets | set(ALONE):
        raise UsageError(f"--set {text}: unknown key {key!r}; expected one of: {listed([*sorted(budgets), *ALONE])}")
    if key == "precision":
        return dataclasses.replace(trial, precision=value)
    try:
        number: Any = float(value) if key in ("seconds", "flops") else _whole(value)
    except ValueError:
        raise UsageError(f"--set {text}: {value!r} is not a number") from None
    if not 0 < number <= MOST.get(key, 1e12):
        raise UsageError(f"--set {text}: expected a number above zero, at most {MOST.get(key, 1e12):g}")
    if key in budgets:
        return dataclasses.replace(trial, budget=Budget(**{key: number}))
    return dataclasses.replace(trial, **{key: number})
