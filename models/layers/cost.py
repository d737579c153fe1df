"""Floating-point operations by formula: what a counter of operators misses inside fused kernels."""

from __future__ import annotations

from torch import nn


def matrices(layer: nn.Module, rows: int) -> float:
    """Operations of `rows` vectors that each meet every matrix of a layer once: two a weight, biases aside."""
    return 2.0 * rows * sum(p.numel() for p in layer.parameters() if p.dim() == 2)
