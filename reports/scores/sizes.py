"""Whether the models of a table are of one size: as they were matched, else by all their parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from bench.record import Result
from reports import words
from reports.rows.fields import number
from reports.scores.checklist import BROKEN, KEPT, UNTOLD, Item, fitted, in_full, level, ranged, unsaid
from reports.scores.tables import Line

SIZE = 0.05  # sizes that differ by no more than this are equal
MATCH = "bring all models to one size with --match parameters=…, which every one of them can reach"


def item(lines: Sequence[Line]) -> Item:
    """Matched sizes where rows say so; else all parameters, equal within a twentieth."""
    matched = [_matched(row.result) for line in lines for row in line.rows]
    goals = {(m.measure, m.goal) for m in matched if m}
    if matched and all(matched) and len(goals) == 1:
        return _against_goal(lines)
    counts = {line.name: line.means.get("parameters_total") for line in lines}
    known = [n for n in counts.values() if n is not None]
    if not known or len(known) < len(counts):
        return Item("parameters", UNTOLD, unsaid([name for name, n in counts.items() if n is None], len(counts)))
    if level(counts, SIZE):
        return Item("parameters", KEPT, f"{ranged(known)}: within {100 * SIZE:g} %")
    each = "; ".join(f"{name} {words.amount(n)}" for name, n in counts.items())
    return Item("parameters", BROKEN, fitted(f"{ranged(known)}: {each}"), f"parameters ({ranged(known)})", MATCH)


@dataclasses.dataclass(frozen=True)
class _Match:
    """A model's size against the one that was aimed at."""

    measure: str
    goal: float
    reached: float
    reason: str  # why it is not the goal

    @property
    def off(self) -> float:
        return abs(self.reached - self.goal) / self.goal

    @property
    def missed(self) -> bool:
        """A reason is given where it is not near enough."""
        return bool(self.reason) or self.off > SIZE


def _matched(result: Result) -> _Match | None:
    told = result.config.get("matched")
    if not isinstance(told, dict) or not told:
        return None
    goal, reached = number(told.get("goal")), number(told.get("reached"))
    if goal is None or reached is None or goal <= 0:
        return None
    reason = told.get("reason")
    measure = words.clean(str(told.get("measure") or "size"))[:40].replace("_", " ")
    return _Match(measure, goal, reached, words.cut(words.clean(reason), 120) if isinstance(reason, str) else "")


def _against_goal(lines: Sequence[Line]) -> Item:
    matches = {line.name: m for line in lines for row in line.rows if (m := _matched(row.result))}
    first = next(iter(matches.values()))
    off = {name: m for name, m in matches.items() if m.missed}
    goal = f"matched by {first.measure}, {in_full(first.goal)}"
    if not off:
        return Item("size", KEPT, f"{goal}: at most {100 * max(m.off for m in matches.values()):.1f} % off")
    each = [f"{name} {100 * m.off:.0f} % off" + (f" ({m.reason})" if m.reason else "") for name, m in off.items()]
    brief = words.several([f"{name} {100 * m.off:.0f} % off" for name, m in off.items()], most=2)
    return Item("size", BROKEN, fitted(f"{goal}: {words.several(each)}"), f"size ({brief})", MATCH)
