"""Whether dot products need dividing by the square root of the dimension."""

from __future__ import annotations

from reports.claims import ATTENTION, Claim, Part
from reports.claims._evidence import Pick, above


def _scaled(heads: str, beside: bool = False) -> Part:
    first, second = (
        Pick("transformer", f"score scaling: {heads}, {how}", "translation") for how in ("scaled", "not scaled")
    )
    return Part(f"{heads}: scaled less not scaled", 0.5, above(first, second, ("model.scaled",)), "BLEU", beside=beside)


CLAIM = Claim(
    chapter=ATTENTION,
    statement="Dot products need dividing by the square root of the dimension as the dimension grows.",
    measured="Translation by a transformer of one layer each way and width 256, its scores divided or not, as one "
    "head of 256 and as 16 heads of 16.",
    rule="With one head of 256, dividing gains 0.5 BLEU; heads of 16 are shown beside it.",
    parts=(_scaled("head of 256"), _scaled("heads of 16", beside=True)),
)
