"""Goals that are ratios: ours and somebody else's take turns in one process, on the same tensors, to the same numbers.

Before anything is timed, both must come to the same result. A goal is judged only where no one else used the machine.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from reservoirpy import nodes
from scipy import sparse
from torch import nn
from torch.nn import functional
from workload import SIZE, TEXT, WIDTH, Sentences, random_batch

from bench.budget import endless
from bench.learning.gradient import Gradient
from bench.learning.ridge import Ridge
from bench.train import Course
from bench.watch import Watch
from models import Model, State, teacher_inputs
from models.echo_state import EchoState, Reservoir
from models.lstm import Lstm
from models.rnn import Rnn
from models.transformer import Block, Transformer
from tasks import PAD, SPECIALS, Batch, Spec

UPDATES = 5  # of the training loop in one call, one pass over the task
RATE = Gradient.Config(decay="constant")


def learner(model):
    model.train()
    return Gradient(model, RATE, 10**6, torch.float32)


class Bare:
    """A training step written out: loss, gradient, clipping, AdamW. `logits` says how a batch becomes logits."""

    def __init__(self, parameters, logits):
        self.parameters, self.logits = list(parameters), logits
        self.optimiser = torch.optim.AdamW(self.parameters, lr=1e-3, betas=(0.9, 0.98), fused=True)

    def loss(self, batch):
        logits, target = self.logits(batch).flatten(0, 1), batch.target.flatten()
        return functional.cross_entropy(logits, target, ignore_index=PAD, label_smoothing=RATE.smoothing)

    def learn(self, batch):
        loss = self.loss(batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, RATE.clip, foreach=True)
        self.optimiser.step()


class Unjudged(Course):
    """A course without evaluations, which are off the training clock."""

    def _due(self):
        return False


def test_the_training_loop_keeps_97_percent_of_a_bare_loops_tokens_per_second(compare, device):
    """Course.run with batches of a task, against a loop by hand over the same batches, made beforehand."""
    task = Sentences(batches=UPDATES)
    ready = list(task.batches("train", SIZE, 0))
    model, other = Lstm(TEXT).to(device), Lstm(TEXT).to(device).train()
    course = Unjudged(model, learner(model), task, UPDATES, device, 1)
    bare = Bare(other.parameters(), lambda batch: other.head(other(batch)))

    def ours():
        course.updates = course.training.updates + UPDATES
        course.run(endless(task, SIZE, 0), Watch())

    def by_hand():
        for batch in ready:
            bare.learn(batch.to(device))

    ours()
    assert course.training.target_tokens == sum(int(batch.target_length.sum()) for batch in ready)
    compare("training loop / bare loop", {"ours": ours, "bare": by_hand}, most=1 / 0.97, seconds=30)


class Fused(nn.Module):
    """Embedding, a recurrent layer of torch, its end through a linear map as the start of another, and a head.

    With `whole`, all that our encoder-decoder computes without `feed`: the two tanh layers between its parts too.
    Without, the end is the start and the states are the features.
    """

    def __init__(self, cell, whole):
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(TEXT.target_size, WIDTH) * WIDTH**-0.5)
        self.encoder, self.decoder = (cell(WIDTH, WIDTH, batch_first=True) for _ in range(2))
        self.pair, self.whole = cell is nn.LSTM, whole
        self.bridge = nn.Linear(WIDTH, (2 if self.pair else 1) * WIDTH)
        self.out, self.bias = nn.Linear(WIDTH, WIDTH), nn.Parameter(torch.zeros(TEXT.target_size))

    def forward(self, batch):
        source, inputs = (
            functional.embedding(tokens, self.embedding) * math.sqrt(WIDTH)
            for tokens in (batch.source, teacher_inputs(batch.target))
        )
        read, start = self.encoder(source)
        if self.whole:
            parts = self.bridge(read[:, -1]).tanh()[None].chunk(2 if self.pair else 1, -1)
            start = tuple(part.contiguous() for part in parts) if self.pair else parts[0]
        states, _ = self.decoder(inputs, start)
        return functional.linear(self.out(states).tanh() if self.whole else states, self.embedding, self.bias)

    def used(self):
        """Parameters that the shorter form meets."""
        return [*self.encoder.parameters(), *self.decoder.parameters(), self.embedding, self.bias]

    def take(self, model):
        """The weights of ours."""
        pairs = [(self.encoder, model.encoder.ahead[0]), (self.decoder, model.decoder)]
        for own, theirs in [*pairs, (self.bridge, model.bridge), (self.out, model.out)]:
            own.load_state_dict(theirs.state_dict())
        self.embedding.data.copy_(model.head.weight)


@pytest.mark.parametrize("kind", [Rnn, Lstm], ids=["rnn", "lstm"])
def test_recurrent_training_takes_at_most_1_05_of_bare_fused_layers(compare, device, kind):
    """B=64, D=256, S=T=128, V=1000, one layer one way, no dropout, without `feed`.

    The bare model computes the same function: its loss is ours. What our two tanh layers cost is shown without a goal.
    """
    batch = random_batch(source=128, target=128).to(device)
    rule = learner(kind(TEXT, kind.Config(bidirectional=False, dropout=0.0, feed=False)).to(device))
    whole, least = (Fused(kind.cell, whole).to(device).train() for whole in (True, False))
    whole.take(rule.taught.model)
    bare, barest = Bare(whole.parameters(), whole), Bare(least.used(), least)
    torch.testing.assert_close(rule.taught(batch), bare.loss(batch), rtol=1e-5, atol=1e-5)
    name, ours = kind.__name__.lower(), lambda: rule.learn(batch)
    compare(f"{name} / bare fused layers", {"ours": ours, "bare": lambda: bare.learn(batch)}, most=1.05, seconds=25)
    compare(f"{name} / bare without the tanh layers", {"ours": ours, "barest": lambda: barest.learn(batch)})


def torchs(block, feedforward, dropout, device):
    """Torch's own layer with the weights of our block. Ours drops no attention weights, so this one does not either."""
    layer = nn.TransformerEncoderLayer(WIDTH, 4, feedforward, dropout, batch_first=True, norm_first=True).to(device)
    layer.self_attn.dropout = 0.0
    itself, state = block.itself, layer.state_dict()
    for part in ("weight", "bias"):
        query, key_value = getattr(itself.query, part), getattr(itself.key_value, part)
        state[f"self_attn.in_proj_{part}"] = torch.cat([query, key_value])
        named = {"self_attn.out_proj": itself.out, "linear1": block.wide, "linear2": block.narrow}
        for name, own in (named | {"norm1": block.norms[0], "norm2": block.norms[1]}).items():
            state[f"{name}.{part}"] = getattr(own, part)
    layer.load_state_dict(state)
    return layer


