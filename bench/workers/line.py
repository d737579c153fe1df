"""What the two sides of a worker share: the line they speak over, and how a process ended."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
from typing import Any

SIGKILL_HINT = "often the kernel, when memory runs out"


class Line:
    """One end of a socket over which JSON objects pass, one a line."""

    def __init__(self, end: socket.socket) -> None:
        self.socket, self.buffer = end, b""

    def say(self, fds: list[int] | None = None, **what: Any) -> None:
        """Sends an object, and open files with it."""
        content = json.dumps(what).encode() + b"\n"
        if fds:
            sent = socket.send_fds(self.socket, [content], fds)
            content = content[sent:]
        self.socket.sendall(content)

    def hear(self) -> dict[str, Any] | None:
        """The next object; None at the end."""
        return self.hear_with_files()[0]

    def hear_with_files(self) -> tuple[dict[str, Any] | None, list[int]]:
        """The next object and the open files that came with it."""
        files: list[int] = []
        while b"\n" not in self.buffer:
            try:
                content, fds, _, _ = socket.recv_fds(self.socket, 65_536, 2)
            except ConnectionResetError:
                content, fds = b"", []
            files += fds
            if not content:
                return None, files
            self.buffer += content
        line, _, self.buffer = self.buffer.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        return said, files

    def waiting(self, seconds: float) -> bool:
        """Whether there is something to hear, within so many seconds."""
        return b"\n" in self.buffer or bool(select.select([self.socket], [], [], seconds)[0])


def death(status: int | None) -> str:
    """How a worker ended, from the status that `os.waitpid` gave; None where its server died too."""
    if status is None:
        return "the process that starts workers died"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        hint = f" ({SIGKILL_HINT})" if number == signal.SIGKILL else ""
        return f"the worker was killed by signal {number}, {signal.strsignal(number)}{hint}"
    return f"the worker ended early, with exit code {os.waitstatus_to_exitcode(status)}"


def die_with_parent() -> None:
    """Asks Linux to end this process when its parent ends, however that ends; elsewhere a closed socket does."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
