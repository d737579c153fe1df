"""What every model promises, put to every file in models/ and to one's own (--model path/to/mine.py)."""

from __future__ import annotations

import copy
import dataclasses
import functools
import typing

import pytest
import torch
from safetensors.torch import load_model, save_model
from torch.nn import functional

import models
from bench import learning
from tasks import BOS, EOS, PAD, SPECIALS, Batch, Spec

SPECS = {
    "text": Spec("tokens", source_size=11, target_size=13, max_target=5),
    "joint": Spec("tokens", source_size=13, target_size=13, max_target=5, joint_vocabulary=True),
    "label": Spec("tokens", source_size=11, target_size=len(SPECIALS) + 3, max_target=1),
    "picture": Spec("vectors", source_size=64, target_size=9, max_target=5, patch_shape=(1, 8, 8), grid=(3, 3)),
    "colour": Spec("vectors", source_size=192, target_size=7, max_target=1, patch_shape=(3, 8, 8), grid=(1, 2)),
    "vectors": Spec("vectors", source_size=7, target_size=len(SPECIALS) + 3, max_target=1),
    "one vector": Spec("vectors", source_size=7, target_size=11, max_target=5, grid=(1, 1)),
    "number": Spec("vectors", source_size=2, target_size=1, max_target=1, target="number"),
}
TEXT = [name for name, spec in SPECS.items() if spec.max_target > 1]
UNEVEN = [name for name, spec in SPECS.items() if spec.grid is None]  # pictures of one task are all of one size

SMALL = {
    "width": 12,
    "hidden": 10,
    "alignment": 9,
    "feedforward": 14,
    "heads": 2,
    "layers": 2,
    "decoder_layers": 2,
    "units": 40,
    "writer": 50,
    "dropout": 0.0,
    "word_dropout": 0.0,
}
FAST = {"rate": 0.01, "warmup": 0.0, "decay": "constant", "weight_decay": 0.0, "smoothing": 0.0, "strengths": (1e-9,)}


def only_known(config, values):
    known = {field.name for field in dataclasses.fields(config)}
    return dataclasses.replace(config, **{name: value for name, value in values.items() if name in known})


@functools.cache
def kind_of(contestant):
    return models.load(contestant)


def built(contestant, spec, seed=1, **settings):
    """A small model in evaluation, in float64, so that a millionth of a difference shows."""
    return copy.deepcopy(drawn(contestant, spec, seed, **settings))


@functools.cache
def drawn(contestant, spec, seed, **settings):
    torch.manual_seed(seed)
    kind = kind_of(contestant)
    return kind(spec, only_known(kind.Config(), SMALL | settings)).double().eval()


def batch_of(spec, rows=3, seed=2):
    draw = torch.Generator().manual_seed(seed)
    size = 5 if spec.grid is None else spec.grid[0] * spec.grid[1]
    length = torch.tensor([3, 5, 1, 4, 2])[:rows] if spec.grid is None else torch.full((rows,), size)
    if spec.source == "tokens":
        source = torch.randint(len(SPECIALS), spec.source_size, (rows, size), generator=draw)
    else:
        source = torch.randn(rows, size, spec.source_size, generator=draw, dtype=torch.float64)
    if spec.patch_shape is not None:
        source = blocks(source.view(rows, size, *spec.patch_shape)).flatten(2)
    target_length = torch.ones(rows, dtype=torch.int64)
    if spec.target == "number":
        target = torch.randn(rows, 1, generator=draw, dtype=torch.float64)
    elif spec.max_target == 1:
        target = torch.randint(len(SPECIALS), spec.target_size, (rows, 1), generator=draw)
    else:
        target_length = torch.tensor([4, 2, 5, 1, 3])[:rows]
        target = torch.randint(len(SPECIALS), spec.target_size, (rows, int(target_length.max())), generator=draw)
        target[torch.arange(rows), target_length - 1] = EOS
        target = target.masked_fill(outside(target, target_length), PAD)
    source = source.masked_fill(outside(source, length), 0)
    return Batch(source, length, target, target_length, torch.arange(rows))


