"""What should be equal for every model of a table: kept, broken, or not told by the rows; a function an item.

Older rows do not hold everything; what nobody wrote down is "not told", never taken for equal.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.record import Result
from reports import words
from reports.rows.fields import number
from reports.rows.settings import allowed, changed, code, company, data, differing, own_data
from reports.rows.stored import Row
from reports.scores import failures, sizes
from reports.scores.checklist import (
    BROKEN,
    KEPT,
    UNTOLD,
    Item,
    Values,
    alike,
    fitted,
    in_full,
    level,
    plain,
    ranged,
    unsaid,
    values,
)
from reports.scores.tables import Line

SPENT = 0.02  # amounts that differ by no more are equal: the last batch of a pass is smaller
AXES = {"updates": "updates", "examples": "examples", "tokens": "tokens", "flops": "FLOPs", "seconds": "seconds"}
Used = Mapping[
    str, Mapping[str, float | None]
]  # axis -> a line's name -> what it used of it, None where it is not told
COUNTED = ("flops", "tokens", "examples")  # axes that mean the same for every model and batch


def checklist(lines: Sequence[Line], failed: Sequence[Row] = ()) -> list[Item]:
    """Every item, over the models among `lines` and all their seeds; `failed` are rows that gave no number."""
    models = [line for line in lines if line.kind == "model"]
    used = {axis: _used(models, axis) for axis in AXES}
    return [
        _data(models), _settings(models), _metric(models), _decoding(models), _budget(models, used),
        _spent(models, used), _failed(failed), _seeds(models), _tuned(models), sizes.item(models), _device(models),
        _precision(models), _threads(models), _torch(models), _code(models), _clock(models), _selection(models),
    ]  # fmt: skip


def _data(lines: Sequence[Line]) -> Item:
    """Checksums of data hold the settings that shape them: where those differ, the checksums say nothing more."""
    told = values(lines, lambda r: data(r) or None)
    folders = {own_data(row.result) for line in lines for row in line.made}
    if len({value for _, value in told}) > 1 and len(folders) == 1 and _differing(lines):
        return Item("data", UNTOLD, "the settings below differ, and with them every checksum of the data")
    labels = {
        data(row.result): own_data(row.result) or _checksum(data(row.result)) for line in lines for row in line.made
    }
    shown = [(name, None if value is None else labels[value]) for name, value in told]
    mend = "run all models on the same data (--data), or compare one of the parts alone with --task"
    return alike("data", _apart(told, shown), mend=mend)


def _apart(told: Values, shown: Values) -> Values:
    """Labels that tell the values apart: a few letters of the checksum where two folders have one name."""
    same_names = len({value for _, value in shown}) < len({value for _, value in told})
    if not same_names:
        return shown
    pairs = zip(told, shown, strict=True)
    return [(name, label and f"{label}, {_checksum(value or '')}") for (name, value), (_, label) in pairs]


def _checksum(text: str) -> str:
    return f"checksum {text[:8]}…" if text else ""


def _settings(lines: Sequence[Line]) -> Item:
    keys, name = _differing(lines), "tokenizer and task settings"
    mend = "run all models with the same --set task.…, or compare one of the parts alone with --task"
    told = values(
        lines, lambda r: _said(_task(r), keys or [*_task(r)]) if isinstance(r.config.get("task"), dict) else None
    )
    return alike(name, told, mend=mend, kept=lambda value: value or "as the task has them")


def _task(result: Result) -> dict[str, str]:
    told = result.config.get("task")
    named = told.items() if isinstance(told, dict) else ()
    return {words.clean(k)[:40]: v if isinstance(v, str) else json.dumps(v) for k, v in named}


def _differing(lines: Sequence[Line]) -> list[str]:
    """Task settings that are not the same in every row."""
    return differing([_task(row.result) for line in lines for row in line.made])


def _said(told: Mapping[str, str], keys: Iterable[str]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {told.get(key) or '–'}" for key in keys)


def _metric(lines: Sequence[Line]) -> Item:
    """The main metric, and the signature of how it was computed."""
    mend = "compare trials that were scored in the same way: name one metric with --metric, or run the others again"
    names = values(lines, lambda r: words.metric(r.main))
    if len({name for _, name in names}) > 1:
        return alike("metric", names, mend=mend)
    return alike("metric", values(lines, lambda r: r.signatures.get(r.main) or None), mend=mend)


def _decoding(lines: Sequence[Line]) -> Item:
    def told(result: Result) -> str | None:
        beam = number(result.config.get("beam"))
        return None if beam is None else "greedy" if beam == 1 else f"beam of {beam:g}"

    return alike("decoding", values(lines, told), mend="run them again with one --set beam=…")


def _budget(lines: Sequence[Line], used: Used) -> Item:
    """What each was allowed. Other numbers of updates that came to as many examples, tokens or FLOPs are no other."""
    told = values(lines, lambda r: _allowance(r) or None)
    item = alike("budget allowed", told, mend="run them again under one budget, such as --set updates=…")
    equal = [axis for axis in COUNTED if level(used[axis], SPENT)]
    if item.state == BROKEN and equal and all(value for _, value in told):
        said = f"told in other numbers, but equal in {words.listed([AXES[axis] for axis in equal])}: {item.said}"
        return Item(item.name, KEPT, fitted(said))
    return _ranged(item, [allowed(row.result) for line in lines for row in line.made], "budget")


def _one_allowance(lines: Sequence[Line]) -> bool:
    return len({_allowance(row.result) for line in lines for row in line.made}) == 1


def _allowance(result: Result) -> str:
    given = {k: n for k, v in allowed(result).items() if (n := number(v)) is not None}
    return ", ".join(f"{in_full(n)} {AXES.get(axis, words.clean(axis)[:24])}" for axis, n in given.items())


def _ranged(item: Item, given: Sequence[Mapping[str, Any]], name: str) -> Item:
    """The item with the range of a budget in one unit as its short form."""
    axes = {axis for one in given for axis in one}
    amounts = [n for one in given for value in one.values() if (n := number(value)) is not None]
    if item.state != BROKEN or len(axes) != 1 or not amounts:
        return item
    unit = AXES.get(axis := axes.pop(), words.clean(axis)[:24])
    return dataclasses.replace(item, brief=f"{name} ({ranged(amounts)} {unit})")


def _spent(lines: Sequence[Line], used: Used) -> Item:
    """On which axes trainings came out equal in fact."""
    known = {axis: amounts for axis, amounts in used.items() if amounts and None not in amounts.values()}
    equal = [AXES[axis] for axis, amounts in known.items() if level(amounts, SPENT)]
    unlike = [
        f"{AXES[axis]} {ranged([n for n in amounts.values() if n is not None])}"
        for axis, amounts in known.items()
        if not level(amounts, SPENT)
    ]
    if not known:
        return Item("budget spent", UNTOLD, unsaid([]))
    said = "; ".join(
        [f"equal in {words.listed(equal)}"] * bool(equal) + [f"not equal: {words.listed(unlike)}"] * bool(unlike)
    )
    axes = {axis for line in lines for row in line.made for axis in allowed(row.result)} & known.keys()
    short = [AXES[axis] for axis in AXES if axis in axes and AXES[axis] not in equal]
    if equal and not short:
        return Item("budget spent", KEPT, said)
    brief = next((u for u in unlike if not short or u.startswith(short[0])), "")
    return Item("budget spent", BROKEN, said, f"budget spent ({brief})" if _one_allowance(lines) else "")


def _used(lines: Sequence[Line], axis: str) -> dict[str, float | None]:
    """What each line used of an axis, the mean over its seeds; None where a row does not tell."""
    told = {line.name: [_spending(row.result, axis) for row in line.rows] for line in lines}
    return {
        name: None if None in amounts else sum(n for n in amounts if n is not None) / len(amounts)
        for name, amounts in told.items()
    }


def _spending(result: Result, axis: str) -> float | None:
    """From the budget; in rows that do not say it there, from the last point of the curve."""
    used = result.budget.get("used")
    told = number(used.get(axis)) if isinstance(used, dict) else None
    return told if told is not None or not result.curve else number(result.curve[-1].get(axis))


def _failed(failed: Sequence[Row]) -> Item:
    """A seed that gave no number is missing from a mean, and is named."""
    if not failed:
        return Item("every seed gave a number", KEPT, "every stored trial gave its number")
    who = [f"{words.model(r.result.model)}, seed {r.result.seed}: {_kind(r)}" for r in failed]
    said = f"{words.several(who)}; the mean of that model is over the seeds that are left"
    brief = f"seeds without a number ({words.several(who, most=2)})"
    suite = words.clean(failed[0].result.suite)[:40] or "SUITE"
    mend = f"run them again with `seqbench run {suite} --retry all`, or report that the model fails"
    return Item("every seed gave a number", BROKEN, fitted(said), fitted(brief, 120), mend)


def _kind(row: Row) -> str:
    return words.cut(words.clean(failures.kind(row)), 40)


def _seeds(lines: Sequence[Line]) -> Item:
    name, seeds = "same seeds, equally many", {line.name: [row.result.seed for row in line.rows] for line in lines}
    numbers = [len(own) for own in seeds.values()]
    if len({tuple(own) for own in seeds.values()}) < 2:
        own = next(iter(seeds.values()), [])
        return Item(name, KEPT, f"{words.plural(len(own), 'seed')} each: {_numbered(own)}")
    said = fitted("; ".join(f"{line} {_numbered(own)}" for line, own in seeds.items()))
    if len({*numbers}) == 1:
        return Item(name, BROKEN, said, "seeds")
    mend = f"run the missing seeds, such as with --seeds {max(numbers)}"
    return Item(name, BROKEN, said, f"number of seeds ({ranged(numbers)})", mend)


def _numbered(seeds: Sequence[int]) -> str:
    return words.several([str(seed) for seed in seeds], most=12)


def _tuned(lines: Sequence[Line]) -> Item:
    """How settings were found. Set by hand for all is not told: nobody counted the tries."""
    told = values(lines, lambda r: _tuning(r.config.get("tuned")))
    mend = "give every model the same search (seqbench tune, then seqbench adopt)"
    item = alike("tuning", told, brief="tuning", mend=mend)
    studies = dict.fromkeys(text for line in lines for row in line.made if (text := _provenance(row.result)))
    more = f" ({words.several([*studies], most=2)})" if studies else ""
    if item.state == KEPT and told and told[0][1] == BY_HAND:
        return Item(
            "tuning", UNTOLD, fitted(f"{BY_HAND} for every model; how many tries each had was not counted{more}")
        )
    return dataclasses.replace(item, said=fitted(item.said + more))


BY_HAND = "set by hand"


def _tuning(told: Any) -> str | None:
    """ "20 trials of 300 updates"; which space was searched is each model's own."""
    if not isinstance(told, dict):
        return None
    trials = number(told.get("trials"))
    if trials is None:
        return BY_HAND if not told else None
    given = told.get("budget") if isinstance(told.get("budget"), dict) else {}
    each = {k: n for k, v in (given or {}).items() if (n := number(v)) is not None}
    spent = ", ".join(f"{in_full(n)} {AXES.get(axis, words.clean(str(axis))[:24])}" for axis, n in each.items())
    return f"{trials:,.0f} trials" + (f" of {spent}" if spent else "")


