"""`seqbench check`: a stored run held against a baseline (a file of them, or another run), and what came of it.

Exit codes: 0 nothing is worse, 1 something is, 2 bad input, 3 a speed could not be told on a machine this busy.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench import record
from bench.guard import baseline, entries, gates, notices
from bench.guard.baseline import Baseline, BaselineError
from bench.guard.gates import Verdict
from bench.record import Result
from bench.typed import UsageError

LIMIT = 60.0  # seconds that measuring again may take in all
REPEATS = 2  # times that a speed is measured again before it fails
SPEED, MEMORY = 0.05, 0.25  # shares by which a step may be slower, and may need more memory
Entry = dict[str, Any]
Again = Callable[[Result, float], Result | None]  # measures a row once more within so many seconds


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """What may be lost."""

    points: float = gates.POINTS
    changed: float = gates.CHANGED  # percent of the answers of the same weights
    speed: float = SPEED
    memory: float = MEMORY


@dataclasses.dataclass(frozen=True)
class Checked:
    """What a check came to."""

    verdicts: list[Verdict]
    unknown: list[str]  # cells of the run that the baseline does not hold

    @property
    def code(self) -> int:
        """The exit code."""
        return gates.exit_code(self.verdicts)

    def text(self) -> str:
        """All verdicts for a person: in a line where nothing is wrong, else with everything that is known."""
        lines = [one.line() if one.answer == "ok" else one.text() for one in self.verdicts]
        lines += [f"not in the baseline: {name}" for name in self.unknown]
        return "\n".join([*lines, notices.counted(self.verdicts)])

    def plain(self) -> dict[str, Any]:
        """For a program."""
        told = [dataclasses.asdict(one) for one in self.verdicts]
        return {"exit_code": self.code, "verdicts": told, "not_in_the_baseline": self.unknown}


def check(run: Path, against: Path, may: Tolerance, repeats: int = REPEATS, again: Again | None = None) -> Checked:
    """Holds every cell of a run against the baseline's. Raises UsageError or RecordError.

    A speed that looks worse is measured again by its own command, `repeats` times, as long as `LIMIT` allows.
    """
    now, before = kept(run), _baseline(against)
    if not now:
        raise UsageError(f"{run} holds no trained model and no throughput that could be checked")
    known = {name: one for name, one in now.items() if name in before.entries}
    if not known:
        held = ", ".join(list(before.entries)[:4]) or "nothing"
        raise UsageError(f"{against} holds none of what {run} does ({', '.join(list(now)[:4])}); it holds: {held}")
    end, verdicts = time.monotonic() + LIMIT, []
    for name, entry in known.items():
        if entry["kind"] == "quality":
            verdicts.append(gates.quality(before.entries[name], entry, may.points, may.changed))
        else:
            measure = _repeating(run, name, again or measured_again, end)
            verdicts.append(_speed(before.entries[name], entry, may, repeats, measure))
    return Checked(verdicts, [name for name in now if name not in known])


def update(run: Path, against: Path) -> Iterator[str]:
    """Makes what a run holds the baseline; says how it differs before it writes. Raises UsageError or RecordError."""
    if against.is_dir():
        raise UsageError(
            f"--against {against} is a folder; expected the file that is to be written, such as baseline.json"
        )
    found = {name: {k: v for k, v in one.items() if k != "command"} for name, one in kept(run).items()}
    if not found:
        raise UsageError(f"{run} holds no trained model and no throughput that could be kept")
    file = baseline.read(against)
    yield from file.differences(found)
    file.write(found)
    yield f"written: {against}"


def kept(run: Path) -> dict[str, Entry]:
    """What a run's newest rows come to, by cell: models that were tested, and throughputs. Raises RecordError."""
    cells: dict[str, dict[int, Result]] = {}
    for row in record.read(run):
        if row.probe in ("quality", "throughput") and row.status == "ok":
            cells.setdefault(_named(row), {})[row.seed] = row
    found = {}
    for name, rows in cells.items():
        last = list(rows.values())
        found[name] = entries.quality(run, last) if last[0].probe == "quality" else entries.throughput(last[-1])
    return found


