"""Each trial in a process of its own, forked from one that has everything imported and every task loaded.

Here is the side that asks. The server (`server.py`) is started once; it answers questions about trials and forks a
worker (`worker.py`) for each. What passes between the processes is JSON, one object a line (`line.py`); results are
stored by whoever asked.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.disk import RecordError
from bench.goal import Goal
from bench.record import Result
from bench.trial import Place, Trial, from_plain
from bench.watch import Pulse, Stopped
from bench.workers.line import Line, death

ROOT = Path(__file__).parents[2]
LINES = 40  # of a worker's output that a row keeps


class AskedError(Exception):
    """What was given is wrong: one line, as BadInput is in the process that found it."""


class WorkerError(Exception):
    """A worker came to no result: why, and the last lines of what it printed."""

    def __init__(self, reason: str, output: str = "") -> None:
        super().__init__(reason)
        self.output = output


class Workers:
    """Asks a server about trials and lets it run them, one at a time."""

    def __init__(self, timeout: float | None = None) -> None:
        """`timeout`: seconds without a sign of life after which a worker is stopped."""
        self.timeout = timeout
        self.server: subprocess.Popen[bytes] | None = None
        self.line: Line | None = None
        self.worker: int | None = None  # process number of the one that runs

    def close(self) -> None:
        """Ends the server, and a worker that still runs."""
        if self.worker is not None:
            _killed(self.worker)
        if self.line is not None:
            self.line.socket.close()
        if self.server is not None:
            self.server.terminate()
            self.server.wait()
        self.server = self.line = self.worker = None

    def _connected(self) -> Line:
        if self.line is None or self.server is None or self.server.poll() is not None:
            self.close()
            ours, theirs = socket.socketpair()
            with theirs:
                self.server = subprocess.Popen(  # noqa: S603 (our own words)
                    [sys.executable, "-m", "bench.workers.server", str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
                    start_new_session=True,  # Ctrl-C is for us; we tell the worker
                )
            self.line = Line(ours)
        return self.line

    def ask(self, kind: str, **question: Any) -> Any:
        """The server's answer. Raises AskedError for bad input, WorkerError when the server died."""
        line = self._connected()
        try:
            line.say(kind=kind, **question)
            answer = line.hear()
        except OSError as error:
            raise WorkerError(f"the process that starts workers died: {error}") from error
        if answer is None:
            raise WorkerError("the process that starts workers died")
        if "bad" in answer:
            raise AskedError(answer["bad"])
        return answer["answer"]

    def place(self, device: str, threads: int) -> Place:
        """Where trials will run."""
        return Place(**self.ask("place", device=device, threads=threads))

    def vouched(self, trial: Trial, place: Place) -> dict[str, str]:
        """What the trial is made of. Raises AskedError."""
        made: dict[str, str] = self.ask("vouch", trial=dataclasses.asdict(trial), place=dataclasses.asdict(place))
        return made

    def matched(self, trial: Trial, goal: Goal) -> Trial:
        """The trial with its model's sizes solved for the goal. Raises AskedError."""
        return from_plain(self.ask("match", trial=dataclasses.asdict(trial), goal=dataclasses.asdict(goal)))

    def estimated(self, trial: Trial, place: Place) -> dict[str, Any]:
        """What the trial would take, see bench/estimate.py. Raises AskedError."""
        found: dict[str, Any] = self.ask("estimate", trial=dataclasses.asdict(trial), place=dataclasses.asdict(place))
        return found

    def run(
        self,
        trial: Trial,
        made_of: dict[str, str],
        out: Path,
        place: Place,
        folder: Path,
        tell: Callable[[Pulse], None],
        warn: Callable[[str], None],
        stopping: Callable[[], bool],
    ) -> list[Result]:
        """Rows of a trial, run by a worker that keeps what it needs in `folder`.

        Raises WorkerError when it comes to no end of its own, RecordError, AskedError, and Stopped
        when `stopping` said so.
        """
        output = folder / "output.txt"
        ours, theirs = socket.socketpair()
        with ours, theirs:
            file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                self._connected().say(
                    fds=[theirs.fileno(), file],
                    kind="run",
                    trial=dataclasses.asdict(trial),
                    made_of=made_of,
                    out=str(out.resolve()),
                    place=dataclasses.asdict(place),
                    folder=str(folder.resolve()),
                )
            finally:
                os.close(file)
            theirs.close()
            return self._followed(Line(ours), output, tell, warn, stopping)

    def _followed(
        self,
        worker: Line,
        output: Path,
        tell: Callable[[Pulse], None],
        warn: Callable[[str], None],
        stopping: Callable[[], bool],
    ) -> list[Result]:
        """Hears a worker out, stops it when asked or when it is silent for too long."""
        server = self.line
        assert server is not None  # it has just been spoken to
        began = server.hear() or {}
        if "bad" in began:
            raise AskedError(began["bad"])
        self.worker = began.get("pid")
        if self.worker is None:
            raise WorkerError("the process that starts workers died", _tail(output))
        heard, told_to_stop, last = time.monotonic(), False, None
        while True:
            if stopping() and not told_to_stop:
                told_to_stop = True
                _killed(self.worker, signal.SIGTERM)
            if not worker.waiting(0.1):
                if self.timeout is not None and time.monotonic() - heard > self.timeout:
                    _killed(self.worker)
                    self._ended(server)
                    raise WorkerError(f"no sign of life for {self.timeout:g} s: stopped (--timeout)", _tail(output))
                continue
            said = worker.hear()
            if said is None:
                break
            heard = time.monotonic()
            if said["kind"] == "pulse":
                tell(Pulse(**said["pulse"]))
            elif said["kind"] == "warn":
                warn(said["line"])
            elif said["kind"] != "alive":
                last = said
        status = self._ended(server)
        return _outcome(last, status, told_to_stop, output)

    def _ended(self, server: Line) -> int | None:
        """The exit status of the worker, as `os.waitpid` gives it; None where the server died as well."""
        self.worker = None
        return (server.hear() or {}).get("status")


def _outcome(last: dict[str, Any] | None, status: int | None, told_to_stop: bool, output: Path) -> list[Result]:
    kind = last["kind"] if last else ""
    if last and kind == "rows":
        rows = [Result(**row) for row in last["rows"]]
        return [row if row.status == "ok" else dataclasses.replace(row, output=_tail(output)) for row in rows]
    if kind == "stopped" or (told_to_stop and status in (0, signal.SIGTERM)):
        raise Stopped
    if last and kind == "record":
        raise RecordError(last["line"])
    if last and kind == "bad":
        raise AskedError(last["line"])
    raise WorkerError(death(status), _tail(output))


def _tail(output: Path) -> str:
    """The last lines of what a worker printed."""
    try:
        with output.open("rb") as file:
            file.seek(max(0, output.stat().st_size - 16_384))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    fatal = text.rfind("Fatal Python error")  # what follows it is the stack, then a list of modules
    lines = text.splitlines()[-LINES:] if fatal < 0 else text[fatal:].splitlines()[:LINES]
    return "\n".join(line[:300] for line in lines)


def _killed(worker: int, by: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker, by)


@contextlib.contextmanager
def workers(timeout: float | None = None) -> Iterator[Workers]:
    """Workers that are gone afterwards."""
    some = Workers(timeout)
    try:
        yield some
    finally:
        some.close()
