"""Whether transformers are better than LSTMs on all three shapes of task."""

from __future__ import annotations

from reports.claims import TRANSFORMERS, Claim, Effect, Evidence, Lacking, Part
from reports.claims._evidence import BOTH_MODELS, Pick, above, less, quiet
from reports.rows.stored import Row
from reports.scores import tables

TASKS = {"translation": ("translation", "BLEU"), "films": ("sentiment", "points"), "scenes": ("captioning", "points")}
AXES = {"seconds": "seconds", "flops": "operations"}
LEAST = 0.5


def _picks(name: str, task: str) -> tuple[Pick, Pick]:
    first, second = (Pick(model, f"transformer best: {name}", task) for model in ("transformer", "lstm"))
    return first, second


def _course(row: Row, axis: str) -> list[tuple[float, float]]:
    """Validation score against what was spent by then."""
    found = [(p[axis], p[row.result.main]) for p in tables.course(row) if axis in p and row.result.main in p]
    if not found:
        raise Lacking(f"a curve of {row.result.model} holds no {AXES[axis]}")
    return sorted(found)


def _best_by(course: list[tuple[float, float]], spent: float) -> float:
    """The best score on validation before so much was spent; nothing before the first point."""
    return max((score for at, score in course if at <= spent * (1 + 1e-9)), default=0.0)


def _when_spent(name: str, task: str, unit: str, axis: str) -> Part:
    picks = _picks(name, task)

    def measure(evidence: Evidence) -> Effect:
        rows = [evidence.seeds(pick) for pick in picks]
        if axis == "seconds":
            for pick, own in zip(picks, rows, strict=True):
                quiet(pick, own)
        courses = [[_course(row, axis) for row in own] for own in rows]
        least = min(course[-1][0] for own in courses for course in own)
        first, second = ([_best_by(course, least) for course in own] for own in courses)
        return less(first, second, [*rows[0], *rows[1]])

    return Part(f"{name}, equal {AXES[axis]}, validation: transformer less LSTM", LEAST, measure, unit)


CLAIM = Claim(
    chapter=TRANSFORMERS,
    statement="Transformers have largely replaced LSTMs on all three shapes of task.",
    measured="Translation, reviews and scenes, models of equal size: on the test after equal updates; on validation, "
    "read off the same curves, after equal seconds, where nobody else used the machine, and after equal operations.",
    rule="The transformer scores 0.5 more on every task, by every count.",
    parts=tuple(
        part
        for name, (task, unit) in TASKS.items()
        for part in (
            Part(f"{name}, equal updates: transformer less LSTM", LEAST, above(*_picks(name, task), BOTH_MODELS), unit),
            *(_when_spent(name, task, unit, axis) for axis in AXES),
        )
    ),
)
