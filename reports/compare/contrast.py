"""`seqbench compare A B` as text, as JSON and as a page: what is not the same first, then what came out differently."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from reports import figures, words
from reports.compare import environments
from reports.compare import figures as drawn
from reports.compare.compare import aligned, finite
from reports.compare.differences import Differences
from reports.compare.verdicts import COUNTED, Difference, Kind
from reports.parts import Cell, Drawing, Names, Page, Section, Table
from reports.told import Tell, quiet
from reports.words import slug

HEADINGS: dict[Kind, str] = {
    "quality": "Quality",
    "long": "Long sequences",
    "time": "Seconds of training",
    "speed": "Speed and memory",
}
EXPLAINED: dict[Kind, str] = {
    "quality": (
        "The second run minus the first. Where both hold the same data, seeds and answers, seed is compared with seed "
        "and item with item, and what both share cancels; else the intervals are over what each run has."
    ),
    "long": "The second run minus the first, over seeds. More is not always better here, so it says higher or lower.",
    "time": (
        "The second run over the first, where both were given the same budget and nothing else was busy on either "
        "machine: 2 is twice the time."
    ),
    "speed": (
        "The second run over the first. Intervals carry the rounds of timing within each run, not what differs from "
        "one day to the next on one machine."
    ),
}
FIRST = "What is not the same"
TOLD = (
    "Everything that the two runs tell of their machines, versions, code, data and budgets. A difference below may "
    "come from any of what differs here."
)
ALONE = "Measured in one run only"
REPEATED = "Run twice"


def write(found: Differences, out: Path, tell: Tell = quiet) -> Path:
    """Writes index.html, report.md, results.csv, results.parquet and figures/; the page's path. Raises ReportError."""
    from reports.page import html

    return html.written(page(found), out, frame(found), tell)


# In words


def verdicts(found: Differences) -> list[tuple[str, str]]:
    """A heading and a sentence each: environments, then every kind of number."""
    first, second = found.runs
    unlike = environments.gathered(found.facts)
    said = f"{first} against {second}: {'; '.join(unlike)}." if unlike else "Both runs tell the same of themselves."
    kinds = [(HEADINGS[kind], _sentence(found.of(kind))) for kind in HEADINGS if found.of(kind)]
    repeated = [(REPEATED, words.capital(found.repeated.said))] if found.repeated.said else []
    return [(FIRST, said), *repeated, *kinds]


def _sentence(found: Sequence[Difference]) -> str:
    """ "Of 15 numbers the second run is better in 1 (...), worse in none; 12 not separable."."""
    groups: dict[str, list[Difference]] = {}
    for one in sorted(found, key=lambda one: (one.verdict in COUNTED, one.verdict)):
        groups.setdefault(one.verdict, []).append(one)
    said = [f"{len(own)} {verdict}{_who(verdict, own)}" for verdict, own in groups.items()]
    return f"Of {words.plural(len(found), 'number')}, the second run against the first: {'; '.join(said)}."


def _who(verdict: str, found: Sequence[Difference]) -> str:
    return "" if verdict in COUNTED else f" ({words.several([_brief(one) for one in found], most=3)})"


def _brief(one: Difference) -> str:
    return f"{one.name} on {words.lowered(words.task(one.task))}, {change(one)}"


def change(one: Difference) -> str:
    """ "+2.1"; "+1.4 points" of a share; "1.32 times"."""
    if one.kind in ("quality", "long"):
        return signed(one.change, one.metric) + (" points" if words.unit(one.metric) else "")
    return f"{words.significant(one.change)} times"


def signed(value: float, metric: str) -> str:
    """ "+2.1", "−0.3", "0.0"."""
    text = words.number(value, metric) if abs(value) >= 0.05 or value == 0 else words.significant(value, 2)
    return f"+{text}" if value > 0 else text


def amount(value: float, one: Difference) -> str:
    """A number of either run, as its kind is written."""
    if one.kind in ("quality", "long"):
        return words.number(value, one.metric)
    return words.memory(value) if one.metric.endswith("_bytes") else words.significant(value)


