"""Probes of memory, extrapolation, gradients, lengths and data, on tiny models."""

import copy
import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

import models
from bench import machine, suites
from bench.checkpoint import Checkpoints
from bench.probes import _learned, asked, by_length, data_curve, extrapolate, gradients, span
from bench.probes._learned import Stages, best
from bench.train import DivergedError
from bench.trial import Budget, Trial, run
from bench.watch import Stopped, Watch
from models import Model
from tasks import PAD, BadInput, Batch, Spec, collate

CPU = torch.device("cpu")
SMALL = {
    "rnn": {"width": 6, "hidden": 5, "bidirectional": False, "pool": "last", "dropout": 0.0, "gain": 1.0},
    "lstm": {"width": 6, "hidden": 5, "bidirectional": False, "pool": "last", "dropout": 0.0},
    "echo_state": {"units": 20, "writer": 30, "bidirectional": False, "pool": "last", "leaks": (1.0,)},
    "bahdanau": {"width": 6, "hidden": 5, "alignment": 7, "dropout": 0.0},
    "transformer": {"width": 8, "heads": 2, "layers": 1, "decoder_layers": 1, "feedforward": 9, "dropout": 0.0},
}


def trial(model="lstm", probe="span", task="synthetic.recall", updates=3, **changes):
    shape = {"model": model, "task": task, "seed": 0, "suite": "long", "probe": probe, "batch": 5, "points": 1}
    shape |= {"budget": Budget(updates=updates), "model_settings": SMALL[model], "precision": "float32"}
    shape |= {"task_settings": {"length": 4, "examples": 7}}
    return Trial(**shape | changes)


def done(one, tmp_path):
    (row,) = run(one, {}, tmp_path, CPU)
    assert row.status == "ok", row.reason
    return row


# span


def climbed(monkeypatch, tmp_path, scores, **settings):
    """The row of a search in which a length scores what `scores` says of it."""

    def at(trial, how, length, device, stages):
        return {"length": length, "score": scores(length), "seconds": 0.5, "updates": 2}

    monkeypatch.setattr(span, "_at", at)
    return done(trial(probe_settings={"lengths": (2, 4, 8, 32)} | settings), tmp_path)


def test_a_span_is_the_longest_length_solved_with_a_middle_tried_after_the_first_failure(monkeypatch, tmp_path):
    row = climbed(monkeypatch, tmp_path, lambda n: 95.0 if n <= 20 else 10.0)
    assert [point["length"] for point in row.curve] == [2, 4, 8, 16, 32]
    assert row.metrics["span"] == 16
    assert row.metrics["first_unsolved"] == 32
    assert (row.metrics["train_seconds"], row.metrics["updates"]) == (2.5, 10)


def test_a_search_ends_at_the_first_length_that_is_not_solved(monkeypatch, tmp_path):
    row = climbed(monkeypatch, tmp_path, lambda n: 100.0 if n == 2 or n > 5 else 89.9, refine=0)
    assert [point["length"] for point in row.curve] == [2, 4]
    assert row.metrics["span"] == 2


def test_where_nothing_is_solved_the_span_is_zero(monkeypatch, tmp_path):
    row = climbed(monkeypatch, tmp_path, lambda n: 0.0)
    assert row.metrics["span"] == 0
    assert len(row.curve) == 1


def test_where_all_is_solved_the_row_says_that_the_search_ended_there(monkeypatch, tmp_path):
    row = climbed(monkeypatch, tmp_path, lambda n: 100.0)
    assert (row.metrics["span"], row.metrics["first_unsolved"]) == (32, 0)
    assert "every length up to 32 was solved" in row.config["notes"]["span"]


def test_every_length_is_tried_when_asked_and_a_gap_ends_the_span(monkeypatch, tmp_path):
    row = climbed(monkeypatch, tmp_path, lambda n: 0.0 if n == 4 else 100.0, every=True)
    assert [point["length"] for point in row.curve] == [2, 4, 8, 32]
    assert row.metrics["span"] == 2


