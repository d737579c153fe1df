"""Sample answers: the same items through every model, and where each did best and worst."""

from __future__ import annotations

from collections.abc import Sequence

from reports import figures, parts, words
from reports.parts import Cell, Limits, Section, Shown, Table
from reports.scores.tables import Line
from reports.sections import samples
from reports.sections.keys import Keys
from reports.sections.samples import Sample
from reports.words import slug

EXPLAINED = (
    "The same items answered by every model, chosen by the scores alone: some on which the models differ most, some "
    "that all answer well, some that none does. Before them each model's own best and worst answer; of several as "
    "good, the one that sets it apart most from the others. A model with several seeds shows its first."
)
TEXT = 160  # characters of a source or an answer in a table


def section(task: str, lines: Sequence[Line], keyed: Keys, most: Limits) -> Section:
    """The same items through every model, then each model's best and worst answer."""
    models = [line for line in lines if line.kind == "model"]
    asked, note = parts.first(models, most.answers, len(models), "models, from best to worst")
    without = [line.name for line in asked if not line.rows[0].answers]
    notes = [note] + ([f"No stored answers of {words.several(without)}."] if without else [])
    shown = tuple(_shown(task, sample, keyed) for sample in samples.samples(asked))
    if not shown and not without:
        notes.append("No item was answered by every model.")
    said = " ".join(n for n in notes if n)
    return Section(words.task(task), tables=_extremes(task, asked, keyed), samples=shown, note=said)


def _shown(task: str, sample: Sample, keyed: Keys) -> Shown:
    answers = tuple(
        (keyed.plain(line), words.clean(answer.answer), _mark(answer.scores, sample.metric))
        for line, answer in sample.answers
    )
    # whole and unescaped on the page: nothing but letters and digits of a PNG passes `thumbnail`
    picture = sample.picture if figures.thumbnail(sample.picture) is not None else None
    source = None if sample.source is None else words.clean(sample.source)
    file = f"item-{slug(task)}-{sample.item}"
    metric = words.headed(sample.metric)
    reference = words.clean(sample.reference)
    return Shown(sample.why, sample.item, source, picture, file, reference, answers, metric)


def _mark(scores: dict[str, float], metric: str) -> str:
    """ "right", "wrong" where only those two occur; the score where it is a matter of degree."""
    if metric not in scores:
        return "–"
    if metric in words.PERCENT and scores[metric] in (0, 100):
        return "right" if scores[metric] else "wrong"
    return words.number(scores[metric], metric)


def _extremes(task: str, models: Sequence[Line], keyed: Keys) -> tuple[Table, ...]:
    """A table of each model's best and worst answer; none where no answers are stored."""
    found = samples.extremes(models)
    rows = tuple(
        (
            keyed.plain(line),
            Cell(case),
            Cell(f"{answer.item}"),
            Cell("the picture" if answer.source is None else words.cut(answer.source, TEXT)),
            Cell(words.cut(answer.reference, TEXT)),
            Cell(words.cut(answer.answer, TEXT) or "(nothing)"),
            Cell(_mark(answer.scores, metric)),
            Cell(others),
        )
        for line, case, answer, metric, others in found
    )
    head = ("model", "case", "item", "source", "reference", "answer", "score", "others, mean")
    caption = f"{words.task(task)}: where each model did best and worst, beside the others"
    return (Table(caption, head, rows, numbers=(False, False, True, False, False, False, True, True)),) if rows else ()
