"""What rows of quality do not hold, taken from timings of the same model on the same task: peak memory, energy."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from reports import words
from reports.rows.fields import number
from reports.rows.settings import base, company
from reports.rows.stored import Row, Stored, finished, group
from reports.scores.tables import Line

OTHER = "in other settings"
BUSY = "the machine was busy"
UNSEEN = "too little to be seen in resident memory"


@dataclasses.dataclass(frozen=True)
class Beside:
    """A number that was measured beside a training, and how far it is the training's own."""

    value: float
    note: str = ""  # what has to be known of it; empty where it is the training's own, or one in its settings

    @property
    def other(self) -> bool:
        """Whether it was measured in other settings than the training's."""
        return OTHER in self.note


class Timings:
    """Throughput by model and task, on the same device."""

    def __init__(self, stored: Stored) -> None:
        self.rows: dict[tuple[str, str], list[Row]] = {}
        for row in stored.speed:
            if row.result.probe == "throughput" and finished(row):
                self.rows.setdefault((row.result.model, base(row.result.task)), []).append(row)

    def memory(self, line: Line) -> Beside | None:
        """Bytes at the peak of a training step beyond what was held before it; of the training itself where stored."""
        own = line.means.get("peak_bytes")
        found = Beside(own) if own is not None else self._found(line, "peak_bytes")
        if found is None or found.value > 0:
            return found
        return dataclasses.replace(found, note="; ".join(filter(None, (UNSEEN, found.note))))

    def joules(self, line: Line) -> Beside | None:
        """Energy of the training: as stored, else that of one timed step in the same settings times the updates."""
        own = line.means.get("train_joules")
        step = Beside(own) if own is not None else self._found(line, "joules_per_step")
        if step is None or own is not None:
            return step
        updates = line.means.get("updates")
        return None if updates is None or step.note else Beside(step.value * updates, "a timed step times the updates")

    def _found(self, line: Line, name: str) -> Beside | None:
        """Of the same settings first; the latest where there are several."""
        rows = [row for row in self.rows.get((line.model, base(line.task)), ()) if name in row.result.metrics]
        near = [row for row in rows if _device(row) == _device(line.rows[0])]
        same = [row for row in near if _made(row) == _made(line.rows[0])]
        if not near:
            return None
        return Beside((same or near)[-1].result.metrics[name], "" if same else OTHER)


def _device(row: Row) -> object:
    return row.result.environment.get("device")


def _made(row: Row) -> tuple[object, object]:
    """The model's settings and the batch, on which memory and energy of a step depend."""
    model = {name: told for name, told in group(row, "model").items() if name != "picture_encoder"}
    return model, row.result.config.get("batch")


def used(line: Line, what: str) -> float | None:
    """Mean over the seeds of what a training used up of a budget: "updates", "examples", "tokens" or "flops"."""
    spent = [row.result.budget.get("used") for row in line.rows]
    numbers = [n for u in spent if isinstance(u, dict) and (n := number(u.get(what))) is not None]
    return float(np.mean(numbers)) if numbers else None


def busy(line: Line) -> bool:
    """Whether others used the machine while any seed of it trained: its seconds are too long then."""
    return any(company(row.result) for row in line.rows)


def crowd(line: Line) -> str:
    """The warning beside seconds of training that are too long; nothing where they are not known to be."""
    return BUSY if busy(line) and "train_seconds" in line.means else ""


def disturbed(lines: Sequence[Line]) -> str:
    """Whose seconds are too long, for a sentence: "the LSTM and the vanilla RNN", "every model"; nothing where none."""
    models = [line for line in lines if line.kind == "model"]
    found = [words.the(line.name) for line in models if crowd(line)]
    return "every model" if len(found) == len(models) > 1 else words.several(found)


def seconds(lines: Sequence[Line]) -> dict[Line, float]:
    """Seconds of training of those models that tell them and had the machine for themselves."""
    timed = {line: line.means.get("train_seconds", 0.0) for line in lines if line.kind == "model" and not busy(line)}
    return {line: taken for line, taken in timed.items() if taken > 0}
