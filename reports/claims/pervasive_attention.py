"""Whether a convolution over pairs of source and target translates better than a transformer."""

from __future__ import annotations

from reports.claims import TRANSFORMERS, Claim

CLAIM = Claim(
    chapter=TRANSFORMERS,
    statement="A two-dimensional convolution over pairs of source and target words may beat a transformer at "
    "translation.",
    measured="The same data, models of equal size.",
    rule="The convolution lies 0.5 BLEU above the transformer.",
    missing="no such model is among the contestants",
)
