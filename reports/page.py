"""What stands on the page, once for HTML and Markdown: every number becomes text here, so that both say the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from bench.record import Result
from bench.statistics import BOTH, ITEMS, SEEDS, Interval
from reports import (
    anchors,
    appendix,
    behind,
    by_length,
    data_curves,
    extrapolation,
    fairness,
    figures,
    gradients,
    long,
    on_trial,
    overall,
    pairs,
    parallelism,
    parts,
    reproduction,
    samples,
    scaling,
    span,
    speed,
    summary,
    tables,
    throughput,
    tuning,
    words,
)
from reports.parts import Cell, Drawing, Limits, Names, Page, Section, Shown, Table
from reports.samples import Sample
from reports.stored import Attention, Stored, number
from reports.tables import Line
from reports.words import slug

__all__ = ["Page", "page", "slug"]

COSTS = {
    "parameters_trained", "parameters_total", "train_seconds", "updates", "examples", "generate_seconds",
    "source_tokens_per_second", "target_tokens_per_second", "generate_tokens_per_second", "company", "had_company",
}  # fmt: skip


def page(stored: Stored) -> Page:
    """Everything a report says about `stored`; where there is too much of it, the first of each sort."""
    most = parts.limits(len(stored.rows))
    tasks, note = parts.first(stored.tasks, most.tasks, len(stored.tasks), "tasks")
    ranked = {task: tables.ranking(stored, task, most.lines, most.floors) for task in tasks}
    found = {task: ranking.lines for task, ranking in ranked.items()}
    keyed = _Keys(line.model for lines in found.values() for line in lines if line.kind == "model")
    scored = {task: lines for task, lines in found.items() if lines}
    with_models = {t: lines for t, lines in scored.items() if any(line.kind == "model" for line in lines)}
    lists = fairness.checklists(stored, with_models)
    far = [(room.TITLE, room.sections(stored, most)) for room in FAR]
    names = Names()
    return Page(
        title=_title(stored),
        facts=_facts(stored),
        verdicts=(
            *((words.task(t), summary.verdict(t, lines)) for t, lines in found.items()),
            *_fast(stored, most),
            *long.verdicts(far),
            *on_trial.verdicts(stored),
            *tuning.verdicts(stored, most),
        ),
        caveats=(
            *summary.caveats(stored, found),
            *speed.caveats(stored),
            *long.caveats(stored),
            *([note] if note else []),
            *_cut(ranked),
        ),
        drawings=names.drawings([_ranking(task, lines) for task, lines in scored.items()]),
        glance=fairness.overview(_glance(with_models, keyed), lists) if with_models else None,
        parts=tuple(
            (anchor, title, explanation, tuple(names.section(s) for s in kept))
            for anchor, title, explanation, sections in _parts(
                stored, scored, with_models, keyed, most, [s for _, made in far for s in made], lists
            )
            if (kept := [s for s in sections if s])
        ),
        csv="".join(appendix.spreadsheet(stored)) if len(stored.rows) <= parts.MANY else "",
        explained=GLANCE,
        offers="made" if (stored.speed or stored.long or stored.tuning) and not with_models else "",
    )


def _parts(
    stored: Stored, scored: dict[str, list[Line]], models: dict[str, list[Line]], keyed: _Keys, most: Limits,
    far: list[Section], lists: fairness.Lists,
) -> list[tuple[str, str, str, list[Section | None]]]:  # fmt: skip
    """Anchor, title, explanation and sections of each part."""
    duels = {task: pairs.pairs(lines) for task, lines in scored.items()}
    return [
        ("compared", "Side by side", COMPARED, [_compared(t, x, keyed, lists, duels[t]) for t, x in scored.items()]),
        (fairness.ANCHOR, fairness.TITLE, fairness.EXPLAINED, fairness.sections(lists)),
        ("pairs", overall.PAIRS, overall.PAIRED, [*overall.duels(duels)]),
        ("targets", overall.TARGETS, overall.TIMED, [*overall.targets(models)]),
        ("ranks", overall.RANKS, overall.RANKED, [*overall.ranks(models)]),
        ("learning", "Learning curves", LEARNING, [_learning(t, lines, most) for t, lines in models.items()]),
        ("cost", "Quality against cost", COST, [_cost(t, lines) for t, lines in models.items()]),
        ("detail", "In detail", DETAIL, [_detail(t, lines, keyed, most) for t, lines in models.items()]),
        ("answers", "Sample answers", ANSWERS, [_answers(t, lines, keyed, most) for t, lines in models.items()]),
        ("attention", "Attention", ATTENTION, [_attention(t, lines, most) for t, lines in models.items()]),
        ("throughput", "Throughput", throughput.EXPLAINED, [*throughput.sections(stored, most)]),
        ("parallelism", "Parallelism", parallelism.EXPLAINED, [*parallelism.sections(stored, most)]),
        ("scaling", "Scaling with length", scaling.EXPLAINED, [*scaling.sections(stored, most)]),
        ("long", "Long sequences", LONG, [*far]),
        (on_trial.ANCHOR, on_trial.TITLE, on_trial.EXPLAINED, [*on_trial.sections(stored)]),
        ("reproduction", "Reproduction", reproduction.explained(stored), [*reproduction.sections(stored, most)]),
        ("tuning", tuning.TITLE, tuning.EXPLAINED, [*tuning.sections(stored, most)]),
        ("failures", "Failures", "", [appendix.failed(stored, most)]),
        ("made", "How this was measured", "", appendix.made(stored, scored, most)),
    ]


def _cut(ranked: dict[str, tables.Ranking]) -> Iterable[str]:
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


FAR = (span, extrapolation, gradients, by_length, data_curves)
TITLE = "Which sequence model, for which task, at which cost"
SPEED = "Which sequence model is fast, how much it does at once, and up to which length"
SEARCHED = "Which settings suit which sequence model, found on validation alone"
FARTHER = "How far back sequence models remember, and what they do beyond the lengths they saw"
LONG = (
    "What length asks of a model: how far it remembers, whether it goes on beyond the lengths of training, whether its "
    "gradient arrives, what is left of quality on long sources; and how much of it is a matter of data."
)
GLANCE = (
    "Scores on the test split, from best to worst. Dashed lines are floors: answers that need no sequence model, "
    "which any model should beat. Bars are 95 % intervals, over seeds, test items or both, as the tables say."
)
COMPARED = "What each score cost. Times and speeds hold for the machine named below and for no other."
LEARNING = (
    "Scores on the validation split while training: against updates, against seconds on the training clock "
    "(evaluation is off the clock), and against operations by each model's own formula (GFLOP: a thousand million). "
    "A thin line is one seed. The echo-state network solves for its output layer "
    "instead of descending a gradient: its points are solutions after so many batches, in a single pass."
)
COST = "Up is better, left is cheaper. The dashed line is the best floor."
DETAIL = "What lies behind the main score."
ANSWERS = (
    "The same items answered by every model, chosen by the scores alone: some on which the models differ most, "
    "some that all answer well, some that none does. A model with several seeds shows its first."
)
ATTENTION = (
    "Where the models looked while writing each word of their answer (down); the words of the source run across. "
    "Over a picture, the more a patch is coloured, the longer it was looked at."
)


class _Keys:
    """Each model's name with its mark and colour, the same as in the figures."""

    def __init__(self, models: Iterable[str]) -> None:
        self.styles = figures.styles(models)

    def cell(self, line: Line) -> Cell:
        """The first cell of a line."""
        if line.kind == "floor":
            return Cell(line.name, link=anchors.row(line.rows[0]))
        style = self.styles[line.model]
        mark = figures.MARKS.get(style.marker, "●")
        made = anchors.row(line.rows[0])
        return Cell(line.name, mark=mark, colour=style.colour, warning=summary.warning(line), link=made)


