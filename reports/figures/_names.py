"""Names beside points: each in the first place where it covers nothing, or the least bad one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

Step = tuple[tuple[float, float], tuple[float, float]]  # from one point to another
Box = tuple[float, float, float, float]  # left, bottom, right, top in points
# Where a name may stand from its point, best first: right, left, above, below, then farther off
PLACES = [(11, 0), (-11, 0), (0, 14), (0, -14), *((x, y) for y in (13, -13, 26, -26, 39, -39) for x in (11, -11))]


def named(
    axes: Axes, rows: Sequence[dict[Any, Any]], against: str, short: Callable[[str], str], lines: Sequence[Step] = ()
) -> None:
    """Writes the "name" of each row near its point, at its `against` and its "value", clear of `lines`."""
    inside = axes.bbox
    taken = [*(_point_box(axes, row, against) for row in rows), *(_line_box(axes, line) for line in lines)]
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


def _line_box(axes: Axes, line: Step) -> Box:
    """A level or upright stroke, a little thicker than drawn."""
    (x0, y0), (x1, y1) = axes.transData.transform(np.asarray(line))
    return min(x0, x1) - 2, min(y0, y1) - 2, max(x0, x1) + 2, max(y0, y1) + 2


def _name_box(x: float, y: float, name: str, place: tuple[int, int]) -> Box:
    width, (dx, dy) = 6.2 * len(name), place
    left = x + dx - (width if dx < 0 else width / 2 if dx == 0 else 0)
    return left, y + dy - 6, left + width, y + dy + 6


def _overlap(a: Box, b: Box) -> float:
    """Shared area, in square points."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(wide, 0.0) * max(high, 0.0)
