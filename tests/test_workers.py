"""One bad cell never takes the rest with it: workers that crash, hang or vanish leave a row with the reason."""

import dataclasses
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults import COPYING, trial

from bench import contest, record
from bench.workers import AskedError, workers
from bench.workers.line import Line

ROOT = Path(__file__).parents[1]
GRU = (ROOT / "tests" / "own" / "gru.py").read_text()
ANCHOR = "hidden = self.writer"
FAULTS = {
    "segfault": ("import ctypes; ctypes.string_at(0)", "killed by signal 11", "Segmentation fault"),
    "killed": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "often the kernel, when memory runs out", ""),
    "leaves": ('print("going", flush=True); import os; os._exit(3)', "ended early, with exit code 3", "going"),
    "hangs": ("import time; time.sleep(3600)", "no sign of life for 8 s: stopped (--timeout)", ""),
    "greedy": ("import torch; torch.empty(1 << 60)", "out of memory at batch", "allocate"),
    "raises": ('raise RuntimeError("no such luck")', "RuntimeError: no such luck", "Traceback"),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """One suite in which every cell but the last goes wrong in its own way."""
    folder = tmp_path_factory.mktemp("ran")
    models = []
    for name, (line, _, _) in FAULTS.items():
        models.append(folder / f"{name}.py")
        models[-1].write_text(GRU.replace(ANCHOR, f"{line}\n        {ANCHOR}"))
    words = [sys.executable, "-m", "bench", "run", "quick", "--tasks", COPYING, "--threads", "1", "--timeout", "8"]
    words += ["--models", ",".join(map(str, [*models, "lstm"])), "--set", "updates=3", "--set", "lstm.width=8"]
    words += ["--set", "batch=7", "--out", str(folder / "run")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)
    return done, {Path(row.model).stem: row for row in record.read(folder / "run")}


@pytest.mark.parametrize("name", FAULTS)
def test_a_worker_that_comes_to_no_end_of_its_own_is_a_row_with_its_reason(name, ran):
    _, reason, printed = FAULTS[name]
    row = ran[1][name]
    assert row.status == "failed"
    assert reason in row.reason
    assert printed in row.output
    assert f"{name}.py" in row.command


def test_the_other_cells_are_done(ran):
    done, rows = ran
    assert done.returncode == 1
    assert rows["lstm"].status == "ok"
    assert rows["constant"].probe == "floor"


def test_starting_a_worker_costs_little_after_the_first(tmp_path):
    with workers() as some:
        place = some.place("cpu", 1)
        one = trial("floors", probe="floor", model_settings={})
        times = []
        for number in range(5):
            made_of = some.vouched(dataclasses.replace(one, seed=number), place)
            start = time.monotonic()
            folder = tmp_path / str(number)
            folder.mkdir()
            rows = some.run(one, made_of, tmp_path, place, folder, print, print, lambda: False)
            times.append(time.monotonic() - start)
            assert rows[0].status == "ok"
    assert min(times[1:]) < 0.3  # the task's floors included, which take a hundredth of it


def test_what_the_server_finds_wrong_is_bad_input_here():
    with workers() as some:
        with pytest.raises(AskedError, match="device 'cuda:9' is not there"):
            some.place("cuda:9", 1)
        place = some.place("cpu", 1)
        with pytest.raises(AskedError, match="no setting 'wings'"):
            some.vouched(trial("lstm", model_settings={"wings": 2}), place)


def test_a_server_that_died_is_started_again():
    with workers() as some:
        place = some.place("cpu", 1)
        some.server.kill()
        some.server.wait()
        assert some.place("cpu", 1) == place


def test_a_server_says_nothing_when_who_asked_is_gone_before_the_answer():
    ours, theirs = socket.socketpair()
    words = [sys.executable, "-m", "bench.workers.server", str(theirs.fileno())]
    with theirs:
        server = subprocess.Popen(words, cwd=ROOT, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE, text=True)
    Line(ours).say(kind="place", device="cpu", threads=1)
    ours.close()
    assert server.communicate(timeout=60)[1] == ""
    assert server.returncode == 0


def test_workers_end_with_the_run_that_started_them(tmp_path):
    words = [sys.executable, "-m", "bench", "run", "quick", "--tasks", COPYING, "--models", "lstm", "--threads", "1"]
    words += ["--set", "updates=20000", "--set", "points=50", "--set", "model.width=8", "--out", str(tmp_path)]
    process = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    for line in process.stderr:
        if "updates/s" in line:
            break
    family = _descendants(process.pid)
    assert len(family) == 2  # the server and its worker
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 5
    while any(_alive(one) for one in family) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_alive(one) for one in family)


def _descendants(process):
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(child) for child in children] + [g for child in children for g in _descendants(int(child))]


def _alive(process):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


def test_four_runs_on_one_folder_share_the_work_and_double_nothing(tmp_path):
    models = []
    for number in range(8):
        models.append(tmp_path / f"model{number}.py")
        shutil.copy(ROOT / "tests" / "own" / "gru.py", models[-1])
    words = [sys.executable, "-m", "bench", "run", "quick", "--tasks", COPYING, "--threads", "1"]
    words += ["--models", ",".join(map(str, models)), "--set", "updates=40", "--out", str(tmp_path / "run")]
    runs = [subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) for _ in range(4)]
    said = [one.communicate(timeout=300)[1].decode() for one in runs]
    assert [one.returncode for one in runs] == [0] * 4
    rows = list(record.read(tmp_path / "run"))
    assert sorted(Path(row.model).stem for row in rows) == ["constant", *(f"model{n}" for n in range(8))]
    assert sum("model0.py: exact" in text for text in said) == 1
    assert not any((tmp_path / "run" / contest.UNFINISHED).iterdir())


def test_a_worker_comes_to_the_same_bits_as_a_trial_in_this_process(ran, tmp_path):
    words = [sys.executable, "-m", "bench", "run", "quick", "--tasks", COPYING, "--threads", "1", "--in-process"]
    words += ["--models", "lstm", "--set", "updates=3", "--set", "lstm.width=8", "--set", "batch=7"]
    subprocess.run([*words, "--out", str(tmp_path)], cwd=ROOT, check=True, capture_output=True, timeout=120)
    for row in record.read(tmp_path):
        other = ran[1][Path(row.model).stem]
        assert row.id == other.id
        assert {name: one["sha256"] for name, one in row.artifacts.items()} == {
            name: one["sha256"] for name, one in other.artifacts.items()
        }
