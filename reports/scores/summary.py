"""What a reader must know before leaning on the numbers, and which models stay below a floor."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from reports import words
from reports.rows.settings import company, interruptions
from reports.rows.stored import Stored
from reports.scores.tables import Line

OURS = ("rnn", "lstm", "echo_state", "bahdanau", "transformer")


def warning(line: Line) -> str:
    """ "below the dictionary; below the nearest neighbour, which other test items could undo"."""
    parts = [under(firm)] if (firm := settled_below(line)) else []
    if line.undecided and line.interval:
        parts.append(f"{under(line.undecided)}, which other {line.interval.over} could undo")
    return "; ".join(parts)


def settled_below(line: Line) -> tuple[str, ...]:
    """Floors that score more, whatever other seeds or items would do."""
    return tuple(floor for floor in line.below if floor not in line.undecided)


def under(floors: Sequence[str]) -> str:
    """ "below the dictionary and the nearest neighbour"."""
    return f"below {words.listed([article(floor) for floor in floors])}"


def article(floor: str) -> str:
    """ "the dictionary"; a name with an article of its own keeps it."""
    return floor if floor.startswith(("the ", "a ", "an ")) else f"the {floor}"


def caveats(stored: Stored, found: dict[str, list[Line]]) -> list[str]:
    """What a reader must know before leaning on the numbers."""
    return [
        *_seeds(found), *_missing(stored, found), *_unlike(found), *_machines(stored), *_crowded(stored),
        *_interrupted(stored), *_left_out(stored),
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
    other = {row.result.model for row in stored.rows if row.result.probe != "floor"} - tried
    if untrained := [words.model(m) for m in OURS if m in other]:
        yield f"Measured otherwise, but not trained for a score here: {words.listed(untrained)}."
    if never := [words.model(m) for m in OURS if m not in tried | other]:
        yield f"Not in these runs: {words.listed(never)}."
    if bare := [words.task(task) for task, lines in found.items() if all(line.kind == "model" for line in lines)]:
        yield f"No floors were measured for {words.listed([b.lower() for b in bare])}: nothing says what is easy there."


def _unlike(found: dict[str, list[Line]]) -> Iterator[str]:
    for task, lines in found.items():
        rows = [row.result for line in lines if line.kind == "model" for row in line.rows]
        told = {id(of): of for of in (r.config.get("task") for r in rows)}  # rows that were told the same share it
        if len({json.dumps(of, sort_keys=True) for of in told.values()}) > 1:
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


def _crowded(stored: Stored) -> Iterator[str]:
    loud = sum(company(row.result) is True for row in stored.quality)
    if loud:
        yield (
            f"Others used the machine during {loud:,} of {words.plural(len(stored.quality), 'training')}: their "
            "seconds are too long, are marked, and say in no sentence who trains faster."
        )


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