def _named(row: Result) -> str:
    model = Path(row.model).name if row.model.endswith(".py") else row.model
    task = Path(row.task).name if row.task.endswith(".py") else row.task
    variant = row.config.get("asked", {}).get("variant") or row.config.get("variant")
    return f"{row.probe} of {model} on {task}" + (f", {variant}" if variant else "")


def _baseline(path: Path) -> Baseline:
    """A file of baselines, or a run as one. Raises RecordError where there is neither."""
    if path.is_dir():
        return Baseline(path, kept(path))
    if not path.exists():
        raise BaselineError(f"{path} does not exist; make it with: seqbench check RUN --against {path} --update")
    return baseline.read(path)


# Speed


def _speed(before: Entry, now: Entry, may: Tolerance, repeats: int, again: Callable[[], Entry | None]) -> Verdict:
    """A stored throughput is one process; what looks worse is measured in others, and must be so in all of them."""
    found = [now]
    while len(found) <= repeats and _slower(before, found, may):
        more = again()
        if more is None:
            break
        found.append(more)
    whole = found[0] | {"ratios": [r for one in found for r in one["ratios"]], "memory": _least(found)}
    return _answer(before, whole, may, repeats)


def _slower(before: Entry, found: list[Entry], may: Tolerance) -> bool:
    """Whether it still looks worse, or nobody could tell."""
    ratios = [r for one in found for r in one["ratios"]]
    heavier = bool(gates.heavier(before, {"memory": _least(found)}, may.memory))
    slower = not ratios or min(ratios) > max(before["ratios"], default=0.0) * (1 + may.speed / 2)
    return heavier or slower


def _least(found: list[Entry]) -> list[int]:
    weighed = [size for one in found for size in one["memory"]]
    return [min(weighed)] if weighed else []


def _answer(before: Entry, now: Entry, may: Tolerance, repeats: int) -> Verdict:
    """By the interval where there are processes enough; one on either side alone never fails."""
    if not before["ratios"]:
        raise BaselineError(f"the baseline of {now['model']} on {now['task']} was timed in company; measure it again")
    if len(before["ratios"]) + len(now["ratios"]) < 3 and now["ratios"]:
        return _one_each(before, now, may)
    return gates.speed(before, now, may.speed, may.memory, busy=repeats + 1 - len(now["ratios"]))


def _one_each(before: Entry, now: Entry, may: Tolerance) -> Verdict:
    """A process on either side: level within the tolerance is ok; beyond it nobody can tell."""
    twice = now | {"ratios": now["ratios"] * 2}
    verdict = gates.speed(before, twice, may.speed, may.memory)
    if verdict.answer in ("ok", "better") or gates.heavier(before, now, may.memory):
        return dataclasses.replace(verdict, difference=verdict.difference.partition(" [")[0])
    return gates.unsure(verdict, "beyond the tolerance in the one process that was timed; --repeats measures it again")


def _repeating(run: Path, name: str, again: Again, end: float) -> Callable[[], Entry | None]:
    """Measures a row of the run once more, while there is time."""
    row = next(one for one in reversed(list(record.read(run))) if _named(one) == name and one.status == "ok")

    def once() -> Entry | None:
        left = end - time.monotonic()
        more = again(row, left) if left > 0 else None
        return None if more is None else entries.throughput(more)

    return once


def measured_again(row: Result, seconds: float) -> Result | None:
    """The row once more, by its own command in a process and a folder of its own; None where time was too short."""
    words = shlex.split(row.command)
    if words[:2] != ["seqbench", "run"]:
        return None
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench", *words[1:], "--out", folder]
        where = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]))
        env: Mapping[str, str] = os.environ | {"PYTHONPATH": where}
        try:
            subprocess.run(command, capture_output=True, timeout=seconds, check=True, env=env)  # noqa: S603 (our words)
        except subprocess.SubprocessError:
            return None
        rows = [one for one in record.read(Path(folder)) if one.probe == row.probe and one.status == "ok"]
    return rows[-1] if rows else None
