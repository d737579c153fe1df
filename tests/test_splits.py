"""The test split is read once, when nothing is left to train or choose: the code that hands out splits sees to it."""

import importlib

import pytest
import torch
from faults import COPYING

from bench import splits, trial
from bench.probes import asked
from bench.splits import TestReadError
from bench.train import answers, train
from bench.trial import Budget, Trial
from tasks import Task, load

CPU = torch.device("cpu")


def one(probe="quality", **more):
    made = {"task": "synthetic.recall", "task_settings": {"length": 5, "examples": 7}} | more
    return Trial("rnn", seed=0, suite="quick", budget=Budget(updates=2), probe=probe, batch=7, points=1, **made)


def test_a_closed_task_is_of_its_class_and_keeps_training_and_validation():
    whole = load("sentiment")()
    task = splits.closed(whole)
    assert isinstance(task, type(whole))
    assert (task.name, task.spec, task.checksum) == (whole.name, whole.spec, whole.checksum)
    for split in ("train", "validation"):
        assert task.items(split) is whole.items(split)
    said = [[4]] * len(whole.items("validation"))
    assert task.score(said, "validation") == whole.score(said, "validation")
    assert task.show("validation", 0) == whole.show("validation", 0)


@pytest.mark.parametrize(
    "reach",
    [
        lambda task: task.items("test"),
        lambda task: next(iter(task.batches("test", 3))),
        lambda task: task.score([[4]], "test"),
        lambda task: task.floors("test"),
        lambda task: task.show("test", 0),
        lambda task: task.at_length(10),
        lambda task: task.by_words((3, 6)),
    ],
    ids=["items", "batches", "score", "floors", "show", "longer sources", "parts by words"],
)
@pytest.mark.parametrize("name", ["sentiment", "synthetic.recall"])
def test_no_way_leads_to_the_test_of_a_closed_task(name, reach):
    task = splits.closed(load(name)())
    with pytest.raises(TestReadError, match=rf"the test of {name} is closed .* choose on validation"):
        reach(task)


def test_choosing_on_the_test_is_refused():
    made = one()
    model, _ = asked.learner(made, CPU)(1)
    with pytest.raises(TestReadError):
        answers(model, asked.task(made), "test", CPU)


def test_the_test_is_opened_once_a_trial_and_ends_its_training():
    made = one()
    with splits.trial():
        train(asked.learner(made, CPU), asked.task(made), made.budget, 7, 0, CPU, 1)
        assert len(asked.tested(made).items("test")) == 7
        with pytest.raises(TestReadError, match="was read before in this trial; it is read once"):
            asked.tested(made)
        with pytest.raises(TestReadError, match="nothing may be trained on it any more"):
            train(asked.learner(made, CPU), asked.task(made), made.budget, 7, 0, CPU, 1)
        other = one(task_settings={"length": 6, "examples": 7})  # of another length: another test
        train(asked.learner(other, CPU), asked.task(other), other.budget, 7, 0, CPU, 1)
    with splits.trial():
        assert asked.tested(made)


@pytest.mark.parametrize("twice", [False, True])
def test_a_probe_that_reads_the_test_while_it_trains_or_twice_comes_to_a_failed_row(twice, tmp_path, monkeypatch):
    quality = importlib.import_module("bench.probes.quality")

    def greedy(model, task, split, *rest, **more):
        if twice:
            asked.tested(made)
        return answers(model, asked.task(made), "test", *rest, **more)

    made = one()
    monkeypatch.setattr(quality, "answers", greedy)
    rows = trial.run(made, {"model": "rnn"}, tmp_path, CPU)
    assert [row.status for row in rows] == ["failed"]
    assert rows[0].reason.startswith("TestReadError: the test of synthetic.recall ")
    assert ("read before" if twice else "closed") in rows[0].reason


PROBES = {
    "quality": {},
    "floor": {},
    "span": {"probe_settings": {"lengths": [2, 3], "rates": [0.01], "every": True}},
    "extrapolate": {"probe_settings": {"rates": [0.01, 0.02]}},
    "data_curve": {"task": COPYING, "task_settings": {}, "probe_settings": {"sizes": [5, 9], "passes": 1, "least": 1}},
    "by_length": {"task": "sentiment", "task_settings": {}, "probe_settings": {"longer": [9], "edges": [5, 60]}},
    "gradients": {},
}


@pytest.mark.parametrize("probe", PROBES)
def test_every_probe_of_learning_keeps_to_it(probe, tmp_path):
    made = one(probe, **PROBES[probe])
    rows = trial.run(made, {"model": "rnn"}, tmp_path, CPU)
    assert {(row.status, row.reason) for row in rows} == {("ok", "")}
    assert all(row.config["selection"] == "validation" for row in rows if probe != "floor")


def test_what_is_somebodys_own_is_closed_like_ours():
    task = splits.closed(load(COPYING)())
    assert isinstance(task, Task)
    with pytest.raises(TestReadError):
        task.items("test")
