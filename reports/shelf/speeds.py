"""What the README says of a published run of speed: a line a model, on the first of its tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reports import ReportError, words
from reports.page.html import markdown
from reports.rows.stored import Stored, gather
from reports.sections import speed
from reports.sections.speed import Measured, Write, percent
from reports.sections.throughput import TRAIN
from reports.shelf import shelf
from reports.shelf.blocks import Kind

COLUMNS = (
    "training, target tokens/s", "share of peak", "first / further token, ms", "written tokens/s, batch 1 / best",
    "state carried", "parallel over time", "batch at half speed",
)  # fmt: skip


def body(folder: Path) -> str:
    """The table of its models, and what the numbers are. Raises ReportError where no throughput was measured."""
    stored = gather([folder])
    found = speed.measured(stored, "throughput")
    if not found:
        raise ReportError("no throughput measured")
    task, rows = next(iter(found.items()))
    own = speed.named(rows)
    beside = {one.name: one for group in speed.measured(stored, "parallelism").values() for one in speed.named(group)}
    lines = [f"| {words.lowered(words.task(task))} | " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    lines += [_line(one, beside.get(one.name)) for one in own]
    return "\n".join([*lines, "", str(markdown(" ".join(_explained(stored, [*own, *beside.values()]))))])


def _line(one: Measured, parallel: Measured | None) -> str:
    cells = (
        str(markdown(one.drawn)),
        _trained(one),
        _told(one, "share_of_peak", _share),
        f"{_told(one, 'first_token_seconds', words.milliseconds)} / {_told(one, 'token_seconds', words.milliseconds)}",
        f"{_told(one, 'generate_tokens_per_second_1', words.count)} / {_best(one)}",
        _told(one, "carry_bytes", words.memory),
        "–" if parallel is None else _told(parallel, "parallel_fraction", _share),
        "–" if parallel is None else _told(parallel, "half_batch", words.significant),
    )
    return "| " + " | ".join(cells) + " |"


def _trained(one: Measured) -> str:
    rate = one.rate(*TRAIN)
    return "–" if rate is None else f"{words.count(rate.value)} [{words.count(rate.low)}, {words.count(rate.high)}]"


def _best(one: Measured) -> str:
    batch = one.get("generate_best_batch")
    rate = _told(one, "generate_tokens_per_second_best", words.count)
    return f"{rate} ({words.count(batch)})" if batch else rate


def _told(one: Measured, name: str, write: Write) -> str:
    return write(one.get(name))


def _share(value: float | None) -> str:
    return "–" if value is None else f"{percent(value)} %"


def _explained(stored: Stored, found: Sequence[Measured]) -> Iterator[str]:
    yield f"{words.several(shelf.machines(stored))}, {shelf.dates(stored)}; medians, 95 % intervals in brackets."
    if star := speed.starred(found):
        yield star


KIND = Kind("speed", 1, body)
