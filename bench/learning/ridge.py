"""Ridge regression of one-hot tokens (or numbers) on features, W = (H'H + c n I)^-1 H'Y, as sums over batches.

Features and targets are centred, so that the bias is not penalised. Equals reservoirpy's Ridge with ridge = c n.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Annotated, Any

import torch
from torch import Tensor, distributed
from torch.distributed import ProcessGroup

from bench.learning import Rule
from models import Model
from models.layers import scope
from tasks import PAD, Batch, Range, Settings

BLOCK = 256  # features; products of that width are as fast as wider ones, and leave out the most below the diagonal
Strength = Annotated[float, Range(0, 1_000_000, "(]")]


class Ridge(Rule):
    """Solves a model's head in closed form after one pass over the data."""

    passes = 1

    @classmethod
    def computes(cls, precision: torch.dtype) -> torch.dtype:
        """Always in float32 (sums in float64): a state that is carried on does not bear less."""
        return torch.float32

    @dataclasses.dataclass(frozen=True)
    class Config(Settings):
        """Strengths are per target token, so they do not depend on how much data came."""

        strengths: tuple[Strength, ...] = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)  # the best on validation is kept

    def __init__(self, model: Model, config: Config, updates: int, precision: torch.dtype) -> None:
        self.model, self.config = model, config
        features, outputs = model.head.in_features, model.head.out_features
        self.device = model.head.weight.device
        self.squares = self._zeros(features, features)  # H'H; below its diagonal not all of it
        self.products = self._zeros(outputs, features)  # Y'H
        self.features, self.outputs = self._zeros(features), self._zeros(outputs)  # sums of rows
        self.seen = 0
        self.group: ProcessGroup | None = None

    def _zeros(self, *shape: int) -> Tensor:
        return torch.zeros(*shape, dtype=torch.float64, device=self.device)

    def compile(self) -> None:
        """The forward pass; the sums are products that gain nothing."""
        self.model.compile(dynamic=True)

    def spread(self, group: ProcessGroup) -> None:
        """Sums are added up over the replicas when they are solved, and not before."""
        self.group = group

    def flops(self, forward: dict[str, float], tokens: int) -> float:
        """The forward pass without the head, and of H'H what is computed; H'Y is a sum of rows, without products."""
        features = self.model.head.in_features
        products = sum((stop - start) * (features - start) for start, stop in self._blocks())
        return sum(forward.values()) - forward.get("head", 0.0) + 2.0 * tokens * products

    def solving(self) -> float:
        """A Cholesky factor, N^3 / 3, and two triangular systems for each output, 2 N^2."""
        outputs, features = self.products.shape
        return features**3 / 3 + 2.0 * outputs * features**2

    @torch.no_grad()
    def learn(self, batch: Batch) -> None:
        """Adds one batch to the sums; products in float32, sums in float64."""
        features = self.model(batch).flatten(0, 1)  # (B * T, H)
        if batch.target.is_floating_point():
            with scope.part("head"):
                self.products += batch.target.to(torch.float64).T @ features.to(torch.float64)
            self._add(features, batch.target.sum(0))
            return
        target = batch.wanted.flatten()
        if bool((target == PAD).any()):
            features, target = features[target != PAD], target[target != PAD]
        with scope.part("head"):
            tokens, place = target.unique(return_inverse=True)  # of a large vocabulary a batch holds a small part
            by_token = features.new_zeros(len(tokens), features.shape[1]).index_add_(0, place, features)
            self.products.index_add_(0, tokens, by_token.to(torch.float64))
        self._add(features, torch.bincount(target, minlength=len(self.outputs)))

    def _add(self, features: Tensor, outputs: Tensor) -> None:
        with scope.part("head"):
            for start, stop in self._blocks():  # on and right of the diagonal: the rest is its mirror image
                self.squares[start:stop, start:] += features[:, start:stop].T @ features[:, start:]
            self.features += features.sum(0, dtype=torch.float64)
            self.outputs += outputs
        self.seen += len(features)

    def _blocks(self) -> list[tuple[int, int]]:
        """Rows of H'H that one product makes, from and to."""
        features = self.model.head.in_features
        width = BLOCK if self.device.type == "cpu" else features
        return [(start, min(start + width, features)) for start in range(0, features, width)]

    def candidates(self, last: bool) -> Iterator[dict[str, Any]]:
        """The solved head, for every strength at the end and for the middle one on the way."""
        strengths = self.config.strengths
        for strength in strengths if last else strengths[len(strengths) // 2 :][:1]:
            weight, bias = self.solve(strength)
            with torch.no_grad():  # not around the loop: what runs between two candidates is not ours to switch
                self.model.head.weight.copy_(weight)
                self.model.head.bias.copy_(bias)
            yield {"strength": strength}

    def solve(self, strength: float) -> tuple[Tensor, Tensor]:
        """Weights (V, H) and bias (V,) in float64, by Cholesky; a system that rounding broke is solved by LU."""
        squares, products, features, outputs, count = self._sums()
        seen = int(count)
        mean, out = features / seen, outputs / seen
        centred = torch.addr(squares, mean, mean, alpha=-seen)
        centred.diagonal().add_(strength * seen)
        products = torch.addr(products, out, mean, alpha=-seen)
        factor, failed = torch.linalg.cholesky_ex(centred, upper=True)
        if int(failed):
            weight = torch.linalg.solve(centred.triu() + centred.triu(1).T, products.T).T
        else:
            weight = torch.cholesky_solve(products.T, factor, upper=True).T
        return weight, out - weight @ mean

    def _sums(self) -> list[Tensor]:
        """H'H, Y'H, both sums of rows and the number of tokens; of replicas all theirs together."""
        own = [self.squares, self.products, self.features, self.outputs, torch.tensor(self.seen, device=self.device)]
        if self.group is None:
            return own
        every = [one.clone() for one in own]
        for one in every:
            distributed.all_reduce(one, group=self.group)
        return every

    def state(self) -> dict[str, Tensor]:
        """The sums, and over how many tokens they go."""
        sums = {name: getattr(self, name) for name in ("squares", "products", "features", "outputs")}
        return sums | {"seen": torch.tensor(self.seen)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Goes back to those sums."""
        for name in ("squares", "products", "features", "outputs"):
            setattr(self, name, state[name].to(self.device, copy=True))
        self.seen = int(state["seen"])


RULE = Ridge
