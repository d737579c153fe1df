"""Figures of speed: rates beside each other, curves over lengths and batches, and what a step is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bench.statistics import Point
from reports import words
from reports.figures.style import INK, INTERVAL, KIND, LINE, MUTED, PAPER, Dash, Style, empty, short, styled, styles


class Bar(NamedTuple):
    """A rate of one model: its interval, a second rate it is joined to, and what is written beside it."""

    name: str
    model: str
    rate: Point
    further: float | None
    text: str


class Series(NamedTuple):
    """One line of a figure; `mark` is a place on it that is ringed."""

    name: str
    model: str
    points: Sequence[Point]
    mark: tuple[float, float] | None = None


# A part of a step: what it is called, its colour and its hatching
PARTS = {
    "attention": ("attention", "#6FA8DC", ""),
    "recurrence": ("recurrence", "#F2C14E", "///"),
    "feedforward": ("feed-forward", "#7FB77E", "..."),
    "head": ("output layer", "#C39BD3", "\\\\\\"),
    "optimiser": ("optimiser", "#E59866", "xxx"),
    "other": ("other", "#B8BEC6", "---"),
}
VARIANTS: tuple[Dash, ...] = ((0, (2, 1)), (0, (5, 1, 1, 1)), (0, (1, 2)), (0, (7, 1.5)))


@styled
def rates(bars: Sequence[Bar], label: str, told: tuple[str, str] = ("one sequence", "best batch")) -> Figure:
    """Rates by model; where a second rate is given, filled is the first and hollow the second, called as `told`."""
    chosen = styles(bar.model for bar in bars)
    figure, axes = empty(0.95 + 0.32 * len(bars))
    joined = any(bar.further for bar in bars)
    if joined:
        axes.set_xscale("log")
    for y, bar in enumerate(bars):
        _rate(axes, y, bar, chosen[bar.model], told if joined else None)
        at = axes.get_yaxis_transform()
        axes.text(1.03, y, bar.text, transform=at, va="center", ha="left", color=INK, fontweight="bold")
    axes.set_yticks(range(len(bars)), [short(bar.name) for bar in bars])
    axes.tick_params(length=0)
    for tick in axes.get_yticklabels():
        tick.set_color(INK)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    if joined:
        low, high = zip(*(_ends(bar) for bar in bars), strict=True)
        _logarithmic(axes, min(low), max(high), horizontal=True)
    else:
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.amount(value)))
    axes.set_xlabel(label)
    return figure


def _rate(axes: Axes, y: int, bar: Bar, style: Style, joined: tuple[str, str] | None) -> None:
    first, second = joined or ("", "")
    start, far = (bar.further or bar.rate.value, bar.rate.value) if joined else (0.0, bar.rate.value)
    axes.plot([start, far], [y, y], color=style.colour, linestyle=style.dash, linewidth=1.6, alpha=0.75)
    if bar.further:
        axes.plot(
            [bar.further], [y], color=style.colour, marker=style.marker, markersize=8, markerfacecolor=PAPER, zorder=3,
            label=KIND + second,
        )  # fmt: skip
    axes.plot(
        [bar.rate.value], [y], color=style.colour, marker=style.marker, markersize=8, zorder=3, label=KIND + first
    )
    reach = [bar.rate.low, bar.rate.high]
    axes.plot(reach, [y, y], color=INK, linewidth=1.4, solid_capstyle="butt", zorder=4, label=INTERVAL)


def _ends(bar: Bar) -> tuple[float, float]:
    ends = (bar.rate.low, bar.rate.high, bar.further or bar.rate.value)
    return min(ends), max(ends)


@styled
def curves(series: Sequence[Series], along: str, label: str, share: bool = False) -> Figure:
    """Lines over powers of two; a share runs from nothing to all, anything else is logarithmic too."""
    chosen = styles(one.model for one in series)
    columns = 1 if any(len(one.name) > 26 for one in series) else 2
    figure, axes = empty(3.1 + LINE * math.ceil(len(series) / columns))
    axes.set_xscale("log", base=2)
    seen: dict[str, int] = {}
    for one in series:
        variant = seen.get(one.model, 0)
        seen[one.model] = variant + 1
        _curve(axes, one, _variant(chosen[one.model], variant), hollow=variant > 0)
    x = [p.length for one in series for p in one.points] + [one.mark[0] for one in series if one.mark]
    _powers(axes, min(x), max(x))
    if share:
        ends = [end for one in series for p in one.points for end in (p.low, p.high)]
        axes.set_ylim(min(-0.03, 1.1 * min(ends)), max(1.03, 1.03 * max(ends)))
    else:
        y = [v for one in series for p in one.points for v in (p.low, p.high)]
        y += [one.mark[1] for one in series if one.mark]
        axes.set_yscale("log")
        _logarithmic(axes, min(y), max(y))
    axes.set_xlabel(along)
    axes.set_ylabel(label)
    figure.legend(loc="outside lower left", ncols=columns)
    return figure


def _variant(style: Style, variant: int) -> Style:
    return style._replace(dash=VARIANTS[(variant - 1) % len(VARIANTS)]) if variant else style


def _curve(axes: Axes, one: Series, style: Style, hollow: bool) -> None:
    x, y = [p.length for p in one.points], [p.value for p in one.points]
    axes.plot(
        x, y, color=style.colour, linestyle=style.dash, marker=style.marker, markersize=4.5, linewidth=1.7,
        markerfacecolor=PAPER if hollow else style.colour, label=short(one.name, 44),
    )  # fmt: skip
    axes.vlines(x, [p.low for p in one.points], [p.high for p in one.points], color=style.colour, linewidth=2.6)
    if one.mark:
        axes.plot(
            *([v] for v in one.mark), color=style.colour, marker="o", markersize=11, linestyle="none",
            markerfacecolor="none", markeredgewidth=1.3, zorder=5,
        )  # fmt: skip


def _powers(axes: Axes, low: float, high: float, most: int = 6) -> None:
    """Some powers of two, said in full."""
    first, last = math.floor(math.log2(low)), math.ceil(math.log2(high))
    step = max(math.ceil((last - first + 1) / most), 1)
    ticks = [2.0**k for k in range(first, last + 1, step)]
    axes.set_xlim(low / 1.25, high * 1.25)
    inside = [t for t in ticks if low / 1.25 <= t <= high * 1.25]
    axes.xaxis.set_major_locator(FixedLocator(inside))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _logarithmic(axes: Axes, low: float, high: float, horizontal: bool = False) -> None:
    """Room around the points, and ticks that say numbers rather than powers."""
    pad = max(high / low, 3.0) ** 0.06
    axis = axes.xaxis if horizontal else axes.yaxis
    (axes.set_xlim if horizontal else axes.set_ylim)(low / pad, high * pad)
    subs = (1.0, 2.0, 5.0) if high / low < 50 else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
    axis.set_minor_locator(NullLocator())


def _tick(value: float) -> str:
    return words.amount(value) if value >= 1000 else f"{value:.3g}"


@styled
def shares(found: Sequence[tuple[str, Mapping[str, float]]]) -> Figure:
    """What a training step is made of, one bar a model; parts differ in hatching too, large ones say their share."""
    figure, axes = empty(1.45 + 0.42 * len(found))
    shown = [part for part in PARTS if any(parts.get(part, 0) >= 0.0005 for _, parts in found)]
    left = [0.0] * len(found)
    for part in shown:
        name, colour, hatch = PARTS[part]
        wide = [parts.get(part, 0.0) for _, parts in found]
        bars = axes.barh(range(len(found)), wide, left=left, color=colour, hatch=hatch, height=0.66, label=name)
        for bar in bars:
            bar.set(edgecolor=PAPER, linewidth=0.8)
        for y, (start, width) in enumerate(zip(left, wide, strict=True)):
            if width >= 0.08:
                axes.text(
                    start + width / 2, y, f"{100 * width:.0f}", ha="center", va="center", color="#111111", fontsize=10,
                    bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.2},
                )  # fmt: skip
        left = [a + b for a, b in zip(left, wide, strict=True)]
    axes.set_yticks(range(len(found)), [short(name) for name, _ in found])
    for tick in axes.get_yticklabels():
        tick.set_color(INK)
    axes.tick_params(length=0, labelcolor=MUTED, axis="x")
    axes.tick_params(length=0, axis="y")
    axes.set(xlim=(0, 1), ylim=(len(found) - 0.4, -0.6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))
    axes.grid(visible=False)
    axes.set_xlabel("share of a training step, %")
    figure.legend(loc="outside lower left", ncols=3)
    return figure
