"""What two runs do not have in common: machines, versions, code, data, budgets; told before any number."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from bench.record import Result
from reports import words
from reports.rows.fields import number
from reports.rows.private import placeless
from reports.rows.settings import allowed, base, data, own_data
from reports.rows.stored import Row, Stored

MACHINE = ("processor", "device", "cores", "threads", "platform", "python")
AXES = {"updates": "updates", "examples": "examples", "tokens": "tokens", "flops": "FLOPs", "seconds": "seconds"}
SHOWN = 4  # values of a fact
UNTOLD = "not told"
CODE = "code: "  # before the name of a file of code


@dataclasses.dataclass(frozen=True)
class Fact:
    """One thing about two runs."""

    name: str
    first: str
    second: str

    @property
    def alike(self) -> bool:
        """Whether both tell it, and tell the same."""
        return self.first == self.second != UNTOLD


def facts(first: Stored, second: Stored) -> list[Fact]:
    """Every fact that either run tells; those that differ first, and of these the machine before all else."""
    told = [_told(first), _told(second)]
    names = dict.fromkeys(name for one in told for name in one)
    found = [Fact(name, *(_said(one.get(name, {})) for one in told)) for name in names]
    return sorted(found, key=lambda fact: fact.alike)


def _said(values: Iterable[str]) -> str:
    return words.several([*values], most=SHOWN) or UNTOLD


def _told(stored: Stored) -> dict[str, dict[str, None]]:
    """Name -> values in order, each once."""
    found: dict[str, dict[str, None]] = {name: {} for name in MACHINE}
    environments = {id(row.result.environment): row.result.environment for row in stored.rows}
    for environment in environments.values():
        for name, value in _environment(environment):
            found.setdefault(name, {})[value] = None
    for about in (_computed, _data, _budget):
        for row in stored.rows:
            for name, value in about(row.result):
                found.setdefault(name, {})[value] = None
    for name, value in _code(stored.rows):
        found.setdefault(name, {})[value] = None
    found["seeds"] = dict.fromkeys(map(str, sorted({row.result.seed for row in stored.rows})))
    found["suite"] = dict.fromkeys(_cut(row.result.suite) for row in stored.rows if row.result.suite)
    found["measured on"] = dict.fromkeys(_days(stored.rows))
    return {name: values for name, values in found.items() if values}


def _environment(environment: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in environment.items():
        inner = value.items() if isinstance(value, dict) else [(name, value)]
        yield from ((_cut(key).replace("_", " "), _cut(str(told))) for key, told in inner)


def _computed(result: Result) -> Iterator[tuple[str, str]]:
    """The precision that was computed in, and whether models were compiled."""
    learning = result.config.get("learning")
    told = result.config.get("precision") or (learning.get("precision") if isinstance(learning, dict) else None)
    if isinstance(told, str) and result.probe != "floor":
        yield "precision", _cut(told)
    if isinstance(result.config.get("compile"), bool):
        yield "compiled", "yes" if result.config["compile"] else "no"


def _data(result: Result) -> Iterator[tuple[str, str]]:
    """Where data have a checksum, it says whether they are the same; a folder's name alone does not."""
    told, folder = data(result), own_data(result)
    if told:
        checksum = words.cut(told, 13) if result.made_of.get("data") else "no checksum"
        yield f"data of {_task(result)}", f"{folder}, {checksum}" if folder else checksum


def _budget(result: Result) -> Iterator[tuple[str, str]]:
    given = [(AXES[k], number(v)) for k, v in allowed(result).items() if k in AXES]
    said = [f"{amount:,.10g} {axis}" for axis, amount in given if amount is not None]
    if said and result.probe == "quality":
        yield f"budget of {_task(result)}", ", ".join(said)


def _task(result: Result) -> str:
    return words.lowered(words.task(base(result.task)))


def _code(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    """Each file of code that trained or answered, and its checksum."""
    made = {id(row.result.made_of): row.result.made_of for row in rows if row.result.probe == "quality"}
    for one in made.values():
        yield from ((f"{CODE}{_cut(path)}", _cut(checksum)) for path, checksum in one.items() if path.endswith(".py"))


def _days(rows: Iterable[Row]) -> list[str]:
    days = sorted({row.result.time[:10] for row in rows if row.result.time})
    return [days[0]] if len(days) == 1 else [f"{days[0]} to {days[-1]}"] if days else []


def _cut(text: str) -> str:
    return words.cut(words.clean(placeless(text)), 60)


def gathered(found: Iterable[Fact]) -> list[str]:
    """Facts that differ, a phrase each, files of code in one: "threads 1 against 2", "code of bench/train.py"."""
    unlike = [fact for fact in found if not fact.alike]
    code = [fact.name.removeprefix(CODE) for fact in unlike if fact.name.startswith(CODE)]
    said = [f"{fact.name} {fact.first} against {fact.second}" for fact in unlike if not fact.name.startswith(CODE)]
    return said + ([f"code of {words.several(code, most=3)}"] if code else [])