def _title(stored: Stored) -> str:
    if stored.trials or stored.floors or not (stored.speed or stored.long or stored.tuning):
        return TITLE
    return FARTHER if stored.long else SPEED if stored.speed else SEARCHED


def _facts(stored: Stored) -> str:
    quality = [row.result for row in stored.trials]
    timed, far, tried = ([row.result for row in rows] for rows in (stored.speed, stored.long, stored.tuning))
    claimed = [row.result for row in stored.claimed]
    others = (*timed, *far, *claimed, *tried)
    told = _counted(stored, quality) if quality or not others else []
    if not told:
        told = [words.plural(len({r.model for r in others}), "model")]
    told += [words.plural(len(timed), "measurement") + " of speed"] if timed else []
    told += [words.plural(len(far), "trial") + " of long sequences"] if far else []
    told += [words.plural(len(claimed), "measurement") + " for claims"] if claimed else []
    told += [words.plural(len(tried), "trial") + " of tuning"] if tried else []
    suites = [words.clean(suite) for suite in sorted({row.result.suite for row in stored.rows} - {""})]
    environments = {id(e): e for e in (r.environment for r in (*quality, *others))}.values()
    machines = sorted({appendix.machine(e) for e in environments} - {""})
    said = ", ".join(told) + (f"; suite {words.several(suites)}" if suites else "")
    return f"{said}; on {words.several(machines)}" if machines else said