def test_middles_lie_strictly_between():
    points = [{"length": 8, "score": 95.0}, {"length": 9, "score": 1.0}]
    assert span._middle(points, 90.0) is None
    assert span._middle([{"length": 4, "score": 95.0}, {"length": 100, "score": 1.0}], 90.0) == 20


@pytest.mark.parametrize("model", SMALL)
def test_every_model_is_searched_for_its_span(model, tmp_path):
    row = done(trial(model, probe_settings={"lengths": (2, 3), "rates": (0.01, 0.02)}), tmp_path)
    first = row.curve[0]
    assert first["trainings"] == (1 if model == "echo_state" else 2)
    assert first["updates"] == 3 * first["trainings"]
    assert ("rate" in first) == (model != "echo_state")
    assert first["carry_bytes"] + first["memory_bytes"] > 0
    assert row.config["model"] == dataclasses.asdict(asked.model(trial(model))[1])


@pytest.mark.parametrize(("model", "task"), [("rnn", "recall"), ("transformer", "copy")])
def test_a_span_holds_the_loss_on_the_test_at_each_length(model, task, tmp_path):
    row = done(trial(model, task=f"synthetic.{task}", probe_settings={"lengths": (2, 3), "every": True}), tmp_path)
    assert [row.metrics[f"loss_{point['length']}"] for point in row.curve] == [point["loss"] for point in row.curve]
    assert "loss" not in done(trial("echo_state", probe_settings={"lengths": (2,)}), tmp_path).curve[0]


@pytest.mark.parametrize("name", ["copy", "adding"])
def test_a_loss_over_unequal_batches_is_the_mean_over_examples(name):
    one = trial(task=f"synthetic.{name}")
    task, model = asked.tested(one), asked.built(one, CPU)
    batch = collate(task.items("test"), range(7), task.spec)
    with torch.no_grad():
        expected = float(gradients.losses(model.eval(), batch).mean())
    assert span.loss(model, task, CPU, size=3) == pytest.approx(expected, rel=1e-5)


def test_a_span_along_pairs_changes_their_number(tmp_path):
    one = trial(task="synthetic.mqar", task_settings={"length": 9, "vocabulary": 8, "examples": 5})
    row = done(dataclasses.replace(one, probe_settings={"along": "pairs", "lengths": (1, 3), "every": True}), tmp_path)
    assert [point["length"] for point in row.curve] == [1, 3]


def test_a_span_beyond_what_the_task_holds_says_the_limit(tmp_path):
    one = trial(task="synthetic.mqar", task_settings={"length": 9, "vocabulary": 8, "examples": 5})
    one = dataclasses.replace(one, probe_settings={"along": "pairs", "lengths": (1, 9), "every": True})
    (row,) = run(one, {}, tmp_path, CPU)
    assert row.status == "failed"
    assert "9 pairs, but a vocabulary of 8 has 4 keys" in row.reason


@pytest.mark.parametrize("probe", ["span", "extrapolate", "gradients"])
def test_a_task_of_no_length_is_refused_by_name(probe, tmp_path):
    (row,) = run(trial(probe=probe, task="sentiment", task_settings={}), {}, tmp_path, CPU)
    assert "sentiment is none" in row.reason


def test_lengths_that_do_not_rise_are_refused(tmp_path):
    (row,) = run(trial(probe_settings={"lengths": (4, 2)}), {}, tmp_path, CPU)
    assert "do not rise" in row.reason


# several trainings