def _provenance(result: Result) -> str:
    tuned = result.config.get("tuned")
    own = tuned.get("study") or tuned.get("provenance") if isinstance(tuned, dict) else ""
    told = own or result.config.get("provenance")
    return words.cut(words.clean(told), 120) if isinstance(told, str) else ""


ALIKE = "run the trials that differ again, on one machine and with one version"


def _device(lines: Sequence[Line]) -> Item:
    def told(result: Result) -> str | None:
        named = [plain(result.environment.get(key)) for key in ("processor", "device")]
        return ", ".join(name for name in named if name) or None

    return alike("device", values(lines, told), mend=ALIKE)


def _precision(lines: Sequence[Line]) -> Item:
    def told(result: Result) -> str | None:
        learning = result.config.get("learning")
        return plain((learning if isinstance(learning, dict) else result.config).get("precision")) or None

    return alike("precision", values(lines, told), mend="run all models with the same --precision")


def _threads(lines: Sequence[Line]) -> Item:
    told = values(lines, lambda r: plain(r.environment.get("threads")) or None)
    return alike("threads", told, mend="run all models with the same --threads")


def _torch(lines: Sequence[Line]) -> Item:
    def told(result: Result) -> str | None:
        libraries = result.environment.get("libraries")
        named = libraries.get("torch") if isinstance(libraries, dict) else result.environment.get("torch")
        return plain(named) or None

    return alike("torch version", values(lines, told), mend=ALIKE)


