"""What should be equal for every model of a table: kept, broken, or not told by the rows; a function an item.

Older rows do not hold everything; what nobody wrote down is "not told", never taken for equal.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bench.record import Result
from reports import words
from reports.rows.stored import Row, allowed, data, differing, number, own_data
from reports.scores import failures
from reports.scores.tables import Line

KEPT, BROKEN, UNTOLD = "kept", "broken", "not told"
SIZE = 0.05  # sizes that differ by no more than this are equal
SPENT = 0.02  # so are amounts that were spent: the last batch of a pass is smaller
AXES = {"updates": "updates", "examples": "examples", "tokens": "tokens", "flops": "FLOPs", "seconds": "seconds"}
COUNTED = ("flops", "tokens", "examples")  # axes that mean the same for every model and batch
LONGEST = 300  # letters of what an item says
Values = Sequence[tuple[str, str | None]]  # a line's name and its value; None where a row does not tell it


@dataclasses.dataclass(frozen=True)
class Item:
    """One thing that should be equal for every model of a table."""

    name: str  # "data"
    state: str  # kept, broken or not told
    said: str  # the value that all share, or who has which
    brief: str = ""  # the differing values in a few words, for the note under a table
    mend: str = ""  # what to do, where being unequal makes the comparison unfair

    @property
    def unfair(self) -> bool:
        """Whether no ranking should be read from this table."""
        return self.state == BROKEN and bool(self.mend)


def checklist(lines: Sequence[Line], failed: Sequence[Row] = ()) -> list[Item]:
    """Every item, over the models among `lines` and all their seeds; `failed` are rows that gave no number."""
    models = [line for line in lines if line.kind == "model"]
    return [
        _data(models), _settings(models), _metric(models), _decoding(models), _budget(models), _spent(models),
        _failed(failed), _seeds(models), _tuned(models), _size(models), _device(models), _precision(models),
        _threads(models), _torch(models), _code(models), _clock(models), _selection(models),
    ]  # fmt: skip


def _data(lines: Sequence[Line]) -> Item:
    """Checksums of data hold the settings that shape them: where those differ, the checksums say nothing more."""
    told = _values(lines, lambda r: data(r) or None)
    folders = {own_data(row.result) for line in lines for row in line.rows}
    if len({value for _, value in told}) > 1 and len(folders) == 1 and _differing(lines):
        return Item("data", UNTOLD, "the settings below differ, and with them every checksum of the data")
    labels = {
        data(row.result): own_data(row.result) or _checksum(data(row.result)) for line in lines for row in line.rows
    }
    shown = [(name, None if value is None else labels[value]) for name, value in told]
    mend = "run all models on the same data (--data), or compare one of the parts alone with --task"
    return _alike("data", _apart(told, shown), mend=mend)


def _apart(told: Values, shown: Values) -> Values:
    """Labels that tell the values apart: a few letters of the checksum where two folders have one name."""
    alike = len({value for _, value in shown}) < len({value for _, value in told})
    if not alike:
        return shown
    pairs = zip(told, shown, strict=True)
    return [(name, label and f"{label}, {_checksum(value or '')}") for (name, value), (_, label) in pairs]


def _checksum(text: str) -> str:
    return f"checksum {text[:8]}…" if text else ""


def _settings(lines: Sequence[Line]) -> Item:
    keys, name = _differing(lines), "tokenizer and task settings"
    mend = "run all models with the same --set task.…, or compare one of the parts alone with --task"
    told = _values(
        lines, lambda r: _said(_task(r), keys or [*_task(r)]) if isinstance(r.config.get("task"), dict) else None
    )
    return _alike(name, told, mend=mend, kept=lambda value: value or "as the task has them")


def _task(result: Result) -> dict[str, str]:
    told = result.config.get("task")
    named = told.items() if isinstance(told, dict) else ()
    return {words.clean(k)[:40]: v if isinstance(v, str) else json.dumps(v) for k, v in named}


def _differing(lines: Sequence[Line]) -> list[str]:
    """Task settings that are not the same in every row."""
    return differing([_task(row.result) for line in lines for row in line.rows])


def _said(told: Mapping[str, str], keys: Iterable[str]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {told.get(key) or '–'}" for key in keys)


def _metric(lines: Sequence[Line]) -> Item:
    """The main metric, and the signature of how it was computed."""
    mend = "compare trials that were scored in the same way: name one metric with --metric, or run the others again"
    names = _values(lines, lambda r: words.metric(r.main))
    if len({name for _, name in names}) > 1:
        return _alike("metric", names, mend=mend)
    return _alike("metric", _values(lines, lambda r: r.signatures.get(r.main) or None), mend=mend)


def _decoding(lines: Sequence[Line]) -> Item:
    def told(result: Result) -> str | None:
        beam = number(result.config.get("beam"))
        return None if beam is None else "greedy" if beam == 1 else f"beam of {beam:g}"

    return _alike("decoding", _values(lines, told), mend="run them again with one --set beam=…")


def _budget(lines: Sequence[Line]) -> Item:
    """What each was allowed. Other numbers of updates that came to as many examples, tokens or FLOPs are no other."""
    told = _values(lines, lambda r: _allowance(r) or None)
    item = _alike("budget allowed", told, mend="run them again under one budget, such as --set updates=…")
    equal = [axis for axis in COUNTED if _level(_used(lines, axis), SPENT)]
    if item.state == BROKEN and equal and all(value for _, value in told):
        said = f"told in other numbers, but equal in {words.listed([AXES[axis] for axis in equal])}: {item.said}"
        return Item(item.name, KEPT, _cut(said))
    return _ranged(item, [allowed(row.result) for line in lines for row in line.rows], "budget")


def _one_allowance(lines: Sequence[Line]) -> bool:
    return len({_allowance(row.result) for line in lines for row in line.rows}) == 1


def _allowance(result: Result) -> str:
    given = {k: n for k, v in allowed(result).items() if (n := number(v)) is not None}
    return ", ".join(f"{_amount(n)} {AXES.get(axis, words.clean(axis)[:24])}" for axis, n in given.items())


def _ranged(item: Item, given: Sequence[Mapping[str, Any]], name: str) -> Item:
    """The item with the range of a budget in one unit as its short form."""
    axes = {axis for one in given for axis in one}
    amounts = [n for one in given for value in one.values() if (n := number(value)) is not None]
    if item.state != BROKEN or len(axes) != 1 or not amounts:
        return item
    unit = AXES.get(axis := axes.pop(), words.clean(axis)[:24])
    return dataclasses.replace(item, brief=f"{name} ({_range(amounts)} {unit})")


def _spent(lines: Sequence[Line]) -> Item:
    """On which axes trainings came out equal in fact."""
    used = {axis: _used(lines, axis) for axis in AXES}
    known = {axis: amounts for axis, amounts in used.items() if amounts and None not in amounts.values()}
    equal = [AXES[axis] for axis, amounts in known.items() if _level(amounts, SPENT)]
    unlike = [
        f"{AXES[axis]} {_range([n for n in amounts.values() if n is not None])}"
        for axis, amounts in known.items()
        if not _level(amounts, SPENT)
    ]
    if not known:
        return Item("budget spent", UNTOLD, _untold([]))
    said = "; ".join(
        [f"equal in {words.listed(equal)}"] * bool(equal) + [f"not equal: {words.listed(unlike)}"] * bool(unlike)
    )
    axes = {axis for line in lines for row in line.rows for axis in allowed(row.result)} & known.keys()
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
    return Item("every seed gave a number", BROKEN, _cut(said), _cut(brief, 120), mend)


def _kind(row: Row) -> str:
    return words.cut(words.clean(failures.kind(row)), 40)


def _seeds(lines: Sequence[Line]) -> Item:
    name, seeds = "same seeds, equally many", {line.name: [row.result.seed for row in line.rows] for line in lines}
    numbers = [len(own) for own in seeds.values()]
    if len({tuple(own) for own in seeds.values()}) < 2:
        own = next(iter(seeds.values()), [])
        return Item(name, KEPT, f"{words.plural(len(own), 'seed')} each: {_numbered(own)}")
    said = _cut("; ".join(f"{line} {_numbered(own)}" for line, own in seeds.items()))
    if len({*numbers}) == 1:
        return Item(name, BROKEN, said, "seeds")
    mend = f"run the missing seeds, such as with --seeds {max(numbers)}"
    return Item(name, BROKEN, said, f"number of seeds ({_range(numbers)})", mend)


def _numbered(seeds: Sequence[int]) -> str:
    return words.several([str(seed) for seed in seeds], most=12)


def _tuned(lines: Sequence[Line]) -> Item:
    """How settings were found. Set by hand for all is not told: nobody counted the tries."""
    told = _values(lines, lambda r: _tuning(r.config.get("tuned")))
    mend = "give every model the same search (seqbench tune, then seqbench adopt)"
    item = _alike("tuning", told, brief="tuning", mend=mend)
    studies = dict.fromkeys(text for line in lines for row in line.rows if (text := _provenance(row.result)))
    more = f" ({words.several([*studies], most=2)})" if studies else ""
    if item.state == KEPT and told and told[0][1] == BY_HAND:
        return Item("tuning", UNTOLD, _cut(f"{BY_HAND} for every model; how many tries each had was not counted{more}"))
    return dataclasses.replace(item, said=_cut(item.said + more))


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
    spent = ", ".join(f"{_amount(n)} {AXES.get(axis, words.clean(str(axis))[:24])}" for axis, n in each.items())
    return f"{trials:,.0f} trials" + (f" of {spent}" if spent else "")


def _provenance(result: Result) -> str:
    tuned = result.config.get("tuned")
    own = tuned.get("study") or tuned.get("provenance") if isinstance(tuned, dict) else ""
    told = own or result.config.get("provenance")
    return words.cut(words.clean(told), 120) if isinstance(told, str) else ""


MATCH = "bring all models to one size with --match parameters=…, which every one of them can reach"
ALIKE = "run the trials that differ again, on one machine and with one version"


def _size(lines: Sequence[Line]) -> Item:
    """Matched sizes where rows say so; else all parameters, equal within a twentieth."""
    matched = [_matched(row.result) for line in lines for row in line.rows]
    goals = {(m.measure, m.goal) for m in matched if m}
    if matched and all(matched) and len(goals) == 1:
        return _against_goal(lines)
    counts = {line.name: line.means.get("parameters_total") for line in lines}
    known = [n for n in counts.values() if n is not None]
    if not known or len(known) < len(counts):
        return Item("parameters", UNTOLD, _untold([name for name, n in counts.items() if n is None], len(counts)))
    if _level(counts, SIZE):
        return Item("parameters", KEPT, f"{_range(known)}: within {100 * SIZE:g} %")
    each = "; ".join(f"{name} {words.amount(n)}" for name, n in counts.items())
    return Item("parameters", BROKEN, _cut(f"{_range(known)}: {each}"), f"parameters ({_range(known)})", MATCH)


@dataclasses.dataclass(frozen=True)
class _Match:
    """A model's size against the one that was aimed at."""

    measure: str
    goal: float
    reached: float
    reason: str  # why it is not the goal

    @property
    def off(self) -> float:
        return abs(self.reached - self.goal) / self.goal

    @property
    def missed(self) -> bool:
        """A reason is given where it is not near enough."""
        return bool(self.reason) or self.off > SIZE


