"""Tuning: what a search over settings tried, what it chose on validation, and how much the learning rate matters."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from reports import words
from reports.figures.long import Curve, Frame, Place
from reports.parts import Cell, Drawing, Limits, Section, Table, first
from reports.rows.fields import number
from reports.rows.settings import allowed
from reports.rows.stored import Row, Stored, finished, group
from reports.sections import long

TITLE = "Tuning"
EXPLAINED = (
    "How many trials each model had stands in the tables, and the seconds they took; they were judged on validation "
    "alone, and the test was not read. Trial 0 has the settings that the suite had before. A trial that falls behind "
    "the median of earlier ones is given up. The figure shows the best score of each trial against its learning rate, "
    "with dots without a line for those that were given up; other settings differ between the trials, too."
)
SETTINGS = 12  # of a winner that are named


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    """The trials of one model on one task under one budget and seed, the newest of each number."""

    model: str
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """The model, for people."""
        return words.model(self.model)

    def space(self) -> str:
        """What was searched: "rate 0.0003 to 0.01, pool last or highest"; nothing where rows do not tell."""
        told = self.rows[0].result.config.get("probe")
        text = told.get("space") if isinstance(told, dict) else ""
        try:
            found = json.loads(text) if isinstance(text, str) and text else {}
        except (ValueError, RecursionError):
            found = {}
        said = [
            f"{words.clean(str(key)).partition('.')[2]} {_range(ends)}" for key, ends in list(found.items())[:SETTINGS]
        ]
        return ", ".join(said)

    @property
    def done(self) -> list[Row]:
        """Those that came to a number."""
        return [row for row in self.rows if finished(row)]

    @property
    def whole(self) -> list[Row]:
        """Those that came to their end."""
        return [row for row in self.done if not row.result.metrics.get("pruned")]

    @property
    def best(self) -> Row | None:
        """The one that did best on validation."""
        return max(self.whole, key=_score, default=None)

    @property
    def own(self) -> Row | None:
        """The suite's settings, before."""
        return next((row for row in self.whole if _number(row) == 0), None)

    def varied(self) -> list[tuple[str, str]]:
        """The settings that were searched: those in which trials differ."""
        names = dict.fromkeys((part, name) for row in self.done for part in PARTS for name in group(row, part))
        return [key for key in names if len({json.dumps(group(row, key[0]).get(key[1])) for row in self.done}) > 1]


PARTS = ("learning", "model")


def _score(row: Row) -> float:
    return float(row.result.metrics["validation"])


def _number(row: Row) -> int | None:
    found = row.result.config.get("probe")
    told = found.get("number") if isinstance(found, dict) else None
    return told if isinstance(told, int) else None


def _range(ends: Any) -> str:
    if isinstance(ends, dict):
        return f"{_value(ends.get('low'))} to {_value(ends.get('high'))}{' (log)' if ends.get('log') else ''}"
    return words.listed([_value(one) for one in ends[:SETTINGS]], "or") if isinstance(ends, list) else _value(ends)


def searches(stored: Stored) -> dict[str, list[Search]]:
    """By task, a search a model."""
    found: dict[str, dict[tuple[str, str], dict[int | str, Row]]] = {}
    for row in stored.tuning:
        r, place = row.result, _number(row)
        one = (r.model, json.dumps([r.seed, allowed(r), r.config.get("batch"), r.suite], sort_keys=True, default=str))
        found.setdefault(r.task, {}).setdefault(one, {})[r.id if place is None else place] = row
    return {
        task: [Search(model, tuple(rows.values())) for (model, _), rows in own.items()] for task, own in found.items()
    }


def sections(stored: Stored, most: Limits) -> Iterator[Section]:
    """One section a task."""
    every = searches(stored)
    shown, note = first(every.items(), most.tasks, len(every), "tasks")
    for task, found in shown:
        metric = _metric(found)
        yield Section(
            words.task(task),
            tuple(_rates(task, found, metric)),
            (_table(task, found, metric, most), *_spaces(task, found, most)),
            note=note,
        )
        note = ""