def within(one: Difference) -> str:
    """ "+0.3 to +4.2"; "–" where there is no interval."""
    if one.low is None or one.high is None:
        return "–"
    if one.kind in ("quality", "long"):
        return f"{signed(one.low, one.metric)} to {signed(one.high, one.metric)}"
    return f"{words.significant(one.low)} to {words.significant(one.high)}"


def _p(one: Difference) -> str:
    return "–" if one.p is None else "< 0.001" if one.p < 0.001 else f"{one.p:.3f}"


# As text


def text(found: Differences) -> str:
    """What a person reads in a terminal, environments first."""
    blocks = [[*_environments(found)]]
    blocks += [[f"{REPEATED}: {found.repeated.said}"]] if found.repeated.said else []
    for kind, title in HEADINGS.items():
        if own := found.of(kind):
            tests = sum(one.p is not None for one in own)
            blocks.append([f"{title}: {found.runs[1]} against {found.runs[0]}{_corrected(tests)}", *_rows(own)])
    blocks += [
        [f"Only in {name}:", *(f"  {cell}" for cell in cells)]
        for name, cells in zip(found.runs, found.alone, strict=True)
        if cells
    ]
    return "\n\n".join("\n".join(block) for block in blocks)


def _corrected(tests: int) -> str:
    return f", p corrected by Holm over {words.plural(tests, 'test')}" if tests else ""


def _environments(found: Differences) -> Iterator[str]:
    unlike = [fact for fact in found.facts if not fact.alike]
    code = [fact.name for fact in unlike if fact.name.startswith(environments.CODE)]
    plain = [fact for fact in unlike if fact.name not in code]
    yield f"{FIRST}: {words.plural(len(unlike), 'fact')} of {len(found.facts)}"
    if plain:
        yield from aligned([["", *found.runs], *([fact.name, fact.first, fact.second] for fact in plain)], right=())
    if code:
        names = [name.removeprefix(environments.CODE) for name in code]
        yield f"  code of {words.plural(len(code), 'file')}: {words.several(names, most=4)}"


def _rows(found: Sequence[Difference]) -> Iterator[str]:
    rows = [
        [
            one.name, words.task(one.task), one.label, f"{amount(one.first, one)} → {amount(one.second, one)}",
            change(one), f"[{within(one)}]" if one.low is not None else "", f"over {one.over}" if one.over else "",
            "" if one.p is None else f"p {_p(one)}" if one.p < 0.001 else f"p = {_p(one)}", one.verdict,
            "; ".join(one.notes),
        ]
        for one in found
    ]  # fmt: skip
    yield from aligned(rows, right=(3, 4))


# As JSON


def as_json(found: Differences) -> str:
    """The same for a program."""
    told = {
        "runs": [*found.runs],
        "environments": [dataclasses.asdict(fact) | {"alike": fact.alike} for fact in found.facts],
        "differences": [dataclasses.asdict(one) | {"notes": [*one.notes]} for one in found.found],
        "alone": [[*cells] for cells in found.alone],
        "repeated": dataclasses.asdict(found.repeated),
    }
    return json.dumps(finite(told), indent=2, ensure_ascii=False, allow_nan=False)


# As a table


