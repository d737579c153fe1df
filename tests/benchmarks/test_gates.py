"""What the gates of speed and memory find, and how often they cry wolf: long, behind SEQBENCH_SOAK, on a quiet machine.

SEQBENCH_SOAK=N: regressions are planted N / 10 times each (5 for N = 50), unchanged code is checked N times beside a
neighbour who loads one core at random times.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import statistics
import subprocess
import sys

import pytest

from bench.guard import speed
from bench.guard.fixture import MORE
from bench.guard.pace import Config, Pace, measured

SOAK = int(os.environ.get("SEQBENCH_SOAK", "0"))
pytestmark = pytest.mark.skipif(not SOAK, reason="long: SEQBENCH_SOAK=50")
ABOUT = {"kind": "speed", "model": "lstm", "task": "t", "metric": "s", "asked": {}, "made": {}}
HOW = Config(batch=32)
SETTINGS = {"width": 96, "hidden": 96}
PLANTED = """
import time
import torch
from models.lstm import Lstm

class Planted(Lstm):
    def forward(self, batch):
        {line}

MODEL = Planted
"""
TWICE = "self.held = None; self.held = torch.ones({size}); return super().forward(batch)"  # through the backward pass
NEIGHBOUR = """
import random, time
while True:
    end = time.time() + random.expovariate(1 / 3)
    while time.time() < end:
        pass
    time.sleep(random.expovariate(1 / 3))
"""


@pytest.fixture(scope="module")
def before():
    """A baseline as the plugin measures it: some processes more than a check."""
    pace = Pace()
    for pace in measured("lstm", SETTINGS, dataclasses.replace(HOW, seconds=2 * HOW.seconds), "cpu"):
        if len(pace.ratios) >= HOW.processes + MORE:
            break
    if len(pace.ratios) < 2:
        pytest.skip("others used the machine while the baseline was measured")
    return ABOUT | pace.entry()


def checked(before, model):
    verdict, _ = speed.judged(before, measured(model, SETTINGS, HOW, "cpu"), ABOUT, HOW)
    print(f"\n{verdict.answer}: {verdict.difference}; {verdict.now}", flush=True)
    return verdict


@pytest.mark.parametrize("number", range(max(1, SOAK // 10)))
def test_a_tenth_of_a_step_asleep_is_found(before, tmp_path, number):
    path, pause = tmp_path / "slow.py", 0.1 * before["seconds"]
    path.write_text(PLANTED.format(line=f"time.sleep({pause})\n        return super().forward(batch)"))
    assert checked(before, str(path)).answer == "worse"


@pytest.mark.parametrize("number", range(max(1, SOAK // 10)))
def test_twice_the_memory_is_found(before, tmp_path, number):
    path, size = tmp_path / "heavy.py", int(statistics.median(before["memory"])) // 4
    path.write_text(PLANTED.format(line=TWICE.format(size=size)))
    verdict = checked(before, str(path))
    assert (verdict.answer, verdict.why) == ("worse", "more memory")


def test_unchanged_code_beside_a_noisy_neighbour_fails_once_at_most(before):
    answers = []
    with neighbour():
        for _ in range(SOAK):
            answers.append(checked(before, "lstm").answer)
            print(f"{len(answers)} of {SOAK}: {answers[-1]}", flush=True)
    assert answers.count("worse") <= 1
    assert answers.count("inconclusive") <= SOAK / 2


@contextlib.contextmanager
def neighbour():
    process = subprocess.Popen([sys.executable, "-c", NEIGHBOUR])
    try:
        yield
    finally:
        process.kill()
        process.wait()