def _matched(result: Result) -> _Match | None:
    told = result.config.get("matched")
    if not isinstance(told, dict) or not told:
        return None
    goal, reached = number(told.get("goal")), number(told.get("reached"))
    if goal is None or reached is None or goal <= 0:
        return None
    reason = told.get("reason")
    measure = words.clean(str(told.get("measure") or "size"))[:40].replace("_", " ")
    return _Match(measure, goal, reached, words.cut(words.clean(reason), 120) if isinstance(reason, str) else "")


def _against_goal(lines: Sequence[Line]) -> Item:
    matches = {line.name: m for line in lines for row in line.rows if (m := _matched(row.result))}
    first = next(iter(matches.values()))
    off = {name: m for name, m in matches.items() if m.missed}
    goal = f"matched by {first.measure}, {_amount(first.goal)}"
    if not off:
        return Item("size", KEPT, f"{goal}: at most {100 * max(m.off for m in matches.values()):.1f} % off")
    each = [f"{name} {100 * m.off:.0f} % off" + (f" ({m.reason})" if m.reason else "") for name, m in off.items()]
    brief = words.several([f"{name} {100 * m.off:.0f} % off" for name, m in off.items()], most=2)
    return Item("size", BROKEN, _cut(f"{goal}: {words.several(each)}"), f"size ({brief})", MATCH)