def test_of_several_rates_the_best_on_validation_is_kept(monkeypatch):
    validated = {0.1: 30.0, 0.2: 70.0, 0.3: 50.0}

    def taught(trial, device, watch, enough=None, task=None):
        model = asked.built(trial, device)
        nn.init.constant_(model.head.bias, trial.learning["rate"])
        from bench.train import Training

        return model, Training(updates=2, best_score=validated[trial.learning["rate"]])

    monkeypatch.setattr(_learned, "taught", taught)
    model, chosen, tried = best(trial(), (0.1, 0.2, 0.3), CPU, Stages(Watch()))
    assert model.head.bias.eq(0.2).all()
    assert chosen["rate"] == 0.2
    assert [one["rate"] for one in tried] == [0.1, 0.2, 0.3]
    _, chosen, tried = best(trial(), (0.1, 0.2, 0.3), CPU, Stages(Watch()), enough=60.0)
    assert [one["rate"] for one in tried] == [0.1, 0.2]


def test_a_rate_that_diverges_leaves_the_others_and_none_left_is_diverged(monkeypatch):
    real = _learned.taught

    def taught(trial, *rest):
        if trial.learning["rate"] > 0.05:
            raise DivergedError("the loss is nan")
        return real(trial, *rest)

    monkeypatch.setattr(_learned, "taught", taught)
    _, chosen, tried = best(trial(), (0.9, 0.01), CPU, Stages(Watch()))
    assert chosen["rate"] == 0.01
    assert tried[0]["diverged"] == 1
    with pytest.raises(DivergedError, match=r"0\.9"):
        best(trial(), (0.9,), CPU, Stages(Watch()))


@pytest.mark.parametrize("after", [1, 4, 9])
def test_a_search_that_is_stopped_goes_on_behind_what_is_done_and_comes_to_the_same(after, tmp_path):
    one = trial(probe_settings={"lengths": (2, 3), "rates": (0.01, 0.02), "every": True})
    (whole,) = span.run(one, {}, tmp_path, CPU, Watch())
    asked_for = itertools.count()
    stopped = Watch(checkpoints=Checkpoints(tmp_path / "kept"), stopping=lambda: next(asked_for) == after)
    with pytest.raises(Stopped):
        span.run(one, {}, tmp_path, CPU, stopped)
    told = []
    (rest,) = span.run(one, {}, tmp_path, CPU, Watch(told.append, Checkpoints(tmp_path / "kept")))
    timeless = [{k: v for k, v in point.items() if k != "seconds"} for point in rest.curve]
    assert timeless == [{k: v for k, v in point.items() if k != "seconds"} for point in whole.curve]
    if after == 9:
        trained = [pulse for pulse in told if pulse.updates == 3]
        assert 0 < len(trained) < 12


# extrapolation


def test_scores_are_told_apart_by_length(tmp_path):
    settings = {"length": 3, "shortest": 2, "tested": (2, 5, 9), "examples": 6}
    one = trial(probe="extrapolate", task="synthetic.parity", task_settings=settings, probe_settings={"rates": (0.01,)})
    task = asked.tested(one)
    answers = [[token] for token in task.items("test").sources.__len__() * [4]]
    scores = task.score(answers, "test")
    points = extrapolate.by_length(task, scores)
    assert [point["length"] for point in points] == [2, 5, 9]
    for at, point in enumerate(points):
        own = scores.items["accuracy"][6 * at : 6 * at + 6]
        assert point["score"] == pytest.approx(sum(own) / 6)
    row = done(one, tmp_path)
    assert row.metrics["inside"] == row.curve[0]["score"]
    assert row.metrics["beyond"] == pytest.approx((row.curve[1]["score"] + row.curve[2]["score"]) / 2)
    assert row.metrics["beyond_least"] == min(row.curve[1]["score"], row.curve[2]["score"])


def test_without_longer_lengths_there_is_no_beyond(tmp_path):
    row = done(trial(probe="extrapolate", probe_settings={"rates": (0.01,)}), tmp_path)
    assert row.main == "inside"
    assert "beyond" not in row.metrics


# gradients


def embedded(model):
    return [part for name, part in model.named_modules() if name.rpartition(".")[2] == "embedded"]


