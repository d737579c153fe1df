"""The winners of a search become the settings of its suite, each with where it comes from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import disk, record, suites, workers
from bench.commands.tune import Space, Study, Values, fixed, mark, placed, said_of, space_of, spent, studies, values_of
from bench.record import Result
from bench.trial import Trial
from bench.typed import UsageError, listed


def adopted(run: Path, explain: bool) -> Iterator[str]:
    """Tells every change in a line, then writes the settings, or with `explain` leaves them.

    Raises UsageError where a folder holds searches of no suite or several, and UnlikeError.
    """
    rows = [row for row in record.read(run) if row.probe == "tune"]
    found = {row.suite for row in rows}
    if len(found) != 1:
        raise UsageError(f"{run} holds searches of {listed(sorted(found)) or 'no suite'}; expected those of one suite")
    path = suites.SETTINGS / f"{found.pop()}.json"
    searches = studies(rows)
    with workers.workers() as some:
        place = some.place("cpu", 1)
        checked(searches, lambda one: some.vouched(_own(path.stem, one), place))
    new, said = changed(suites.settings(path.stem), searches)
    yield from said
    if explain:
        yield f"{path} stays as it is"
        return
    disk.whole(path, written(new).encode())
    yield f"Written: {path}"


def _own(suite: str, study: Study) -> Trial:
    return dataclasses.replace(suites.cell(suite, study.model, study.task, 0), probe="tune")


class UnlikeError(Exception):
    """A search does not fit the suite that is to take its winners: one line says why."""


def checked(found: Sequence[Study], made_of: Callable[[Study], Mapping[str, str]]) -> None:
    """Raises UnlikeError where a model was searched twice on a task, or otherwise than its suite would train it.

    `made_of` says what the suite's own trial of a study is made of. Budget, code and versions may differ.
    """
    names = [(study.task, study.model) for study in found]
    for study in found:
        label = f"{study.model} on {study.task}"
        if names.count((study.task, study.model)) > 1:
            raise UnlikeError(
                f"{label} was searched more than once here (other seeds, settings or code): name one folder each"
            )
        searched = space_of(study.rows[0])
        here, there = (fixed(made, searched) for made in (made_of(study), study.rows[0].made_of))
        unlike = [name for name in ASKED if here.get(name) != there.get(name)]
        if unlike:
            told = "; ".join(f"{name} {there.get(name)}, the suite has {here.get(name)}" for name in unlike)
            raise UnlikeError(
                f"{label} was searched with {told}: adopting would lose that; search without --set or set it there"
            )


ASKED = ("model_settings", "learning", "task_settings", "batch", "data")  # what a suite's settings say beside a budget


def changed(settings: dict[str, Any], found: Iterable[Study]) -> tuple[dict[str, Any], list[str]]:
    """A suite's settings with the winners in them, each with where it comes from, and a line for each change."""
    told = dict(settings)
    said = []
    for study in found:
        best = study.best
        if best is None:
            said.append(
                f"{study.model} on {study.task}: none of {len(study.rows)} trials came to its end; nothing changes"
            )
            continue
        searched = space_of(best)
        values = values_of(best)
        by_task = dict(told.get(study.task, {}))
        by_task[study.model] = _with(by_task.get(study.model, {}), values) | {
            "tuned": provenance(study, best, searched)
        }
        told[study.task] = by_task
        number = placed(best)["number"]
        said.append(f"{study.model} on {study.task}: trial {number} of {len(study.rows)}, {said_of(values)}")
    if told != settings and "provenance" in told and not str(told["provenance"]).startswith(TUNED):
        told["provenance"] = f"{TUNED}: {told['provenance']}"
    return told, said


TUNED = 'tuned where "tuned" says how; the rest'


def _with(cell: dict[str, Any], values: Values) -> dict[str, Any]:
    made = {part: dict(cell.get(part, {})) for part in ("model", "learning")}
    for key, value in values.items():
        part, _, name = key.partition(".")
        made[part][name] = value
    return cell | {part: chosen for part, chosen in made.items() if chosen}


def provenance(study: Study, best: Result, searched: Space) -> dict[str, Any]:
    """Where a tuned setting comes from: how much was tried, under which budget, on what."""
    metric, first = best.config["notes"]["metric"], study.rows[0].metrics.get("validation")
    return {
        "trials": len(study.rows),
        "pruned": study.pruned,
        "failed": sum(row.status != "ok" for row in study.rows),
        "budget": {name: value for name, value in best.budget.items() if name != "used"},
        "seconds": round(spent(study.rows)),
        "space": mark(searched),
        "seed": best.seed,
        f"validation_{metric}": round(float(best.metrics["validation"]), 2),
        "before": None if first is None else round(float(first), 2),
        "device": best.environment.get("device", ""),
        "torch": best.environment.get("libraries", {}).get("torch", ""),
        "day": best.time[:10],
    } | _held(study, best)


def _held(study: Study, best: Result) -> dict[str, str]:
    """Whether the winner of another search held here, where one was tried."""
    row = next((row for row in study.rows if placed(row).get("source")), None)
    if row is None:
        return {}
    whose = f"the winner of the search of suite {placed(row)['source']}"
    if row is best:
        return {"taken": whose}
    came = f", which came to {row.metrics['validation']:.2f}" if row.status == "ok" else ", which failed"
    return {"tried": f"{whose}{came}"}


def written(settings: Mapping[str, Any]) -> str:
    """Settings as their files are written: a line a model."""
    lines = []
    for key, value in settings.items():
        if not isinstance(value, dict):
            lines.append(f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
            continue
        inner = [f"    {json.dumps(name)}: {json.dumps(said, ensure_ascii=False)}" for name, said in value.items()]
        lines.append(f"  {json.dumps(key)}: {{\n" + ",\n".join(inner) + "\n  }")
    return "{\n" + ",\n".join(lines) + "\n}\n"
