"""Whether several heads see more than one."""

from __future__ import annotations

from reports.claims import TRANSFORMERS, Claim, Part
from reports.claims._evidence import Pick, above


def _heads(heads: int, beside: bool = False) -> Part:
    first, second = (Pick("transformer", f"multi head: {n}", "translation") for n in (heads, 1))
    return Part(f"{heads} heads less one", 0.5, above(first, second, ("model.heads",)), "BLEU", beside=beside)


CLAIM = Claim(
    chapter=TRANSFORMERS,
    statement="Several heads see more than one.",
    measured="Translation by a transformer of width 128 with 1, 2, 4 and 8 heads: the parameters are the same.",
    rule="Eight heads lie 0.5 BLEU above one; two and four are shown beside them.",
    parts=(_heads(8), _heads(4, beside=True), _heads(2, beside=True)),
)
