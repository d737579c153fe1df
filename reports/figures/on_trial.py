"""The figure of claims on trial."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from reports.figures.style import INTERVAL, MUTED, empty, short, styled

NAMED = 28  # letters of a claim


@styled
def forest(table: pd.DataFrame) -> Figure:
    """Effects with intervals, a row a claim: columns claim, value, low and high, and colour and marker of its verdict.

    The numbers count smallest effects worth naming. The axis is linear from -1 to 1 and logarithmic beyond.
    """
    rows = table.to_dict("records")
    figure, axes = empty(1.1 + 0.3 * len(rows))
    axes.set_xscale("symlog", linthresh=1.0)
    for y, row in enumerate(rows):
        reach = [row["low"], row["high"]]
        axes.plot(reach, [y, y], color=row["colour"], linewidth=2, solid_capstyle="butt", label=INTERVAL)
        axes.plot([row["value"]], [y], color=row["colour"], marker=row["marker"], markersize=6.5)
    for at, dash in ((0.0, "solid"), (1.0, (0, (3, 2.5)))):
        axes.axvline(at, color=MUTED, linestyle=dash, linewidth=1, zorder=1)
    axes.set_yticks(range(len(rows)), [short(str(row["claim"]), NAMED) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(length=0)
    axes.xaxis.set_major_locator(FixedLocator([sign * 10.0**power for power in range(5) for sign in (-1, 1)] + [0.0]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}".replace("-", "−")))
    axes.set_xlabel("effect, in smallest effects worth naming")
    return figure
