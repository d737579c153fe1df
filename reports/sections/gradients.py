"""Gradient flow: how the gradient of the loss fades, or grows, with the distance from the end of the source."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from bench.statistics import Interval, difference_over_seeds, over_seeds
from reports import parts, words
from reports.figures.long import Curve, Frame, Place
from reports.parts import Cell, Drawing, Limits, Section, Table
from reports.rows.settings import base
from reports.rows.stored import Stored
from reports.sections import long, seeded
from reports.sections.seeded import Line, Panel

TITLE = "Gradient flow"
EXPLAINED = (
    "The norm of the gradient of the loss at each element of the source, against its distance from the end, in double "
    "precision; lines are medians over seeds, dashed before training and solid after it. The decay is by how much the "
    "natural logarithm of the norm falls with each step, with its 95 % interval over seeds; the half-life is ln 2 "
    "over the decay, where that is above zero. The validation loss is that of the examples whose gradients are looked "
    "at, the training loss that of the newest batch: they say how far a model had come when its gradient was taken. "
    "An update bursts where the norm of the whole gradient, before clipping, is above ten times the median norm of "
    "the 50 updates before it (of those there are, ten at least), so that a norm that falls as a model learns never "
    "does. What a trial did not store is “–”."
)
SETTINGS = {  # what tells variants of recurrent models apart: column, where the setting stands
    "start": ("model", "start"),
    "gain": ("model", "gain"),
    "forget bias": ("model", "forget"),
    "clipped at": ("learning", "clip"),
    "inputs times": ("probe", "input_scale"),
}
RECURRENT = ("rnn", "lstm")
CHANCE = {"synthetic.recall": (math.log(8), "ln 8")}  # loss of who guesses, in nats, by task
LEARNED = 0.5  # of that, below which a model learned the task
STAGES = 4  # between start and end, that are tabulated
FLAT = 1e-9  # a decay below which there is none
NOTHING = -299.0  # a logarithm below which the norm was nothing


def sections(stored: Stored, most: Limits) -> list[Section]:
    """One section a task and variant, after one that sets the variants of recurrent models side by side."""
    found = seeded.panels(stored, "gradients")
    made = long.sections(stored, "gradients", most, TITLE, EXPLAINED, _section)
    recurrent = [(p, one) for p, lines in found.items() for one in lines if one.model in RECURRENT]
    if len({panel for panel, _ in recurrent}) < 2:
        return made
    shown, note = parts.first(recurrent, most.lines, len(recurrent), "lines")
    return [*made, Section(f"{TITLE}: variants side by side", tables=(_side_by_side(shown, note),))]


def _section(panel: Panel, lines: Sequence[Line]) -> Section:
    drawn, chief = _drawing(panel, lines), seeded.chief(lines)
    said = tuple(s for s in (_rnn_and_lstm(panel, chief), _ends(panel, chief), _unlearned(panel, chief)) if s)
    tables = (_decays(panel, lines), _training(panel, lines))
    return Section("", (drawn,) if drawn else (), tables, said=said, note=_vanished(lines))


def _middles(lines: Sequence[Line]) -> list[int]:
    """The updates between start and end of training after which gradients were looked at."""
    stages = [sorted(one.curve("stage", "distance")) for one in lines]
    return sorted({int(stage) for own in stages for stage in own[:-1] if stage})[:STAGES]


def _decays(panel: Panel, lines: Sequence[Line]) -> Table:
    between = [(f"decay_{n}", f"after {words.plural(n, 'update')}") for n in _middles(lines)]
    when = (("decay_start", "at the start"), *between, ("decay", "after training"))
    ends = (when[0], when[-1])
    columns = (
        "model", "seeds", *(f"decay a step, {said}" for _, said in when),
        *(f"half-life {said}, steps" for _, said in ends), "shortest path to the loss",
    )  # fmt: skip
    rows = tuple(
        (
            long.head(one),
            Cell(words.count(one.seeds)),
            *(long.estimated(one.get(name), rate) for name, _ in when),
            *(half_life(one.get(name)) for name, _ in ends),
            long.ranged(one.get("path"), words.count),
        )
        for one in lines
    )
    return Table(f"{panel.title}: decay of the gradient", columns, rows, numbers=long.numbered(columns))


def _training(panel: Panel, lines: Sequence[Line]) -> Table:
    """How far each had come at each stage, and what the norms of whole gradients were on the way."""
    middles = _middles(lines)
    columns = (
        "model", "validation loss, at the start", *(f"after {words.plural(n, 'update')}" for n in middles),
        "after training", "training loss, after training", "updates that burst", "updates clipped, %", "largest norm",
    )  # fmt: skip
    rows = tuple(
        (
            long.head(one),
            *(long.ranged(one.get(f"validation_loss_{stage}"), loss) for stage in ("start", *middles)),
            long.ranged(_validation(one), loss),
            long.ranged(one.get("loss"), loss),
            long.ranged(one.get("bursts"), _few),
            long.ranged([100 * share for share in one.get("clipped_share")], words.number),
            long.ranged(one.get("norm_largest"), words.significant),
        )
        for one in lines
    )
    chance = CHANCE.get(base(panel.task))
    note = f"Who guesses has a loss of {chance[1]} = {loss(chance[0])}." if chance else ""
    return Table(f"{panel.title}: loss and norms", columns, rows, numbers=long.numbered(columns), note=note)


def _validation(one: Line) -> list[float]:
    """The loss on validation after training, once a seed."""
    last = max(one.curve("stage", "distance"), default=0.0)
    return one.get(f"validation_loss_{last:.0f}")


def loss(value: float | None) -> str:
    """A loss in nats, three digits."""
    return words.significant(value)


def _unlearned(panel: Panel, lines: Sequence[Line]) -> str:
    """Whose gradient "after training" is that of a model that had not learned the task."""
    chance = CHANCE.get(base(panel.task))
    if chance is None:
        return ""
    found = [(one, long.mean(own)) for one in lines if (own := _validation(one) or one.get("loss"))]
    weak = [f"{one.the} (loss {loss(value)})" for one, value in found if value >= LEARNED * chance[0]]
    if not weak:
        return ""
    return (
        f"When the gradient after training was taken, {words.several(weak)} had not learned {panel.said}: who guesses "
        f"has {chance[1]} = {loss(chance[0])}, and less than half of that counts as learned."
    )


def rate(value: float | None) -> str:
    """A decay, with three digits behind the point."""
    return "–" if value is None else f"{round(value, 3) + 0.0:.3f}".replace("-", "−")  # no minus before nothing


def _few(value: float | None) -> str:
    """A mean of counts: whole where it is."""
    return "–" if value is None else words.count(value) if value == round(value) else words.significant(value, 2)


def half_life(decays: Sequence[float]) -> Cell:
    """Steps in which the gradient halves, of the mean decay; "none" where it does not fall."""
    if not decays:
        return Cell("–")
    mean = long.mean(decays)
    if mean <= FLAT:
        return Cell("none", note="does not fall")
    return Cell(words.significant(math.log(2) / mean), note=_lives(over_seeds(decays)))


def _lives(span: Interval | None) -> str:
    if span is None or long.alike(span):
        return long.between(span, rate)
    low = words.significant(math.log(2) / span.high)
    return f"{low} to {words.significant(math.log(2) / span.low)}" if span.low > FLAT else f"{low} or more"


def _drawing(panel: Panel, lines: Sequence[Line]) -> Drawing | None:
    frame = Frame("distance from the end of the source", "log10 of the gradient's norm", linear=True)
    curves = [c for one in lines[: long.DRAWN] for c in _curves(one)]
    caption = "gradient against distance"
    return long.drawing(
        curves, frame, f"gradients-{panel.slug}", panel.title, caption, lambda v: words.number(v, "loss")
    )


def _curves(one: Line) -> Iterator[Curve]:
    stages = sorted(one.curve("stage", "distance"))
    for stage in dict.fromkeys((0.0, *stages[-1:])):
        found = one.curve("distance", "log10_norm", stage=stage)
        middles = {x: long.median(ys) for x, ys in found.items()}
        points = [Place(x, y, y, y) for x, y in middles.items() if y > NOTHING]
        if points:
            yield Curve(one.name, one.model, points, early=not stage)


def _vanished(lines: Sequence[Line]) -> str:
    gone = [
        one.the for one in lines if any(y <= NOTHING for ys in one.curve("distance", "log10_norm").values() for y in ys)
    ]
    return f"Gradients of {words.several(gone)} were zero in places, where the lines are left out." if gone else ""


def _pair(lines: Sequence[Line]) -> tuple[Line, Line] | None:
    """A vanilla RNN and an LSTM that start alike."""
    ours = [next((one for one in lines if one.model == model), None) for model in RECURRENT]
    first, second = ours
    if first is None or second is None:
        return None
    alike = all(first.told("model", key) == second.told("model", key) for key in ("start", "gain"))
    return (first, second) if alike else None


def _rnn_and_lstm(panel: Panel, lines: Sequence[Line]) -> str:
    """By how much the two differ that start alike."""
    pair = _pair(lines)
    if pair is None:
        return ""
    said = [
        s
        for when, name in (("at the start", "decay_start"), ("after training", "decay"))
        if (s := _gap(pair, name, when))
    ]
    start = pair[0].text("model", "start") or "the same"
    if not said:
        return ""
    return (
        f"On {panel.said}, both from {start} initialisation, the decay a step of {pair[0].the} minus that of "
        f"{pair[1].the} is {words.listed(said)}."
    )


def _gap(pair: tuple[Line, Line], name: str, when: str) -> str:
    one, other = (line.get(name) for line in pair)
    if not one or not other:
        return ""
    gap, span = long.mean(one) - long.mean(other), difference_over_seeds(one, other)
    if span is None:
        return f"{rate(gap)} {when} (too few seeds for an interval)"
    verdict = "" if span.settles else ", not told apart from none"
    return f"{rate(gap)} {when} (95 % interval over {span.n} seeds {long.between(span, rate)}{verdict})"


def _ends(panel: Panel, lines: Sequence[Line]) -> str:
    """In whom it fades most and least after training."""
    found = sorted(((long.mean(own), one) for one in lines if (own := one.get("decay"))), key=lambda pair: pair[0])
    if not found:
        return ""
    said = [
        f"{rate(value)} of {one.the}{long.sure(one.get('decay'), rate)}{_halves(value)}"
        for value, one in (found if len(found) == 1 else [found[0], found[-1]])
    ]
    goes = "goes from" if len(said) > 1 else "is"
    return f"On {panel.said} the decay a step after training {goes} {words.listed(said, 'to')}."


def _halves(decay: float) -> str:
    return f", half after {words.significant(math.log(2) / decay)} steps" if decay > FLAT else ""


def _side_by_side(found: Sequence[tuple[Panel, Line]], note: str) -> Table:
    """Variants of the RNN and of the LSTM, with what differs."""
    columns = (
        "model",
        "variant",
        "seeds",
        *SETTINGS,
        "decay at the start",
        "decay after training",
        "training loss",
        "updates that burst",
        "clipped, %",
    )
    rows = tuple(
        (
            long.head(one),
            Cell(panel.title),
            Cell(words.count(one.seeds)),
            *(Cell(_setting(one, *where)) for where in SETTINGS.values()),
            *(long.estimated(one.get(name), rate) for name in ("decay_start", "decay")),
            long.ranged(one.get("loss"), loss),
            long.ranged(one.get("bursts"), _few),
            long.ranged([100 * share for share in one.get("clipped_share")], words.number),
        )
        for panel, one in sorted(found, key=lambda pair: RECURRENT.index(pair[1].model))
    )
    numbers = (False, False, True, False, *[True] * (len(columns) - 4))
    caption = "Variants of the recurrent models, with what differs"
    return long.leading(Table(caption, columns, rows, numbers=numbers, note=note))


def _setting(one: Line, *where: str) -> str:
    if where[-1] == "forget" and one.model != "lstm":
        return "–"
    value = one.told(*where)
    if isinstance(value, str):
        return words.clean(value)[:24]
    n = one.number(*where)
    return "–" if n is None else "never" if where[-1] == "clip" and n >= 1e6 else words.significant(n, 2)
