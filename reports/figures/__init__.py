"""Figures from tables: functions of a table that return a matplotlib Figure, drawn without a screen.

`glance`, `quality`, `cost` and `learning` are here; the others stand in the files of their subject: `speed`,
`long`, `attention`, `overall` and `on_trial`. All look as `style` says; `series` reads the table under a figure from
the figure, and `svg` writes it.
"""

from reports.figures.scores import MEASURES, cost, counted, glance, learning, panels, quality
from reports.figures.style import MARKS, STYLES, short, styles, together
from reports.figures.thumbnails import safe_picture, thumbnail

__all__ = [
    "MARKS",
    "MEASURES",
    "STYLES",
    "cost",
    "counted",
    "glance",
    "learning",
    "panels",
    "quality",
    "safe_picture",
    "short",
    "styles",
    "thumbnail",
    "together",
]
