"""Whether a reservoir leads where labelled data is scarce."""

from __future__ import annotations

from reports import words
from reports.claims import RESERVOIRS, Claim, Part
from reports.claims._evidence import Pick, at, over

FEWEST_EXAMPLES = 50
OTHERS = ("rnn", "lstm", "bahdanau", "transformer")


def _leads(other: str, examples: int, beside: bool = False) -> Part:
    first, second = (Pick(m, "reservoir small data: films", "sentiment", "data_curve") for m in ("echo_state", other))
    scored = over(first, second, at("examples", examples, "score"))
    return Part(
        f"{examples:,} examples: echo-state above {words.the(words.model(other))}", 1.0, scored, "points", beside=beside
    )


CLAIM = Claim(
    chapter=RESERVOIRS,
    statement="An echo-state network is worth a try when labelled data is scarce.",
    measured="Accuracy on film reviews after training on so many of them, the same ones for every model of a seed.",
    rule=f"At {FEWEST_EXAMPLES} examples the echo-state network lies a point above each of the others; larger "
    "sizes are shown beside it.",
    parts=(
        *(_leads(other, FEWEST_EXAMPLES) for other in OTHERS),
        *(_leads(other, n, beside=True) for n in (400, 3200) for other in OTHERS),
    ),
)
