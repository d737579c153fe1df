"""Formulas of operations and of chains against what running the model, with every kernel taken apart, shows."""

from __future__ import annotations

import functools
import itertools
import typing
from collections import Counter
from contextlib import contextmanager

import pytest
import torch
from test_contract import kind_of, only_known
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

import models
from models.bahdanau import Bahdanau
from models.echo_state import EchoState
from models.layers import encoder_decoder, norms, recurrent, scope, scores
from models.layers.embedding import Patches
from models.layers.recurrent import fused
from models.transformer import Transformer
from tasks import SPECIALS, Batch, Spec

SPECS = {
    "text": Spec("tokens", source_size=11, target_size=13, max_target=9),
    "label": Spec("tokens", source_size=11, target_size=len(SPECIALS) + 3, max_target=1),
    "picture": Spec("vectors", source_size=195, target_size=9, max_target=9, patch_shape=(3, 5, 13), grid=(1, 7)),
    "vectors": Spec("vectors", source_size=7, target_size=len(SPECIALS) + 2, max_target=1),
    "number": Spec("vectors", source_size=2, target_size=1, max_target=1, target="number"),
}
SIZES = {
    "width": 10,
    "hidden": 6,
    "alignment": 9,
    "feedforward": 14,
    "heads": 5,
    "layers": 1,
    "decoder_layers": 1,
    "units": 30,
    "writer": 35,
    "connectivity": 0.3,
    "dropout": 0.0,
}
SETTINGS = [
    {},
    {"layers": 3, "decoder_layers": 2, "leaks": (0.5, 0.9)},
    {"bidirectional": False, "feed": False, "attention": "plain", "norm": "post"},
]
VARIANTS = [
    *(("bahdanau", {"score": score, "longest": 8}) for score in typing.get_args(scores.Kind)),
    *(("transformer", {"normalisation": kind, "layers": 2}) for kind in typing.get_args(norms.Kind)),
    ("transformer", {"scaled": False, "residual": False, "attention": "plain"}),
    ("transformer", {"positions": "learned", "longest": 9}),
    ("transformer", {"positions": "none", "scaled": False}),
    ("transformer", {"positions": "relative", "reach": 2}),
]
LENGTHS = [(5, 4), (1, 1), (2, 7), (7, 2)]
aten = torch.ops.aten


@functools.cache
def drawn(name, shape, place=0):
    """A small model of the given of SETTINGS, which no test changes."""
    return built(name, SPECS[shape], **SETTINGS[place])


def built(name, spec, **settings):
    kind = kind_of(name)
    return kind(spec, only_known(kind.Config(), SIZES | settings)).eval()


def pair(spec, source, target):
    """One source and one target of these lengths, nothing padded."""
    tokens = torch.randint(len(SPECIALS), spec.source_size, (1, source)) if spec.source == "tokens" else None
    answer = torch.randint(len(SPECIALS), max(spec.target_size, len(SPECIALS) + 1), (1, target))
    return Batch(
        torch.randn(1, source, spec.source_size) if tokens is None else tokens,
        torch.tensor([source]),
        torch.randn(1, 1) if spec.target == "number" else answer,
        torch.tensor([target]),
        torch.tensor([0]),
    )


def rnn_cell(inputs, state, product):
    return ((inputs + product(state[0])).tanh(),)


def lstm_cell(inputs, state, product):
    i, f, g, o = (inputs + product(state[0])).chunk(4, -1)
    cell = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


def gru_cell(inputs, state, product):
    (r, z, n), (r_by, z_by, n_by) = inputs.chunk(3, -1), product(state[0]).chunk(3, -1)
    z = (z + z_by).sigmoid()
    return ((1 - z) * (n + (r + r_by).sigmoid() * n_by).tanh() + z * state[0],)


CELLS = {nn.RNN: rnn_cell, nn.LSTM: lstm_cell, nn.GRU: gru_cell}


