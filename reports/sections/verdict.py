"""One task in a few sentences: who leads whom, by how much and how surely, and what that costs.

What is said of two models comes from their pair (reports.scores.pairs), the same that the tables show: "leads" where
chance is ruled out at 5 % after Holm's correction, "not separable" where it is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.statistics import BOTH, ITEMS, SEEDS
from reports import words
from reports.rows.settings import machine
from reports.scores.beside import busy, seconds
from reports.scores.pairs import APART, LEADS, Pair
from reports.scores.summary import settled_below, under
from reports.scores.tables import Line

ALIKE = 1.1  # times as long: up to it two trainings took about as long
ROOM = words.LONGEST  # characters; a sentence that would be cut is left out


def verdict(task: str, found: Sequence[Line], duels: Sequence[Pair] = (), tried: bool = True) -> str:
    """Which model leads, by how much, at which pace; who stays below a floor; what it costs. `duels`, best first.

    `tried`: whether any model was started on the task at all.
    """
    models = [line for line in found if line.kind == "model"]
    if not models:
        return f"No model {'finished' if tried else 'was trained on'} {heading(task, found)}."
    best = models[0]
    if best.value == 0 and len(models) > 1 and words.unit(best.metric):
        return f"On {heading(task, found)} no model gets beyond {scored(best)}. {_below(models)}".strip()
    own = [pair for pair in duels if pair.better is best and pair.worse.metric == best.metric]
    first = _ahead(own) if own else _alone(models)
    said = [f"On {heading(task, found)} {first}.", _below(models), *_others(own), _cheaper(models)]
    return _fitting(part for part in said if part)


def _fitting(said: Iterable[str]) -> str:
    """The sentences for which there is room, the first ones first: tables and warnings say the rest."""
    told = ""
    for sentence in said:
        if len(told) + len(sentence) < ROOM:
            told = f"{told} {sentence}".strip()
    return told


def heading(task: str, found: Sequence[Line]) -> str:
    """ "translation (English to Spanish)"."""
    told = [line.rows[0].result.config.get("task") for line in found]
    direction = next((d for t in told if isinstance(t, dict) and (d := words.direction(t))), "")
    return words.lowered(words.task(task)) + (f" ({direction})" if direction else "")


def scored(line: Line) -> str:
    """ "21.3 BLEU"; "81.0 % accuracy"; "49.5 % exact answers"."""
    return f"{words.number(line.value, line.metric)}{words.unit(line.metric)} {_measure(line.metric)}"


def _measure(metric: str) -> str:
    return "exact answers" if metric == "exact" else words.metric(metric)


def _alone(models: Sequence[Line]) -> str:
    alone = "; no other model to compare with" if len(models) == 1 else ""
    return f"the best is {words.the(models[0].name)} with {scored(models[0])}{alone}"


def _ahead(own: Sequence[Pair]) -> str:
    """The best and the next: "the transformer leads the LSTM by 2.1 BLEU (1.2 to 3.0, 5 seeds) and trains faster"."""
    pair = own[0]
    best, second = words.the(pair.better.name), words.the(pair.worse.name)
    if pair.verdict == LEADS:
        return f"{best} leads {second} by {_points(pair)} ({_sure(pair)}){_pace(pair)}; it scores {scored(pair.better)}"
    if _level(pair):
        return f"{best} and {second} are level with {scored(pair.better)}{_doubt(pair)}{_price(pair)}"
    if pair.verdict == APART:
        return (
            f"{best} with {scored(pair.better)} and {second} with {_number(pair.worse)} are not separable: "
            f"a difference of {_points(pair)} ({_sure(pair)}{_corrected(pair)}){_price(pair)}"
        )
    return (
        f"{best} scores {scored(pair.better)}, {_points(pair)} more than {second}, "
        f"with no interval to judge it by{_price(pair)}"
    )


def _corrected(pair: Pair) -> str:
    """What keeps an interval without zero from a lead: of several pairs some lie apart by chance."""
    if pair.span is None or pair.p is None or not pair.span.settles:
        return ""
    many = f" corrected for {pair.tests} pairs, which decides" if pair.tests > 1 else ""
    return f"; p = {pair.p:.2g}{many}"


def _number(line: Line) -> str:
    return f"{words.number(line.value, line.metric)}{words.unit(line.metric)}"


def _level(pair: Pair) -> bool:
    return words.number(pair.gap, pair.better.metric) == words.number(0, pair.better.metric)


def _doubt(pair: Pair) -> str:
    return f" ({_sure(pair)})" if pair.span else ""


def _points(pair: Pair) -> str:
    """ "2.1 BLEU"; "0.8 points of accuracy" where the score is a share."""
    metric = pair.better.metric
    gap = words.number(pair.gap, metric)
    if not words.unit(metric):
        return f"{gap} {_measure(metric)}"
    return f"{gap} {'point' if gap == '1.0' else 'points'} of {_measure(metric)}"


def _sure(pair: Pair) -> str:
    """ "1.2 to 3.0, 5 seeds and 869 test items"; of one seed each, that it is about these two trainings alone."""
    span, metric = pair.span, pair.better.metric
    if span is None:
        return "no interval"
    told = f"{words.number(span.low, metric)} to {words.number(span.high, metric)}, {span.told}"
    if span.over != ITEMS:
        return told
    single = [line for line in (pair.better, pair.worse) if len(line.rows) == 1]
    return f"{told} of one seed{' each' if len(single) == 2 else f' of {words.the(single[0].name)}' if single else ''}"


def _pace(pair: Pair) -> str:
    """ " and trains 3.4 times faster"; ", but takes 3.4 times as long to train"."""
    ratio = _ratio(pair)
    if ratio is None:
        return ""
    if ratio >= ALIKE:
        return f" and trains {words.times(ratio)} times faster"
    return f", but takes {_longer(1 / ratio)} to train" if ratio * ALIKE <= 1 else " and takes about as long to train"


def _price(pair: Pair) -> str:
    """The same where neither leads: "; the transformer trains 3.4 times faster"."""
    ratio = _ratio(pair)
    if ratio is None:
        return ""
    if 1 / ALIKE < ratio < ALIKE:
        return "; both take about as long to train"
    faster = pair.better if ratio > 1 else pair.worse
    return f"; {words.the(faster.name)} trains {words.times(max(ratio, 1 / ratio))} times faster"


def _longer(ratio: float) -> str:
    return f"{words.times(ratio)} times as long"


def _ratio(pair: Pair) -> float | None:
    """Seconds of the second a second of the first; None where they were not timed alone on one machine."""
    timed = seconds([pair.better, pair.worse])
    if len(timed) < 2 or len({_machine(line) for line in timed}) > 1:
        return None
    return timed[pair.worse] / timed[pair.better]


def _machine(line: Line) -> tuple[str, ...]:
    told = {"processor": line.rows[0].result.environment.get("processor"), **machine(line.rows[0].result)}
    return tuple(str(value) for value in told.values())


def _others(own: Sequence[Pair]) -> list[str]:
    """What is said of the best and each model after the second; and what one seed cannot tell."""
    near = [pair for pair in own[1:] if pair.verdict == APART]
    far = [pair for pair in own[1:] if pair.verdict == LEADS]
    trained = [pair for pair in own if pair.verdict == LEADS and pair.span and pair.span.over == ITEMS]
    again = bool(own) and own[0].verdict == LEADS
    near_end, far_end = ("", " too") if again else (" either", "")
    told = [f"is not separable from {_partners(near)}{near_end} ({_apart(near)})"] if near else []
    told += [f"leads {_partners(far)}{far_end}, by {_apart(far)}"] if far else []
    best = words.capital(words.the(own[0].better.name)) if own else ""
    return [f"{best} {', and '.join(told)}." if told else "", "Other seeds may differ." if trained else ""]


def _partners(pairs: Sequence[Pair]) -> str:
    return words.several([words.the(pair.worse.name) for pair in pairs])


def _apart(pairs: Sequence[Pair]) -> str:
    """ "0.4 BLEU"; "1.2 to 2.1 points": from the smallest gap to the largest."""
    metric = pairs[0].better.metric
    low, high = (words.number(f(pair.gap for pair in pairs), metric) for f in (min, max))
    unit = "points" if words.unit(metric) else words.metric(metric)
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"


def _below(models: Sequence[Line]) -> str:
    """Which models score less than which floors, and whether the intervals settle it."""
    over = {line: line.interval.over if line.interval else "" for line in models if line.higher}
    bare = {line: line.below for line in over if not over[line]}
    firm = {line: settled_below(line) for line in over if over[line]}
    said = [_lower(firm, ("stays", "stay"), ""), _lower(bare, ("scores", "score"), "with no interval to judge it by")]
    for what in (SEEDS, ITEMS, BOTH):
        loose = {line: line.undecided for line in over if over[line] == what}
        said.append(_lower(loose, ("is", "are"), f"by a gap that other {what} could undo"))
    return " ".join(part for part in said if part)


def _lower(below: dict[Line, tuple[str, ...]], verbs: tuple[str, str], how: str) -> str:
    """One sentence of those that are below some floor; nothing where none is."""
    low = {line: floors for line, floors in below.items() if floors}
    if not low:
        return ""
    alike, end = {*low.values()}, f", {how}." if how else "."
    if len(alike) == 1:
        names = words.several([words.the(line.name) for line in low])
        return words.capital(f"{names} {verbs[len(low) > 1]} {under(alike.pop())}{end}")
    each = [f"{words.the(line.name)} {verbs[0]} {under(floors)}" for line, floors in low.items()]
    return words.capital(words.several(each)) + end


def _cheaper(models: Sequence[Line]) -> str:
    """What the best cost, and the quickest that is worth its time: one above the floors."""
    timed, best = seconds(models), models[0]
    if best not in timed:
        return ""
    took = words.duration(timed[best])
    alone = f"{words.capital(words.the(best.name))} trained in {took}"
    if any(map(busy, models)):  # who is quickest, nobody knows
        return f"{alone}."
    quick = min([line for line in timed if not line.below] or [best], key=timed.__getitem__)
    quickest = min(timed, key=timed.__getitem__)
    if quick is best or timed[best] < 1.25 * timed[quick]:
        return f"{alone}{', quickest of all' if len(timed) > 1 and best is quickest else ''}."
    which = f"The quickest{'' if quick is quickest else ' above the floors'}, {words.the(quick.name)},"
    return f"{which} trained in {words.duration(timed[quick])} against {took} of the best, and scores {scored(quick)}."
