"""Whether scores that look at what they attend to work better than one that knows only where it lies."""

from __future__ import annotations

from reports.claims import ATTENTION, Claim, Part
from reports.claims._evidence import Pick, above

CONTENT = ("additive", "dot", "scaled dot", "general", "cosine")


def _pick(score: str) -> Pick:
    return Pick("bahdanau", f"alignment functions: {score}", "translation")


CLAIM = Claim(
    chapter=ATTENTION,
    statement="Many similarity functions work as attention: additive, dot product, scaled or general, cosine; "
    "attention by place alone ignores the content.",
    measured="Translation by Bahdanau's model, with nothing but the score function changed.",
    rule="Each score that sees the content lies 1 BLEU above attention by place alone.",
    parts=tuple(
        Part(f"{score} above location-only", 1.0, above(_pick(score), _pick("location"), ("model.score",)), "BLEU")
        for score in CONTENT
    ),
)
