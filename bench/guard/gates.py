"""Gates: from two measurements to an answer. Worse means that the whole interval lies beyond what is tolerated.

- Quality is compared by the difference of the main score over seeds and test items, paired by item. Where both sides
  have the same weights, only the code that answers can differ, and the answers themselves are compared.
- Speed is compared by how many times as long as reference work a step takes, on the scale of logarithms, one number a
  process. The noise is that between processes, pooled over both sides.
- Losses of a deterministic training are compared number by number.

numpy and scipy, no torch: stored runs are judged by the same rules.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
import string
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from scipy import stats

from bench.guard.baseline import BaselineError
from bench.statistics import LEVEL, Interval, difference_over_both, difference_over_seeds

Answer = Literal["ok", "better", "worse", "inconclusive"]
Entry = Mapping[str, Any]
POINTS = 1.0  # of the main score that may be lost
CHANGED = 0.5  # percent of the answers that may change though the weights are the same
SURE = 0.99  # level of intervals of speed: many checks a day, and each that fails wrongly costs trust
FLOOR = 0.005  # noise between processes that is assumed at least, as a share of the ratio
ELSEWHERE = 5.0  # times the tolerance, where a baseline of speed or losses is from another machine or other versions
MEMORY_FLOOR = 8 * 2**20  # bytes by which memory may differ whatever its share
LOSSES = 1e-4  # relative difference of a loss, same processor and torch
LOOSE = 0.02  # and elsewhere, where sums are rounded in another order
PLACES = ("device", "processor")  # facts of an environment that tell one machine from another
BUSY = "inconclusive (machine busy)"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a check came to, in words that travel."""

    answer: Answer
    kind: str
    model: str
    task: str
    metric: str
    before: str  # both values as a person reads them
    now: str
    difference: str  # with its interval and what that is over
    tolerance: str
    why: str  # one line
    changed: tuple[str, ...] = ()  # what differs between the environments, "torch 2.12 -> 2.13"
    warning: str = ""
    command: str = ""  # repeats the check

    @property
    def named(self) -> str:
        """The answer as it is printed."""
        return BUSY if self.answer == "inconclusive" else self.answer

    def line(self) -> str:
        """The verdict in one line."""
        return (
            f"{self.named}: {self.kind} of {self.model} on {self.task}: {self.metric} {self.before} -> {self.now}, "
            f"{self.difference}; {self.why}"
        )

    def text(self) -> str:
        """All of it, a fact a line."""
        facts = {
            "metric": self.metric,
            "baseline": self.before,
            "now": self.now,
            "difference": self.difference,
            "tolerated": self.tolerance,
            "because": self.why,
            "environment": "; ".join(self.changed) or "as it was",
            "note": self.warning,
            "repeat": self.command,
        }
        lines = [f"  {name + ':':13}{value}" for name, value in facts.items() if value]
        return "\n".join([f"{self.named}: {self.kind} of {self.model} on {self.task}", *lines])


def unsure(verdict: Verdict, why: str) -> Verdict:
    """The same check without an answer."""
    return dataclasses.replace(verdict, answer="inconclusive", why=why)


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """0 where nothing is worse, 1 where something is, 3 where that could not be told."""
    answers = {one.answer for one in verdicts}
    return 1 if "worse" in answers else 3 if "inconclusive" in answers else 0


# Quality


def quality(before: Entry, now: Entry, tolerance: float = POINTS, changed: float = CHANGED) -> Verdict:
    """Whether answers became worse. Raises BaselineError where the two were not asked the same."""
    _same_question(before, now)
    told = _told(before, now) | {
        "before": f"{statistics.fmean(before['scores']):.2f} ({_counted(before)})",
        "now": f"{statistics.fmean(now['scores']):.2f} ({_counted(now)})",
        "tolerance": f"{tolerance:g} points less; of the answers of the same weights {changed:g} %",
    }
    gap = statistics.fmean(now["scores"]) - statistics.fmean(before["scores"])
    over = _difference(before, now)
    told["difference"] = f"{gap:+.2f} " + (
        "(no interval: one number each)"
        if over is None
        else f"[{over.low:+.2f}, {over.high:+.2f}] ({LEVEL:.0%}, over {over.told})"
    )
    if rewritten := _rewritten(before, now, changed):
        return Verdict("worse", why=rewritten, **told)
    if over is None:
        beyond = gap < -tolerance
        why = "beyond what is tolerated, but without an interval: take more seeds" if beyond else "within the tolerance"
        return Verdict("inconclusive" if beyond else "ok", why=why, **told)
    return _judged(over.low, over.high, tolerance, told)


def _judged(low: float, high: float, tolerance: float, told: dict[str, Any]) -> Verdict:
    """By where the interval of a gain lies."""
    if high < -tolerance:
        return Verdict("worse", why="the whole interval lies beyond what is tolerated", **told)
    if low > tolerance:
        return Verdict("better", why="the whole interval lies above; keep it with --seqbench-update", **told)
    return Verdict("ok", why="the interval does not lie beyond what is tolerated", **told)


