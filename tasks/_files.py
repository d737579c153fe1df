"""The vendored corpora: read with their checksums, so that a damaged file is named before it misleads."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
from pathlib import Path

from tasks import BadInput

DATA = Path(__file__).parent / "data"


def manifest() -> dict[str, dict[str, int | str]]:
    """Every vendored file: path below tasks/data -> {"bytes": size, "sha256": hexadecimal}."""
    path = DATA / "checksums.json"
    try:
        entries: dict[str, dict[str, int | str]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read ({error}); restore it with: git checkout -- tasks/data") from error
    return entries


def raw(name: str) -> bytes:
    """The bytes of a vendored file, checked. Raises BadInput when missing, truncated or altered."""
    path = DATA / name
    expected = manifest().get(name)
    if expected is None:
        raise BadInput(f"{path} is not listed in tasks/data/checksums.json")
    restore = "restore it with: git checkout -- tasks/data"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} is missing or unreadable ({error.strerror}); {restore}") from error
    if len(content) != expected["bytes"]:
        raise BadInput(f"{path} has {len(content)} bytes, expected {expected['bytes']}; {restore}")
    if hashlib.sha256(content).hexdigest() != expected["sha256"]:
        raise BadInput(f"{path} was altered: its SHA-256 is not the one in checksums.json; {restore}")
    return content


def text(name: str) -> str:
    """A vendored text file (.xz, .gz or plain), checked and decompressed."""
    return expand(raw(name), name).decode("utf-8")


def expand(content: bytes, name: str) -> bytes:
    """Decompressed by the ending of `name`."""
    if name.endswith(".xz"):
        return lzma.decompress(content)
    return gzip.decompress(content) if name.endswith(".gz") else content


def rows(name: str) -> list[list[str]]:
    """A vendored tab-separated file as rows of cells, its header line first."""
    return [line.split("\t") for line in text(name).splitlines()]


def digest(*parts: object) -> str:
    """SHA-256 of the parts' representations: one name for a corpus and the settings that shape it."""
    return hashlib.sha256("\n".join(p if isinstance(p, str) else repr(p) for p in parts).encode()).hexdigest()
