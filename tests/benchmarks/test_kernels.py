"""Layers forward and backward at B=64, T=32, D=256, and what an echo-state network is made of."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn
from workload import LENGTH, SIZE, TEXT, WIDTH, random_batch

from bench.learning.ridge import Ridge
from models import State
from models.bahdanau import Bahdanau
from models.echo_state import EchoState, Reservoir
from models.layers.dropout import Dropout
from models.layers.recurrent import Recurrent
from models.transformer import Block, Transformer

pytestmark = pytest.mark.benchmark(group="kernel")
KINDS = ("fused", "plain") if any(f.name == "attention" for f in dataclasses.fields(Transformer.Config)) else ("fused",)


@pytest.fixture
def x(device):
    return torch.randn(SIZE, LENGTH, WIDTH, device=device, requires_grad=True)


@pytest.fixture
def both_ways(timed):
    """Times a layer forward and backward."""

    def run(layer, *inputs):
        def call():
            out = layer(*inputs)
            out.backward(torch.ones_like(out))

        timed(call)

    return run


@pytest.mark.parametrize("both", [False, True], ids=["one_way", "both_ways"])
@pytest.mark.parametrize("cell", [nn.RNN, nn.LSTM, nn.GRU], ids=["rnn", "lstm", "gru"])
def test_recurrent_layer(both_ways, device, x, cell, both):
    layer = Recurrent(cell, WIDTH, WIDTH, 1, both, 0.0).to(device)
    both_ways(lambda source: layer(source, torch.full((SIZE,), LENGTH))[0], x)


def block(device, kind, across=False):
    chosen = {} if KINDS == ("fused",) else {"attention": kind}
    return Block(Transformer.Config(width=WIDTH, feedforward=512, **chosen), across).to(device)


def everywhere(device):
    return torch.ones(SIZE, 1, 1, LENGTH, dtype=torch.bool, device=device)


@pytest.mark.parametrize("kind", KINDS)
def test_block_of_an_encoder(both_ways, device, x, kind):
    both_ways(block(device, kind), x, everywhere(device))


@pytest.mark.parametrize("kind", KINDS)
def test_block_of_a_decoder(both_ways, device, x, kind):
    layer = block(device, kind, across=True)
    across = tuple(part.detach() for part in layer.over(x))
    both_ways(layer, x, None, across, everywhere(device))


@pytest.mark.parametrize("kind", KINDS)
def test_attention(both_ways, device, x, kind):
    layer, inside = block(device, kind).itself, everywhere(device)
    both_ways(lambda y: layer(y, layer.keys_values(y), inside), x)


def test_decoder_loop_with_additive_attention(both_ways, device, monkeypatch):
    model, batch = Bahdanau(TEXT, Bahdanau.Config(dropout=0.0)).to(device), random_batch().to(device)
    encoded = model.encode(batch.source, batch.source_length, LENGTH)  # with gradients: the loop learns by its own pass
    memory = {name: None if part is None else part.detach() for name, part in encoded.memory.items()}
    for name in ("states", "keys", "gates"):
        memory[name].requires_grad_()
    state = State(memory, {name: part.detach() for name, part in encoded.carry.items()})
    monkeypatch.setattr(model, "encode", lambda *_: state)
    both_ways(model, batch)


def test_reservoir(timed, device):
    layer = Reservoir(1000, 50, 0.5, EchoState.Config()).to(device)
    source = torch.randn(SIZE, LENGTH, 50, device=device)
    timed(lambda: layer(source))


def test_dropout(both_ways, device, x):
    both_ways(Dropout(0.1).to(device), x)


def test_ridge_solved(timed, device):
    model = EchoState(TEXT, EchoState.Config(units=250, writer=500)).to(device)  # 1,000 features, 1,000 outputs
    rule = Ridge(model, Ridge.Config(), 1, torch.float32)
    rule.learn(random_batch().to(device))
    timed(lambda: rule.solve(1e-3))
