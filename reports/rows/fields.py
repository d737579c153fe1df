"""Fields of a stored row or artifact, of the type they should have, whoever wrote the file."""

from __future__ import annotations

import math
import sys
from typing import Any

from reports.words import whole

NUMBER = int | float  # made once
INFINITE = math.inf


def number(value: Any) -> float | None:
    """A finite number, else None: JSON knows NaN in Python only, and a report none."""
    if value.__class__ is float:  # most are, and a million of them are looked at
        return value if -INFINITE < value < INFINITE else None  # NaN is between nothing
    try:
        return float(value) if isinstance(value, NUMBER) and math.isfinite(value) else None
    except OverflowError:  # an integer of thousands of digits
        return None


def numbers(value: Any) -> dict[str, float]:
    """The finite numbers of a dictionary; {} where it is none."""
    found: dict[str, float] = {}
    for name, told in mapping(value).items():
        if (n := number(told)) is not None:
            found[sys.intern(whole(name))] = n
    return found


def text(value: Any) -> str:
    """The value as text without half characters; nothing for None."""
    return whole(value if isinstance(value, str) else "" if value is None else str(value))


def mapping(value: Any) -> dict[str, Any]:
    """The dictionary, {} where it is none."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """The list, [] where it is none."""
    return value if isinstance(value, list) else []
