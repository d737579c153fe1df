"""Scores, positions, residuals and normalisations in place of the usual ones, each against an oracle."""

from __future__ import annotations

import itertools
import math
import typing

import pytest
import test_contract
import torch
from test_contract import SPECS, batch_of, built, outside, rows_of
from torch import nn
from torch.nn import functional

import models
from bench.goal import Goal
from bench.learning.gradient import Gradient
from bench.match import matched
from bench.probes._timed import drawn
from bench.trial import Budget, Trial
from models.echo_state import EchoState, Reservoir
from models.layers import norms, scores
from models.layers.embedding import within
from models.layers.norms import BatchNorm, DynamicTanh, normalisation, normalised
from models.transformer import Attention, Block, Transformer
from tasks import BOS, EOS, SPECIALS, BadInput, Spec

CPU = torch.device("cpu")
TEXT = SPECS["text"]
LENGTH = torch.tensor([5, 3, 1])
KINDS = typing.get_args(scores.Kind)
NORMS = typing.get_args(norms.Kind)
VARIANTS = [
    *(("bahdanau", {"score": kind}) for kind in KINDS if kind != "additive"),
    *(("transformer", {"normalisation": kind}) for kind in NORMS if kind != "layer"),
    ("transformer", {"normalisation": "rms", "norm": "post"}),
    ("transformer", {"positions": "learned", "longest": 12}),
    ("transformer", {"positions": "none"}),
    ("transformer", {"positions": "relative", "reach": 2}),
    ("transformer", {"positions": "relative", "attention": "plain", "norm": "post"}),
    ("transformer", {"scaled": False, "residual": False}),
]
PROMISES = [  # beside those that tests/test_contract.py puts to every choice
    test_contract.test_the_cache_changes_nothing,
    test_contract.test_learning_changes_what_is_counted_as_trained_and_nothing_else,
    test_contract.test_attention_sums_to_one_and_is_nowhere_on_padding,
]


def assert_close(found, expected, off=1e-10):
    torch.testing.assert_close(found, expected, rtol=off, atol=off)


@pytest.fixture
def sharp():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(("model", "settings"), VARIANTS, ids=str)
def test_every_variant_keeps_the_contract(model, settings, monkeypatch):
    monkeypatch.setattr(test_contract, "built", lambda name, spec, **more: built(name, spec, **settings | more))
    for promise in PROMISES:
        promise(model, TEXT)


@pytest.mark.parametrize(("model", "settings"), VARIANTS, ids=str)
def test_neither_company_nor_what_lies_in_the_padding_changes_a_variant(model, settings):
    one, batch = built(model, TEXT, **settings), batch_of(TEXT)
    littered = torch.where(outside(batch.source, batch.source_length), 7, batch.source)
    alone = rows_of(batch, [2])  # the shortest
    with torch.no_grad():
        expected = one(batch)
        assert_close(one(batch._replace(source=littered)), expected)
        assert_close(one(alone._replace(source=alone.source[:, :1])), expected[2:])


@pytest.mark.parametrize(("model", "settings"), VARIANTS, ids=str)
def test_every_variant_learns(model, settings):
    one = built(model, TEXT, layers=1, decoder_layers=1, **settings).float().train()
    rule = Gradient(one, Gradient.Config(rate=0.02, warmup=0.0, decay="constant", smoothing=0.0), 12, torch.float32)
    losses = [float(rule.learn(batch_of(TEXT))) for _ in range(12)]
    assert losses[-1] < 0.75 * losses[0]


@pytest.mark.parametrize(("name", "loss"), [("bahdanau", 3.4842566), ("transformer", 3.5453870)])
def test_the_defaults_are_what_they_were_before_there_were_variants(name, loss):
    """The loss after three updates, and the names under which checkpoints hold the weights."""
    torch.manual_seed(3)
    model = models.load(name)(Spec("tokens", 31, 33, 9)).train()
    rule = Gradient(model, Gradient.Config(), 20, torch.float32)
    losses = [float(rule.learn(drawn(model.spec, 5, 7, 6, CPU, seed))) for seed in range(4)]
    assert losses[-1] == pytest.approx(loss, rel=1e-5)
    names = set(model.state_dict())
    assert not any("places" in held or "score" in held or "running" in held for held in names)
    assert {"key.weight", "key.bias", "energy"} <= names or name != "bahdanau"


