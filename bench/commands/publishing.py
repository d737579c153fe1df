"""What `seqbench publish` does: one report or all of them, then the index, then what README.md shows of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.progress import Steps
from bench.typed import UsageError


def published(
    runs: Sequence[Path], name: str, replace: bool, headline: bool, refresh: bool, most: int, into: Path | None
) -> list[str]:
    """Lines that say what was done. Raises UsageError and what reports raise."""
    from reports.shelf import blocks, contrasts, publish, shelf, speeds

    if refresh == bool(runs) or bool(runs) != bool(name):
        raise UsageError("expected folders of runs and --name NAME, or --refresh alone")
    place = publish.PUBLISHED if into is None else into
    readme = publish.README if into is None else into / ".." / "README.md"
    with Steps() as steps:
        if refresh:
            found = publish.refresh(place, most, steps.say)
        else:
            found = [publish.publish(runs, name, place, replace, most, steps.say)]
        steps.say("refreshing the index")
        index = shelf.index(place)
    lines = [line for one in found for line in one.said()] + [f"Index: {index}"]
    if headline or refresh or name in shelf.named(readme):
        lines.append(shelf.headline(readme, place, name if headline else ""))
    for kind in (contrasts.KIND, speeds.KIND):
        if refresh or name in blocks.named(readme, kind):
            lines += blocks.refreshed(readme, place, kind)
    return lines
