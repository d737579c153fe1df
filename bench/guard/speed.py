"""One check of speed: process after process until the answer is sure, and again before a step is called slower."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench.guard import gates
from bench.guard.gates import Verdict
from bench.guard.pace import Config, Pace


def judged(before: dict[str, Any], paces: Iterable[Pace], about: dict[str, Any], how: Config) -> tuple[Verdict, Pace]:
    """What `paces` (a pace with one process more each time) come to beside a baseline's entry, and the last pace.

    Who is level after `how.processes` is done; else as many again are measured. Slower is said only where these say so
    by themselves too; where nobody can tell by then it is inconclusive. `about`: what the entry of now says beside its
    numbers.
    """
    pace = Pace()
    for pace in paces:
        sure = _found(before, pace, about, how).answer in ("ok", "better")
        if len(pace.ratios) >= how.processes * (1 if sure else 2):
            break
    verdict = _found(before, pace, about, how)
    if verdict.answer == "worse" and not _again(before, pace, how):
        verdict = gates.unsure(verdict, "slower at first, and not surely so when it was measured again")
    return verdict, pace


def _found(before: dict[str, Any], pace: Pace, about: dict[str, Any], how: Config) -> Verdict:
    return gates.speed(before, about | pace.entry(), how.tolerance, how.memory, pace.busy)


def _again(before: dict[str, Any], pace: Pace, how: Config) -> bool:
    """Whether what was measured after the first processes says the same; memory is the least of all of them."""
    if before.get("memory") and gates.heavier(before, pace.entry(), how.memory):
        return len(pace.memory) >= 2
    later = pace.ratios[how.processes :]
    return bool(later) and gates.slowdown(before["ratios"], later).value > 1 + how.tolerance
