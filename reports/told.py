"""Progress of a report: what is being done, told to whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
Tell = Callable[[str], None]


def quiet(step: str) -> None:
    """Tells nobody."""


def counted(items: Sequence[T], what: str, tell: Tell) -> Iterator[T]:
    """The items one by one, each told before it: "figure 3 of 40"."""
    for number, item in enumerate(items, 1):
        tell(f"{what} {number:,} of {len(items):,}")
        yield item