def blocks(patches):
    """Pictures of four by four equal numbers: noise finer than that is lost in pooling."""
    return patches[..., ::4, ::4].repeat_interleave(4, -1).repeat_interleave(4, -2)


def outside(padded, length):
    places = torch.arange(padded.shape[1]) >= length[:, None]
    return places if padded.dim() == 2 else places[..., None]


def rows_of(batch, rows):
    return Batch(*(None if part is None else part[rows] for part in batch))


def padded_to(answers, room):
    return functional.pad(answers, (0, room - answers.shape[1]), value=PAD)


@torch.no_grad()
def views(model, batch):
    """All that a model says about a batch: features both ways, and what it writes."""
    room = model.spec.max_target
    beyond = outside(batch.target, batch.target_length)[..., None]
    said = {
        "at once": model(batch).masked_fill(beyond, 0),
        "one by one": one_by_one(model, batch).masked_fill(beyond, 0),
        "greedy": padded_to(model.generate(batch.source, batch.source_length), room),
    }
    if model.spec.target == "tokens":
        said["beams"] = padded_to(model.generate(batch.source, batch.source_length, beam=3), room)
    return said


def one_by_one(model, batch):
    state = model.encode(batch.source, batch.source_length, batch.target.shape[1])
    features = []
    for token in models.teacher_inputs(batch.target).unbind(1):
        feature, state = model.step(token, state)
        features.append(feature)
    return torch.stack(features, 1)


def assert_same(contestant, spec, change, rows=slice(None)):
    """After `change` to the batch, row i of what the model says is what it said about row `rows[i]`."""
    model, batch, said = before(contestant, spec)
    for name, after in views(model, change(batch)).items():
        size = min(said[name].shape[1], after.shape[1])  # features of longer targets are zero by now
        assert_close(after[:, :size], said[name][rows][:, :size], name)


@functools.cache
def before(contestant, spec):
    model, batch = built(contestant, spec), batch_of(spec)
    return model, batch, views(model, batch)


def assert_close(found, expected, name=""):
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9, msg=lambda text: f"{name}: {text}")


def over(*names):
    return pytest.mark.parametrize("spec", [SPECS[name] for name in names], ids=names)


every = over(*SPECS)
texts = over(*TEXT)
uneven = over(*UNEVEN)


@every
def test_features_come_in_shape(contestant, spec):
    model, batch = built(contestant, spec), batch_of(spec)
    with torch.no_grad():
        features = model(batch)
    assert features.shape == (*batch.target.shape, model.head.in_features)
    assert features.isfinite().all()
    assert model.head.out_features == spec.target_size


@texts
@pytest.mark.parametrize("beam", [1, 3])
def test_text_is_closed_by_eos_and_padded(contestant, spec, beam):
    model, batch = built(contestant, spec), batch_of(spec, rows=5)
    let_the_first_rows_end_at_once(model, batch)
    answers = model.generate(batch.source, batch.source_length, beam, length_penalty=0.0)
    assert answers.dtype == torch.int64
    assert answers.shape[0] == 5
    assert answers.shape[1] <= spec.max_target
    lengths = set()
    for answer in answers.tolist():
        end = answer.index(EOS) if EOS in answer else len(answer)
        assert all(token not in (PAD, BOS) and token < spec.target_size for token in answer[:end])
        assert set(answer[end + 1 :]) <= {PAD}
        lengths.add(end)
    assert 0 in lengths
    assert beam > 1 or len(lengths) > 1


def let_the_first_rows_end_at_once(model, batch):
    with torch.no_grad():
        logits = model.logits(one_by_one(model, batch)[:, 0])
        others = logits.index_fill(-1, torch.tensor([EOS]), float("-inf")).amax(-1)
        gaps = (others - logits[:, EOS]).sort().values
        model.head.bias[EOS] += (gaps[2] + gaps[3]) / 2  # three of five would rather end


@over("label", "colour", "vectors")
@pytest.mark.parametrize("beam", [1, 3])
def test_a_label_is_one_token_and_no_special(contestant, spec, beam):
    model, batch = built(contestant, spec), batch_of(spec)
    with torch.no_grad():
        model.head.bias[: len(SPECIALS)] = 100.0  # as if it had learned nothing but specials
    answers = model.generate(batch.source, batch.source_length, beam)
    assert answers.shape == (3, 1)
    assert all(len(SPECIALS) <= label < spec.target_size for label in answers[:, 0].tolist())


