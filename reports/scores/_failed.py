"""Which seeds of a line failed: a mean over four seeds of five says so."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bench.record import Result
from reports.rows.settings import allowed
from reports.rows.stored import Row, Stored
from reports.scores.failures import NOT_TRIED, kind


def failures(stored: Stored, task: str, groups: Sequence[Sequence[Row]]) -> list[int]:
    """How many other seeds each group of rows (one configuration of a model) tried in vain.

    A trial that failed belongs to the group that was asked for in the same words. Rows that do not say what was asked
    for get those of their model, where it has no other group; what fits several groups is counted for none.
    """
    lost = [row for row in stored.unfinished if _tried(row, task)]
    if not lost:
        return [0] * len(groups)
    asked = [_asked(rows[0].result) for rows in groups]
    seeds: list[set[int]] = [set() for _ in groups]
    places: dict[str, list[int]] = {}  # of each model's groups
    for place, rows in enumerate(groups):
        places.setdefault(rows[0].result.model, []).append(place)
    for row in lost:
        own = places.get(row.result.model, [])
        fitting = [place for place in own if asked[place] in (None, _asked(row.result))]
        if len(fitting) == 1 and (asked[fitting[0]] is not None or len(own) == 1):
            seeds[fitting[0]].add(row.result.seed)
    return [len(own - {row.result.seed for row in rows}) for own, rows in zip(seeds, groups, strict=True)]


def _tried(row: Row, task: str) -> bool:
    return row.result.probe == "quality" and row.result.task == task and kind(row) not in NOT_TRIED


def _asked(result: Result) -> str | None:
    """Settings and budget that a trial was asked for, as one text; None where a finished row does not tell."""
    config, told = result.config, result.config.get("asked")
    if isinstance(told, dict) and told.get("model_settings") is not None:
        config = {"model": told["model_settings"], "learning": told.get("learning")}
    elif result.status == "ok":
        return None
    given = {name: value for name, value in allowed(result).items() if value is not None}
    return json.dumps([config.get("model") or {}, config.get("learning") or {}, given], sort_keys=True, default=str)
