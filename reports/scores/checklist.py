"""An item of the contract of a comparison, and how what models have is told: kept, broken, or not told by the rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bench.record import Result
from reports import words
from reports.scores.tables import Line

KEPT, BROKEN, UNTOLD = "kept", "broken", "not told"
LONGEST = 300  # letters of what an item says
Values = Sequence[tuple[str, str | None]]  # a line's name and its value; None where a row does not tell it


@dataclasses.dataclass(frozen=True)
class Item:
    """One thing that should be equal for every model of a table."""

    name: str  # "data"
    state: str  # kept, broken or not told
    said: str  # the value that all share, or who has which
    brief: str = ""  # the differing values in a few words, for the note under a table
    mend: str = ""  # what to do, where being unequal makes the comparison unfair

    @property
    def unfair(self) -> bool:
        """Whether no ranking should be read from this table."""
        return self.state == BROKEN and bool(self.mend)


def values(lines: Iterable[Line], value: Callable[[Result], str | None]) -> list[tuple[str, str | None]]:
    """A line's name with each of its values: one where its seeds agree; None where a row does not tell.

    `value` is one of how a trial was made, not of what came out.
    """
    return [pair for line in lines for pair in dict.fromkeys((line.name, value(row.result)) for row in line.made)]


def alike(
    name: str, told: Values, *, mend: str = "", brief: str = "",
    kept: Callable[[str], str] = lambda value: value,
) -> Item:  # fmt: skip
    """Kept where all have one value, broken where two differ, not told where one is missing and the rest agree."""
    by: dict[str, list[str]] = {}
    for line, value in told:
        if value is not None:
            by.setdefault(value, []).append(line)
    untold = [line for line, value in told if value is None]
    if len(by) > 1:
        each = [f"{words.clean(value)}: {words.several(names)}" for value, names in by.items()]
        said = "; ".join(each) + (f"; {unsaid(untold)}" if untold else "")
        return Item(name, BROKEN, fitted(said), brief or _brief(name, [*by]), mend)
    if untold or not by:
        return Item(name, UNTOLD, unsaid(untold, len({line for line, _ in told})))
    return Item(name, KEPT, fitted(words.clean(kept(next(iter(by))))))


def _brief(name: str, found: Sequence[str]) -> str:
    shown = [words.cut(words.clean(value), 48) for value in found]
    return f"{name} ({words.several(shown, most=2)})"


def unsaid(lines: Sequence[str], of: int = 0) -> str:
    """Whose rows do not say it; `of` is the number of lines in all."""
    names = [*dict.fromkeys(lines)]
    if not names or len(names) == of:
        return "no row says"
    return fitted(f"the rows of {words.several(names, most=4)} do not say")


def level(amounts: Mapping[str, float | None], within: float) -> bool:
    """Whether all amounts are known and differ by no more than a share of the smallest."""
    known = [n for n in amounts.values() if n is not None]
    return bool(known) and len(known) == len(amounts) and max(known) - min(known) <= within * abs(min(known))


def ranged(amounts: Iterable[float]) -> str:
    """ "1.1 to 3.9 million"; one number where they print alike."""
    low, high = min(amounts := [*amounts]), max(amounts)
    for size, name in ((1e15, ""), (1e12, " trillion"), (1e9, " billion"), (1e6, " million")):
        if high >= size:
            texts = [f"{n / size:.3g}" if name else f"{n:.3g}" for n in (low, high)]
            return " to ".join(dict.fromkeys(texts)) + name
    return " to ".join(dict.fromkeys(in_full(n) for n in (low, high)))


def in_full(n: float) -> str:
    """12,000; 0.05; of huge ones four digits."""
    return f"{n:.4g}" if abs(n) >= 1e12 or (n != round(n) and abs(n) < 100) else f"{n:,.0f}"


def plain(value: Any) -> str:
    """A plain stored value as text; nothing for one that is missing or not plain."""
    return words.cut(words.clean(str(value)), 80) if isinstance(value, str | int | float) else ""


def fitted(text: str, most: int = LONGEST) -> str:
    """No longer than an item may be."""
    return words.cut(text, most)
