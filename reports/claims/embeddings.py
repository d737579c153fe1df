"""Whether it matters where word vectors come from."""

from __future__ import annotations

from reports.claims import DATA, Claim

CLAIM = Claim(
    chapter=DATA,
    statement="Learned, one-hot, random and pretrained word vectors differ.",
    measured="The same model with nothing but its embedding changed, at two sizes of the training set.",
    rule="At the smaller size, vectors pretrained on the training text lie a point above learned ones.",
    missing="no model here takes vectors that were pretrained",
)