@pytest.mark.parametrize("dropout", [0.1, 0.0])
@pytest.mark.parametrize("feedforward", [1024, 512])
@pytest.mark.parametrize("length", [32, 128])
def test_a_block_is_faster_than_torchs_encoder_layer(compare, device, length, feedforward, dropout):
    """Forward and backward, float32, B=64, D=256, 4 heads, training; both told which places are no padding."""
    config = Transformer.Config(width=WIDTH, heads=4, feedforward=feedforward, dropout=dropout)
    ours = Block(config, across=False).to(device)
    theirs = torchs(ours, feedforward, dropout, device)
    x = torch.randn(SIZE, length, WIDTH, device=device, requires_grad=True)
    inside = torch.ones(SIZE, length, dtype=torch.bool, device=device)
    calls = {
        "ours": lambda: ours(x, inside[:, None, None]),
        "torch": lambda: theirs(x, src_key_padding_mask=~inside),
    }

    def both_ways(layer, call):
        layer.zero_grad(set_to_none=True)
        x.grad, out = None, call()
        out.backward(torch.ones_like(out))

    with torch.no_grad():
        ours.eval(), theirs.train().requires_grad_(True)
        theirs.dropout.p = theirs.dropout1.p = theirs.dropout2.p = 0.0
        torch.testing.assert_close(calls["ours"](), calls["torch"](), rtol=1e-4, atol=1e-5)
    theirs.dropout.p = theirs.dropout1.p = theirs.dropout2.p = dropout
    ours.train()
    timed = {"ours": lambda: both_ways(ours, calls["ours"]), "torch": lambda: both_ways(theirs, calls["torch"])}
    name = f"block / torch's encoder layer, T={length}, FF={feedforward}, dropout {dropout}"
    compare(name, timed, most=1.0, over="high", seconds=20, rounds=31)


