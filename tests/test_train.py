"""The loop spends its budget exactly, keeps the best state, and reads the test split once."""

import base64
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import bench.train
import models
from bench import machine, meters, record
from bench.budget import affordable, endless, planned
from bench.learning.gradient import Gradient
from bench.learning.ridge import Ridge
from bench.probes import asked, quality
from bench.train import DivergedError, answers, train
from bench.trial import Budget, Trial
from bench.watch import Watch
from tasks import Spec

OWN = Path(__file__).parent / "own"
CPU = torch.device("cpu")
SMALL = {"width": 12, "hidden": 14, "dropout": 0.0}


def trial(model="lstm", updates=5, **changes):
    settings = {"units": 40, "writer": 50} if model == "echo_state" else SMALL if model in ("lstm", "rnn") else {}
    shape = {"model": model, "task": str(OWN / "copying.py"), "seed": 3, "suite": "quick", "batch": 7, "points": 2}
    shape |= {"budget": Budget(updates=updates), "model_settings": settings, "precision": "float32"}
    return Trial(**shape | changes)


def learner(one, precision=torch.float32):
    kind, _ = asked.model(one)
    rule, settings = asked.rule(one, kind)

    def make(updates):
        model = asked.built(one, CPU)
        return model, rule(model, settings, updates, precision)

    return make


def run(one, **more):
    return train(learner(one), asked.task(one), one.budget, one.batch, one.seed, CPU, one.points, **more)


def test_a_budget_of_updates_is_spent_exactly():
    _, training = run(trial(updates=10))
    assert training.updates == 10
    assert training.examples == 2 * 32  # two passes of four batches of seven and one of four
    assert training.source_tokens == 64 * 3
    assert training.target_tokens == 64 * 4
    assert [point["updates"] for point in training.curve] == [5, 10]


@pytest.mark.parametrize(("examples", "updates"), [(1, 1), (7, 1), (8, 2), (32, 5), (33, 6)])
def test_a_budget_of_examples_becomes_whole_updates(examples, updates):
    one = trial()
    assert planned(learner(one), asked.task(one), Budget(examples=examples), 7, 3, CPU) == updates


def test_a_budget_of_seconds_counts_the_updates_that_fit(monkeypatch):
    ticks = iter(range(1000))
    monkeypatch.setattr("bench.budget.time.perf_counter", lambda: float(next(ticks)))  # every update takes 1 s
    one = trial()
    assert affordable(learner(one), asked.task(one), 8.5, 7, 3, CPU) == 8


def test_a_rule_of_one_pass_stops_after_it():
    _, training = run(trial("echo_state", updates=100))
    assert training.updates == 5
    assert training.examples == 32


def test_the_best_state_on_validation_is_the_one_that_is_left():
    one = trial(updates=200)
    model, training = run(one)
    again = asked.task(one).score(answers(model, asked.task(one), "validation", CPU).tokens, "validation")
    assert again.totals["exact"] == training.best_score == max(point["exact"] for point in training.curve)


def test_the_same_seed_gives_the_same_bits():
    first, second = run(trial(updates=12))[0], run(trial(updates=12))[0]
    for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_every_epoch_shows_every_item_once_in_an_order_of_its_own():
    stream = endless(asked.task(trial()), 7, seed=3)
    epochs = [torch.cat([next(stream).item for _ in range(5)]) for _ in range(2)]
    assert [sorted(epoch.tolist()) for epoch in epochs] == [list(range(32))] * 2
    assert not torch.equal(*epochs)


def test_a_loss_that_is_no_number_ends_the_trial():
    one = trial()
    make = learner(one)

    def broken(updates):
        model, rule = make(updates)
        with torch.no_grad():
            model.head.weight.fill_(float("nan"))
        return model, rule

    with pytest.raises(DivergedError, match="the training loss is nan after 2 updates"):
        train(broken, asked.task(one), Budget(updates=4), 7, 3, CPU, 2)


def test_evaluation_is_off_the_clock(monkeypatch):
    def slow(*arguments, **more):
        ticks[0] += 1000.0
        return said(*arguments, **more)

    ticks, said = [0.0], bench.train.answers
    monkeypatch.setattr("bench.train.answers", slow)
    monkeypatch.setattr("bench.budget.time.perf_counter", lambda: ticks[0])
    assert run(trial())[1].seconds == 0.0


def test_energy_and_memory_are_those_of_updates_not_of_evaluation(monkeypatch):
    def learn(self, batch):
        joules[0] += 2.0
        held.append(torch.ones(8_000_000))  # 32 MB, for as long as an update takes
        held.clear()
        return learned(self, batch)

    def costly(*arguments, **more):
        joules[0] += 1000.0
        held.append(torch.ones(40_000_000))
        held.clear()
        return said(*arguments, **more)

    joules, held, learned, said = [5.0], [], Gradient.learn, bench.train.answers
    monkeypatch.setattr(Gradient, "learn", learn)
    monkeypatch.setattr("bench.train.answers", costly)
    monkeypatch.setattr(meters, "_counter", lambda device: lambda: joules[0])
    _, training = run(trial(updates=6))
    assert training.joules == 12.0
    if training.peak_bytes is None:
        pytest.skip("this system does not tell resident memory")
    assert 25e6 < training.peak_bytes < 60e6