def frame(found: Differences) -> pd.DataFrame:
    """One row a difference: results.csv and results.parquet of the report."""
    rows = [dataclasses.asdict(one) | {"notes": "; ".join(one.notes)} for one in found.found]
    told = pd.DataFrame([{k: words.clean(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows])
    return told.astype(dict.fromkeys(("first", "second", "change", "low", "high", "p"), float))


# As a page


def page(found: Differences) -> Page:
    """The report of differences, in the order in which it is read."""
    from reports import frames

    names = Names()
    kinds = [
        (slug(title), title, EXPLAINED[kind], tuple(names.section(s) for s in _sections(found, kind)))
        for kind, title in HEADINGS.items()
        if found.of(kind)
    ]
    alone = [("alone", ALONE, "", (Section("", tables=(_alone(found),)),))] if any(found.alone) else []
    return Page(
        title=f"{found.runs[0]} and {found.runs[1]}: what differs",
        facts=f"{words.plural(len(found.found), 'number')} that both runs measured",
        verdicts=tuple(verdicts(found)),
        caveats=tuple(_caveats(found)),
        drawings=(),
        glance=None,
        parts=(("environments", FIRST, TOLD, (Section("", tables=(_facts(found),)),)), *kinds, *alone),
        csv="".join(frames.spreadsheet(frame(found))),
        explained="",
        offers="environments",
    )


def _caveats(found: Differences) -> Iterator[str]:
    if any(f.name in environments.MACHINE and not f.alike for f in found.facts) and found.of("time", "speed"):
        yield "The runs come from unlike machines: their times tell of the machines as much as of anything else."
    if any(f.name.startswith(environments.CODE) and not f.alike for f in found.facts):
        yield "The runs were made by unlike code."
    if noted := sum(bool(one.notes) for one in found.of("quality")):
        yield f"In {words.plural(noted, 'comparison')} of quality not all was equal: see the notes beside them."


def _facts(found: Differences) -> Table:
    unlike = [f for f in found.facts if not f.alike]
    alike = [f for f in found.facts if f.alike]
    rows = tuple(
        (Cell(f.name), Cell(f.first, strong=not f.alike), Cell(f.second, strong=not f.alike)) for f in (*unlike, *alike)
    )
    caption = f"{words.plural(len(unlike), 'fact')} of {len(found.facts)} not the same, these first and bold"
    return Table(caption, ("", *found.runs), rows, quiet=len(alike), numbers=(False,) * 3)


def _sections(found: Differences, kind: Kind) -> Iterator[Section]:
    """Scores task by task, since tasks have units of their own; times and speeds together."""
    own = found.of(kind)
    tasks: dict[str, list[Difference]] = {}
    for one in own:
        tasks.setdefault(one.task if kind in ("quality", "long") else "", []).append(one)
    for task, some in tasks.items():
        title = words.task(task) if task else HEADINGS[kind]
        drawing = _drawing(kind, title, some)
        yield Section(words.task(task) if task else "", tuple(drawing), (_table(found.runs, title, some, len(own)),))


def _table(runs: tuple[str, str], title: str, found: Sequence[Difference], of: int) -> Table:
    ratio = found[0].kind in ("time", "speed")
    head = ("model", *(("task",) if ratio else ()), "number", *runs, "ratio" if ratio else "difference")
    rows = tuple(
        (
            _name(one), *((Cell(words.task(one.task)),) if ratio else ()), Cell(one.label),
            Cell(amount(one.first, one)), Cell(amount(one.second, one)), Cell(change(one)),
            Cell(within(one), note=one.over), Cell(_p(one)),
            Cell(one.verdict, note="; ".join(one.notes), strong=one.verdict not in COUNTED),
        )
        for one in found
    )  # fmt: skip
    words_, numbers = 3 if ratio else 2, 5
    caption = f"{title}: {runs[1]} against {runs[0]}; p corrected by Holm over this kind of number"
    whole = (*head, "95 % interval", "p", "verdict")
    return Table(caption, whole, rows, numbers=(*[False] * words_, *[True] * numbers, False))


def _name(one: Difference) -> Cell:
    style = figures.styles([one.model])[one.model]
    return Cell(one.name, mark=figures.MARKS.get(style.marker, "●"), colour=style.colour)


def _drawing(kind: Kind, title: str, found: Sequence[Difference], most: int = 24) -> Iterable[Drawing]:
    shown = [one for one in found if one.low is not None][:most]
    if not shown:
        return
    ratio = kind in ("time", "speed")
    ends = [f"{_brief(one)} ({within(one)}), {one.verdict}" for one in shown]
    yield Drawing(
        drawn.forest([drawn.Bar(_labelled(one, ratio), one) for one in shown], ratio),
        f"differences-{slug(kind)}-{slug(title)}",
        f"{title}, the second run against the first: {'; '.join(ends)}",
        f"{title}: {'second over first' if ratio else 'second minus first'}, with 95 % intervals",
    )


def _labelled(one: Difference, ratio: bool) -> str:
    return f"{one.name}, {one.label}, {words.lowered(words.task(one.task))}" if ratio else one.name


def _alone(found: Differences) -> Table:
    rows = tuple(
        (Cell(cell), Cell(name)) for name, cells in zip(found.runs, found.alone, strict=True) for cell in cells
    )
    return Table(ALONE, ("what", "run"), rows)
