"""Figures of long sequences: scores over lengths with their seeds, and gradients over distances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from reports import words
from reports.figures.speed import VARIANTS
from reports.figures.style import KIND, LINE, MUTED, PAPER, Style, empty, short, styled, styles

DASHED = (0, (4, 2))
LOWEST = -25.0  # of a share in percent that may be below nothing; a line that falls lower leaves the figure
MARKED = 12  # points of a line that are marked each; of more only some are


class Place(NamedTuple):
    """A mean (or median) over seeds, and how far they reach; both ends are the value where there is one seed."""

    x: float
    y: float
    low: float
    high: float


class Curve(NamedTuple):
    """One line of a figure; `seeds` are loose points, each what `each` says; `early`: of the start of training."""

    name: str
    model: str
    points: Sequence[Place]
    seeds: Sequence[tuple[float, float]] = ()
    early: bool = False
    each: str = "one seed"


class Frame(NamedTuple):
    """What the lines stand in."""

    along: str
    label: str
    share: bool = False  # of a hundred
    across: float | None = None  # a level that counts
    upright: tuple[float, ...] = ()  # lengths that count
    linear: bool = False
    steep: bool = False  # the values are logarithmic, too


@styled
def lines(curves: Sequence[Curve], frame: Frame) -> Figure:
    """A line a model in its style, over logarithmic lengths; a model's second configuration is hollow."""
    chosen = styles(one.model for one in curves)
    columns = 1 if any(len(one.name) > 26 for one in curves) else 2
    figure, axes = empty(3.1 + LINE * math.ceil(len(curves) / columns))
    seen: dict[str, int] = {}
    for one in curves:
        variant = seen.get(one.model, 0)
        seen[one.model] = variant + 1
        style = chosen[one.model]
        style = style._replace(dash=VARIANTS[(variant - 1) % len(VARIANTS)]) if variant else style
        _line(axes, one, style, hollow=variant > 0)
    _framed(axes, curves, frame)
    figure.legend(loc="outside lower left", ncols=columns)
    return figure


def _line(axes: Axes, one: Curve, style: Style, hollow: bool) -> None:
    x, y = [p.x for p in one.points], [p.y for p in one.points]
    axes.plot(
        x, y, color=style.colour, linestyle=style.dash, marker=style.marker, markersize=4.5, linewidth=1.7,
        markerfacecolor=PAPER if hollow else style.colour, label=short(one.name, 44), markevery=_some(len(x)),
    )  # fmt: skip
    ranged = [p for p in one.points if p.low < p.high]
    if ranged and len(x) <= MARKED:
        axes.vlines(
            [p.x for p in ranged], [p.low for p in ranged], [p.high for p in ranged], color=style.colour,
            linewidth=2.2, alpha=0.6,
        )  # fmt: skip
    elif ranged:
        axes.fill_between(x, [p.low for p in one.points], [p.high for p in one.points], color=style.colour, alpha=0.15)
    if one.seeds:
        axes.plot(
            *zip(*one.seeds, strict=True), color=style.colour, marker=style.marker, markersize=4, alpha=0.5,
            linestyle="none", markeredgewidth=0, label=KIND + one.each,
        )  # fmt: skip


def _some(n: int) -> int:
    return max(math.ceil(n / MARKED), 1)


@styled
def flow(curves: Sequence[Curve], frame: Frame) -> Figure:
    """Logarithms of gradients over distances: dashed at the start of training, solid at its end."""
    chosen = styles(one.model for one in curves)
    named = list(dict.fromkeys(one.name for one in curves))
    figure, axes = empty(3.1 + LINE * math.ceil((len(named) + 2) / 2))
    labelled: set[str] = set()
    for one in curves:
        style, n = chosen[one.model], len(one.points)
        label = short(one.name) if one.name not in labelled else "_"
        labelled.add(one.name)
        axes.plot(
            [p.x for p in one.points], [p.y for p in one.points], color=style.colour,
            linestyle=DASHED if one.early else "solid", linewidth=1.5, marker=style.marker, markersize=4.5,
            markerfacecolor=PAPER if one.early else style.colour, markevery=max(n // 6, 1),
        )  # fmt: skip
        axes.plot([], [], color=style.colour, marker=style.marker, markersize=4.5, label=label)
    _framed(axes, curves, frame)
    handles, labels = axes.get_legend_handles_labels()
    told: dict[str, Any] = {"at the start": DASHED, "after training": "solid"}
    extra = [Line2D([], [], color=MUTED, linestyle=dash, linewidth=1.5) for dash in told.values()]
    figure.legend([*handles, *extra], [*labels, *told], loc="outside lower left", ncols=2)
    return figure


def _framed(axes: Axes, curves: Sequence[Curve], frame: Frame) -> None:
    x = [p.x for one in curves for p in one.points] + [at for one in curves for at, _ in one.seeds]
    y = [v for one in curves for p in one.points for v in (p.low, p.y, p.high)]
    y += [v for one in curves for _, v in one.seeds]
    if frame.linear:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    else:
        _places(axes, x, frame.upright)
    if frame.share:
        axes.set_ylim(min(-3.0, max(min(y), LOWEST) * 1.05), 103.0)
    elif frame.steep:
        axes.set_yscale("log")
        pad = max(max(y) / min(y), 3.0) ** 0.06
        axes.set_ylim(min(y) / pad, max(y) * pad)
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if max(y) / min(y) < 50 else (1.0,), numticks=6))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: words.significant(value, 2)))
        axes.yaxis.set_minor_locator(NullLocator())
    elif not frame.linear and min(y) >= 0:
        axes.set_ylim(bottom=max(0.0, axes.get_ylim()[0]))
    for at in frame.upright:
        axes.axvline(at, color=MUTED, linestyle=(0, (3, 2.5)), linewidth=1, zorder=1)
    if frame.across is not None:
        axes.axhline(frame.across, color=MUTED, linestyle=(0, (3, 2.5)), linewidth=1, zorder=1)
    axes.set_xlabel(frame.along)
    axes.set_ylabel(frame.label)


def _places(axes: Axes, x: Sequence[float], first: Sequence[float]) -> None:
    """A logarithmic axis whose ticks are measured places, as many as there is room for; those in `first` anyhow."""
    axes.set_xscale("log")
    found = sorted({*x})
    low, high = found[0], found[-1]
    apart = 0.1 if low >= 1 else 0.2  # of the axis: what is below one takes more letters
    room = math.log(high / low) * apart if high > low else 1.0
    ticks: list[float] = []
    for at in (*first, low, high, *found):
        if low <= at <= high and all(abs(math.log(at / other)) >= room for other in ticks):
            ticks.append(at)
    pad = max(high / low, 1.5) ** 0.04
    axes.set_xlim(low / pad, high * pad)
    axes.xaxis.set_major_locator(FixedLocator(sorted(ticks)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:.2g}"))
    axes.xaxis.set_minor_locator(NullLocator())
