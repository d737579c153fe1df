"""The size that models are brought to, so that they are compared at equal size. Stating one needs no torch."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Sequence

from bench.trial import Trial

MEASURES = {
    "parameters": "parameters, fixed random ones included",
    "state_bytes": "bytes of state on a pair of median lengths",
    "flops": "operations a target token, forward, on a pair of median lengths",
}
SMALL = 100_000  # up to here one unit weighs more, and `TOLERANCE` is the first, above it the second
TOLERANCE = (0.05, 0.02)  # share of the goal
NAMED = ("parameters", "bytes", "operations")  # as a line calls what the measures count


@dataclasses.dataclass(frozen=True)
class Goal:
    """So much of one measure."""

    measure: str
    amount: float

    @property
    def tolerance(self) -> float:
        """The share of the amount that a matched model may be off."""
        return TOLERANCE[self.amount > SMALL]


def read(text: str) -> Goal:
    """A goal such as "parameters=1e6". Raises ValueError with what was expected."""
    measure, _, amount = text.partition("=")
    if measure not in MEASURES:
        raise ValueError(f"expected MEASURE=NUMBER, such as parameters=1e6, a measure being {', '.join(MEASURES)}")
    try:
        number = float(amount)
    except ValueError:
        raise ValueError(f"{amount!r} is not a number") from None
    if not (math.isfinite(number) and 1 <= number <= 1e15):
        raise ValueError("expected a number from 1 to 1e15")
    return Goal(measure, number)


def alike(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    """Trials in groups that differ in their seed alone, in the order in which they come."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        plain = dataclasses.asdict(trial) | {"seed": 0}
        groups.setdefault(json.dumps(plain, sort_keys=True, default=str), []).append(trial)
    return groups


def solved(trials: Sequence[Trial], solve: Callable[[Trial], Trial], tell: Callable[[str], None]) -> list[Trial]:
    """The trials with the sizes that `solve` finds, which is asked once for all seeds; floors stay as they are."""
    found: dict[str, Trial] = {}
    for key, group in alike(trials).items():
        if group[0].probe != "floor":
            found[key] = solve(group[0])
            tell(line(found[key]))
    place = {id(trial): key for key, group in alike(trials).items() for trial in group}
    return [_as(trial, found.get(place[id(trial)])) for trial in trials]


def _as(trial: Trial, one: Trial | None) -> Trial:
    if one is None:
        return trial
    return dataclasses.replace(trial, model_settings=one.model_settings, matched=one.matched)


def line(trial: Trial) -> str:
    """How a model was matched, for a person."""
    told = trial.matched
    sizes = ", ".join(f"{name}={size}" for name, size in told["sizes"].items())
    counted = NAMED[list(MEASURES).index(told["measure"])]
    said = f"{trial.model} on {trial.task}: {sizes}: {told['reached']:,.0f} {counted} ({told['off']:+.2%})"
    return said + (f"; NOT MATCHED: {told['reason']}" if told["reason"] else "")
