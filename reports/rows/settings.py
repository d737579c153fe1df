"""What a trial was told (data, settings, budget, machine), and how often it was interrupted."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from bench.record import Result
from reports.rows import private
from reports.rows.fields import mapping, number, text
from reports.words import APART, whole

SPENT = ("used", "interruptions")  # what a budget says of what happened, not of what was allowed
# what says how settings came about
FOUND = ("asked", "data", "overlap", "tuned", "matched", "selection", "provenance", "seeds")


def data(result: Result) -> str:
    """Names the data of a trial: their checksum; where they lay, in rows too old to have one."""
    return result.made_of.get("data", "") or _where(result)


def own_data(result: Result) -> str:
    """The last name of the folder of one's own data; nothing for data that come with seqbench.

    Never the whole path: a page that is passed on should not tell where it was made.
    """
    where = _where(result)
    return private.last(where) if where else ""


def command(result: Result) -> str:
    """The command that repeats a trial, without the places of its data and of a model's file."""
    return private.command(result.command)


def _where(result: Result) -> str:
    """The folder of one's own data, from the settings, or from the command in rows that do not store it."""
    if "data" in result.config or "--data" not in result.command:
        told = result.config.get("data")
        return told if isinstance(told, str) else ""
    return _option(result.command, "--data").partition("=")[2]


def _option(command: str, name: str) -> str:
    try:
        given = shlex.split(command)
    except ValueError:  # an open quotation mark
        return ""
    return next((told for option, told in pairwise(given) if option == name), "")


def variant(result: Result) -> str:
    """The variant of a suite that a row belongs to: from the settings, or from the command of one that failed."""
    if "variant" in result.config or "--variant" not in result.command:
        told = result.config.get("variant")
        return told if isinstance(told, str) else ""
    return _option(result.command, "--variant")


def base(task: str) -> str:
    """The task's own name, without the settings that tell it from itself."""
    return task.split(APART, 1)[0]


def differing(told: Sequence[dict[str, str]]) -> list[str]:
    """Settings that are not the same everywhere."""
    keys = dict.fromkeys(key for one in told for key in one)
    return [key for key in keys if len({one.get(key) for one in told}) > 1]


def settings(result: Result) -> dict[str, str]:
    """What a trial was told, flat: its seed, what it chose itself and what it happened to use are left out.

    Device and threads count: times are not the same without them. Data do not: they make another task.
    """
    return {k: v for k, v in flat(_told(result)) if k.rsplit(".", 1)[-1] != "seed"}


def way(result: Result) -> tuple[object, ...]:
    """Equal for trials that were told the same, seeds aside; soon found, and true only of rows that were read together.

    Equal dictionaries of such rows are one object. Of those that differ here, some may still be told the same.
    """
    told = [(k, id(v) if isinstance(v, dict) else repr(v)) for k, v in result.config.items() if k != "seeds"]
    return (*told, id(result.environment), str(allowed(result)))


def configuration(result: Result) -> str:
    """The settings as one text, the same for trials that differ in their seed alone."""
    whole_text = json.dumps(_told(result), sort_keys=True)
    return (
        json.dumps(settings(result), sort_keys=True) if '"seed"' in whole_text else whole_text
    )  # flat takes ten times as long


def _told(result: Result) -> dict[str, Any]:
    config, asked = dict(result.config), result.config.get("asked")
    if isinstance(asked, dict) and isinstance(config.get("learning"), dict):
        # a ridge strength chosen on validation differs from seed to seed and makes no other configuration
        config["learning"] = {**mapping(asked.get("learning")), "precision": config["learning"].get("precision")}
    told = {key: value for key, value in config.items() if key not in FOUND}
    if own := mapping(mapping(asked).get("seeds")):  # seeds of order or weights that were held, or told apart
        told["seeds"] = own
    return {**told, "budget": allowed(result), **machine(result)}


def allowed(result: Result) -> dict[str, Any]:
    """The budget that a trial was given, without what it used of it."""
    given = {k: v for k, v in result.budget.items() if k not in SPENT}
    if given.get("seconds") is not None:  # its number of updates then follows from the machine
        return {"seconds": given["seconds"]}
    return given


def machine(result: Result) -> dict[str, Any]:
    """The device and the number of threads."""
    return {key: result.environment.get(key, "") for key in ("device", "threads")}


def code(results: Iterable[Result]) -> dict[tuple[str, str], set[str]]:
    """(file, model) -> the versions that trials ran through; the model is told of somebody's own file alone."""
    found: dict[tuple[str, str], set[str]] = {}
    for result in results:
        for path, digest in result.made_of.items():
            if path.endswith(".py"):
                found.setdefault((path, "" if "/" in path else result.model), set()).add(digest)
    return found


def changed(files: Mapping[tuple[str, str], set[str]]) -> list[str]:
    """The files of several versions, by name."""
    return sorted({path for (path, _), versions in files.items() if len(versions) > 1})


def interruptions(result: Result) -> int:
    """How often training went on from a checkpoint."""
    told = result.budget | mapping(result.budget.get("used"))
    return int(number(told.get("interruptions")) or 0)


def company(result: Result) -> bool | None:
    """Whether others used the processors while it was timed; None where the row does not tell."""
    for told in (result.metrics, result.environment, result.config):
        if (had := number(told.get("had_company"))) is not None:
            return had > 0
    return None


def described(result: Result) -> dict[str, str]:
    """Every setting of a trial as it ran, flat, defaults and choices included."""
    given = {k: v for k, v in result.budget.items() if k not in SPENT}
    told = {k: v for k, v in result.config.items() if k not in ("asked", "data", "overlap")} | {"budget": given}
    own = own_data(result)
    return {k: v for k, v in flat(told) if v != "null"} | ({"data": f"own data: {own}"} if own else {})


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Settings within settings as pairs: ("model.width", "64")."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield whole(name), text(value) if isinstance(value, str) else json.dumps(value)
