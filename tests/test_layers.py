"""Each part equals its formula, or torch's own with the same weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models import teacher_inputs
from models.bahdanau import Bahdanau
from models.layers import dropout as dropout_file
from models.layers.dropout import Dropout
from models.layers.embedding import Door, Embedding, Patches, within
from models.layers.recurrent import Recurrent, fused, highest, initialised
from models.layers.sparse import WIDE, Sparse
from models.transformer import Attention, Block, Transformer, positions
from tasks import BOS, SPECIALS, UNK, Batch, Spec

LENGTH = torch.tensor([5, 3, 1])
TEXT = Spec("tokens", source_size=11, target_size=13, max_target=5)
LABEL = Spec("tokens", source_size=11, target_size=7, max_target=1)
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def sharp():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def assert_close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def inside():
    return within(LENGTH, 5, CPU)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout_zeroes_its_share_and_keeps_the_mean(rate):
    dropped = Dropout(rate)(torch.ones(301, 700))
    n = dropped.numel()
    share = float(dropped.eq(0).double().mean())
    assert share == pytest.approx(rate, abs=5 * math.sqrt(rate * (1 - rate) / n))
    assert float(dropped.mean()) == pytest.approx(1, abs=5 * math.sqrt(rate / (1 - rate) / n))
    assert dropped.unique().tolist() == pytest.approx([0, 1 / (1 - rate)], rel=1e-6)


def test_dropout_is_off_in_evaluation_and_at_rate_zero():
    x = torch.randn(3, 7)
    assert Dropout(0.9).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_the_gradient_of_dropout_goes_where_the_numbers_went():
    x = torch.randn(13, 7, requires_grad=True)
    dropped = Dropout(0.4)(x)
    dropped.sum().backward()
    assert x.grad.eq(0).equal(dropped.eq(0))
    assert_close(x.grad * x.detach(), dropped.detach())


def test_dropout_falls_elsewhere_each_time_and_the_same_after_the_same_seed():
    x, layer = torch.ones(11, 17), Dropout(0.5)
    first, second = layer(x), layer(x)
    torch.manual_seed(0)
    assert layer(x).equal(first)
    assert not second.equal(first)
    assert not first[0].equal(first[1])


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_dropout_keeps_the_precision(kind):
    assert Dropout(0.5)(torch.ones(3, 7, dtype=kind)).dtype == kind


def test_tensors_too_large_for_the_drawn_mask_are_dropped_too(monkeypatch):
    monkeypatch.setattr(dropout_file, "POOL", 100)
    share = float(Dropout(0.3)(torch.ones(40_000)).eq(0).double().mean())
    assert share == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("cell", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("both", [True, False])
def test_recurrent_layers_are_torchs_on_packed_sequences(cell, both):
    ours = Recurrent(cell, 7, 4, layers=2, both=both, dropout=0.0)
    theirs = cell(7, 4, num_layers=2, bidirectional=both, batch_first=True)
    for end, layers in (("", ours.ahead), ("_reverse", ours.back)):
        for depth, layer in enumerate(layers):
            for name, weight in layer.named_parameters():
                nn.init.normal_(weight, std=0.5)
                getattr(theirs, name.replace("_l0", f"_l{depth}{end}")).data.copy_(weight.data)
    x = torch.randn(3, 5, 7)
    states, last = ours(x, LENGTH)
    packed, end = theirs(pack_padded_sequence(x, LENGTH, batch_first=True))
    expected, _ = pad_packed_sequence(packed, batch_first=True)
    hidden = end[0] if cell is nn.LSTM else end
    assert_close(states[inside()], expected[inside()])
    assert_close(last, torch.cat([hidden[2], hidden[3]], -1) if both else hidden[1])


def test_recurrent_weights_start_orthogonal_and_an_lstm_remembers():
    cell = initialised(nn.LSTM(7, 5))
    for gate in cell.weight_hh_l0.split(5):
        assert_close(gate @ gate.T, torch.eye(5))
    bias = (cell.bias_ih_l0 + cell.bias_hh_l0).split(5)  # input, forget, cell, output
    assert [float(gate.detach().min()) for gate in bias] == [0, 1, 0, 0]
    assert [float(gate.detach().max()) for gate in bias] == [0, 1, 0, 0]
    assert not initialised(nn.GRU(7, 5)).bias_ih_l0.any()


def test_the_maximum_over_time_is_taken_inside():
    states = torch.randn(3, 5, 4) - 5  # all below the zeros that padding might be
    expected = torch.stack([row[:size].max(0).values for row, size in zip(states, LENGTH, strict=True)])
    assert highest(states, LENGTH).equal(expected)


@pytest.mark.parametrize(("size", "width"), [(5, 8), (3, 7), (130, 4)])
def test_positions_are_the_papers_formula(size, width):
    found = positions(size, width, CPU, torch.float64)
    assert found.shape == (size, width)
    for place in range(size):
        for i in range(width):
            angle = place / 10_000 ** (2 * (i // 2) / width)
            assert float(found[place, i]) == pytest.approx(math.cos(angle) if i % 2 else math.sin(angle), abs=1e-12)


def copied(attention, theirs):
    theirs.in_proj_weight.data.copy_(torch.cat([attention.query.weight, attention.key_value.weight]))
    theirs.in_proj_bias.data.copy_(torch.cat([attention.query.bias, attention.key_value.bias]))
    theirs.out_proj.load_state_dict(attention.out.state_dict())


def shaken(module):
    """Biases and norms start at zero and one, which would hide a swap."""
    for weight in module.parameters():
        nn.init.normal_(weight, std=0.4)
    return module


def test_attention_across_is_torchs():
    ours, theirs = shaken(Attention(12, heads=3)), nn.MultiheadAttention(12, 3, batch_first=True)
    copied(ours, theirs)
    x, source = torch.randn(3, 4, 12), torch.randn(3, 5, 12)
    mask = inside()[:, None, None]
    expected, weights = theirs(x, source, source, key_padding_mask=~inside(), average_attn_weights=False)
    keys_values = ours.keys_values(source)
    assert_close(ours(x, keys_values, mask), expected)
    assert_close(ours.weights(x, keys_values[0], mask), weights)


def test_attention_of_a_decoder_sees_no_future():
    ours, theirs = shaken(Attention(12, heads=3)), nn.MultiheadAttention(12, 3, batch_first=True)
    copied(ours, theirs)
    x = torch.randn(3, 4, 12)
    expected, _ = theirs(x, x, x, attn_mask=torch.ones(4, 4).triu(1).bool())
    assert_close(ours(x, ours.keys_values(x), causal=True), expected)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_plain_attention_is_the_fused_one(kind):
    fused_one, plain = shaken(Attention(12, heads=3)).to(kind), Attention(12, heads=3, plain=True).to(kind)
    plain.load_state_dict(fused_one.state_dict())
    x, source = torch.randn(3, 4, 12, dtype=kind), torch.randn(3, 5, 12, dtype=kind)
    itself, across = fused_one.keys_values(x), fused_one.keys_values(source)
    settings = [(itself, None, False), (itself, None, True), (across, inside()[:, None, None], False)]
    for keys_values, mask, causal in settings:
        found, expected = plain(x, keys_values, mask, causal), fused_one(x, keys_values, mask, causal)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_a_transformer_of_plain_attention_is_the_fused_one_padded_causal_and_cached():
    torch.set_default_dtype(torch.float32)
    models = []
    for attention in ("fused", "plain"):
        config = Transformer.Config(width=12, heads=3, feedforward=7, layers=2, decoder_layers=2, attention=attention)
        torch.manual_seed(1)
        models.append(shaken(Transformer(TEXT, config)).eval())
    source = torch.randint(len(SPECIALS), 11, (3, 5))
    target, length = torch.randint(len(SPECIALS), 13, (3, 4)), torch.tensor([4, 4, 4])
    batch = Batch(source, LENGTH, target, length, torch.arange(3))
    said = []
    for model in models:
        with torch.no_grad():
            state, steps = model.encode(source, LENGTH, 4), []
            for token in teacher_inputs(target).unbind(1):
                feature, state = model.step(token, state)
                steps.append(feature)
            said.append((model(batch), torch.stack(steps, 1)))
    torch.testing.assert_close(said[0], said[1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(*said[1], rtol=1e-5, atol=1e-5)


def test_plain_attention_learns_what_the_fused_one_learns():
    gradients = []
    for plain in (False, True):
        torch.manual_seed(1)
        layer = shaken(Attention(12, heads=3, plain=plain))
        x = torch.randn(3, 5, 12)
        layer(x, layer.keys_values(x), inside()[:, None, None]).square().sum().backward()
        gradients.append([p.grad for p in layer.parameters()])
    assert_close(gradients[1], gradients[0])


def blocks(norm, across):
    config = Transformer.Config(width=12, heads=3, feedforward=7, norm=norm, dropout=0.0)
    ours = shaken(Block(config, across=across))
    kind = nn.TransformerDecoderLayer if across else nn.TransformerEncoderLayer
    theirs = kind(12, 3, 7, dropout=0.0, batch_first=True, norm_first=norm == "pre")
    copied(ours.itself, theirs.self_attn)
    if across:
        copied(ours.across, theirs.multihead_attn)
    theirs.linear1.load_state_dict(ours.wide.state_dict())
    theirs.linear2.load_state_dict(ours.narrow.state_dict())
    for place, norm_layer in enumerate(ours.norms, 1):
        getattr(theirs, f"norm{place}").load_state_dict(norm_layer.state_dict())
    return ours, theirs


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_block_of_the_encoder_is_torchs(norm):
    ours, theirs = blocks(norm, across=False)
    x = torch.randn(3, 5, 12)
    expected = theirs(x, src_key_padding_mask=~inside())
    assert_close(ours(x, inside()[:, None, None])[inside()], expected[inside()])


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_block_of_the_decoder_is_torchs(norm):
    ours, theirs = blocks(norm, across=True)
    x, source = torch.randn(3, 4, 12), torch.randn(3, 5, 12)
    future = torch.ones(4, 4).triu(1).bool()
    expected = theirs(x, source, tgt_mask=future, memory_key_padding_mask=~inside())
    found = ours(x, None, ours.across.keys_values(source), inside()[:, None, None])
    assert_close(found, expected)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_one_element_by_cells_is_what_the_layer_makes_of_it(kind, layers):
    layer, x = shaken(kind(7, 5, layers, batch_first=True)), torch.randn(2, 1, 7)
    start = tuple(torch.randn(layers, 2, 5) for _ in range(2)) if kind is nn.LSTM else torch.randn(layers, 2, 5)
    for found, expected in zip(fused(layer, x, start), layer(x, start), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_layers_that_are_more_than_their_cells_are_left_to_torch():
    ahead, both = nn.RNN(7, 5, nonlinearity="relu", bias=False, batch_first=True), nn.GRU(7, 5, bidirectional=True)
    x, start = torch.randn(2, 1, 7), torch.randn(1, 2, 5)
    assert_close(fused(ahead, x, start)[0], ahead(x, start)[0])
    sequence, start = torch.randn(4, 1, 7), torch.randn(2, 1, 5)  # (S, B, D), since its batch does not come first
    assert_close(fused(both, sequence, start)[0], both(sequence, start)[0])


def test_one_step_of_bahdanau_is_the_papers():
    """A.1.2 in plain loops; the gates are torch's GRU, which resets after its product with the state."""
    model = shaken(Bahdanau(TEXT, Bahdanau.Config(width=12, hidden=10, alignment=9, dropout=0.0)))
    source, token = torch.randint(len(SPECIALS), 11, (3, 5)), torch.tensor([BOS, 7, 4])
    with torch.no_grad(), model.watching():
        state = model.encode(source, LENGTH, 1)
        feature, after = model.step(token, state)
        annotations, _ = model.encoder(model.door.read(source), LENGTH)
        y, before = model.door.write(token), state.carry["hidden"]
        w, u, v = model.from_state.weight[:9], model.key.weight, model.energy
        cell = nn.GRUCell(12 + 20, 10)
        cell.weight_ih.copy_(torch.cat([model.from_token.weight, model.from_context.weight], 1))
        cell.bias_ih.copy_(model.from_token.bias)
        cell.weight_hh.copy_(model.from_state.weight[9:])
        cell.bias_hh.copy_(model.from_state.bias[9:])
        for row, size in enumerate(LENGTH):
            s, h = before[row], annotations[row, :size]
            energy = [v @ torch.tanh(w @ s + model.from_state.bias[:9] + u @ h_j + model.key.bias) for h_j in h]
            weights = torch.stack(energy).exp() / torch.stack(energy).exp().sum()
            context = sum(weight * h_j for weight, h_j in zip(weights, h, strict=True))
            now = cell(torch.cat([y[row], context])[None], s[None])[0]
            out = model.out(torch.cat([now, context, y[row]])).tanh()
            assert_close(after.attention[row, :size], weights)
            assert_close(after.carry["hidden"][row], now)
            assert_close(feature[row], out)


