"""Scaling: time and memory against length, how fast they grow, and where one model passes another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

from bench.statistics import Crossover, Point, crossover
from reports import parts, words
from reports.figures.speed import Series
from reports.parts import Cell, Drawing, Limits, Section, Table
from reports.rows.fields import number
from reports.rows.stored import Row, Stored
from reports.sections import speed
from reports.sections.speed import Measured, cell, company, head

EXPLAINED = (
    "Lengths (or widths) double until memory or time ends. An exponent is the power of length with which a number "
    "grows, 1 where twice the length takes twice as much: over short lengths, where fixed costs rule, and over long "
    "ones. Below a "
    "number stands its 95 % interval. A crossing is where two curves meet for the last time, with a 95 % interval "
    "that follows from those of the timings; of memory it goes from the least to the most that three passes needed."
)
TRAFFIC = (
    "Both ends of a doubling took turns, where that is stored. Operations are the model's formula. Memory traffic is "
    "the bytes of all tensors that the operators of one call read and wrote, counted while it ran: of a fused operator "
    "only what goes in and out. Where time grows otherwise than operations, the rates say why: few GFLOP/s at many "
    "GB/s wait for memory, few of both for the start of operators."
)
PAIRED = 8  # configurations of which every pair is compared
WHATS = {
    "whole": "whole training step",
    "encoder": "encoder alone, forward and backward",
    "width": "whole training step against width",
}
TIME = "step_seconds", "step_low", "step_high"
WRITING = "generate_seconds", "generate_low", "generate_high"


class Panel(NamedTuple):
    """What is measured, on equal terms."""

    task: str
    what: str  # the whole step or the encoder, or "width" where that is what doubles
    equal: str  # what the models have in common: width or parameters
    batch: str
    device: str

    @property
    def title(self) -> str:
        """The panel as a heading."""
        said = [WHATS.get(self.what, words.clean(self.what)[:48]), self.equal, self.batch, self.device]
        return ": ".join(s for s in (words.task(self.task), ", ".join(s for s in said if s)) if s)

    @property
    def along(self) -> str:
        """What doubles from point to point."""
        return "width" if self.what == "width" else "length"

    @property
    def slug(self) -> str:
        """The panel as part of a file's name."""
        return words.slug(" ".join(self))


def sections(stored: Stored, most: Limits) -> list[Section]:
    """One section a panel: models of equal width, models of equal parameters, encoders alone."""
    return [_section(panel, found, most) for panel, found in [*_panels(stored).items()][: most.tasks]]


def _panels(stored: Stored) -> dict[Panel, list[Measured]]:
    found: dict[Panel, list[Row]] = {}
    for task, rows in speed.measured(stored, "scaling").items():
        for row in rows:
            told = row.result.config.get("probe")
            settings = told if isinstance(told, dict) else {}
            what = str(settings.get("what", "")) if settings.get("along") != "width" else "width"
            found.setdefault(Panel(task, what, _equal(settings), *_where(row)), []).append(row)
    alike = [len({panel[place] for panel in found}) < 2 for place in range(len(Panel._fields))]
    named = {panel: speed.named(rows) for panel, rows in found.items()}
    return {p._replace(batch=p.batch * (not alike[3]), device=p.device * (not alike[4])): n for p, n in named.items()}


def _where(row: Row) -> tuple[str, str]:
    """ "batch 16", "cuda"."""
    size, device = number(row.result.config.get("batch")), row.result.environment.get("device")
    return "" if size is None else f"batch {words.count(size)}", words.clean(str(device or ""))[:24]


def _equal(settings: dict[str, object]) -> str:
    """ "equal width", where the probe says what its models have in common."""
    shared = settings.get("equal")
    return f"equal {words.clean(shared)[:24]}" if isinstance(shared, str) and shared else ""


def _section(panel: Panel, found: Sequence[Measured], most: Limits) -> Section:
    shown, note = parts.first(found, most.lines, len(found), "configurations")
    lines = f"The figures show the first {speed.DRAWN}." if len(shown) > speed.DRAWN else ""
    pairs = f"Pairs are those of the first {PAIRED}." if len(shown) > PAIRED else ""
    notes = " ".join(n for n in (note, lines, pairs, speed.starred(shown), speed.remarks(shown, but=("stopped",))) if n)
    tables = (_exponents(panel, shown), *_crossings(panel, shown[:PAIRED]), *_traffic(panel, shown))
    drawings = tuple(d for d in _drawings(panel, shown[: speed.DRAWN]) if d)
    return Section(panel.title, drawings, tables, note=notes)