def lost(model, batch, change):
    """Losses (B,) in float64 when `change` is added to what the source is embedded as."""
    hooks = [part.register_forward_hook(lambda part, inputs, x: x + change) for part in embedded(model)]
    with torch.enable_grad():
        found = gradients.losses(model, batch).detach()
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("task", ["synthetic.recall", "synthetic.reverse", "synthetic.mqar", "synthetic.adding"])
@pytest.mark.parametrize("name", SMALL)
def test_norms_of_gradients_are_those_of_finite_differences(name, task):
    settings = {"length": 6, "examples": 2} | ({"vocabulary": 8, "pairs": 2} if task == "synthetic.mqar" else {})
    one = trial(name, task=task, task_settings=settings)
    task = asked.tested(one)
    model = asked.built(one, CPU)
    if name == "echo_state":
        nn.init.normal_(model.head.weight)  # as if it were solved
    batch = collate(task.items("test"), range(2), task.spec)
    found = gradients.flow(model, batch)
    twin = copy.deepcopy(model).double().eval()
    batch = batch._replace(source=batch.source.double()) if batch.source.is_floating_point() else batch
    shapes = []
    hook = embedded(twin)[0].register_forward_hook(lambda part, inputs, x: shapes.append(x.shape))
    with torch.enable_grad():
        gradients.losses(twin, batch)
    hook.remove()
    (size, length, width), step = shapes[0], 1e-5
    squares = np.zeros((size, length))
    for t, d in itertools.product(range(length), range(width)):
        change = torch.zeros(size, length, width, dtype=torch.float64)
        change[:, t, d] = step
        slope = (lost(twin, batch, change) - lost(twin, batch, -change)) / (2 * step)
        squares[:, t] += slope.square().numpy()
    assert found.shape == (2, len(batch.source[0]))
    np.testing.assert_allclose(found, np.sqrt(squares), rtol=1e-6, atol=1e-11)
    assert (found > 0).all()


def test_decay_is_the_slope_of_the_logarithm():
    norms = 3.0 * np.exp(-0.25 * np.arange(9)[::-1])
    assert gradients.decay(norms) == pytest.approx(0.25)
    assert gradients.decay(norms[::-1]) == pytest.approx(-0.25)


def test_norms_that_vanished_altogether_are_no_part_of_the_decay():
    norms = np.concatenate([np.zeros(4), 3.0 * np.exp(-0.25 * np.arange(5)[::-1])])
    assert gradients.decay(norms) == pytest.approx(0.25)
    assert math.isnan(gradients.decay(np.array([0.0, 0.0, 1.0])))


def test_bursts_are_counted_against_the_median_of_the_updates_just_before():
    found = gradients._bursts([1.0] * 5 + [3.0] * 5 + [20.1, 19.9], 2.5)
    assert found == {"norm_median": 3.0, "norm_largest": 20.1, "bursts": 1, "clipped_share": 7 / 12}
    assert gradients._bursts([1.0] * 9 + [1e6], 2.5)["bursts"] == 0  # too few behind it
    assert gradients._bursts([1.0] * 10 + [1e6] * 26, 2.5)["bursts"] == 10  # until they are the half
    assert gradients._bursts([], 1.0) == {}


def test_a_norm_that_falls_as_a_model_learns_never_bursts():
    falling = [2.0 * 0.98**n for n in range(300)]
    assert falling[0] > 10 * np.median(falling)
    assert gradients._bursts(falling, 1.0)["bursts"] == 0
    assert gradients._bursts([*falling, 11 * falling[-25]], 1.0)["bursts"] == 1