def _counted(stored: Stored, quality: Sequence[Result]) -> list[str]:
    return [
        words.plural(len({r.model for r in quality}), "model"),
        words.plural(len(stored.tasks), "task"),
        words.plural(len({r.seed for r in quality}), "seed"),
        words.plural(len(quality), "trial"),
    ]


def within(found: Interval | None, metric: str) -> str:
    """ "19.8–22.9"."""
    return f"{words.number(found.low, metric)}–{words.number(found.high, metric)}" if found else "–"


def over(line: Line) -> str:
    """What the interval of a line is over: "3 seeds and 500 test items", "4 of 5 seeds", "500 test items"."""
    found = line.interval
    if found is None or found.over == SEEDS:
        return line.seeds
    if found.over == BOTH:
        return f"{line.seeds} and {found.items:,} {ITEMS}"
    return found.told + (f"; {line.seeds}" if line.failed else "")


def _glance(found: dict[str, list[Line]], keyed: _Keys) -> Table:
    """Models down, tasks across."""
    known = {model: place for place, model in enumerate(summary.OURS)}
    models = {(line.model, line.name): line for lines in found.values() for line in lines if line.kind == "model"}
    order = sorted(models, key=lambda key: (known.get(key[0], len(known)), key[1]))
    rows = [
        (dataclasses.replace(keyed.cell(models[key]), warning=""), *(_scored(lines, key) for lines in found.values()))
        for key in order
    ]
    floors = [next((line for line in lines if line.kind == "floor"), None) for lines in found.values()]
    if any(floors):
        best = [Cell(words.number(f.value, f.metric), note=f.name) if f else Cell("–") for f in floors]
        rows.append((Cell("the best floor"), *best))
    head = ("model", *(f"{words.task(t)}: {words.headed(lines[0].metric)}" for t, lines in found.items()))
    caption = "Main score by model and task, with 95 % intervals; the best of each task is bold."
    return Table(caption, head, tuple(rows), quiet=int(any(floors)), numbers=(False, *[True] * len(found)))


def _scored(lines: Sequence[Line], key: tuple[str, str]) -> Cell:
    line = next((x for x in lines if (x.model, x.name) == key and x.kind == "model"), None)
    if line is None:
        return Cell("–", note="no result")
    warning, best = summary.warning(line), line is lines[0]
    return behind.scored(line, note=_note(line), strong=best, warning=warning)


def _note(line: Line) -> str:
    return f"{within(line.interval, line.metric)} over {over(line)}" if line.interval else over(line)


def _ranking(task: str, lines: Sequence[Line]) -> Drawing:
    return Drawing(
        figures.quality(tables.comparison(lines)),
        f"quality-{slug(task)}",
        f"{words.task(task)}: {_told(lines)}",
        f"{words.task(task)}: {words.metric(lines[0].metric)}",
        behind=behind.series(lines),
    )


def _compared(
    task: str, lines: Sequence[Line], keyed: _Keys, lists: fairness.Lists, duels: Sequence[pairs.Pair]
) -> Section:
    table = fairness.noted(_sides(task, lines, keyed), task, lists.get(task))
    return Section(words.task(task), tables=(table,), note=pairs.unsettled(duels))


def _told(lines: Sequence[Line]) -> str:
    said = [f"{line.name} {words.number(line.value, line.metric)}" for line in lines]
    return f"{words.headed(lines[0].metric)}: {'; '.join(said)}"