# scores


def energy_in_loops(kind, model, s, h):
    """One energy, by the formula in its docstring, from the model's own weights."""
    n = model.queries
    query = model.from_state.weight[:n] @ s + model.from_state.bias[:n]
    key = 0 if model.key is None else model.key.weight @ h + (0 if model.key.bias is None else model.key.bias)
    if kind == "additive":
        return torch.dot(model.energy, torch.tanh(query + key))
    if kind == "general":
        return sum(s[i] * model.key.weight[i, j] * h[j] for i in range(len(s)) for j in range(len(h)))
    if kind == "cosine":
        sharpness = torch.log(1 + torch.exp(query[0]))
        return sharpness * torch.dot(query[1:], key) / (query[1:].norm() * key.norm())
    return torch.dot(query, key) / (math.sqrt(len(key)) if kind == "scaled_dot" else 1.0)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("location", "uniform")])
def test_a_score_of_content_is_its_formula_pair_by_pair(kind):
    model, batch = built("bahdanau", TEXT, score=kind), batch_of(TEXT)
    with torch.no_grad(), model.watching():
        state = model.encode(batch.source, batch.source_length, 1)
        _, after = model.step(torch.full((3,), BOS), state)
        for row, size in enumerate(batch.source_length.tolist()):
            s, h = state.carry["hidden"][row], state.memory["states"][row, :size]
            energies = torch.stack([energy_in_loops(kind, model, s, h_j) for h_j in h])
            assert_close(after.attention[row, :size], energies.exp() / energies.exp().sum())


@pytest.mark.parametrize("kind", ["dot", "scaled_dot"])
def test_dot_products_are_torchs_attention(kind):
    model, batch = built("bahdanau", TEXT, score=kind), batch_of(TEXT)
    with torch.no_grad(), model.watching():
        state = model.encode(batch.source, batch.source_length, 1)
        _, after = model.step(torch.full((3,), BOS), state)
        query = model.from_state(state.carry["hidden"])[:, : model.config.alignment]
        mask = within(batch.source_length, 5, CPU)[:, None]
        mixed = functional.scaled_dot_product_attention(
            query[:, None], state.memory["keys"], state.memory["states"], mask, scale=None if "scaled" in kind else 1.0
        )
        assert_close(after.attention[:, None] @ state.memory["states"], mixed)


def weights_of(model, source, length, hidden):
    with torch.no_grad(), model.watching():
        state = model.encode(source, length, 1)
        state.carry["hidden"] = hidden
        return model.step(torch.full((len(source),), BOS), state)[1].attention


def test_where_a_location_looks_hangs_on_the_decoder_and_not_on_what_was_read():
    model, batch = built("bahdanau", TEXT, score="location"), batch_of(TEXT)
    hidden = torch.randn(3, 10, dtype=torch.float64)
    found = weights_of(model, batch.source, batch.source_length, hidden)
    other = torch.where(batch.source > 0, 15 - batch.source.clamp(max=10), 0).clamp(max=10)
    assert weights_of(model, other, batch.source_length, hidden).equal(found)
    assert not weights_of(model, batch.source, batch.source_length, hidden * 2).equal(found)
    energies = (model.from_state.weight[:512] @ hidden[1] + model.from_state.bias[:512]).detach()
    assert_close(found[1], energies[:5].softmax(0))  # the row without padding


def test_a_uniform_score_is_the_mean_of_the_source():
    model, batch = built("bahdanau", TEXT, score="uniform"), batch_of(TEXT)
    found = weights_of(model, batch.source, batch.source_length, torch.randn(3, 10, dtype=torch.float64))
    inside = within(batch.source_length, 5, CPU).double()
    assert_close(found, inside / batch.source_length[:, None])


def test_a_source_beyond_what_a_location_tells_apart_is_one_clear_line():
    model, batch = built("bahdanau", TEXT, score="location", longest=4), batch_of(TEXT)
    with pytest.raises(BadInput, match=r"source of 5 elements.*longest=4.*set bahdanau\.longest=5"):
        model(batch)


