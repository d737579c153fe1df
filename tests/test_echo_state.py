"""The reservoir has the states of reservoirpy's, the readout its weights, the matrices what was asked."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from reservoirpy import nodes
from scipy import linalg
from torch import nn

from bench.learning.ridge import Ridge
from models import Model, State
from models.echo_state import EchoState, Reservoir
from models.layers.recurrent import turn
from models.layers.sparse import WIDE
from tasks import BOS, EOS, PAD, SPECIALS, Batch, Spec

LABEL = Spec("tokens", source_size=11, target_size=len(SPECIALS) + 3, max_target=1)
TEXT = Spec("tokens", source_size=11, target_size=9, max_target=4)
VECTORS = Spec("vectors", source_size=3, target_size=1, max_target=1, target="number")
SMALL = EchoState.Config(units=31, writer=23, connectivity=0.3, input_connectivity=0.5)


def small(spec, **settings):
    return EchoState(spec, dataclasses.replace(SMALL, **settings)).double()


def reservoirpys(reservoir, leak):
    """A fresh reservoir with our matrices: one that has run goes on from its last state."""
    return nodes.Reservoir(W=reservoir.recurrent.numpy(), Win=reservoir.entry.T.numpy(), lr=leak)


@pytest.mark.parametrize("leak", [0.1, 0.5, 1.0])
def test_states_of_vectors_are_those_of_reservoirpy(leak):
    ours = Reservoir(31, 3, leak, SMALL).double()
    source = torch.randn(2, 17, 3, dtype=torch.float64)
    states = ours(source)
    assert states.std() > 0.1
    for row, found in zip(source, states, strict=True):
        expected = reservoirpys(ours, leak).run(row.numpy())
        assert np.abs(found.numpy() - expected).max() < 1e-12


def test_states_of_tokens_are_those_of_one_hot_vectors():
    ours = Reservoir(31, 7, 0.4, SMALL).double()
    tokens = torch.tensor([[3, 6, 0, 6, 1], [2, 2, 5, 4, 3]])
    one_hot = nn.functional.one_hot(tokens, 7).double()
    assert torch.equal(ours.drive(tokens), ours.drive(one_hot))
    for row, found in zip(one_hot, ours(tokens), strict=True):
        assert np.abs(found.numpy() - reservoirpys(ours, 0.4).run(row.numpy())).max() < 1e-12


def test_a_constant_input_is_reservoirpys_bias():
    ours = Reservoir(31, 3, 0.4, SMALL, context=6).double()
    source, vector = torch.randn(1, 9, 3, dtype=torch.float64), torch.randn(1, 6, dtype=torch.float64)
    constant = ours.context(vector)
    theirs = reservoirpys(ours, 0.4)
    theirs.bias = (vector @ ours.mix)[0].numpy()
    assert np.abs(ours(source, constant)[0].numpy() - theirs.run(source[0].numpy())).max() < 1e-12


@pytest.mark.parametrize("radius", [0.3, 0.9, 1.4])
def test_the_spectral_radius_is_as_asked(radius):
    reservoir = Reservoir(60, 3, 0.5, dataclasses.replace(SMALL, radius=radius)).double()
    found = np.abs(linalg.eigvals(reservoir.recurrent.numpy())).max()
    assert found == pytest.approx(radius, rel=1e-6)


@pytest.mark.parametrize("share", [0.05, 0.2, 1.0])
def test_the_connectivities_are_as_asked(share):
    config = dataclasses.replace(SMALL, units=100, writer=100, connectivity=share, input_connectivity=share)
    reservoir = Reservoir(100, 40, 0.5, config)
    for matrix in (reservoir.recurrent, reservoir.entry):
        assert float((matrix != 0).double().mean()) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("units", [3, 20, 40])
def test_no_reservoir_is_so_sparse_that_its_weights_explode(units):
    config = dataclasses.replace(SMALL, units=units, connectivity=max(0.1, 2 / units))
    for _ in range(20):
        assert 0 < Reservoir(units, 3, 0.5, config).recurrent.abs().max() < 10
    with pytest.raises(ValueError, match="weights a unit"):
        dataclasses.replace(SMALL, units=units, connectivity=1.9 / units)


def test_inputs_are_scaled_as_asked():
    entry = Reservoir(31, 7, 0.5, dataclasses.replace(SMALL, input_scaling=0.25)).entry
    assert set(entry.unique().tolist()) == {-0.25, 0.0, 0.25}


def test_nothing_but_the_readout_is_trained():
    model = small(TEXT)
    assert {name for name, p in model.named_parameters() if p.requires_grad} == {"head.weight", "head.bias"}
    assert model.parameter_counts()["trained"] == 9 * (2 * 31 + 23) + 9


def test_each_leak_has_a_reservoir_in_each_direction():
    model = small(LABEL, leaks=(0.9, 0.1))
    assert [reader.leak for reader in model.readers] == [0.9, 0.9, 0.1, 0.1]
    assert model.head.in_features == 4 * 31
    matrices = [reader.recurrent for reader in model.readers]
    assert not any(a.equal(b) for n, a in enumerate(matrices) for b in matrices[:n])
    source = torch.tensor([[4, 9, 7, 5, 8]])
    found = model.encode(source, torch.tensor([5]), 1).memory["read"][0].split(31)
    for place, (reader, read) in enumerate(zip(model.readers, found, strict=True)):
        torch.testing.assert_close(read, reader(source.flip(1) if place % 2 else source)[0].mean(0))


def test_what_is_read_are_the_last_states_of_both_directions():
    model = small(TEXT)
    source, length = torch.tensor([[4, 9, 7, 5, 8], [6, 10, 4, PAD, PAD]]), torch.tensor([5, 3])
    ahead, back = model.readers
    found = model.encode(source, length, 4).memory["read"]
    for row, size, read in zip(source, length, found, strict=True):
        alone = row[None, :size]
        expected = torch.cat([ahead(alone)[0, -1], back(alone.flip(1))[0, -1]])
        torch.testing.assert_close(read, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("washout", [0, 2])
def test_a_label_is_read_from_the_mean_of_states_after_the_washout(washout):
    model = small(LABEL, bidirectional=False, washout=washout, leaks=(0.7, 0.2))
    source, length = torch.tensor([[4, 9, 7, 5, 8], [6, 10, 4, PAD, PAD]]), torch.tensor([5, 3])
    found = model.encode(source, length, 1).memory["read"]
    for row, size, read in zip(source, length, found, strict=True):
        states = [reader(row[None, :size])[0, washout:].mean(0) for reader in model.readers]
        torch.testing.assert_close(read, torch.cat(states), rtol=1e-12, atol=1e-12)


def test_a_source_shorter_than_the_washout_counts_whole():
    model, other = (small(LABEL, bidirectional=False, washout=washout) for washout in (3, 0))
    other.load_state_dict(model.state_dict())
    source, length = torch.tensor([[4, 9, 7, 5], [6, 10, 4, PAD]]), torch.tensor([4, 3])
    late, whole = (m.encode(source, length, 1).memory["read"] for m in (model, other))
    assert late[1].equal(whole[1])
    assert not late[0].equal(whole[0])


def test_the_writer_is_driven_by_its_last_token_and_by_what_was_read():
    model = small(TEXT)
    source, length = torch.tensor([[4, 9, 7]]), torch.tensor([3])
    target = torch.tensor([[5, 8, EOS]])
    features = model(Batch(source, length, target, torch.tensor([3]), torch.tensor([0])))[0]
    writer, read = model.writer, model.encode(source, length, 3).memory["read"]
    theirs = reservoirpys(writer, 0.5)
    theirs.bias = (read @ writer.mix)[0].numpy()
    one_hot = nn.functional.one_hot(torch.tensor([BOS, 5, 8]), 9).double()
    assert np.abs(features[:, :23].numpy() - theirs.run(one_hot.numpy())).max() < 1e-12
    assert features[:, 23:].equal(read.expand(3, -1))


def test_turning_twice_changes_nothing_and_once_reverses_each_row_within_its_length():
    length = torch.tensor([5, 3])
    turned = turn(length, 6, torch.device("cpu"))[..., 0]
    assert turned.tolist() == [[4, 3, 2, 1, 0, 5], [2, 1, 0, 3, 4, 5]]
    assert turned.gather(1, turned).equal(torch.arange(6).expand(2, 6))


class Given(Model):
    """A model whose features are its sources."""

    def __init__(self, features, outputs):
        super().__init__(Spec("vectors", features, outputs, max_target=4))
        self.head = nn.Linear(features, outputs).double()

    def encode(self, source, source_length, room):
        return State({"source": source}, {"place": torch.zeros(len(source), dtype=torch.int64)})

    def step(self, token, state):
        place = state.carry["place"]
        return state.memory["source"][torch.arange(len(place)), place], State(state.memory, {"place": place + 1})


@pytest.mark.parametrize("seed", range(20))
def test_the_readout_predicts_what_reservoirpys_does(seed):
    draw = torch.Generator().manual_seed(seed)
    features, outputs, strength = 6 + seed, 5 + seed % 3, 10.0 ** -(1 + seed % 4)
    model = Given(features, outputs)
    rule = Ridge(model, Ridge.Config(), 3, torch.float64)
    mixing = torch.randn(features, features, generator=draw, dtype=torch.float64) * features**-0.5
    rows, targets = [], []
    for size in (17, 11, 23):
        source = torch.randn(size, 4, features, generator=draw, dtype=torch.float64)
        source = source + source @ mixing + 2.0  # correlated, and far from the origin: centring matters
        target = torch.randint(EOS, outputs, (size, 4), generator=draw)
        target[:, 3] = torch.where(torch.rand(size, generator=draw) < 0.5, PAD, target[:, 3])
        rule.learn(batch_of(source, target))
        rows.append(source[target != PAD])
        targets.append(nn.functional.one_hot(target[target != PAD], outputs).double())
    x, y = torch.cat(rows).numpy(), torch.cat(targets).numpy()
    theirs = nodes.Ridge(ridge=strength * len(x)).fit(x, y)
    weight, bias = rule.solve(strength)
    expected = theirs.run(x)
    found = x @ weight.numpy().T + bias.numpy()
    assert np.abs(found - expected).max() < 1e-8 * np.abs(expected).max()


def batch_of(source, target):
    size = len(source)
    length = torch.full((size,), source.shape[1])
    return Batch(source, length, target, length, torch.arange(size))


@pytest.mark.parametrize("seed", range(5))
def test_numbers_are_predicted_as_by_reservoirpy(seed):
    draw = torch.Generator().manual_seed(seed)
    source = torch.randn(41, 1, 7, generator=draw, dtype=torch.float64) + 1
    target = source[:, 0, :2].sum(1, keepdim=True) + torch.randn(41, 1, generator=draw, dtype=torch.float64) / 10
    rule = Ridge(Given(7, 1), Ridge.Config(), 2, torch.float64)
    for part in (slice(0, 15), slice(15, 41)):
        rule.learn(batch_of(source[part], target[part]))
    weight, bias = rule.solve(1e-3)
    theirs = nodes.Ridge(ridge=1e-3 * 41).fit(source[:, 0].numpy(), target.numpy())
    np.testing.assert_allclose(weight.numpy().T, theirs.Wout, rtol=1e-8)
    np.testing.assert_allclose(bias.numpy(), theirs.bias, rtol=1e-8)


def test_how_the_data_is_cut_into_batches_changes_nothing():
    source = torch.randn(30, 4, 6, dtype=torch.float64)
    target = torch.randint(EOS, 7, (30, 4))
    solved = []
    for size in (30, 7):
        rule = Ridge(Given(6, 7), Ridge.Config(), 5, torch.float64)
        for rows in torch.arange(30).split(size):
            rule.learn(batch_of(source[rows], target[rows]))
        solved.append(rule.solve(1e-2)[0])
    torch.testing.assert_close(*solved, rtol=1e-10, atol=1e-12)


def test_each_strength_is_a_candidate_at_the_end_and_the_middle_one_on_the_way():
    model = Given(6, 7)
    rule = Ridge(model, Ridge.Config(strengths=(1e-4, 1e-2, 1.0)), 1, torch.float64)
    rule.learn(batch_of(torch.randn(30, 4, 6, dtype=torch.float64), torch.randint(EOS, 7, (30, 4))))
    assert list(rule.candidates(last=False)) == [{"strength": 1e-2}]
    sizes = []
    for candidate in rule.candidates(last=True):
        weight, bias = rule.solve(candidate["strength"])
        assert model.head.weight.equal(weight)
        assert model.head.bias.equal(bias)
        sizes.append(float(weight.norm()))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 1.5 * sizes[2]


def test_features_that_repeat_each_other_are_still_solved():
    source = torch.randn(30, 2, 3, dtype=torch.float64).repeat(1, 1, 2)  # rank 3 of 6
    target = torch.randint(EOS, 7, (30, 2))
    rule = Ridge(Given(6, 7), Ridge.Config(), 1, torch.float64)
    rule.learn(batch_of(source, target))
    weight, _ = rule.solve(1e-6)
    torch.testing.assert_close(weight[:, :3], weight[:, 3:], rtol=1e-4, atol=1e-6)


def test_a_sum_is_learned_from_echoes():
    model = small(VECTORS, units=80, leaks=(1.0,), bidirectional=False, radius=0.95, input_scaling=0.1)
    source = torch.rand(400, 6, 3, dtype=torch.float64)
    length = torch.full((400,), 6)
    target = source[..., 0].sum(1, keepdim=True)
    rule = Ridge(model, Ridge.Config(strengths=(1e-9,)), 1, torch.float64)
    rule.learn(Batch(source[:300], length[:300], target[:300], torch.ones(300).long(), torch.arange(300)))
    assert list(rule.candidates(last=True))
    error = (model.generate(source[300:], length[300:]) - target[300:]).square().mean()
    assert error < 0.05 * target.var()


@pytest.mark.parametrize(("units", "links", "sparse"), [(260, 0.05, True), (260, 0.9, False), (131, 0.1, False)])
def test_many_units_of_few_links_go_by_a_sparse_product_to_the_same_states(units, links, sparse):
    layer = Reservoir(
        units, 7, 0.4, dataclasses.replace(SMALL, units=300, writer=300, connectivity=links), context=6
    ).double()
    source, constant = torch.randn(3, 11, 7, dtype=torch.float64), torch.randn(3, units, dtype=torch.float64)
    assert (layer._links() is not None) == sparse
    state, states, ticked = torch.zeros(3, units, dtype=torch.float64), [], []
    for now in (layer.drive(source) + constant[:, None]).unbind(1):
        ticked.append(layer.tick(state, now))
        state = (1 - layer.leak) * state + layer.leak * torch.tanh(now + state @ layer.recurrent.T)
        states.append(state)
    for found in (layer(source, constant), torch.stack(ticked, 1)):
        torch.testing.assert_close(found, torch.stack(states, 1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("tokens", [True, False])
@pytest.mark.parametrize("size", [3, WIDE])
def test_in_float32_the_sparse_product_and_its_tanh_stay_within_a_millionth(tokens, size):
    layer = Reservoir(
        260, 7, 0.4, dataclasses.replace(SMALL, units=300, writer=300, connectivity=0.05, input_scaling=0.1)
    )
    source = torch.randint(7, (size, 40)) if tokens else torch.randn(size, 40, 7)
    found, ticked = layer(source), layer.tick(torch.zeros(size, 260), layer.drive(source)[:, 0])
    drive = layer.double().drive(source if tokens else source.double()).requires_grad_()  # so that it goes densely
    exact = layer.driven(drive).detach()
    assert (found - exact).abs().max() < 1e-6 * exact.abs().max()
    assert (ticked - exact[:, 0]).abs().max() < 1e-6 * exact.abs().max()


def test_a_recurrence_that_was_loaded_is_the_one_that_runs():
    one, other = (
        Reservoir(260, 7, 0.4, dataclasses.replace(SMALL, units=300, writer=300, connectivity=0.05)) for _ in range(2)
    )
    source = torch.randn(2, 5, 7)
    before = other(source)
    other.load_state_dict(one.state_dict())
    assert not torch.equal(other(source), before)
    assert torch.equal(other(source), one(source))


def test_a_reservoir_whose_product_is_sparse_can_be_copied():
    layer = Reservoir(260, 7, 0.4, dataclasses.replace(SMALL, units=300, writer=300, connectivity=0.05))
    source = torch.randn(2, 5, 7)
    states = layer(source)
    assert torch.equal(copy.deepcopy(layer)(source), states)


def test_a_gradient_reaches_the_input_of_a_reservoir_whose_product_is_sparse():
    layer = Reservoir(260, 7, 0.4, dataclasses.replace(SMALL, units=300, writer=300, connectivity=0.05))
    source = torch.randn(2, 5, 7, requires_grad=True)
    layer(source)[:, -1].sum().backward()
    assert source.grad[:, 0].abs().sum() > 0