def _sides(task: str, lines: Sequence[Line], keyed: _Keys) -> Table:
    """Every line with its scores and what they cost."""
    main = lines[0].metric
    further = _further(lines, main)
    overs = {over(line) for line in lines if line.kind == "model"}
    alike = len(overs) == 1 and any(line.interval for line in lines)
    caption = f"{words.task(task)}: scores and cost" + (f"; intervals over {min(overs)}" if alike else "")
    head = (
        "model", words.headed(main), "95 % interval", *(words.headed(name) for name in further),
        "trained parameters", "all parameters", "training, s", "updates",
        "source tokens/s, training", "target tokens/s, training", "tokens/s, generating",
    )  # fmt: skip
    rows = tuple(
        (
            keyed.cell(line),
            behind.scored(
                line,
                note=line.seeds if line.failed else "",
                strong=line is lines[0] and line.kind == "model",
            ),
            Cell(within(line.interval, line.metric), note=over(line) if line.kind == "model" and not alike else ""),
            *(Cell(words.number(line.means.get(name), name)) for name in further),
            *_costs(line),
        )
        for line in lines
    )
    quiet = sum(line.kind == "floor" for line in lines)
    return Table(caption, head, rows, quiet, (False, *[True] * (len(head) - 1)))


def _costs(line: Line) -> list[Cell]:
    get = line.means.get
    updates = get("updates", _used(line, "updates"))
    return [
        Cell(words.amount(get("parameters_trained")), value=get("parameters_trained")),
        Cell(words.amount(get("parameters_total")), value=get("parameters_total")),
        Cell(words.seconds(get("train_seconds")), value=get("train_seconds")),
        Cell(words.count(updates)),
        *(Cell(words.count(get(f"{what}_tokens_per_second"))) for what in ("source", "target", "generate")),
    ]


def _used(line: Line, what: str) -> float | None:
    used = [row.result.budget.get("used") for row in line.rows]
    numbers = [n for u in used if isinstance(u, dict) and (n := number(u.get(what))) is not None]
    return float(np.mean(numbers)) if numbers else None


def _further(lines: Sequence[Line], main: str, most: int = 5) -> list[str]:
    """Metrics worth a column beside the main one; shares held out and by kind have a table of their own."""
    names = dict.fromkeys(name for line in lines for name in line.means)
    hidden = (words.KIND, "validation_")
    kept = [n for n in names if n not in COSTS and n != main and not n.startswith(hidden)]
    return [n for n in kept if not n.endswith(words.HELD_OUT) and n + words.HELD_OUT not in names][:most]


def _learning(task: str, lines: Sequence[Line], most: Limits) -> Section | None:
    points = tables.curves(lines, most.seeds)
    metric = lines[0].metric
    if points.empty or points["value"].dropna().empty:
        return None
    drawings = tuple(
        Drawing(
            figures.learning(points, against, metric),
            f"learning-{against}-{slug(task)}",
            f"{words.task(task)}: {words.headed(metric)} on validation against {against}, last points: {_last(lines)}",
            f"{words.task(task)}: {words.metric(metric)} on validation against {said}",
        )
        for against, said in (("updates", "updates"), ("seconds", "training time"), ("flops", "operations of training"))
        if against in points and not points[[against, "value"]].dropna().empty
    )
    seeds = max(len(line.rows) for line in lines)
    note = f"{words.task(task)}: showing the first {most.seeds} of up to {seeds:,} seeds." if seeds > most.seeds else ""
    return Section(words.task(task), drawings=drawings, note=note) if drawings else None


def _last(lines: Sequence[Line]) -> str:
    models = [line for line in lines if line.kind == "model"]
    ends = [(line, [p for p in tables.course(line.rows[0]) if line.metric in p]) for line in models]
    said = [f"{line.name} {words.number(points[-1][line.metric], line.metric)}" for line, points in ends if points]
    return "; ".join(said)


def _cost(task: str, lines: Sequence[Line]) -> Section | None:
    timed = [line for line in lines if line.kind == "model" and line.means.get("train_seconds", 0) > 0]
    if not timed:
        return None
    said = [
        f"{x.name} {words.number(x.value, x.metric)} after {words.duration(x.means['train_seconds'])}" for x in timed
    ]
    drawing = Drawing(
        figures.cost(tables.comparison(lines)),
        f"cost-{slug(task)}",
        f"{words.task(task)}, {words.headed(lines[0].metric)} against training time: {'; '.join(said)}",
        f"{words.task(task)}: {words.metric(lines[0].metric)} against training time",
        behind=behind.series(lines),
    )
    return Section(words.task(task), drawings=(drawing,))


