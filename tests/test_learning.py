"""The loss is the cross-entropy of the books, the update AdamW's, the rate what the schedule says."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math
from pathlib import Path

import pytest
import torch
from torch import nn

import models
import tasks
from bench import learning
from bench.budget import endless
from bench.learning.gradient import Gradient, Taught, share
from models import Model, State
from tasks import EOS, PAD, Batch, Spec

SOURCE = torch.tensor([[4, 5, 6], [6, 4, PAD]])
TEXT = Spec("tokens", source_size=7, target_size=6, max_target=3)
NUMBER = Spec("tokens", source_size=7, target_size=1, max_target=1, target="number")


class Bag(Model):
    """The mean of the source's embeddings beside that of the last token."""

    def __init__(self, spec, config=None):
        super().__init__(spec, config)
        self.read, self.write = nn.Embedding(spec.source_size, 3), nn.Embedding(6, 4)
        self.norm = nn.LayerNorm(7)
        self.unused = nn.Parameter(torch.ones(2), requires_grad=False)
        self.head = nn.Linear(7, spec.target_size)

    def encode(self, source, source_length, room):
        return State({"bag": self.read(source).mean(1)}, {})

    def step(self, token, state):
        return self.norm(torch.cat([state.memory["bag"], self.write(token)], -1)), state


def text_batch():
    target = torch.tensor([[5, 3, EOS], [4, EOS, PAD]])
    return Batch(SOURCE, torch.tensor([3, 2]), target, torch.tensor([3, 2]), torch.arange(2))


def number_batch():
    target = torch.tensor([[0.5], [-2.0]])
    return Batch(SOURCE, torch.tensor([3, 2]), target, torch.ones(2, dtype=torch.int64), torch.arange(2))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_mean_cross_entropy_of_tokens_that_are_no_padding(smoothing):
    model, batch = Bag(TEXT), text_batch()
    logits = model.head(model(batch))
    losses = []
    for row, places in enumerate(batch.target_length.tolist()):
        for place in range(places):
            scores = logits[row, place].tolist()
            total = math.log(sum(math.exp(score) for score in scores))
            surprise = [total - score for score in scores]
            right = surprise[int(batch.target[row, place])]
            losses.append((1 - smoothing) * right + smoothing * sum(surprise) / 6)
    assert len(losses) == 5
    assert float(Taught(model, smoothing)(batch).detach()) == pytest.approx(sum(losses) / 5, rel=1e-5)


def test_more_padding_does_not_change_the_loss():
    model, batch = Bag(TEXT), text_batch()
    longer = batch._replace(target=nn.functional.pad(batch.target, (0, 4), value=PAD))
    taught = Taught(model, 0.1)
    assert float(taught(longer).detach()) == pytest.approx(float(taught(batch).detach()), rel=1e-6)


