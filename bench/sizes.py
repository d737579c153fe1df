"""How large a model is: its parameters, its state and its operations, on a pair of typical lengths."""

from __future__ import annotations

import numpy as np
import torch

from models import Model
from tasks import Batch, Task, collate


def typical(task: Task) -> Batch:
    """One training pair whose lengths are nearest to the median source and the median target."""
    items = task.items("train")
    source = np.asarray(items.source_lengths, dtype=np.int64)
    target = np.array([len(t) for t in items.targets])
    away = np.abs(source - np.median(source)) + np.abs(target - np.median(target))
    return collate(items, [int(away.argmin())], task.spec)


@torch.no_grad()
def state_bytes(model: Model, batch: Batch) -> dict[str, float | int]:
    """Bytes a sequence that a step hands to the next (at the end of the target), and that encoding left."""
    learning, steps = model.training, batch.target.shape[1]
    model.eval()
    state = model.encode(batch.source[:1], batch.source_length[:1], steps)
    for token in batch.target[:1].unbind(1) if model.spec.target == "tokens" else ():
        _, state = model.step(token, state)
    model.train(learning)
    return {"carry_bytes": _bytes(state.carry), "memory_bytes": _bytes(state.memory)}


def _bytes(value: object) -> int:
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return sum(map(_bytes, parts))


def token_flops(model: Model, batch: Batch) -> float:
    """Operations of a forward pass over the first pair, a target token, by the model's formula; 0 where it has none."""
    source, target = int(batch.source_length[0]), int(batch.target_length[0])
    return sum(model.flops(source, target).values()) / target