@pytest.mark.parametrize("model", SMALL)
def test_gradients_are_measured_at_the_start_and_at_every_stage(model, tmp_path):
    one = trial(model, "gradients", updates=4, probe_settings={"stages": (0.5, 1.0), "examples": 3})
    row = done(one, tmp_path)
    closed = model == "echo_state"
    assert sorted({point["stage"] for point in row.curve}) == ([2, 4] if closed else [0, 2, 4])
    assert [p["distance"] for p in row.curve if p["stage"] == 4] == [0, 1, 2, 3]
    assert all(p["log10_low"] <= p["log10_norm"] <= p["log10_high"] for p in row.curve)
    assert ("decay_start" in row.metrics, "norm_largest" in row.metrics) == (not closed, not closed)
    assert row.metrics["decay_low"] <= row.metrics["decay"] <= row.metrics["decay_high"]
    told = {name: row.metrics[f"decay_{name}"] for name in (2, 4, "2_low", "2_high")}
    assert told[4] == row.metrics["decay"] != told[2]
    assert told["2_low"] <= told[2] <= told["2_high"]
    lost = {name for name in row.metrics if "loss" in name}
    stages = {"validation_loss_start", "validation_loss_2", "validation_loss_4", "loss", "loss_2", "loss_4"}
    assert lost == (set() if closed else stages)


def test_an_orthogonal_linear_way_neither_decays_nor_explodes():
    one = trial("rnn", "gradients", task_settings={"length": 30, "examples": 4})
    model = asked.built(one, CPU)
    for name, weight in model.encoder.ahead[0].named_parameters():
        if "ih" in name:
            nn.init.zeros_(weight)  # states stay zero, where tanh is the identity
    for part in embedded(model):
        part.register_forward_hook(lambda part, inputs, x: x * 0)
    nn.init.eye_(model.encoder.ahead[0].weight_ih_l0)
    task = asked.tested(one)
    norms = gradients.flow(model, collate(task.items("test"), range(4), task.spec))
    rates = [gradients.decay(each) for each in norms]
    np.testing.assert_allclose(rates, 0, atol=1e-6)


def test_inputs_can_be_scaled_while_gradients_are_measured():
    one = trial("rnn", "gradients")
    model, source = asked.built(one, CPU), torch.tensor([[4, 5, 9]])
    before = model.door.read(source)
    with gradients.scaled(model, 3.0):
        torch.testing.assert_close(model.door.read(source), 3 * before)
    torch.testing.assert_close(model.door.read(source), before)


def test_a_model_that_shows_nothing_of_its_source_is_named():
    class Blind(Model):
        def __init__(self, spec):
            super().__init__(spec)
            self.head = nn.Linear(2, spec.target_size)

        def encode(self, source, source_length, room):
            return models.State({"x": torch.ones(len(source), 2).double().requires_grad_()}, {})

        def step(self, token, state):
            return state.memory["x"], state

    batch = Batch(torch.tensor([[4]]), torch.tensor([1]), torch.tensor([[4]]), torch.tensor([1]), torch.tensor([0]))
    with pytest.raises(BadInput, match="Blind has no part called embedded"):
        gradients.flow(Blind(Spec("tokens", 6, 6, max_target=1)), batch)


def test_the_rule_tells_the_norm_before_it_was_clipped():
    from bench.learning.gradient import Gradient

    one = trial()
    model = asked.built(one, CPU)
    rule = Gradient(model, Gradient.Config(clip=1e-9), 5, torch.float32)
    rule.learn(next(asked.tested(one).batches("train", 5)))
    assert float(rule.norm) > 1e-3


@pytest.mark.parametrize(
    ("model", "settings", "label", "path"),
    [
        ("rnn", {"bidirectional": False, "pool": "last"}, True, 8),
        ("lstm", {"bidirectional": True}, False, 4),
        ("lstm", {"bidirectional": False}, False, 8),
        ("rnn", {"pool": "highest"}, True, 2),
        ("echo_state", {"bidirectional": False, "pool": "last"}, True, 7),
        ("echo_state", {"bidirectional": False}, False, 8),
        ("echo_state", {"pool": "mean"}, True, 1),
        ("bahdanau", {}, False, 2),
        ("transformer", {}, False, 1),
    ],
)
def test_the_shortest_path_counts_recurrent_steps_and_attentions(model, settings, label, path):
    spec = Spec("tokens", 9, 9, max_target=1 if label else 4)
    kind = models.load(model)
    assert kind(spec, kind.Config(**SMALL[model] | settings)).path(9, 2) == path


