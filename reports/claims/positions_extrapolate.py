"""Whether learned positions fail beyond the training's lengths more than sinusoidal ones."""

from __future__ import annotations

from reports.claims import TRANSFORMERS, Claim, Effect, Evidence, Lacking, Part
from reports.claims._evidence import Pick, alike, at, less

INSIDE, BEYOND, FAR, LEARNT = 20, 22, 40, 95.0  # elements, elements, elements, percent
PICKS = [
    Pick("transformer", f"positions extrapolate: {how}", "synthetic.reverse", "extrapolate")
    for how in ("learned", "sinusoidal")
]


def _drops(evidence: Evidence, pick: Pick, length: int) -> list[float]:
    inside, beyond = (evidence.values(pick, at("length", n, "score")) for n in (INSIDE, length))
    if min(inside) < LEARNT:
        raise Lacking(f"a seed of {pick} did not learn the task to {LEARNT:.0f} % inside: beyond says nothing")
    return [one - other for one, other in zip(inside, beyond, strict=True)]


def _drop(length: int, beside: bool = False) -> Part:
    def measure(evidence: Evidence) -> Effect:
        first, second = (evidence.seeds(pick) for pick in PICKS)
        alike(first, second, ("model.positions",))
        learned, sinusoidal = (_drops(evidence, pick, length) for pick in PICKS)
        return less(learned, sinusoidal, [*first, *second])

    return Part(f"points lost at {length} elements, learned less sinusoidal", 5.0, measure, "points", beside=beside)


CLAIM = Claim(
    chapter=TRANSFORMERS,
    statement="Learned positions cannot go past the longest training sequence; sinusoidal ones degrade.",
    measured=f"Reversing sequences, trained up to {INSIDE} elements and asked about {INSIDE}, {BEYOND} and {FAR}: the "
    "points lost. Positions beyond were never trained: learned ones are there what they were drawn as.",
    rule=f"Learned positions lose 5 points more than sinusoidal ones at {BEYOND} elements, two beyond; {FAR}, where "
    "both may have lost everything, are shown beside it.",
    parts=(_drop(BEYOND), _drop(FAR, beside=True)),
)
