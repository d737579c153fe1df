"""Rows made small: what they have in common is kept once. A hundred thousand rows differ in little but numbers."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reports.words import whole

DEEPEST = 12  # dictionaries within dictionaries; beyond that somebody tries the stack


@contextmanager
def passed_over() -> Iterator[None]:
    """Hides what is held already from the collector: statsmodels asks for full collections, which look at every row."""
    others = gc.get_freeze_count()  # what somebody else hid stays hidden
    gc.freeze()
    try:
        yield
    finally:
        if not others:
            gc.unfreeze()


@contextmanager
def uncollected() -> Iterator[None]:
    """Rows hold no cycles: while many are read the collector would look through all of them again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class Shared:
    """Gives equal dictionaries back as one and the same, so they must not be changed by anybody."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, Any]] = {}
        self._texts: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}

    def __call__(self, value: dict[str, Any]) -> dict[str, Any]:
        """The dictionary, the one kept before where it is equal."""
        try:
            key = repr(value)
        except RecursionError:
            return tidy(value)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = tidy(value)
        return kept

    def within(self, value: dict[str, Any]) -> dict[str, Any]:
        """A dictionary of its own, in which equal dictionaries are one and the same."""
        own = {name: self(told) if isinstance(told, dict) else tidy(told) for name, told in value.items()}
        return {sys.intern(whole(name)): told for name, told in own.items()}

    def texts(self, value: dict[str, str]) -> dict[str, str]:
        """A dictionary of texts alone, the one kept before where it is equal: a quarter of the time."""
        key = tuple(value.items())
        if key not in self._texts:
            self._texts[key] = {sys.intern(whole(name)): whole(text) for name, text in key}
        return self._texts[key]


def tidy(value: Any, depth: int = DEEPEST) -> Any:
    """The value without half characters, and no deeper than a report can follow."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, dict):
        return {sys.intern(whole(k)): tidy(v, depth - 1) for k, v in value.items()} if depth else "…"
    if isinstance(value, list):
        return [tidy(v, depth - 1) for v in value] if depth else "…"
    return value
