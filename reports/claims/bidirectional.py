"""Whether reading both ways is better than reading one way."""

from __future__ import annotations

from reports.claims import DATA, Claim, Part
from reports.claims._evidence import Pick, above

TASKS = {"translation": ("translation", "BLEU"), "films": ("sentiment", "points")}


def _both(name: str, task: str, unit: str) -> Part:
    first, second = (Pick("lstm", f"bidirectional: {name}, {how}", task) for how in ("both ways", "one way"))
    return Part(f"{name}: both ways less one", 0.5, above(first, second, ("model.bidirectional", "model.hidden")), unit)


CLAIM = Claim(
    chapter=DATA,
    statement="Reading both ways gives better representations.",
    measured="An LSTM that reads both ways and one that reads one way with more units, so that both have as many "
    "parameters (within 0.4 %), on translation and on reviews.",
    rule="Both ways score 0.5 more on both tasks.",
    parts=tuple(_both(name, task, unit) for name, (task, unit) in TASKS.items()),
)
