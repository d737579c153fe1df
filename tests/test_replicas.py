"""Learning on several devices: replicas end alike, as one that saw all their batches, and their pace is measured."""

import dataclasses

import pytest
import torch
from torch import distributed, multiprocessing

from bench import clock
from bench.probes import _replicas, asked, parallelism
from bench.probes._replicas import Race, ReplicaError, raced
from bench.probes._timed import drawn, subject
from bench.trial import Place
from bench.watch import Stopped, Watch
from tasks import BadInput, Batch
from tests.test_speed_probes import BRIEF, CPU, SETTINGS, measured, trial

TAUGHT = tuple(SETTINGS)
FEW = {**BRIEF, "longest": 16, "length": 5, "largest": 4}


def quiet(model, **changes):
    """A trial without dropout, whose replicas can be told from one model by nothing."""
    still = {} if model == "echo_state" else {"dropout": 0.0}
    return trial(model, "parallelism", model_settings=SETTINGS[model] | still, **changes)


def whole(one, size=3):
    """The batches of two replicas, and both as one batch."""
    spec = subject(one, CPU).spec
    parts = [drawn(spec, size, 4, 5, CPU, seed=rank) for rank in range(2)]
    return parts, Batch(*(torch.cat(both) for both in zip(*(p[:5] for p in parts), strict=True)))


def learned(rule, batch):
    """Three updates, and what comes of them."""
    for _ in range(3):
        rule.learn(batch)
    list(rule.candidates(last=True))


def replica(rank, folder):
    """What a process of a group learns of every model, left in files."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/met", rank=rank, world_size=2)
    for model in TAUGHT:
        of = subject(quiet(model), CPU)
        of.rule.spread(distributed.new_group([0, 1]))
        learned(of.rule, whole(quiet(model))[0][rank])
        torch.save(of.model.state_dict(), f"{folder}/{model}-{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    """The weights of two replicas by model, from one pair of processes."""
    folder = tmp_path_factory.mktemp("replicas")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GLOO_SOCKET_IFNAME", "lo")
        multiprocessing.start_processes(replica, (str(folder),), nprocs=2, start_method="spawn")
    return {model: [torch.load(folder / f"{model}-{rank}.pt") for rank in range(2)] for model in TAUGHT}


@pytest.mark.parametrize("model", TAUGHT)
def test_two_replicas_learn_what_one_model_learns_from_both_batches(model, replicas):
    first, second = replicas[model]
    alone = subject(quiet(model), CPU)
    learned(alone.rule, whole(quiet(model))[1])
    for name, value in alone.model.state_dict().items():
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=0)
        torch.testing.assert_close(first[name], value, rtol=1e-4, atol=1e-5, msg=lambda text, n=name: f"{n}: {text}")


def test_parallelism_over_two_processes_is_told_beside_that_of_one(tmp_path):
    row = measured(trial("rnn", "parallelism", probe_settings=FEW | {"devices": 2}), tmp_path)
    points = {p["devices"]: p for p in row.curve if "devices" in p}
    assert list(points) == [1, 2]
    assert points[1]["device_efficiency"] == 1.0
    assert points[2]["low"] <= points[2]["tokens_per_second"] <= points[2]["high"]
    assert 0 < row.metrics["device_efficiency"] < 4
    assert row.metrics["devices"] == 2
    assert row.config["notes"]["device_efficiency"].endswith(
        "over n times those of one; a device is a process of 1 thread"
    )


def test_a_cpu_is_one_device_unless_processes_are_asked_for(tmp_path):
    row = measured(trial("rnn", "parallelism", probe_settings=FEW), tmp_path)
    assert not [p for p in row.curve if "devices" in p]
    assert "device_efficiency" not in row.metrics | row.config["notes"]
    assert parallelism._chosen(3, CPU) == ("cpu",) * 3


def test_all_gpus_learn_together_unless_one_was_named_or_fewer_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert parallelism._chosen(0, torch.device("cuda")) == ("cuda:0", "cuda:1", "cuda:2")
    assert parallelism._chosen(2, torch.device("cuda")) == ("cuda:0", "cuda:1")
    assert parallelism._chosen(0, torch.device("cuda:1")) == ("cuda:1",)
    assert parallelism._chosen(2, torch.device("cuda:1")) == ("cuda:1", "cuda:0")


def test_more_gpus_than_there_are_is_a_clear_error_before_anything_is_timed():
    place = Place("cuda", True, 2, {"gpus": 2})
    asked.vouched(trial("rnn", "parallelism", probe_settings={"devices": 2}), place)
    with pytest.raises(BadInput, match="devices=3, but there are 2; take 0 for all of them"):
        asked.vouched(trial("rnn", "parallelism", probe_settings={"devices": 3}), place)
    one = dataclasses.replace(place, environment={"gpus": 1})
    made = [asked.vouched(trial("rnn", "parallelism"), where) for where in (place, one)]
    assert made[0]["machine"] != made[1]["machine"]


def race(one, devices=2, **changes):
    return dataclasses.replace(Race(one, ("cpu",) * devices, 1, 5, 0.2, 6), **changes)


def test_groups_double_up_to_all():
    assert race(trial(), 1).sizes == [1]
    assert race(trial(), 4).sizes == [1, 2, 4]
    assert race(trial(), 6).sizes == [1, 2, 4, 6]


def test_what_a_process_raises_is_told_and_costs_no_other_measurement(tmp_path, monkeypatch):
    broken = race(trial("rnn", "parallelism", model_settings={"hidden": -1}))
    with pytest.raises(ReplicaError, match=r"^BadInput: .*hidden"):
        raced(broken, Watch())

    def fails(*told):
        raise ReplicaError("out of memory")

    monkeypatch.setattr(parallelism, "raced", fails)
    row = measured(trial("rnn", "parallelism", probe_settings=FEW | {"devices": 2}), tmp_path)
    assert row.config["notes"]["device_efficiency"] == "training on 2 devices failed: out of memory"
    assert row.metrics["parallel_fraction"] <= 1


def test_a_stop_ends_the_processes():
    ended = []

    def stopping():
        ended.append(multiprocessing.active_children())
        return len(ended) > 2

    with pytest.raises(Stopped):
        raced(race(trial("rnn", "parallelism"), seconds=600.0, rounds=1000), Watch(stopping=stopping))
    assert len(ended[-1]) == 2
    for process in ended[-1]:
        process.join(5)
        assert not process.is_alive()


def test_rounds_go_on_until_enough_were_alone():
    timed = clock.Rounds(seconds=0.0, rounds=7)
    for _ in range(clock.FEWEST):
        assert timed.more
        timed.add({"a": 1.0}, company=9.0)
    assert not timed.more
    assert timed.contest({"a": 2.0}).samples == {"a": [1.0] * 6}


def test_the_last_line_of_a_traceback_says_what_was_raised():
    assert _replicas._last_line(RuntimeError("Traceback\n  File x\n\nValueError: so\n")) == "ValueError: so"
    assert _replicas._last_line(RuntimeError("")) == "RuntimeError"