@over("number")
def test_a_number_is_what_the_head_says(contestant, spec):
    model, batch = built(contestant, spec), batch_of(spec)
    with torch.no_grad():
        expected = model.head(model(batch))[:, 0]
    answers = model.generate(batch.source, batch.source_length)
    assert answers.shape == (3, 1)
    assert_close(answers, expected)


@texts
def test_no_answer_is_longer_than_the_room(contestant, spec):
    model, batch = built(contestant, spec), batch_of(spec)
    with torch.no_grad():
        model.head.bias[EOS] = -100.0  # it would never end
    for room in (1, 2, 8):
        assert model.generate(batch.source, batch.source_length, room=room).shape == (3, room)


@uneven
def test_longer_padding_changes_nothing(contestant, spec):
    assert_same(contestant, spec, longer)


def longer(batch):
    return batch._replace(source=functional.pad(batch.source, (0, 3) if batch.source.dim() == 2 else (0, 0, 0, 3)))


@texts
def test_longer_padding_of_targets_changes_nothing(contestant, spec):
    assert_same(contestant, spec, lambda batch: batch._replace(target=functional.pad(batch.target, (0, 2), value=PAD)))


@uneven
def test_what_lies_in_the_padding_changes_nothing(contestant, spec):
    def littered(batch):
        rubbish = batch.source.flip(0) if spec.source == "tokens" else torch.full_like(batch.source, 1e3)
        source = torch.where(outside(batch.source, batch.source_length), rubbish, batch.source)
        assert not source.equal(batch.source)
        return batch._replace(source=source)

    assert_same(contestant, spec, littered)


@every
def test_who_shares_the_batch_changes_nothing(contestant, spec):
    def alone(batch):
        one = rows_of(batch, [2])  # the shortest
        return one._replace(source=one.source[:, : int(one.source_length)])

    assert_same(contestant, spec, alone, [2])


@every
def test_the_order_of_the_batch_changes_nothing(contestant, spec):
    assert_same(contestant, spec, lambda batch: rows_of(batch, [2, 0, 1]), [2, 0, 1])


@every
def test_all_at_once_is_one_by_one(contestant, spec):
    model, batch = built(contestant, spec), batch_of(spec)
    with torch.no_grad():
        assert_close(one_by_one(model, batch), model(batch))


@over("text", "label")
def test_every_setting_keeps_the_promises(contestant, spec):
    batch = batch_of(spec)
    inside = ~outside(batch.target, batch.target_length)
    for settings in other_settings(kind_of(contestant).Config):
        model = built(contestant, spec, **settings)
        with torch.no_grad():
            features = model(batch)
            assert_close(one_by_one(model, batch), features, str(settings))
            assert_close(model(longer(batch))[inside], features[inside], str(settings))


def other_settings(config):
    """Each switch the other way, each choice in turn, one layer, another memory."""
    hints = typing.get_type_hints(config)
    for field in dataclasses.fields(config):
        if isinstance(field.default, bool):
            yield {field.name: not field.default}
        elif typing.get_origin(hints[field.name]) is typing.Literal:
            yield from ({field.name: choice} for choice in typing.get_args(hints[field.name]))
        elif field.name == "layers":
            yield {"layers": 1}
        elif field.name == "leaks":
            yield {"leaks": (0.9, 0.2)}
        elif field.name == "washout":
            yield {"washout": 2}


@texts
def test_the_cache_changes_nothing(contestant, spec):
    model, batch = built(contestant, spec), batch_of(spec, rows=5)
    let_the_first_rows_end_at_once(model, batch)
    written = torch.empty(5, 0, dtype=torch.int64)
    done = torch.zeros(5, dtype=torch.bool)
    for _ in range(spec.max_target):
        target = functional.pad(written, (0, 1), value=PAD)  # its last token is to be answered, and never read
        with torch.no_grad():
            features = model(batch._replace(target=target, target_length=torch.full((5,), target.shape[1])))
        token = model.logits(features)[:, -1].argmax(-1).masked_fill(done, PAD)
        written, done = torch.cat([written, token[:, None]], 1), done | (token == EOS)
    answers = model.generate(batch.source, batch.source_length)
    assert padded_to(answers, spec.max_target).equal(written)


