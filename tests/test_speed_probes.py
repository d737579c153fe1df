"""The probes of time on tiny models: rows are whole, counts are right, and what cannot be measured is explained."""

import dataclasses
import json
import math

import pytest
import torch

import models
from bench import clock, identity, machine, record, suites
from bench.operators import counted
from bench.probes import asked, parallelism, scaling, throughput
from bench.probes._timed import drawn, subject, unending
from bench.trial import Budget, Trial, run
from bench.watch import Watch
from models import Model
from tasks import EOS, BadInput

CPU = torch.device("cpu")
SETTINGS = {
    "rnn": {"width": 6, "hidden": 5},
    "lstm": {"width": 6, "hidden": 5},
    "bahdanau": {"width": 6, "hidden": 5, "alignment": 7},
    "transformer": {"width": 8, "heads": 2, "layers": 1, "decoder_layers": 1, "feedforward": 9},
    "echo_state": {"units": 20, "writer": 30},
}
BRIEF = {"seconds": 0.1, "rounds": 3}


def trial(model="lstm", probe="throughput", **changes):
    shape = {"model": model, "task": "tokens", "seed": 0, "suite": "speed", "probe": probe, "batch": 3}
    shape |= {"budget": Budget(updates=1), "model_settings": SETTINGS[model], "precision": "float32"}
    shape |= {"task_settings": {"length": 5, "vocabulary": 11}, "probe_settings": BRIEF}
    return Trial(**shape | changes)


def measured(one, tmp_path):
    rows = run(one, {}, tmp_path, CPU)
    assert [row.status for row in rows] == ["ok"], rows[0].reason
    record.append(tmp_path, rows[0])
    return next(record.read(tmp_path))


@pytest.mark.parametrize("model", SETTINGS)
def test_throughput_of_every_model_is_a_whole_row(model, tmp_path):
    row = measured(trial(model), tmp_path)
    m = row.metrics
    for name in ("train_step_seconds", "forward_seconds", "first_token_seconds", "token_seconds", "flops_per_second"):
        assert m[f"{name}_low"] <= m[name] <= m[f"{name}_high"]
    assert m["train_target_tokens_per_second"] == pytest.approx(15 / m["train_step_seconds"], rel=0.5)
    assert m["train_source_tokens_per_second"] == m["train_target_tokens_per_second"]
    assert 0 < m["share_of_peak"] < 1
    assert m["flops_step"] > 0
    assert (m["padding_source"], m["padding_target"]) == (0, 0)
    assert m["generate_best_batch"] in [point["batch"] for point in row.curve]
    assert "joules_per_step" in m or "energy" in row.config["notes"]
    assert all(math.isfinite(value) for value in m.values())


@pytest.mark.parametrize("task", ["translation", "sentiment", "captioning"])
def test_throughput_takes_every_shape_of_task(task, tmp_path):
    settings = {"vocabulary": 300} if task == "translation" else {}
    m = measured(trial(task=task, task_settings=settings), tmp_path).metrics
    assert 0 <= m["padding_source"] < 1
    assert ("token_seconds" in m) == (task != "sentiment")  # a label is one token: there is no further one


def test_states_are_counted_a_sequence():
    batch = drawn(asked.task(trial()).spec, 3, 4, 6, CPU)
    found = throughput.state_bytes(subject(trial("lstm"), CPU).model, batch)
    assert found == {"carry_bytes": 4 * 2 * 5, "memory_bytes": 4 * 2 * 5}  # h and c; the vector of both directions
    found = throughput.state_bytes(subject(trial("transformer"), CPU).model, batch)
    assert found["carry_bytes"] == 4 * 2 * 8 * 6  # keys and values of six tokens
    assert found["memory_bytes"] == 4 * 2 * 8 * 4  # those of four source tokens


@pytest.mark.parametrize("model", SETTINGS)
def test_a_model_that_cannot_end_writes_exactly_as_many_tokens_as_it_is_given_room_for(model):
    of = subject(trial(model), CPU)
    batch = drawn(of.spec, 3, 4, 6, CPU)
    answer = unending(of.model).generate(batch.source, batch.source_length, room=9)
    assert answer.shape == (3, 9)
    assert EOS not in answer
    assert torch.isfinite(of.model.head.bias).all()


def test_drawn_batches_have_the_lengths_asked_for_and_are_never_zeros():
    spec = asked.task(trial()).spec
    batch = drawn(spec, 3, 4, 6, CPU)
    assert batch.source.shape == (3, 4)
    assert batch.target.shape == (3, 6)
    assert batch.target[:, -1].tolist() == [EOS] * 3
    assert len(batch.source.unique()) > 2


