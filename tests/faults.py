"""Faults on demand: a small suite run in this process, over an `os` in which chosen calls fail, fall short or kill."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import signal
from pathlib import Path

import torch
from rich.console import Console

from bench import contest, disk, machine, record
from bench.probes import asked
from bench.progress import Progress
from bench.trial import Budget, Trial

COPYING = str(Path(__file__).parent / "own" / "copying.py")
SETTINGS = {
    "rnn": {"width": 6, "hidden": 5, "dropout": 0.2},
    "lstm": {"width": 6, "hidden": 5, "dropout": 0.2, "word_dropout": 0.1},
    "bahdanau": {"width": 6, "hidden": 5, "alignment": 7, "dropout": 0.2},
    "transformer": {"width": 8, "heads": 2, "layers": 1, "decoder_layers": 1, "feedforward": 9, "dropout": 0.2},
    "echo_state": {"units": 20, "writer": 30},
}
WRITES = ("open", "write", "fsync", "replace", "unlink", "mkdir", "rmdir", "ftruncate")
CLOCK = (
    "seconds",
    "_per_second",
    "interruptions",
    "company",
    "peak_bytes",
    "joules",
)  # differs from run to run


def trial(model="lstm", updates=6, **changes):
    shape = {"model": model, "task": COPYING, "seed": 3, "suite": "quick", "batch": 7, "points": 2}
    shape |= {"budget": Budget(updates=updates), "model_settings": SETTINGS.get(model, {}), "precision": "float32"}
    return Trial(**shape | changes)


def suite():
    return [trial("floors", probe="floor", model_settings={}), trial("lstm", points=3)]


def cells(trials):
    place = machine.place("cpu", 1)
    return place, [(one, asked.vouched(one, place)) for one in trials]


def run(folder, trials=None, heard=lambda line: None, within=0.0, workers=None):
    """A contest in this process; `heard` gets every line a person would see."""
    place, known = cells(trials or suite())
    progress = Progress(len(known), Console(file=io.StringIO(), width=300))
    say = progress.say
    progress.say = lambda line: (heard(line), say(line))[1]
    return contest.Contest(folder, place, progress, workers, within=within).run(known)


def outcome(folder):
    """Everything that a run came to, the clock aside: rows and the bytes of their artifacts."""
    found = {}
    for row in record.read(folder):
        assert (row.id, row.model) not in found, "a trial is stored twice"
        files = {name: record.artifact(folder, row, name) for name in row.artifacts}
        found[row.id, row.model] = (row.status, row.reason, _timeless(row.metrics), _timeless(row.curve), files)
    return found


def _timeless(value):
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if not k.endswith(CLOCK)}
    return [_timeless(v) for v in value] if isinstance(value, list) else value


class Faulty:
    """`os`, except that `fault(name, arguments)` is asked before every call that writes."""

    def __init__(self, fault):
        self.fault = fault

    def __getattr__(self, name):
        real = getattr(os, name)
        if name not in WRITES:
            return real

        def called(*arguments, **more):
            if name == "open" and not arguments[1] & os.O_CREAT:
                return real(*arguments, **more)
            said = self.fault(name, arguments)
            return real(*arguments, **more) if said is None else said

        return called


@contextlib.contextmanager
def faults(fault):
    """Within, everything that writes into a run's folder meets the fault."""
    rooms = (disk, record, contest)
    before = [room.os for room in rooms]
    for room in rooms:
        room.os = Faulty(fault)
    try:
        yield
    finally:
        for room, real in zip(rooms, before, strict=True):
            room.os = real


def counted(folder):
    """The names of all writing calls of an undisturbed run, in their order."""
    names = []
    with faults(lambda name, arguments: names.append(name)):
        run(folder)
    return names


def killed_at(folder, number):
    """Runs in a fork that is killed before its writing call `number`; which rows it had acknowledged."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        torch.set_num_threads(1)
        left = [number]

        def fault(name, arguments):
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1

        append = record.append

        def acknowledged(where, result):
            append(where, result)
            os.write(writing, f"{result.model}\n".encode())

        record.append = acknowledged
        try:
            with faults(fault):
                run(folder)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        models = file.read().split()
    return models, os.waitpid(child, 0)[1]


def plain(result):
    return dataclasses.asdict(result)
