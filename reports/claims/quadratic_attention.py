"""Whether cost grows with the length for recurrence, and with its square for self-attention."""

from __future__ import annotations

import math

from reports import words
from reports.claims import TRANSFORMERS, Claim, Part
from reports.claims._evidence import Pick, curve, over
from reports.rows.stored import Row

SHORT, LONG = 4096, 8192  # elements: the last octave
LEAST = 0.5  # of the exponent


def _exponent(value: str):  # type: ignore[no-untyped-def]
    def of(row: Row) -> float | None:
        found = curve(row, "length", value)
        if not (found.get(SHORT, 0) > 0 and found.get(LONG, 0) > 0):
            return None
        return math.log(found[LONG] / found[SHORT]) / math.log(LONG / SHORT)

    return of


def _pick(model: str, how: str) -> Pick:
    return Pick(model, f"quadratic attention: {how}", "tokens", "scaling")


def _than(model: str, value: str, said: str, how: str = "materialised scores", beside: bool = False) -> Part:
    measure = over(_pick("transformer", how), _pick(model, "recurrent layers"), _exponent(value))
    told = f"{said}: exponent of attention ({how}) less {words.the(words.model(model))}'s"
    return Part(told, LEAST, measure, beside=beside)


TIME, MEMORY = ("step_seconds", "time"), ("step_bytes", "memory")

CLAIM = Claim(
    chapter=TRANSFORMERS,
    statement="A recurrent layer costs in proportion to the length, self-attention in proportion to its square.",
    measured=f"One layer forward and backward, batch 1, width 64: the power of length from {SHORT:,} to {LONG:,} "
    "elements, with scores kept as a matrix.",
    rule=f"Attention's exponents of time and of memory lie {LEAST} above those of both recurrent layers; a fused "
    "kernel, which keeps no scores, is shown beside it.",
    parts=(
        *(_than(model, *what) for what in (TIME, MEMORY) for model in ("rnn", "lstm")),
        *(_than("rnn", *what, how="fused", beside=True) for what in (TIME, MEMORY)),
    ),
)