def _device(lines: Sequence[Line]) -> Item:
    def told(result: Result) -> str | None:
        named = [_text(result.environment.get(key)) for key in ("processor", "device")]
        return ", ".join(name for name in named if name) or None

    return _alike("device", _values(lines, told), mend=ALIKE)


def _precision(lines: Sequence[Line]) -> Item:
    def told(result: Result) -> str | None:
        learning = result.config.get("learning")
        return _text((learning if isinstance(learning, dict) else result.config).get("precision")) or None

    return _alike("precision", _values(lines, told), mend="run all models with the same --precision")


def _threads(lines: Sequence[Line]) -> Item:
    told = _values(lines, lambda r: _text(r.environment.get("threads")) or None)
    return _alike("threads", told, mend="run all models with the same --threads")


def _torch(lines: Sequence[Line]) -> Item:
    def told(result: Result) -> str | None:
        libraries = result.environment.get("libraries")
        named = libraries.get("torch") if isinstance(libraries, dict) else result.environment.get("torch")
        return _text(named) or None

    return _alike("torch version", _values(lines, told), mend=ALIKE)


def _code(lines: Sequence[Line]) -> Item:
    """The same files of ours in every trial that ran through them; one's own files within a model."""
    results = [row.result for line in lines for row in line.rows]
    files: dict[tuple[str, str], set[str]] = {}
    for result in results:
        for path, digest in result.made_of.items():
            if path.endswith(".py"):
                files.setdefault((path, "" if "/" in path else result.model), set()).add(digest)
    untold = [line.name for line in lines if not all(_files(row.result) for row in line.rows)]
    changed = sorted({words.clean(path)[:60] for (path, _), digests in files.items() if len(digests) > 1})
    if changed:
        said = f"changed between these trials: {words.several(changed)}"
        return Item("code", BROKEN, _cut(said), f"code ({words.plural(len(changed), 'file')} changed)", ALIKE)
    if untold:
        return Item("code", UNTOLD, _untold(untold, len(lines)))
    return Item("code", KEPT, f"{words.plural(len(files), 'file')}, none changed between these trials")