def _drawings(panel: Panel, found: Sequence[Measured]) -> Iterator[Drawing | None]:
    for what, name, label, curve, write in (
        ("time of a step", "time", "ms", _time, words.significant),
        ("memory of a step", "memory", "MiB", _memory, words.significant),
        ("time to generate", "writing", "seconds", _writing, words.significant),
    ):
        series = [Series(one.drawn, one.model, curve(one)) for one in found]
        yield speed.drawing(series, panel.along, label, f"scaling-{name}-{panel.slug}", panel.title, what, write)


def _time(one: Measured) -> list[Point]:
    return speed.converted(_points(one, *TIME))


def _memory(one: Measured) -> list[Point]:
    return speed.converted(_points(one, "step_bytes", "step_bytes_low", "step_bytes_high"), 2.0**-20)


def _writing(one: Measured) -> list[Point]:
    return _points(one, *WRITING)


def _points(one: Measured, value: str, low: str, high: str) -> list[Point]:
    """Numbers against whatever doubles."""
    return one.points(value, low, high) or one.points(value, low, high, along="width")


def _exponents(panel: Panel, found: Sequence[Measured]) -> Table:
    length = panel.along == "length"
    small, large = ("short lengths", "long lengths") if length else ("small widths", "large widths")
    columns = (
        "model", "longest length" if length else "largest width", f"time, {small}", f"time, {large}",
        "time, last doubling", "memory", "generating", f"why there is no {'longer' if length else 'larger'} one",
    )  # fmt: skip
    names = ("exponent_flat", "exponent_steep", "last_octave_slope", "memory_exponent", "generate_exponent")
    rows = tuple(
        (
            head(one),
            cell(one, "longest_length" if length else "largest_width", words.count),
            *(cell(one, name, speed.power) for name in names),
            Cell(words.cut(words.clean(one.notes.get("stopped", "")), 160) or "–"),
        )
        for one in found
    )
    numbers = (False, *[True] * 6, False)
    return Table(f"{panel.title}: powers of {panel.along}", columns, rows, numbers=numbers)


def _traffic(panel: Panel, found: Sequence[Measured]) -> Iterator[Table]:
    """Beside each doubling's power of time those of operations and of memory traffic, which explain it."""
    rows = tuple(row for one in found for row in _doublings(one))
    if rows:
        columns = (
            "model", "lengths", "time", "operations", "memory traffic", "GFLOP/s at the longer", "GB/s at the longer",
        )  # fmt: skip
        title = f"{panel.title}: powers of length from doubling to doubling"
        yield Table(title, columns, rows, numbers=(False, False, *[True] * 5), note=TRAFFIC)


def _doublings(one: Measured) -> Iterator[tuple[Cell, ...]]:
    times = one.points(*TIME)
    paired = {p.length: p for p in one.points("growth", "growth_low", "growth_high")}
    flops, moved = ({p.length: p.value for p in one.points(name)} for name in ("flops", "moved_bytes"))
    for a, b in pairwise(times):
        if b.length == 2 * a.length and {a.length, b.length} <= flops.keys() & moved.keys():
            apart = Point(b.length, b.value / a.value, b.low / a.high, b.high / a.low)
            value, quicker, slower = (math.log2(times) for times in paired.get(b.length, apart)[1:])
            yield (
                head(one),
                Cell(f"{words.count(a.length)} to {words.count(b.length)}"),
                Cell(speed.power(value), f"{speed.power(quicker)} to {speed.power(slower)}"),
                *(Cell(speed.power(math.log2(amount[b.length] / amount[a.length]))) for amount in (flops, moved)),
                *(Cell(words.significant(amount[b.length] / b.value / 1e9)) for amount in (flops, moved)),
            )


def _crossings(panel: Panel, found: Sequence[Measured]) -> Iterator[Table]:
    rows = tuple(_pair(one, other) for one, other in combinations(found, 2))
    columns = ("pair", f"{panel.along}s", "time of a step", "time to generate", "memory of a step")
    if rows:
        numbers = (False,) * len(columns)
        yield Table(f"{panel.title}: where one model passes another", columns, rows, numbers=numbers)


