"""Claims on trial, as the page shows them: verdicts, the effects they rest on, and what no run has measured yet."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from reports import anchors, words
from reports.claims import (
    ABSENT,
    CHAPTERS,
    CONTRADICTED,
    FEWEST,
    INCONCLUSIVE,
    NEGLIGIBLE,
    SUPPORTED,
    VERDICTS,
    Effect,
    Found,
    Part,
    Tried,
    tried,
)
from reports.figures.on_trial import NAMED, forest
from reports.figures.style import short
from reports.parts import Cell, Drawing, Section, Table
from reports.rows.settings import variant
from reports.rows.stored import Stored, gather

ANCHOR, TITLE = "claims", "Claims on trial"
EXPLAINED = (
    "What lectures say of sequence models, tried on the rows of these runs. Each claim had its measurement, the "
    "smallest effect worth naming and its rule before the first run; the verdicts follow by code. An effect is "
    "supported where its whole 95 % interval lies above the smallest one worth naming, contradicted where the whole of "
    "it lies below no effect, negligible where it lies between the two, and else inconclusive. A claim is as strong as "
    f"its weakest part, and fewer than {FEWEST} seeds give no verdict."
)


class Look(NamedTuple):
    """How a verdict is marked, with a sign of its own beside its colour."""

    mark: str
    colour: str
    marker: str


class Shown(NamedTuple):
    """A claim with the effect that decides it."""

    one: Tried
    part: Part
    effect: Effect


LOOKS = {
    SUPPORTED: Look("✔", "#009E73", "o"),
    CONTRADICTED: Look("✘", "#D55E00", "X"),
    NEGLIGIBLE: Look("≈", "#0072B2", "s"),
    INCONCLUSIVE: Look("?", "#8C7A00", "D"),
    ABSENT: Look("–", "#7F7F7F", "o"),
}


def sections(stored: Stored) -> list[Section]:
    """All claims at once, then each chapter with its parts; nothing where none of them was measured."""
    found = tried(stored)
    if all(one.verdict == ABSENT for one in found):
        return []
    chapters = [[one for one in found if one.claim.chapter == chapter] for chapter in CHAPTERS]
    return [_overview(found), *(_chapter(own) for own in chapters if own)]


def tried_on(runs: Sequence[Path]) -> list[Tried]:
    """Every claim on the rows of these runs; without any, none is measured. Raises ReportError, RecordError."""
    return tried(gather([*runs]) if runs else Stored((), {}, 0, 0))


def verdicts(stored: Stored) -> list[tuple[str, str]]:
    """How many claims hold, for the summary."""
    found = tried(stored)
    if all(one.verdict == ABSENT for one in found):
        return []
    return [(TITLE, _counted(found))]


def _counted(found: Sequence[Tried]) -> str:
    """ "Of 25 claims 12 are measured here: 8 are supported, 1 is contradicted, 3 are inconclusive."."""
    numbers = Counter(one.verdict for one in found)
    said = [f"{n} {'is' if n == 1 else 'are'} {verdict}" for verdict in VERDICTS[:-1] if (n := numbers[verdict])]
    measured = len(found) - numbers[ABSENT]
    return f"Of {len(found)} claims {measured} {'is' if measured == 1 else 'are'} measured here: {words.listed(said)}."


def command(one: Tried) -> str:
    """What would measure it; nothing where the suite has first to learn it."""
    return "" if one.claim.missing else one.claim.command or _command(one.name)


def _command(name: str) -> str:
    return f"seqbench run claims --variant {shlex.quote(name.replace('_', ' ') + ': *')}"


def _overview(found: Sequence[Tried]) -> Section:
    """A line a claim: the verdict, and the effect that decided it; those that no run has measured come last."""
    lines = sorted(found, key=lambda one: one.verdict == ABSENT)
    rows = tuple((_named(one), Cell(one.verdict, strong=one.verdict != ABSENT), *_decided(one)) for one in lines)
    table = Table(
        "Claims and verdicts",
        ("claim", "verdict", "what decides it", "effect", "95 % interval", "over"),
        rows,
        numbers=(False, False, False, True, True, False),
        prose=True,
    )
    return Section("", drawings=tuple(_drawing(found)), tables=(table,), said=(_counted(found), *_off(found)))


def _named(one: Tried) -> Cell:
    look = LOOKS[one.verdict]
    return Cell(one.claim.statement, mark=look.mark, colour=look.colour)


def _decided(one: Tried) -> tuple[Cell, ...]:
    part = decisive(one)
    if part is None or part.effect is None:
        return Cell(one.lacks or "–", note=command(one)), *[Cell("–")] * 3
    return Cell(part.part.what), *_effect(part.part, part.effect)


def _effect(part: Part, effect: Effect) -> tuple[Cell, Cell, Cell]:
    """The effect, its interval and what that is over."""
    span = f"{_number(part, effect.low)} to {_number(part, effect.high)}"
    tip, link = _rests_on(effect), anchors.row(effect.rows[0]) if effect.rows else ""
    value = Cell(_number(part, effect.value), note=part.unit, tip=tip, link=link)
    return value, Cell(span, tip=tip, link=link), Cell(effect.over, tip=tip, link=link)


def _rests_on(effect: Effect) -> str:
    """ "From 6 stored trials: LSTM, seeds 0, 1 and 2; vanilla RNN, seeds 0, 1 and 2"."""
    seeds: dict[tuple[str, str], list[str]] = {}
    for row in dict.fromkeys(effect.rows):
        seeds.setdefault((words.model(row.result.model), variant(row.result)), []).append(str(row.result.seed))
    told = [
        f"{name}{f' ({words.clean(of)})' if of else ''}, seed{'s' * (len(own) > 1)} {words.listed(own)}"
        for (name, of), own in seeds.items()
    ]
    trials = words.plural(sum(len(own) for own in seeds.values()), "stored trial")
    return f"From {trials}: {'; '.join(told)}" if told else ""


def _number(part: Part, value: float) -> str:
    """A ratio as it is, a difference with its sign."""
    told = words.significant(value) if abs(value) < 1e4 else f"{value:.2g}"
    return told if part.none == 1 or value < 0 else f"+{told}"


def decisive(one: Tried) -> Found | None:
    """The part that the verdict follows from: of those with this verdict the one whose interval ends lowest."""
    own = [found for found in one.counted if found.verdict == one.verdict and found.effect]
    return min(own, key=lambda found: _scaled(found.part, found.effect.low if found.effect else 0.0), default=None)


def _scaled(part: Part, value: float) -> float:
    """An effect in units of the smallest one worth naming, as it is where that is none; ratios by logarithms."""
    value = math.log(max(value, 1e-9)) if part.none == 1 else value
    return value / (_least(part) or 1.0)


def _least(part: Part) -> float:
    """The smallest effect worth naming, of a ratio its logarithm; 0 where any effect beyond none is worth it."""
    return math.log(part.least) if part.none == 1 else part.least


def _chapter(found: Sequence[Tried]) -> Section:
    """Every part of the chapter's claims, then how each was measured."""
    parts = Table(
        f"{found[0].claim.chapter}: every part",
        ("claim", "part", "effect", "95 % interval", "over", "worth naming from", "verdict"),
        tuple(row for one in found for row in _parts(one)),
        numbers=(False, False, True, True, False, True, False),
        prose=True,
    )
    rules = Table(
        f"{found[0].claim.chapter}: how the claims are measured and judged",
        ("claim", "measured", "rule", "measured by"),
        tuple(
            (Cell(_short(one)), Cell(one.claim.measured), Cell(one.claim.rule), Cell(command(one) or one.lacks))
            for one in found
        ),
    )
    return Section(found[0].claim.chapter, tables=(parts, rules) if parts.rows else (rules,))


