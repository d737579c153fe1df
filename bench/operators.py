"""What a computation asks of the machine, operator by operator: how many there are, and the bytes that they move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Operators(TorchDispatchMode):
    """Counts operators, those of the backward pass too, and the bytes of all tensors that each reads or writes.

    Views launch nothing, move nothing and do not count. What a fused operator keeps to itself is not seen; a number
    that is read twice counts twice, whether or not it lay in a cache.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.number, self.bytes = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.number += 1
            self.bytes += sum(_bytes(leaf) for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, Tensor))
        return out


def counted(call: Callable[[], object]) -> Operators:
    """The operators of one call."""
    with Operators() as operators:
        call()
    return operators


def _bytes(tensor: Tensor) -> int:
    """Of its numbers; one that stands for many, as in an expanded tensor, is read once."""
    if tensor.is_sparse_csr:
        return sum(_bytes(part) for part in (tensor.values(), tensor.crow_indices(), tensor.col_indices()))
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())
