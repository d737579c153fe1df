"""Marks shared by models that are not separable: a compact letter display (Piepho, 2004) of a task's pairs.

Two models share a letter unless their pair says that one leads. Being not separable is not passed on: "a", "ab", "b"
says that the first and the last are apart while the one between them is apart from neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import ascii_lowercase

from reports.scores.pairs import LEADS, UNTESTED, Pair
from reports.scores.tables import Line

EXPLAINED = "Models of a task that share a letter are not separable (5 %, corrected by Holm over its pairs, see there)."
FIRST = (
    "Where models are more than six, the letter a alone is given: to the best, and to what is not separable from it."
)
Group = frozenset[int]


def letters(models: Sequence[Line], told: Sequence[Pair]) -> dict[Line, str]:
    """ "a", "ab", "b" by model, the best first; nothing for a model of which no pair could be tested.

    Where not every pair was compared, "a" for the best and whatever is not separable from it, nothing for the others.
    """
    tested = [pair for pair in told if pair.verdict != UNTESTED]
    known = {line for pair in tested for line in (pair.better, pair.worse)}
    place = {line: n for n, line in enumerate(models)}
    apart = [(place[p.better], place[p.worse]) for p in tested if p.verdict == LEADS]
    if not known:
        return {}
    if not _every(models, told):
        behind = {worse for better, worse in apart if better == 0}
        return {line: "" if place[line] in behind else "a" for line in models if line in known}
    found = groups(len(models), apart)
    return {line: "".join(ascii_lowercase[n % 26] for n, g in enumerate(found) if place[line] in g) for line in known}


def _every(models: Sequence[Line], told: Sequence[Pair]) -> bool:
    return len(told) == len(models) * (len(models) - 1) // 2


def groups(size: int, apart: Iterable[tuple[int, int]]) -> list[Group]:
    """The largest groups of `size` things (from 0) in which no two are `apart`, by their first members.

    Insert and absorb (Piepho, 2004, section 3.2): each pair splits every group that holds both, and a group within
    another one goes.
    """
    found: list[Group] = [frozenset(range(size))]
    for one, other in apart:
        split = [part for g in found for part in ((g - {one}, g - {other}) if {one, other} <= g else (g,))]
        kept = dict.fromkeys(split)
        found = [g for g in kept if not any(g < larger for larger in kept)]
    return sorted(found, key=sorted)
