"""What a CI shows: a summary in Markdown where GITHUB_STEP_SUMMARY names a file, notes where GITHUB_ACTIONS is set."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.guard.gates import Verdict

COLUMNS = ("answer", "check", "metric", "baseline", "now", "difference")
Found = tuple[str, int, Verdict]  # file (relative), line from 1, verdict


def counted(verdicts: Sequence[Verdict]) -> str:
    """How many of each answer: "41 ok, 1 worse"."""
    names = [one.named for one in verdicts]
    return ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names)) or "nothing was checked"


def told(found: Sequence[Found]) -> None:
    """Tells the CI what was found, as far as it listens."""
    summary([one for _, _, one in found])
    for line in notes(found):
        print(line)


def summary(verdicts: Sequence[Verdict]) -> bool:
    """Adds a table to the summary of the CI's step; whether there is one."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path or not verdicts:
        return False
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown(verdicts))
    except OSError:
        return False
    return True


def markdown(verdicts: Sequence[Verdict]) -> str:
    """What was checked: how many of each answer, and a table of all but those that are as they were."""
    lines = ["### seqbench", "", counted(verdicts), ""]
    shown = [one for one in verdicts if one.answer != "ok"]
    if shown:
        lines += [_row(COLUMNS), _row(["---"] * len(COLUMNS))]
        for one in shown:
            check = f"{one.kind} of {one.model} on {one.task}"
            lines.append(
                _row([f"**{one.named}**", check, one.metric, one.before, one.now, f"{one.difference}; {one.why}"])
            )
        lines += ["", *(f"- `{one.command}`" for one in shown if one.command), ""]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def notes(found: Sequence[Found]) -> Iterator[str]:
    """GitHub's workflow commands, one a verdict that is not ok; none where nobody reads them."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    kinds = {"worse": "error", "inconclusive": "warning", "better": "notice"}
    for file, line, one in found:
        if one.answer in kinds:
            title = _escaped(f"seqbench: {one.named}").replace(",", "%2C").replace(":", "%3A")
            place = _escaped(file).replace(",", "%2C").replace(":", "%3A")
            yield f"::{kinds[one.answer]} file={place},line={line},title={title}::{_escaped(one.text())}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