def test_energy_and_memory_go_on_from_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(meters, "_counter", lambda device: None)
    (row,) = quality.run(trial(), {"seed": "3"}, tmp_path, CPU, Watch())
    assert "train_joules" not in row.metrics  # rather than a zero that nobody measured
    course = bench.train.Course(*learner(trial())(5), asked.task(trial()), 5, CPU, 2)
    course.training.joules, course.training.peak_bytes = 3.5, 10**12
    other = bench.train.Course(*learner(trial())(5), asked.task(trial()), 5, CPU, 2)
    other.restore(course.snapshot())
    other.energy.counter = lambda: 1.0
    other.run(endless(asked.task(trial()), 7, 3, 0), Watch())
    assert (other.training.joules, other.training.peak_bytes) == (3.5, 10**12)


def test_the_test_split_is_answered_once_after_training(tmp_path, monkeypatch):
    asked_of = []
    for task in (asked.task(trial()), asked.task(trial()).whole):
        score = task.score
        told = lambda said, split, score=score: asked_of.append(split) or score(said, split)  # noqa: E731
        monkeypatch.setattr(task, "score", told)
    quality.run(trial(), {"seed": "3"}, tmp_path, CPU, Watch())
    assert asked_of == ["validation", "validation", "test"]


@pytest.mark.parametrize("model", ["rnn", "lstm", "bahdanau", "transformer", str(OWN / "gru.py")])
def test_training_lowers_the_loss_of_every_model(model):
    settings = {"width": 32} | ({"dropout": 0.0} if not model.endswith(".py") else {})
    one = trial(model, updates=60, points=6, model_settings=settings, learning={"rate": 0.01, "smoothing": 0.0})
    losses = [point["loss"] for point in run(one)[1].curve]
    assert losses[-1] < 0.7 * losses[0]


def test_a_row_says_what_was_trained_and_what_it_used(tmp_path):
    (row,) = quality.run(trial("bahdanau", updates=4), {"seed": "3"}, tmp_path, CPU, Watch())
    assert row.status == "ok"
    assert row.budget["updates"] == row.budget["used"]["updates"] == row.metrics["updates"] == 4
    assert row.config["learning"]["precision"] == "float32"
    assert row.config["model"]["hidden"] == 256
    assert set(row.artifacts) == {"answers", "attention", "checkpoint"}
    assert row.metrics["parameters_trained"] == row.metrics["parameters_total"] > 100_000


def test_heads_are_stored_by_layer_while_there_is_room(tmp_path, monkeypatch):
    monkeypatch.setattr(quality, "HEADS", 200)
    small = {"width": 32, "heads": 2, "dropout": 0.0}
    one = trial(
        "transformer", updates=30, model_settings=small, learning={"rate": 0.01}
    )  # by then it answers something
    (row,) = quality.run(one, {"seed": "3"}, tmp_path, CPU, Watch())
    watched = json.loads(record.artifact(tmp_path, row, "attention"))
    kept = [one for one in watched if "heads" in one]
    assert 0 < len(kept) < len(watched)
    assert sum(math.prod(one["heads"]["shape"]) for one in kept) <= 200
    for one in kept:
        target, layers, heads, source = one["heads"]["shape"]
        assert (target, source) == (len(one["weights"]), len(one["weights"][0]))
        assert (layers, heads) == (row.config["model"]["decoder_layers"], row.config["model"]["heads"])
        stored = np.frombuffer(base64.b64decode(one["heads"]["weights"]), np.uint8).reshape(one["heads"]["shape"]) / 255
        assert np.abs(stored[:, -1].mean(1) - np.array(one["weights"])).max() < 0.003


def test_an_echo_state_row_tells_trained_from_total_parameters(tmp_path):
    (row,) = quality.run(trial("echo_state"), {"seed": "3"}, tmp_path, CPU, Watch())
    assert row.metrics["parameters_trained"] == (50 + 2 * 40 + 1) * 8
    assert row.metrics["parameters_total"] > row.metrics["parameters_trained"]
    assert row.config["learning"]["strength"] in Ridge.Config().strengths


@pytest.mark.parametrize(("model", "said"), [("lstm", "trained"), ("echo_state", "fixed random filters")])
def test_a_row_says_whether_the_picture_encoder_was_trained(model, said):
    spec = Spec("vectors", source_size=64, target_size=9, max_target=5, patch_shape=(1, 8, 8), grid=(3, 3))
    assert quality._picture_encoder(models.load(model)(spec)) == {"picture_encoder": said}
    text = Spec("tokens", source_size=9, target_size=9, max_target=5)
    assert quality._picture_encoder(models.load(model)(text)) == {}


@pytest.mark.parametrize(
    ("done", "decay", "expected"),
    [
        (0, "linear", 0.1),
        (9, "linear", 1.0),
        (10, "linear", 1.0),
        (55, "linear", 0.5),
        (100, "linear", 0.0),
        (10, "constant", 1.0),
        (99, "constant", 1.0),
        (55, "cosine", 0.5),
        (100, "cosine", 0.0),
    ],
)
def test_the_rate_rises_then_falls(done, decay, expected):
    from bench.learning.gradient import share

    assert share(done, 100, Gradient.Config(warmup=0.1, decay=decay)) == pytest.approx(expected)


def test_freed_memory_is_kept_where_glibc_is():
    import platform

    assert machine.keep_memory() == (platform.libc_ver()[0] == "glibc")