@pytest.mark.parametrize("model", SETTINGS)
def test_parallelism_of_every_model_is_a_whole_row(model, tmp_path):
    settings = BRIEF | {"longest": 16, "length": 4, "largest": 4}
    row = measured(trial(model, "parallelism", probe_settings=settings), tmp_path)
    by_length = [p for p in row.curve if "length" in p]
    assert [p["length"] for p in by_length] == [8, 16]
    for told in (*by_length, row.metrics):
        assert told["parallel_fraction_low"] <= told["parallel_fraction"] <= told["parallel_fraction_high"]
    assert [p["batch"] for p in row.curve if "batch" in p][:2] == [1, 2]
    assert next(p["threads"] for p in row.curve if "threads" in p) == 1
    assert sum(v for k, v in row.metrics.items() if k.startswith("share_")) == pytest.approx(1)
    if model == "transformer":
        assert row.metrics["launches_per_position"] == 0
        assert by_length[0]["chain"] == by_length[1]["chain"]
    else:
        assert by_length[0]["chain"] < by_length[1]["chain"]


def test_parallel_fraction_is_that_of_amdahls_law():
    assert parallelism.parallel_fraction(1.0, 8.0, 8) == pytest.approx(1.0)  # eight positions in the time of one
    assert parallelism.parallel_fraction(8.0, 8.0, 8) == pytest.approx(0.0)
    share, positions = 0.3, 16
    at_once = (1 - share) + share / positions
    assert parallelism.parallel_fraction(at_once, 1.0, positions) == pytest.approx(share)


def test_operators_are_counted_backward_too_and_views_are_not():
    x = torch.randn(3, 3, requires_grad=True)
    assert parallelism.launches(lambda: x @ x, CPU) == 1
    assert parallelism.launches(lambda: x.T, CPU) == 0
    assert parallelism.launches(lambda: (x @ x).sum().backward(), CPU) > 3


@pytest.mark.parametrize("model", SETTINGS)
def test_scaling_of_every_model_is_a_whole_row(model, tmp_path):
    row = measured(trial(model, "scaling", probe_settings=BRIEF | {"shortest": 2, "longest": 16}), tmp_path)
    assert [p["length"] for p in row.curve] == [2, 4, 8, 16]
    assert row.metrics["longest_length"] == 16
    assert row.config["notes"]["stopped"] == "the longest asked for"
    for point in row.curve:
        assert point["step_low"] <= point["step_seconds"] <= point["step_high"]
        assert point["generate_seconds"] > 0
        assert point["flops"] > 0
    assert "growth" not in row.curve[0]
    for point in row.curve[1:]:
        assert 0 < point["growth_low"] <= point["growth"] <= point["growth_high"]
    assert row.metrics["last_octave_slope"] == pytest.approx(math.log2(row.curve[-1]["growth"]))
    for name in ("exponent_flat", "exponent_steep", "last_octave_slope", "generate_exponent"):
        assert row.metrics[f"{name}_low"] <= row.metrics[name] <= row.metrics[f"{name}_high"]


@pytest.mark.parametrize("model", SETTINGS)
def test_the_encoder_is_timed_alone_where_that_is_asked(model, tmp_path):
    settings = BRIEF | {"what": "encoder", "shortest": 2, "longest": 4}
    row = measured(trial(model, "scaling", probe_settings=settings), tmp_path)
    assert "generate_seconds" not in row.curve[0]
    small, large = ([p[name] for p in row.curve] for name in ("flops", "moved_bytes"))
    assert small[0] < small[1]
    assert large[0] < large[1]


def test_bytes_that_operators_move_are_those_of_what_they_read_and_write():
    x, y = torch.ones(3, 5), torch.ones(5, 7)
    assert counted(lambda: x @ y).bytes == 4 * (15 + 35 + 21)
    assert counted(lambda: x.T).bytes == 0
    assert counted(lambda: x.add_(1)).bytes == 4 * (15 + 15)  # a number comes from nowhere
    assert counted(lambda: x[:1].expand(3, 5) + 1).bytes == 4 * (15 + 15)
    learnt = torch.ones(3, 5, requires_grad=True)
    assert counted(lambda: (learnt * 2).sum().backward()).bytes > counted(lambda: learnt * 2).bytes


def test_operations_of_an_encoder_alone_are_those_of_what_it_holds():
    of = subject(trial("transformer"), CPU)
    how = dataclasses.replace(asked.probe(trial(probe="scaling", probe_settings=BRIEF)), what="encoder")
    width, wide, size, length = 8, 9, 3, 5
    layer = 2 * length * (4 * width**2 + 2 * width * wide) + 4 * width * length**2
    across = 2 * length * 2 * width**2  # keys and values for the decoder
    assert scaling._flops(of, how, drawn(of.spec, size, length, length, CPU)) == 3 * size * (layer + across)


