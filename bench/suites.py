"""Every suite: a plain function that returns a list of trials. Its docstring states what it runs and how long it takes.

Settings that differ from the defaults stand in bench/settings/SUITE.json, with where they come from.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.trial import Budget, Trial

FAMILIES = ("rnn", "lstm", "echo_state", "bahdanau", "transformer")
SETTINGS = Path(__file__).parent / "settings"


def quick() -> list[Trial]:
    """Five models on short translation, sentiment and scenes; one seed, about 40 s a cell, 20 minutes on two cores."""
    return grid("quick", FAMILIES, ("translation", "sentiment", "captioning"), seeds=(0,))


def multi30k() -> list[Trial]:
    """Five models on Multi30k German to English, at most 15 minutes each on two cores; --data translation=DIR."""
    return grid("multi30k", FAMILIES, ("translation",), seeds=(0,))


def standard() -> list[Trial]:
    """Five models on every task, all words, more updates, three seeds; meant for a GPU or a night on two cores."""
    return grid("standard", FAMILIES, ("translation", "verses", "sentiment", "captioning", "emoji"), seeds=(0, 1, 2))


def speed() -> list[Trial]:
    """Throughput of five models on three tasks, and how much of their work is parallel; 20 minutes on two cores."""
    return timed_speed(FAMILIES, ("translation", "sentiment", "captioning", "tokens"))


def scaling() -> list[Trial]:
    """Time and memory of five models against length, at equal width and equal size; 20 minutes on two cores."""
    return timed_scaling("scaling", FAMILIES, ("tokens",))


def gpu() -> list[Trial]:
    """Speed and scaling at sizes that fill a GPU, in bfloat16 where it pays; 9 minutes, or as long as it is given."""
    return timed_scaling("gpu", FAMILIES, ("tokens",))


def long_quick() -> list[Trial]:
    """Memory, extrapolation, gradients, lengths and data at lengths of about 50; one seed, 5 minutes on two cores."""
    return variants("long-quick", None, None, None)


def long() -> list[Trial]:
    """Memory, extrapolation, gradients, quality by length, data: three to five seeds; overnight on two cores."""
    return variants("long", None, None, None)


def claims() -> list[Trial]:
    """What claims about sequence models need beside suite long, three seeds; five hours on two cores."""
    return variants("claims", None, None, None)


def timed_speed(models: Iterable[str], tasks: Iterable[str]) -> list[Trial]:
    """Models of the sizes that the quick suite gives them: throughput on real tasks, parallelism on random tokens."""
    models = list(models)
    return [
        _timed(cell("quick", model, "translation" if task == "tokens" else task, 0), "speed", task)
        for task in tasks
        for model in models
    ]


def _timed(one: Trial, suite: str, task: str) -> Trial:
    """A training's trial as one of its speed."""
    probe = "parallelism" if task == "tokens" else "throughput"
    own = {} if task == "tokens" else one.task_settings
    return dataclasses.replace(one, suite=suite, task=task, probe=probe, budget=Budget(updates=1), task_settings=own)


def timed_scaling(suite: str, models: Iterable[str], tasks: Iterable[str]) -> list[Trial]:
    """Every model in every variant of the suite's settings that names it or all; a model nobody named is a contestant.

    A variant holds "probe" and its settings, "batch", "precision", "compile", and settings of models by name.
    """
    return [
        _variant(suite, name, task, model, 0, variant, variant.get("task", {}) if task == "tokens" else {})
        for name, variant in settings(suite).get("variants", {}).items()
        for task in tasks
        for model in models
        if model in variant["models"] or (variant.get("others") and model not in FAMILIES)
    ]


def variants(
    suite: str, models: Sequence[str] | None, tasks: Sequence[str] | None, seeds: Sequence[int] | None
) -> list[Trial]:
    """Every variant of the suite's settings, each on the task it names, over its own models and seeds or over these.

    "models" of a variant: what differs from those of "sizes" that it names, by model. A model nobody named is a
    contestant wherever "others" says so. "like" names the variant that gives what is not written.
    """
    written = settings(suite)
    return [
        _variant(
            suite,
            name,
            variant["on"],
            model,
            seed,
            {"learning_of": written["learning_of"]} | variant | {"models": sizes},
            variant.get("task", {}),
        )
        for name, own in written["variants"].items()
        for variant in [written["variants"].get(own.get("like"), {}) | own]
        if tasks is None or variant["on"] in tasks
        for sizes in [_sizes(written["sizes"], variant)]
        for seed in (variant["seeds"] if seeds is None else seeds)
        for model in (sizes if models is None else models)
        if model in sizes or (variant.get("others") and model not in FAMILIES)
    ]


