"""Probes of order, alignment and decoding: what they measure against tables, loops and a permutation matrix."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from test_long_probes import SMALL, done, trial
from torch.nn import functional

import tasks
from bench import identity, machine, record
from bench.checkpoint import Checkpoints
from bench.clock import Contest
from bench.commands import verification
from bench.probes import _learned, alignment, asked, decoding, order
from bench.probes._timed import drawn, subject, unending
from bench.trial import Budget, Trial, run
from bench.watch import Watch
from models import Model, State, teacher_inputs
from tasks import EOS, Batch, collate, configured
from tasks.synthetic import FIRST, Synthetic

CPU = torch.device("cpu")
REVERSE = {"task": "synthetic.reverse", "task_settings": {"length": 5, "examples": 6}}
ALIGNED = {
    "copy": {},
    "duplicate": {},
    "induction": {},
    "mqar": {"vocabulary": 9, "pairs": 3, "queries": 4},
    "recall": {},
    "reverse": {},
    "selective_copy": {},
    "stack": {},
}
NAMES = [name.removeprefix("synthetic.") for name in tasks.names() if name.startswith("synthetic.")]


def made(name):
    kind = tasks.load(f"synthetic.{name}")
    return kind(configured(kind.Config, {"length": 9, "examples": 12} | ALIGNED.get(name, {}), f"task {name}"))


def reason(one, tmp_path):
    (row,) = run(one, {}, tmp_path, CPU)
    assert row.status == "failed"
    assert "\n" not in row.reason
    return row.reason


# where answers were read from


@pytest.mark.parametrize("name", NAMES)
def test_a_task_either_knows_where_answers_were_read_from_or_says_that_it_does_not(name):
    task = made(name)
    source, target = (part[0] for part in (task.items("test").sources, task.items("test").targets))
    known = task.aligned(source - FIRST, [int(t) - FIRST for t in target if t != EOS])
    assert (known is not None) == (name in ALIGNED)


@pytest.mark.parametrize("name", ALIGNED)
def test_changing_what_stands_at_the_true_place_changes_that_symbol_of_the_answer(name):
    task, items, held = made(name), made(name).items("test"), 0
    for i in range(len(items)):
        source = items.sources[i] - FIRST
        answer = [int(t) - FIRST for t in items.targets[i] if t != EOS]
        told = [] if items.given is None else [[a for a, g in zip(answer, items.given[i], strict=False) if g]]
        places = task.aligned(source, answer)
        assert len(places) == len(answer)
        for n, place in enumerate(places):
            if place >= 0:
                found = task.solve(swapped(name, source, place), *told)
                assert found[n] != answer[n]
                held += 1
    assert held >= 12


def swapped(name, source, place):
    """The source with another symbol of the same role at a place."""
    other = source.copy()
    if name == "induction":  # any but the one that is asked for, which comes twice
        other[place] = next(s for s in range(16) if s not in (source[place], source[-1]))
    elif name == "stack":  # a 0 for a 1, or a push of one for that of the other
        other[place] += 1 if source[place] in (0, 3) else -1
    else:
        alphabet = {"duplicate": 2, "mqar": 5}.get(name, 8)
        other[place] = (source[place] + 1) % alphabet
    return other


def test_keys_were_read_nowhere():
    task = made("mqar")
    items = task.items("test")
    places = task.aligned(items.sources[0] - FIRST, [int(t) - FIRST for t in items.targets[0] if t != EOS])
    assert [place < 0 for place in places] == [True, True, False] * 4


# order


@pytest.mark.parametrize("model", SMALL)
def test_every_model_but_a_transformer_without_positions_notices_another_order(model, tmp_path):
    own = SMALL[model] | ({"pool": "highest"} if model == "lstm" else {})
    row = done(trial(model, "order", model_settings=own, probe_settings={"updates": 2}), tmp_path)
    assert row.main == "difference"
    assert [point["updates"] for point in row.curve] == [0, 2]
    assert row.metrics["difference_start"] == row.curve[0]["difference"]
    assert row.metrics["difference"] == row.curve[1]["difference"] > 1e-4
    assert 0 < row.metrics["difference_of_mean"] < row.metrics["difference"]


@pytest.mark.parametrize(("model", "settings"), [("transformer", {"positions": "none"}), ("bahdanau", {})])
def test_without_positions_nothing_but_rounding_changes(model, settings, tmp_path):
    row = done(trial(model, "order", model_settings=SMALL[model] | settings, **REVERSE), tmp_path)
    assert len(row.curve) == 1
    assert (row.metrics["difference"] < 1e-5) == (model == "transformer")
    assert (row.metrics["difference_relative"] < 1e-5) == (model == "transformer")


def test_an_order_is_a_permutation_of_what_is_no_padding():
    length = torch.tensor([5, 3, 1])
    source = torch.tensor([[4, 5, 6, 7, 8], [9, 10, 11, 0, 0], [12, 0, 0, 0, 0]])
    batch = Batch(source, length, source, length, torch.arange(3))
    seen = set()
    for seed in range(5):
        places, found = order.places(length, seed), order.shuffled(batch, seed).source
        matrix = functional.one_hot(places, 5)
        assert matrix.sum(1).eq(1).all()
        assert (matrix @ source[..., None])[..., 0].equal(found)
        assert found.ne(0).equal(source.ne(0))
        seen.add(tuple(found[0].tolist()))
    assert len(seen) > 1


def test_differences_are_those_of_features_within_their_answers():
    one = trial("lstm", "order", **REVERSE)
    model, shown = asked.built(one, CPU), asked.task(one).items("validation")
    batch = collate(shown, range(4), asked.task(one).spec)
    longer = batch._replace(target=functional.pad(batch.target, (0, 3)))
    model.eval()
    with torch.no_grad():
        each = [(model(order.shuffled(batch, seed)) - model(batch)).abs() for seed in range(3)]
    for asked_for in (batch, longer):
        found = order.changes(model, asked_for, 3)
        assert found["difference"] == pytest.approx(max(float(x.max()) for x in each), rel=1e-5)
        assert found["difference_of_mean"] == pytest.approx(float(torch.stack(each).mean()), rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "synthetic.adding", "task_settings": {"length": 4}}, "sources are tokens"),
        ({"task": "synthetic.recall", "task_settings": {"length": 1, "examples": 3}}, "two elements or more"),
    ],
)
def test_a_task_whose_sources_have_no_order_to_change_is_one_line(changes, said, tmp_path):
    assert said in reason(trial("lstm", "order", **changes), tmp_path)


# alignment


class Looking(Model):
    """Attention by a rule, of two layers with two heads; it answers nothing."""

    def __init__(self, spec, rule):
        super().__init__(spec)
        self.head, self.rule = torch.nn.Linear(1, spec.target_size), rule

    def encode(self, source, source_length, room):
        return State({"source": source, "length": source_length}, {"at": 0})

    def step(self, token, state):
        at, size = state.carry["at"], state.memory["source"].shape[1]
        heads = torch.stack([self.rule(int(n), at, size) for n in state.memory["length"]])  # (B, 2, 2, S)
        told = (heads.mean((1, 2)), heads) if self._watching else (None, None)
        return torch.zeros(len(token), 1), State(state.memory, {"at": at + 1}, *told)


def by_rule(rule, split="test"):
    one = trial("bahdanau", "alignment", **REVERSE)
    task = asked.task(one)
    task = tasks.load(one.task)(task.config) if split == "test" else task
    return alignment.looked(one, Looking(task.spec, rule), task, split, 4, CPU)


def true_place(length, at, size):
    """All on the place that a reversed symbol was read from; of the end anywhere."""
    return functional.one_hot(torch.tensor(max(0, length - 1 - at)), size).float()


def test_attention_on_the_true_place_alone_is_a_hundred_percent():
    found = by_rule(lambda length, at, size: true_place(length, at, size).expand(2, 2, -1))
    assert found.numbers() == {"aligned": 100.0, "hits": 100.0, "entropy": 0.0, "uniform": pytest.approx(20.0)}
    assert len(found.item) == 4 * 5  # ends are read from nowhere


def test_even_attention_has_what_its_floor_says_and_the_entropy_of_a_draw():
    found = by_rule(lambda length, at, size: torch.full((2, 2, size), 1 / length))
    numbers = found.numbers()
    assert numbers["aligned"] == pytest.approx(numbers["uniform"]) == pytest.approx(20.0)
    assert numbers["entropy"] == pytest.approx(math.log(5), rel=1e-6)


def test_heads_are_averaged_and_the_best_is_that_of_its_layer_and_place():
    def rule(length, at, size):
        heads = torch.zeros(2, 2, size)
        heads[..., (length - at) % size] = 1.0  # the wrong place
        heads[1, 0] = true_place(length, at, size)
        heads[0, 1] = 1 / size
        return heads

    found = by_rule(rule)
    assert found.best == 2
    assert (found.best // found.heads, found.best % found.heads) == (1, 0)
    assert found.of(2) == 100.0
    assert found.numbers()["aligned"] == pytest.approx((0 + 20 + 100 + 0) / 4)
    assert found.numbers()["hits"] == 0.0
    assert [point["place"] for point in found.by_place()] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("model", ["bahdanau", "transformer"])
def test_shares_are_those_of_a_loop_over_items_and_symbols(model):
    one = trial(model, "alignment", **REVERSE)
    task, built = asked.task(one), asked.built(one, CPU).eval()
    items, masses = task.items("validation"), []
    for i in range(3):
        batch = collate(items, [i], task.spec)
        with torch.no_grad(), built.watching():
            state = built.encode(batch.source, batch.source_length, 6)
            for n, token in enumerate(teacher_inputs(batch.target)[0]):
                _, state = built.step(token[None], state)
                weights = state.attention[0] if state.heads is None else state.heads[0].mean((0, 1))
                masses += [float(weights[4 - n])] if n < 5 else []
    found = alignment.looked(one, built, task, "validation", 3, CPU)
    assert found.numbers()["aligned"] == pytest.approx(100 * np.mean(masses), rel=1e-6)
    assert found.by_item()[0] == pytest.approx(100 * np.mean(masses[:5]), rel=1e-6)


@pytest.mark.parametrize(
    ("model", "task"), [("transformer", "reverse"), ("bahdanau", "mqar"), ("bahdanau", "induction")]
)
def test_alignment_of_models_with_attention_is_a_whole_row(model, task, tmp_path):
    settings = {"length": 9, "examples": 6} | ({"vocabulary": 8, "pairs": 2} if task == "mqar" else {})
    one = trial(model, "alignment", f"synthetic.{task}", task_settings=settings, probe_settings={"rates": (0.01,)})
    row = done(one, tmp_path)
    record.storable(row)
    m = row.metrics
    assert row.main == "aligned"
    assert 0 < m["aligned_low"] <= m["aligned"] <= m["aligned_high"] < 100
    assert m["items"] == 6
    assert m["symbols"] == {"reverse": 54, "mqar": 6, "induction": 6}[task]
    assert m["uniform"] == pytest.approx(100 / 9)
    assert {"accuracy", "exact", "hits", "entropy_start", "aligned_start", "rate", "updates"} <= m.keys()
    assert ("aligned_best_head" in m) == (model == "transformer")
    assert len(row.curve) == {"reverse": 9, "mqar": 1, "induction": 1}[task]


@pytest.mark.parametrize(
    ("model", "task", "said"),
    [
        ("lstm", "synthetic.reverse", "needs a model with attention over its source, such as bahdanau or transformer"),
        ("bahdanau", "synthetic.sort", "needs a task that knows where each symbol of an answer was read from"),
        ("bahdanau", "tokens", "needs a task of any length"),
    ],
)
def test_without_attention_or_true_places_there_is_one_line_and_no_training(model, task, said, tmp_path, monkeypatch):
    monkeypatch.setattr(_learned, "taught", None)
    assert said in reason(trial(model, "alignment", task, task_settings={"length": 4}), tmp_path)


def test_an_alignment_that_was_interrupted_does_not_train_again(tmp_path, monkeypatch):
    one, kept = (
        trial("bahdanau", "alignment", **REVERSE, probe_settings={"rates": (0.01,)}),
        Checkpoints(tmp_path / "kept"),
    )
    (first,) = run(one, {}, tmp_path, CPU, Watch(checkpoints=kept))
    monkeypatch.setattr(_learned, "taught", None)
    (second,) = run(one, {}, tmp_path, CPU, Watch(checkpoints=kept))
    assert first.status == second.status == "ok"
    assert first.metrics == second.metrics


# decoding


def timed(model="lstm", **changes):
    shape = {"model": model, "task": "tokens", "seed": 0, "suite": "any", "probe": "decoding"}
    shape |= {"budget": Budget(updates=1), "model_settings": SMALL[model], "precision": "float32"}
    brief = {"seconds": 0.1, "rounds": 3, "shortest": 2, "longest": 4, "length": 3, "batch": 1}
    shape |= {"task_settings": {"length": 5, "vocabulary": 11}, "probe_settings": brief}
    return Trial(**shape | changes)


@pytest.mark.parametrize("model", ["echo_state", "transformer"])
def test_decoding_is_a_whole_row(model, tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "contest", quickly(decoding.contest))
    row = done(timed(model), tmp_path)
    m = row.metrics
    assert row.main == "training_over_generation"
    for name in ("slope_source", "slope_target", "slope_position", "training_over_generation"):
        assert m[f"{name}_low"] <= m[name] <= m[f"{name}_high"]
    assert [p["source_length"] for p in row.curve if "source_length" in p] == [2, 4]
    assert [p["target_length"] for p in row.curve if "target_length" in p] == [2, 4]
    assert [p["position"] for p in row.curve if "position" in p] == [2, 4]
    assert m["cached"] == ("cache_speedup" in m) == ("slope_position_uncached" in m) == (model == "transformer")
    last = next(p for p in row.curve if p.get("target_length") == 4)
    assert last["generate_tokens_per_second"] == pytest.approx(4 / last["generate_seconds"])
    assert "conditions" in row.config


def quickly(contest):
    return lambda calls, device, seconds, rounds: contest(calls, device, seconds, rounds, shortest=1e-4)


def test_slopes_are_the_exponents_of_the_points():
    def points(x, y, power):
        return [{x: n, y: n**power, f"{y}_low": 0.99 * n**power, f"{y}_high": 1.01 * n**power} for n in (8, 16, 32, 64)]

    by_position = points("position", "token_seconds", 0.1)
    for point, anew in zip(by_position, points("position", "uncached_seconds", 1.3), strict=True):
        point |= anew | {"cache_speedup": anew["uncached_seconds"] / point["token_seconds"]}
    m = decoding._slopes(
        points("source_length", "token_seconds", 0.2), points("target_length", "generate_seconds", 1.0), by_position
    )
    for name, power in (("source", 0.2), ("target", 1.0), ("position", 0.1), ("position_uncached", 1.3)):
        assert m[f"slope_{name}"] == pytest.approx(power, abs=1e-6)
        assert m[f"slope_{name}_low"] < power < m[f"slope_{name}_high"]
    assert m["cache_speedup"] == pytest.approx(64**1.2)


@pytest.mark.parametrize("model", SMALL)
def test_what_is_timed_writes_what_generation_writes_with_a_cache_and_without(model):
    of = subject(timed(model), CPU)
    writer = unending(of.model)
    batch = drawn(of.spec, 3, 5, 6, CPU)
    answer = writer.generate(batch.source, batch.source_length, room=6)
    seen = []
    step = writer.step
    writer.step = lambda token, state: (seen.append(token), step(token, state))[1]
    decoding.write(writer, decoding.read(writer, batch, 6), 3, 6)
    assert torch.stack(seen[1:], 1).equal(answer[:, :5])
    assert decoding.anew(writer, batch._replace(target=answer)).equal(answer[:, 5])
    assert decoding.cached(writer, batch) == (model == "transformer")


def test_a_state_that_is_timed_again_and_again_stays_where_it_is():
    of = subject(timed("transformer"), CPU)
    writer, batch = unending(of.model), drawn(of.spec, 2, 5, 4, CPU)
    state = decoding.write(writer, decoding.read(writer, batch, 4), 2, 3)
    once = [decoding.write(writer, state, 2, 1).carry["cache"][0][0].clone() for _ in range(3)]
    assert state.carry["position"] == 3
    assert once[0].equal(once[1])
    assert once[0].equal(once[2])


def test_a_length_that_takes_too_long_is_the_last(tmp_path, monkeypatch):
    def slow(calls, device, seconds, rounds):
        return Contest({name: [2.0, 2.0, 2.0] for name in calls}, [0.0, 0.0, 0.0], {})

    monkeypatch.setattr(decoding, "contest", slow)
    row = done(timed("transformer"), tmp_path)
    assert [p["source_length"] for p in row.curve if "source_length" in p] == [2]
    assert [p["target_length"] for p in row.curve if "target_length" in p] == [2]
    assert [p["position"] for p in row.curve if "position" in p] == [2]
    assert not any(name.startswith("slope") for name in row.metrics)
    assert row.metrics["training_over_generation"] == 1.0
    assert row.curve[0]["token_seconds"] == pytest.approx(2 / 3)  # three tokens in two seconds


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "synthetic.recall", "task_settings": {"length": 3}}, "needs answers longer than one token"),
        ({"probe_settings": {"shortest": 9, "longest": 8}}, "shortest=9 is above longest=8"),
    ],
)
def test_decoding_refuses_what_it_cannot_time_in_one_line(changes, said, tmp_path):
    assert said in reason(timed(**changes), tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("slope_source", -0.02, True),
        ("slope_position_low", -0.4, True),
        ("difference", -0.1, False),
        ("aligned", 100.5, False),
        ("bleu_unseen", 99.0, True),
        ("bleu_unseen", 100.5, False),
        ("entropy_start", 101.0, True),
    ],
)
def test_what_is_stored_is_checked_against_what_can_be(name, value, good, tmp_path):
    row = record.Result("order", "lstm", "tokens", 0, "ok", {name: value}, name, id="0" * 16)
    assert list(verification._bounds(row)) == ([] if good else [f"{name} = {value:g} lies outside {told_bounds(name)}"])


def told_bounds(name):
    return "0 to inf" if name == "difference" else "0 to 100"


def test_the_processor_belongs_to_the_identity_of_decoding():
    place = machine.place("cpu", 1)
    other = dataclasses.replace(place, environment=place.environment | {"processor": "another"})
    assert identity.name(asked.vouched(timed(), place)) != identity.name(asked.vouched(timed(), other))
    assert isinstance(asked.task(trial("bahdanau", "alignment", **REVERSE)), Synthetic)