# truncation, starts, pools


@pytest.mark.parametrize("model", ["rnn", "lstm"])
def test_truncation_ends_the_gradient_and_changes_no_state(model):
    one = trial(model, task_settings={"length": 9, "examples": 3})
    whole, task = asked.built(one, CPU), asked.tested(one)
    cut = asked.built(dataclasses.replace(one, model_settings=SMALL[model] | {"truncate": 4}), CPU)
    batch = collate(task.items("test"), range(3), task.spec)
    torch.testing.assert_close(cut(batch), whole(batch))
    full, ended = gradients.flow(whole, batch), gradients.flow(cut, batch)
    assert (ended[:, :5] == 0).all()
    np.testing.assert_allclose(ended[:, 5:], full[:, 5:], rtol=1e-9)
    assert (full > 0).all()


def test_truncation_beyond_the_source_cuts_nothing():
    one = trial(task_settings={"length": 9, "examples": 3})
    task = asked.tested(one)
    batch = collate(task.items("test"), range(3), task.spec)
    cut = asked.built(dataclasses.replace(one, model_settings=SMALL["lstm"] | {"truncate": 9}), CPU)
    np.testing.assert_allclose(gradients.flow(cut, batch), gradients.flow(asked.built(one, CPU), batch))


def test_truncation_of_both_directions_is_refused():
    with pytest.raises(BadInput, match="bidirectional=false"):
        asked.model(trial(model_settings={"truncate": 4, "bidirectional": True}))


def test_recurrent_weights_start_as_they_are_asked_to():
    spec = Spec("tokens", 9, 9, max_target=4)
    kind = models.load("lstm")
    cell = kind(spec, kind.Config(hidden=16, start="uniform", gain=0.5, forget=3.0)).encoder.ahead[0]
    assert float(cell.weight_hh_l0.detach().abs().max()) <= 0.5 * 16**-0.5
    assert float(cell.weight_hh_l0.detach().std()) == pytest.approx(0.5 * 16**-0.5 / math.sqrt(3), rel=0.05)
    assert cell.bias_ih_l0.tolist() == [0.0] * 16 + [3.0] * 16 + [0.0] * 32
    assert cell.bias_hh_l0.eq(0).all()
    for start in ("uniform", "orthogonal"):
        cells = []
        for gain in (1.0, 0.25):
            torch.manual_seed(0)
            cells.append(kind(spec, kind.Config(hidden=16, start=start, input_gain=gain)).encoder.ahead[0])
        torch.testing.assert_close(cells[1].weight_ih_l0, 0.25 * cells[0].weight_ih_l0)
        torch.testing.assert_close(cells[1].weight_hh_l0, cells[0].weight_hh_l0)


@pytest.mark.parametrize(("model", "pooled"), [("lstm", "highest"), ("rnn", "highest"), ("echo_state", "mean")])
def test_a_label_told_from_the_last_state_is_not_told_from_the_others(model, pooled):
    spec = Spec("tokens", 9, 9, max_target=1)
    kind = models.load(model)
    source, length = torch.tensor([[4, 5, 6, PAD]]), torch.tensor([3])
    for pool in ("last", pooled):
        torch.manual_seed(1)
        one = kind(spec, kind.Config(**SMALL[model] | {"pool": pool})).eval()
        vector = one.encode(source, length, 1).memory["read" if model == "echo_state" else "vector"]
        if model == "echo_state":
            states = one.readers[0](source)
            expected = states[:, 2] if pool == "last" else states[:, :3].mean(1)
        else:
            states = one.encoder(one.door.read(source), length)[0]
            expected = states[:, 2] if pool == "last" else states[:, :3].amax(1)
        torch.testing.assert_close(vector, expected)


# length and data