def test_reservoir_states_come_at_least_8_times_faster_than_reservoirpys(compare, device):
    """B=64, T=64, N=1000, 50 inputs, float32, the same sparse matrices; reservoirpy reads one sequence at a time."""
    layer = Reservoir(1000, 50, 0.5, EchoState.Config()).to(device)
    source = torch.randn(SIZE, 64, 50, device=device)
    recurrent, entry = (sparse.csr_array(m.cpu().numpy()) for m in (layer.recurrent, layer.entry.T))
    theirs = nodes.Reservoir(W=recurrent, Win=entry, lr=0.5, dtype=np.float32)
    sequences = list(source.cpu().numpy())
    theirs.initialize(sequences[0])

    def one_by_one():
        return np.stack([from_rest(sequence) for sequence in sequences])

    def from_rest(sequence):
        theirs.state = {"out": np.zeros(1000, np.float32)}  # its own zeros are float64, and all after them
        return theirs.run(sequence)

    expected, found = one_by_one(), layer(source).cpu().numpy()
    assert np.abs(found - expected).max() / np.abs(expected).max() < 1e-6
    compare("reservoir / reservoirpy", {"ours": lambda: layer(source), "reservoirpy": one_by_one}, most=1 / 8)


class Given(Model):
    """Features that are what comes in."""

    def __init__(self, spec, config=None):
        super().__init__(spec, config)
        self.head = nn.Linear(spec.source_size, spec.target_size)

    def encode(self, source, source_length, room):
        return State({}, {})

    def step(self, token, state):
        raise NotImplementedError

    def forward(self, batch):
        return batch.source


@pytest.mark.parametrize("outputs", [50, 200])
def test_a_readout_is_solved_at_least_3_times_faster_than_reservoirpys(compare, device, outputs):
    """64 sequences of 64 tokens, 1,000 features: sums over one batch and one strength, float32 with sums in float64."""
    strength, tokens = 1e-3, SIZE * 64
    features = torch.randn(SIZE, 64, 1000, device=device).tanh()
    target = torch.randint(len(SPECIALS), outputs, (SIZE, 64), device=device)
    lengths = torch.full((SIZE,), 64)
    batch = Batch(features, lengths, target, lengths, torch.arange(SIZE))
    model = Given(Spec("vectors", 1000, outputs, max_target=64)).to(device)
    x = list(features.cpu().numpy())
    y = list(functional.one_hot(target, outputs).float().cpu().numpy())

    def ours():
        rule = Ridge(model, Ridge.Config(strengths=(strength,)), 1, torch.float32)
        rule.learn(batch)
        return rule.solve(strength)

    def reservoirpys():
        return nodes.Ridge(ridge=strength * tokens).fit(x, y)

    (weight, bias), theirs = ours(), reservoirpys()
    found = features.cpu().double() @ weight.cpu().T + bias.cpu()
    expected = np.stack(x) @ theirs.Wout + theirs.bias
    assert np.abs(found.numpy() - expected).max() < 1e-4
    compare(f"readout of {outputs} / reservoirpy's", {"ours": ours, "reservoirpy": reservoirpys}, most=1 / 3)