def _files(result: Result) -> bool:
    return any(path.endswith(".py") for path in result.made_of)


QUIET = "run those trials again while nothing else runs (--retry all)"


def _clock(lines: Sequence[Line]) -> Item:
    """Whether others used the processors while training was timed."""
    busy, untold = [], []
    for line in lines:
        told = [_company(row.result) for row in line.rows]
        if any(told):
            busy.append(line.name)
        elif None in told:
            untold.append(line.name)
    if busy:
        said = f"others used the machine beside {words.several(busy)}: their seconds are too long"
        return Item("quiet clock", BROKEN, _cut(said), "seconds of training (the machine was busy)", QUIET)
    if untold:
        return Item("quiet clock", UNTOLD, _untold(untold, len(lines)))
    return Item("quiet clock", KEPT, "nobody else used the machine while it trained")


def _company(result: Result) -> bool | None:
    for told in (result.metrics, result.environment, result.config):
        if (had := number(told.get("had_company"))) is not None:
            return had > 0
    return None


def _selection(lines: Sequence[Line]) -> Item:
    told = _values(lines, lambda r: _text(r.config.get("selection")) or None)
    item, name = _alike("selection", told), "chosen on validation, tested once"
    chosen = {value for _, value in told}
    if chosen == {"validation"}:
        return Item(name, KEPT, "the state was chosen on validation; the test split was answered once, after training")
    if chosen <= {"validation", None}:
        return dataclasses.replace(item, name=name, state=UNTOLD)
    others = sorted(f"{line}: {value}" for line, value in told if value not in ("validation", None))
    mend = "a state chosen on anything but validation cannot be compared: run it again"
    return Item(name, BROKEN, _cut(f"chosen otherwise: {words.several(others)}"), "how the state was chosen", mend)


