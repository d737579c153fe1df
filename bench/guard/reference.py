"""Reference work: a small training step in plain torch that never changes, so that a time can be told in units of it.

The time of a step divided by that of the reference, both taken in turns, leaves out how fast a machine is just now.
The reference is of the kind that small models spend their time on: look-ups, a chain of small products with elementwise
work between them, one larger product at the end, and all of it backwards. Whoever changes a line of it gives it a new
version: ratios to another version are not comparable.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

VERSION = 1
BATCH, LENGTH, WIDTH, WORDS = 32, 24, 128, 1000


def reference(device: torch.device) -> Callable[[], Tensor]:
    """One step of it on the device, loss and gradients; draws its tensors from a generator of its own."""
    draw = torch.Generator().manual_seed(0)

    def matrix(*shape: int) -> Tensor:
        return (torch.randn(*shape, generator=draw) * WIDTH**-0.5).to(device).requires_grad_()

    words, inputs, states, head = matrix(WORDS, WIDTH), matrix(WIDTH, WIDTH), matrix(WIDTH, WIDTH), matrix(WORDS, WIDTH)
    tokens = torch.randint(WORDS, (BATCH, LENGTH + 1), generator=draw).to(device)

    def step() -> Tensor:
        for weight in (words, inputs, states, head):
            weight.grad = None
        read = functional.linear(functional.embedding(tokens[:, :-1], words), inputs)  # (B, L, W)
        state, kept = torch.zeros_like(read[:, 0]), []
        for place in range(LENGTH):
            state = torch.tanh(read[:, place] + functional.linear(state, states))
            kept.append(state)
        logits = functional.linear(torch.stack(kept, 1), head).flatten(0, 1)
        loss = functional.cross_entropy(logits, tokens[:, 1:].flatten())
        loss.backward()
        return loss.detach()

    return step