@texts
def test_no_position_sees_the_future_and_each_sees_the_past(contestant, spec):
    model, batch = built(contestant, spec), batch_of(spec)
    target = torch.full((3, 5), len(SPECIALS))
    batch = batch._replace(target=target, target_length=torch.full((3,), 5))
    with torch.no_grad():
        before = model(batch)
        for position in range(4):
            changed = target.clone()
            changed[:, position:] = len(SPECIALS) + 1
            after = model(batch._replace(target=changed))
            assert_close(after[:, : position + 1], before[:, : position + 1])
            assert ((after - before)[:, position + 1].abs().amax(-1) > 1e-6).all()


@every
def test_every_element_of_a_source_counts(contestant, spec):
    model, batch = built(contestant, spec), batch_of(spec, rows=2)
    with torch.no_grad():
        before = model(batch)
        for place in range(batch.source.shape[1]):
            source = batch.source.clone()
            if spec.source == "tokens":
                shifted = (source[:, place] - len(SPECIALS) + 1) % (spec.source_size - len(SPECIALS))
                source[:, place] = shifted + len(SPECIALS)
            else:
                source[:, place] *= -2
            moved = (model(batch._replace(source=source)) - before).abs().amax((1, 2)) > 1e-9
            assert moved.equal(place < batch.source_length)


@every
def test_it_learns_one_batch_by_heart(contestant, spec):
    model = built(contestant, spec, layers=1, decoder_layers=1).float()
    batch = batch_of(spec)
    if spec.source == "vectors":
        batch = batch._replace(source=batch.source.float())
    if spec.target == "number":
        batch = batch._replace(target=batch.target.float())
    rule_of = learning.load(model.learning)
    rule = rule_of(model, only_known(rule_of.Config(), FAST), 200, torch.float32)
    for _ in range(1 if rule.passes else 10):
        for _ in range(1 if rule.passes else 20):
            model.train()
            rule.learn(batch)
        for _ in rule.candidates(last=True):
            if by_heart(model.eval(), batch):
                return
    pytest.fail("not learned")


def by_heart(model, batch):
    answers = model.generate(batch.source, batch.source_length)
    if model.spec.target == "number":
        return bool((answers - batch.target).abs().max() < 0.05)
    return padded_to(answers, batch.target.shape[1]).equal(batch.target)


@over("text", "label", "picture", "number")
def test_what_a_pass_costs_is_stated_by_part_or_left_out(contestant, spec):
    model = built(contestant, spec)
    short, long = model.flops(3, 1), model.flops(5, spec.max_target)
    assert set(short) == set(long) <= {"embedding", "recurrence", "attention", "feedforward", "head"}
    assert not short or 0 < sum(short.values()) < sum(long.values())
    assert all(long[part] >= count >= 0 for part, count in short.items())
    assert 0 <= model.chain(3, 1) <= model.chain(5, spec.max_target)


@over("text", "label")
def test_learning_changes_what_is_counted_as_trained_and_nothing_else(contestant, spec):
    model, batch = built(contestant, spec).float().train(), batch_of(spec)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    rule_of = learning.load(model.learning)
    rule = rule_of(model, rule_of.Config(), 3, torch.float32)
    rule.learn(batch)
    assert list(rule.candidates(last=True))
    changed = {name for name, p in model.named_parameters() if not p.equal(before[name])}
    assert changed <= {name for name, p in model.named_parameters() if p.requires_grad}
    assert {name for name, p in model.named_parameters() if p.requires_grad and p.dim() > 1} <= changed
    counts = model.parameter_counts()
    assert counts["total"] == sum(p.numel() for p in before.values())
    assert counts["trained"] == counts["total"] - sum(p.numel() for p in model.parameters() if not p.requires_grad)
    assert counts["trained"] >= model.head.weight.numel()


