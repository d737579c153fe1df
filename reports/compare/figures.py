"""Differences of two runs as a figure: each with its interval, beside the line on which nothing differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from reports.compare.verdicts import COUNTED, Difference
from reports.figures.style import INK, INTERVAL, MUTED, PAPER, empty, short, styled, styles


class Bar(NamedTuple):
    """One line of the figure: what stands beside it, and the difference."""

    name: str
    told: Difference


@styled
def forest(bars: Sequence[Bar], ratio: bool) -> Figure:
    """A line a difference, hollow where nothing is told apart; ratios on a logarithmic axis around one."""
    chosen = styles(bar.told.model for bar in bars)
    figure, axes = empty(0.95 + 0.32 * len(bars))
    axes.axvline(1.0 if ratio else 0.0, color=MUTED, linestyle=(0, (3, 2.5)), linewidth=1, zorder=1)
    for y, bar in enumerate(bars):
        style, one = chosen[bar.told.model], bar.told
        if one.low is not None and one.high is not None:
            reach = [one.low, one.high]
            axes.plot(reach, [y, y], color=INK, linewidth=1.4, solid_capstyle="butt", zorder=3, label=INTERVAL)
        face = PAPER if one.verdict in COUNTED else style.colour
        axes.plot(
            [one.change], [y], color=style.colour, marker=style.marker, markersize=8, markerfacecolor=face, zorder=4
        )
    axes.set_yticks(range(len(bars)), [short(bar.name, 34) for bar in bars])
    for tick in axes.get_yticklabels():
        tick.set_color(INK)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.tick_params(length=0)
    axes.grid(visible=False, axis="y")
    if ratio:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        axes.set_xlabel("second over first (logarithmic)")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel("second minus first")
    return figure