def test_the_decoder_of_bahdanau_starts_from_the_way_back():
    model = shaken(Bahdanau(TEXT, Bahdanau.Config(width=12, hidden=10, alignment=9, dropout=0.0)))
    source = torch.randint(len(SPECIALS), 11, (3, 5))
    annotations, _ = model.encoder(model.door.read(source), LENGTH)
    expected = (annotations[:, 0, 10:] @ model.start.weight.T + model.start.bias).tanh()
    assert_close(model.encode(source, LENGTH, 1).carry["hidden"], expected)


def test_embeddings_have_about_unit_variance_and_heads_share_them_only_for_text():
    embedding = Embedding(500, 40)
    assert float(embedding(torch.arange(500)).detach().std()) == pytest.approx(1, abs=0.03)
    door = Door(TEXT, 12)
    assert door.head(TEXT, 12).weight is door.target.weight
    assert door.target is not door.source
    door = Door(LABEL, 12)
    assert door.head(LABEL, 12).weight is not door.target.weight


def test_a_joint_vocabulary_is_one_embedding():
    door = Door(Spec("tokens", 13, 13, 5, joint_vocabulary=True), 12)
    assert door.source is door.target


def test_lost_words_are_unknown_and_specials_are_never_lost():
    door = Door(TEXT, 12, word_dropout=1.0)
    source = torch.tensor([[7, 10, 2, 0], [4, 3, 1, 5]])
    assert door.read(source).equal(door.source(torch.tensor([[UNK, UNK, 2, 0], [UNK, 3, 1, UNK]])))
    assert door.eval().read(source).equal(door.source(source))


