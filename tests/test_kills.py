"""Kill -9 at random moments of a real suite: what was acknowledged stays, and the rest comes to the same."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults import COPYING, outcome

from bench import record
from bench.commands import verification

ROOT = Path(__file__).parents[1]
KILLS = int(os.environ.get("SEQBENCH_KILLS", "1000")) if os.environ.get("SEQBENCH_SOAK") else 2
SEED = int(os.environ.get("SEQBENCH_SEED", "11"))


def started(folder):
    words = [sys.executable, "-m", "bench", "run", "quick", "--tasks", COPYING, "--models", "rnn,lstm,transformer"]
    words += ["--threads", "1", "--set", "updates=150", "--set", "model.width=8", "--set", "points=3"]
    words += ["--set", "transformer.heads=2", "--out", str(folder)]
    return subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def test_a_suite_killed_at_random_moments_comes_to_the_same(tmp_path):
    whole = started(tmp_path / "whole")
    start = time.monotonic()
    whole.communicate(timeout=120)
    assert whole.returncode == 0
    usual = time.monotonic() - start
    chance, kills = random.Random(SEED), 0
    expected = outcome(tmp_path / "whole")
    for number in range(10 * KILLS):
        folder, acknowledged = tmp_path / str(number), set()
        while kills < KILLS:
            whole_run, begun = not folder.exists(), time.monotonic()
            one = started(folder)
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.wait(chance.uniform(0.0, usual))
            ended = one.poll() is not None
            one.send_signal(signal.SIGKILL)
            said = one.communicate()[1]
            stored = (
                {(row.id, row.model) for row in record.read(folder)} if (folder / record.RESULTS).exists() else set()
            )
            assert acknowledged <= stored
            acknowledged = stored
            assert "Traceback" not in said
            if ended:  # moments stay spread over a run where the machine is busier or quieter than at first
                usual = time.monotonic() - begun if whole_run else usual
                break
            kills += 1
        if not ended:
            one = started(folder)
            one.communicate(timeout=120)
        assert one.returncode == 0
        assert outcome(folder) == expected
        assert verification.problems(folder) == []
        if kills >= KILLS:
            break
    assert kills >= KILLS


@pytest.mark.skipif(not os.environ.get("SEQBENCH_SOAK"), reason="long: make soak")
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("inject", ["signal=KILL", "error=ENOSPC", "error=EIO"])
@pytest.mark.parametrize("call", ["fsync", "rename", "ftruncate", "flock"])
def test_a_fault_in_the_kernel_at_any_call_loses_nothing(call, inject, tmp_path):
    words = [sys.executable, "-m", "bench", "run", "quick", "--tasks", COPYING, "--models", "lstm", "--threads", "1"]
    words += ["--in-process", "--set", "updates=6", "--set", "model.width=8", "--set", "points=2", "--out"]
    subprocess.run([*words, str(tmp_path / "whole")], cwd=ROOT, check=True, capture_output=True)
    expected = outcome(tmp_path / "whole")
    for number in range(1, 60):
        folder = tmp_path / str(number)
        tracer = ["strace", "-f", "-q", "-o", str(tmp_path / "trace"), "-e", f"inject={call}:{inject}:when={number}"]
        done = subprocess.run([*tracer, *words, str(folder)], cwd=ROOT, capture_output=True, text=True)
        assert "Traceback" not in done.stderr
        subprocess.run([*words, str(folder)], cwd=ROOT, check=True, capture_output=True)
        assert outcome(folder) == expected
        if "INJECTED" not in (tmp_path / "trace").read_text() and done.returncode == 0:
            break
