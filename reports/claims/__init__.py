"""Claims on trial: what lectures say of sequence models, each with a measurement and a verdict that code gives.

A file a claim; its name is the claim's, and it ends with `CLAIM = Claim(...)`. What is measured, the smallest effect
worth naming and the rule are written there before the first run; a verdict follows from stored rows alone.

The effect of a part is read off its 95 % interval: wholly above the smallest effect worth naming it is `supported`,
wholly below no effect `contradicted`, within the two `negligible`, else `inconclusive`. Fewer than three seeds give no
verdict. A claim is as strong as its weakest part: one part that is contradicted contradicts it.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

from reports.claims._evidence import FEWEST, Effect, Evidence, Lacking
from reports.rows.stored import Stored

__all__ = ["FEWEST", "Claim", "Effect", "Evidence", "Found", "Lacking", "Part", "Tried", "judged", "load", "names"]

SUPPORTED, CONTRADICTED, NEGLIGIBLE = "supported", "contradicted", "negligible"
INCONCLUSIVE, ABSENT = "inconclusive", "not measured"
VERDICTS = SUPPORTED, CONTRADICTED, NEGLIGIBLE, INCONCLUSIVE, ABSENT
CHAPTERS = RECURRENCE, RESERVOIRS, ATTENTION, TRANSFORMERS, DATA = (
    "Recurrence",
    "Reservoirs",
    "Attention",
    "Transformers",
    "Texts and training",
)


@dataclasses.dataclass(frozen=True)
class Part:
    """One effect that a claim speaks of, the larger the better for the claim."""

    what: str  # "additive above location-only, BLEU"
    least: float  # the smallest effect worth naming, fixed before the first run
    measure: Callable[[Evidence], Effect]  # raises Lacking, which says what no run has measured yet
    unit: str = ""
    none: float = 0.0  # the effect that there would be if the claim were wrong: 0 of a difference, 1 of a ratio
    beside: bool = False  # shown for comparison; the verdict leaves it out


@dataclasses.dataclass(frozen=True)
class Claim:
    """What is said, how it is measured, and when it counts as right."""

    chapter: str
    statement: str
    measured: str
    rule: str
    parts: tuple[Part, ...] = ()
    command: str = ""  # what would measure it
    missing: str = ""  # what the suite would have to learn first; without it nothing is missing


@dataclasses.dataclass(frozen=True)
class Found:
    """A part with its effect, or with what it lacks."""

    part: Part
    verdict: str
    effect: Effect | None = None
    lacks: str = ""


@dataclasses.dataclass(frozen=True)
class Tried:
    """A claim after its trial."""

    name: str
    claim: Claim
    found: tuple[Found, ...]
    verdict: str

    @property
    def counted(self) -> tuple[Found, ...]:
        """The parts that the verdict rests on."""
        return tuple(one for one in self.found if not one.part.beside)

    @property
    def lacks(self) -> str:
        """What keeps it from a verdict; nothing where it has one."""
        if self.verdict != ABSENT:
            return ""
        return self.claim.missing or next((one.lacks for one in self.counted if one.lacks), "")


def names() -> list[str]:
    """Every claim, by the files of this folder; none is imported."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def load(name: str) -> Claim:
    """The claim of a file."""
    claim: Claim = importlib.import_module(f"reports.claims.{name}").CLAIM
    return claim


def tried(stored: Stored) -> list[Tried]:
    """Every claim with its verdict from these rows, chapter by chapter."""
    evidence = Evidence(stored)
    told = [(name, load(name)) for name in names()]
    told.sort(key=lambda pair: (CHAPTERS.index(pair[1].chapter), pair[0]))
    return [on_trial(name, claim, evidence) for name, claim in told]


def on_trial(name: str, claim: Claim, evidence: Evidence) -> Tried:
    """One claim, by the rows that there are."""
    found = tuple(_found(part, evidence) for part in claim.parts)
    return Tried(name, claim, found, together([one.verdict for one in found if not one.part.beside]))


def _found(part: Part, evidence: Evidence) -> Found:
    try:
        effect = part.measure(evidence)
    except Lacking as lacking:
        return Found(part, ABSENT, lacks=str(lacking))
    return Found(part, judged(effect, part.least, part.none), effect)


def judged(effect: Effect, least: float, none: float = 0.0) -> str:
    """The verdict on an effect by its interval; `least` is what counts as one, `none` what would be none at all."""
    if effect.low > least:
        return SUPPORTED
    if effect.high < none:
        return CONTRADICTED
    return NEGLIGIBLE if effect.low >= none and effect.high <= least else INCONCLUSIVE


def together(verdicts: Sequence[str]) -> str:
    """The verdict on a claim that says all of its parts at once."""
    found = {*verdicts}
    if CONTRADICTED in found:
        return CONTRADICTED
    if ABSENT in found or not found:
        return ABSENT
    if found == {SUPPORTED}:
        return SUPPORTED
    return INCONCLUSIVE if INCONCLUSIVE in found else NEGLIGIBLE