def verdicts(stored: Stored, most: Limits) -> Iterator[tuple[str, str]]:
    """What each task's searches came to, a heading and a sentence."""
    for task, found in first(searches(stored).items(), most.tasks, 0, "tasks")[0]:
        write = long.united(_metric(found))
        better, same, none = list[str](), list[str](), list[str]()
        for one in found[: most.lines]:
            own, best, name = one.own, one.best, words.the(one.name)
            if best is None:
                none.append(name)
            elif own is None or best is own:
                same.append(name)
            else:
                better.append(f"{name} from {write(_score(own))} to {write(_score(best))}")
        said = [f"a search took {words.several(better)} on validation"] if better else []
        said += [f"for {words.several(same)} nothing did better than the suite's own settings"] if same else []
        said += [f"for {words.several(none)} no trial came to its end"] if none else []
        yield f"Tuning: {words.lowered(words.task(task))}", f"{words.capital('; '.join(said))}."


def _metric(found: Iterable[Search]) -> str:
    notes = (row.result.config.get("notes") for one in found for row in one.done)
    told = (note.get("metric") for note in notes if isinstance(note, dict))
    return next((name for name in told if isinstance(name, str) and name), "validation")


def _rates(task: str, found: Sequence[Search], metric: str) -> Iterator[Drawing]:
    curves = []
    for one in found[: long.DRAWN]:
        whole = sorted((rate, _score(row)) for row in one.whole if (rate := _rate(row)))
        given_up = [(rate, _score(row)) for row in one.done if row not in one.whole and (rate := _rate(row))]
        curves.append(Curve(one.name, one.model, [Place(x, y, y, y) for x, y in whole], given_up, each="given up"))
    drawn = long.drawing(
        curves, Frame("learning rate", f"{words.headed(metric)} on validation"), f"rates-{words.slug(task)}",
        words.task(task), "best score on validation of each trial against its learning rate", long.score(metric),
    )  # fmt: skip
    return iter([drawn] if drawn else [])


def _rate(row: Row) -> float | None:
    rate = number(group(row, "learning").get("rate"))
    return rate if rate and 0 < rate <= 10 else None


HEAD = ("model", "trials", "given up", "failed", "updates each", "training", "before", "best", "settings of the best")


def _table(task: str, found: Sequence[Search], metric: str, most: Limits) -> Table:
    write = long.score(metric)
    shown, note = first(found, most.lines, len(found), "models")
    rows = []
    for one in shown:
        own, best = one.own, one.best
        given_up = len(one.done) - len(one.whole)
        seconds = sum(number(row.result.metrics.get("seconds")) or 0.0 for row in one.done)
        before, after = ("–" if row is None else write(_score(row)) for row in (own, best))
        rows.append((
            Cell(one.name), Cell(words.count(len(one.rows))), Cell(words.count(given_up)),
            Cell(words.count(len(one.rows) - len(one.done))), Cell(_updates(one)), Cell(words.seconds(seconds)),
            Cell(before), Cell(after, strong=True), Cell(_settings(one)),
        ))  # fmt: skip
    caption = f"{words.task(task)}: {words.headed(metric)} on validation, before and after"
    return Table(caption, HEAD, tuple(rows), numbers=(False, *[True] * 7, False), note=note)


def _spaces(task: str, found: Sequence[Search], most: Limits) -> Iterator[Table]:
    """What was searched, where rows tell."""
    rows = tuple((Cell(one.name), Cell(said)) for one in found[: most.lines] if (said := one.space()))
    if rows:
        yield _ranges(task, rows)


def _ranges(task: str, rows: tuple[tuple[Cell, ...], ...]) -> Table:
    return Table(
        f"{words.task(task)}: what was searched", ("model", "settings and their ranges"), rows, numbers=(False, False)
    )


def _updates(one: Search) -> str:
    told = {n for row in one.rows if (n := number(row.result.budget.get("updates")))}
    return words.listed([words.count(n) for n in sorted(told)[:3]]) if told else "–"


def _settings(one: Search) -> str:
    """What the winner chose of what was searched."""
    if one.best is None:
        return "no trial came to its end"
    if one.best is one.own:
        return "the suite's own"
    said = [f"{words.clean(name)} {_value(group(one.best, part).get(name))}" for part, name in one.varied()]
    return ", ".join(said[:SETTINGS]) or "the suite's own"


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return words.clean(str(value))[:40]
