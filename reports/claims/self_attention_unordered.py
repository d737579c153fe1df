"""Whether self-attention without positions knows no order."""

from __future__ import annotations

import math

from reports.claims import TRANSFORMERS, Claim, Part
from reports.claims._evidence import Pick, above, itself
from reports.rows.stored import Row

SAME = 1e-5
NOTHING = 1e-12  # what stands for a difference of zero


def _orders_below(row: Row) -> float | None:
    """By how many powers of ten the difference lies below what counts as the same."""
    found = row.result.metrics.get("difference")
    return None if found is None else math.log10(SAME) - math.log10(max(found, NOTHING))


def _pick(variant: str, probe: str = "quality") -> Pick:
    return Pick("transformer", f"self attention unordered: {variant}", "translation", probe)


QUALITY = above(
    Pick("transformer", "multi head: 4", "translation"), _pick("trained without positions"), ("model.positions",)
)

CLAIM = Claim(
    chapter=TRANSFORMERS,
    statement="Self-attention alone does not know the order of its inputs.",
    measured="A transformer without positions is given sources with their elements in another order: the largest "
    "change of any feature, beside it the same with positions. And translation with positions and without.",
    rule=f"The change stays below {SAME:g}, and without positions translation loses 1 BLEU.",
    parts=(
        Part(
            f"powers of ten by which the change lies below {SAME:g}",
            0.0,
            itself(_pick("no positions", "order"), _orders_below),
        ),
        Part("translation with positions less without", 1.0, QUALITY, "BLEU"),
        Part(
            f"with positions: powers of ten by which the change lies below {SAME:g}",
            0.0,
            itself(_pick("sinusoidal positions", "order"), _orders_below),
            beside=True,
        ),
    ),
    command="seqbench run claims --variant 'self attention unordered: *'; "
    "seqbench run claims --variant 'multi head: 4'",
)
