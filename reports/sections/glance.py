"""At a glance: every model on every task with its score, what it cost, and which scores are not separable."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from bench.statistics import ITEMS
from reports import figures, words
from reports.parts import Cell, Drawing, Table
from reports.scores import summary
from reports.scores.beside import Beside, Timings, crowd
from reports.scores.letters import EXPLAINED as LETTERS
from reports.scores.letters import FIRST, letters
from reports.scores.pairs import MANY, Pair
from reports.scores.tables import Line
from reports.sections import behind
from reports.sections.keys import Keys, note

FIRST_OF = 12  # models of a task; further configurations stand side by side
EXPLAINED = (
    "Scores on the test split, from best to worst, with what they cost. Bars and small print are 95 % intervals, over "
    "seeds, test items or both, as the table says."
)
CUT = f"Of many configurations {FIRST_OF} a task stand here, the best of each model first; all stand side by side."
TRAINED = "With one seed each that is said of these trainings alone, over test items."
TOGETHER = 6  # tasks up to which one table holds every cost; beyond, scores alone, and costs side by side
Found = Mapping[str, Sequence[Line]]
Marks = Mapping[Line, str]
NOBODY = Cell("–", note="no result")


def foremost(found: Found) -> dict[str, list[Line]]:
    """The floors of each task and at most so many of its models: the best of each, then the best of the rest."""
    return {task: _foremost(lines) for task, lines in found.items()}


def _foremost(lines: Sequence[Line]) -> list[Line]:
    models = [line for line in lines if line.kind == "model"]
    best = {line.model: line for line in reversed(models)}
    leading = {*best.values()}
    kept = {*sorted(models, key=lambda line: line not in leading)[:FIRST_OF]}  # stable: otherwise from best to worst
    return [line for line in lines if line.kind == "floor" or line in kept]


def marks(found: Found, duels: Mapping[str, Sequence[Pair]]) -> dict[Line, str]:
    """The letters of every model on every task."""
    models = {task: [line for line in lines if line.kind == "model"] for task, lines in found.items()}
    return {line: told for task, own in models.items() for line, told in letters(own, duels[task]).items()}


def explained(found: Found, marked: Marks, timings: Timings, whole: Found | None = None) -> str:
    """What the intervals mean, the letters where there are any, the numbers of speed, and what is left out."""
    cut = CUT if whole and any(len(found[task]) < len(lines) for task, lines in whole.items()) else ""
    many = any(sum(line.kind == "model" for line in lines) > MANY for lines in found.values())
    shown = [line for lines in found.values() for line in lines if line in marked]
    single = all(line.interval and line.interval.over == ITEMS for line in shown)
    letters = [LETTERS, FIRST if many else "", TRAINED if single else ""] if any(marked.values()) else []
    costs = _notes(found, timings) if len(found) <= TOGETHER else []
    return " ".join(said for said in (EXPLAINED, cut, *letters, *costs) if said)


def tidy(found: Found, marked: Marks, timings: Timings) -> pd.DataFrame:
    """One row a model and task, as `figures.glance` draws them; NaN where nothing is stored."""
    return pd.DataFrame(
        _record(line, marked.get(line, ""), timings.memory(line))
        for lines in found.values()
        for line in lines
        if line.kind == "model"
    )


def _record(line: Line, letter: str, memory: Beside | None) -> dict[str, object]:
    span, rates = line.interval, [line.means.get(f"{side}_tokens_per_second") for side in ("source", "target")]
    return {
        "task": line.task, "model": line.model, "name": line.name, "metric": line.metric, "value": line.value,
        "n": len(line.rows), "letters": letter,
        "low": span.low if span else math.nan, "high": span.high if span else math.nan,
        "train_seconds": line.means.get("train_seconds", math.nan),
        "train_tokens_per_second": sum(rate for rate in rates if rate) if any(rates) else math.nan,
        "generate_tokens_per_second": line.means.get("generate_tokens_per_second", math.nan),
        "peak_bytes": memory.value if memory else math.nan,
        "parameters_trained": line.means.get("parameters_trained", math.nan),
    }  # fmt: skip


def drawing(found: Found, marked: Marks, timings: Timings) -> Drawing:
    """One figure of all tasks, or of the first few."""
    shown = dict([*found.items()][:TOGETHER])
    table = tidy(shown, marked, timings)
    cut = f" (the first {TOGETHER} of {len(found):,} tasks)" if len(found) > TOGETHER else ""
    told = [f"{words.task(task)}: {_told(lines, marked)}" for task, lines in shown.items()]
    return Drawing(
        figures.glance(table),
        "overview",
        f"Scores and costs of every model{cut}. {'. '.join(told)}",
        f"Scores and costs{cut}; a panel starts at zero for scores, costs are logarithmic",
        _numbers(table),
        wide=True,
    )


def _numbers(table: pd.DataFrame) -> Table:
    """What the figure draws, a row a task and model: the score with its interval and seeds, then each cost."""
    costs = [name for name in figures.panels(table) if name != "value"]
    head = [
        "model",
        "task",
        "score",
        "from",
        "to",
        "seeds",
        *(" ".join(figures.MEASURES[name].split()) for name in costs),
    ]
    rows = tuple(
        (
            Cell(str(r["name"])), Cell(words.task(r["task"]), note=words.headed(r["metric"])),
            *(_exact(r[name], words.number(_number(r[name]), r["metric"])) for name in ("value", "low", "high")),
            Cell(str(r["n"])), *(_exact(figures.counted(name, r[name])) for name in costs),
        )
        for r in table.to_dict("records")
    )  # fmt: skip
    return Table("Scores and costs: the numbers", tuple(head), rows, numbers=(False, False, *[True] * (len(head) - 2)))


def _exact(value: float, text: str = "") -> Cell:
    """A number in few digits, with all of them behind it."""
    return Cell(text or words.significant(_number(value), 4), value=_number(value))


def _told(lines: Sequence[Line], marked: Marks) -> str:
    models = [line for line in lines if line.kind == "model"]
    said = [f"{x.name} {words.number(x.value, x.metric)} {marked.get(x, '')}".strip() for x in models]
    return f"{words.headed(lines[0].metric)}: {'; '.join(said)}"


def table(found: Found, marked: Marks, timings: Timings, keyed: Keys) -> Table:
    """Scores with all costs, a row a model and task; with many tasks the scores alone, models by tasks."""
    return _whole(found, marked, timings, keyed) if len(found) <= TOGETHER else _scores(found, marked, keyed)


def _whole(found: Found, marked: Marks, timings: Timings, keyed: Keys) -> Table:
    told = {(r["task"], r["name"]): r for r in tidy(found, marked, timings).to_dict("records")}
    tried = dict.fromkeys(line.model for lines in found.values() for line in lines if line.kind == "model")
    rows: list[tuple[Cell, ...]] = []
    for task, lines in found.items():
        models = [line for line in lines if line.kind == "model"]
        where = Cell(words.task(task), note=words.headed(lines[0].metric))
        rows += [_row(x, x is models[0], where, told[task, x.name], timings.memory(x), keyed) for x in models]
        absent = [model for model in tried if model not in {line.model for line in models}]
        rows += [(keyed.model(m, words.model(m)), where, NOBODY, *[Cell("–")] * 6) for m in absent]
    floors = [*_floors(found)]
    head = (
        "model", "task", "score", "group", "training, s", "tokens/s, training", "tokens/s, generating",
        "peak memory of a training step", "trained parameters",
    )  # fmt: skip
    caption = "Main score by model and task, with 95 % intervals, and its cost; the best of each task is bold."
    return Table(
        caption, head, (*rows, *floors), quiet=len(floors), numbers=(False, False, True, False, *[True] * 5)
    )  # fmt: skip


def _row(
    line: Line, best: bool, where: Cell, told: Mapping[Hashable, Any], memory: Beside | None, keyed: Keys
) -> tuple[Cell, ...]:
    total = line.means.get("parameters_total")
    trained = line.means.get("parameters_trained")
    fixed = total is not None and total != trained
    return (
        keyed.plain(line),
        where,
        behind.scored(line, note=note(line), strong=best, warning=summary.warning(line)),
        Cell(str(told["letters"]) or "–"),
        Cell(words.seconds(seconds := _number(told["train_seconds"])), value=seconds, warning=crowd(line)),
        Cell(words.count(_number(told["train_tokens_per_second"]))),
        Cell(words.count(_number(told["generate_tokens_per_second"]))),
        Cell(words.memory(memory.value), note=memory.note, value=memory.value) if memory else Cell("–"),
        Cell(words.amount(trained), note=f"of {words.amount(total)}" if fixed else "", value=trained),
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _floors(found: Found) -> Iterator[tuple[Cell, ...]]:
    """The best floor of each task."""
    for task, lines in found.items():
        best = next((line for line in lines if line.kind == "floor"), None)
        if best:
            where = Cell(words.task(task), note=words.headed(best.metric))
            yield Cell(f"floor: {best.name}"), where, behind.scored(best), *[Cell("–")] * 6


def _notes(found: Found, timings: Timings) -> list[str]:
    """What the numbers of speed count, and what would measure the memory that is missing."""
    models = [line for lines in found.values() for line in lines if line.kind == "model"]
    memory = [timings.memory(line) for line in models]
    timed = any("train_seconds" in line.means for line in models)
    said = ["Tokens a second in training are those of source and target together, without padding."] if timed else []
    if not all(memory):
        said.append(
            "Peak memory is missing where these runs hold no timing of a model: seqbench run speed measures it."
        )
    if any(one and one.other for one in memory):
        said.append("Peak memory comes from timings, some of them in other settings than those of the score.")
    return said


def _scores(found: Found, marked: Marks, keyed: Keys) -> Table:
    """Models down, tasks across."""
    known = {model: place for place, model in enumerate(summary.OURS)}
    models = {(line.model, line.name): line for lines in found.values() for line in lines if line.kind == "model"}
    order = sorted(models, key=lambda key: (known.get(key[0], len(known)), key[1]))
    rows = [
        (keyed.plain(models[key]), *(_scored(lines, key, marked) for lines in found.values())) for key in order
    ]  # fmt: skip
    floors = [next((line for line in lines if line.kind == "floor"), None) for lines in found.values()]
    if any(floors):
        best = [Cell(words.number(f.value, f.metric), note=f.name) if f else Cell("–") for f in floors]
        rows.append((Cell("the best floor"), *best))
    head = ("model", *(f"{words.task(t)}: {words.headed(lines[0].metric)}" for t, lines in found.items()))
    caption = "Main score by model and task, with 95 % intervals; the best of each task is bold."
    costs = "What each score cost stands side by side, a table a task."
    return Table(caption, head, tuple(rows), int(any(floors)), (False, *[True] * len(found)), costs)


def _scored(lines: Sequence[Line], key: tuple[str, str], marked: Marks) -> Cell:
    line = next((x for x in lines if (x.model, x.name) == key and x.kind == "model"), None)
    if line is None:
        return NOBODY
    letter = f"; {marked[line]}" if marked.get(line) else ""
    best = line is lines[0]
    return behind.scored(line, note=note(line) + letter, strong=best, warning=summary.warning(line))
