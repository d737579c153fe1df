"""Whether attending over the parts of a picture captions it better than one vector of the whole."""

from __future__ import annotations

from reports.claims import ATTENTION, Claim, Part
from reports.claims._evidence import Pick, above

GRID, VECTOR = (Pick("bahdanau", f"visual attention: {how}", "captioning") for how in ("grid", "one vector"))

CLAIM = Claim(
    chapter=ATTENTION,
    statement="One vector of a picture is enough to start a caption from; attending over its parts works better.",
    measured="Captions of scenes by Bahdanau's model: attention over the grid of patches, or every patch weighed "
    "alike at every step, which is one vector of the whole.",
    rule="Attention over the grid gets a point more of the captions exactly right.",
    parts=(Part("grid less one vector, exact captions", 1.0, above(GRID, VECTOR, ("model.score",)), "points"),),
)
