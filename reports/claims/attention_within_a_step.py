"""Whether an attention RNN does the weights of one step at once, and those of different steps one after another."""

from __future__ import annotations

from reports.claims import ATTENTION, Claim, Part
from reports.claims._evidence import Pick, itself
from reports.rows.stored import Row

TIMES = 3


def _gap(row: Row) -> float | None:
    target, source = (row.result.metrics.get(name) for name in ("slope_target", "slope_source"))
    return None if target is None or source is None else target - TIMES * source


CLAIM = Claim(
    chapter=ATTENTION,
    statement="In an attention RNN the weights of one step are computed in parallel, those of different steps are not.",
    measured="Time of writing against the length of the target, and against the length of the source, at batch 1: "
    "the powers of length.",
    rule=f"The exponent over the target is more than {TIMES} times the one over the source.",
    parts=(
        Part(
            f"exponent over the target less {TIMES} times the one over the source",
            0.0,
            itself(Pick("bahdanau", "attention within a step: writing", "tokens", "decoding"), _gap),
        ),
    ),
)
