"""Stored answers and attention, checked."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.rows._heads import decoded
from reports.rows.fields import number, numbers, sequence, text
from reports.words import whole

SHOWN = ("answers", "attention")  # artifacts that a report opens


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered to one item of the test split."""

    item: int
    source: str | None
    picture: str | None  # as a data URI; only the first items carry one
    reference: str
    answer: str
    scores: dict[str, float]


@dataclasses.dataclass(frozen=True, slots=True)
class Attention:
    """Where a model looked while it answered one item."""

    item: int
    source_tokens: tuple[str, ...]
    answer_tokens: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]  # (T, S), rows over the source
    grid: tuple[int, int] | None  # rows and columns of patches
    picture: str | None
    heads: NDArray[np.float64] | None = dataclasses.field(default=None, compare=False)  # (T, layers, heads, S)


def answered(item: Any) -> Answer | None:
    """A stored answer, None where it names no item."""
    if not isinstance(item, dict) or not isinstance(item.get("item"), int):
        return None
    source, picture = item.get("source"), item.get("picture")
    return Answer(
        item=item["item"],
        source=whole(source) if isinstance(source, str) else None,
        picture=picture if isinstance(picture, str) else None,
        reference=text(item.get("reference")),
        answer=text(item.get("answer")),
        scores=numbers(item.get("scores")),
    )


def attended(item: Any) -> Attention | None:
    """An item whose weights fit its tokens and its grid, else None."""
    if not isinstance(item, dict) or not isinstance(item.get("item"), int):
        return None
    answer = tuple(text(t) for t in sequence(item.get("answer_tokens")))
    rows = [[number(w) for w in sequence(row)] for row in sequence(item.get("weights"))][: len(answer)]
    weights = tuple(tuple(w for w in row if w is not None) for row in rows)
    source = tuple(text(t) for t in sequence(item.get("source_tokens")))
    size, grid = len(rows[0]) if rows else 0, _grid(item.get("grid"))
    fits = size > 0 and all(len(row) == size for row in weights) and len(weights) == len(answer)
    if not fits or (len(source) != size if grid is None else grid[0] * grid[1] != size):
        return None
    picture, heads = item.get("picture"), decoded(item.get("heads"), len(answer), size)
    return Attention(item["item"], source, answer, weights, grid, picture if isinstance(picture, str) else None, heads)


def _grid(value: Any) -> tuple[int, int] | None:
    sides = sequence(value)
    if len(sides) == 2 and all(isinstance(s, int) and 0 < s <= 64 for s in sides):
        return sides[0], sides[1]
    return None
