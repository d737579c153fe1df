"""The server (`python -m bench.workers.server`): answers questions about trials, and forks a worker for each.

It never touches a GPU, nor computes with threads: neither survives a fork.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from bench.goal import Goal
from bench.trial import Place, from_plain
from bench.workers.line import Line, death, die_with_parent
from bench.workers.worker import worked


def serve(end: int) -> None:
    """Answers questions until the other end closes."""
    with contextlib.suppress(ConnectionError):  # whoever asked is gone: there is nobody left to tell
        _serve(end)


def _serve(end: int) -> None:
    die_with_parent()
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
        worked(question, files, line)
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
            die_with_parent()
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
    return answer or {"bad": f"{death(status)}; try --device cpu, or smaller sizes"}


if __name__ == "__main__":
    serve(int(sys.argv[1]))
