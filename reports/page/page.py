"""What stands on the page, once for HTML and Markdown: every number becomes text here, so that both say the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypedDict

from reports import figures, parts, words
from reports.parts import Drawing, Limits, Names, Page, Section, Table
from reports.rows.stored import Stored
from reports.scores import pairs, summary, tables
from reports.scores.beside import Timings
from reports.scores.pairs import Pair
from reports.scores.tables import Line
from reports.sections import (
    answers,
    appendix,
    attention,
    by_length,
    cost,
    data_curves,
    errors,
    extrapolation,
    fairness,
    glance,
    gradients,
    learning,
    long,
    masthead,
    on_trial,
    overall,
    parallelism,
    reproduction,
    scaling,
    sides,
    span,
    speed,
    throughput,
    truncation,
    tuning,
)
from reports.sections.fairness import Lists
from reports.sections.keys import Keys
from reports.sections.verdict import verdict
from reports.words import slug

__all__ = ["Page", "page", "slug"]

FAR = (span, truncation, extrapolation, gradients, by_length, data_curves)
LONG = (
    "What length asks of a model: how far it remembers, whether it goes on beyond the lengths of training, whether its "
    "gradient arrives, what is left of quality on long sources; and how much of it is a matter of data."
)
Found = Mapping[str, Sequence[Line]]


class Compared(NamedTuple):
    """What all parts that compare models on tasks are made from, found once a page."""

    scored: Found  # lines of each task that has any, floors among them
    models: Found  # of each task on which a model came to a number
    duels: Mapping[str, Sequence[Pair]]
    lists: Lists
    keyed: Keys
    timings: Timings


def page(stored: Stored, most: Limits | None = None) -> Page:
    """Everything a report says about `stored`, at most so much of each sort: by default as much as its rows allow."""
    with figures.together({row.result.model for row in stored.rows if row.result.probe != "floor"}):
        return _page(stored, most or parts.limits(len(stored.rows)))


def _page(stored: Stored, most: Limits) -> Page:
    tasks, note = parts.first(stored.tasks, most.tasks, len(stored.tasks), "tasks")
    ranked = {task: tables.ranking(stored, task, most.lines, most.floors) for task in tasks}
    found = {task: ranking.lines for task, ranking in ranked.items()}
    compared = _compared(stored, found)
    far = [(room.TITLE, room.sections(stored, most)) for room in FAR]
    caveats = (*summary.caveats(stored, found), *speed.caveats(stored), *long.caveats(stored))
    sections = [section for _, made in far for section in made]
    return _named(
        Page(
            title=masthead.title(stored),
            facts=masthead.facts(stored),
            verdicts=(
                *((words.task(t), _verdict(stored, compared, t, lines)) for t, lines in found.items()),
                *_fast(stored, most),
                *long.verdicts(far),
                *on_trial.verdicts(stored),
                *tuning.verdicts(stored, most),
            ),
            caveats=(*caveats, *([note] if note else []), *_cut(ranked)),
            **_glance(compared),
            parts=tuple(_kept(part) for part in _parts(stored, compared, most, sections)),
            csv="".join(appendix.spreadsheet(stored)) if most is not parts.TIGHT else "",
            offers="made" if (stored.speed or stored.long or stored.tuning) and not compared.models else "",
        )
    )


def _compared(stored: Stored, found: Found) -> Compared:
    scored = {task: lines for task, lines in found.items() if lines}
    models = {t: lines for t, lines in scored.items() if any(line.kind == "model" for line in lines)}
    return Compared(
        scored,
        models,
        {task: pairs.pairs(lines) for task, lines in scored.items()},
        fairness.checklists(stored, models),
        Keys(line.model for lines in models.values() for line in lines if line.kind == "model"),
        Timings(stored),
    )


def _verdict(stored: Stored, compared: Compared, task: str, lines: Sequence[Line]) -> str:
    tried = bool(fairness.unnumbered(stored, [task]))
    return verdict(task, lines, compared.duels.get(task, ()), tried)


class Glance(TypedDict):
    """What a page shows first."""

    drawings: tuple[Drawing, ...]
    glance: Table | None
    explained: str


def _glance(compared: Compared) -> Glance:
    """The figure and the table of all tasks; nothing where no model came to a number."""
    if not compared.models:
        return Glance(drawings=(), glance=None, explained="")
    found, marked = glance.foremost(compared.models), glance.marks(compared.models, compared.duels)
    table = glance.table(found, marked, compared.timings, compared.keyed)
    return Glance(
        drawings=(glance.drawing(found, marked, compared.timings),),
        glance=fairness.overview(table, compared.lists),
        explained=glance.explained(found, marked, compared.timings, compared.models),
    )


Part = tuple[str, str, str, Sequence[Section | None]]  # anchor, title, explanation, sections


def _kept(part: Part) -> tuple[str, str, str, tuple[Section, ...]]:
    anchor, title, explanation, sections = part
    return anchor, title, explanation, tuple(section for section in sections if section)


def _named(made: Page) -> Page:
    """The page without parts that hold nothing, each figure and picture on it with a name of its own."""
    names = Names()
    drawings = names.drawings(made.drawings)
    kept = tuple(
        (anchor, title, explanation, tuple(names.section(section) for section in sections))
        for anchor, title, explanation, sections in made.parts
        if sections
    )
    return dataclasses.replace(made, drawings=drawings, parts=kept)


def _parts(stored: Stored, compared: Compared, most: Limits, far: Sequence[Section]) -> list[Part]:
    """Every part in the order in which it is read."""
    scored, models, duels, lists, keyed, timings = compared
    side = [sides.section(task, lines, keyed, lists, duels[task]) for task, lines in scored.items()]
    return [
        ("compared", "Side by side", sides.COMPARED, side),
        (fairness.ANCHOR, fairness.TITLE, fairness.EXPLAINED, fairness.sections(lists)),
        ("pairs", overall.PAIRS, overall.PAIRED, [*overall.duels(duels)]),
        ("targets", overall.TARGETS, overall.TIMED, [*overall.targets(models)]),
        ("ranks", overall.RANKS, overall.RANKED, [*overall.ranks(models)]),
        ("learning", learning.TITLE, learning.EXPLAINED, [learning.section(t, x, most) for t, x in models.items()]),
        ("cost", cost.TITLE, cost.EXPLAINED, cost.sections(models, duels, keyed, timings)),
        ("detail", "In detail", sides.DETAIL, [sides.detail(t, x, keyed, most) for t, x in models.items()]),
        (
            "answers",
            "Sample answers",
            answers.EXPLAINED,
            [answers.section(t, x, keyed, most) for t, x in models.items()],
        ),
        ("errors", errors.TITLE, errors.EXPLAINED, [errors.section(t, x, keyed, most) for t, x in models.items()]),
        ("attention", attention.TITLE, attention.EXPLAINED, [attention.section(t, x, most) for t, x in models.items()]),
        ("throughput", "Throughput", throughput.EXPLAINED, [*throughput.sections(stored, most)]),
        ("parallelism", "Parallelism", parallelism.EXPLAINED, parallelism.sections(stored, most)),
        ("scaling", "Scaling with length", scaling.EXPLAINED, scaling.sections(stored, most)),
        ("long", "Long sequences", LONG, far),
        (on_trial.ANCHOR, on_trial.TITLE, on_trial.EXPLAINED, on_trial.sections(stored)),
        ("reproduction", "Reproduction", reproduction.explained(stored), [*reproduction.sections(stored, most)]),
        ("tuning", tuning.TITLE, tuning.EXPLAINED, [*tuning.sections(stored, most)]),
        ("failures", "Failures", "", [appendix.failed(stored, most)]),
        ("made", "How this was measured", "", appendix.made(stored, scored, most)),
    ]


def _cut(ranked: Mapping[str, tables.Ranking]) -> Iterable[str]:
    """Which tasks have more configurations than are shown."""
    for task, ranking in ranked.items():
        models = sum(line.kind == "model" for line in ranking.lines)
        floors = len(ranking.lines) - models
        if models < ranking.models:
            yield (
                f"{words.task(task)}: showing the first {models:,} of {ranking.models:,} configurations, the best of "
                "each model first; what is said of the others holds among those shown."
            )
        if floors < ranking.floors:
            yield f"{words.task(task)}: showing the first {floors:,} of {ranking.floors:,} floors, the highest."


def _fast(stored: Stored, most: Limits) -> Iterable[tuple[str, str]]:
    """What the measurements of speed say: a heading and a few sentences each."""
    for room in (throughput, parallelism, scaling):
        yield from room.verdicts(stored, most)