@pytest.mark.parametrize("kind", KINDS)
def test_no_score_has_a_weight_that_no_gradient_reaches(kind):
    model, batch = built("bahdanau", TEXT, score=kind), batch_of(TEXT)
    model.logits(model(batch))[..., len(SPECIALS) :].logsumexp(-1).sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 1e-15, name


# attention of the transformer


@pytest.mark.parametrize("plain", [False, True])
def test_unscaled_attention_is_torchs_at_scale_one(plain, sharp):
    layer = Attention(12, 3, plain, scaled=False)
    x, source = torch.randn(3, 4, 12), torch.randn(3, 5, 12)
    key, value = layer.keys_values(source)
    mask = within(LENGTH, 5, CPU)[:, None, None]
    query = layer.query(x).view(3, 4, 3, 4).transpose(1, 2)
    expected = functional.scaled_dot_product_attention(query, key, value, mask, scale=1.0)
    assert_close(layer(x, (key, value), mask), layer.out(expected.transpose(1, 2).flatten(2)))
    assert_close(layer.weights(x, key, mask), (query @ key.mT).masked_fill(~mask, -math.inf).softmax(-1))


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_without_residuals_a_block_is_its_parts_one_after_another(norm, sharp):
    config = Transformer.Config(width=12, heads=3, feedforward=7, norm=norm, dropout=0.0, residual=False)
    block = Block(config, across=False)
    for weight in block.parameters():
        nn.init.normal_(weight, std=0.4)
    x, inside = torch.randn(3, 5, 12), within(LENGTH, 5, CPU)[:, None, None]

    def attend(y):
        return block.itself(y, block.itself.keys_values(y), inside)

    def feed(y):
        return block.narrow(block.wide(y).relu())

    first, second = block.norms
    expected = feed(second(attend(first(x)))) if norm == "pre" else second(feed(first(attend(x))))
    assert_close(block(x, inside), expected)


def test_under_watching_every_head_of_every_layer_is_told():
    model, batch = built("transformer", TEXT, layers=1, decoder_layers=2, heads=3), batch_of(TEXT)
    with torch.no_grad(), model.watching():
        _, state = model.step(torch.full((3,), BOS), model.encode(batch.source, batch.source_length, 1))
    assert state.heads.shape == (3, 2, 3, 5)
    assert_close(state.heads.sum(-1), torch.ones(3, 2, 3, dtype=torch.float64))
    assert_close(state.heads[:, -1].mean(1), state.attention)


# positions


def permuted(batch):
    """Each source turned round within its length."""
    rows = [row[:size].flip(0) for row, size in zip(batch.source, batch.source_length, strict=True)]
    return batch._replace(source=nn.utils.rnn.pad_sequence(rows, batch_first=True))


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "relative", "none"])
def test_without_positions_the_order_of_a_source_changes_nothing_and_with_them_it_does(positions):
    model, batch = built("transformer", TEXT, positions=positions), batch_of(TEXT)
    with torch.no_grad():
        if positions == "relative":  # at the start both sides are alike, so that a source turned round is the same
            model.encoder[0].itself.distance[:, 31] = 3.0  # of the neighbour before
        away = (model(permuted(batch)) - model(batch)).abs().max()
    assert (away < 1e-12) == (positions == "none")


def test_learned_positions_are_added_from_a_table_for_sources_and_one_for_targets():
    model, batch = built("transformer", TEXT, positions="learned", longest=8), batch_of(TEXT)
    plain = built("transformer", TEXT, positions="none")
    assert all(weight.equal(model.state_dict()[name]) for name, weight in plain.state_dict().items())
    assert model.read_places.weight.shape == model.write_places.weight.shape == (8, 12)
    places = {name: math.sqrt(12) * table.weight for name, table in model.named_children() if name.endswith("places")}
    plain.door.read = lambda source: model.door.read(source) + places["read_places"][: source.shape[1]]
    plain.door.write = lambda token: model.door.write(token) + places["write_places"][: token.shape[1]]
    with torch.no_grad():
        assert_close(plain(batch), model(batch))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("plain", [False, True])
