"""How every figure looks: without a screen and without pyplot's global state.

Each model has one colour (Okabe-Ito), one line style and one marker in every figure, so that it is
told apart without colour too.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, ParamSpec

import matplotlib as mpl
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

P = ParamSpec("P")
Dash = str | tuple[int, tuple[float, ...]]


class Style(NamedTuple):
    """How a model is drawn everywhere."""

    colour: str
    dash: Dash
    marker: str


STYLES = {
    "rnn": Style("#E69F00", (0, (1, 1.2)), "s"),
    "lstm": Style("#0072B2", "solid", "o"),
    "echo_state": Style("#009E73", (0, (4, 1.6)), "D"),
    "bahdanau": Style("#D55E00", (0, (6, 1.4, 1, 1.4)), "^"),
    "transformer": Style("#CC79A7", (0, (8, 2)), "v"),
}
# Okabe-Ito's sky blue, and shades between its hues: its yellow is too pale on paper, its black is the text's
_MORE = [
    Style(colour, dash, marker)
    for marker, dash in (("P", (0, (2, 1))), ("X", (0, (5, 1))), ("p", (0, (3, 1, 1, 1))), ("h", (0, (1, 2))))
    for colour in ("#56B4E9", "#8C7A00", "#7F7F7F")
]
MARKS = {"s": "■", "o": "●", "D": "◆", "^": "▲", "v": "▼", "P": "✚", "X": "✖", "p": "⬟", "h": "⬢"}
# Colours that the page swaps in the dark: see svg.themed
INK, MUTED, GRID, PAPER = "#1b1f24", "#5b6570", "#dde1e6", "#fefefe"
LOOK: Any = {
    **seaborn.axes_style("ticks"),
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 11,
    "legend.fontsize": 10.5,
    "legend.frameon": False,
    "legend.handlelength": 2.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "text.color": INK,
    "text.parse_math": False,  # a model called $x$.py is a name, not a formula
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.9,
    "lines.markersize": 6,
    "svg.fonttype": "none",  # text stays text: sharp, searchable, in the reader's own font
    "svg.image_inline": True,
    "figure.dpi": 72,
    "savefig.dpi": 144,  # of the pictures inside a figure; its lines and letters have no resolution
}
WIDTH = 4.8  # inches; a figure fills a telephone's width with letters of a legible size
KIND = "_: "  # a line's label that starts so tells the table what it is among those of its series; no legend shows it
INTERVAL = KIND + "interval"
LINE, LINES = 0.233, 3  # inches of a line of a legend, and how many of them a figure's height holds beside its axes


TOGETHER: ContextVar[frozenset[str]] = ContextVar("models of one page", default=frozenset())


@contextmanager
def together(models: Iterable[str]) -> Iterator[None]:
    """Within, models that are not ours are told apart among all of these, whichever of them a figure shows."""
    before = TOGETHER.set(frozenset(models))
    try:
        yield
    finally:
        TOGETHER.reset(before)


def styles(models: Iterable[str]) -> dict[str, Style]:
    """A style for each model: ours are fixed, others start from a place that follows from their name."""
    chosen, free = dict(STYLES), list(_MORE)
    for model in sorted({*models, *TOGETHER.get()} - STYLES.keys()):
        free = free or list(_MORE)
        chosen[model] = free.pop(int(hashlib.sha256(model.encode(errors="replace")).hexdigest(), 16) % len(free))
    return chosen


@contextmanager
def look() -> Iterator[None]:
    """Our style while drawing or writing; letters missing from the font are the reader's font's business."""
    with mpl.rc_context(LOOK), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Glyph .* missing from")
        warnings.filterwarnings("ignore", message=".*Matplotlib currently does not support .* natively")
        yield


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draws in our style."""

    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with look():
            return draw(*args, **kwargs)

    drawn.__doc__, drawn.__name__ = draw.__doc__, draw.__name__
    return drawn


def empty(height: float, width: float = WIDTH) -> tuple[Figure, Axes]:
    """A figure of so many inches, and its axes."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.04, h_pad=0.04))
    return figure, figure.add_subplot()


def short(name: str, most: int = 26) -> str:
    """The name, or its two ends: what tells a configuration from others often stands last."""
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most - most // 2 - 1) :]}"


def legend(figure: Figure) -> None:
    """Names below a figure, two in a line where they are short; it grows by their lines past `LINES`."""
    names = [text for axes in figure.axes for text in axes.get_legend_handles_labels()[1]]
    columns = 2 if max(map(len, names), default=0) <= 20 else 1
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + LINE * max(math.ceil(len(names) / columns) - LINES, 0))
    figure.legend(loc="outside lower center", ncols=columns)
