"""What makes two sentences the same, and splits by hash, which do not move when data are added."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Hashable, Iterable, Mapping

from tasks import Split

ROW = re.compile(r"(\W{30})\W+")


def normal(text: str) -> str:
    """The text without case, width, punctuation and spaces; equal texts count as one sentence."""
    # Python sorts a row of combining marks in the square of its length: of a long one the beginning must do
    short = ROW.sub(r"\1", text)
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", short).casefold())


def same(text: str) -> str:
    """What two texts share that count as one: `normal`, or the text itself where it is marks alone."""
    return normal(text) or text


def in_earlier_splits(items: Mapping[Split, Iterable[Hashable]]) -> dict[str, int]:
    """How many items of validation and of test stand in a split before theirs: {"validation": n, "test": n}."""
    seen = set(items["train"])
    found: dict[str, int] = {}
    later: tuple[Split, ...] = ("validation", "test")
    for split in later:
        here = list(items[split])
        found[split] = sum(item in seen for item in here)
        seen.update(here)
    return found


def split_of(name: str, validation: int, test: int) -> Split:
    """A split by the first byte of the name's SHA-256: so many of 256 to validation, so many to test."""
    byte = hashlib.sha256(name.encode()).digest()[0]
    if byte < validation:
        return "validation"
    return "test" if byte < validation + test else "train"