def test_the_test_falls_into_parts_by_words_and_each_is_scored_for_itself(tmp_path):
    one = trial("lstm", "by_length", "translation", model_settings={"width": 6, "hidden": 5})
    one = dataclasses.replace(one, task_settings={"vocabulary": 300}, probe_settings={"longer": (4,)}, batch=64)
    task = asked.tested(one)
    parts = task.by_words((3, 6, 60))
    words = [len(text.split()) for text in task.sentences("test")[0]]
    assert {name: len(part.items("test")) for name, part in parts.items()} == {
        "1 to 3": sum(n <= 3 for n in words),
        "4 to 6": sum(3 < n <= 6 for n in words),
        "7 to 60": sum(6 < n <= 60 for n in words),
    }
    row = done(one, tmp_path)
    assert [point["asked"] for point in row.curve if "asked" in point] == [4]
    assert sum(point["items"] for point in row.curve if "words" in point) == len(words)
    assert row.metrics["bleu"] >= 0


def test_joined_sentences_hold_the_same_text_in_the_same_order():
    task = asked.tested(trial(task="translation", task_settings={"vocabulary": 300}))
    longer = task.at_length(30)
    sources, targets = longer.sentences("test")
    assert all(len(text.split()) >= 30 for text in sources)
    assert " ".join(task.sentences("test")[0]).startswith(" ".join(sources))
    assert " ".join(task.sentences("test")[1]).startswith(" ".join(targets))
    assert longer.spec.max_target >= max(len(target) for target in longer.items("test").targets)
    perfect = [target.tolist() for target in longer.items("test").targets]
    assert longer.score(perfect, "test").totals["exact"] == 100
    assert task.items("test") is not longer.items("test")


def test_training_on_joined_sentences_adds_longer_pairs_and_keeps_the_vocabulary():
    plain = asked.tested(trial(task="translation", task_settings={"vocabulary": 300, "longest": 200}))
    more = asked.tested(trial(task="translation", task_settings={"vocabulary": 300, "joined": 20, "longest": 200}))
    before, after = plain.sentences("train")[0], more.sentences("train")[0]
    assert after[: len(before)] == before
    added = [len(text.split()) for text in after[len(before) :]]
    assert 15 <= max(added) <= 40
    assert more.spec.source_size == plain.spec.source_size
    assert more.sentences("test") == plain.sentences("test")


def test_whole_reviews_are_cut_to_so_many_words():
    task = asked.tested(trial(task="sentiment", task_settings={}))
    texts = task.at_length(7)._texts["test"][0]
    full = task.at_length(10_000)._texts["test"][0]
    assert max(len(text.split()) for text in texts) == 7
    assert [" ".join(text.split()[:7]) for text in full] == texts
    assert max(len(text.split()) for text in full) > 100
    assert set(task.at_length(7)._texts["test"][1]) == {"negative", "positive"}


def test_a_task_without_words_has_no_lengths_in_words(tmp_path):
    (row,) = run(trial(probe="by_length"), {}, tmp_path, CPU)
    assert "synthetic.recall has none" in row.reason


def test_a_curve_over_data_trains_on_growing_parts_of_the_same_order(monkeypatch, tmp_path):
    seen = []
    real = data_curve.taught

    def taught(trial, device, watch, enough, task):
        seen.append([source.tolist() for source in task.items("train").sources])
        return real(trial, device, watch, enough, task)

    monkeypatch.setattr(data_curve, "taught", taught)
    one = trial("rnn", "data_curve", "sentiment", model_settings={"width": 6, "hidden": 5}, task_settings={})
    how = {"sizes": (3, 8), "passes": 1, "least": 2}
    row = done(dataclasses.replace(one, probe_settings=how), tmp_path)
    total = len(asked.tested(one).items("train"))
    assert [point["examples"] for point in row.curve] == [3, 8, total]
    assert [len(part) for part in seen] == [3, 8, total]
    assert seen[1][:3] == seen[0]
    assert [point["updates"] for point in row.curve] == [2, 2, 3]  # passes, at least two, the budget at most
    assert row.metrics["accuracy"] == row.curve[-1]["score"]


