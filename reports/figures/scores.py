"""Figures of scores: at a glance, one task's quality, what it cost, and how it was learned."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from reports import words
from reports.figures._names import Step, named
from reports.figures.style import INK, INTERVAL, KIND, MUTED, Style, empty, legend, short, styled, styles

MEASURES = {  # column of `glance`: its heading
    "value": "score, with its interval",
    "train_seconds": "training, s",
    "train_tokens_per_second": "tokens/s,\ntraining",
    "generate_tokens_per_second": "tokens/s,\ngenerating",
    "peak_bytes": "peak memory\nof a step, MiB",
    "parameters_trained": "trained\nparameters",
}


def panels(table: pd.DataFrame) -> list[str]:
    """The columns of MEASURES that `glance` has panels for."""
    return [name for name in MEASURES if name == "value" or (table[name] > 0).any()]


def counted(name: str, value: float) -> float:
    """A cost in the unit of its axis."""
    return value / 2**20 if name == "peak_bytes" else value


@styled
def glance(table: pd.DataFrame) -> Figure:
    """Models of every task, best first, a row of panels a task: the score, then each cost that any row tells.

    Columns: "task", "model", "name", "metric", "low" and "high" (NaN where there is no interval), "letters" (shared by
    models that are not separable), and those of `MEASURES`, NaN where nothing is known. Costs are logarithmic: what is
    not above zero has no place, as memory that is too little to be seen.
    """
    shown = panels(table)
    tasks = list(dict.fromkeys(table["task"]))
    sizes = [int((table["task"] == task).sum()) for task in tasks]
    chosen = styles(table["model"])
    figure = Figure(figsize=(4.1 + 1.25 * (len(shown) - 1), 0.45 + sum(0.62 + 0.27 * n for n in sizes)))
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.05, h_pad=0.05))
    ratios = [n + 0.9 for n in sizes]
    grid = figure.add_gridspec(
        len(tasks), len(shown), width_ratios=[2.3, *[1] * (len(shown) - 1)], height_ratios=ratios
    )
    for down, task in enumerate(tasks):
        rows = table[table["task"] == task].to_dict("records")
        for across, name in enumerate(shown):
            axes = figure.add_subplot(grid[down, across])
            if name == "value":
                _scores(axes, rows, chosen)
            else:
                _costs(axes, rows, name, chosen, _wide(table[name]))
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_yticks(range(len(rows)), [short(str(row["name"]), 24) for row in rows] if not across else [])
            axes.tick_params(length=0, labelsize=10)
            axes.tick_params(axis="y", colors=INK)
            if not down or not across:
                heading = f"{words.task(task)}: {words.headed(rows[0]['metric'])}" if not across else MEASURES[name]
                axes.set_title(heading, fontsize=10.5, fontweight="normal" if across else "bold")
    return figure


def _scores(axes: Axes, rows: Sequence[dict[Any, Any]], chosen: Mapping[str, Style]) -> None:
    """Lollipops from zero with their intervals; at the right edge the letters."""
    for y, row in enumerate(rows):
        _lollipop(axes, y, row, chosen[row["model"]])
        text = f"{words.number(row['value'], row['metric'])}  {row['letters']}".strip()
        axes.text(1.02, y, text, transform=axes.get_yaxis_transform(), va="center", ha="left", fontsize=10)
    axes.set_xlim(left=min(0.0, *(float(row["value"]) for row in rows)))
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(4))


def _wide(values: pd.Series[float]) -> tuple[float, float]:
    """From where to where a logarithmic axis goes that holds all values, with room at both ends."""
    low, high = float(values[values > 0].min()), float(values[values > 0].max())
    room = max(high / low, 3.0) ** 0.12
    return low / room, high * room


def _costs(
    axes: Axes, rows: Sequence[dict[Any, Any]], name: str, chosen: Mapping[str, Style], wide: tuple[float, float]
) -> None:
    """A point a model, on a logarithmic axis that all tasks share; nothing where it is not known."""
    for y, row in enumerate(rows):
        style = chosen[row["model"]]
        if row[name] > 0:
            axes.plot([counted(name, row[name])], [y], color=style.colour, marker=style.marker, markersize=7)
    axes.set_xscale("log")
    axes.set_xlim(counted(name, wide[0]), counted(name, wide[1]))
    _few_logs(axes)


def _few_logs(axes: Axes, apart: float = 0.36) -> None:
    """Round numbers, no two nearer than that share of the axis: their labels would touch."""
    low, high = axes.get_xlim()
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)):
        ticks = [s * 10.0**e for e in range(-9, 19) for s in steps if low <= s * 10.0**e <= high]
        if len(ticks) > 1:
            break
    kept: list[float] = []
    for tick in ticks:
        if not kept or math.log(tick / kept[-1]) >= apart * math.log(high / low):
            kept.append(tick)
    axes.set_xticks(kept, [f"{t:g}" if t < 1000 else words.amount(t).replace(" ", "") for t in kept])
    axes.xaxis.set_minor_locator(NullLocator())


@styled
def quality(table: pd.DataFrame) -> Figure:
    """One task's lines of `tables.comparison` from best to worst, floors as dashed lines behind them.

    Columns: "kind" ("model" or "floor"), "model", "name", "metric", "value", and "low" and "high" of its interval (NaN
    where there is none).
    """
    rows = table.to_dict("records")
    chosen = styles(row["model"] for row in rows if row["kind"] == "model")
    figure, axes = empty(0.95 + 0.32 * len(rows))
    for y, row in enumerate(rows):
        if row["kind"] == "floor":
            _floor(axes, y, row)
        else:
            _lollipop(axes, y, row, chosen[row["model"]])
        at = axes.get_yaxis_transform()
        text = words.number(row["value"], row["metric"])
        colour = INK if row["kind"] == "model" else MUTED
        axes.text(1.03, y, text, transform=at, va="center", ha="left", color=colour, fontweight=_weight(row))
    axes.set_yticks(range(len(rows)), [short(str(row["name"])) for row in rows])
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_color(INK if row["kind"] == "model" else MUTED)
        label.set_fontstyle("normal" if row["kind"] == "model" else "italic")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(left=min(0.0, *(float(row["value"]) for row in rows)))
    axes.grid(visible=False, axis="y")
    axes.tick_params(length=0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(_axis(rows[0]["metric"]))
    return figure


def _lollipop(axes: Axes, y: int, row: dict[Any, Any], style: Style) -> None:
    axes.plot([0, row["value"]], [y, y], color=style.colour, linestyle=style.dash, linewidth=1.6, alpha=0.75)
    axes.plot([row["value"]], [y], color=style.colour, marker=style.marker, markersize=8)
    if not np.isnan(row["low"]):
        reach = [row["low"], row["high"]]
        axes.plot(reach, [y, y], color=INK, linewidth=1.4, solid_capstyle="butt", zorder=4, label=INTERVAL)


def _floor(axes: Axes, y: int, row: dict[Any, Any]) -> None:
    axes.plot([row["value"]] * 2, [-0.6, y], color=MUTED, linestyle=(0, (3, 2.5)), linewidth=1, zorder=1)
    axes.plot([row["value"]], [y], color=MUTED, marker="|", markersize=9, markeredgewidth=1.6)


def _weight(row: dict[Any, Any]) -> str:
    return "bold" if row["kind"] == "model" else "normal"


def _axis(metric: str) -> str:
    return f"{words.headed(metric)} (more is better)"


AGAINST = {  # column of a cost: its label, and by how much it is divided
    "train_seconds": ("training, seconds", 1.0),
    "flops": ("training, GFLOP", 1e9),
    "joules": ("training, kilojoules", 1e3),
}


@styled
def cost(table: pd.DataFrame, against: str = "train_seconds") -> Figure:
    """One task's main metric against what training took, each point with its name, those nobody dominates as steps.

    Columns: those of `quality`, and `against`, one of `AGAINST` ("train_seconds", "flops", "joules"; without a positive
    number there a model is left out); the axis is logarithmic.
    """
    label, unit = AGAINST[against]
    found = [r | {against: r[against] / unit} for r in table.to_dict("records") if r.get(against, 0) > 0]
    rows = [row for row in found if row["kind"] == "model"]
    chosen = styles(row["model"] for row in rows)
    figure, axes = empty(3.6)
    axes.set_xscale("log")
    for row in rows:
        style = chosen[row["model"]]
        axes.plot([row[against]], [row["value"]], color=style.colour, marker=style.marker, markersize=8.5)
        if not np.isnan(row["low"]):
            axes.plot([row[against]] * 2, [row["low"], row["high"]], color=style.colour, linewidth=1.6)
    _room(axes, [row[against] for row in rows])
    steps = _front(axes, [(row[against], row["value"]) for row in rows])
    floors = [r for r in table.to_dict("records") if r["kind"] == "floor"]
    for floor in floors[:1]:  # the best one; the others are in the figures of quality
        axes.axhline(floor["value"], color=MUTED, linestyle=(0, (3, 2.5)), linewidth=1, zorder=1)
    if min(row["value"] for row in rows) >= 0:
        axes.set_ylim(bottom=max(0.0, axes.get_ylim()[0]))
    axes.set_xlabel(f"{label} (logarithmic)")
    axes.set_ylabel(words.headed(rows[0]["metric"]))
    _plain_log(axes)
    figure.draw_without_rendering()
    named(axes, rows, against, short, steps)
    return figure


def _front(axes: Axes, points: Sequence[tuple[float, float]]) -> list[Step]:
    """Draws steps over the points that have no other above them at no greater cost; returns their strokes."""
    front: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or y > front[-1][1]:
            front.append((x, y))
    if len(points) < 2:
        return []
    front.append((axes.get_xlim()[1], front[-1][1]))
    axes.step(*zip(*front, strict=True), where="post", color=MUTED, linewidth=1.2, zorder=1.5, label="_front")
    corners = [front[0], *(corner for (_, y), (x, z) in pairwise(front) for corner in ((x, y), (x, z)))]
    return [*pairwise(corners)]


def _room(axes: Axes, x: Sequence[float]) -> None:
    """Makes room for names beside the points and above them."""
    low, high = min(x), max(x)
    spread = max(high / low, 4.0) ** 0.32
    axes.set_xlim(low / spread, high * spread)
    axes.margins(y=0.16)


def _plain_log(axes: Axes) -> None:
    """1, 2, 5, 10, ... said in full rather than as powers."""
    low, high = axes.get_xlim()
    steps = (1, 2, 5) if high / low < 300 else (1,)
    ticks = [s * 10.0**e for e in range(-9, 19) for s in steps if low <= s * 10.0**e <= high]
    ticks = ticks[:: -(-len(ticks) // 7) or 1]
    axes.set_xticks(ticks, [f"{t:g}" if t < 1e4 else words.amount(t) for t in ticks])
    axes.xaxis.set_minor_locator(NullLocator())


@styled
def learning(points: pd.DataFrame, against: str, metric: str) -> Figure:
    """One task's `tables.curves` against "updates", "examples", "tokens", "seconds" or "flops"; a thin line a seed.

    Columns: "model", "name", "seed", "value" and `against`; points without one of the last two are left out.
    """
    chosen = styles(points["model"])
    figure, axes = empty(3.6)
    for name, own in points.groupby("name", sort=False):
        _seeds(axes, str(name), own, against, chosen[str(own["model"].iloc[0])])
    axes.set_xlim(left=0)
    if points["value"].min() >= 0:
        axes.set_ylim(bottom=max(0.0, axes.get_ylim()[0]))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:,.10g}" if value < 1e6 else words.amount(value))
    )
    along = {"seconds": "seconds of training", "flops": "GFLOP of training"}
    along |= {"examples": "training examples", "tokens": "training tokens, source and target"}
    axes.set_xlabel(along.get(against, against))
    axes.set_ylabel(words.headed(metric))
    legend(figure)
    return figure


def _seeds(axes: Axes, name: str, points: pd.DataFrame, against: str, style: Style) -> None:
    """A line a seed, called by it, after an empty one that the legend shows."""
    size = 4.5 if len(points) < 40 * points["seed"].nunique() else 0
    shown: dict[str, Any] = {
        "color": style.colour, "linestyle": style.dash, "marker": style.marker, "markersize": size, "alpha": 0.9,
        "linewidth": 1.7,
    }  # fmt: skip
    axes.plot([], [], label=short(name), **shown)
    for seed, own in points.groupby("seed", sort=False):
        line = own.dropna(subset=[against, "value"]).sort_values(against, kind="stable")
        axes.plot(
            line[against] / (1e9 if against == "flops" else 1), line["value"], label=f"{KIND}seed {seed}", **shown
        )
