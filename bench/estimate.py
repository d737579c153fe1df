"""What a trial would take, from a few timed updates and one batch of answers of a model that is thrown away."""

from __future__ import annotations

import math
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from bench.budget import endless, planned
from bench.learning import Rule
from bench.machine import wait
from bench.meters import Company
from bench.probes import asked
from bench.sizes import state_bytes, typical
from bench.train import room
from bench.trial import Trial
from models import Model
from tasks import UNK, Batch, Split, Task

WARM = 4  # updates that are not counted
FEWEST, MOST, SECONDS = 12, 40, 2.0  # updates that are, twice, and seconds after which no more are made
ANSWERED = 128  # items that are answered at a time, as in training


def estimated(trial: Trial, device: torch.device) -> dict[str, Any]:
    """Updates, examples, seconds by part, sizes and memory of one trial, and how many test items judge it.

    Of a probe that trains several times, it is one training. Loading the task and storing the row do not count.
    """
    task, make, company = asked.task(trial), asked.learner(trial, device), Company()
    updates = planned(make, task, trial.budget, trial.batch, trial.drawn_by("order"), device)
    model, rule = make(updates)
    learning = updates * _update(model, rule, trial, task, device)
    whole = asked.tested(trial)  # only how long it takes, and how many items there are, is looked at
    best = {name: value.detach().clone() for name, value in model.state_dict().items()}  # as training keeps it
    between = min(trial.points, updates) - 1  # looks at validation before the last
    few, each = _offered(rule, False, device)
    many, final = _offered(rule, True, device)
    seconds = {
        "train": trial.budget.seconds or learning + between * each + final,
        "validation": (between * few + many) * _judged(model, task, "validation", 1, device),
        "test": _judged(model, whole, "test", trial.beam, device),
    }
    _saved(model, best, rule)
    others = company.processors()
    return {
        "updates": updates,
        "examples": _examples(task, updates, trial.batch),
        "seconds": {part: round(value, 3) for part, value in seconds.items()},
        "sizes": _sizes(trial),
        "parameters": model.parameter_counts(),
        "state_bytes": sum(state_bytes(model, typical(task).to(device)).values()),
        "memory_bytes": _peak(device),
        "test_items": len(whole.items("test")),
        "main": task.main,
        "company": round(others, 2) if Company.matters(others) else 0.0,
    }


def _saved(model: Model, best: dict[str, Tensor], rule: Rule) -> None:
    """Makes what a checkpoint is written from, for the memory that it takes."""
    parts = {"model": model.state_dict(), "best": best, "rule": rule.state()}
    save({f"{part}.{name}": value.cpu().clone() for part, named in parts.items() for name, value in named.items()})


def _sizes(trial: Trial) -> dict[str, int]:
    kind, chosen = asked.model(trial)
    return {name: getattr(chosen, name) for name in kind.widths if hasattr(chosen, name)}


def _examples(task: Task, updates: int, batch: int) -> int:
    items = len(task.items("train"))
    whole, rest = divmod(updates, math.ceil(items / batch))
    return whole * items + min(items, rest * batch)


def _clocked(call: Callable[[], object], device: torch.device) -> float:
    """Seconds of a call."""
    wait(device)
    start = time.perf_counter()
    call()
    wait(device)
    return time.perf_counter() - start


def _update(model: Model, rule: Rule, trial: Trial, task: Task, device: torch.device) -> float:
    """Seconds of an update, the making of its batch included: the mean over batches, since their lengths differ.

    Each is met twice, and the faster of the two counts: a neighbour on the machine slows few updates much.
    """
    model.train()

    def learn(stream: Iterator[Batch]) -> None:
        batch = next(stream)
        with room(batch):
            rule.learn(batch.to(device))

    rounds: list[list[float]] = []
    for _ in range(2):
        stream = endless(task, trial.batch, trial.drawn_by("order"))
        times: list[float] = []
        while len(times) < WARM + FEWEST or (sum(times[WARM:]) < SECONDS and len(times) < WARM + MOST):
            times.append(_clocked(lambda stream=stream: learn(stream), device))  # type: ignore[misc]
        rounds.append(times[WARM:])
    return statistics.fmean(map(min, *rounds))


def _offered(rule: Rule, last: bool, device: torch.device) -> tuple[int, float]:
    """How many candidates the rule has for validation, and the seconds that making them takes."""
    found: list[int] = []
    seconds = _clocked(lambda: found.append(sum(1 for _ in rule.candidates(last))), device)
    return found[0], seconds


def _judged(model: Model, task: Task, split: Split, beam: int, device: torch.device) -> float:
    """Seconds of answering a split and scoring the answers, from its middle batch by length."""
    batches = list(task.batches(split, ANSWERED))
    batch, items = batches[len(batches) // 2], task.items(split)
    model.eval()
    each = min(_clocked(lambda: _written(model, batch, beam, device), device) for _ in range(2)) / len(batch.item)
    answers = [[int(token) for token in target] for target in items.targets]
    return each * len(items) + _clocked(lambda: task.score(answers, split), torch.device("cpu"))


def _written(model: Model, batch: Batch, beam: int, device: torch.device) -> None:
    """Writes answers half way between the longest reference and the longest that there may be.

    A batch is done when its last answer is: with a good model at about the former, with a poor one at the latter.
    """
    steps = (batch.target.shape[1] + model.spec.max_target + 1) // 2
    told = torch.full((len(batch.item), steps), UNK) if model.spec.max_target > 1 else None
    with room(batch):
        model.generate(batch.source.to(device), batch.source_length, beam=beam, room=steps, given=told).cpu()


def _peak(device: torch.device) -> int:
    """Bytes at the peak: on a GPU those that torch took there, else resident ones, torch and the data included."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
