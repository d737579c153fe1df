"""Exact resume: everything an unfinished training holds, written whole, recognised when damaged.

A checkpoint is two files: tensors (safetensors) and a manifest (JSON) that names them by SHA-256 and is
written last. Reading either runs no code. The two newest are kept: if one is damaged, the other serves.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from bench import disk

FORMAT = 1
KEPT = 2  # checkpoints; the older one is for when the newer is damaged


class DamagedError(Exception):
    """A file is not what was written."""


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A training between two updates."""

    tensors: dict[str, Tensor]  # on the CPU
    numbers: dict[str, Any]  # what JSON can hold

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors whose names begin with `name` and a dot, without that beginning."""
        return {
            key.removeprefix(f"{name}."): value for key, value in self.tensors.items() if key.startswith(f"{name}.")
        }


class Checkpoints:
    """The checkpoints of one trial, in a folder that is theirs alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, snapshot: Snapshot, updates: int) -> None:
        """Adds the checkpoint after `updates` updates and drops all but the newest two. Raises RecordError."""
        content = save({name: value.detach().cpu().contiguous().clone() for name, value in snapshot.tensors.items()})
        disk.whole(self.folder / f"{updates:010d}.safetensors", content)
        body = {"format": FORMAT, "updates": updates, "tensors": _sum(content), "numbers": snapshot.numbers}
        disk.whole(self.folder / f"{updates:010d}.json", _sealed(body))
        with disk.explained(self.folder):
            for old in self._updates()[:-KEPT]:
                for ending in ("json", "safetensors"):  # the manifest first: without it the tensors mean nothing
                    disk.removed(self.folder / f"{old:010d}.{ending}")

    def newest(self, warn: Callable[[str], None] = lambda line: None) -> Snapshot | None:
        """The newest checkpoint that is whole; None where there is none. Damaged ones are named to `warn`."""
        for updates in reversed(self._updates()):
            try:
                return self.read(updates)
            except DamagedError as damage:
                warn(f"{damage}; going on from the one before, or from the start")
        return None

    def read(self, updates: int) -> Snapshot:
        """The checkpoint after that many updates. Raises DamagedError, which names the file."""
        manifest = self.folder / f"{updates:010d}.json"
        tensors = manifest.with_suffix(".safetensors")
        body = _opened(manifest)
        try:
            content = tensors.read_bytes()
        except OSError as error:
            raise DamagedError(f"{tensors} cannot be read: {error.strerror}") from None
        if _sum(content) != body["tensors"]:
            raise DamagedError(f"{tensors} is damaged: its SHA-256 is not the one in {manifest.name}")
        try:
            return Snapshot(load(content), body["numbers"])
        except SafetensorError as error:
            raise DamagedError(f"{tensors} is no safetensors file: {error}") from None

    def damage(self) -> list[str]:
        """What is wrong with the checkpoints that are here, a line each."""
        found = []
        for updates in self._updates():
            try:
                self.read(updates)
            except DamagedError as damage:
                found.append(str(damage))
        return found

    def _updates(self) -> list[int]:
        """After how many updates there is a checkpoint, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(int(path.stem) for path in self.folder.glob("*.json") if path.stem.isdecimal())


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sealed(body: dict[str, Any]) -> bytes:
    content = json.dumps(body, allow_nan=False, sort_keys=True)
    return json.dumps({"body": content, "sum": _sum(content.encode())}).encode()


def _opened(manifest: Path) -> dict[str, Any]:
    """The body of a manifest. Raises DamagedError."""
    try:
        outer = json.loads(manifest.read_bytes())
        content = outer["body"]
        if _sum(content.encode()) != outer["sum"]:
            raise DamagedError(f"{manifest} is damaged: its checksum is wrong")
        body: dict[str, Any] = json.loads(content)
    except OSError as error:
        raise DamagedError(f"{manifest} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise DamagedError(f"{manifest} is damaged: it is no manifest of a checkpoint") from None
    if body.get("format") != FORMAT:
        raise DamagedError(f"{manifest} has format {body.get('format')}, expected {FORMAT}")
    return body