def _code(lines: Sequence[Line]) -> Item:
    """The same files of ours in every trial that ran through them; one's own files within a model."""
    files = code(row.result for line in lines for row in line.made)
    untold = [line.name for line in lines if not all(code([row.result]) for row in line.made)]
    named = [*dict.fromkeys(words.clean(path)[:60] for path in changed(files))]
    if named:
        said = f"changed between these trials: {words.several(named)}"
        return Item("code", BROKEN, fitted(said), f"code ({words.plural(len(named), 'file')} changed)", ALIKE)
    if untold:
        return Item("code", UNTOLD, unsaid(untold, len(lines)))
    return Item("code", KEPT, f"{words.plural(len(files), 'file')}, none changed between these trials")


QUIET = "run those trials again while nothing else runs (--retry all)"


def _clock(lines: Sequence[Line]) -> Item:
    """Whether others used the processors while training was timed."""
    busy, untold = [], []
    for line in lines:
        told = [company(row.result) for row in line.rows]
        if any(told):
            busy.append(line.name)
        elif None in told:
            untold.append(line.name)
    if busy:
        said = f"others used the machine beside {words.several(busy)}: their seconds are too long"
        return Item("quiet clock", BROKEN, fitted(said), "seconds of training (the machine was busy)", QUIET)
    if untold:
        return Item("quiet clock", UNTOLD, unsaid(untold, len(lines)))
    return Item("quiet clock", KEPT, "nobody else used the machine while it trained")


def _selection(lines: Sequence[Line]) -> Item:
    told = values(lines, lambda r: plain(r.config.get("selection")) or None)
    item, name = alike("selection", told), "chosen on validation, tested once"
    chosen = {value for _, value in told}
    if chosen == {"validation"}:
        return Item(name, KEPT, "the state was chosen on validation; the test split was answered once, after training")
    if chosen <= {"validation", None}:
        return dataclasses.replace(item, name=name, state=UNTOLD)
    others = sorted(f"{line}: {value}" for line, value in told if value not in ("validation", None))
    mend = "a state chosen on anything but validation cannot be compared: run it again"
    return Item(name, BROKEN, fitted(f"chosen otherwise: {words.several(others)}"), "how the state was chosen", mend)
