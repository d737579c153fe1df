"""Gradient descent: AdamW (Loshchilov and Hutter, 2019) with warm-up, decay and clipped gradients."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.distributed import ProcessGroup
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from bench.learning import Rule
from models import Model
from models.layers import scope
from tasks import PAD, Batch, Chance, Range, Settings


class Gradient(Rule):
    """Back-propagation through model and loss."""

    @dataclasses.dataclass(frozen=True)
    class Config(Settings):
        """Rates are per update; shares are of all updates."""

        rate: Annotated[float, Range(0, 10, "(]")] = 1e-3  # at its highest
        warmup: Annotated[float, Range(0, 1)] = 0.06  # share of updates in which the rate rises from zero
        decay: Literal["linear", "cosine", "constant"] = "linear"  # after that, to zero or not at all
        momentum: Chance = 0.9  # Adam's beta 1
        memory: Chance = 0.98  # Adam's beta 2
        weight_decay: Annotated[float, Range(0, 10)] = 0.01  # on matrices only
        clip: Annotated[float, Range(0, 1_000_000, "(]")] = 1.0  # largest norm of the whole gradient
        smoothing: Chance = 0.1  # share of probability spread over all tokens (Szegedy et al., 2016)

    def __init__(self, model: Model, config: Config, updates: int, precision: torch.dtype) -> None:
        self.config, self.updates, self.done = config, updates, 0
        self.taught: nn.Module = Taught(model, config.smoothing)
        self.precision = precision
        matrices = [p for p in model.parameters() if p.requires_grad and p.dim() > 1]
        others = [p for p in model.parameters() if p.requires_grad and p.dim() <= 1]
        groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
        betas = (config.momentum, config.memory)
        self.optimiser = torch.optim.AdamW(groups, lr=config.rate, betas=betas, fused=True)
        self.trained = matrices + others
        self.norm = torch.zeros(())  # of the whole gradient at the last update, before it was clipped

    def compile(self) -> None:
        """Model and loss as one; torch's fused recurrent layers stay as they are."""
        self.taught.compile()

    def spread(self, group: ProcessGroup) -> None:
        """Gradients are averaged over the replicas while they are computed (Li et al., 2020)."""
        self.taught = DistributedDataParallel(self.taught, process_group=group, static_graph=True)

    def flops(self, forward: dict[str, float], tokens: int) -> float:
        """Three times the forward pass: each product comes back as two, one for its inputs, one for its weights."""
        return 3.0 * sum(forward.values())

    def learn(self, batch: Batch) -> Tensor:
        """One update. The loss is the mean cross-entropy a target token (nats), or the mean squared error."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.rate * share(self.done, self.updates, self.config)
        kind = batch.target.device.type
        with torch.autocast(kind, self.precision, enabled=self.precision != torch.float32):
            loss: Tensor = self.taught(batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        with scope.part("optimiser"):
            self.norm = nn.utils.clip_grad_norm_(self.trained, self.config.clip, foreach=True)
            self.optimiser.step()
        self.done += 1
        return loss.detach()

    def candidates(self, last: bool) -> Iterator[dict[str, Any]]:
        """The model as it is."""
        yield {}

    def state(self) -> dict[str, Tensor]:
        """Adam's moments and step counts, parameter by parameter, and the place in the schedule."""
        kept = [(n, key, value) for n, p in enumerate(self.trained) for key, value in self.optimiser.state[p].items()]
        return {f"{n}.{key}": value for n, key, value in kept} | {"done": torch.tensor(self.done)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Goes back to that state."""
        self.done = int(state["done"])
        for n, parameter in enumerate(self.trained):
            own = {k.partition(".")[2]: v for k, v in state.items() if k.startswith(f"{n}.")}
            self.optimiser.state[parameter] = {k: v.to(parameter.device, copy=True) for k, v in own.items()}


class Taught(nn.Module):
    """Model and loss as one module: what is compiled or spread over devices is this."""

    def __init__(self, model: Model, smoothing: float) -> None:
        super().__init__()
        self.model, self.smoothing = model, smoothing

    def forward(self, batch: Batch) -> Tensor:
        """The loss of a batch, ()."""
        features = self.model(batch)
        with scope.part("head"):
            logits = self.model.head(features)
            if batch.target.is_floating_point():
                return functional.mse_loss(logits[:, 0], batch.target)
            flat, target = logits.flatten(0, 1), batch.wanted.flatten()
            return functional.cross_entropy(flat, target, ignore_index=PAD, label_smoothing=self.smoothing)


def share(done: int, updates: int, config: Gradient.Config) -> float:
    """Share of the highest rate at the update after `done` others."""
    rise = max(1, round(config.warmup * updates))
    if done < rise:
        return (done + 1) / rise
    if config.decay == "constant":
        return 1.0
    way = min(1.0, (done - rise) / max(1, updates - rise))
    return 1 - way if config.decay == "linear" else 0.5 * (1 + math.cos(math.pi * way))


RULE = Gradient
