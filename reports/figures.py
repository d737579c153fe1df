"""Figures from tables: plain matplotlib Figure objects, drawn without a screen and without pyplot's global state.

Each model has one colour (Okabe-Ito), one line style and one marker in every figure, so that it is
told apart without colour too.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, ParamSpec

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator
from PIL import Image

from reports import words
from reports.stored import Attention

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
# Colours that the page swaps in the dark: see _svg.themed
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
LARGEST_PICTURE = 512  # pixels a side; sources here are thumbnails


def styles(models: Iterable[str]) -> dict[str, Style]:
    """A style for each model: ours are fixed, others start from a place that follows from their name."""
    chosen, free = dict(STYLES), list(_MORE)
    for model in sorted({*models} - STYLES.keys()):
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


@styled
def quality(table: pd.DataFrame) -> Figure:
    """One task's lines of `tables.comparison` from best to worst, floors as dashed lines behind them."""
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
        axes.plot([row["low"], row["high"]], [y, y], color=INK, linewidth=1.4, solid_capstyle="butt", zorder=4)


def _floor(axes: Axes, y: int, row: dict[Any, Any]) -> None:
    axes.plot([row["value"]] * 2, [-0.6, y], color=MUTED, linestyle=(0, (3, 2.5)), linewidth=1, zorder=1)
    axes.plot([row["value"]], [y], color=MUTED, marker="|", markersize=9, markeredgewidth=1.6)


def _weight(row: dict[Any, Any]) -> str:
    return "bold" if row["kind"] == "model" else "normal"


def _axis(metric: str) -> str:
    return f"{words.headed(metric)} (more is better)"


def short(name: str, most: int = 26) -> str:
    """The name, or its two ends: what tells a configuration from others often stands last."""
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most - most // 2 - 1) :]}"


@styled
def cost(table: pd.DataFrame, against: str = "train_seconds") -> Figure:
    """One task's main metric against what training took, on a logarithmic axis, each point with its name."""
    rows = [r for r in table.to_dict("records") if r["kind"] == "model" and r.get(against, 0) > 0]
    chosen = styles(row["model"] for row in rows)
    figure, axes = empty(3.6)
    axes.set_xscale("log")
    for row in rows:
        style = chosen[row["model"]]
        axes.plot([row[against]], [row["value"]], color=style.colour, marker=style.marker, markersize=8.5)
        if not np.isnan(row["low"]):
            axes.plot([row[against]] * 2, [row["low"], row["high"]], color=style.colour, linewidth=1.6)
    _room(axes, [row[against] for row in rows])
    floors = [r for r in table.to_dict("records") if r["kind"] == "floor"]
    for floor in floors[:1]:  # the best one; the others are in the figures of quality
        axes.axhline(floor["value"], color=MUTED, linestyle=(0, (3, 2.5)), linewidth=1, zorder=1)
    if min(row["value"] for row in rows) >= 0:
        axes.set_ylim(bottom=max(0.0, axes.get_ylim()[0]))
    axes.set_xlabel("training, seconds (logarithmic)")
    axes.set_ylabel(words.headed(rows[0]["metric"]))
    _plain_log(axes)
    figure.draw_without_rendering()
    _named(axes, rows, against)
    return figure


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
    ticks = [s * 10.0**e for e in range(-3, 9) for s in steps if low <= s * 10.0**e <= high]
    axes.set_xticks(ticks, [f"{t:g}" if t < 1e4 else f"{t:,.0f}" for t in ticks])
    axes.xaxis.set_minor_locator(NullLocator())


Box = tuple[float, float, float, float]  # left, bottom, right, top in points
# Where a name may stand from its point, best first: right, left, above, below, then farther off
PLACES = [(11, 0), (-11, 0), (0, 14), (0, -14), *((x, y) for y in (13, -13, 26, -26, 39, -39) for x in (11, -11))]


def _named(axes: Axes, rows: Sequence[dict[Any, Any]], against: str) -> None:
    """Writes each name near its point, in the first place where it covers nothing, or the least bad one."""
    inside = axes.bbox
    taken = [_point_box(axes, row, against) for row in rows]
    for row in sorted(rows, key=lambda r: float(r["value"])):
        name = short(str(row["name"]))
        x, y = axes.transData.transform((row[against], row["value"]))

        def cost(place: int, x: float = x, y: float = y, name: str = name) -> tuple[float, int]:
            box = _name_box(x, y, name, PLACES[place])
            out = max(inside.x0 - box[0], box[2] - inside.x1, 0) + max(inside.y0 - box[1], box[3] - inside.y1, 0)
            return sum(_overlap(box, other) for other in taken) + 40 * out, place

        dx, dy = PLACES[min(range(len(PLACES)), key=cost)]
        taken.append(_name_box(x, y, name, (dx, dy)))
        side = "left" if dx > 0 else "right" if dx < 0 else "center"
        axes.annotate(name, (row[against], row["value"]), (dx, dy), textcoords="offset points", ha=side, va="center")


def _point_box(axes: Axes, row: dict[Any, Any], against: str) -> Box:
    """The point with its interval."""
    span = [row["value"]] if np.isnan(row["low"]) else [row["low"], row["value"], row["high"]]
    places = axes.transData.transform([(row[against], y) for y in span])
    x, bottom, top = float(places[0][0]), float(places[0][1]), float(places[-1][1])
    return x - 5, min(bottom, top) - 5, x + 5, max(bottom, top) + 5


def _name_box(x: float, y: float, name: str, place: tuple[int, int]) -> Box:
    width, (dx, dy) = 6.2 * len(name), place
    left = x + dx - (width if dx < 0 else width / 2 if dx == 0 else 0)
    return left, y + dy - 6, left + width, y + dy + 6


