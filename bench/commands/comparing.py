"""What `seqbench compare` prints: two runs of the same models side by side, or the models of all runs ranked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.progress import Steps
from bench.typed import UsageError
from reports.compare import compare


def told(
    runs: Sequence[Path], task: str, metric: str, strict: bool, together: bool, out: Path | None, as_json: bool
) -> str:
    """The comparison as text or JSON; written into `out` where that is given. Raises UsageError and what reports do."""
    from reports.compare import contrast, differences

    two = len(runs) == 2 and not together and differences.shared(runs[0], runs[1])
    if not two:
        if out is not None:
            raise UsageError(
                "--out writes the differences of two runs that measured the same models on the same tasks; "
                "`seqbench report` writes a page of any runs"
            )
        found = compare.compare(runs, task, metric, strict)
        return compare.as_json(found) if as_json else compare.text(found)
    with Steps() as steps:
        steps.say("comparing two runs")
        apart = differences.differences(runs[0], runs[1], task, metric, strict)
        page = None if out is None else contrast.write(apart, out, steps.say)
    if as_json:
        return contrast.as_json(apart)
    return contrast.text(apart) + (f"\n\nReport: {page}" if page else "")
