"""Learning curves: scores on validation while training, on each axis of a budget that says something of its own."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from reports import figures, words
from reports.parts import Drawing, Limits, Section
from reports.scores import tables
from reports.scores.tables import Line
from reports.words import slug

TITLE = "Learning curves"
EXPLAINED = (
    "Scores on the validation split while training: against updates, examples and tokens where models differ in them, "
    "against seconds on the training clock (evaluation is off the clock), and against operations by each model's own "
    "formula (GFLOP: a thousand million). A thin line is one seed. The echo-state network solves for its output layer "
    "instead of descending a gradient: its points are solutions after so many batches, in a single pass."
)
AXES = {
    "updates": "updates",
    "examples": "training examples",
    "tokens": "training tokens",
    "seconds": "training time",
    "flops": "operations of training",
}
COPIES = {"examples", "tokens"}  # axes that may draw what that of the updates draws
DRAWN = 16  # configurations, the best; of more no line could be followed
ALIKE = 0.05  # two axes whose ratio varies by less draw the same figure


def section(task: str, lines: Sequence[Line], most: Limits) -> Section | None:
    """One task's curves on each axis that is stored and is no copy of that of the updates; None without a curve."""
    points = tables.curves(lines[:DRAWN], most.seeds)
    if points.empty or points["value"].dropna().empty:
        return None
    stored = [axis for axis in AXES if axis in points and not points[[axis, "value"]].dropna().empty]
    copies = {axis: each for axis in stored if axis in COPIES and (each := alike(points, axis))}
    drawings = tuple(_drawing(task, lines, points, axis) for axis in stored if axis not in copies)
    seeds = max(len(line.rows) for line in lines)
    cut = f"showing the first {most.seeds} of up to {seeds:,} seeds" if seeds > most.seeds else ""
    models = sum(line.kind == "model" for line in lines)
    first = f"the best {DRAWN} of {models} configurations" if models > DRAWN else ""
    told = [said for said in (first, cut, _copied(copies), _missing(stored)) if said]
    return Section(words.task(task), drawings, note=f"{words.task(task)}: {'; '.join(told)}." if told else "")


def alike(points: pd.DataFrame, axis: str) -> float | None:
    """How many of them an update takes, where that is the same all along for every model; None where it is not.

    From `tables.curves`, its columns "updates" and `axis`.
    """
    if "updates" not in points:
        return None
    both = points[["updates", axis]].dropna()
    both = both[both["updates"] > 0]
    each = both[axis] / both["updates"]
    if both.empty or len(both) < len(points[axis].dropna()) or each.min() <= 0:
        return None
    return float(each.mean()) if each.max() <= (1 + ALIKE) * each.min() else None


def _copied(copies: dict[str, float]) -> str:
    if not copies:
        return ""
    told = words.listed([f"about {each:,.0f} {axis}" for axis, each in copies.items()])
    return f"an update is {told} for every model, so that against those the curves would look the same"


def _missing(stored: Sequence[str]) -> str:
    absent = [said for axis, said in AXES.items() if axis not in stored]
    return f"no curve against {words.listed(absent, 'or')}: these rows do not store it" if absent else ""


def _drawing(task: str, lines: Sequence[Line], points: pd.DataFrame, axis: str) -> Drawing:
    metric, said = lines[0].metric, AXES[axis]
    return Drawing(
        figures.learning(points, axis, metric),
        f"learning-{axis}-{slug(task)}",
        f"{words.task(task)}: {words.headed(metric)} on validation against {said}, last points: {_last(lines)}",
        f"{words.task(task)}: {words.metric(metric)} on validation against {said}",
    )


def _last(lines: Sequence[Line]) -> str:
    models = [line for line in lines if line.kind == "model"]
    ends = [(line, [p for p in tables.course(line.rows[0]) if line.metric in p]) for line in models]
    said = [f"{line.name} {words.number(points[-1][line.metric], line.metric)}" for line, points in ends if points]
    return "; ".join(said)
