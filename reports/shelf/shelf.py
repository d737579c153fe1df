"""What has been published: the index of all reports, and figures and tables of those that the README shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.disk import whole
from bench.record import RESULTS
from reports import ReportError, words
from reports.page.html import markdown
from reports.rows.stored import Stored, finished, gather
from reports.scores import summary, tables
from reports.scores.tables import Line
from reports.sections import speed, verdict
from reports.sections.throughput import TRAIN
from reports.shelf import blocks
from reports.words import slug

INDEX = "README.md"
HEAD = (
    "# Published reports\n\n"
    "Made by `seqbench publish`, which writes this page anew: change nothing here by hand. `seqbench verify "
    "reports/published/NAME` checks a folder; `seqbench compare` sets one beside a run of your own.\n"
)
COLUMNS = ("report", "suite", "machine", "date", "models", "tasks", "seeds", "best of each")
CLOSED = blocks.closed("headline")
BLOCK = blocks.pattern("headline", f"(?: {blocks.NAME})?")


def folders(into: Path) -> list[Path]:
    """Every published folder, by name."""
    return sorted(path.parent for path in into.glob(f"[a-z0-9]*/{RESULTS}")) if into.is_dir() else []


def index(into: Path) -> Path:
    """Writes the index of everything that is published; its path. Raises ReportError and RecordError."""
    rows = [_row(folder) for folder in folders(into)]
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    lines += ["| " + " | ".join(cells) + " |" for cells in rows]
    whole(into / INDEX, "\n".join([HEAD, *lines, ""]).encode())
    return into / INDEX


def _row(folder: Path) -> tuple[str, ...]:
    stored = gather([folder])
    results = [row.result for row in stored.rows]
    models = {r.model for r in results if r.probe != "floor" and r.model}
    told = (
        words.several(sorted({words.clean(r.suite) for r in results if r.suite})),
        words.several(machines(stored)),
        dates(stored),
        words.several([words.model(model) for model in sorted(models, key=_usual)]),
        words.several(list(dict.fromkeys(words.lowered(words.task(r.task)) for r in results if r.task))),
        words.several([f"{seed}" for seed in sorted({r.seed for r in results if r.probe != "floor"})]),
        "; ".join(_best(stored)) or "–",
    )
    return (f"[{folder.name}]({folder.name}/report.md)", *(str(markdown(cell)) for cell in told))


def machines(stored: Stored) -> list[str]:
    """ "AMD EPYC (cpu, 2 threads)"."""
    from reports.sections.appendix import machine

    environments = {id(e): e for e in (row.result.environment for row in stored.rows)}.values()
    return sorted({machine(e) for e in environments} - {""})


def dates(stored: Stored) -> str:
    """The day or days on which it was measured."""
    days = sorted({row.result.time[:10] for row in stored.rows if row.result.time})
    return " to ".join(dict.fromkeys((days[0], days[-1]))) if days else "–"


def _best(stored: Stored) -> Iterator[str]:
    """The best model of each task with its interval; the fastest where speed was measured."""
    for task in stored.tasks:
        lines = tables.ranking(stored, task, 12, 12).lines
        best = next((line for line in lines if line.kind == "model"), None)
        if best is not None:
            yield f"{words.lowered(words.task(task))}: {best.name} {verdict.scored(best)}{_interval(best)}"
    for task, rows in speed.measured(stored, "throughput").items():
        found = [(one, rate) for one in speed.named(rows) if one.clean and (rate := one.rate(*TRAIN))]
        if found:
            one, rate = max(found, key=lambda pair: pair[1].value)
            yield f"{words.lowered(words.task(task))}: {one.name} trains {words.count(rate.value)} target tokens/s"
    if stored.long:
        yield words.plural(sum(finished(row) for row in stored.long), "trial") + " of long sequences"
    if stored.tuning:
        yield words.plural(len(stored.tuning), "trial") + " of tuning"


def _interval(line: Line) -> str:
    span, metric = line.interval, line.metric
    return f" ({words.number(span.low, metric)}–{words.number(span.high, metric)})" if span else ""


# Headlines of the README


def headline(readme: Path, into: Path, name: str = "") -> str:
    """Writes figure and table of published runs between the README's markers; a line that says so, or why not.

    Each pair of markers names its run; `name` takes the first place, and changes it with a run that is shown already.
    A run further down that is not published stays as it is. Raises ReportError and RecordError.
    """
    text = blocks.written(readme)
    names = named(readme)
    if not names:
        return f"{readme.name} has no markers <!-- seqbench:headline NAME --> and {CLOSED}: it stays as it is"
    chosen = [name or names[0], *(names[0] if name == other else other for other in names[1:])]
    if not _published(chosen[0], into):
        raise ReportError(f"{readme.name} asks for {chosen[0] or 'no run'} as its headline, which is not published")
    shown = [one for one in chosen if _published(one, into)]
    bodies = {found[1] or "": found[2] for found in BLOCK.finditer(text)} | {
        one: _body(into / one, readme) for one in shown
    }
    places = iter(chosen)
    new = BLOCK.sub(lambda _: _block(one := next(places), bodies[one]), text)
    if new != text:
        whole(readme, new.encode())
    waiting = [one or "no run" for one in chosen if one not in shown]
    left = f"; not published, so left as it was: {words.listed(waiting)}" if waiting else ""
    return f"{readme.name}: figure and table of {words.listed(shown)}{left}"


def named(readme: Path) -> list[str]:
    """Which runs the README shows, in its order; "" where markers name none."""
    return [found[1] or "" for found in BLOCK.finditer(blocks.written(readme))]


def _published(name: str, into: Path) -> bool:
    return bool(name) and (into / name / RESULTS).is_file()


def _body(folder: Path, readme: Path) -> str:
    near = str(folder.resolve().relative_to(readme.resolve().parent)) if _below(folder, readme) else folder.name
    return "\n" + "\n".join(_headline(gather([folder]), near)) + "\n"


def _block(name: str, body: str) -> str:
    return f"<!-- seqbench:headline{' ' * bool(name)}{name} -->{body}{CLOSED}"


def _below(folder: Path, readme: Path) -> bool:
    return folder.resolve().is_relative_to(readme.resolve().parent)


def _headline(stored: Stored, near: str) -> Iterator[str]:
    found = {task: lines for task in stored.tasks if (lines := tables.lines(stored, task))}
    trained = {t: own for t, own in found.items() if any(line.kind == "model" for line in own)}
    if not trained:
        raise ReportError(f"{near} holds no trained model: nothing heads a README")
    first = next(iter(trained))
    alt = f"Scores of {words.plural(len(_models(trained)), 'model')} on {words.lowered(words.task(first))}, with floors"
    yield f"[![{markdown(alt)}]({near}/figures/quality-{slug(first)}.svg)]({near}/report.md)\n"
    seeds = sorted({row.result.seed for row in stored.trials})
    suites = words.several(sorted({words.clean(r.result.suite) for r in stored.trials if r.result.suite}))
    yield (
        f"Suite {markdown(suites)}, {markdown(words.several(machines(stored)))}, {dates(stored)}; "
        f"{words.plural(len(seeds), 'seed')}. Brackets: 95 % intervals over {markdown(_over(trained))}.\n"
    )
    yield from _table(trained)


def _over(found: dict[str, list[Line]]) -> str:
    overs = {line.interval.over for own in found.values() for line in own if line.kind == "model" and line.interval}
    return words.listed(sorted(overs), "or") or "nothing: no answers are stored"


def _models(found: dict[str, list[Line]]) -> list[tuple[str, str]]:
    """Own name and name for people of each model, in the usual order."""
    names = dict.fromkeys((line.model, line.name) for own in found.values() for line in own if line.kind == "model")
    return sorted(names, key=lambda name: (_usual(name[0]), name[1]))


def _usual(model: str) -> tuple[int, str]:
    """A model's place in the usual order; one that is not ours comes after those."""
    return (summary.OURS.index(model), "") if model in summary.OURS else (len(summary.OURS), model)


