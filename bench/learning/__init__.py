"""How a model learns; the training loop cannot tell one rule from another.

A rule sees one batch at a time. When the loop wants to know how good the model is, the rule puts
one or more finished candidates into it, and the best on validation is kept.
"""

from __future__ import annotations

import dataclasses
import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributed import ProcessGroup

from models import Model
from tasks import Batch

RULES = ("gradient", "ridge")


class Rule(ABC):
    """Teaches one model."""

    passes: ClassVar[int | None] = None  # over the training data after which nothing is left to learn

    @classmethod
    def computes(cls, precision: torch.dtype) -> torch.dtype:
        """In which precision the rule computes when `precision` is asked for."""
        return precision

    @dataclasses.dataclass(frozen=True)
    class Config:
        """Settings of the rule; each rule states its own."""

    @abstractmethod
    def __init__(self, model: Model, config: Any, updates: int, precision: torch.dtype) -> None:
        """`updates`: how many batches there will be, which schedules need to know."""

    @abstractmethod
    def compile(self) -> None:
        """Hands what runs at every batch to torch.compile, which leaves what it cannot take as it is."""

    @abstractmethod
    def spread(self, group: ProcessGroup) -> None:
        """Learns with the replicas of a process group from now on: their finished candidates have equal weights."""

    @abstractmethod
    def flops(self, forward: dict[str, float], tokens: int) -> float:
        """Operations of learning from a batch of so many target tokens, from those of its forward pass by part."""

    def solving(self) -> float:
        """Operations of making one candidate."""
        return 0.0

    @abstractmethod
    def learn(self, batch: Batch) -> Tensor | None:
        """Learns from one batch; the loss () stays on the device, None where the rule has none."""

    @abstractmethod
    def candidates(self, last: bool) -> Iterator[dict[str, Any]]:
        """Puts one finished state after another into the model and says what sets it apart; `last` ends training."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """All that the rule carries from one batch to the next, the model's parameters aside."""

    @abstractmethod
    def restore(self, state: dict[str, Tensor]) -> None:
        """Goes back to a state: what follows comes to the same bits."""


def load(name: str) -> type[Rule]:
    """The rule of that name."""
    rule: type[Rule] = importlib.import_module(f"bench.learning.{name}").RULE
    return rule