def _detail(task: str, lines: Sequence[Line], keyed: _Keys, most: Limits) -> Section | None:
    """Metrics that come in two parts (all items, and items of a sort held out of training) or by kind of item."""
    names = dict.fromkeys(name for line in lines for name in line.means)
    held = [n.removesuffix(words.HELD_OUT) for n in names if n.endswith(words.HELD_OUT)]
    kinds = [n for n in names if n.startswith(words.KIND) and not n.endswith(words.HELD_OUT)]
    made = []
    if held:
        shown, note = parts.first(held, most.columns // 2, len(held), "metrics")
        pairs = [name for base in shown for name in (base, base + words.HELD_OUT)]
        head = [h for base in shown for h in (words.headed(base), "held out")]
        caption = f"{words.task(task)}: test items, with those of a sort that training never showed (held out) apart"
        made.append(_metrics(caption, head, pairs, lines, keyed, note))
    if kinds:
        shown, note = parts.first(kinds, most.columns, len(kinds), "kinds")
        head = [words.headed(kind) for kind in shown]
        made.append(_metrics(f"{words.task(task)}: by kind of item", head, shown, lines, keyed, note))
    return Section(words.task(task), tables=tuple(made)) if made else None


def _metrics(caption: str, head: list[str], names: list[str], lines: Sequence[Line], keyed: _Keys, note: str) -> Table:
    shown = [line for line in lines if any(name in line.means for name in names)]
    rows = tuple(
        (
            dataclasses.replace(keyed.cell(line), warning=""),
            *(Cell(words.number(line.means.get(name), name)) for name in names),
        )
        for line in shown
    )
    quiet = sum(line.kind == "floor" for line in shown)
    return Table(caption, ("model", *head), rows, quiet, (False, *[True] * len(names)), note)


def _answers(task: str, lines: Sequence[Line], keyed: _Keys, most: Limits) -> Section:
    models = [line for line in lines if line.kind == "model"]
    asked, note = parts.first(models, most.answers, len(models), "models, from best to worst")
    without = [line.name for line in asked if not line.rows[0].answers]
    notes = [note] + ([f"No stored answers of {words.several(without)}."] if without else [])
    shown = tuple(_shown(task, sample, keyed) for sample in samples.samples(asked))
    if not shown and not without:
        notes.append("No item was answered by every model.")
    return Section(words.task(task), samples=shown, note=" ".join(n for n in notes if n))


def _shown(task: str, sample: Sample, keyed: _Keys) -> Shown:
    answers = tuple(
        (dataclasses.replace(keyed.cell(line), warning=""), answer.answer, _mark(answer.scores, sample.metric))
        for line, answer in sample.answers
    )
    # whole and unescaped on the page: nothing but letters and digits of a PNG passes `thumbnail`
    picture = sample.picture if figures.thumbnail(sample.picture) is not None else None
    file = f"item-{slug(task)}-{sample.item}"
    metric = words.headed(sample.metric)
    return Shown(sample.why, sample.item, sample.source, picture, file, sample.reference, answers, metric)


def _mark(scores: dict[str, float], metric: str) -> str:
    """ "right", "wrong" where only those two occur; the score where it is a matter of degree."""
    if metric not in scores:
        return "–"
    if metric in words.PERCENT and scores[metric] in (0, 100):
        return "right" if scores[metric] else "wrong"
    return words.number(scores[metric], metric)


def _attention(task: str, lines: Sequence[Line], most: Limits) -> Section | None:
    models = [line for line in lines if line.kind == "model"][: most.answers]
    looked = samples.looked_at(models, [sample.item for sample in samples.samples(models)])
    shown, note = parts.first(looked, most.attention, len(looked), "models, from best to worst")
    drawings = tuple(_gazed(task, line, attention) for line, attention in shown)
    return Section(words.task(task), drawings=drawings, note=note) if drawings else None


def _gazed(task: str, line: Line, attention: Attention) -> Drawing:
    draw = figures.heat if attention.grid is None else figures.gaze
    top = [_most(weights, attention) for weights in attention.weights]
    pairs = [f"{words.clean(w)} → {t}" for w, t in zip(attention.answer_tokens, top, strict=True)]
    caption = f"{line.name}, item {attention.item}"
    return Drawing(
        draw(attention, line.model),
        f"attention-{slug(task)}-{slug(line.name)}",
        f"{words.task(task)}, {caption}: attention, each word with what it looked at most: {'; '.join(pairs[:24])}",
        caption,
    )


def _most(weights: Sequence[float], attention: Attention) -> str:
    place = int(np.argmax(weights))
    if attention.grid is None:
        return words.clean(attention.source_tokens[place])
    row, column = divmod(place, attention.grid[1])
    return f"row {row + 1}, column {column + 1}"