@pytest.mark.parametrize("model", ["lstm", "transformer", "echo_state"])
def test_widths_double_like_lengths_and_all_sizes_with_them(model, tmp_path, monkeypatch):
    seen, point = [], scaling._point
    monkeypatch.setattr(scaling, "_point", lambda of, *told: seen.append(of.model.config) or point(of, *told))
    settings = BRIEF | {"along": "width", "shortest": 16, "longest": 32, "length": 3}
    row = measured(trial(model, "scaling", probe_settings=settings), tmp_path)
    assert [point["width"] for point in row.curve] == [16, 32]
    assert (row.main, row.metrics["largest_width"]) == ("largest_width", 32)
    assert row.curve[0]["flops"] < row.curve[1]["flops"]
    names = {"lstm": ("width", "hidden"), "transformer": ("width", "feedforward"), "echo_state": ("units", "writer")}
    small, large = ([getattr(config, name) for name in names[model]] for config in seen)
    assert large == pytest.approx([2 * size for size in small], abs=1)


def test_a_width_that_a_model_cannot_have_is_one_clear_line(tmp_path):
    odd = trial("transformer", "scaling", probe_settings=BRIEF | {"along": "width", "shortest": 3, "length": 3})
    (row,) = run(odd, {}, tmp_path, CPU)
    reason = "model transformer at width 3: heads=2 do not divide width=3"
    assert (row.status, row.reason) == ("failed", f"BadInput: {reason}")


def test_a_length_that_would_take_too_long_is_not_tried(tmp_path):
    row = measured(trial(probe="scaling", probe_settings=BRIEF | {"shortest": 2, "limit": 0.01}), tmp_path)
    assert row.metrics["longest_length"] < 65_536
    assert row.config["notes"]["stopped"].startswith("time limit: ")


def test_a_length_for_which_memory_would_not_do_is_not_tried(tmp_path, monkeypatch):
    monkeypatch.setattr(scaling.meters, "peak_bytes", lambda call, device: 600)
    monkeypatch.setattr(scaling.meters, "available_bytes", lambda device: 1000)
    row = measured(trial(probe="scaling", probe_settings=BRIEF | {"shortest": 2}), tmp_path)
    assert row.metrics["longest_length"] == 2
    assert row.config["notes"]["stopped"].startswith("memory: 4 would need about")


def test_memory_that_runs_out_ends_the_curve_and_keeps_it(tmp_path, monkeypatch):
    learn = asked.learning.load("gradient").learn

    def small(self, batch):
        if batch.source.shape[1] > 4:
            raise torch.OutOfMemoryError("Tried to allocate 3.00 GiB")
        return learn(self, batch)

    monkeypatch.setattr(asked.learning.load("gradient"), "learn", small)
    row = measured(trial(probe="scaling", probe_settings=BRIEF | {"shortest": 2}), tmp_path)
    assert row.metrics["longest_length"] == 4
    assert "out of memory at batch 3, source length 8, target length 8: 3.00 GiB more" in row.config["notes"]["stopped"]


def test_the_processor_belongs_to_the_identity_of_a_timing_and_to_no_other():
    place = machine.place("cpu", 1)
    other = dataclasses.replace(place, environment=place.environment | {"processor": "another"})
    timing, training = trial(), dataclasses.replace(trial(), probe="quality", probe_settings={})
    assert identity.name(asked.vouched(timing, place)) != identity.name(asked.vouched(timing, other))
    assert identity.name(asked.vouched(training, place)) == identity.name(asked.vouched(training, other))


def test_a_setting_that_a_probe_does_not_have_is_bad_input():
    with pytest.raises(BadInput, match="probe throughput has no setting 'wings'"):
        asked.probe(trial(probe_settings={"wings": 2}))
    with pytest.raises(BadInput, match="rounds=1 lies outside"):
        asked.probe(trial(probe_settings={"rounds": 1}))


def test_a_model_that_is_nobody_s_yet_is_scaled_like_the_others(tmp_path):
    own = tmp_path / "mine.py"
    own.write_text("")
    trials = suites.reshaped(suites.load("scaling"), [str(own)], None, None)
    assert [t.probe_settings for t in trials] == [{"equal": "width"}]
    assert len(suites.reshaped(suites.load("speed"), [str(own)], None, None)) == 4


