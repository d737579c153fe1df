"""Whether it is recurrence that makes a reservoir serve sequences."""

from __future__ import annotations

from reports.claims import RESERVOIRS, Claim, Part
from reports.claims._evidence import Pick, above

TASKS = {"translation": ("translation", "BLEU"), "films": ("sentiment", "points")}
RECURRENT = ("model.radius", "model.leaks", "model.writer_leak")


def _above(name: str, task: str, unit: str) -> Part:
    first, second = (
        Pick("echo_state", f"reservoir recurrence: {name}, {how}", task) for how in ("recurrent", "without")
    )
    return Part(f"{name}: with recurrence less without", 1.0, above(first, second, RECURRENT), unit)


CLAIM = Claim(
    chapter=RESERVOIRS,
    statement="Recurrence in the reservoir is what makes it serve sequences; without it, it is an extreme learning "
    "machine.",
    measured="The same echo-state network with and without recurrent weights and leaks, on translation and on reviews.",
    rule="With recurrence it scores a point more on both.",
    parts=tuple(_above(name, task, unit) for name, (task, unit) in TASKS.items()),
)