@every
def test_it_saves_and_loads_to_the_same_answers(contestant, spec, tmp_path):
    model, other, batch = built(contestant, spec), built(contestant, spec, seed=3), batch_of(spec)
    with torch.no_grad():
        expected = model(batch)
        assert not other(batch).equal(expected)
        save_model(model, str(tmp_path / "model.safetensors"))
        load_model(other, str(tmp_path / "model.safetensors"))
        assert other(batch).equal(expected)
        assert other.logits(other(batch)).equal(model.logits(expected))
    assert other.generate(batch.source, batch.source_length).equal(model.generate(batch.source, batch.source_length))


@every
def test_one_seed_makes_one_model(contestant, spec):
    batch, make = batch_of(spec), drawn.__wrapped__  # anew each time
    first, second, other = (make(contestant, spec, seed, dropout=0.3, word_dropout=0.3).train() for seed in (1, 1, 3))
    for name, value in first.state_dict().items():
        assert value.equal(second.state_dict()[name])
    said = []
    for model in (first, second, other):
        torch.manual_seed(5)
        said.append(model(batch))
    assert said[0].equal(said[1])
    assert not said[0].equal(said[2])


@every
def test_attention_sums_to_one_and_is_nowhere_on_padding(contestant, spec):
    model, batch = built(contestant, spec), batch_of(spec)
    token = torch.full((3,), BOS)
    with torch.no_grad():
        state = model.encode(batch.source, batch.source_length, 2)
        unwatched, state = model.step(token, state)
        assert state.attention is None
        with model.watching():
            feature, state = model.step(token, model.encode(batch.source, batch.source_length, 2))
            _, state = model.step(torch.full((3,), len(SPECIALS)), state) if spec.max_target > 1 else (None, state)
    assert_close(feature, unwatched)
    if state.attention is None:
        pytest.skip("has no attention")
    assert state.attention.shape == batch.source.shape[:2]
    assert_close(state.attention.sum(1), torch.ones(3, dtype=torch.float64))
    beyond = torch.arange(batch.source.shape[1]) >= batch.source_length[:, None]
    assert state.attention.eq(0).equal(beyond)
    if state.heads is not None:
        assert state.heads.shape[::3] == batch.source.shape[:2]
        assert_close(state.heads[:, -1].mean(1), state.attention)
        assert_close(state.heads.sum(-1), torch.ones(state.heads.shape[:3], dtype=torch.float64))


@texts
def test_beams_of_a_source_go_their_own_ways(contestant, spec):
    """Rows selected twice, then changing places, say what each would have said alone."""
    model, batch = built(contestant, spec), batch_of(spec)
    first, second = torch.tensor([4, 5, 6, 4, 5, 6]), torch.tensor([6, 6, 5, 5, 4, 4])
    places = torch.tensor([1, 0, 3, 3, 4, 5])
    twice = torch.tensor([0, 0, 1, 1, 2, 2])
    with torch.no_grad():
        _, state = model.step(torch.full((3,), BOS), model.encode(batch.source, batch.source_length, 4))
        _, state = model.step(first, state.select(twice))
        found, state = model.step(second, state.reorder(places))
        again, _ = model.step(first, state)
        prefix = torch.stack([first[places], second, first, second], 1)
        expected = model(rows_of(batch, twice)._replace(target=prefix, target_length=torch.full((6,), 4)))
    assert_close(found, expected[:, 2])
    assert_close(again, expected[:, 3])


@every
def test_a_state_has_the_batch_as_its_first_axis(contestant, spec):
    model, batch = built(contestant, spec), batch_of(spec)
    with torch.no_grad():
        _, state = model.step(torch.full((3,), BOS), model.encode(batch.source, batch.source_length, 2))
    leaves = list(tensors([state.memory, state.carry]))
    assert leaves
    assert all(len(leaf) == 3 for leaf in leaves)
    assert all(len(leaf) == 2 for leaf in tensors(list(vars(state.select(torch.tensor([2, 0]))).values())))


def tensors(part):
    if isinstance(part, torch.Tensor):
        yield part
    elif isinstance(part, dict | list | tuple):
        for value in part.values() if isinstance(part, dict) else part:
            yield from tensors(value)
