"""Side by side: what each model scored on a task and what that cost, and what lies behind the main score."""

from __future__ import annotations

from collections.abc import Sequence

from reports import figures, parts, words
from reports.parts import Cell, Drawing, Limits, Section, Table
from reports.scores import pairs, tables
from reports.scores.beside import crowd, used
from reports.scores.tables import Line
from reports.sections import behind, fairness
from reports.sections.keys import Keys, over, within
from reports.words import slug

COMPARED = (
    "What each score cost. Times and speeds hold for the machine named below and for no other. Dashed lines are "
    "floors: answers that need no sequence model, which any model should beat."
)
DETAIL = "What lies behind the main score."
COSTS = {
    "parameters_trained", "parameters_total", "train_seconds", "updates", "examples", "generate_seconds",
    "source_tokens_per_second", "target_tokens_per_second", "generate_tokens_per_second", "company", "had_company",
    "peak_bytes", "train_joules",
}  # fmt: skip
READ = {  # what a model's tokenizer made of the data: no scores
    f"{what}_{side}": side for what in ("vocabulary", "length", "unknown") for side in ("source", "target")
} | {"items_unseen": ""}


def section(
    task: str, lines: Sequence[Line], keyed: Keys, lists: fairness.Lists, duels: Sequence[pairs.Pair]
) -> Section:
    """One task's scores from best to worst as a figure, and all that they cost as a table."""
    table = fairness.noted(_sides(task, lines, keyed), task, lists.get(task))
    return Section(words.task(task), (_ranking(task, lines),), (table,), note=pairs.unsettled(duels))


def _ranking(task: str, lines: Sequence[Line]) -> Drawing:
    return Drawing(
        figures.quality(tables.comparison(lines)),
        f"quality-{slug(task)}",
        f"{words.task(task)}: {_told(lines)}",
        f"{words.task(task)}: {words.metric(lines[0].metric)}",
        behind=behind.series(lines),
    )


def _told(lines: Sequence[Line]) -> str:
    said = [f"{line.name} {words.number(line.value, line.metric)}" for line in lines]
    return f"{words.headed(lines[0].metric)}: {'; '.join(said)}"


def _sides(task: str, lines: Sequence[Line], keyed: Keys) -> Table:
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
    updates = get("updates", used(line, "updates"))
    return [
        Cell(words.amount(get("parameters_trained")), value=get("parameters_trained")),
        Cell(words.amount(get("parameters_total")), value=get("parameters_total")),
        Cell(words.seconds(get("train_seconds")), value=get("train_seconds"), warning=crowd(line)),
        Cell(words.count(updates)),
        *(Cell(words.count(get(f"{what}_tokens_per_second"))) for what in ("source", "target", "generate")),
    ]


def _further(lines: Sequence[Line], main: str, most: int = 8) -> list[str]:
    """Metrics worth a column beside the main one; shares held out and by kind have a table of their own."""
    names = dict.fromkeys(name for line in lines for name in line.means)
    hidden = (words.KIND, "validation_")
    kept = [n for n in names if n not in COSTS | READ.keys() and n != main and not n.startswith(hidden)]
    return [n for n in kept if not n.endswith(words.HELD_OUT) and n + words.HELD_OUT not in names][:most]


def detail(task: str, lines: Sequence[Line], keyed: Keys, most: Limits) -> Section | None:
    """Metrics in two parts (all items, and those of a sort held out of training) or by kind; what tokenizers made."""
    names = dict.fromkeys(name for line in lines for name in line.means)
    held = [n.removesuffix(words.HELD_OUT) for n in names if n.endswith(words.HELD_OUT)]
    kinds = [n for n in names if n.startswith(words.KIND) and not n.endswith(words.HELD_OUT)]
    made = []
    if held:
        shown, note = parts.first(held, most.columns // 2, len(held), "metrics")
        both = [name for base in shown for name in (base, base + words.HELD_OUT)]
        head = [h for base in shown for h in (words.headed(base), "held out")]
        caption = f"{words.task(task)}: test items, with those of a sort that training never showed (held out) apart"
        made.append(_metrics(caption, head, both, lines, keyed, note))
    if read := [n for n in READ if n in names]:
        caption = f"{words.task(task)}: what tokenizers made of the test split"
        made.append(_metrics(caption, [words.headed(n) for n in read], read, lines, keyed, ""))
    if kinds:
        shown, note = parts.first(kinds, most.columns, len(kinds), "kinds")
        head = [words.headed(kind) for kind in shown]
        made.append(_metrics(f"{words.task(task)}: by kind of item", head, shown, lines, keyed, note))
    return Section(words.task(task), tables=tuple(made)) if made else None


def _metrics(caption: str, head: list[str], names: list[str], lines: Sequence[Line], keyed: Keys, note: str) -> Table:
    shown = [line for line in lines if any(name in line.means for name in names)]
    rows = tuple(
        (
            keyed.plain(line),
            *(Cell(words.number(line.means.get(name), name)) for name in names),
        )
        for line in shown
    )
    quiet = sum(line.kind == "floor" for line in shown)
    return Table(caption, ("model", *head), rows, quiet, (False, *[True] * len(names)), note)
