"""A training that was stopped and went on comes to the same bits as one that nobody stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from faults import COPYING, SETTINGS, cells, outcome, run, trial

from bench import contest, identity, record
from bench.checkpoint import Checkpoints
from bench.probes import asked
from bench.train import DivergedError, answers, train
from bench.watch import Stopped, Watch
from bench.workers import workers

ROOT = Path(__file__).parents[1]
CPU = torch.device("cpu")
UPDATES = 9  # over two epochs of five batches
STOPS = [0, 1, 4, UPDATES]  # and one past: while the test split is answered
TASKS = ("translation", "sentiment", "captioning")


def trained(one, watch=None):
    kind, _ = asked.model(one)
    rule, settings = asked.rule(one, kind)

    def make(updates):
        model = asked.built(one, CPU)
        return model, rule(model, settings, updates, torch.float32)

    return train(make, asked.task(one), one.budget, one.batch, one.seed, CPU, one.points, watch)


def stopped_after(updates, folder):
    """Looks on and asks for an end once so many updates are done."""
    done = [0]
    return Watch(
        tell=lambda pulse: done.__setitem__(0, pulse.updates),
        checkpoints=Checkpoints(folder),
        stopping=lambda: done[0] >= updates,
    )


def bits(model, training):
    plain = [{k: v for k, v in point.items() if k != "seconds"} for point in training.curve]
    used = {k: v for k, v in training.used().items() if k != "seconds"}
    return {name: value.clone() for name, value in model.state_dict().items()}, plain, used, training.chosen


def same(one, other):
    return one[1:] == other[1:] and all(torch.equal(value, other[0][name]) for name, value in one[0].items())


@pytest.mark.parametrize("model", sorted(SETTINGS))
def test_resumed_equals_uninterrupted_to_the_last_bit(model, tmp_path):
    one = trial(model, UPDATES)
    whole = bits(*trained(one))
    for stop in STOPS:
        folder = tmp_path / str(stop)
        if stop < UPDATES and not (model == "echo_state" and stop > 5):
            with pytest.raises(Stopped):
                trained(one, stopped_after(stop, folder))
        else:  # while the last evaluation runs
            with pytest.raises(Stopped):
                trained(one, stopped_after(whole[2]["updates"], folder))
        torch.manual_seed(99)  # as it would be in another process
        resumed = trained(one, Watch(checkpoints=Checkpoints(folder)))
        assert resumed[1].interruptions == 1
        assert same(bits(*resumed), whole), stop


@pytest.mark.parametrize("model", sorted(SETTINGS))
def test_a_training_stopped_after_every_update_comes_to_the_same(model, tmp_path):
    one = trial(model, UPDATES)
    whole, times = bits(*trained(one)), 0
    while True:
        done = Checkpoints(tmp_path).newest()
        goal = (done.numbers["training"]["updates"] if done else 0) + 1
        try:
            resumed = trained(
                one,
                stopped_after(goal, tmp_path)
                if goal < whole[2]["updates"]
                else Watch(checkpoints=Checkpoints(tmp_path)),
            )
            break
        except Stopped:
            times += 1
    assert times >= whole[2]["updates"] - 1
    assert same(bits(*resumed), whole)


def test_without_the_random_state_it_would_differ(tmp_path, monkeypatch):
    one = trial("transformer", UPDATES)
    whole = bits(*trained(one))
    with pytest.raises(Stopped):
        trained(one, stopped_after(4, tmp_path))
    monkeypatch.setattr(torch, "set_rng_state", lambda state: None)
    torch.manual_seed(99)
    assert not same(bits(*trained(one, Watch(checkpoints=Checkpoints(tmp_path)))), whole)


def test_the_clock_and_the_budget_go_on_where_they_were(tmp_path, monkeypatch):
    ticks = iter(range(10**6))
    monkeypatch.setattr("bench.train.time.perf_counter", lambda: float(next(ticks)))
    one = trial("lstm", UPDATES)
    with pytest.raises(Stopped):
        trained(one, stopped_after(4, tmp_path))
    before = Checkpoints(tmp_path).newest().numbers["training"]
    _, training = trained(one, Watch(checkpoints=Checkpoints(tmp_path)))
    assert before["updates"] == 4
    assert before["seconds"] >= 4
    assert training.updates == UPDATES
    assert training.seconds >= before["seconds"] + UPDATES - 4


def test_a_run_stopped_while_it_answers_the_test_split_comes_to_the_same(tmp_path, monkeypatch):
    one = trial("lstm")
    run(tmp_path / "whole", [one])

    def interrupted(*arguments, **more):
        if arguments[2] == "test":
            raise Stopped
        return answers(*arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr("bench.probes.quality.answers", interrupted)
        with pytest.raises(contest.Ended):
            run(tmp_path / "stopped", [one])
    assert not (tmp_path / "stopped" / record.RESULTS).exists()
    run(tmp_path / "stopped", [one])
    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "whole")


def test_a_loss_that_stays_above_its_start_is_called_diverged():
    one = trial("lstm", 40, learning={"rate": 10.0, "warmup": 0.1, "clip": 1e6})
    with pytest.raises(DivergedError, match="stayed above it for the whole budget"):
        trained(one)


def test_a_diverged_trial_is_a_row_of_its_own_status(tmp_path):
    assert run(tmp_path, [trial("lstm", 40, learning={"rate": 10.0, "warmup": 0.1, "clip": 1e6})]) == 1
    (row,) = record.read(tmp_path)
    assert (row.status, row.metrics) == ("diverged", {})
    assert row.command.startswith("seqbench run quick --models lstm")


def started(folder, *more):
    words = [sys.executable, "-m", "bench", "run", "quick", "--tasks", COPYING, "--models", "lstm", "--threads", "1"]
    words += ["--set", "model.width=8", "--out", str(folder), *more]
    return subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_sigterm_leaves_a_checkpoint_within_five_seconds_and_the_same_command_goes_on(tmp_path):
    long = ["--set", "updates=20000", "--set", "points=50"]
    process = started(tmp_path, *long)
    told = (line for line in process.stderr if "updates/s" in line)
    first = int(next(told).split("/")[0])
    next(told)
    process.send_signal(signal.SIGTERM)
    start = time.monotonic()
    said = process.communicate(timeout=20)[1]
    assert time.monotonic() - start < 5
    assert process.returncode == 143
    assert "the same command goes on from there" in said
    (folder,) = (tmp_path / contest.UNFINISHED).iterdir()
    reached = Checkpoints(folder).newest().numbers["training"]["updates"]
    assert reached > first
    explained = started(tmp_path, *long, "--explain")
    assert "goes on from its checkpoint" in explained.communicate(timeout=60)[0]
    again = started(tmp_path, *long)
    for line in again.stderr:
        if "updates/s" in line:
            assert int(line.split("/")[0]) >= reached  # of one that began anew it would be `first`
            break
    again.send_signal(signal.SIGINT)
    again.communicate(timeout=20)
    assert again.returncode == 130


def test_when_time_is_up_no_trial_begins_and_the_same_command_goes_on(tmp_path):
    told = []
    assert run(tmp_path, [trial("lstm"), trial("rnn")], told.append, within=1e-9) == 0
    assert not (tmp_path / record.RESULTS).exists()
    assert told[-1] == "time is up: 2 trials left; the same command goes on with them"
    assert run(tmp_path, [trial("lstm"), trial("rnn")]) == 0
    assert [row.model for row in record.read(tmp_path)] == ["lstm", "rnn"]


@pytest.fixture
def late(monkeypatch):
    """A run that has brought a trial to its end already, and gives the next no time beyond its own."""
    monkeypatch.setattr(contest, "GRACE", 0.3)
    monkeypatch.setattr(contest.Contest, "ended", property(lambda self: 1, lambda self, number: None), raising=False)


def test_a_trial_that_is_under_way_long_after_its_time_is_left_with_a_checkpoint(tmp_path, late):
    one, told = trial("lstm", updates=100_000), []
    assert run(tmp_path, [one, trial("rnn")], told.append, within=0.5) == 0
    assert not (tmp_path / record.RESULTS).exists()
    assert told[-1].endswith("is left where it is; the same command goes on from there")
    (folder,) = (tmp_path / contest.UNFINISHED).iterdir()
    assert Checkpoints(folder).newest().numbers["training"]["updates"] > 0
    assert contest.decided(cells([one])[1], tmp_path)[0].why == "goes on from its checkpoint"


def test_a_timing_that_is_under_way_long_after_its_time_begins_anew(tmp_path, late):
    patient = {"seconds": 600, "rounds": 1000, "longest": 16, "length": 5, "largest": 4}
    one = trial("rnn", task="tokens", probe="parallelism", task_settings={"length": 5}, probe_settings=patient)
    told = []
    with workers() as some:
        assert run(tmp_path, [one, trial("rnn")], told.append, within=0.5, workers=some) == 0
    assert not (tmp_path / record.RESULTS).exists()
    assert told[-1] == "time is up: parallelism of rnn on tokens was stopped; the same command begins it anew"


def test_the_first_trial_of_a_run_has_all_the_time_that_it_needs(tmp_path, monkeypatch):
    monkeypatch.setattr(contest, "GRACE", 0.0)
    told = []
    assert run(tmp_path, [trial("lstm", updates=1000), trial("rnn")], told.append, within=0.3) == 0
    assert [row.model for row in record.read(tmp_path)] == ["lstm"]
    assert told[-1] == "time is up: 1 trial left; the same command runs it"


def test_who_waits_for_another_run_waits_no_longer_than_its_time(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from bench.contest import Claims\n"
        "with Claims(Path(sys.argv[1])).held(sys.argv[2], None): print(flush=True), time.sleep(60)"
    )
    known = cells([trial("lstm")])[1]
    words = [sys.executable, "-c", script, str(tmp_path), identity.name(known[0][1])]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        told = []
        assert run(tmp_path, [trial("lstm")], told.append, within=0.5) == 0
        other.kill()
    assert any("another run is at it; waiting" in line for line in told)
    assert told[-1].startswith("time is up: lstm on")
    assert told[-1].endswith("is still another run's")


SAME_BITS = """
import hashlib, sys
from faults import SETTINGS, trial
from test_resume import bits, trained
for task in sys.argv[1].split(","):
    for model in sorted(SETTINGS):
        one = trial(model, 2, task=task, points=1, batch=3)
        model_, training = trained(one)
        state = b"".join(v.contiguous().numpy().tobytes() for v in model_.state_dict().values())
        print(task, model, hashlib.sha256(state).hexdigest(), training.curve[-1]["updates"])
"""


@pytest.mark.skipif(not os.environ.get("SEQBENCH_SOAK"), reason="long: make soak")
def test_the_same_seed_gives_the_same_bits_in_two_processes_on_every_task():
    said = []
    for salt in ("1", "2"):
        env = os.environ | {"PYTHONHASHSEED": salt, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
        done = subprocess.run(
            [sys.executable, "-c", SAME_BITS, "translation,sentiment,captioning,verses,emoji"],
            env=env,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        said.append(done.stdout)
    assert said[0] == said[1]
    assert len(said[0].splitlines()) == 5 * len(SETTINGS)


def test_the_same_seed_gives_the_same_bits_in_two_processes():
    said = []
    for salt in ("1", "2"):
        env = os.environ | {"PYTHONHASHSEED": salt, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
        command = [sys.executable, "-c", SAME_BITS, COPYING]
        said.append(subprocess.run(command, env=env, capture_output=True, text=True, check=True, cwd=ROOT).stdout)
    assert said[0] == said[1]
    assert len(said[0].splitlines()) == len(SETTINGS)
