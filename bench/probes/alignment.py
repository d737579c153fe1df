"""Alignment: the share of a model's attention that lies where the answer was read from, on tasks that know the place.

While the right answer is written (teacher forcing), the weights over the source at each symbol are held against the
place that `Synthetic.aligned` tells. A model of several heads counts by their mean over heads and layers; its best
head is chosen on validation and told apart.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.probes import asked
from bench.probes._learned import Numbers, Rates, Stages, best, drawn, on_test, row
from bench.record import Result
from bench.statistics.intervals import over_items
from bench.trial import Trial
from bench.watch import Watch
from models import Model, teacher_inputs
from tasks import EOS, BadInput, Batch, Range, Settings, Split, collate
from tasks.synthetic import FIRST, Synthetic

AT_ONCE = 64  # items
POINTS = 40  # places of an answer that are stored, the first


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """What is tried, and on how much is measured."""

    rates: Rates = (1e-3, 3e-3)  # each is tried; the best on validation counts
    items: Annotated[int, Range(2, 100_000)] = 200  # of the test, and of validation, the first
    enough: Annotated[float, Range(0, 100)] = 100.0  # on validation, at which a training ends before its budget


def run(trial: Trial, made_of: dict[str, str], out: Path, device: torch.device, watch: Watch) -> list[Result]:
    """One model and seed: where it looks before it has learned, and after."""
    task, how, stages = drawn(trial), asked.probe(trial), Stages(watch)
    new = asked.built(trial, device)
    start = looked(trial, new, task, "validation", how.items, device)
    model, chosen, tried = best(trial, how.rates, device, stages, how.enough)
    head = looked(trial, model, task, "validation", how.items, device).best
    tested = asked.tested(trial)
    assert isinstance(tested, Synthetic)
    found = looked(trial, model, tested, "test", how.items, device)
    scores = on_test(model, tested, device, stages.inner)
    metrics = found.numbers() | scores.totals | {f"validation_{scores.main}": chosen["validation"]}
    metrics |= {f"{name}_start": value for name, value in start.numbers().items() if name != "uniform"}
    metrics |= _extent(found) | _best_head(found, head) | ({"rate": chosen["rate"]} if "rate" in chosen else {})
    metrics |= {name: sum(one.get(name, 0) for one in tried) for name in ("seconds", "updates")}
    points, told = found.by_place(), scores.signatures
    return [row(trial, made_of, device, "aligned", metrics, points, model=model, notes=NOTES, signatures=told)]


def _extent(found: Looked) -> Numbers:
    """Over how much the mean goes, and its interval over items."""
    each = found.by_item()
    span = over_items(each)
    said: Numbers = {"items": len(each), "symbols": len(found.item)}
    return said | ({} if span is None else {"aligned_low": span.low, "aligned_high": span.high})


def _best_head(found: Looked, head: int) -> Numbers:
    if found.mass.shape[1] == 1:
        return {}
    return {"aligned_best_head": found.of(head), "best_layer": head // found.heads, "best_head": head % found.heads}


NOTES = {
    "aligned": "percent of the attention that lies on the place that the symbol was read from, mean over symbols; of "
    "several heads by their mean over heads and layers, while the right answer is written",
    "aligned_best_head": "of the one head that had the most on validation",
    "hits": "percent of symbols at which no place has more attention than the true one",
    "uniform": "what attention spread evenly over the source would have",
    "entropy": "of the attention, nats, mean over symbols and heads; even attention has log(source length)",
}


class Looked(NamedTuple):
    """Where a model looked, symbol by symbol (N), heads in the order of layers."""

    mass: np.ndarray  # (N, layers x heads) attention on the true place
    hit: np.ndarray  # (N,) whether the mean over heads is highest there
    entropy: np.ndarray  # (N,) nats, mean over heads
    length: np.ndarray  # (N,) of the source
    item: np.ndarray  # (N,)
    place: np.ndarray  # (N,) in the answer, from 0
    heads: int  # of a layer

    @property
    def best(self) -> int:
        """The head with the most attention on true places."""
        return int(self.mass.mean(0).argmax())

    def of(self, head: int) -> float:
        """Percent of one head's attention that lies on true places."""
        return 100.0 * float(self.mass[:, head].mean())

    def numbers(self) -> Numbers:
        """The means over all symbols."""
        return {
            "aligned": 100.0 * float(self.mass.mean()),
            "hits": 100.0 * float(self.hit.mean()),
            "entropy": float(self.entropy.mean()),
            "uniform": 100.0 * float((1.0 / self.length).mean()),
        }

    def by_item(self) -> list[float]:
        """Percent on true places in each item."""
        each = self.mass.mean(1)
        return [100.0 * float(each[self.item == item].mean()) for item in np.unique(self.item)]

    def by_place(self) -> list[Numbers]:
        """Percent on true places, and hits, at each place of an answer."""
        each = self.mass.mean(1)
        points: list[Numbers] = []
        for place in np.unique(self.place)[:POINTS]:
            there = self.place == place
            aligned, hits = (100.0 * float(x[there].mean()) for x in (each, self.hit))
            points.append({"place": int(place), "aligned": aligned, "hits": hits, "symbols": int(there.sum())})
        return points


