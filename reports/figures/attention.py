"""Where models looked: heat maps over a text, small copies of a picture, and each head of each layer by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from reports import words
from reports.figures.style import INK, empty, styled, styles
from reports.figures.thumbnails import thumbnail
from reports.rows.artifacts import Attention


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


@styled
def heads(attention: Attention, model: str) -> Figure:
    """Every head by itself, (T, S) each: layers down, heads across; each panel is as dark as its own largest weight."""
    if attention.heads is None:
        raise ValueError("attention without heads; expected one with weights by layer and head")
    weights = attention.heads  # (T, layers, heads, S)
    rows, layers, columns, size = weights.shape
    wide = min(max(0.16 * size, 0.9), 2.4)
    figure = Figure(figsize=(wide * columns + 0.5, (wide * rows / size + 0.28) * layers + 0.2), layout="constrained")
    colour = _fading(styles([model])[model].colour)
    for layer in range(layers):
        for head in range(columns):
            axes = figure.add_subplot(layers, columns, layer * columns + head + 1)
            mesh = axes.pcolormesh(
                weights[:, layer, head], cmap=colour, vmin=0, vmax=max(float(weights[:, layer, head].max()), 1e-9)
            )
            mesh.set_edgecolor("none")
            axes.invert_yaxis()
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
            for spine in axes.spines.values():
                spine.set_visible(True)
            axes.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=9, fontweight="normal", pad=2)
    return figure