def unfused(layer, x, start=None):
    """What `fused` gives, by a loop of products that can be counted."""
    size = 2 if isinstance(layer, nn.LSTM) else 1
    if start is None:
        start = (torch.zeros(layer.num_layers, len(x), layer.hidden_size),) * size
    ends = []
    for depth in range(layer.num_layers):
        w, u, b, c = (getattr(layer, f"{name}_l{depth}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        state = tuple(part[depth] for part in (start if isinstance(start, tuple) else (start,)))
        states = []
        for inputs in functional.linear(x, w, b).unbind(1):
            state = CELLS[type(layer)](inputs, state, lambda h, u=u, c=c: functional.linear(h, u, c))
            states.append(state[0])
        x = torch.stack(states, 1)
        ends.append(state)
    end = tuple(torch.stack(parts) for parts in zip(*ends, strict=True))
    return x, end if size > 1 else end[0]


@pytest.fixture
def apart(monkeypatch):
    """Recurrent layers as loops, attention as products."""
    for file in (recurrent, encoder_decoder):
        monkeypatch.setattr(file, "fused", unfused)
    with sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        yield


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_the_loop_that_is_counted_gives_what_the_fused_layer_gives(cell, layers):
    layer, x = cell(7, 5, layers, batch_first=True), torch.randn(3, 4, 7)
    parts = tuple(torch.randn(layers, 3, 5) for _ in range(2 if cell is nn.LSTM else 1))
    for start in (None, parts if cell is nn.LSTM else parts[0]):
        torch.testing.assert_close(unfused(layer, x, start), fused(layer, x, start))


class Counted:
    """Operations by part: what torch's counter adds while a part is computed."""

    def __init__(self, monkeypatch):
        vector = {aten.mv: lambda matrix, _vector, out_shape=None, **_: 2 * matrix[0] * matrix[1]}
        self.counter = FlopCounterMode(display=False, custom_mapping=vector)
        self.parts = Counter()
        monkeypatch.setattr(scope, "part", self.part)

    @contextmanager
    def part(self, name):
        before = self.counter.get_total_flops()
        yield
        self.parts[name] += self.counter.get_total_flops() - before

    def __call__(self, model, batch):
        with self.counter:
            features = model(batch)
            with scope.part("head"):
                model.head(features)
        assert features.shape == (1, len(batch.target[0]), model.head.in_features)
        rest = self.counter.get_total_flops() - sum(self.parts.values())
        return dict(self.parts) | {"embedding": rest}


def known_differences(model, source, target):
    """What is computed beyond the formula, or counted in another part than it is computed in."""
    c, more = model.config, Counter()
    if isinstance(model, Transformer):  # the upper half of a decoder's scores, computed to be thrown away
        more["attention"] = 4 * c.width * c.decoder_layers * (target**2 - target * (target + 1) // 2)
    if isinstance(model, Bahdanau):  # the query comes out of the product that gives the recurrence
        query = 2 * target * c.hidden * (model.from_state.out_features - 3 * c.hidden)
        more["attention"], more["recurrence"] = -query, query
    if isinstance(model, EchoState):  # weights that are zero
        for reader in model.readers:
            more["recurrence"] += 2 * source * int((reader.recurrent == 0).sum())
            if model.spec.source == "vectors":
                more["embedding"] += 2 * source * int((reader.entry == 0).sum())
        if model.writer is not None:
            more["recurrence"] += 2 * target * int((model.writer.recurrent == 0).sum())
    return more


def cases(shape):
    lengths = [(s, 1) for s, _ in LENGTHS] if SPECS[shape].max_target == 1 else LENGTHS
    return itertools.product(range(len(SETTINGS)), lengths)


every = pytest.mark.parametrize("name", models.names())
shapes = pytest.mark.parametrize("shape", SPECS)


@every
@shapes
def test_the_formula_counts_what_is_computed_part_by_part(name, shape, monkeypatch, apart):
    for place, (source, target) in cases(shape):
        model = drawn(name, shape, place)
        found = Counted(monkeypatch)(model, pair(SPECS[shape], source, target))
        stated = Counter(model.flops(source, target))
        stated.update(known_differences(model, source, target))
        assert {part: n for part, n in stated.items() if n} == {part: n for part, n in found.items() if n}
        assert all(type(n) is float and n >= 0 for n in model.flops(source, target).values())


@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=str)
def test_the_formula_holds_for_every_score_normalisation_and_kind_of_position(name, settings, monkeypatch, apart):
    model = built(name, SPECS["text"], **settings)
    for source, target in LENGTHS[::2]:
        found = Counted(monkeypatch)(model, pair(SPECS["text"], source, target))
        stated = Counter(model.flops(source, target))
        stated.update(known_differences(model, source, target))
        assert {part: n for part, n in stated.items() if n} == {part: n for part, n in found.items() if n}


@every
def test_each_pair_counts_alike(name, monkeypatch, apart):
    model, batch = drawn(name, "text"), pair(SPECS["text"], 5, 4)
    one = Counted(monkeypatch)(model, batch)
    with Counted(monkeypatch).counter as counter:
        model.head(model(Batch(*(torch.cat([part] * 3) for part in batch[:5]))))
    assert counter.get_total_flops() == 3 * sum(one.values())


class Depth(TorchDispatchMode):
    """How many matrix products lie one behind another before each tensor, found by following every operator."""

    PRODUCTS = (aten.mm, aten.bmm, aten.mv, aten.dot, aten.convolution)
    BLANK = (aten.zeros_like, aten.new_zeros, aten.full_like)  # of a shape alone
    ADDING = (aten.addmm, aten.baddbmm, aten.addmv)  # to their first operand, which need not wait

    def __init__(self):
        super().__init__()
        self.of = {}  # by id, with the tensor, lest another gets its id

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        out = operator(*args, **(kwargs or {}))
        depths = [self.before(arg) for arg in (*args, *(kwargs or {}).values())]
        if operator.overloadpacket in self.BLANK:
            depth = 0
        elif operator.overloadpacket in self.ADDING:
            depth = max(depths[0], max(depths[1:]) + 1)
        else:
            depth = max(depths, default=0) + (operator.overloadpacket in self.PRODUCTS)
        for tensor in self.tensors(out):
            self.of[id(tensor)] = (tensor, depth)
        return out

    def before(self, arg):
        return max((self.of.get(id(tensor), (None, 0))[1] for tensor in self.tensors(arg)), default=0)

    def tensors(self, tree):
        return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def traced(model, batch):
    with Depth() as depth:
        logits = model.head(model(batch))
    return depth.before(logits)


def test_following_operators_finds_the_longest_way():
    x, w = torch.randn(3, 3), torch.randn(3, 3)
    with Depth() as depth:
        long = ((x @ w).tanh() @ w)[:2] @ w
        beside = torch.addmm(long.sum() + x, x, w)  # what is added waits for no product
        joined = torch.cat([long, beside.t() @ w])
        blank = torch.zeros_like(joined) @ w
    assert depth.before(long) == depth.before(beside) == 3
    assert depth.before(joined) == 4
    assert depth.before(blank) == 1


@every
@shapes
def test_the_chain_is_the_longest_way_through_the_products(name, shape, apart):
    for place, (source, target) in cases(shape):
        model = drawn(name, shape, place)
        assert model.chain(source, target) == traced(model, pair(SPECS[shape], source, target))


@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=str)
def test_the_chain_holds_for_every_score_normalisation_and_kind_of_position(name, settings, apart):
    model = built(name, SPECS["text"], **settings)
    for source, target in LENGTHS[::2]:
        assert model.chain(source, target) == traced(model, pair(SPECS["text"], source, target))


@pytest.mark.parametrize(
    ("name", "by_source", "by_target"),
    [("rnn", 1, 1), ("lstm", 1, 1), ("echo_state", 1, 1), ("bahdanau", 1, 3), ("transformer", 0, 0)],
)
def test_chains_grow_with_length_where_states_follow_one_another(name, by_source, by_target):
    model = drawn(name, "text")
    assert model.chain(6, 4) - model.chain(5, 4) == by_source
    assert model.chain(5, 5) - model.chain(5, 4) == by_target


def test_of_two_layers_each_waits_for_the_one_below():
    model = built("lstm", SPECS["text"], layers=2)
    assert model.chain(6, 4) - model.chain(5, 4) == 2


def test_attention_grows_with_the_square_of_length_and_nothing_else_does():
    model = drawn("transformer", "text")
    one, two, three = (model.flops(n, 7) for n in (10, 20, 30))
    for part in one:
        bend = three[part] - 2 * two[part] + one[part]
        assert bend == (2 * 4 * 10 * 10**2 if part == "attention" else 0)


def test_a_model_that_states_nothing_counts_nothing():
    class Silent(models.Model):
        def encode(self, source, source_length, room): ...
        def step(self, token, state): ...

    model = Silent(SPECS["text"])
    assert model.flops(5, 4) == {}
    assert model.chain(5, 4) == 0


def test_patches_count_as_many_operations_as_filters_take():
    patches = Patches((3, 5, 13), 7)
    fine, coarse, out = 16 * 3 * 25 * 3 * 7, 32 * 16 * 9 * 2 * 4, 32 * 2 * 4 * 7
    assert patches.flops(2) == 2 * 2 * (fine + coarse + out)
