"""The loop of an attention decoder with a backward pass of its own: what sums over steps is summed in one product.

Left to itself, back-propagation through T steps adds T gradients to all that every step reads: the keys, what is
averaged, the weights. Here a step keeps only its own part, and products over all steps come after the loop.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.layers import scope
from models.layers.scores import bent

PARTS = 6  # tensors that a step leaves for the way back


def attended(
    hidden: Float[Tensor, "B H"],
    gates: Float[Tensor, "B T 3*H"],
    memory: dict[str, Any],
    weight: Float[Tensor, "Q H"],
    bias: Float[Tensor, " Q"],
    energy: Float[Tensor, " A"],
) -> tuple[Float[Tensor, "B T H"], Float[Tensor, "B T S"]]:
    """All states s_1..s_T of a GRU with additive attention, and all weights a_1..a_T (models/bahdanau.py).

    `gates` is what tokens add to reset, update and candidate; `memory` holds "keys" (B, S, A), what they have "grown"
    to or None, "gates" (B, S, 3H) and "bias" (B, S); `weight` and `bias` make query and recurrence of a state,
    Q = A + 3H; `energy` is v. Differentiable once.
    """
    told = (memory["keys"], memory["grown"], memory["gates"], memory["bias"])
    states, weights = _Attended.apply(hidden, gates, *told, weight, bias, energy)  # type: ignore[no-untyped-call]
    return states, weights


class _Attended(torch.autograd.Function):
    """a_i = softmax(v' tanh(W s_{i-1} + K) + bias), s_i = GRU(gates_i + a_i M, s_{i-1})."""

    @staticmethod
    def forward(ctx: Any, *told: Any) -> tuple[Tensor, Tensor]:
        hidden, gates, keys, growing, values, outside, weight, bias, energy = told
        turned = weight.t()
        states, kept = [hidden], []
        for given in gates.unbind(1):
            with scope.part("recurrence"):
                made = torch.addmm(bias, states[-1], turned)
                query, *recurrent = made.split([keys.shape[2], *[hidden.shape[1]] * 3], -1)
            with scope.part("attention"):
                curve = (keys + query[:, None]).tanh() if growing is None else bent(query, growing)  # (B, S, A)
                weights = (curve @ energy).add_(outside).softmax(-1)
                entering = torch.baddbmm(given[:, None], weights[:, None], values)[:, 0].chunk(3, -1)
            with scope.part("recurrence"):
                reset, update = ((a + b).sigmoid_() for a, b in zip(entering[:2], recurrent[:2], strict=True))
                candidate = torch.addcmul(entering[2], reset, recurrent[2]).tanh_()
                states.append(torch.lerp(candidate, states[-1], update))
            kept.append((curve, weights, reset, update, candidate, recurrent[2]))
        every, aligned = torch.stack(states, 1), torch.stack([step[1] for step in kept], 1)
        ctx.save_for_backward(every, aligned, values, weight, energy, *(part for step in kept for part in step))
        return every[:, 1:], aligned

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *come: Tensor) -> tuple[Tensor | None, ...]:
        by_state, by_weights = come
        every, aligned, values, weight, energy, *kept = ctx.saved_tensors
        sideways = values.transpose(1, 2).contiguous()  # a CPU multiplies by it seven times as fast
        by_key, by_energy = torch.zeros_like(kept[0]), torch.zeros_like(energy)
        by_hidden, one = torch.zeros_like(every[:, 0]), energy.new_ones(())
        entering, leaving, scores = [], [], []
        for step in reversed(range(aligned.shape[1])):
            curve, weights, reset, update, candidate, candidate_by = kept[PARTS * step : PARTS * (step + 1)]
            with scope.part("recurrence"):
                by_hidden = by_hidden + by_state[:, step]
                by_candidate = by_hidden * (1 - update) * torch.addcmul(one, candidate, candidate, value=-1)
                by_update = by_hidden * (every[:, step] - candidate) * update * (1 - update)
                by_reset = by_candidate * candidate_by * reset * (1 - reset)
                into = torch.cat([by_reset, by_update, by_candidate], -1)  # (B, 3H)
            with scope.part("attention"):
                by_weight = torch.baddbmm(by_weights[:, step, None], into[:, None], sideways)[:, 0]
                by_score = weights * (by_weight - (weights * by_weight).sum(-1, keepdim=True))
                by_energy += by_score.flatten() @ curve.flatten(0, 1)
                slope = torch.addcmul(one, curve, curve, value=-1)  # of tanh
                by_query = (by_score[:, None] @ slope)[:, 0] * energy
                by_key.addcmul_(by_score[..., None], slope)
            with scope.part("recurrence"):
                out_of = torch.cat([by_query, by_reset, by_update, by_candidate * reset], -1)
                by_hidden = torch.addmm(by_hidden * update, out_of, weight)
            entering.append(into)
            leaving.append(out_of)
            scores.append(by_score)
        into, out_of = torch.stack(entering[::-1], 1), torch.stack(leaving[::-1], 1)
        with scope.part("recurrence"):
            by_weight = out_of.flatten(0, 1).t() @ every[:, :-1].flatten(0, 1)
        with scope.part("attention"):
            by_value, by_outside = aligned.transpose(1, 2) @ into, torch.stack(scores).sum(0)
        return by_hidden, into, by_key * energy, None, by_value, by_outside, by_weight, out_of.sum((0, 1)), by_energy
