"""What a session of pytest gathers: verdicts of its checks, and entries that are to be written. No torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bench.guard import baseline
from bench.guard.baseline import Baseline
from bench.guard.gates import Verdict

PREFIX = "seqbench_"  # of the properties of a test, which JUnit files show


@dataclasses.dataclass
class Kept:
    """Gathered in this process; under xdist every worker has its own, and hands it over."""

    updating: bool
    new: dict[str, dict[str, dict[str, Any]]] = dataclasses.field(default_factory=dict)  # file -> name -> entry
    files: dict[Path, Baseline] = dataclasses.field(default_factory=dict)

    def baseline(self, path: Path) -> Baseline:
        """A file of baselines, read once. Raises BaselineError."""
        if path not in self.files:
            self.files[path] = baseline.read(path)
        return self.files[path]

    def entry(self, path: Path, name: str, entry: dict[str, Any]) -> None:
        """An entry to be written in the end. Raises BaselineError where its file cannot be trusted."""
        self.baseline(path)
        self.new.setdefault(str(path), {})[name] = {k: v for k, v in entry.items() if k != "command"}

    def take(self, other: dict[str, dict[str, dict[str, Any]]]) -> None:
        """What a worker gathered."""
        for path, found in other.items():
            self.new.setdefault(path, {}).update(found)

    def properties(self, verdict: Verdict) -> Iterator[tuple[str, str]]:
        """A verdict as properties of its test, the answer first."""
        for name, value in dataclasses.asdict(verdict).items():
            yield PREFIX + name, "; ".join(value) if isinstance(value, tuple | list) else str(value)

    def written(self) -> Iterator[str]:
        """Writes what was measured anew, file by file, after saying how it differs from what was there."""
        for name, found in sorted(self.new.items()):
            file = self.baseline(Path(name))
            yield f"{file.path}:"
            yield from (f"  {line}" for line in file.differences(found))
            file.write(found)
            yield f"written: {file.path}"
        self.new.clear()


def verdicts(properties: Iterable[tuple[str, Any]]) -> list[Verdict]:
    """The verdicts that a test's properties hold."""
    found: list[dict[str, Any]] = []
    names = {field.name for field in dataclasses.fields(Verdict)}
    for name, value in properties:
        field = name.removeprefix(PREFIX)
        if name.startswith(PREFIX) and field in names:
            if field == "answer":
                found.append({})
            found[-1][field] = tuple(filter(None, str(value).split("; "))) if field == "changed" else value
    return [Verdict(**one) for one in found]
