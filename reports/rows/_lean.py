"""Rows made small: what they have in common is kept once. A hundred thousand rows differ in little but numbers."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

from reports.words import whole

DEEPEST = 12  # dictionaries within dictionaries; beyond that somebody tries the stack


class Shared:
    """Gives equal dictionaries back as one and the same, so it must not be changed by anybody."""

    def __init__(self) -> None:
        self._kept: dict[bytes, dict[str, Any]] = {}
        self._texts: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}

    def __call__(self, value: dict[str, Any]) -> dict[str, Any]:
        """The dictionary, the one kept before where it is equal; so are the dictionaries in it."""
        try:
            inner = {name: self._inner(told) if isinstance(told, dict) else told for name, told in value.items()}
            # what is shared already is named by where it lies, which is quicker than by all that it holds
            key = _digest(repr([(name, (id(v),) if isinstance(v, dict) else v) for name, v in inner.items()]))
        except RecursionError:
            return tidy(value)
        if key not in self._kept:
            self._kept[key] = {sys.intern(whole(name)): _settled(told) for name, told in inner.items()}
        return self._kept[key]

    def texts(self, value: dict[str, str]) -> dict[str, str]:
        """A dictionary of texts alone, the one kept before where it is equal: a quarter of the time."""
        key = tuple(value.items())
        if key not in self._texts:
            self._texts[key] = {sys.intern(whole(name)): whole(text) for name, text in key}
        return self._texts[key]

    def _inner(self, value: dict[str, Any]) -> dict[str, Any]:
        key = _digest(json.dumps(value))
        if key not in self._kept:
            self._kept[key] = tidy(value)
        return self._kept[key]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="backslashreplace")).digest()


def _settled(told: Any) -> Any:
    return told if isinstance(told, dict) else tidy(told)


def tidy(value: Any, depth: int = DEEPEST) -> Any:
    """The value without half characters, and no deeper than a report can follow."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, dict):
        return {sys.intern(whole(k)): tidy(v, depth - 1) for k, v in value.items()} if depth else "…"
    if isinstance(value, list):
        return [tidy(v, depth - 1) for v in value] if depth else "…"
    return value
