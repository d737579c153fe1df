"""Data against model: scores and seconds of training against the number of examples."""

from __future__ import annotations

from collections.abc import Sequence

from bench.statistics import difference_over_seeds
from reports import words
from reports.figures.long import Curve, Frame
from reports.parts import Cell, Drawing, Limits, Section, Table
from reports.rows.stored import Stored
from reports.sections import long, seeded
from reports.sections.seeded import Line, Panel

TITLE = "Data against model"
EXPLAINED = (
    "The same model trained on more and more examples, each set holding the smaller ones, with the score on the test. "
    "Lines are means over seeds, bars their range; below a mean in a table stands its 95 % interval over seeds. "
    "A lead is told from the next model's by Welch's interval of the difference, which takes no account of how many "
    "pairs are looked at."
)


def sections(stored: Stored, most: Limits) -> list[Section]:
    """One section a task and variant."""
    return long.sections(
        stored, "data_curve", most, TITLE, EXPLAINED, lambda p, lines: _section(p, lines, most.columns)
    )


def _section(panel: Panel, lines: Sequence[Line], columns: int) -> Section:
    drawings = tuple(d for d in (_scores(panel, lines), _seconds(panel, lines)) if d)
    return Section("", drawings, _tables(panel, lines, columns), said=_leads(panel, seeded.chief(lines)))


def _scores(panel: Panel, lines: Sequence[Line]) -> Drawing | None:
    name = long.metric(lines)
    frame = Frame("examples of training", words.headed(name))
    return _drawn(panel, lines, "score", frame, f"{words.metric(name)} on the test", "score")


def _seconds(panel: Panel, lines: Sequence[Line]) -> Drawing | None:
    frame = Frame("examples of training", "training, s", steep=True)
    return _drawn(panel, lines, "seconds", frame, "seconds of training", "seconds")


def _drawn(panel: Panel, lines: Sequence[Line], value: str, frame: Frame, caption: str, slug: str) -> Drawing | None:
    curves = []
    for one in lines[: long.DRAWN]:
        found = [p for p in long.places(one.curve("examples", value)) if p.x >= 1 and (p.low > 1e-6 or not frame.steep)]
        curves.append(Curve(one.name, one.model, found))
    write = words.seconds if value == "seconds" else long.score(long.metric(lines))
    return long.drawing(
        curves, frame, f"data-{slug}-{panel.slug}", panel.title, f"{caption} against examples of training", write
    )


def _tables(panel: Panel, lines: Sequence[Line], most: int) -> tuple[Table, ...]:
    sizes = long.common(lines, "examples", "score")
    kept, name = sizes[:most], long.metric(lines)
    columns = ("model", "seeds", *(words.count(n) for n in kept))
    made = []
    for what, value, write, cell in (
        (f"{words.headed(name)} by number of examples", "score", long.score(name), long.estimated),
        ("seconds of training by number of examples", "seconds", words.seconds, long.ranged),
    ):
        rows = []
        for one in lines:
            found = one.curve("examples", value)
            rows.append((long.head(one), Cell(words.count(one.seeds)), *(cell(found.get(n, []), write) for n in kept)))
        made.append(Table(f"{panel.title}: {what}", columns, tuple(rows), numbers=long.numbered(columns)))
    return tuple(made)


def _leads(panel: Panel, lines: Sequence[Line]) -> tuple[str, ...]:
    """Where one model is ahead by more than seeds explain, a sentence a model."""
    write = long.united(long.metric(lines))
    unit = long.score(long.metric(lines))
    said: dict[Line, list[str]] = {}
    sizes = long.common(lines, "examples", "score")
    compared = False  # whether any two had seeds enough
    for size in sizes:
        found = [(ys, one) for one in lines if (ys := one.curve("examples", "score").get(size))]
        found.sort(key=lambda pair: -long.mean(pair[0]))
        if len(found) < 2:
            continue
        (best, first), (next_, second) = found[:2]
        gap = difference_over_seeds(best, next_)
        compared = compared or gap is not None
        if gap is not None and gap.low > 0:
            gained = f"{unit(long.mean(best) - long.mean(next_))} ({unit(gap.low)} to {unit(gap.high)})"
            scored = f"{write(long.mean(best))}{long.sure(best, write, long.metric(lines))}"
            told = f"with {words.count(size)} examples at {scored}, {gained} above {second.the}"
            said.setdefault(first, []).append(told)
    if said:
        ahead = [f"On {panel.said} {one.the} leads {words.several(own, most=2)}." for one, own in said.items()]
        return (*ahead, "At other numbers of examples the first two are not told apart by their seeds.")
    why = "their seeds do not tell them apart" if compared else "one seed each leaves nothing to judge a lead by"
    return (f"On {panel.said} no model is ahead of the next at any number of examples by more than is sure: {why}.",)
