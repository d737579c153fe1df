"""Settings: text and numbers are read alike, and every value stays within the range that stands beside its field."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from tasks._registry import BadInput

SHOWN = 60  # characters of a wrong value that its message repeats


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers from `least` to `most`. An end in a square bracket belongs to them, one in a round bracket does not."""

    least: int | float
    most: int | float
    ends: Literal["[]", "[)", "(]", "()"] = "[]"

    def __contains__(self, value: Any) -> bool:
        above = self.least < value or (value == self.least and self.ends[0] == "[")
        below = value < self.most or (value == self.most and self.ends[1] == "]")
        return bool(above and below)  # what is no number is neither

    def __str__(self) -> str:
        ends = zip((self.least, self.most), self.ends, strict=True)
        out = [f"{end:,}" for end, bracket in ends if bracket in "()"]
        return f"{self.least:,} to {self.most:,}" + (f", {' and '.join(out)} excluded" if out else "")


Size = Annotated[int, Range(1, 65_536)]  # units of a layer, numbers in a vector
Depth = Annotated[int, Range(1, 256)]  # layers
Chance = Annotated[float, Range(0, 1, "[)")]  # a probability short of certainty
Share = Annotated[float, Range(0, 1, "(]")]  # some or all of a whole


@dataclasses.dataclass(frozen=True)
class Settings:
    """What every configuration derives from: a value that the type beside its field does not allow raises ValueError.

    ```
    width: Size = 256
    dropout: Annotated[float, Range(0, 1, "[)")] = 0.2
    norm: Literal["pre", "post"] = "pre"
    ```
    """

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            _check(name, getattr(self, name), hint)


def _check(name: str, value: Any, hint: Any) -> None:
    """Raises ValueError where `value` lies outside a range of `hint`, is none of its choices, or holds nothing."""
    kind, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if get_origin(kind) in (Union, types.UnionType):
        if value is not None:
            _check(name, value, get_args(kind)[0])
        return
    for mark in marks:
        if isinstance(mark, Range) and value not in mark:
            raise ValueError(f"{name}={_short(value)} lies outside {mark}")
    if get_origin(kind) is Literal and value not in get_args(kind):
        raise ValueError(f"{name}={_short(value)} is none of: {_listed(kind)}")
    if get_origin(kind) is tuple:
        if not value:
            raise ValueError(f"{name} is empty; expected one value or more")
        for part in value:
            _check(name, part, get_args(kind)[0])


def configured(kind: type, settings: Mapping[str, Any], of: str) -> Any:
    """A configuration `kind` with `settings`, as text or as numbers: 128 and "128" give the same. Raises BadInput."""
    fields = _fields(kind, of)
    values = {}
    for name, value in settings.items():
        if name not in fields:
            raise BadInput(f"{of} has no setting {_short(name)}; it has: {', '.join(sorted(fields)) or 'none'}")
        values[name] = _coerced(name, value, *fields[name], of)
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:  # out of its range, missing, or what somebody's own class says of it
        raise BadInput(f"{of}: {' '.join(str(error).split())}") from None


def _fields(kind: type, of: str) -> dict[str, tuple[Any, Any]]:
    """Type and default of every setting by name."""
    try:
        hints = get_type_hints(kind, include_extras=True)
        return {field.name: (hints[field.name], field.default) for field in dataclasses.fields(kind)}
    except Exception as error:  # a stranger's annotations may name anything
        raise BadInput(f"{of}: the fields of its Config cannot be read: {type(error).__name__}: {error}") from None


def _coerced(name: str, value: Any, hint: Any, default: Any, of: str) -> Any:
    try:
        return _as(hint, value)
    except (ValueError, TypeError, KeyError, OverflowError):
        kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        said = f"{of}: {name}={_short(value)}"
        if get_origin(kind) is Literal:
            raise BadInput(f"{said} is none of: {_listed(kind)}") from None
        such = "" if default is dataclasses.MISSING else f", such as {_example(default)}"
        raise BadInput(f"{said} is no {_named(kind)}{such}") from None


def _as(kind: Any, value: Any) -> Any:
    """`value` as `kind`; numbers go through their text, so that both mean the same. Raises what `_coerced` catches."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _as(inner[0], value)
    if origin is Literal:
        return {str(choice): choice for choice in inner}[str(value)]
    if origin is tuple:
        return tuple(_as(inner[0], part) for part in _parts(value))
    if origin in (Union, types.UnionType):
        return _first(inner, value)
    reader = READERS.get(kind)
    return reader(value) if reader else value  # a type of somebody's own is left to their class


def _parts(value: Any) -> list[Any]:
    if isinstance(value, str):
        bare = value.strip()
        return (bare[1:-1] if bare[:1] + bare[-1:] in ("[]", "()") else bare).removesuffix(",").split(",")
    return list(value) if isinstance(value, list | tuple) else [value]


def _first(kinds: tuple[Any, ...], value: Any) -> Any:
    """The value as the first of the types that takes it."""
    for kind in kinds:
        try:
            return _as(kind, value)
        except (ValueError, TypeError, KeyError, OverflowError):
            continue
    raise ValueError(value)


def _finite(value: Any) -> float:
    number = float(str(value))
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(value)
    str(value).encode()  # bytes that are no UTF-8 arrive as characters that cannot be written
    return str(value)


TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
READERS: dict[Any, Callable[[Any], Any]] = {
    bool: lambda value: TRUTHS[str(value).lower()],
    int: lambda value: int(str(value)),
    float: _finite,
    str: _text,
    type(None): lambda value: {"none": None}[str(value).lower()],
}


def _named(kind: Any) -> str:
    """A type as a message calls it."""
    if get_origin(kind) is Annotated:
        return _named(get_args(kind)[0])
    if get_origin(kind) is tuple:
        return f"list of {_named(get_args(kind)[0])}, with commas between"
    return {float: "finite float"}.get(kind, getattr(kind, "__name__", str(kind)))


def _example(default: Any) -> str:
    """A default as it would be typed: 10,20,50 for a tuple."""
    return ",".join(map(str, default)) if isinstance(default, tuple) else repr(default)


def _listed(choices: Any) -> str:
    return ", ".join(map(str, get_args(choices)))


def _short(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= SHOWN else f"{said[:SHOWN]}..."
