"""Attention: where models looked while they answered one and the same item, and what each head of each layer did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from reports import parts, words
from reports.figures import attention as figures
from reports.parts import Drawing, Limits, Section
from reports.rows.artifacts import Attention
from reports.scores.tables import Line
from reports.sections import samples
from reports.words import slug

TITLE = "Attention"
EXPLAINED = (
    "Where the models looked while writing each word of their answer (down); the words of the source run across. "
    "All models of a task answer the same item, one that all of them answered right where there is one. Over a "
    "picture, the more a patch is coloured, the longer it was looked at. A transformer's figure is its last layer, the "
    "mean of its heads; each head of each layer follows by itself where it was stored."
)


def section(task: str, lines: Sequence[Line], most: Limits) -> Section | None:
    """Every model's attention over one item, side by side, then the heads of those that stored them."""
    models = [line for line in lines if line.kind == "model"][: most.answers]
    looked = samples.looked_at(models, [sample.item for sample in samples.samples(models)])
    shown, note = parts.first(looked, most.attention, len(looked), "models, from best to worst")
    if not shown:
        return None
    drawings = [_gazed(task, line, attention) for line, attention in shown]
    drawings += [d for line, attention in shown for d in _heads(task, line, attention)]
    return Section(words.task(task), drawings=tuple(drawings), note=note, explained=_asked(shown[0][1]))


def _asked(attention: Attention) -> str:
    """The item in words."""
    if attention.grid is not None:
        return f"Item {attention.item}: a picture of {attention.grid[0]} by {attention.grid[1]} patches."
    return (
        f"Item {attention.item}, in the pieces that the models read: {words.clean(' '.join(attention.source_tokens))}"
    )


def _gazed(task: str, line: Line, attention: Attention) -> Drawing:
    draw = figures.heat if attention.grid is None else figures.gaze
    top = [_most(weights, attention) for weights in attention.weights]
    pairs = [f"{words.clean(w)} → {t}" for w, t in zip(attention.answer_tokens, top, strict=True)]
    caption = f"{line.name}, item {attention.item}{_scored(line, attention.item)}"
    return Drawing(
        draw(attention, line.model),
        f"attention-{slug(task)}-{slug(line.name)}",
        f"{words.task(task)}, {caption}: attention, each word with what it looked at most: {'; '.join(pairs[:24])}",
        caption,
    )


def _scored(line: Line, item: int) -> str:
    """ ": 34.1 BLEU" of that answer; nothing where single answers have no such score."""
    found = next((a.scores for a in line.rows[0].answers if a.item == item), {})
    if line.metric not in found:
        return ""
    return f": {words.number(found[line.metric], line.metric)}{words.unit(line.metric)} {words.metric(line.metric)}"


def _heads(task: str, line: Line, attention: Attention) -> Iterator[Drawing]:
    """A panel a head, a row a layer; nothing where a model has one of each, or stored none."""
    if attention.heads is None or attention.heads.shape[1] * attention.heads.shape[2] < 2:
        return
    _, layers, heads, _ = attention.heads.shape
    many = f"{words.plural(layers, 'layer')} of {words.plural(heads, 'head')}"
    yield Drawing(
        figures.heads(attention, line.model),
        f"heads-{slug(task)}-{slug(line.name)}",
        f"{words.task(task)}, {line.name}, item {attention.item}: attention of {many}; {_sharpness(attention)}",
        f"{line.name}, item {attention.item}: every head ({many}; the answer runs down, the source across)",
    )


def _sharpness(attention: Attention) -> str:
    """How much of its attention each head gives to its first choice, on average."""
    assert attention.heads is not None
    top = attention.heads.max(axis=-1).mean(axis=0)  # (layers, heads)
    said = [f"layer {n}: {', '.join(f'{share:.0%}' for share in row)}" for n, row in enumerate(top, 1)]
    return f"mean share of the place looked at most, head by head: {'; '.join(said)}"


def _most(weights: Sequence[float], attention: Attention) -> str:
    place = int(np.argmax(weights))
    if attention.grid is None:
        return words.clean(attention.source_tokens[place])
    row, column = divmod(place, attention.grid[1])
    return f"row {row + 1}, column {column + 1}"