NAMES = {"rnn": "RNN", "lstm": "LSTM", "bptt": "BPTT"}


def _short(one: Tried) -> str:
    return words.capital(" ".join(NAMES.get(word, word) for word in one.name.split("_")))


def _parts(one: Tried) -> list[tuple[Cell, ...]]:
    made: list[tuple[Cell, ...]] = []
    for found in one.found:
        part, beside = found.part, " (beside it)" if found.part.beside else ""
        effect = _effect(part, found.effect) if found.effect else (Cell("–", note=found.lacks), Cell("–"), Cell("–"))
        look = LOOKS[found.verdict]
        made.append(
            (
                Cell(_short(one), mark=look.mark, colour=look.colour),
                Cell(part.what + beside),
                *effect,
                Cell(words.significant(part.least)),
                Cell(found.verdict),
            )
        )
    return made


def _shown(found: Sequence[Tried]) -> list[Shown]:
    """Claims with a deciding effect."""
    return [Shown(one, part.part, part.effect) for one in found if (part := decisive(one)) and part.effect]


def _off(found: Sequence[Tried]) -> list[str]:
    """Which effects the figure cannot show: they have no smallest one worth naming to be counted in."""
    names = [_short(own.one) for own in _shown(found) if not _least(own.part)]
    told = "any effect beyond none is worth naming there, so that the figure has no unit for them"
    return [f"Not in the figure: {words.listed(names)}; {told}."] if names else []