def _pair(one: Measured, other: Measured) -> tuple[Cell, ...]:
    time, writing, memory = (_crossed(one, other, curve) for curve in (_time, _writing, _memory))
    both = time or memory
    warnings = dict.fromkeys(w for w in (company(one), company(other)) if w)
    return (
        Cell(f"{one.name} and {other.name}", warning="; ".join(warnings)),
        Cell(f"{words.count(both.first)} to {words.count(both.last)}" if both else "–"),
        Cell(_crossing(time, (one, other), "faster")),
        Cell(_crossing(writing, (one, other), "faster")),
        Cell(_crossing(memory, (one, other), "smaller")),
    )


def _crossed(one: Measured, other: Measured, curve: Callable[[Measured], list[Point]]) -> Crossover | None:
    a, b = curve(one), curve(other)
    return crossover(a, b) if a and b else None


def _crossing(found: Crossover | None, pair: tuple[Measured, Measured], better: str) -> str:
    """ "at 312 (290–330); beyond, the LSTM is faster"."""
    if found is None:
        return "–"
    lower = words.the(pair[found.lower].name)
    if not found.settled:
        return f"not told apart at {words.count(found.last)}"
    if found.length is None:
        always = f"never up to {words.count(found.last)}: {lower} is always {better}"
        return (
            always if found.high <= found.first else f"{always}, below {words.count(found.high)} by less than is sure"
        )
    return f"at {words.count(found.length)}{_within(found)}; beyond, {lower} is {better}"


def _within(found: Crossover) -> str:
    if found.low >= found.high:
        return ""
    return f" ({'at most ' if found.low <= found.first else f'{words.count(found.low)}–'}{words.count(found.high)})"


def verdicts(stored: Stored, most: Limits) -> Iterator[tuple[str, str]]:
    """How fast time grows, where models pass each other, who gets farthest."""
    for panel, found in [*_panels(stored).items()][: most.tasks]:
        fair = speed.comparable(found)
        title = f"Scaling, {words.lowered(panel.title)}"
        if not fair:
            yield title, words.capital(speed.incomparable(found))
            continue
        said = [_grown(fair, panel.along), *_passed(fair[:PAIRED], panel.along), _farthest(fair)]
        if any(said):
            yield title, " ".join(words.capital(s) for s in said if s)


def _grown(found: Sequence[Measured], along: str) -> str:
    done = sorted(((e, m) for m in found if (e := m.get("exponent_steep")) is not None), key=lambda pair: pair[0])
    if not done:
        return ""
    told = [done[0]] if len(done) == 1 else [done[0], done[-1]]
    said = [f"{speed.power(e)} for {words.the(m.name)}{_bounded(m)}" for e, m in told]
    where = "over long lengths the time of a step" if along == "length" else "over large widths the time of a step"
    return f"{where} grows with a power of {words.listed(said, 'to')}."


def _bounded(one: Measured) -> str:
    bounds = one.bounds("exponent_steep")
    return f" (95 % interval {speed.power(bounds[0])} to {speed.power(bounds[1])})" if bounds else ""


def _passed(found: Sequence[Measured], along: str, most: int = 2) -> list[str]:
    """The first crossings that are sure."""
    said: list[str] = []
    for one, other in combinations(found, 2):
        cross = _crossed(one, other, _time)
        if cross and cross.settled and cross.length is not None and cross.low > cross.first and len(said) < most:
            lower, upper = (one, other)[cross.lower], (one, other)[1 - cross.lower]
            span = f" (95 % interval {words.count(cross.low)} to {words.count(cross.high)})"
            at = words.count(cross.length)
            said.append(f"{words.the(lower.name)} is faster than {words.the(upper.name)} beyond {along} {at}{span}.")
    return said


def _farthest(found: Sequence[Measured]) -> str:
    done = sorted(((n, m) for m in found if (n := m.get("longest_length"))), key=lambda pair: -pair[0])
    if len(done) < 2 or done[0][0] == done[-1][0]:
        return ""
    (most, best), (least, worst) = done[0], done[-1]
    far = f"{words.the(best.name)} gets to length {words.count(most)}"
    return f"{far}, {words.the(worst.name)} to {words.count(least)}."
