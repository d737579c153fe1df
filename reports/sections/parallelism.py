"""Parallelism: how much of a model's work can be done at once, and where its time goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from bench.statistics import Point
from reports import parts, words
from reports.figures import speed as speed_figures
from reports.figures.speed import PARTS, Series
from reports.parts import Cell, Drawing, Limits, Section, Table
from reports.rows.stored import Stored
from reports.sections import speed
from reports.sections.speed import Measured, cell, head, percent

TITLE = "Parallelism"
SHARED = "device_efficiency"
EXPLAINED = (
    "How much is done at once: over the positions of a sequence (1: all at the same time; 0: one after another), over "
    "the sequences of a batch, over threads, and over devices that learn together. Step times against length are of "
    "one sequence; up to the knee they hardly grow. A ring marks the knee, or the batch that reaches half of the "
    "greatest throughput. Lines through the points are their 95 % intervals."
)


def sections(stored: Stored, most: Limits) -> list[Section]:
    """One section a task; there is one, of tokens drawn at random."""
    found = speed.measured(stored, "parallelism")
    return [_section(task, speed.named(rows), most) for task, rows in [*found.items()][: most.tasks]]


def _section(task: str, found: Sequence[Measured], most: Limits) -> Section:
    shown, note = parts.first(found, most.lines, len(found), "configurations")
    drawn = shown[: speed.DRAWN]
    lines = f"The figures show the first {speed.DRAWN}." if len(shown) > speed.DRAWN else ""
    drawings = tuple(d for d in _drawings(task, drawn) if d)
    notes = " ".join(n for n in (note, lines, speed.starred(shown), speed.remarks(shown)) if n)
    return Section(words.task(task), drawings, (_overview(task, shown), _steps(task, shown)), note=notes)


def _overview(task: str, found: Sequence[Measured]) -> Table:
    several = any(one.get(SHARED) is not None or SHARED in one.notes for one in found)
    columns = (
        "model", "done at once over time", "greatest throughput, tokens/s", "batch at half of it",
        "step at short lengths, ms", "knee, length", "power of length beyond it", "launches a position",
        *(["kept over devices, %"] if several else []),
    )  # fmt: skip
    rows = tuple(
        (
            head(one),
            cell(one, "parallel_fraction", _fraction, _at_longest(one)),
            cell(one, "greatest_tokens_per_second", words.count),
            cell(one, "half_batch", words.significant),
            cell(one, "flat_seconds", words.milliseconds),
            _knee(one),
            cell(one, "slope_exponent", speed.power),
            cell(one, "launches_per_position", words.significant),
            *([_over_devices(one)] if several else []),
        )
        for one in found
    )
    return _table(f"{words.task(task)}: what is done at once", columns, rows)


def _over_devices(one: Measured) -> Cell:
    """What devices that learn together keep of as many times the throughput of one."""
    kept, number, span = cell(one, SHARED, percent), one.get("devices"), one.bounds(SHARED)
    if number is None:
        return kept
    told = [speed.between(span, percent), f"of {words.count(number)} devices"]
    return dataclasses.replace(kept, note=", ".join(t for t in told if t))


def _fraction(value: float | None) -> str:
    return "–" if value is None else words.number(value, "loss") if abs(value) < 100 else words.significant(value)


def _at_longest(one: Measured) -> str:
    points = _shared(one)
    told = [speed.between(one.bounds("parallel_fraction"), _fraction)]
    told += [f"at length {words.count(points[-1].length)}"] if points else []
    return ", ".join(t for t in told if t)


def _shared(one: Measured, least: float = -speed.LARGE) -> list[Point]:
    """The share done at once against length."""
    return one.points("parallel_fraction", "parallel_fraction_low", "parallel_fraction_high", least=least)


def _knee(one: Measured) -> Cell:
    """The length beyond which a step grows; where the lengths measured hold none, that."""
    steps, knee = one.points("step_seconds"), one.get("knee_length")
    if knee is None or not steps or steps[0].length <= knee <= steps[-1].length:
        return cell(one, "knee_length", words.count)
    shown = cell(one, "knee_length", words.count, note="fitted beyond what was measured")
    side = (
        f"below {words.count(steps[0].length)}" if knee < steps[0].length else f"above {words.count(steps[-1].length)}"
    )
    return dataclasses.replace(shown, text=side, value=knee)


def _steps(task: str, found: Sequence[Measured]) -> Table:
    columns = ("model", *(f"{name}, %" for name, *_ in PARTS.values()))
    rows = tuple((head(one), *(cell(one, f"share_{part}", percent) for part in PARTS)) for one in found)
    return _table(f"{words.task(task)}: shares of a training step", columns, rows)


def _table(caption: str, columns: tuple[str, ...], rows: tuple[tuple[Cell, ...], ...]) -> Table:
    return Table(caption, columns, rows, numbers=(False, *[True] * (len(columns) - 1)))


def _drawings(task: str, found: Sequence[Measured]) -> Iterator[Drawing | None]:
    length = "length of source and target"
    part = [Series(m.drawn, m.model, [p for p in _shared(m, least=-1) if p.value <= 1]) for m in found]
    yield _drawn(task, "share done at once over time", "fraction", part, length, "share done at once", _fraction, True)
    batch = [_ringed(m, m.points("tokens_per_second", "low", "high", "batch"), "half_batch") for m in found]
    yield _drawn(task, "throughput against batch", "batch", batch, "batch", "tokens a second", words.amount)
    step = [_ringed(m, _scaled(m, "length", "step_low", "step_high"), "knee_length") for m in found]
    yield _drawn(task, "training step of one sequence", "step", step, length, "step, ms", words.significant)
    yield _shares(task, found)
    for what, name, label in (
        ("operations started", "launches", "launches"),
        ("matrix products that wait for each other", "chain", "longest chain"),
    ):
        series = [Series(m.drawn, m.model, m.points(name)) for m in found]
        yield _drawn(task, what, name, series, length, label, words.amount)
    threads = [Series(m.drawn, m.model, _scaled(m, "threads", "low", "high")) for m in found]
    yield _drawn(task, "training step against threads", "threads", threads, "threads", "step, ms", words.significant)
    devices = [Series(m.drawn, m.model, m.points("tokens_per_second", "low", "high", "devices")) for m in found]
    yield _drawn(task, "throughput against devices", "devices", devices, "devices", "tokens a second", words.amount)


def _scaled(one: Measured, along: str, low: str, high: str) -> list[Point]:
    """Step times in milliseconds."""
    return speed.converted(one.points("step_seconds", low, high, along))


def _ringed(one: Measured, points: list[Point], at: str) -> Series:
    return Series(one.drawn, one.model, points, speed.ring(points, one.span(at)))


def _drawn(
    task: str, what: str, name: str, series: Sequence[Series], along: str, label: str,
    write: Callable[[float | None], str], share: bool = False,
) -> Drawing | None:  # fmt: skip
    return speed.drawing(series, along, label, f"speed-{name}-{words.slug(task)}", words.task(task), what, write, share)


def _shares(task: str, found: Sequence[Measured]) -> Drawing | None:
    told = [(one.drawn, {part: one.get(f"share_{part}") or 0.0 for part in PARTS}) for one in found]
    whole = [(name, {p: v / total for p, v in own.items()}) for name, own in told if (total := sum(own.values())) > 0]
    if not whole:
        return None
    said = "; ".join(f"{name} {_most(own)}" for name, own in whole)
    caption = "Shares of a training step"
    alt = f"{words.task(task)}: {words.lowered(caption)}, most of it: {said}"
    return Drawing(speed_figures.shares(whole), f"speed-shares-{words.slug(task)}", alt, caption)


def _most(own: dict[str, float]) -> str:
    part = max(own, key=lambda p: own[p])
    return f"{PARTS[part][0]} {100 * own[part]:.0f} %"


def verdicts(stored: Stored, most: Limits) -> Iterator[tuple[str, str]]:
    """Which model does most at once, and how large a batch each needs."""
    for task, rows in [*speed.measured(stored, "parallelism").items()][: most.tasks]:
        found = speed.named(rows)
        fair = speed.comparable(found)
        heading = f"On {words.lowered(words.task(task))}"
        if not fair:
            yield TITLE, f"{heading} {speed.incomparable(found)}"
            continue
        said = [_ends(heading, fair), _batches(fair)]
        if any(said):
            yield TITLE, " ".join(s for s in said if s)


def _ends(heading: str, found: Sequence[Measured]) -> str:
    done = sorted(((f, m) for m in found if (f := m.get("parallel_fraction")) is not None), key=lambda pair: -pair[0])
    if not done:
        return ""
    (most, best), (least, worst) = done[0], done[-1]
    start = f"{heading} {words.the(best.name)} does {percent(most)} % of its work over time at once"
    return f"{start}, {words.the(worst.name)} {percent(least)} %." if len(done) > 1 else f"{start}."


def _batches(found: Sequence[Measured]) -> str:
    done = sorted(((s, m) for m in found if (s := m.span("half_batch"))), key=lambda pair: pair[0].value)
    if not done:
        return ""
    told = [done[0]] if len(done) == 1 else [done[0], done[-1]]
    said = [f"{words.significant(s.value)} for {words.the(m.name)}{_within(m)}" for s, m in told]
    return f"Half of the greatest throughput takes a batch of {words.listed(said)}."


def _within(one: Measured) -> str:
    bounds = one.bounds("half_batch")
    return f" (95 % interval {words.significant(bounds[0])} to {words.significant(bounds[1])})" if bounds else ""
