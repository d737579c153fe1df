"""Budgets on every axis: what they come to in updates, what is used of each, and seeds that are told apart."""

import itertools

import numpy as np
import pytest
import torch
from faults import COPYING

from bench.budget import Meter, endless, planned
from bench.probes import asked
from bench.train import train
from bench.trial import SEEDS, Budget, Trial, run
from tasks import BadInput

CPU = torch.device("cpu")
SIZES = {
    "rnn": {"width": 5, "hidden": 7},
    "lstm": {"width": 5, "hidden": 7, "dropout": 0.5},
    "transformer": {"width": 8, "heads": 2, "layers": 1, "decoder_layers": 1, "feedforward": 9},
    "bahdanau": {"width": 5, "hidden": 7, "alignment": 3},
    "echo_state": {"units": 30, "writer": 30},
}


def trial(model="lstm", **more):
    made = {"task": COPYING, "seed": 3, "suite": "quick", "budget": Budget(updates=10), "batch": 7, "points": 2}
    return Trial(**{"model": model, "model_settings": SIZES[model], "precision": "float32"} | made | more)


def updates(one):
    return planned(asked.learner(one, CPU), asked.task(one), one.budget, one.batch, one.seed, CPU)


def trained(one):
    return train(
        asked.learner(one, CPU), asked.task(one), one.budget, one.batch, one.drawn_by("order"), CPU, one.points
    )


@pytest.mark.parametrize("task", [COPYING, "synthetic.parity"])
@pytest.mark.parametrize("axis", ["examples", "tokens", "flops"])
@pytest.mark.parametrize("share", [0.01, 0.4, 1.0, 2.7])
def test_a_budget_is_reached_by_the_fewest_updates_that_cost_it(axis, share, task):
    settings = {"length": 9, "shortest": 2, "examples": 3} if task != COPYING else {}
    one = trial(task=task, task_settings=settings)
    model, rule = asked.learner(one, CPU)(1)
    cost = {
        "examples": lambda batch: len(batch.item),
        "tokens": lambda batch: int((batch.source != 0).sum() + (batch.target != 0).sum()),
        "flops": lambda batch: sum(
            rule.flops(model.flops(int(s), int(t)), int(t))
            for s, t in zip(batch.source_length, batch.target_length, strict=True)
        ),
    }[axis]
    costs = [cost(batch) for batch in itertools.islice(endless(asked.task(one), 7, 3), 40)]
    amount = share * sum(costs[:10])
    if axis != "flops":
        amount = round(amount) or 1
    expected = 1 + int(np.searchsorted(np.cumsum(costs), amount * (1 - 1e-12)))
    assert updates(trial(task=task, task_settings=settings, budget=Budget(**{axis: amount}))) == expected


@pytest.mark.parametrize("model", SIZES)
def test_the_curve_of_every_model_tells_all_five_axes_and_a_budget_of_any_repeats_the_run(model):
    state, whole = trained(trial(model))
    axes = {"updates", "examples", "tokens", "flops", "seconds"}
    assert all(axes <= point.keys() for point in whole.curve)
    for axis in ("examples", "tokens"):
        again, other = trained(trial(model, budget=Budget(**{axis: int(whole.used()[axis])})))
        assert other.updates == whole.updates
        assert all(torch.equal(value, again.state_dict()[name]) for name, value in state.state_dict().items())


def test_operations_are_those_of_the_batches_and_of_solving():
    _, training = trained(trial("lstm"))
    one = trial("lstm")
    model, rule = asked.learner(one, CPU)(1)
    pair = rule.flops(model.flops(3, 4), 4)
    assert training.flops == pytest.approx(2 * 32 * pair)  # two passes over 32 pairs of three digits
    one = trial("echo_state")
    model, rule = asked.learner(one, CPU)(1)
    _, training = trained(one)
    outputs, features = 8, 90
    solved = features**3 / 3 + 2 * outputs * features**2
    tried = 2 + 4 if len(training.curve) > 5 else len(training.curve)
    assert training.flops == pytest.approx(32 * rule.flops(model.flops(3, 4), 4) + tried * solved)


def test_a_model_that_states_no_operations_needs_another_budget(monkeypatch):
    one = trial()
    model, rule = asked.learner(one, CPU)(1)
    monkeypatch.setattr(type(model), "flops", lambda self, source, target: {})
    assert Meter(model, rule).flops(next(endless(asked.task(one), 7, 3))) == 0
    with pytest.raises(BadInput, match=r"states no flops\(\); give updates or tokens"):
        updates(trial(budget=Budget(flops=1e9)))
    _, training = trained(one)
    assert "flops" not in training.used()


@pytest.mark.parametrize("given", [{}, {"updates": 3, "tokens": 5}])
def test_a_budget_is_of_one_axis(given):
    with pytest.raises(ValueError, match="expected one of updates"):
        Budget(**given).asked()


def weights(model, **seeds):
    torch.manual_seed(99)  # what was drawn before changes nothing
    return next(p for name, p in asked.built(trial(model, seeds=seeds), CPU).named_parameters() if "head" not in name)


@pytest.mark.parametrize("model", ["lstm", "echo_state"])
def test_seeds_of_weights_are_the_models_own(model):
    own, other = ("reservoir", "initial") if model == "echo_state" else ("initial", "reservoir")
    assert not torch.equal(weights(model), weights(model, **{own: 4}))
    assert torch.equal(weights(model), weights(model, **{own: 3}))
    assert torch.equal(weights(model), weights(model, **{other: 4, "order": 5}))


def test_the_order_of_data_has_a_seed_of_its_own(tmp_path):
    losses = [trained(trial(seeds={"order": n}))[1].curve[0]["loss"] for n in (3, 3, 4)]
    assert losses[0] == losses[1] == trained(trial())[1].curve[0]["loss"] != losses[2]
    [row] = run(trial(seeds={"order": 4}), {"model": "lstm"}, tmp_path, CPU)
    assert row.config["seeds"] == {"order": 4, "initial": 3, "reservoir": 3}
    assert "--set seed.order=4" in row.command
    assert set(SEEDS) == set(row.config["seeds"])
