"""The head of a page: what was measured, how often, and where."""

from __future__ import annotations

from collections.abc import Sequence

from bench.record import Result
from reports import words
from reports.rows.stored import Stored
from reports.sections import appendix

TITLE = "Which sequence model, for which task, at which cost"
SPEED = "Which sequence model is fast, how much it does at once, and up to which length"
SEARCHED = "Which settings suit which sequence model, found on validation alone"
FARTHER = "How far back sequence models remember, and what they do beyond the lengths they saw"


def title(stored: Stored) -> str:
    """What the page asks: it depends on what was measured at all."""
    if stored.trials or stored.floors or not (stored.speed or stored.long or stored.tuning):
        return TITLE
    return FARTHER if stored.long else SPEED if stored.speed else SEARCHED


def facts(stored: Stored) -> str:
    """How many models, tasks, seeds and trials, of which suites, on which machines."""
    quality = [row.result for row in stored.trials]
    timed, far, tried = ([row.result for row in rows] for rows in (stored.speed, stored.long, stored.tuning))
    claimed = [row.result for row in stored.claimed]
    others = (*timed, *far, *claimed, *tried)
    told = _counts(stored, quality) if quality or not others else []
    if not told:
        told = [words.plural(len({r.model for r in others}), "model")]
    told += [words.plural(len(timed), "measurement") + " of speed"] if timed else []
    told += [words.plural(len(far), "trial") + " of long sequences"] if far else []
    told += [words.plural(len(claimed), "measurement") + " for claims"] if claimed else []
    told += [words.plural(len(tried), "trial") + " of tuning"] if tried else []
    suites = [words.clean(suite) for suite in sorted({row.result.suite for row in stored.rows} - {""})]
    environments = {id(e): e for e in (r.environment for r in (*quality, *others))}.values()
    machines = sorted({appendix.machine(e) for e in environments} - {""})
    said = ", ".join(told) + (f"; suite {words.several(suites)}" if suites else "")
    return f"{said}; on {words.several(machines)}" if machines else said


def _counts(stored: Stored, quality: Sequence[Result]) -> list[str]:
    return [
        words.plural(len({row.result.model for row in stored.rows if row.result.probe != "floor"}), "model"),
        words.plural(len(stored.tasks), "task"),
        words.plural(len({r.seed for r in quality}), "seed"),
        words.plural(len(quality), "trial"),
    ]
