"""Equal sizes: the settings at which a model has so many parameters, bytes of state or operations.

All sizes that a model names in `widths` grow or shrink together first, so that it keeps the shape that its settings
give it; what is still missing the finest of them settles. Sizes are counted on torch's meta device, where nothing
is drawn or stored; a model that cannot be built there is built in earnest.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from scipy.optimize import brentq

from bench.goal import Goal
from bench.probes import asked
from bench.sizes import state_bytes, token_flops, typical
from bench.trial import Trial
from models import Model
from tasks import BadInput, Batch, Spec

NEAR = 64  # units within which a size is looked for that a model's Config accepts, say a multiple of its heads
FAR = 60  # doublings, or halvings, after which no size is looked for any more
BEYOND = 50.0  # logarithm that stands for sizes that are refused
LARGEST = {"parameters": 2e9, "state_bytes": 5e7, "flops": 2e9}  # parameters of a model that is tried for a measure


def matched(trial: Trial, goal: Goal) -> Trial:
    """The trial with the sizes that come nearest to the goal; its `matched` says how near, and why not nearer.

    Raises BadInput where a name or setting is wrong, or where nothing of the model can grow.
    """
    kind, base = asked.model(trial)
    names, task = scalable(kind, base, trial.model), asked.task(trial)
    pair = functools.cache(lambda: typical(task))
    count = counter(kind, task.spec, goal.measure, pair, trial.model)
    search = Search(base, names, count, goal)
    best = search.best()
    off = best.reached / goal.amount - 1
    told = {"measure": goal.measure, "goal": goal.amount, "reached": best.reached, "off": off, "sizes": best.sizes}
    told["reason"] = "" if abs(off) <= goal.tolerance else search.reason(best, task.spec)
    plain, own = dataclasses.asdict(best.config), dataclasses.asdict(base)
    changed = {name: value for name, value in plain.items() if value != own[name]}
    return dataclasses.replace(trial, model_settings=trial.model_settings | best.sizes | changed, matched=told)


def scalable(kind: type[Model], base: Any, name: str) -> tuple[str, ...]:
    """The settings of a model that make it larger. Raises BadInput where it has none, or one is no whole number."""
    names = tuple(size for size in kind.widths if hasattr(base, size))
    fields = [field.name for field in dataclasses.fields(base)]
    if not names:
        raise BadInput(
            f"model {name} cannot be matched: its Config has none of {', '.join(kind.widths)} "
            f"(it has {', '.join(fields) or 'nothing'}); name what makes it larger in its class, "
            'widths = ("SETTING", ...)'
        )
    for size in names:
        value = getattr(base, size)
        if type(value) is not int:
            raise BadInput(f"model {name} cannot be matched: {size}={value!r} is no whole number")
    return names


# --- counting -----------------------------------------------------------------------------------------------------


def counter(
    kind: type[Model], spec: Spec, measure: str, pair: Callable[[], Batch], name: str
) -> Callable[[Any], float]:
    """What counts the measure of the model with a configuration; infinity where that is a model too large to try.

    It raises BadInput where no such model can be built.
    """
    counts: dict[str, Callable[[Model], int | float]] = {
        "parameters": lambda model: model.parameter_counts()["total"],
        "state_bytes": lambda model: sum(state_bytes(_empty(model), pair()).values()),
        "flops": lambda model: token_flops(model, pair()),
    }

    def counted(model: Model) -> float:
        return float(counts[measure](model)) if model.parameter_counts()["total"] <= LARGEST[measure] else math.inf

    def count(config: Any) -> float:
        try:
            number = _first(counted, (lambda: shape(kind, spec, config), lambda: kind(spec, config)))
        except Exception as error:  # whatever somebody's own model raises
            raise BadInput(f"model {name} cannot be matched: {type(error).__name__}: {error}") from None
        if number <= 0:
            raise BadInput(f"model {name} cannot be matched: it states no {measure}")
        return number

    return count


def shape(kind: type[Model], spec: Spec, config: Any) -> Model:
    """The model without its numbers, on the meta device."""
    with torch.device("meta"):
        return kind(spec, config)


def _empty(model: Model) -> Model:
    """The model with whatever numbers on the CPU; one that has its own stays as it is."""
    return model.to_empty(device="cpu") if any(part.is_meta for part in model.parameters()) else model


def _first(count: Callable[[Model], float], makers: tuple[Callable[[], Model], ...]) -> float:
    """The count of the first of the models that can be built and counted."""
    for make in makers[:-1]:
        try:
            return count(make())
        except Exception:  # noqa: S112 (a model that reads one of its numbers while it is built cannot be a shape)
            continue
    return count(makers[-1]())


# --- searching ----------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Try:
    """Sizes, and what they come to."""

    sizes: dict[str, int]
    reached: float
    config: Any  # with these sizes, and what had to change with them


class Search:
    """Tries sizes of one model, and remembers what each came to."""

    def __init__(self, base: Any, names: tuple[str, ...], count: Callable[[Any], float], goal: Goal) -> None:
        self.base, self.names, self.count, self.goal = base, names, count, goal
        self.tried: dict[tuple[int, ...], Try] = {}

    def best(self) -> Try:
        """The sizes nearest to the goal: all together first, then the finest, and others only if that is not enough."""
        start = {name: getattr(self.base, name) for name in self.names}
        self.near(lambda factor: {name: size * factor for name, size in start.items()})
        for name in reversed(self.names):
            for end in self._ends():
                if self._off(self._nearest()) <= self.goal.tolerance / 4:
                    break
                self.near(lambda factor, name=name, end=end: end.sizes | {name: end.sizes[name] * factor})  # type: ignore[misc]
        return self._nearest()

    def near(self, sizes: Callable[[float], Mapping[str, int | float]]) -> None:
        """Tries sizes along a way until a step of it passes the goal, then between."""

        def away(logarithm: float) -> float:
            one = self.at(sizes(math.exp2(logarithm)))
            return math.copysign(BEYOND, logarithm) if one is None else math.log2(one.reached / self.goal.amount)

        here = away(0.0)
        for start, end in self._steps(-1.0 if here > 0 else 1.0):
            before, after = away(start), away(end)
            if before * after <= 0:
                brentq(away, start, end, xtol=1e-5, maxiter=40, disp=False)
                return
            if before == after:  # this does not change what is measured, or no smaller size is left
                return

    def _steps(self, sign: float) -> Iterator[tuple[float, float]]:
        """Doublings or halvings, each from where the last one ended."""
        return ((sign * step, sign * (step + 1)) for step in range(FAR))

    def at(self, wanted: Mapping[str, int | float]) -> Try | None:
        """The sizes nearest to those wanted that the model's Config accepts; None where it accepts none."""
        config = self.base
        for name in self.names:
            config = accepted(config, name, max(1, round(wanted[name])))
            if config is None:
                return None
        key = tuple(getattr(config, name) for name in self.names)
        if key not in self.tried:
            self.tried[key] = Try(dict(zip(self.names, key, strict=True)), self.count(config), config)
        return self.tried[key] if math.isfinite(self.tried[key].reached) else None

    def _off(self, one: Try) -> float:
        return abs(one.reached / self.goal.amount - 1)

    def _nearest(self) -> Try:
        return min(self.tried.values(), key=self._off)

    def _ends(self) -> list[Try]:
        """The nearest sizes of all, and the nearest on the other side of the goal."""
        best = self._nearest()
        over = best.reached > self.goal.amount
        other = [one for one in self.tried.values() if (one.reached > self.goal.amount) != over]
        return [best, *sorted(other, key=self._off)[:1]]

    def reason(self, best: Try, spec: Spec) -> str:
        """Why nothing nearer was found."""
        below, all_of = best.reached < self.goal.amount, [one.reached for one in self.tried.values()]
        refused = filter(None, (self._refused(best, name, 1 if below else -1) for name in self.names))
        if min(all_of) > self.goal.amount:
            said = f"the smallest that the settings allow, with {_constant(spec)}"
        elif math.isinf(max(all_of)):
            said = f"the next sizes make a model of more than {LARGEST[self.goal.measure]:,.0f} parameters"
        elif max(all_of) < self.goal.amount:
            said = "the largest that the settings allow"
        else:
            said = "the next sizes are further off"
        return said + "".join(f" ({why})" for why in list(refused)[:1])

    def _refused(self, best: Try, name: str, by: int) -> str:
        """What the Config says of one unit more or less; nothing where it accepts that."""
        size = best.sizes[name] + by
        if size < 1:
            return ""
        try:
            sized(self.base, best.sizes | {name: size})
        except ValueError as error:
            return " ".join(str(error).split())
        return ""


def sized(config: Any, sizes: dict[str, int]) -> Any:
    """The configuration with other sizes; a stranger's may be any dataclass. Raises ValueError."""
    return config.sized(**sizes) if hasattr(config, "sized") else dataclasses.replace(config, **sizes)


def accepted(config: Any, name: str, size: int) -> Any | None:
    """The configuration with a setting of that size, or of the nearest that it accepts; None where none is near."""
    for away in (0, *(sign * step for step in range(1, NEAR + 1) for sign in (1, -1))):
        if size + away >= 1:
            try:
                return sized(config, {name: size + away})
            except ValueError:
                continue
    return None


def _constant(spec: Spec) -> str:
    """What of a task no size of a model makes smaller."""
    source = (
        f"{spec.source_size:,} source tokens" if spec.source == "tokens" else f"{spec.source_size:,} numbers a vector"
    )
    if spec.joint_vocabulary:
        return f"a vocabulary of {spec.source_size:,} tokens"
    return f"{source} and {spec.target_size:,} target tokens"