def _values(lines: Iterable[Line], value: Callable[[Result], str | None]) -> list[tuple[str, str | None]]:
    """A line's name with each of its values: one where its seeds agree; None where a row does not tell."""
    return [pair for line in lines for pair in dict.fromkeys((line.name, value(row.result)) for row in line.rows)]


def _alike(
    name: str, told: Values, *, mend: str = "", brief: str = "",
    kept: Callable[[str], str] = lambda value: value,
) -> Item:  # fmt: skip
    """Kept where all have one value, broken where two differ, not told where one is missing and the rest agree."""
    by: dict[str, list[str]] = {}
    for line, value in told:
        if value is not None:
            by.setdefault(value, []).append(line)
    untold = [line for line, value in told if value is None]
    if len(by) > 1:
        each = [f"{words.clean(value)}: {words.several(names)}" for value, names in by.items()]
        said = "; ".join(each) + (f"; {_untold(untold)}" if untold else "")
        return Item(name, BROKEN, _cut(said), brief or _brief(name, [*by]), mend)
    if untold or not by:
        return Item(name, UNTOLD, _untold(untold, len({line for line, _ in told})))
    return Item(name, KEPT, _cut(words.clean(kept(next(iter(by))))))


def _brief(name: str, values: Sequence[str]) -> str:
    shown = [words.cut(words.clean(value), 48) for value in values]
    return f"{name} ({words.several(shown, most=2)})"


def _untold(lines: Sequence[str], of: int = 0) -> str:
    """Whose rows do not say it; `of` is the number of lines in all."""
    names = [*dict.fromkeys(lines)]
    if not names or len(names) == of:
        return "no row says"
    return _cut(f"the rows of {words.several(names, most=4)} do not say")


def _level(amounts: Mapping[str, float | None], within: float) -> bool:
    """Whether all amounts are known and differ by no more than a share of the smallest."""
    known = [n for n in amounts.values() if n is not None]
    return bool(known) and len(known) == len(amounts) and max(known) - min(known) <= within * abs(min(known))


def _range(amounts: Iterable[float]) -> str:
    """ "1.1 to 3.9 million"; one number where they print alike."""
    low, high = min(amounts := [*amounts]), max(amounts)
    for size, name in ((1e15, ""), (1e12, " trillion"), (1e9, " billion"), (1e6, " million")):
        if high >= size:
            texts = [f"{n / size:.3g}" if name else f"{n:.3g}" for n in (low, high)]
            return " to ".join(dict.fromkeys(texts)) + name
    return " to ".join(dict.fromkeys(_amount(n) for n in (low, high)))


def _amount(n: float) -> str:
    return f"{n:.4g}" if abs(n) >= 1e12 or (n != round(n) and abs(n) < 100) else f"{n:,.0f}"


def _text(value: Any) -> str:
    """A plain stored value as text; nothing for one that is missing or not plain."""
    return words.cut(words.clean(str(value)), 80) if isinstance(value, str | int | float) else ""


def _cut(text: str, most: int = LONGEST) -> str:
    return words.cut(text, most)