# what is given


def test_only_what_is_asked_is_learned_and_what_is_given_is_written():
    task = asked.tested(trial(task="synthetic.mqar", task_settings={"length": 9, "vocabulary": 8, "pairs": 2}))
    batch = next(task.batches("train", 5))
    one = asked.built(trial(task="synthetic.mqar", task_settings={"length": 9, "vocabulary": 8, "pairs": 2}), CPU)
    for beam in (1, 3):
        said = one.generate(batch.source, batch.source_length, beam=beam, given=batch.given)
        told = batch.given != PAD
        assert said[told].equal(batch.given[told])
        assert said.shape == batch.target.shape
    assert batch.wanted[told].eq(PAD).all()
    assert batch.wanted[~told].equal(batch.target[~told])


def test_a_wrong_given_symbol_costs_nothing():
    from bench.learning.gradient import Taught

    one = trial(task="synthetic.mqar", task_settings={"length": 9, "vocabulary": 8, "pairs": 1, "again": 0})
    task, model = asked.tested(one), asked.built(one, CPU).eval()
    batch = next(task.batches("train", 5))
    loss = Taught(model, 0.0)(batch)
    logits = model.head(model(batch))
    by_hand = torch.nn.functional.cross_entropy(logits[:, 1], batch.target[:, 1])
    torch.testing.assert_close(loss, by_hand)


# suites


def test_a_training_ends_when_validation_is_enough():
    model, training = _learned.taught(trial(updates=40, points=20), CPU, Watch(), enough=0.0)
    assert training.updates == 2
    assert isinstance(model, Model)


@pytest.mark.parametrize("suite", ["long", "long-quick", "scaling"])
def test_a_variant_of_a_suite_is_picked_by_its_name(suite):
    from bench.typed import UsageError, of_variant

    trials = suites.load(suite)
    for name in {one.variant for one in trials}:
        own = of_variant(trials, name)
        assert own == [one for one in trials if one.variant == name]
        assert f"--variant {name}" in own[0].command().replace("'", "") or "'" in name
    with pytest.raises(UsageError, match="expected"):
        of_variant(trials, "no such")


def test_models_of_ones_own_join_the_variants_that_are_open_to_others():
    trials = suites.reshaped(suites.load("long"), ["mine.py", "lstm"], ["synthetic.parity"], [7])
    assert {(one.model, one.seed, one.task) for one in trials} == {
        ("mine.py", 7, "synthetic.parity"),
        ("lstm", 7, "synthetic.parity"),
    }


def test_a_drawn_task_is_part_of_what_a_trial_is_made_of():
    place = machine.place("cpu", 1)
    parts = asked.vouched(trial(), place)
    assert "tasks/synthetic/recall.py" in parts
    assert "tasks/synthetic/__init__.py" in parts
    assert "bench/probes/_learned.py" in parts


def test_models_of_the_same_words_answer_longer_sources_with_room(tmp_path):
    one = trial("lstm", "by_length", "translation", model_settings={"width": 6, "hidden": 5})
    one = dataclasses.replace(one, task_settings={"vocabulary": 300})
    longer = asked.tested(one).at_length(40)
    from bench.train import answers

    said = answers(asked.built(one, CPU), longer, "test", CPU)
    assert max(map(len, said.tokens)) <= longer.spec.max_target
    assert longer.spec.max_target > asked.tested(one).spec.max_target
    assert isinstance(by_length.Config().longer, tuple)


def test_what_is_compiled_is_compiled_in_every_probe_of_learning(monkeypatch):
    from bench.learning.gradient import Gradient

    compiled = []
    monkeypatch.setattr(Gradient, "compile", lambda self: compiled.append(self))
    for asked_for in (False, True):
        asked.learner(trial(compile=asked_for), CPU)(3)
        assert len(compiled) == asked_for