def test_relative_positions_add_what_a_head_learned_of_each_distance(plain, causal, sharp):
    attention = Attention(12, 3, plain=plain, reach=2)
    nn.init.normal_(attention.distance)
    x, mask = torch.randn(3, 5, 12), within(LENGTH, 5, CPU)[:, None, None]
    key, value = attention.keys_values(x)
    query = attention.query(x).view(3, 5, 3, 4).transpose(1, 2)
    scores = query @ key.mT / 2
    for t, s in itertools.product(range(5), repeat=2):
        scores[:, :, t, s] += attention.distance[:, 2 + max(-2, min(2, s - t))]
        if causal and s > t:
            scores[:, :, t, s] = -math.inf
    mixed = scores.masked_fill(~mask, -math.inf).softmax(-1) @ value
    assert_close(attention(x, (key, value), mask, causal), attention.out(mixed.transpose(1, 2).flatten(2)))


def test_relative_positions_start_with_what_lies_near():
    start = Attention(12, 4, reach=3).distance
    assert start[0].tolist() == [-3, -2, -1, 0, -1, -2, -3]
    assert_close(start[:, 2], -torch.tensor([1, 1 / 4, 1 / 16, 1 / 64]), 1e-6)


def test_relative_positions_know_no_longest_sequence():
    model, batch = built("transformer", TEXT, positions="relative", reach=2), drawn(TEXT, 2, 40, 9, CPU)
    assert model(batch).isfinite().all()


def test_without_padding_no_mask_is_made_and_nothing_changes():
    model, batch = built("transformer", TEXT), drawn(TEXT, 3, 5, 4, CPU)
    padded = batch._replace(source=functional.pad(batch.source, (0, 2)))
    with torch.no_grad():
        assert model.encode(batch.source, batch.source_length, 4).memory["inside"] is None
        assert model.encode(padded.source, batch.source_length, 4).memory["inside"].shape == (3, 1, 1, 7)
        assert_close(model(batch), model(padded))


@pytest.mark.parametrize("long", ["source", "target", "step"])
def test_beyond_learned_positions_is_one_clear_line(long):
    model = built("transformer", TEXT, positions="learned", longest=4)
    batch = drawn(TEXT, 2, 5 if long == "source" else 4, 5 if long == "target" else 4, CPU)
    model.head.bias.data[EOS] = -100.0  # it writes as long as there is room
    with pytest.raises(BadInput, match=r"5 elements or more.*longest=4.*set transformer\.longest=5"):
        model.generate(batch.source, batch.source_length) if long == "step" else model(batch)


# normalisations


def test_normalisations_are_torchs(sharp):
    x, width = torch.randn(3, 5, 7), 7
    for kind, theirs in (("layer", nn.LayerNorm(width)), ("rms", nn.RMSNorm(width, 1e-5))):
        ours = normalisation(kind, width)
        for weight, their in zip(ours.parameters(), theirs.parameters(), strict=True):
            their.data.copy_(nn.init.normal_(weight).data)
        assert_close(normalised(ours, x, None), theirs(x))
    assert normalised(normalisation("none", width), x, None) is x


def test_rms_divides_by_the_root_mean_square(sharp):
    x = torch.randn(3, 5, 7) + 2
    expected = x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    assert_close(normalisation("rms", 7)(x), expected)


def test_a_dynamic_tanh_is_its_formula_number_by_number(sharp):
    layer, x = DynamicTanh(3), torch.randn(2, 3)
    with torch.no_grad():
        layer.alpha.fill_(0.7), nn.init.normal_(layer.weight), nn.init.normal_(layer.bias)
        found = layer(x)
    for row in range(2):
        for i in range(3):
            assert_close(found[row, i], layer.weight[i].detach() * math.tanh(0.7 * x[row, i]) + layer.bias[i].detach())
    assert DynamicTanh(3).alpha.item() == 0.5


def test_batch_normalisation_is_torchs_on_the_positions_that_are_no_padding(sharp):
    ours, theirs = BatchNorm(7), nn.BatchNorm1d(7)
    nn.init.normal_(ours.weight), nn.init.normal_(ours.bias)
    theirs.load_state_dict(ours.state_dict())
    real = within(LENGTH, 5, CPU)
    for _ in range(3):
        x = torch.randn(3, 5, 7, requires_grad=True)
        filled = torch.where(real[..., None], x, 1e3)  # whatever stands on padding
        found, expected = ours(filled, real)[real], theirs(x[real])
        assert_close(found, expected)
        weight = torch.randn_like(expected)
        grads = [torch.autograd.grad((out * weight).sum(), x)[0] for out in (found, expected)]
        assert_close(*grads)
    assert_close(ours.running_mean, theirs.running_mean)
    assert_close(ours.running_var, theirs.running_var)
    ours.eval(), theirs.eval()
    x = torch.randn(3, 5, 7)
    assert_close(ours(x, real)[real], theirs(x[real]))
    assert_close(ours(x, real)[real], ours(x)[real])


