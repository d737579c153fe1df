"""Gradient flow: the norm of d loss / d x_t, x_t the embedded source at position t, against its distance from the end.

Every example has its own loss, so that its gradient is its own. Measured in float64, at the start and at stages of
training; through the solved head where a model learns in closed form.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.budget import endless
from bench.learning import Rule
from bench.probes import asked
from bench.probes._learned import Numbers, drawn, row
from bench.record import Result
from bench.statistics.intervals import over_seeds
from bench.trial import Trial
from bench.watch import Pulse, Watch
from models import Model
from tasks import PAD, BadInput, Batch, Range, Settings, Share, collate

LEAST = 1e-300  # a norm of zero has no logarithm
BURST = 10.0  # times the median norm of the updates just before, above which one counts as a burst
BEFORE = 50  # updates that it is held against: against all, a norm that falls as a model learns would count
FEWEST = 10  # of them; with fewer behind it no update is judged


@dataclasses.dataclass(frozen=True)
class Config(Settings):
    """When and on what is measured."""

    stages: tuple[Share, ...] = (0.1, 1.0)  # of the updates, after which is measured, besides the start
    examples: Annotated[int, Range(2, 1000)] = 32
    distances: Annotated[int, Range(2, 60)] = 40  # that are stored, evenly over all
    input_scale: Annotated[float, Range(0, 1000, "(]")] = 1.0  # what every x_t is multiplied by


def run(trial: Trial, made_of: dict[str, str], out: Path, device: torch.device, watch: Watch) -> list[Result]:
    """One model and seed, before, during and after training."""
    task, how = drawn(trial), asked.probe(trial)
    kind, _ = asked.model(trial)
    _, settings = asked.rule(trial, kind)
    updates = trial.budget.updates
    if updates is None:
        raise BadInput("probe gradients: the budget has to count updates")
    model, rule = asked.learner(trial, device)(updates)
    shown = task.items("validation")
    batch = collate(shown, range(min(how.examples, len(shown))), task.spec)
    with scaled(model, how.input_scale):
        points, metrics = [], dict[str, float | int]()
        marks = {max(1, round(share * updates)): share for share in how.stages}
        told = kind.learning == "gradient"  # what is solved in closed form has outputs that are no probabilities
        if told:  # a head that is still to be solved passes nothing on
            points += _measured(model, batch, how, 0, metrics)
            metrics |= {"validation_loss_start": held_out(model, batch)}
        norms = []
        for update, one in zip(
            range(1, updates + 1), endless(task, trial.batch, trial.drawn_by("order")), strict=False
        ):
            model.train()
            loss = rule.learn(one.to(device))
            norms.append(getattr(rule, "norm", None))
            if update in marks:
                _solved(rule)
                points += _measured(model, batch, how, update, metrics)
                metrics |= {} if loss is None else {"loss": float(loss), f"loss_{update}": float(loss)}
                metrics |= {f"validation_loss_{update}": held_out(model, batch)} if told else {}
            if update % 20 == 0:
                watch.tell(Pulse(update, updates, 0.0))
                watch.alive()
    metrics |= _bursts([float(norm) for norm in norms if norm is not None], getattr(settings, "clip", 0.0))
    metrics["path"] = model.path(batch.source.shape[1], 0)
    main = next(name for name in ("decay", "decay_start", "path") if name in metrics)
    return [row(trial, made_of, device, main, metrics, points, model=model)]


def _solved(rule: Rule) -> None:
    """The head as it stands; of several candidates the one in the middle."""
    candidates = iter(rule.candidates(last=False))
    next(candidates)


def _measured(model: Model, batch: Batch, how: Config, update: int, metrics: dict[str, float | int]) -> list[Numbers]:
    """The stored points of one stage; the fit goes into `metrics`: as decay_start, or as decay_30 and newest decay."""
    norms = flow(model, batch)  # (B, S)
    fit = _fitted(norms)
    for stale in ("decay", "decay_low", "decay_high") if update else ():  # of a stage before
        metrics.pop(stale, None)
    for name in ("decay", f"decay_{update}") if update else ("decay_start",):
        metrics |= {f"{name}{end}": value for end, value in fit.items()}
    logs = np.log10(np.maximum(norms, LEAST))
    length = norms.shape[1]
    places = np.unique(np.linspace(0, length - 1, how.distances).round().astype(int))
    low, middle, high = np.quantile(logs, [0.25, 0.5, 0.75], axis=0)
    return [
        {
            "distance": int(length - 1 - t),
            "stage": update,
            "log10_norm": middle[t],
            "log10_low": low[t],
            "log10_high": high[t],
        }
        for t in places[::-1]
    ]


def _fitted(norms: np.ndarray) -> dict[str, float]:
    """The mean decay over examples of norms (B, S) and its interval, by the end of the name; {} where none has one."""
    rates = [rate for rate in map(decay, norms) if not math.isnan(rate)]
    found = over_seeds(rates)
    ends = {} if found is None else {"_low": found.low, "_high": found.high}
    return {"": float(np.mean(rates)), **ends} if rates else {}


def flow(model: Model, batch: Batch) -> np.ndarray:
    """Norms (B, S) of d loss_b / d x_bt in float64, position by position; no dropout. Raises BadInput."""
    twin = copy.deepcopy(model).double().eval()
    for parameter in twin.parameters():
        parameter.requires_grad_(False)
    device = next(twin.parameters()).device
    batch = batch.to(device)
    if batch.source.is_floating_point():
        batch = batch._replace(source=batch.source.double())
    with _kept(twin) as seen, torch.enable_grad():
        losses(twin, batch).sum().backward()
    if not seen:
        raise BadInput(f"{type(model).__name__} has no part called embedded, at which its gradients could be seen")
    squares = sum((x.grad if x.grad is not None else torch.zeros_like(x)).square().sum(-1) for x in seen)
    assert isinstance(squares, Tensor)
    return squares.sqrt().cpu().numpy()


def held_out(model: Model, batch: Batch) -> float:
    """The mean loss of the examples whose gradients are looked at, which are of validation; no dropout."""
    with torch.no_grad():
        return float(losses(model.eval(), batch.to(next(model.parameters()).device)).mean())


def losses(model: Model, batch: Batch) -> Tensor:
    """Of each example the mean loss of what it asks for (B,): cross-entropy in nats, or the squared error."""
    logits = model.head(model(batch))
    if batch.target.is_floating_point():
        return (logits[:, 0, 0] - batch.target[:, 0]).square()
    wanted = batch.wanted
    each = functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=PAD, reduction="none")
    return each.view(wanted.shape).sum(1) / (wanted != PAD).sum(1)


def _embedded(model: Model) -> list[nn.Module]:
    return [part for name, part in model.named_modules() if name.rpartition(".")[2] == "embedded"]


@contextlib.contextmanager
def _kept(model: Model) -> Iterator[list[Tensor]]:
    """Within, what passes the parts called "embedded" is kept, as leaves of the graph."""
    seen: list[Tensor] = []

    def keep(part: nn.Module, inputs: Any, x: Tensor) -> Tensor:
        seen.append(x.detach().requires_grad_(True))
        return seen[-1]

    hooks = [part.register_forward_hook(keep) for part in _embedded(model)]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@contextlib.contextmanager
def scaled(model: Model, factor: float) -> Iterator[None]:
    """Within, every x_t is multiplied by `factor`."""
    hooks = []
    if factor != 1.0:
        hooks = [part.register_forward_hook(lambda part, inputs, x: x * factor) for part in _embedded(model)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def decay(norms: np.ndarray) -> float:
    """By how much the logarithm of the norm falls with each step further from the end: -slope of a straight line.

    Through norms that float64 can tell from zero; nan where there are fewer than two.
    """
    seen = norms > LEAST
    if seen.sum() < 2:
        return math.nan
    return -float(np.polyfit(np.arange(len(norms))[::-1][seen], np.log(norms[seen]), 1)[0])


def _bursts(norms: list[float], clip: float) -> Numbers:
    """What the norms of whole gradients, before clipping, say of explosions."""
    if not norms:
        return {}
    clipped = sum(norm > clip for norm in norms) / len(norms)
    told = {"norm_median": float(np.median(norms)), "norm_largest": max(norms), "clipped_share": clipped}
    return told | {"bursts": sum(burst(norms, at) for at in range(len(norms)))}


def burst(norms: list[float], at: int) -> bool:
    """Whether a norm is above ten times the median of the up to 50 before it; never where fewer than ten are."""
    before = norms[max(0, at - BEFORE) : at]
    return len(before) >= FEWEST and norms[at] > BURST * float(np.median(before))