def _difference(before: Entry, now: Entry) -> Interval | None:
    """Of the main score, now less before: over seeds and items, over items, or over seeds."""
    one, other = _table(before), _table(now)
    if one is not None and other is not None and one.shape[1] == other.shape[1] >= 2:
        return difference_over_both(other, one)
    return difference_over_seeds(now["scores"], before["scores"])


def _table(entry: Entry) -> np.ndarray | None:
    """Scores of seeds by items, (S, I); None where none are kept."""
    rows = entry.get("items")
    return np.array([unpacked(row) for row in rows], dtype=np.float64) if rows else None


def _rewritten(before: Entry, now: Entry, changed: float) -> str:
    """Where weights are the same and answers are not: how many; empty where that is within what may change."""
    weights = dict(zip(before.get("weights", []), before.get("answers", []), strict=False))
    for weight, answers in zip(now.get("weights", []), now.get("answers", []), strict=False):
        old = weights.get(weight)
        if not weight or old is None or len(old) != len(answers) or elsewhere(before, now):
            continue
        items = [(old[i : i + DIGEST], answers[i : i + DIGEST]) for i in range(0, len(old), DIGEST)]
        others = sum(a != b for a, b in items)
        if 100 * others > changed * len(items):
            return f"the weights are the same, yet {others} of {len(items)} answers are not"
    return ""


def _same_question(before: Entry, now: Entry) -> None:
    for name in ("metric", "data", "asked"):
        if before.get(name) != now.get(name):
            was, is_ = (json_like(entry.get(name)) for entry in (before, now))
            raise BaselineError(
                f"{now['kind']} of {now['model']} on {now['task']}: the baseline is for other {name} "
                f"({was}; now {is_}); measure it again with --seqbench-update"
            )


def json_like(value: Any) -> str:
    """A value in a few words."""
    text = ", ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
    return text if len(text) <= 200 else text[:197] + "..."


def _counted(entry: Entry) -> str:
    rows = entry.get("items") or [[]]
    n, items = len(entry["scores"]), len(unpacked(rows[0]))
    return f"{n} seed{'s' * (n != 1)}" + (f", {items} items" if items else "")


# What items came to, in little room

DIGEST = 2  # hexadecimal digits of an answer's checksum: of changed answers one in 256 is not seen
LETTERS = string.digits + string.ascii_letters


def packed(scores: Sequence[float]) -> dict[str, Any] | list[float]:
    """Scores of items to two decimals: those that take few values as a letter each, others as they are."""
    rounded = [round(float(score), 2) for score in scores]
    values = sorted(set(rounded))
    if len(values) > len(LETTERS):
        return rounded
    letters = {value: LETTERS[n] for n, value in enumerate(values)}
    return {"values": values, "items": "".join(letters[score] for score in rounded)}


def unpacked(row: Mapping[str, Any] | Sequence[float]) -> list[float]:
    """The scores again."""
    if isinstance(row, Mapping):
        return [float(row["values"][LETTERS.index(letter)]) for letter in row["items"]]
    return [float(score) for score in row]


# Speed


@dataclasses.dataclass(frozen=True)
class Slowdown:
    """How many times as long as before, with its interval; in all of which 1 means that nothing changed."""

    value: float
    low: float
    high: float


def slowdown(before: Sequence[float], now: Sequence[float], level: float = SURE) -> Slowdown:
    """From ratios to the reference, one a process, at least two on one side.

    Student's interval for the difference of mean logarithms, the noise pooled over both sides and never below FLOOR.
    """
    a, b = np.log(before), np.log(now)
    freedom = len(a) + len(b) - 2
    variance = (np.var(a) * len(a) + np.var(b) * len(b)) / freedom
    error = math.sqrt(max(float(variance), FLOOR**2) * (1 / len(a) + 1 / len(b)))
    gap, half = float(b.mean() - a.mean()), float(stats.t.ppf((1 + level) / 2, freedom)) * error
    return Slowdown(math.exp(gap), math.exp(gap - half), math.exp(gap + half))