def _overlap(a: Box, b: Box) -> float:
    """Shared area, in square points."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(wide, 0.0) * max(high, 0.0)


@styled
def learning(points: pd.DataFrame, against: str, metric: str) -> Figure:
    """One task's `tables.curves` against "updates", "seconds" or "flops"; a thin line a seed."""
    chosen = styles(points["model"])
    figure, axes = empty(3.6)
    labelled: set[str] = set()
    for (name, _), seed in points.groupby(["name", "seed"], sort=False):
        line = seed.dropna(subset=[against, "value"]).sort_values(against, kind="stable")
        at = line[against] / (1e9 if against == "flops" else 1)
        style = chosen[str(seed["model"].iloc[0])]
        label = short(str(name)) if name not in labelled else "_"
        labelled.add(str(name))
        axes.plot(
            at, line["value"], color=style.colour, linestyle=style.dash, marker=style.marker,
            markersize=4.5 if len(line) < 40 else 0, label=label, alpha=0.9, linewidth=1.7,
        )  # fmt: skip
    axes.set_xlim(left=0)
    if points["value"].min() >= 0:
        axes.set_ylim(bottom=max(0.0, axes.get_ylim()[0]))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    along = {"seconds": "seconds of training", "flops": "GFLOP of training"}
    axes.set_xlabel(along.get(against, against))
    axes.set_ylabel(words.headed(metric))
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _fading(colour: str) -> LinearSegmentedColormap:
    """From nothing to the colour, so that it reads on white and on black."""
    red, green, blue = to_rgb(colour)
    return LinearSegmentedColormap.from_list("fading", [(red, green, blue, 0.02), (red, green, blue, 1.0)])


@styled
def heat(attention: Attention, model: str) -> Figure:
    """Attention over a text: source tokens across, the answer down, darker where the model looked longer."""
    weights = np.asarray(attention.weights, dtype=float)
    t, s = weights.shape
    figure, axes = empty(min(1.1 + 0.27 * t, 7.5), max(min(1.2 + 0.3 * s, 6.5), 3.0))
    colour = styles([model])[model].colour
    mesh = axes.pcolormesh(weights, cmap=_fading(colour), vmin=0, vmax=max(float(weights.max()), 1e-9))
    mesh.set_edgecolor("none")
    axes.set_xticks(np.arange(s) + 0.5, [_token(x) for x in attention.source_tokens], rotation=55, ha="left")
    axes.set_yticks(np.arange(t) + 0.5, [_token(x) for x in attention.answer_tokens])
    axes.xaxis.tick_top()
    axes.tick_params(length=0, colors=INK)
    for label in axes.get_xticklabels():
        label.set_rotation_mode("anchor")
    axes.invert_yaxis()
    axes.grid(visible=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    return figure


def _token(token: str) -> str:
    return words.cut(words.clean(token), 14) or "∅"


@styled
def gaze(attention: Attention, model: str, most: int = 8) -> Figure:
    """Attention over a picture: one small copy a word, coloured where the model looked."""
    grid, places = attention.grid, telling(attention.answer_tokens)[:most]
    if grid is None:
        raise ValueError("attention without a grid; expected one over a picture")
    columns = min(4, len(places))
    rows = -(-len(places) // columns)
    figure = Figure(figsize=(1.2 * columns, 1.42 * rows), layout="constrained")
    picture = thumbnail(attention.picture)
    for panel, place in enumerate(places, 1):
        axes = figure.add_subplot(rows, columns, panel)
        _gaze(
            axes,
            np.asarray(attention.weights[place], dtype=float).reshape(grid),
            picture,
            styles([model])[model].colour,
        )
        axes.set_title(_token(attention.answer_tokens[place]), fontsize=10.5, fontweight="normal", loc="center", pad=3)
    return figure


def telling(tokens: Sequence[str]) -> list[int]:
    """Places of the words that say something: longer than "of", or all where none is."""
    return [i for i, token in enumerate(tokens) if len(token.strip()) > 2] or list(range(len(tokens)))


def _gaze(axes: Axes, weights: np.ndarray, picture: np.ndarray | None, colour: str) -> None:
    """One picture in grey under its weights; a colour reads on dark pictures and on light ones."""
    rows, columns = weights.shape
    whole: Any = {"extent": (0, columns, rows, 0), "interpolation": "nearest", "aspect": "auto"}
    if picture is not None:
        grey = picture.mean(axis=2) / 255
        axes.imshow(0.12 + 0.8 * grey, cmap="gray", vmin=0, vmax=1, **whole)
    share = np.clip(weights / max(float(weights.max()), 1e-9), 0, 1)
    veil = np.empty((rows, columns, 4))
    veil[..., :3], veil[..., 3] = to_rgb(colour), 0.7 * share
    axes.imshow(veil, **whole)
    axes.set(xlim=(0, columns), ylim=(rows, 0), xticks=[], yticks=[], aspect=1)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(True)


def thumbnail(uri: str | None) -> np.ndarray | None:
    """A small PNG data URI as (h, w, 3) uint8; None where it is anything else."""
    if not safe_picture(uri):
        return None
    try:
        with Image.open(io.BytesIO(base64.b64decode(str(uri).split(",", 1)[1])), formats=["PNG"]) as image:
            if max(image.size) > LARGEST_PICTURE:  # read from the header, before any pixel is unpacked
                return None
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


def safe_picture(uri: str | None) -> bool:
    """Whether a stored picture may stand in a page: a PNG inside the page, of a thumbnail's size."""
    whole = r"data:image/png;base64,[A-Za-z0-9+/=]+"
    return isinstance(uri, str) and len(uri) < 400_000 and re.fullmatch(whole, uri) is not None
