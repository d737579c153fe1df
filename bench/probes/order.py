"""Order: by how much features change when the elements of each source change places; in float32, no dropout.

What a model makes of a source under teacher forcing is compared with what it makes of the same elements in another
order. A model that does not know of order says the same but for rounding.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from bench.probes import asked
from bench.probes._learned import Numbers, row, taught
from bench.record import Result
from bench.trial import Budget, Trial
from bench.watch import Watch
from models import Model
from tasks import BadInput, Batch, Range, Settings, collate


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """On what is measured, and whether training comes between."""

    examples: Annotated[int, Range(1, 10_000)] = 64  # of validation
    orders: Annotated[int, Range(1, 1000)] = 4  # random ones that are tried; the largest difference of all counts
    updates: Annotated[int, Range(0, 100_000_000)] = 0  # of training, after which is measured again; 0: none


def run(trial: Trial, made_of: dict[str, str], out: Path, device: torch.device, watch: Watch) -> list[Result]:
    """One model as its seed makes it, and after training where that is asked for; metrics are those of the last."""
    task, how = asked.task(trial), asked.probe(trial)
    if task.spec.source != "tokens":
        raise BadInput(f"probe order needs a task whose sources are tokens; those of {trial.task} are vectors")
    shown = task.items("validation")
    batch = collate(shown, range(min(how.examples, len(shown))), task.spec).to(device)
    if int(batch.source_length.max()) < 2:
        raise BadInput(f"probe order needs sources of two elements or more; those of {trial.task} have one")
    model = asked.built(trial, device)
    points = [{"updates": 0} | changes(model, batch, how.orders)]
    metrics = points[0] | {"difference_start": points[0]["difference"]}
    if how.updates:
        model, training = taught(dataclasses.replace(trial, budget=Budget(updates=how.updates)), device, watch)
        points.append({"updates": training.updates} | changes(model, batch, how.orders))
        metrics |= points[-1] | {"seconds": round(training.seconds, 3)}
        metrics |= {} if training.best_score is None else {"validation": training.best_score}
    return [row(trial, made_of, device, "difference", metrics, points, model=model, notes=NOTES)]


NOTES = {
    "difference": "largest absolute difference of a feature between a source and the same in another order",
    "difference_of_mean": "mean absolute difference of a feature",
    "difference_relative": "the largest difference over the largest absolute feature",
}


@torch.no_grad()
def changes(model: Model, batch: Batch, orders: int) -> Numbers:
    """What `orders` random orders of every source of a batch change in the features (B, T, H) of its targets."""
    model.float().eval()
    told = model(batch)
    real = (torch.arange(told.shape[1]) < batch.target_length[:, None]).to(told.device)
    differences = torch.stack([(model(shuffled(batch, seed)) - told).abs()[real] for seed in range(orders)])
    largest = float(differences.max())
    return {
        "difference": largest,
        "difference_of_mean": float(differences.mean()),
        "difference_relative": largest / max(float(told[real].abs().max()), torch.finfo(torch.float32).tiny),
    }


def shuffled(batch: Batch, seed: int) -> Batch:
    """The batch with each source (B, S) in another order, its padding where it was."""
    return batch._replace(source=batch.source.gather(1, places(batch.source_length, seed).to(batch.source.device)))


def places(length: Tensor, seed: int) -> Tensor:
    """For each row a random order of its places (B, S), in which padding stays behind."""
    draw = torch.Generator().manual_seed(seed)
    size = int(length.max())
    keys = torch.rand(len(length), size, generator=draw)
    padding = torch.arange(size) >= length[:, None]
    return keys.masked_fill(padding, 2.0).argsort(dim=1, stable=True)
