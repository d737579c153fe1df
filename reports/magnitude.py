"""Numbers as a page writes them, read back: what a table is sorted by and what a downloaded table holds."""

from __future__ import annotations

import math
import re

UNITS = {
    "": 1.0, "%": 1.0, "times": 1.0, "×": 1.0, "k": 1e3, "M": 1e6, "G": 1e9,
    "B": 1.0, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40,
    "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0,
}  # fmt: skip
NUMBER = r"[-−]?\d[\d,]*(?:\.\d+)?(?:e[-−+]?\d+)?"
UNIT = "|".join(sorted(filter(None, UNITS), key=len, reverse=True))
WORD = r"(?P<word>< ?|> ?|below |at least |about )?"
FAR = rf"(?: ?(?:–|to) ?{NUMBER}| of {NUMBER})"  # the other end of a range; of how many
WHOLE = re.compile(rf"{WORD}(?P<number>{NUMBER}){FAR}? ?(?P<unit>{UNIT})?")
ASIDE = {"<": -1, "below": -1, ">": 1, "at least": 1}  # just under or above what they name


def magnitude(text: str) -> float | None:
    """The number that a text is, in bytes, seconds or pieces; None where it is none.

    "1.23 M" is 1,230,000 and "31 min" is 1,860; a range counts by its lower end, "3 of 5" by its first number.
    "< 0.01" comes just before 0.01, "at least 400" just after 400, and "never" after every number.
    """
    if text == "never":
        return math.inf
    found = WHOLE.fullmatch(text)
    if found is None:
        return None
    value = float(found["number"].replace(",", "").replace("−", "-")) * UNITS[found["unit"] or ""]
    side = ASIDE.get((found["word"] or "").strip(), 0)
    return math.nextafter(value, side * math.inf) if side else value


def plain(text: str) -> bool:
    """Whether a script reads the same number from the text by itself: digits, a point, commas between thousands."""
    return re.fullmatch(r"[-−]?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?", text) is not None


def carried(text: str, value: float | None) -> str:
    """The number that a cell carries beside its text; nothing where its text says it, or where it is no number."""
    exact = magnitude(text) if value is None or not math.isfinite(value) else value
    if exact is None or (value is None and plain(text)):
        return ""
    return "Infinity" if exact == math.inf else f"{exact:.17g}" if value is None else f"{exact:.10g}"