@pytest.mark.parametrize(("suite", "variant"), [("scaling", "equal parameters"), ("gpu", "scaling, equal parameters")])
def test_models_of_equal_parameters_have_equally_many(suite, variant):
    sizes = json.loads((suites.SETTINGS / f"{suite}.json").read_text())["variants"][variant]["models"]
    assert sizes.keys() == set(suites.FAMILIES)
    counts = {}
    for name, settings in sizes.items():
        kind, spec = models.load(name), asked.task(trial(task_settings={})).spec
        with torch.device("meta"):  # nothing is drawn to be counted
            counts[name] = kind(spec, kind.Config(**settings)).parameter_counts()
    trained = [count["trained"] for count in counts.values()]
    assert max(trained) / min(trained) < 1.005


def test_the_model_is_timed_by_its_own_step_where_positions_come_one_by_one(monkeypatch):
    of = subject(trial("transformer"), CPU)
    seen = []
    step = type(of.model).step
    monkeypatch.setattr(type(of.model), "step", lambda self, *a: (seen.append(1), step(self, *a))[1])
    calls = parallelism._passes(of.model, drawn(of.spec, 1, 3, 5, CPU))
    calls["at_once"]()
    assert not seen
    calls["one_by_one"]()
    assert len(seen) == 5
    assert isinstance(of.model, Model)
    assert of.model.training


class Writes(Model):
    """Keeps the sources that it is to answer, and has no memory for many of them."""

    def __init__(self, most):
        super().__init__(asked.task(trial()).spec)
        self.most, self.asked = most, []

    def encode(self, source, source_length, room):
        raise NotImplementedError

    def step(self, token, state):
        raise NotImplementedError

    def generate(self, source, source_length, room):
        if len(source) > self.most:
            raise torch.OutOfMemoryError
        self.asked.append((len(source), len({tuple(row) for row in source.tolist()}), room))


def test_a_batch_larger_than_the_test_split_holds_its_items_again():
    task = asked.tested(trial())
    there = len(task.items("test"))
    one = Writes(10**6)
    for size in (there - 1, 3 * there + 1):
        throughput._writer(one, task, size, 4, CPU)()
    assert one.asked == [(there - 1, there - 1, 4), (3 * there + 1, there, 4)]


def paced(pace, most=10**6):
    """The curve of writing where a contest says that an item takes `pace(size)` seconds."""
    of, one = subject(trial(), CPU), Writes(most)

    def contest(calls, device, seconds, rounds):
        for call in calls.values():
            call()
        took = pace(one.asked[-1][0])
        return clock.Contest({name: [took] * 7 for name in calls}, [0.0] * 7, dict.fromkeys(calls, took))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(throughput, "contest", contest)
        patched.setattr(throughput, "unending", lambda model: one)
        metrics, curve, _ = throughput._writing(of, asked.tested(trial()), throughput.Config(), Watch())
    return metrics["generate_best_batch"], [point["batch"] for point in curve]


def test_an_end_of_growth_that_was_not_seen_is_a_note_and_no_number():
    def points(*rates):
        return [
            {"batch": 2**k, "tokens_per_second": rate, "low": 0.97 * rate, "high": 1.03 * rate}
            for k, rate in enumerate(rates)
        ]

    seen, notes = parallelism._saturation(points(*(900 * 2**k / (2**k + 5) for k in range(9))))
    assert not notes
    assert seen["half_batch"] == pytest.approx(5, rel=0.1)
    assert seen["greatest_tokens_per_second"] == pytest.approx(900, rel=0.1)
    seen, notes = parallelism._saturation(points(*(100 * 2**k for k in range(5))))
    assert not seen
    assert set(notes) == {"greatest_tokens_per_second", "half_batch"}
    assert "still growing, or too noisy, at batch 16" in notes["half_batch"]
    assert parallelism._saturation([]) == ({}, {})


@pytest.mark.parametrize(
    ("pace", "most", "best", "tried"),
    [
        (lambda size: 0.01, 10**6, 65_536, [4**k for k in range(9)]),  # ever faster
        (lambda size: 0.01 * max(1, size / 16), 10**6, 16, [1, 4, 16, 64]),  # full from 16 on
        (lambda size: 0.01, 300, 256, [1, 4, 16, 64, 256]),  # no memory for more
        (lambda size: 0.7 * size**0.5, 10**6, 16, [1, 4, 16]),  # too slow to go on
    ],
)
def test_the_batch_that_writes_is_multiplied_until_it_gains_nothing_takes_too_long_or_does_not_fit(
    pace, most, best, tried
):
    assert paced(pace, most) == (best, tried)
