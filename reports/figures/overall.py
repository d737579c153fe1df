"""The figure of what holds over tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from matplotlib.transforms import ScaledTranslation

from reports import words
from reports.figures.style import empty, legend, short, styled, styles


@styled
def profile(models: Sequence[str], factors: Sequence[float], shares: np.ndarray) -> Figure:
    """Steps of a performance profile, (models, factors): shares from 0 to 1; equal ones are drawn a little apart."""
    chosen = styles(models)
    figure, axes = empty(3.2)
    for place, (model, own) in enumerate(zip(models, shares, strict=True)):
        style, label = chosen[model], short(words.model(model))
        axes.step(
            factors, 100 * own, where="post", color=style.colour, linestyle=style.dash, marker=style.marker,
            markersize=4.5, linewidth=1.7, label=label,
            transform=axes.transData + _apart(figure, place - (len(models) - 1) / 2),
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


def _apart(figure: Figure, places: float, each: float = 0.9) -> ScaledTranslation:
    """Moves what is drawn up by so many places of `each` points: equal lines stay apart, their numbers true."""
    return ScaledTranslation(0.0, places * each / 72, figure.dpi_scale_trans)
