"""Each trial in a process of its own, forked from one that has everything imported and every task loaded.

The server (`python -m bench.workers`) is started once; it answers questions about trials and forks a
worker for each. It never touches a GPU, nor computes with threads: neither survives a fork. What
passes between the processes is JSON, one object a line; results are stored by whoever asked.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import faulthandler
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.disk import RecordError
from bench.goal import Goal
from bench.record import Result
from bench.trial import Place, Trial, from_plain
from bench.watch import Pulse, Stopped

if TYPE_CHECKING:
    import torch

ROOT = Path(__file__).parents[1]
TELL_EVERY = 0.25  # seconds between two signs of life
LINES = 40  # of a worker's output that a row keeps
SIGKILL_HINT = "often the kernel, when memory runs out"


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
                    [sys.executable, "-m", "bench.workers", str(theirs.fileno())],
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
    raise WorkerError(_death(status), _tail(output))


def _death(status: int | None) -> str:
    if status is None:
        return "the process that starts workers died"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        hint = f" ({SIGKILL_HINT})" if number == signal.SIGKILL else ""
        return f"the worker was killed by signal {number}, {signal.strsignal(number)}{hint}"
    return f"the worker ended early, with exit code {os.waitstatus_to_exitcode(status)}"


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


# --- the server and its workers ---------------------------------------------------------------------------------


def serve(end: int) -> None:
    """Answers questions until the other end closes."""
    with contextlib.suppress(ConnectionError):  # whoever asked is gone: there is nobody left to tell
        _serve(end)


def _serve(end: int) -> None:
    _die_with_parent()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # its threads would not survive the fork
    import torch

    import bench.learning.gradient
    import bench.learning.ridge
    import bench.probes.floor
    import bench.probes.parallelism
    import bench.probes.quality
    import bench.probes.scaling
    import bench.probes.throughput  # noqa: F401 (imported here, every worker has them at once)

    torch.set_num_threads(1)
    line = Line(socket.socket(fileno=end))
    while True:
        question, files = line.hear_with_files()
        if question is None:
            return
        try:
            answer = _answered(question, files, line)
        finally:
            for file in files:
                os.close(file)
        line.say(**answer)


def _answered(question: dict[str, Any], files: list[int], line: Line) -> dict[str, Any]:
    from bench.probes import asked
    from tasks import BadInput

    try:
        if question["kind"] == "place":
            return _apart(lambda: _place(question))
        if question["kind"] == "vouch":
            trial, place = from_plain(question["trial"]), Place(**question["place"])
            return {"answer": asked.vouched(trial, place)}
        trial = from_plain(question["trial"])
        asked.task(trial)  # here, so that every worker of the task has it at once
        if question["kind"] == "match":
            return _apart(lambda: _match(question))
        if question["kind"] == "estimate":
            return _apart(lambda: _estimate(question))
    except BadInput as problem:
        return {"bad": str(problem)}
    worker = os.fork()
    if not worker:
        _worked(question, files, line)
    line.say(pid=worker)
    return {"status": os.waitpid(worker, 0)[1]}


def _place(question: dict[str, Any]) -> dict[str, Any]:
    from bench import machine

    return {"answer": dataclasses.asdict(machine.place(question["device"], question["threads"] or None))}


def _match(question: dict[str, Any]) -> dict[str, Any]:
    from bench import match

    found = match.matched(from_plain(question["trial"]), Goal(**question["goal"]))
    return {"answer": dataclasses.asdict(found)}


def _estimate(question: dict[str, Any]) -> dict[str, Any]:
    from bench import estimate, machine

    place = Place(**question["place"])
    device = machine.prepare(place.device, place.threads)
    return {"answer": estimate.estimated(from_plain(question["trial"]), device)}


def _apart(question: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Answers in a fork, because the answer touches the GPU, computes with threads or builds somebody's own model."""
    from tasks import BadInput

    ours, theirs = socket.socketpair()
    worker = os.fork()
    if not worker:
        try:
            _die_with_parent()
            Line(theirs).say(**question())
        except BadInput as problem:
            Line(theirs).say(bad=str(problem))
        except Exception as error:
            Line(theirs).say(bad=f"{type(error).__name__}: {error}")
        finally:
            os._exit(0)
    theirs.close()
    with ours:
        answer = Line(ours).hear()
    status = os.waitpid(worker, 0)[1]
    return answer or {"bad": f"{_death(status)}; try --device cpu, or smaller sizes"}


def _worked(question: dict[str, Any], files: list[int], server: Line) -> None:
    """A worker's life; never returns."""
    code = 1
    try:
        server.socket.close()
        teller = Teller(Line(socket.socket(fileno=files[0])))
        for number in (1, 2):
            os.dup2(files[1], number)
        faulthandler.enable()
        _die_with_parent()
        _run(question, teller)
        code = 0
    except ConnectionError:
        pass  # who asked is gone
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _run(question: dict[str, Any], teller: Teller) -> None:
    from bench import machine, trial
    from bench.checkpoint import Checkpoints
    from bench.watch import Watch
    from tasks import BadInput

    stops: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stops.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    place = Place(**question["place"])
    device = machine.prepare(place.device, place.threads)
    apart = _device_start(device)
    watch = Watch(
        tell=teller.pulse,
        checkpoints=Checkpoints(Path(question["folder"])),
        stopping=lambda: bool(stops),
        alive=teller.alive,
        warn=lambda line: teller.line.say(kind="warn", line=line),
    )
    try:
        rows = trial.run(from_plain(question["trial"]), question["made_of"], Path(question["out"]), device, watch)
        plain = [dataclasses.asdict(row) for row in rows]
        teller.line.say(kind="rows", rows=[row | {"environment": row["environment"] | apart} for row in plain])
    except Stopped:
        teller.line.say(kind="stopped")
    except RecordError as problem:
        teller.line.say(kind="record", line=str(problem))
    except BadInput as problem:
        teller.line.say(kind="bad", line=str(problem))


def _device_start(device: torch.device) -> dict[str, float]:
    """Seconds until a GPU had its first number, which no clock of a trial should hold; empty on a CPU."""
    if device.type == "cpu":
        return {}
    import torch

    from bench.machine import wait

    start = time.perf_counter()
    torch.zeros((), device=device)
    wait(device)
    return {"device_start_seconds": round(time.perf_counter() - start, 3)}


class Teller:
    """Tells how far a worker is, but not oftener than anybody could read."""

    def __init__(self, line: Line) -> None:
        self.line, self.points, self.last = line, 0, 0.0

    def pulse(self, pulse: Pulse) -> None:
        """An update or an evaluation is done."""
        if pulse.points != self.points or self._due():
            self.points, self.last = pulse.points, time.monotonic()
            self.line.say(kind="pulse", pulse=dataclasses.asdict(pulse))

    def alive(self) -> None:
        """Something else is done."""
        if self._due():
            self.last = time.monotonic()
            self.line.say(kind="alive")

    def _due(self) -> bool:
        return time.monotonic() - self.last > TELL_EVERY


def _die_with_parent() -> None:
    """Asks Linux to end this process when its parent ends, however that ends; elsewhere a closed socket does."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


@contextlib.contextmanager
def workers(timeout: float | None = None) -> Iterator[Workers]:
    """Workers that are gone afterwards."""
    some = Workers(timeout)
    try:
        yield some
    finally:
        some.close()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
