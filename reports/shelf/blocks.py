"""Tables that the README asks for: what stands between <!-- seqbench:KIND RUN ... --> and <!-- /seqbench:KIND -->."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.disk import whole
from bench.record import RESULTS
from reports import ReportError, words

NAME = "([a-z0-9-]+)"


class Kind(NamedTuple):
    """A kind of table. `body` makes it from the folders of its runs; it raises ReportError where there is none."""

    name: str
    runs: int  # published runs that it names
    body: Callable[..., str]

    @property
    def pattern(self) -> re.Pattern[str]:
        """Markers of this kind, a group for each run."""
        return pattern(self.name, f" {NAME}" * self.runs)


def pattern(kind: str, names: str) -> re.Pattern[str]:
    """From an opening marker, `names` behind its kind, to its closing one; between them no other begins."""
    return re.compile(rf"<!-- seqbench:{kind}{names} -->((?:(?!<!-- seqbench:).)*?){closed(kind)}", re.DOTALL)


def closed(kind: str) -> str:
    """The marker that ends a table."""
    return f"<!-- /seqbench:{kind} -->"


def refreshed(readme: Path, into: Path, kind: Kind) -> list[str]:
    """Writes each table of that kind into the README, from the runs published in `into`.

    A line for each that says so, or why it stays as it was: a run is not published, or holds nothing of the kind.
    """
    said = []

    def told(found: re.Match[str]) -> str:
        names = found.groups()[: kind.runs]
        try:
            body = kind.body(*(_published(into, name) for name in names))
        except ReportError as error:
            said.append(f"{readme.name}: {kind.name} of {words.listed(names)} not changed: {error}")
            return found[0]
        said.append(f"{readme.name}: {kind.name} of {words.listed(names)}")
        return f"<!-- seqbench:{kind.name} {' '.join(names)} -->\n\n{body}\n\n{closed(kind.name)}"

    text = written(readme)
    new = kind.pattern.sub(told, text)
    if new != text:
        whole(readme, new.encode())
    return said


def named(readme: Path, kind: Kind) -> set[str]:
    """Which runs the README shows in tables of that kind."""
    return {name for found in kind.pattern.finditer(written(readme)) for name in found.groups()[: kind.runs]}


def written(readme: Path) -> str:
    """What stands in it; nothing where there is none."""
    return readme.read_text("utf-8") if readme.is_file() else ""


def _published(into: Path, name: str) -> Path:
    if not (into / name / RESULTS).is_file():
        raise ReportError(f"{name} not published")
    return into / name