def test_the_loss_of_numbers_is_their_mean_squared_error():
    model, batch = Bag(NUMBER), number_batch()
    answers = model.generate(batch.source, batch.source_length)[:, 0].tolist()
    expected = ((answers[0] - 0.5) ** 2 + (answers[1] + 2) ** 2) / 2
    assert float(Taught(model, 0.1)(batch).detach()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("decay", ["linear", "cosine", "constant"])
def test_the_rate_rises_to_its_highest_in_the_warm_up(decay):
    config = Gradient.Config(warmup=0.1, decay=decay)
    found = [share(done, 100, config) for done in range(10)]
    assert found == pytest.approx([(done + 1) / 10 for done in range(10)])
    assert share(10, 100, config) == 1


@pytest.mark.parametrize(
    ("decay", "half", "last"), [("linear", 0.5, 1 / 90), ("cosine", 0.5, 0.000305), ("constant", 1, 1)]
)
def test_after_the_warm_up_the_rate_falls_to_zero_or_stays(decay, half, last):
    config = Gradient.Config(warmup=0.1, decay=decay)
    assert share(55, 100, config) == pytest.approx(half)
    assert share(99, 100, config) == pytest.approx(last, rel=1e-2)
    assert share(99, 100, config) > 0
    assert share(100, 100, config) == pytest.approx(1 if decay == "constant" else 0)
    assert share(150, 100, config) == pytest.approx(1 if decay == "constant" else 0)


@pytest.mark.parametrize("decay", ["linear", "cosine"])
def test_the_rate_never_rises_again(decay):
    config = Gradient.Config(warmup=0.2, decay=decay)
    shares = [share(done, 50, config) for done in range(10, 55)]
    assert shares == sorted(shares, reverse=True)


def test_a_single_update_has_a_rate():
    assert share(0, 1, Gradient.Config()) == 1
    assert share(0, 1, Gradient.Config(warmup=0.0)) == 1


def test_updates_are_adamws_with_clipped_gradients_and_decay_of_matrices_only():
    config = Gradient.Config(rate=0.03, warmup=0.5, weight_decay=0.4, clip=0.05, smoothing=0.0)
    model, batch = Bag(TEXT), text_batch()
    other = copy.deepcopy(model)
    rule = Gradient(model, config, 4, torch.float32)
    matrices = [other.read.weight, other.write.weight, other.head.weight]
    vectors = [other.norm.weight, other.norm.bias, other.head.bias]
    groups = [{"params": matrices, "weight_decay": 0.4}, {"params": vectors, "weight_decay": 0.0}]
    theirs = torch.optim.AdamW(groups, betas=(0.9, 0.98), foreach=False)
    for rate in (0.015, 0.03, 0.03, 0.015):
        for group in theirs.param_groups:
            group["lr"] = rate
        loss = nn.functional.cross_entropy(
            other.head(other(batch)).flatten(0, 1), batch.target.flatten(), ignore_index=PAD
        )
        theirs.zero_grad()
        loss.backward()
        norm = torch.stack([p.grad.norm() for p in matrices + vectors]).norm()
        assert norm > 0.05
        for p in matrices + vectors:
            p.grad *= 0.05 / norm
        theirs.step()
        assert float(rule.learn(batch)) == pytest.approx(float(loss.detach()), rel=1e-5)
    for (name, ours), expected in zip(model.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}")
    assert not model.head.weight.equal(Bag(TEXT).head.weight)


def test_the_loss_that_comes_back_holds_no_graph():
    rule = Gradient(Bag(TEXT), Gradient.Config(), 2, torch.float32)
    loss = rule.learn(text_batch())
    assert loss.shape == ()
    assert not loss.requires_grad


def test_bfloat16_computes_coarsely_and_keeps_weights_whole():
    losses = []
    for precision in (torch.float32, torch.bfloat16):
        torch.manual_seed(0)
        model = Bag(TEXT)
        rule = Gradient(model, dataclasses.replace(Gradient.Config(), rate=0.05, warmup=0.0), 30, precision)
        losses.append([float(rule.learn(text_batch())) for _ in range(30)])
        assert {p.dtype for p in model.parameters()} == {torch.float32}
    whole, coarse = losses
    assert whole != coarse
    assert coarse == pytest.approx(whole, rel=0.05)
    assert coarse[-1] < 0.7 * coarse[0]


def test_a_gradient_rule_has_one_candidate_the_model_as_it_is():
    model = Bag(TEXT)
    before = copy.deepcopy(model.state_dict())
    assert list(Gradient(model, Gradient.Config(), 2, torch.float32).candidates(last=True)) == [{}]
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("name", learning.RULES)
def test_every_rule_named_can_be_loaded(name):
    assert issubclass(learning.load(name), learning.Rule)
    assert dataclasses.is_dataclass(learning.load(name).Config)


@pytest.mark.parametrize("model", ["rnn", "lstm", "bahdanau", "transformer"])
def test_training_in_bfloat16_ends_as_low_as_in_float32_within_the_spread_of_seeds(model):
    ends = {kind: [end(model, kind, seed) for seed in range(3)] for kind in (torch.float32, torch.bfloat16)}
    whole, half = (torch.tensor(losses) for losses in ends.values())
    assert whole.mean() < 0.75 * math.log(8)  # it has learnt something of eight tokens
    assert (whole.mean() - half.mean()).abs() < 2 * torch.stack([whole.std(), half.std()]).max() + 0.03


def end(model, precision, seed):
    """Mean loss of the last ten of sixty updates on copying three digits."""
    task = tasks.load(str(Path(__file__).parent / "own" / "copying.py"))()
    kind = models.load(model)
    torch.manual_seed(seed)
    small = {"heads": 2, "feedforward": 32} if model == "transformer" else {"hidden": 32}
    learner = kind(task.spec, kind.Config(width=16, **small)).train()
    rule = Gradient(learner, Gradient.Config(rate=5e-3, decay="constant", smoothing=0.0), 60, precision)
    batches = itertools.islice(endless(task, 16, seed), 60)
    return float(torch.stack([rule.learn(batch) for batch in batches])[-10:].mean())