def test_one_position_alone_is_normalised_to_the_bias():
    layer = BatchNorm(7)
    out = layer(torch.randn(1, 3, 7), torch.tensor([[True, False, False]]))
    assert_close(out[0, 0], layer.bias, 1e-6)
    assert layer.running_var.isfinite().all()


def test_padding_of_sources_and_targets_has_no_share_in_what_batch_normalisation_learns():
    kept = []
    for longer in (lambda batch: batch, test_contract.longer, wider):
        model = built("transformer", TEXT, normalisation="batch", layers=1).train()
        model(longer(batch_of(TEXT)))
        kept.append({name: value for name, value in model.state_dict().items() if "running" in name})
    assert any(value.abs().max() > 0.01 for name, value in kept[0].items() if "mean" in name)
    for other in kept[1:]:
        for name, value in other.items():
            assert_close(value, kept[0][name])


def wider(batch):
    return batch._replace(target=functional.pad(batch.target, (0, 3)))


@pytest.mark.parametrize("kind", NORMS)
def test_every_normalisation_learns_under_autocast_without_residuals(kind):
    """The stream is bfloat16 there, the weights of a normalisation are float32."""
    model = built("transformer", TEXT, normalisation=kind, residual=False).float().train()
    with torch.autocast("cpu", torch.bfloat16):
        features = model(batch_of(TEXT))
    features.float().square().sum().backward()
    assert features.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


# one direction, no recurrence


@pytest.mark.parametrize("model", ["rnn", "lstm"])
def test_one_direction_and_both_are_matched_at_equal_parameters(model):
    found = []
    for both in (True, False):
        one = Trial(model, "tokens", 0, "any", Budget(updates=1), model_settings={"bidirectional": both})
        solved = matched(one, Goal("parameters", 3e5))
        found.append(solved.matched["reached"])
        assert abs(solved.matched["off"]) < 0.01
        assert solved.model_settings["bidirectional"] is both
    assert found[0] == pytest.approx(found[1], rel=0.01)


EXTREME = {"radius": 0.0, "leaks": (1.0,), "writer_leak": 1.0}


@pytest.mark.parametrize("units", [20, 300])  # by dense and by sparse products
def test_an_extreme_learning_machine_has_states_of_the_present_input_alone(units):
    layer = Reservoir(units, 9, 1.0, EchoState.Config(**EXTREME))
    source = torch.randint(9, (3, 6))
    states = layer(source)
    assert not layer.recurrent.any()
    for place in range(6):
        assert_close(states[:, place], layer.entry[source[:, place]].tanh(), 1e-6)


def test_an_extreme_learning_machine_forgets_what_it_wrote_and_read_before_the_last():
    spec = Spec("tokens", 11, 13, 5)
    model, batch = built("echo_state", spec, **EXTREME, bidirectional=False), batch_of(spec)
    with torch.no_grad():
        before = model(batch)
        other = torch.where(torch.arange(5) < batch.source_length[:, None] - 1, 4, batch.source)
        assert not other.equal(batch.source)
        assert_close(model(batch._replace(source=other)), before)
        target = torch.full((3, 5), 6)
        found = model(batch._replace(target=target))
        target[:, 1] = 7
        changed = model(batch._replace(target=target))
    moved = (changed - found).abs().amax((0, 2)) > 1e-9
    assert moved.tolist() == [False, False, True, False, False]


def test_with_recurrence_it_remembers():
    spec = Spec("tokens", 11, 13, 5)
    model, batch = built("echo_state", spec, **EXTREME | {"radius": 0.9}, bidirectional=False), batch_of(spec)
    with torch.no_grad():
        other = torch.where(torch.arange(5) < batch.source_length[:, None] - 1, 4, batch.source)
        assert not torch.allclose(model(batch._replace(source=other)), model(batch))