def test_half_of_the_words_are_lost_at_rate_one_half():
    door = Door(TEXT, 12, word_dropout=0.5)
    read = door.read(torch.full((40, 50), 7))
    lost = read.eq(door.source(torch.tensor(UNK))).all(-1).double().mean()
    assert float(lost) == pytest.approx(0.5, abs=0.06)


def test_each_patch_is_read_alone():
    patches = Patches((3, 8, 12), 7)
    source = torch.randn(2, 5, 3 * 8 * 12)
    with torch.no_grad():
        found = patches(source)
        alone = torch.stack([patches(one[None, None])[0, 0] for one in source.flatten(0, 1)])
    assert found.shape == (2, 5, 7)
    assert_close(found.flatten(0, 1), alone)
    assert found.flatten(0, 1).std(0).min() > 1e-3


def test_computing_all_patches_is_computing_those_seen():
    patches, source = shaken(Patches((3, 8, 12), 7)), torch.randn(2, 5, 3 * 8 * 12)
    source[0, 1] = source[1, 3:] = 0
    some = source.flatten(0, 1)
    grads = []
    for way in (patches.of_all, patches.of_the_seen):
        patches.zero_grad()
        way(some).square().sum().backward()
        grads.append([p.grad.clone() for p in patches.parameters()])
    with torch.no_grad():
        assert_close(patches.of_all(some), patches.of_the_seen(some))
        assert_close(patches(source).flatten(0, 1), patches.of_the_seen(some))
    for one, other in zip(*grads, strict=True):
        assert_close(one, other)
    assert patches.of_all(some).eq(0).all(1).tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 1, 1]


