"""A run as it shows itself in a notebook: one small table a task, in the notebook's own colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports import words
from reports.scores.tables import Line
from reports.sections.keys import over, within

MOST, TASKS = 12, 12  # lines of a task, and tasks
# every colour follows the notebook's own, light or dark
TEMPLATE = """
<div style="font-size:90%;line-height:1.4;color:inherit">
<p style="margin:0 0 .5em"><strong>{{ names }}</strong>: {{ counted }}</p>
{% for t in tables %}
<table style="border-collapse:collapse;margin:0 0 1em;background:transparent;color:inherit">
<caption style="text-align:left;font-weight:600;padding:.2em 0;color:inherit">{{ t.title }}</caption>
<thead><tr>{% for h in t.head %}<th scope="col" style="{{ rule }};text-align:{{ "left" if loop.first else "right" }}">
{{- h }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in t.rows %}
<tr style="background:transparent{% if row.quiet %};opacity:.75;font-style:italic{% endif %}">
{%- for cell in row.cells %}
<{{ "th scope=row" if loop.first else "td" }} style="{{ rule }};font-weight:400;text-align:
{{- "left" if loop.first else "right" }}"><bdi>{{ cell }}</bdi></{{ "th" if loop.first else "td" }}>
{%- endfor %}</tr>
{% endfor %}
</tbody>
</table>
{% endfor %}
<p style="margin:0;opacity:.75">{{ note }}</p>
</div>
"""
RULE = "padding:.15em .8em .15em 0;border:0;border-bottom:1px solid rgba(128,128,128,.35)"
NOTE = "Scores on the test split with 95 % intervals. Tables: trials, scores, curves, answers, speed, scaling, long."


def shown(lines: Mapping[str, Sequence[Line]], names: Sequence[str], counted: str) -> str:
    """Scores of every task with their intervals as HTML that runs nothing and fetches nothing."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    full = [(task, own) for task, own in lines.items() if own]
    more = [f"{words.plural(len(full) - TASKS, 'more task')} not shown."] if len(full) > TASKS else []
    return environment.from_string(TEMPLATE).render(
        names=words.several([words.clean(name) for name in names]),
        counted=counted,
        tables=[_table(task, own) for task, own in full[:TASKS]],
        note=" ".join([*more, NOTE]),
        rule=RULE,
    )


def _table(task: str, lines: Sequence[Line]) -> dict[str, Any]:
    models = [line for line in lines if line.kind == "model"]
    floors = [line for line in lines if line.kind == "floor"]
    told = [*models[:MOST], *floors[:2]]
    left = f" ({MOST} of {len(models):,} models)" if len(models) > MOST else ""
    return {
        "title": words.task(task) + left,
        "head": ("", words.headed(lines[0].metric), "95 % interval", "over", "training, s"),
        "rows": [{"cells": _cells(line), "quiet": line.kind == "floor"} for line in told],
    }


def _cells(line: Line) -> tuple[str, ...]:
    number, seconds = words.number(line.value, line.metric), words.seconds(line.means.get("train_seconds"))
    if line.kind == "floor":
        return line.name, number, "–", "–", "–"
    return line.name, number, within(line.interval, line.metric), over(line), seconds
