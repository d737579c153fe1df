"""Whether pretraining on text without labels helps."""

from __future__ import annotations

from reports.claims import DATA, Claim

CLAIM = Claim(
    chapter=DATA,
    statement="Pretraining an encoder on text without labels helps.",
    measured="An encoder that first learned to fill in masked words of the training text, then reviews at small "
    "numbers of labels, beside one that did not.",
    rule="At the smallest number of labels the pretrained one lies a point above.",
    missing="no model here is pretrained",
)