def _table(found: dict[str, list[Line]]) -> Iterator[str]:
    heads = [
        f"{words.lowered(words.task(t))}, {words.headed(own[0].metric).replace(', %', ' %')}"
        for t, own in found.items()
    ]
    yield "| | " + " | ".join(f"{markdown(head)} | seconds" for head in heads) + " |"
    yield "|---|" + "---:|" * (2 * len(heads))
    for model, name in _models(found):
        cells = (_cells(own, model, name) for own in found.values())
        yield f"| {markdown(name)} | " + " | ".join(cell for pair in cells for cell in pair) + " |"
    floors = [_floors(own) for own in found.values()]
    if any(floors):
        yield "| *floors* | " + " | ".join(f"{markdown(floor)} | " for floor in floors) + "|"


def _cells(lines: Sequence[Line], model: str, name: str) -> tuple[str, str]:
    line = next((x for x in lines if x.kind == "model" and (x.model, x.name) == (model, name)), None)
    if line is None:
        return "–", "–"
    span = line.interval
    within = f" [{words.number(span.low, line.metric)}, {words.number(span.high, line.metric)}]" if span else ""
    return f"{words.number(line.value, line.metric)}{within}", words.seconds(line.means.get("train_seconds"))


def _floors(lines: Iterable[Line]) -> str:
    floors = [line for line in lines if line.kind == "floor"]
    return ", ".join(f"{line.name} {words.number(line.value, line.metric)}" for line in floors[:3])
