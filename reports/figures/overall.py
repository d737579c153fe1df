"""The figure of what holds over tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from reports import words
from reports.figures.style import empty, legend, short, styled, styles


@styled
def profile(models: Sequence[str], factors: Sequence[float], shares: np.ndarray) -> Figure:
    """Steps of a performance profile, (models, factors): shares from 0 to 1."""
    chosen = styles(models)
    figure, axes = empty(3.2)
    for place, (model, own) in enumerate(zip(models, shares, strict=True)):
        style, label = chosen[model], short(words.model(model))
        axes.step(
            factors, 100 * own + 0.6 * (place - (len(models) - 1) / 2), where="post", color=style.colour,
            linestyle=style.dash, marker=style.marker, markersize=4.5, linewidth=1.7, label=label,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xticks(factors[::3], [f"{x:g}" for x in factors[::3]])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(-4, 104)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} %"))
    axes.set_xlabel("times the seconds of the fastest")
    axes.set_ylabel("share of tasks")
    legend(figure)
    return figure