def test_pictures_of_nothing_at_all_become_zeros():
    patches = Patches((3, 8, 12), 7)
    for way in (patches.of_all, patches.of_the_seen):
        assert way(torch.zeros(4, 3 * 8 * 12)).eq(0).all()


@pytest.mark.parametrize("cell", [nn.RNN, nn.GRU, nn.LSTM])
def test_recurrent_layers_keep_the_precision_of_their_weights_under_autocast(cell):
    layer, x, start = cell(7, 4, batch_first=True).float(), torch.randn(3, 5, 7), torch.randn(1, 3, 4)
    begin = (start, start + 1) if cell is nn.LSTM else start
    expected = layer(x.float(), tuple(h.float() for h in begin) if cell is nn.LSTM else begin.float())
    with torch.autocast("cpu", torch.bfloat16):
        found = fused(layer, x, begin)
        from_rest = fused(layer, x.bfloat16())
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert from_rest[0].dtype == torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("cell", [nn.RNN, nn.GRU, nn.LSTM])
def test_on_a_gpu_recurrent_layers_keep_their_precision_under_autocast(cell):
    layer, x = cell(7, 4, batch_first=True).float().cuda(), torch.randn(3, 5, 7, device="cuda").float()
    with torch.autocast("cuda", torch.bfloat16):
        states, _ = fused(layer, x)
    torch.testing.assert_close(states, layer(x)[0])
    states.sum().backward()
    assert all(p.grad.dtype == torch.float32 for p in layer.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_patches_never_wait_for_the_device():
    patches, source = Patches((1, 8, 8), 7).float().cuda(), torch.rand(2, 9, 64, device="cuda").float()
    source[:, 4] = 0
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = patches(source)
    finally:
        torch.cuda.set_sync_debug_mode(before)
    assert found[:, 4].eq(0).all()


def test_no_position_of_padding_is_within():
    assert within(torch.tensor([2, 1, 3]), 3, CPU).tolist() == [[1, 1, 0], [1, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize("columns", [1, WIDE - 1, WIDE, 3 * WIDE])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_a_sparse_matrix_multiplies_as_a_dense_one_does(columns, kind):
    matrix = torch.randn(13, 31, dtype=kind) * (torch.rand(13, 31) < 0.2)
    matrix[5] = 0  # a row without anything in it, and the last one
    matrix[-1] = 0
    added, dense = torch.randn(13, columns, dtype=kind), torch.randn(31, columns, dtype=kind)
    before = added.clone(), dense.clone()
    tolerance = 1e-5 if kind == torch.float32 else 1e-12
    torch.testing.assert_close(Sparse(matrix).plus(added, dense), added + matrix @ dense, rtol=0, atol=tolerance)
    assert torch.equal(added, before[0])
    assert torch.equal(dense, before[1])
