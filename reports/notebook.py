"""A run as it shows itself in a notebook: one small table a task or measurement, in the notebook's own colours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from reports import words
from reports.rows.checked import LONG
from reports.rows.stored import Stored
from reports.scores.tables import Line
from reports.sections import long, seeded, span, speed
from reports.sections.keys import over, within

MOST, TABLES = 12, 12  # lines of a table, and tables
TIMED = {  # of each probe of time: heading, metric, how it is written
    "throughput": (
        ("training, target tokens/s", "train_target_tokens_per_second", words.count),
        ("writing, tokens/s at the best batch", "generate_tokens_per_second_best", words.count),
        ("writing one, tokens/s", "generate_tokens_per_second_1", words.count),
        ("memory of a step", "peak_bytes", words.memory),
    ),
    "parallelism": (
        ("done at once over time", "parallel_fraction", speed.power),
        ("batch at half of the greatest throughput", "half_batch", words.significant),
    ),
    "scaling": (
        ("power of length, long sequences", "exponent_steep", speed.power),
        ("longest", "longest_length", words.count),
    ),
}
LEARNED = {
    "span": "memory span",
    "extrapolate": "beyond the lengths trained on",
    "gradients": "decay of the gradient a step",
    "by_length": "quality by length",
    "data_curve": "all examples",
}
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
NOTE = (
    "Scores are of the test split. Tables: trials, scores, curves, answers, speed, scaling, long, claims; "
    "about says what their columns are."
)


class Row(NamedTuple):
    """A line of a table; quiet ones are set back."""

    cells: tuple[str, ...]
    quiet: bool = False


class Small(NamedTuple):
    """A table as a notebook shows it."""

    title: str
    head: tuple[str, ...]
    rows: list[Row]


def shown(lines: Mapping[str, Sequence[Line]], stored: Stored, names: Sequence[str], counted: str) -> str:
    """Scores, speed and long sequences, a table a task, as HTML that runs nothing and fetches nothing."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    timed = [*_measured(stored)]
    full = [
        *(_scored(task, own) for task, own in lines.items() if own),
        *(_timed(*one) for one in timed),
        *_learned(stored),
    ]
    busy = speed.starred(one for *_, own in timed for one in own[:MOST])
    more = [f"{words.plural(len(full) - TABLES, 'more table')} not shown."] if len(full) > TABLES else []
    return environment.from_string(TEMPLATE).render(
        names=words.several([words.clean(name) for name in names]),
        counted=counted,
        tables=full[:TABLES],
        note=" ".join(said for said in (*more, busy, NOTE) if said),
        rule=RULE,
    )


def _scored(task: str, lines: Sequence[Line]) -> Small:
    models = [line for line in lines if line.kind == "model"]
    floors = [line for line in lines if line.kind == "floor"]
    rows = [Row(_cells(line), line.kind == "floor") for line in (*models[:MOST], *floors[:2])]
    head = ("", words.headed(lines[0].metric), "95 % interval", "over", "training, s")
    return Small(words.task(task) + _left(len(models)), head, rows)


def _left(models: int) -> str:
    return f" ({MOST} of {models:,} models)" if models > MOST else ""


def _cells(line: Line) -> tuple[str, ...]:
    number, seconds = words.number(line.value, line.metric), words.seconds(line.means.get("train_seconds"))
    if line.kind == "floor":
        return line.name, number, "–", "–", "–"
    return line.name, number, within(line.interval, line.metric), over(line), seconds


def _measured(stored: Stored) -> Iterator[tuple[str, str, list[speed.Measured]]]:
    """Probe, task and measurements of all that was timed."""
    for probe in TIMED:
        for task, found in speed.measured(stored, probe).items():
            yield probe, task, speed.named(found)


def _timed(probe: str, task: str, own: Sequence[speed.Measured]) -> Small:
    """A line a measurement, behind each number its interval where there is one."""
    told = TIMED[probe]
    rows = [Row((one.drawn, *(_measure(one, name, write) for _, name, write in told))) for one in own[:MOST]]
    return Small(f"{words.task(task)}: {probe}{_left(len(own))}", ("", *(name for name, *_ in told)), rows)


def _measure(one: speed.Measured, name: str, write: speed.Write) -> str:
    value = one.get(name)
    ends = speed.between(one.bounds(name), write)
    return "–" if value is None else f"{write(value)} ({ends})" if ends else write(value)


def _learned(stored: Stored) -> Iterator[Small]:
    """Of each variant of a probe of long sequences the number that it is about, over seeds."""
    for probe in LONG:
        for panel, lines in seeded.panels(stored, probe).items():
            rows = [Row(_seeds(one)) for one in lines[:MOST]]
            title = f"{panel.title}: {LEARNED[probe]}{_left(len(lines))}"
            main = lines[0].rows[0].result.main
            head = "median span" if main == "span" else f"mean {words.headed(main)}"
            yield Small(title, ("", head, "least to most", "seeds"), rows)


def _seeds(one: seeded.Line) -> tuple[str, ...]:
    main = one.rows[0].result.main
    values = one.get(main)
    if main == "span":
        reached = sorted(span.reach(row) for row in one.rows)
        ends = f"{reached[0]} to {reached[-1]}" if len(reached) > 1 else "–"
        return one.name, str(span.middle(reached)), ends, str(one.seeds)
    if not values:
        return one.name, "–", "–", str(one.seeds)

    def write(value: float | None) -> str:
        return words.number(value, "loss" if main == "decay" else main)

    ends = f"{write(min(values))} to {write(max(values))}" if len(values) > 1 else "–"
    return one.name, write(long.mean(values)), ends, str(one.seeds)
