"""Throughput: how many tokens a second each model trains on and writes, and what that takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.statistics import Point, ratio
from reports import parts, words
from reports.figures import speed as speed_figures
from reports.figures.speed import Bar
from reports.parts import Cell, Drawing, Limits, Section, Table
from reports.rows.fields import number
from reports.rows.stored import Stored
from reports.sections import speed
from reports.sections.speed import Measured, cell, head, percent, rated

EXPLAINED = (
    "Speed of a training step, of a pass forward without gradient, and of generating, each timed on its own after "
    "warming up. Tokens that only pad are not counted. Below a number stands its 95 % interval, that of the "
    "median over repeated timings; for tokens a second of one sequence it is that of a further token. "
    "These hold for the machine named below and for no other."
)
TRAIN = "train_target_tokens_per_second", "train_step_seconds"
ONE = "generate_tokens_per_second_1", "token_seconds"


def sections(stored: Stored, most: Limits) -> list[Section]:
    """One section a task."""
    found = speed.measured(stored, "throughput")
    return [_section(task, speed.named(rows), most) for task, rows in [*found.items()][: most.tasks]]


def _section(task: str, found: Sequence[Measured], most: Limits) -> Section:
    shown, note = parts.first(found, most.lines, len(found), "configurations")
    drawings = [d for d in (_training_drawing(task, shown), _generating_drawing(task, shown)) if d]
    notes = [note, speed.starred(shown), speed.remarks(shown)]
    tables = (_training(task, shown), _generating(task, shown), _resources(task, shown))
    return Section(words.task(task), tuple(drawings), tables, note=" ".join(n for n in notes if n))


def _training(task: str, found: Sequence[Measured]) -> Table:
    columns = (
        "model", "batch", "target tokens/s", "source tokens/s", "step, ms", "forward alone, ms",
        "forward, target tokens/s", "forward, source tokens/s", "padding in source, %", "padding in target, %",
    )  # fmt: skip
    rows = tuple(
        (
            head(one),
            Cell(words.count(number(one.row.result.config.get("batch")))),
            rated(one, *TRAIN),
            rated(one, "train_source_tokens_per_second", "train_step_seconds"),
            cell(one, "train_step_seconds", words.milliseconds),
            cell(one, "forward_seconds", words.milliseconds),
            *(rated(one, f"forward_{side}_tokens_per_second", "forward_seconds") for side in ("target", "source")),
            *(cell(one, f"padding_{side}", percent) for side in ("source", "target")),
        )
        for one in found
    )
    return _table(f"{words.task(task)}: training", columns, rows)


def _generating(task: str, found: Sequence[Measured]) -> Table:
    columns = (
        "model", "first token, ms", "each further token, ms", "tokens/s, one sequence", "tokens/s, best batch",
        "carried from token to token", "kept of the source",
    )  # fmt: skip
    rows = tuple(
        (
            head(one),
            cell(one, "first_token_seconds", words.milliseconds),
            cell(one, "token_seconds", words.milliseconds),
            rated(one, *ONE),
            cell(one, "generate_tokens_per_second_best", words.count, _best(one)),
            cell(one, "carry_bytes", words.memory),
            cell(one, "memory_bytes", words.memory),
        )
        for one in found
    )
    return _table(f"{words.task(task)}: generating", columns, rows)


def _best(one: Measured) -> str:
    batch = one.get("generate_best_batch")
    return f"batch {words.count(batch)}" if batch else ""


def _resources(task: str, found: Sequence[Measured]) -> Table:
    columns = (
        "model", "trained parameters", "all parameters", "operations a step", "GFLOP/s reached",
        "GFLOP/s of a matrix product", "share of it, %", "peak memory of a step", "energy a step, J", "compiling, s",
    )  # fmt: skip
    rows = tuple(
        (
            head(one),
            cell(one, "parameters_trained", words.amount),
            cell(one, "parameters_total", words.amount),
            cell(one, "flops_step", words.amount),
            cell(one, "flops_per_second", _billions),
            cell(one, "peak_flops_per_second", _billions),
            cell(one, "share_of_peak", percent),
            cell(one, "peak_bytes", words.memory),
            cell(one, "joules_per_step", words.significant),
            cell(one, "compile_seconds", words.seconds),
        )
        for one in found
    )
    return _table(f"{words.task(task)}: what a training step takes", columns, rows)


def _table(caption: str, columns: tuple[str, ...], rows: tuple[tuple[Cell, ...], ...]) -> Table:
    return Table(caption, columns, rows, numbers=(False, *[True] * (len(columns) - 1)))


def _billions(value: float | None) -> str:
    return "–" if value is None else words.significant(value / 1e9)


def _training_drawing(task: str, found: Sequence[Measured]) -> Drawing | None:
    rated = _ranked([(one, rate) for one in found if (rate := one.rate(*TRAIN))])
    bars = [Bar(one.drawn, one.model, rate, None, words.amount(rate.value)) for one, rate in rated]
    name = f"speed-training-{words.slug(task)}"
    return _drawing(task, "training, target tokens a second", name, bars)


def _generating_drawing(task: str, found: Sequence[Measured]) -> Drawing | None:
    rated = _ranked([(one, rate) for one in found if (rate := one.rate(*ONE))])
    bars = []
    for one, rate in rated:
        best = one.span("generate_tokens_per_second_best")
        text = " → ".join(words.amount(p.value) for p in (rate, best) if p)
        bars.append(Bar(one.drawn, one.model, rate, best.value if best else None, text))
    what = "generating, tokens a second"
    what += ", one sequence (filled) and best batch (hollow)" if any(bar.further for bar in bars) else ", one sequence"
    return _drawing(task, what, f"speed-generating-{words.slug(task)}", bars)


def _ranked(found: list[tuple[Measured, Point]]) -> list[tuple[Measured, Point]]:
    return sorted(found, key=lambda pair: -pair[1].value)[: speed.DRAWN]


def _drawing(task: str, what: str, name: str, bars: Sequence[Bar]) -> Drawing | None:
    if not bars:
        return None
    said = "; ".join(f"{bar.name} {bar.text}" for bar in bars)
    figure = speed_figures.rates(bars, "tokens a second (more is better)")
    return Drawing(figure, name, f"{words.task(task)}, {what}: {said}", words.capital(what))


def verdicts(stored: Stored, most: Limits) -> Iterator[tuple[str, str]]:
    """A sentence or two a task: which trains fastest and by how much, which generates fastest."""
    for task, rows in [*speed.measured(stored, "throughput").items()][: most.tasks]:
        found = speed.named(rows)
        heading, title = f"On {words.lowered(words.task(task))}", f"Throughput: {words.lowered(words.task(task))}"
        fair = speed.comparable(found)
        if not fair:
            yield title, f"{heading} {speed.incomparable(found)}"
            continue
        trained = sorted(_paced([(rate, one) for one in fair if (rate := one.rate(*TRAIN))]), key=_fastest)
        wrote = sorted(((rate, one) for one in fair if (rate := one.rate(*ONE))), key=_fastest)
        said = [_said(heading, "trains", trained), _said("One sequence at a time", "generates", wrote)]
        if any(said):
            yield title, " ".join(s for s in said if s)


def _paced(found: list[tuple[Point, Measured]]) -> list[tuple[Point, Measured]]:
    """Rates against that of the matrix product that took turns with each, so that minutes between models matter less.

    The rates themselves where there is one, where not every model has such a product beside it, or where the products
    were of unlike precision: half of the bits is no slower minute.
    """
    if len({one.row.result.config.get("precision") for _, one in found}) > 1:
        return found
    paced = []
    for rate, one in found:
        step, turns = one.span("train_step_seconds"), one.span("train_per_product")
        if step is None or turns is None:
            return found
        tokens = rate.value * step.value
        paced.append((Point(1.0, *(tokens / seconds for seconds in (turns.value, turns.high, turns.low))), one))
    return paced if len(paced) > 1 else found


def _fastest(pair: tuple[Point, Measured]) -> tuple[float, str]:
    return -pair[0].value, pair[1].name


def _said(heading: str, verb: str, ranked: Sequence[tuple[Point, Measured]]) -> str:
    if not ranked:
        return ""
    rate, best = ranked[0]
    start = f"{heading} {words.the(best.name)} {verb}"
    if len(ranked) == 1:
        return f"{start} {words.count(rate.value)} tokens a second; there is no other model to compare with."
    second, last = ranked[1], ranked[-1]
    if (found := ratio(rate, second[0])).low <= 1 and found.low < found.high:
        lead = f"{start} about as fast as {words.the(second[1].name)}: {speed.times(rate, second[0])}"
    else:
        lead = f"{start} {_as_fast(rate, second)}"
    return f"{lead}, and {_as_fast(rate, last)}." if len(ranked) > 2 else f"{lead}."


def _as_fast(rate: Point, other: tuple[Point, Measured]) -> str:
    factor, _, span = speed.times(rate, other[0]).partition(" times")
    return f"{factor} times as fast as {words.the(other[1].name)}{span}"