def _drawing(found: Sequence[Tried]) -> list[Drawing]:
    """The deciding effects with their intervals, in units of the smallest worth naming."""
    shown = [own for own in _shown(found) if _least(own.part)]
    if not shown:
        return []
    said = "; ".join(f"{_short(own.one)} {own.one.verdict}" for own in shown)
    caption = "Deciding effects with 95 % intervals: the smallest effect worth naming is 1, none is 0"
    behind = tuple((short(_short(own.one), NAMED), _told(own)) for own in shown)
    figure = forest(pd.DataFrame([_plotted(own) for own in shown]))
    return [Drawing(figure, "verdicts", f"Claims with their verdicts: {said}", caption, _numbers(shown), behind)]


def _plotted(own: Shown) -> dict[str, Any]:
    ends = {name: _scaled(own.part, getattr(own.effect, name)) for name in ("value", "low", "high")}
    return {"claim": _short(own.one), **LOOKS[own.one.verdict]._asdict(), **ends}


def _told(own: Shown) -> str:
    """ "Multi head, supported: 8 heads less one +1.2 BLEU (+0.4 to +2.0; 3 seeds)"."""
    effect, span, over = _effect(own.part, own.effect)
    unit = f" {effect.note}" if effect.note else ""
    return f"{_short(own.one)}, {own.one.verdict}: {own.part.what} {effect.text}{unit} ({span.text}; {over.text})"


def _numbers(shown: Sequence[Shown]) -> Table:
    """What the figure draws, then the same effect in its own unit, and over what."""
    rows = []
    for own in shown:
        drawn = [_scaled(own.part, end) for end in own.effect[:3]]
        effect, span, over = _effect(own.part, own.effect)
        scaled = [Cell(words.significant(end, 4), value=end) for end in drawn]
        rows.append((Cell(_short(own.one)), *scaled, Cell(effect.text), span, Cell(own.part.unit or "–"), over))
    head = ("claim", "effect, in smallest worth naming", "from", "to", "effect", "95 % interval", "unit", "over")
    numbers = (False, *[True] * 5, False, False)
    return Table("Deciding effects as drawn, and in their own units", head, tuple(rows), numbers=numbers)


def text(found: Sequence[Tried]) -> str:
    """The claims with their verdicts as lines of text, for a terminal."""
    none = all(one.verdict == ABSENT for one in found)
    made = [f"{len(found)} claims, none of them measured." if none else _counted(found)]
    for chapter in CHAPTERS:
        made += ["", chapter]
        made += [line for one in found if one.claim.chapter == chapter for line in _lines(one)]
    return "\n".join(made)


def _lines(one: Tried) -> list[str]:
    part, rule = decisive(one), f"      {one.claim.rule}"
    head = f"  {LOOKS[one.verdict].mark} {one.verdict:12}  {one.claim.statement}"
    if part is None or part.effect is None:
        return [head, rule, f"      {one.lacks}{': ' if command(one) else ''}{command(one)}"]
    effect, span, over = _effect(part.part, part.effect)
    unit = f" {effect.note}" if effect.note else ""
    return [head, rule, f"      {part.part.what}: {effect.text}{unit} ({span.text}; {over.text})"]


def plain(found: Sequence[Tried]) -> list[dict[str, Any]]:
    """The claims with their verdicts and the effects of their parts, as JSON takes them."""
    return [
        {
            "claim": one.name,
            "statement": one.claim.statement,
            "measured": one.claim.measured,
            "rule": one.claim.rule,
            "verdict": one.verdict,
            "lacks": one.lacks,
            "command": command(one),
            "parts": [_plain(part) for part in one.found],
        }
        for one in found
    ]


def _plain(found: Found) -> dict[str, Any]:
    part, effect = found.part, found.effect
    told = {"part": part.what, "verdict": found.verdict, "least": part.least, "none": part.none, "unit": part.unit}
    told |= {"beside": part.beside, "lacks": found.lacks}
    return told | (dict(zip(("value", "low", "high", "over"), effect[:4], strict=True)) if effect else {})


def records(found: Sequence[Tried]) -> list[dict[str, Any]]:
    """The same, a record an effect: what a table of them holds."""
    return [
        {
            "claim": one["claim"],
            "statement": one["statement"],
            "verdict": one["verdict"],
            **{name: value for name, value in part.items() if name not in ("verdict", "over")},
            "part_verdict": part.get("verdict", ""),
            "interval_over": part.get("over", ""),
            "lacks": part.get("lacks", one["lacks"]),
            "command": one["command"],
        }
        for one in plain(found)
        for part in one["parts"] or [{"part": ""}]
    ]
