"""What keeps the numbers between two parts of a model in range: normalisations, and what stands in for them."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

Kind = Literal["layer", "rms", "batch", "tanh", "none"]
EPSILON = 1e-5  # the same for all: only what is averaged differs


def normalisation(kind: Kind, width: int) -> nn.Module:
    """The one of that name, over features of that width."""
    if kind == "layer":  # (x - mean) / deviation over the features of a position  (Ba et al., 2016)
        return nn.LayerNorm(width, EPSILON)
    if kind == "rms":  # x / root mean square over the features of a position  (Zhang and Sennrich, 2019)
        return RmsNorm(width, EPSILON)
    if kind == "batch":
        return BatchNorm(width, EPSILON)
    return DynamicTanh(width) if kind == "tanh" else nn.Identity()


def normalised(norm: nn.Module, x: Float[Tensor, "B T D"], real: Bool[Tensor, "B T"] | None) -> Float[Tensor, "B T D"]:
    """`x` after a normalisation; only one over the batch asks which positions are `real`, no padding."""
    out: Tensor = norm(x, real) if isinstance(norm, BatchNorm) else norm(x)
    return out


class RmsNorm(nn.RMSNorm):
    """torch's, in full precision under autocast, as the others are."""

    def forward(self, x: Float[Tensor, "*N D"]) -> Float[Tensor, "*N D"]:
        """Every position by itself."""
        assert self.weight is not None
        return super().forward(x.to(self.weight.dtype))


class BatchNorm(nn.BatchNorm1d):
    """Each feature over batch and time, padding left out  (Ioffe and Szegedy, 2015); running statistics in evaluation.

    In training the positions after one have their share in the mean that it is measured by: with an autoregressive
    decoder this is part of what makes it unlike the others.
    """

    def forward(self, x: Float[Tensor, "B T D"], real: Bool[Tensor, "B T"] | None = None) -> Float[Tensor, "B T D"]:
        """Statistics of the `real` positions; of all where None."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.momentum is not None
        x = x.to(self.running_mean.dtype)  # as other normalisations, in full precision under autocast
        if not self.training:
            flat = functional.batch_norm(
                x.flatten(0, 1), self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
            return flat.view_as(x)
        # by sums over a mask and not over chosen rows: how many there are, a GPU would have to tell the host
        weight = (x.new_ones(x.shape[:2]) if real is None else real.to(x.dtype))[..., None]
        count = weight.sum()
        mean = (x * weight).sum((0, 1)) / count
        away = x - mean
        variance = (away.square() * weight).sum((0, 1)) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1).clamp(min=1), self.momentum)
        return away * (variance + self.eps).rsqrt() * self.weight + self.bias


class DynamicTanh(nn.Module):
    """g tanh(a x) + b in place of a normalisation: nothing is averaged  (Zhu et al., 2025, "Without normalization")."""

    def __init__(self, width: int, alpha: float = 0.5) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor(alpha))
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Float[Tensor, "*N D"]) -> Float[Tensor, "*N D"]:
        """Every number by itself."""
        return self.weight * (self.alpha * x).tanh() + self.bias