def _sizes(sizes: dict[str, dict[str, Any]], variant: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Settings by model: those of the size, and what the variant says beside them."""
    own: dict[str, dict[str, Any]] = variant["models"]
    return {model: sizes[variant["size"]].get(model, {}) | said for model, said in own.items()}


def _variant(
    suite: str, name: str, task: str, model: str, seed: int, variant: dict[str, Any], task_settings: dict[str, Any]
) -> Trial:
    return Trial(
        model=model,
        task=task,
        seed=seed,
        suite=suite,
        budget=Budget(updates=variant.get("updates", 1)),
        probe=variant["probe"],
        model_settings=variant["models"].get(model, {}),
        learning=variant.get("learning_of", {}).get(model, variant.get("learning", {})),
        task_settings=task_settings,
        batch=variant.get("batch", 64),
        points=variant.get("points", 4),
        precision=variant.get("precision", "auto"),
        compile=variant.get("compile", False),
        probe_settings=variant.get("settings", {}),
        variant=name,
    )


def grid(suite: str, models: Iterable[str], tasks: Iterable[str], seeds: Iterable[int]) -> list[Trial]:
    """Floors first, then every model on every task with every seed, by the suite's settings."""
    models, tasks, seeds = [m for m in models if m != "floors"], list(tasks), list(seeds)
    floors = [cell(suite, "floors", task, 0, probe="floor") for task in tasks]
    return floors + [cell(suite, model, task, seed) for task in tasks for seed in seeds for model in models]


def cell(suite: str, model: str, task: str, seed: int, probe: str = "quality") -> Trial:
    """One trial by the suite's settings: those of its task, then of its model on that task.

    A model that has none (somebody's own) learns under the task's.
    """
    by_task = settings(suite).get(task, {})
    chosen: dict[str, Any] = {"updates": 500} | by_task.get("all", {}) | by_task.get(model, {})
    return Trial(
        model=model,
        task=task,
        seed=seed,
        suite=suite,
        probe=probe,
        budget=Budget(updates=chosen["updates"]),
        model_settings={} if probe == "floor" else chosen.get("model", {}),
        learning={} if probe == "floor" else chosen.get("learning", {}),
        task_settings=chosen.get("task", {}),
        batch=chosen.get("batch", 64),
        points=chosen.get("points", 4),
        tuned={} if probe == "floor" else chosen.get("tuned", {}),
    )


def settings(suite: str) -> dict[str, Any]:
    """Task -> "all" or a model -> what differs from the defaults."""
    path = SETTINGS / f"{suite}.json"
    chosen: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return chosen


def names() -> dict[str, str]:
    """Every suite and what it does, in one line."""
    return {name: str(suite.__doc__).splitlines()[0] for name, suite in _suites().items()}


def load(name: str) -> list[Trial] | None:
    """The trials of a suite, or None where there is none of that name."""
    suite = _suites().get(name)
    return suite() if suite else None


def _suites() -> dict[str, Callable[[], list[Trial]]]:
    """Public functions of this file that take nothing and return trials."""
    here = vars(sys.modules[__name__])
    return {
        name.replace("_", "-"): value
        for name, value in here.items()
        if callable(value) and getattr(value, "__annotations__", {}) == {"return": "list[Trial]"}
    }


def reshaped(
    trials: list[Trial], models: list[str] | None, tasks: list[str] | None, seeds: list[int] | None
) -> list[Trial]:
    """The same suite over other models, tasks or seeds. Other models learn under the task's settings.

    Floors are always among them; `models` = ["floors"] leaves them alone.
    """
    if not trials:
        return []
    suite = trials[0].suite
    own = list(dict.fromkeys(t.model for t in trials if t.probe != "floor"))
    on = list(dict.fromkeys(t.task for t in trials))
    over = list(dict.fromkeys(t.seed for t in trials if t.probe != "floor"))
    if suite == "speed":
        return timed_speed(_once(models or own), _once(tasks or on))
    if suite in ("scaling", "gpu"):
        return timed_scaling(suite, _once(models or own), _once(tasks or on))
    if suite in ("long", "long-quick", "claims"):
        return variants(suite, models and _once(models), tasks and _once(tasks), seeds)
    return grid(suite, _once(models or own), _once(tasks or on), over if seeds is None else seeds)


def _once(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


def fed(trials: list[Trial], data: dict[str, str]) -> list[Trial]:
    """The trials with one's own data: task -> folder."""
    return [dataclasses.replace(t, data=data[t.task]) if t.task in data else t for t in trials]