def speed(before: Entry, now: Entry, tolerance: float, memory: float, busy: int = 0) -> Verdict:
    """Whether a step became slower, or needs more memory. `busy`: processes that gave no ratio.

    Raises BaselineError where another thing was timed.
    """
    _same_question(before, now)
    told = _told(before, now) | {
        "before": f"{_middle(before['ratios']):.3f} times the reference, {_milliseconds(before)}{_bytes(before)}",
        "now": f"{_middle(now['ratios']):.3f} times the reference, {_milliseconds(now)}{_bytes(now)}"
        if now["ratios"]
        else "not measured",
    }
    if weight := heavier(before, now, memory):
        return Verdict("worse", difference=weight, tolerance=f"{memory:.0%} more memory", why="more memory", **told)
    loose = tolerance * (ELSEWHERE if elsewhere(before, now) else 1)
    told["tolerance"] = f"{loose:.0%} slower, {memory:.0%} more memory"
    if len(now["ratios"]) < 2:
        tried = busy + len(now["ratios"])
        why = f"others used the processors in {busy} of {tried} processes; ask again on a quiet machine"
        return Verdict("inconclusive", difference="not known", why=why, **told)
    found = slowdown(before["ratios"], now["ratios"])
    n = f"{len(before['ratios'])} and {len(now['ratios'])} processes"
    told["difference"] = f"{found.value:.3f} times as long [{found.low:.3f}, {found.high:.3f}] ({SURE:.0%}, {n})"
    if found.low > 1 + loose:
        return Verdict("worse", why="the whole interval lies beyond what is tolerated", **told)
    if found.value > 1 + loose:
        return Verdict("inconclusive", why="slower than is tolerated, but the noise is too large to tell", **told)
    if found.high < 1 / (1 + loose):
        return Verdict("better", why="the whole interval lies above; keep it with --seqbench-update", **told)
    return Verdict("ok", why="the interval does not lie beyond what is tolerated", **told)


def heavier(before: Entry, now: Entry, tolerance: float) -> str:
    """By how much more memory is needed than may be; the least of now counts against the most of before."""
    if not before.get("memory") or not now.get("memory"):
        return ""
    was, is_ = max(before["memory"]), min(now["memory"])
    if is_ - was <= max(tolerance * was, MEMORY_FLOOR):
        return ""
    sizes = f"{was / 2**20:.0f} -> {is_ / 2**20:.0f} MiB at the peak of an update"
    return f"{is_ / max(was, 1):.2f} times the memory ({sizes})"


def _middle(values: Sequence[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def _milliseconds(entry: Entry) -> str:
    return f"{1000 * entry['seconds']:.3g} ms"


def _bytes(entry: Entry) -> str:
    return f", {statistics.median(entry['memory']) / 2**20:.0f} MiB" if entry.get("memory") else ""


# Losses


def losses(before: Entry, now: Entry) -> Verdict:
    """Whether the first losses of a deterministic training are what they were. Raises BaselineError."""
    _same_question(before, now)
    near = LOOSE if elsewhere(before, now) else LOSSES
    pairs = list(zip(before["losses"], now["losses"], strict=True))
    apart = [abs(b - a) / max(abs(a), 1e-3) if math.isfinite(b) else math.inf for a, b in pairs]
    first = next((n for n, far in enumerate(apart) if far > near), None)
    shown = max(range(len(apart)), key=apart.__getitem__) if first is None else first
    told = _told(before, now) | {
        "before": f"{pairs[shown][0]:.6f}",
        "now": f"{pairs[shown][1]:.6f}",
        "difference": f"{apart[shown]:.1e} of it at step {shown + 1} of {len(pairs)}",
        "tolerance": f"{near:g} of a loss, at every step",
    }
    if first is None:
        return Verdict("ok", why="every loss is what it was", **told)
    return Verdict("worse", why=f"from step {first + 1} on the training is another one", **told)


# Where


def elsewhere(before: Entry, now: Entry) -> bool:
    """Whether the two are from unlike machines, or from unlike versions of torch."""
    return any(_fact(before, name) != _fact(now, name) for name in (*PLACES, "torch"))


def _told(before: Entry, now: Entry) -> dict[str, Any]:
    """What every verdict says."""
    moved = any(_fact(before, name) != _fact(now, name) for name in PLACES)
    matters = elsewhere(before, now) and now["kind"] != "quality"
    where = "another machine" if moved else "another version of torch"
    use = "compared as ratios to the reference alone, at a wider tolerance" if now["kind"] == "speed" else (
        "compared at a wider tolerance"
    )  # fmt: skip
    return {
        "kind": now["kind"],
        "model": now["model"],
        "task": now["task"],
        "metric": now["metric"],
        "changed": tuple(changes(before["made"], now["made"])),
        "warning": f"the baseline is from {where}: {use}" if matters else "",
        "command": now.get("command", ""),
    }


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two environments: "torch 2.12 -> 2.13"."""
    one, other = flat(before), flat(now)
    names = [name for name in sorted(one.keys() | other.keys()) if name != "time"]
    told = [(name, one.get(name, "not told"), other.get(name, "not told")) for name in names]
    return [f"{name} {was} -> {is_}" for name, was, is_ in told if was != is_]


def flat(environment: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of an environment, versions of libraries by their names."""
    libraries = environment.get("libraries")
    named = {name: value for name, value in environment.items() if name != "libraries"}
    return named | (libraries if isinstance(libraries, dict) else {})


def _fact(entry: Entry, name: str) -> Any:
    return flat(entry["made"]).get(name)
