"""Whether writing is sequential for every model, the transformer included."""

from __future__ import annotations

from reports.claims import TRANSFORMERS, Claim, Part
from reports.claims._evidence import Pick, itself, logged, metric, raised
from reports.rows.stored import Row

TIMES = 3.0


def _log(row: Row) -> float | None:
    return logged(metric("training_over_generation")(row))


def _ratio(model: str, name: str, beside: bool = False) -> Part:
    pick = Pick(model, "decoding is sequential: writing", "tokens", "decoding")
    logarithm = itself(pick, _log)
    told = f"{name}: training's tokens a second over generation's"
    return Part(told, TIMES, lambda evidence: raised(logarithm(evidence)), "times", none=1.0, beside=beside)


CLAIM = Claim(
    chapter=TRANSFORMERS,
    statement="Writing is sequential for every model, the transformer included.",
    measured="Target tokens a second in training, backward pass included, over target tokens a second in greedy "
    "generation with a cache, at the same sizes and batch.",
    rule=f"The transformer trains on more than {TIMES:.0f} times the tokens a second that it writes.",
    parts=(
        _ratio("transformer", "transformer"),
        _ratio("lstm", "LSTM", beside=True),
        _ratio("bahdanau", "Bahdanau", True),
    ),
)
