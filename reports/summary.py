"""What the numbers say, in plain words, and what they do not say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from bench.statistics import BOTH, ITEMS, SEEDS
from reports import words
from reports.stored import Stored, interruptions
from reports.tables import Line, difference

OURS = ("rnn", "lstm", "echo_state", "bahdanau", "transformer")


def verdict(task: str, found: Sequence[Line]) -> str:
    """One task in a few sentences: which model is best, by how much, what stays below a floor, what it costs."""
    models = [line for line in found if line.kind == "model"]
    if not models:
        return f"No model finished {heading(task, found)}."
    best = models[0]
    if best.value == 0 and len(models) > 1 and words.unit(best.metric):
        return f"On {heading(task, found)} no model gets beyond {scored(best)}. {_below(models)}".strip()
    said = [
        f"On {heading(task, found)} the best is {words.the(best.name)} with {scored(best)}{_above(models)}.",
        _below(models),
        _cheaper(models),
    ]
    return " ".join(part for part in said if part)


def heading(task: str, found: Sequence[Line]) -> str:
    """ "translation (English to Spanish)"."""
    told = [line.rows[0].result.config.get("task") for line in found]
    direction = next((d for t in told if isinstance(t, dict) and (d := words.direction(t))), "")
    name = words.task(task)
    return (name[:1].lower() + name[1:]) + (f" ({direction})" if direction else "")


def scored(line: Line) -> str:
    """ "21.3 BLEU"; "81.0 % accuracy"; "49.5 % exact answers"."""
    unit, name = words.unit(line.metric), words.metric(line.metric)
    return f"{words.number(line.value, line.metric)}{unit} {'exact answers' if line.metric == 'exact' else name}"


def _above(models: Sequence[Line]) -> str:
    if len(models) == 1:
        return "; no other model to compare with"
    best, second = models[:2]
    if best.metric != second.metric:
        return ""
    gap = words.number(best.value - second.value, best.metric)
    lead = f", {gap} {'points ' if words.unit(best.metric) else ''}above {words.the(second.name)}"
    if gap == words.number(0, best.metric):
        return f", level with {words.the(second.name)}"
    return lead + _settled(best, second)


def _settled(best: Line, second: Line) -> str:
    span = difference(best, second)
    if span is None:
        return ""
    return f", a lead that other {span.over} {'would hardly' if span.settles else 'could'} undo"


def _below(models: Sequence[Line]) -> str:
    """Which models score less than which floors, and whether the intervals settle it."""
    over = {line: line.interval.over if line.interval else "" for line in models if line.higher}
    bare = {line: line.below for line in over if not over[line]}
    firm = {line: _settled_below(line) for line in over if over[line]}
    said = [_lower(firm, ("stays", "stay"), ""), _lower(bare, ("scores", "score"), "with no interval to judge it by")]
    for what in (SEEDS, ITEMS, BOTH):
        loose = {line: line.undecided for line in over if over[line] == what}
        said.append(_lower(loose, ("is", "are"), f"by a gap that other {what} could undo"))
    return " ".join(part for part in said if part)


def _settled_below(line: Line) -> tuple[str, ...]:
    return tuple(floor for floor in line.below if floor not in line.undecided)


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


def warning(line: Line) -> str:
    """ "below the dictionary; below the nearest neighbour, which other test items could undo"."""
    parts = [under(firm)] if (firm := _settled_below(line)) else []
    if line.undecided and line.interval:
        parts.append(f"{under(line.undecided)}, which other {line.interval.over} could undo")
    return "; ".join(parts)


def under(floors: Sequence[str]) -> str:
    """ "below the dictionary and the nearest neighbour"."""
    return f"below {words.listed([article(floor) for floor in floors])}"


def article(floor: str) -> str:
    """ "the dictionary"; a name with an article of its own keeps it."""
    return floor if floor.startswith(("the ", "a ", "an ")) else f"the {floor}"


def _cheaper(models: Sequence[Line]) -> str:
    """What the best cost, and the quickest that is worth its time: one above the floors."""
    timed = [line for line in models if line.means.get("train_seconds", 0) > 0]
    if not timed or timed[0] is not models[0]:
        return ""
    best, worth = models[0], [line for line in timed if not line.below]
    quick = min(worth or [best], key=_price)
    took = words.duration(_price(best))
    if quick is best or _price(best) < 1.25 * _price(quick):
        quickest = len(timed) > 1 and best is min(timed, key=_price)
        return f"{words.capital(words.the(best.name))} trained in {took}{', quickest of all' if quickest else ''}."
    which = "The quickest" if quick is min(timed, key=_price) else "The quickest above the floors"
    share = f" and reaches {100 * quick.value / best.value:.0f} % of that score" if best.value > 0 else ""
    return f"{which}, {words.the(quick.name)}, trained in {words.duration(_price(quick))} against {took}{share}."


def _price(line: Line) -> float:
    return line.means["train_seconds"]


def caveats(stored: Stored, found: dict[str, list[Line]]) -> list[str]:
    """What a reader must know before leaning on the numbers."""
    return [
        *_seeds(found), *_missing(stored, found), *_unlike(found), *_machines(stored), *_interrupted(stored),
        *_left_out(stored),
    ]  # fmt: skip


def _seeds(found: dict[str, list[Line]]) -> Iterator[str]:
    models = [line for lines in found.values() for line in lines if line.kind == "model"]
    numbers = {len(line.rows) for line in models}
    if numbers == {1}:
        yield "One seed: differences between seeds are not measured. Intervals here are over test items."
    elif 1 in numbers:
        overs = sorted({line.interval.over for line in models if line.interval and len(line.rows) > 1})
        others = f", the others' over {words.listed(overs, 'or')}" if overs else ""
        yield f"Some models have one seed only: their intervals are over test items{others}."


def _missing(stored: Stored, found: dict[str, list[Line]]) -> Iterator[str]:
    tried = {row.result.model for row in stored.trials}
    if not tried and (stored.speed or stored.long or stored.tuning):
        return
    if not tried:
        yield "No trial of a model was run: only floors are shown."
        return
    for task in found:
        done = {row.result.model for row in stored.by_task.get(task, ()) if row.result.probe == "quality"}
        if absent := sorted(tried - done):
            names = words.several([words.model(m) for m in absent], "or")
            yield f"{words.task(task)} has no result for {names}."
    if never := [words.model(m) for m in OURS if m not in tried]:
        yield f"Not in these runs: {words.listed(never)}."
    if bare := [words.task(task) for task, lines in found.items() if all(line.kind == "model" for line in lines)]:
        yield f"No floors were measured for {words.listed([b.lower() for b in bare])}: nothing says what is easy there."


def _unlike(found: dict[str, list[Line]]) -> Iterator[str]:
    for task, lines in found.items():
        rows = [row.result for line in lines if line.kind == "model" for row in line.rows]
        if len({json.dumps(r.config.get("task"), sort_keys=True) for r in rows}) > 1:
            yield f"{words.task(task)} was run with unlike task settings: those lines are not comparable."
        if len({r.main for r in rows}) > 1:
            yield f"{words.task(task)} was run with unlike main metrics: its ranking is not meaningful."


def _machines(stored: Stored) -> Iterator[str]:
    environments = {id(e): e for e in (row.result.environment for row in stored.quality)}.values()
    if len({(str(e.get("processor")), str(e.get("device"))) for e in environments}) > 1:
        yield "Trials ran on unlike machines: their times are not comparable."
    threads = sorted({str(e["threads"]) for e in environments if "threads" in e}, key=lambda n: (len(n), n))
    if len(threads) > 1:
        numbers = words.several([words.clean(n)[:12] for n in threads])
        yield f"Trials ran with unlike numbers of threads ({numbers}): their times are not comparable."


def _interrupted(stored: Stored) -> Iterator[str]:
    times = [n for row in stored.trials if (n := interruptions(row.result)) > 0]
    if times:
        trials = words.plural(len(times), "trial")
        yield (
            f"Training was interrupted and went on from a checkpoint in {trials} "
            f"({words.plural(sum(times), 'time')} in all): the seconds there are sums over several parts."
        )


def _left_out(stored: Stored) -> Iterator[str]:
    if unfinished := sum(row.result.probe == "quality" for row in stored.unfinished):
        yield f"{words.plural(unfinished, 'trial')} of {len(stored.trials):,} gave no number: see Failures."
    if failed := sorted({words.task(row.result.task) for row in stored.unfinished if row.result.probe == "floor"}):
        yield f"Floors of {words.several([task.lower() for task in failed])} could not be measured: see Failures."
    for run, lines in stored.torn.items():
        yield f"{words.plural(lines, 'line')} of {words.clean(run)} could not be read and {_was(lines)} passed over."
    if stored.repeated:
        rows = words.plural(stored.repeated, "row")
        yield f"{rows} {_was(stored.repeated)} left out because a later one repeats the trial."
    if stored.other:
        rows = words.plural(stored.other, "row")
        yield f"{rows} of other probes {_was(stored.other)} left out: this page does not know them."


def _was(n: int) -> str:
    return "was" if n == 1 else "were"
