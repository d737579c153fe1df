"""Shares of a step's time: each part's own, with its backward."""

from __future__ import annotations

import contextlib
import time
from types import SimpleNamespace

import pytest
import torch
from test_contract import SPECS, batch_of, only_known
from torch import nn

import models
from bench import learning, profile
from models.layers import scope

CPU = torch.device("cpu")
WIDTH = 7


class Parts(nn.Module):
    """One product in a part, eight in another, two more in a part inside that."""

    def __init__(self):
        super().__init__()
        self.once, self.often, self.inner = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(3))

    def forward(self, x):
        with scope.part("attention"):
            x = self.once(x)
        with scope.part("recurrence"):
            for _ in range(8):
                x = self.often(x)
            with scope.part("feedforward"):
                x = self.inner(self.inner(x))
        return x.sum()


def product_counts(event, on_gpu):
    return float(event.name in ("aten::mm", "aten::bmm", "aten::addmm"))


@pytest.fixture
def products(monkeypatch):
    """Every product takes as long as any other, and nothing else takes any time."""
    monkeypatch.setattr(profile, "_own", product_counts)


def test_each_part_has_its_products_forward_and_backward_and_nested_ones_are_the_inners(products):
    model, x = Parts(), torch.randn(3, WIDTH, requires_grad=True)
    found = profile.shares(lambda: model(x).backward(), CPU)
    assert found == pytest.approx(
        {"attention": 3 / 33, "recurrence": 24 / 33, "feedforward": 6 / 33, "head": 0, "optimiser": 0, "other": 0}
    )


class Steep(torch.autograd.Function):
    """One product forward, eight backward."""

    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(weight)
        return x @ weight

    @staticmethod
    def backward(ctx, grad):
        (weight,) = ctx.saved_tensors
        for _ in range(8):
            grad = grad @ weight
        return grad, None


def test_backward_belongs_to_the_part_that_went_forward_whatever_its_neighbours_are(products):
    x, weight = torch.randn(3, WIDTH, requires_grad=True), torch.eye(WIDTH)

    def step():
        with scope.part("head"):
            torch.zeros(3).argmax()  # without a gradient, it shows the number of the node that comes next
        with scope.part("attention"):
            y = Steep.apply(x, weight)
            y.argmax()
        with scope.part("head"):
            z = y @ weight
        (z @ weight).sum().backward()

    found = profile.shares(step, CPU)
    assert [found[name] for name in ("attention", "head", "other")] == pytest.approx([9 / 13, 2 / 13, 2 / 13])


def test_a_part_of_ones_own_is_told_beside_ours(products):
    x, weight = torch.randn(3, WIDTH), torch.eye(WIDTH)

    def step():
        with scope.part("memory"):
            return x @ weight

    found = profile.shares(step, CPU)
    assert found == dict.fromkeys((*scope.PARTS, "other"), 0.0) | {"memory": 1.0}


class Slow(torch.autograd.Function):
    """Takes its time, backward too."""

    @staticmethod
    def forward(ctx, x, seconds):
        ctx.seconds = seconds
        time.sleep(seconds)
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        time.sleep(ctx.seconds)
        return grad, None


def test_shares_are_of_the_time_on_the_clock():
    x = torch.randn(WIDTH, requires_grad=True)

    def step():
        with scope.part("recurrence"):
            y = Slow.apply(x, 0.08)
        with scope.part("attention"):
            y = Slow.apply(y, 0.01)
        y.sum().backward()

    found = profile.shares(step, CPU)
    assert sum(found.values()) == pytest.approx(1)
    assert found["recurrence"] > 3 * found["attention"]
    assert found["attention"] > 0
    assert found["recurrence"] > 0.5


def test_of_a_gpu_the_time_of_kernels_counts_once():
    kernels = [SimpleNamespace(duration=3), SimpleNamespace(duration=4)]
    operator = SimpleNamespace(is_user_annotation=False, kernels=kernels, self_cpu_time_total=100)
    name = SimpleNamespace(is_user_annotation=True, kernels=kernels, self_cpu_time_total=100)
    assert profile._own(operator, True) == 7
    assert profile._own(name, True) == 0
    assert profile._own(name, False) == 100


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_backward_in_a_thread_of_its_own_finds_its_part():
    x, weight = torch.randn(512, 512, device="cuda", requires_grad=True), torch.eye(512, device="cuda")

    def step():
        with scope.part("attention"):
            y = Steep.apply(x, weight)
        with scope.part("head"):
            z = y @ weight
        z.sum().backward()

    found = profile.shares(step, torch.device("cuda"))
    assert sum(found.values()) == pytest.approx(1)
    assert found["attention"] > 2 * found["head"] > 0


def test_parts_are_free_unless_somebody_listens():
    assert scope.part("attention") is scope.part("head")
    assert isinstance(scope.part("attention"), contextlib.nullcontext)
    with scope.profiled():
        assert not isinstance(scope.part("attention"), contextlib.nullcontext)
    assert isinstance(scope.part("attention"), contextlib.nullcontext)


def test_a_failing_step_leaves_nobody_listening():
    def fails():
        if scope.part("head") is not scope.part("head"):
            raise MemoryError("while recorded")

    with pytest.raises(MemoryError):
        profile.shares(fails, CPU)
    assert scope.part("attention") is scope.part("head")


SMALL = {"width": 12, "hidden": 10, "heads": 2, "layers": 1, "decoder_layers": 1, "units": 40, "writer": 50}
NAMED = {
    "rnn": {"recurrence", "feedforward"},
    "lstm": {"recurrence", "feedforward"},
    "bahdanau": {"recurrence", "attention", "feedforward"},
    "echo_state": {"recurrence"},
    "transformer": {"attention", "feedforward"},
}


def rule_for(name, spec):
    kind = models.load(name)
    model = kind(spec, only_known(kind.Config(), SMALL))
    rule = learning.load(model.learning)
    return rule(model.train(), rule.Config(), 20, torch.float32)


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("shape", ["text", "label", "picture"])
def test_every_model_of_ours_names_its_parts(name, shape):
    spec = SPECS[shape]
    rule, batch = rule_for(name, spec), batch_of(spec)
    batch = batch._replace(source=batch.source.float() if batch.source.is_floating_point() else batch.source)
    found = profile.shares(lambda: rule.learn(batch), CPU)
    expected = NAMED[name] | {"head"} | ({"optimiser"} if name != "echo_state" else set())
    assert {part for part in scope.PARTS if found[part] > 0} == expected
    assert sum(found.values()) == pytest.approx(1)


def test_no_product_of_the_attention_loop_is_left_without_a_part_forward_or_backward():
    rule, batch = rule_for("bahdanau", SPECS["text"]), batch_of(SPECS["text"])
    with scope.profiled(), torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as recorded:
        rule.learn(batch)
    events = list(recorded.events())
    owners = [(e.name, profile._owner(e, profile._forward(events))) for e in events if e.name == "aten::baddbmm"]
    assert len(owners) == 2 * batch.target.shape[1]  # what is gathered in each step, and its gradient
    assert set(owners) == {("aten::baddbmm", "attention")}


@pytest.mark.parametrize("name", models.names())
def test_names_change_no_number(name):
    losses = []
    for listening in (contextlib.nullcontext(), scope.profiled()):
        torch.manual_seed(3)
        rule = rule_for(name, SPECS["text"])
        with listening:
            losses.append([rule.learn(batch_of(SPECS["text"])) for _ in range(2)])
    assert losses[0] == losses[1]
