"""Records timings of unchanged code, which tests replay: `python tests/benchmarks/record_timings.py FILE PAIRS`.

Each pair is two processes of the same code, each with a small model and the reference, all four in turns for some
rounds. Rounds in company are kept as well, with how many processors others used: the replay is to stand them.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import torch

from bench import machine
from bench.guard import turns
from bench.guard.pace import Config

MODEL, SETTINGS, ROUNDS = "lstm", {"width": 64, "hidden": 64}, 6


def pair():
    """Rounds of two processes, each [model, reference, model, reference, company]: seconds a call, processors."""
    works = {"model": Config().work(MODEL, SETTINGS) | {"weighed": False}, "reference": {"reference": 1}}
    both = [turns.Process(works, "cpu", 1) for _ in range(2)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(turns.processes(*both))
        calls = [process.ready()["calls"] for process in both]
        held = {(n, name): turns.Turns(process, name) for n, process in enumerate(both) for name in works}
        usual = {(n, name): calls[0][name] for n, name in held}
        found: list[turns.Round] = []
        while len(found) < ROUNDS:  # in company or not
            found += turns.rounds(held, usual, seconds=0.0, count=1)
    return [[float(f"{s:.4g}") for s in (*(one.seconds[key] for key in held), one.company)] for one in found[:ROUNDS]]


def main(path, pairs):
    kept = {"model": MODEL, "settings": SETTINGS, "environment": machine.environment(torch.device("cpu")), "pairs": []}
    for number in range(pairs):
        kept["pairs"].append(pair())
        Path(path).write_text(json.dumps(kept), encoding="utf-8")
        print(f"{number + 1} of {pairs}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