def looked(trial: Trial, model: Model, task: Synthetic, split: Split, items: int, device: torch.device) -> Looked:
    """Where a model looks while it writes the right answers to the first `items` of a split.

    Raises BadInput where the task knows no true places, or the model has no attention over its source.
    """
    shown = task.items(split)
    parts = []
    for first in range(0, min(items, len(shown)), AT_ONCE):
        rows = range(first, min(first + AT_ONCE, items, len(shown)))
        true = _true(trial, task, [(shown.sources[i], shown.targets[i]) for i in rows])
        parts.append(_watched(trial, model, collate(shown, rows, task.spec).to(device), true))
    joined = [np.concatenate(values) for values in zip(*(part[:-1] for part in parts), strict=True)]
    return Looked._make([*joined, parts[0].heads])


def _true(trial: Trial, task: Synthetic, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Tensor:
    """The true place of every symbol (B, T), -1 where there is none: at ends, on padding, and where it is given."""
    told = [task.aligned(source - FIRST, [int(t) - FIRST for t in target if t != EOS]) for source, target in pairs]
    if any(places is None for places in told):
        raise BadInput(
            f"probe alignment needs a task that knows where each symbol of an answer was read from, such as "
            f"synthetic.reverse; {trial.task} does not"
        )
    size = max(len(target) for _, target in pairs)
    return torch.tensor([[*(places or ()), *[-1] * size][:size] for places in told])


@torch.no_grad()
def _watched(trial: Trial, model: Model, batch: Batch, true: Tensor) -> Looked:
    model.float().eval()
    state, weights = model.encode(batch.source, batch.source_length, batch.target.shape[1]), []
    with model.watching():
        for token in teacher_inputs(batch.target).unbind(1):
            _, state = model.step(token, state)
            if state.attention is None:
                raise BadInput(
                    f"probe alignment needs a model with attention over its source, such as bahdanau or transformer; "
                    f"{trial.model} has none"
                )
            weights.append((state.attention[:, None, None] if state.heads is None else state.heads).cpu())
    every = torch.stack(weights, 1).double()  # (B, T, layers, heads, S)
    rows, places = (true >= 0).nonzero(as_tuple=True)
    each, there = every[rows, places], true[rows, places]  # (N, layers, heads, S), (N,)
    mean = each.mean((1, 2))
    mass = each.flatten(1, 2)[torch.arange(len(there)), :, there]
    return Looked(
        mass.numpy(),
        (mean.gather(1, there[:, None])[:, 0] >= mean.amax(1)).numpy(),
        torch.special.entr(each).sum(-1).mean((1, 2)).numpy(),
        batch.source_length[rows].numpy(),
        batch.item[rows].numpy(),
        places.numpy(),
        each.shape[2],
    )
