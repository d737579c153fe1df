"""Whether translation through one vector loses more with length than translation with attention."""

from __future__ import annotations

import numpy as np

from reports.claims import RECURRENCE, Claim, Part
from reports.claims._evidence import Pick, over
from reports.rows.stored import Row
from reports.sections.seeded import seed_curve

LEAST = 4.0  # BLEU: below that a slope is noise
VARIANT = "fixed vector bottleneck: joined sentences"


def _lost(row: Row) -> float | None:
    """Percent of its mean score that a model loses with each doubling of the source, by least squares."""
    found = [(words, score) for words, score in seed_curve(row, "asked", row.result.main).items() if words > 0]
    if len(found) < 3 or not any(score for _, score in found):
        return None
    words, scores = np.array(found).T
    if scores.mean() < LEAST:
        return None
    return float(-100 * np.polyfit(np.log2(words), scores, 1)[0] / scores.mean())


def _than_attention(model: str) -> Part:
    first, second = (Pick(m, VARIANT, "translation", "by_length") for m in (model, "bahdanau"))
    return Part(f"{model.upper()}: loss with each doubling less Bahdanau's", 5.0, over(first, second, _lost),
                "% of the mean score")  # fmt: skip


CLAIM = Claim(
    chapter=RECURRENCE,
    statement="A vector of fixed size cannot carry a long source sentence; attention removes the bottleneck.",
    measured="BLEU on sources of about 10, 20 and 40 words, joined from sentences; training saw joined ones up to 50 "
    "words. What counts is the slope against the logarithm of the length, as a share of the model's own "
    "mean (of 4 BLEU at least), so that a model which is better everywhere does not seem to lose more.",
    rule="The models with a fixed vector lose 5 % of their mean score more with each doubling than Bahdanau's.",
    parts=(_than_attention("lstm"), _than_attention("rnn")),
)
