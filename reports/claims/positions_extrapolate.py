"""Whether learned positions fail beyond the training's lengths more than sinusoidal ones."""

from __future__ import annotations

from reports.claims import TRANSFORMERS, Claim, Effect, Evidence, Lacking, Part
from reports.claims._evidence import Pick, alike, at, less

INSIDE, BEYOND, LEARNT = 20, 40, 95.0  # elements, elements, percent
PICKS = [
    Pick("transformer", f"positions extrapolate: {how}", "synthetic.reverse", "extrapolate")
    for how in ("learned", "sinusoidal")
]


def _drops(evidence: Evidence, pick: Pick) -> list[float]:
    inside, beyond = (evidence.values(pick, at("length", n, "score")) for n in (INSIDE, BEYOND))
    if min(inside) < LEARNT:
        raise Lacking(f"a seed of {pick} did not learn the task to {LEARNT:.0f} % inside: beyond says nothing")
    return [one - other for one, other in zip(inside, beyond, strict=True)]


def _drop(evidence: Evidence) -> Effect:
    first, second = (evidence.seeds(pick) for pick in PICKS)
    alike(first, second, ("model.positions",))
    learned, sinusoidal = (_drops(evidence, pick) for pick in PICKS)
    return less(learned, sinusoidal, [*first, *second])


CLAIM = Claim(
    chapter=TRANSFORMERS,
    statement="Learned positions cannot go past the longest training sequence; sinusoidal ones degrade.",
    measured=f"Reversing sequences, trained up to {INSIDE} elements and asked about {INSIDE} and {BEYOND}: the points "
    "lost.",
    rule="Learned positions lose 5 points more than sinusoidal ones.",
    parts=(Part("points lost beyond, learned less sinusoidal", 5.0, _drop, "points"),),
)
