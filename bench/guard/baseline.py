"""Baselines: what a model came to when somebody last looked, in small files that are reviewed and kept with the code.

A file holds entries by name, each with its kind ("quality", "speed" or "losses"), the numbers, what they were measured
with, and which of the `environments` of the file they are from. A checksum over all of it tells a file that was damaged
or edited by hand; numbers are changed by measuring again. Standard library only.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import disk
from bench.disk import RecordError

SCHEMA = 1
UPDATE = "--seqbench-update"
NOTE = f"Measured, not written: change it with pytest {UPDATE}, or with seqbench check RUN --against FILE --update"
KINDS = ("quality", "speed", "losses")
ALWAYS = {"kind", "model", "task", "metric", "asked", "made"}
NEEDED: dict[str, dict[str, Any]] = {
    "quality": {"scores": list, "seeds": list},
    "speed": {"ratios": list, "seconds": (int, float)},
    "losses": {"losses": list},
}
NUMBERS = ("scores", "ratios", "losses", "memory")  # lists that hold numbers alone
Entry = dict[str, Any]


class BaselineError(RecordError):
    """A baseline cannot be used: one line that names the file and says what to do."""


@dataclasses.dataclass
class Baseline:
    """The entries of one file, each with the environment that it was measured in under `made`."""

    path: Path
    entries: dict[str, Entry] = dataclasses.field(default_factory=dict)

    def __getitem__(self, name: str) -> Entry:
        """The entry of that name. Raises BaselineError where there is none."""
        if name not in self.entries:
            held = f"{len(self.entries)} others" if self.entries else "nothing yet"
            raise BaselineError(f"{self.path} holds no baseline of {name!r} ({held}); measure one with {UPDATE}")
        return self.entries[name]

    def differences(self, new: Mapping[str, Entry]) -> list[str]:
        """What writing these entries would change, a line a number, for a person to read before it is written."""
        lines = []
        for name, entry in sorted(new.items()):
            old = self.entries.get(name)
            lines += [f"{'+' if old is None else ' '} {name}"]
            lines += [f"    {line}" for line in _changes(old or {}, entry)] or ["    as it was"]
        return lines

    def write(self, new: Mapping[str, Entry]) -> None:
        """Puts entries in, beside those that are there, and writes the file whole. Raises RecordError."""
        self.entries |= new
        disk.whole(self.path, _text(self.entries).encode())


def read(path: Path) -> Baseline:
    """A file of baselines; empty where there is none. Raises BaselineError for one that cannot be trusted."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Baseline(path)
    except OSError as error:
        raise BaselineError(f"{path} cannot be read: {error.strerror}") from error
    body = _body(path, content)
    made = body["environments"]
    return Baseline(path, {name: entry | {"made": made[entry["made"]]} for name, entry in body["entries"].items()})


def _body(path: Path, content: bytes) -> dict[str, Any]:
    """The file's content, once its schema, its checksum and each of its entries are right."""
    again = f"get it from version control again, or measure anew: remove it and give {UPDATE}"
    try:
        body = json.loads(content)
        schema, told = body["schema"], body.pop("sum")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise BaselineError(f"{path} is damaged: it is not a whole file of baselines; {again}") from None
    if type(schema) is not int or schema < 1:
        raise BaselineError(f"{path} is damaged: its schema is {schema!r}; {again}")
    if schema > SCHEMA:
        raise BaselineError(f"{path}: schema {schema} is newer than {SCHEMA}; update seqbench")
    if told != _sum(body):
        raise BaselineError(f"{path} was damaged or edited by hand: its checksum is not right; {again}")
    for name, entry in _entries(body).items():
        wrong = _wrong(entry, body)
        if wrong:
            raise BaselineError(f"{path}: the entry {name!r} is not as it should be ({wrong}); {again}")
    return dict(body)


def _entries(body: dict[str, Any]) -> dict[str, Any]:
    found = body.get("entries")
    return found if isinstance(found, dict) else {"entries": found}


def _wrong(entry: Any, body: dict[str, Any]) -> str:
    """What is wrong with an entry; empty where nothing is."""
    if not isinstance(entry, dict) or entry.get("kind") not in KINDS:
        return f"its kind is none of {', '.join(KINDS)}"
    if missing := ALWAYS - entry.keys():
        return f"without {', '.join(sorted(missing))}"
    if entry["made"] not in body.get("environments", {}):
        return "its environment is missing"
    for name, kind in NEEDED[entry["kind"]].items():
        if not isinstance(entry.get(name), kind) or entry[name] == []:
            return f"{name} is missing"
    loose = [name for name in NUMBERS if any(not isinstance(n, int | float) for n in entry.get(name, []))]
    return f"{loose[0]} holds something that is no number" if loose else ""


def _sum(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]


def _text(entries: Mapping[str, Entry]) -> str:
    """The file: a line a field, so that a review shows what changed, and lists of numbers in one line."""
    environments: dict[str, Any] = {}
    plain: dict[str, Entry] = {}
    for name, entry in sorted(entries.items()):
        made = hashlib.sha256(json.dumps(entry["made"], sort_keys=True).encode()).hexdigest()[:8]
        environments[made] = entry["made"]
        plain[name] = entry | {"made": made}
    environments = dict(sorted(environments.items()))
    body = {"schema": SCHEMA, "about": NOTE, "environments": environments, "entries": plain}
    lines = [f'"schema": {SCHEMA}', f'"about": {json.dumps(NOTE)}']
    lines += [f'"environments": {_block(environments)}', f'"entries": {_block(plain)}', f'"sum": "{_sum(body)}"']
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _block(entries: Mapping[str, Entry]) -> str:
    def fields(entry: Entry) -> str:
        return ",\n".join(f"    {json.dumps(key)}: {json.dumps(entry[key], allow_nan=False)}" for key in sorted(entry))

    return "{\n" + ",\n".join(f"  {json.dumps(name)}: {{\n{fields(e)}\n  }}" for name, e in entries.items()) + "\n}"


def _changes(old: Entry, new: Entry) -> list[str]:
    """Fields that differ, old -> new; of what was not there, only what a person would ask for."""
    asked = [key for key in sorted(new) if key not in ("kind", "model", "task", "items", "answers", "weights")]
    lines = [f"{key}: {_short(old.get(key))} -> {_short(new[key])}" for key in asked if old.get(key) != new[key]]
    return lines + _answers(old, new)


def _answers(old: Entry, new: Entry) -> list[str]:
    before, now = "".join(old.get("answers", [])), "".join(new.get("answers", []))
    return ["answers: others than before"] if old and before != now else []


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(_short, value[:4])) + (f", ... ({len(value)})" if len(value) > 4 else "")
    if isinstance(value, dict):
        text = ", ".join(f"{key} {_short(v)}" for key, v in value.items())
        return text if len(text) <= 160 else text[:157] + "..."
    return str(value)
