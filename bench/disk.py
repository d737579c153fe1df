"""The one place that writes into a run's folder: whole files, flushed, or one clear line that says why not.

Standard library only. Everything goes through `os`, call by call, so that a test can let each call fail.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

ADVICE = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room within your quota",
    errno.EFBIG: "raise the limit on file sizes",
    errno.EROFS: "choose a folder that can be written, with --out",
    errno.EACCES: "choose a folder that you may write, with --out",
    errno.EPERM: "choose a folder that you may write, with --out",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "close other programs: too many files are open",
    errno.EIO: "check the disk",
}


class RecordError(Exception):
    """What is stored cannot be read, or what should be stored cannot be written: one line that says what to do."""


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns what the system says of a write into one line that names the file. Raises RecordError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        advice = ADVICE.get(error.errno or 0, "look at the folder")
        raise RecordError(
            f"{path} cannot be written: {reason}; everything stored before is kept; {advice}, "
            "then give the same command again"
        ) from error


def whole(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all: beside its place, flushed, then renamed. Raises RecordError."""
    with explained(path):
        folder(path.parent)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            _flushed(temporary, content)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        settle(path.parent)


def _flushed(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(descriptor: int, content: bytes) -> None:
    """Writes all of it: a short write goes on, and what stops it raises OSError."""
    left = memoryview(content)
    while left:
        written = os.write(descriptor, left)
        if written == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = left[written:]


def folder(path: Path) -> None:
    """Makes a folder and those above it, each entered on the disk."""
    if path.is_dir():
        return
    if path.parent != path:
        folder(path.parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
        settle(path.parent)


def settle(path: Path) -> None:
    """Flushes a folder: a file that was made or renamed in it stays so after a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def removed(path: Path) -> None:
    """Removes a file of ours; what is gone already is no fault."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def cleared(path: Path) -> None:
    """Removes a folder of ours with the files in it; what is gone already is no fault. Raises RecordError."""
    with explained(path):
        try:
            names = os.listdir(path)
        except FileNotFoundError:
            return
        for name in names:
            removed(path / name)
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(path)
