"""A plan: what a suite takes, roughly as it then does, and which differences it can show."""

import dataclasses
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bench import cli, record, suites
from bench.commands import plan
from bench.record import RecordError, Result
from bench.trial import Budget, Place

OWN = Path(__file__).parent / "own"
COPYING = str(OWN / "copying.py")
TINY = ["--tasks", COPYING, "--models", "lstm,echo_state", "--set", "updates=5", "--set", "lstm.hidden=8"]
TOOK = {
    "updates": 5,
    "examples": 35,
    "seconds": {"train": 3.0, "validation": 1.0, "test": 0.5},
    "sizes": {"width": 8},
    "parameters": {"trained": 100, "total": 1200},
    "state_bytes": 64,
    "memory_bytes": 1 << 28,
    "test_items": 400,
    "main": "exact",
    "company": 0.0,
}


@pytest.fixture
def seqbench(monkeypatch, capfd):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["seqbench", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capfd.readouterr()
        return int(stop.value.code or 0), out, err

    return call


def trial(model="lstm", **changes):
    one = next(t for t in suites.reshaped(suites.quick(), [model], [COPYING], [0]) if t.probe != "floor")
    return dataclasses.replace(one, budget=Budget(updates=5), **changes)


def drawn_up(trials, took=TOOK, stored=None):
    cells = plan.planned(trials, lambda one: took, stored or plan.seen(None), lambda line: None)
    return plan.Plan("quick", Place("cpu", False, 1), cells)


def test_more_seeds_items_and_less_power_show_smaller_differences():
    base = plan.smallest_difference(1.0, 50.0, 3, 1000)
    assert plan.smallest_difference(1.0, 50.0, 6, 1000) < base
    assert plan.smallest_difference(1.0, 50.0, 3, 2000) < base
    assert plan.smallest_difference(1.0, 50.0, 3, 1000, power=0.5) < base
    assert plan.smallest_difference(1.0, 50.0, 3, 1000, level=0.99) > base


def test_items_differ_most_where_half_the_answers_are_right():
    assert plan.item_spread() == plan.item_spread(50.0) == 50
    assert plan.item_spread(90.0) == pytest.approx(30)
    assert plan.item_spread(100.0) == plan.item_spread(101.0) == 0


def stored(folder, model, scores, task=COPYING, width=8):
    for seed, score in enumerate(scores):
        config = {"model": {"width": width}}
        row = Result(
            "quality", model, task, seed, "ok", {"exact": score}, "exact", config=config, id=f"{model}{seed}{width}"
        )
        record.append(folder, row)


def test_seeds_spread_as_they_did_in_a_stored_run(tmp_path):
    stored(tmp_path, "lstm", [70.0, 72.0, 77.0])
    stored(tmp_path, "lstm", [10.0, 90.0], width=99)  # other settings are another model
    stored(tmp_path, "rnn", [50.0])
    seen = plan.seen(tmp_path)
    assert seen.spread(COPYING, "lstm").seeds == pytest.approx(np.std([70, 72, 77], ddof=1))
    assert seen.spread(COPYING, "lstm").items == pytest.approx(math.sqrt(73 * 27))
    assert seen.spread(COPYING, "lstm").source == f"3 seeds in {tmp_path}"
    assert seen.spread(COPYING, "rnn").seeds == seen.spread(COPYING, "lstm").seeds
    assert seen.spread(COPYING, "rnn").source.startswith("other models on")
    assert seen.spread("sentiment", "lstm") == plan.Spread(1.0, 50.0, "assumed")


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(RecordError, match=r"--from .*no results\.jsonl"):
        plan.seen(tmp_path)


def test_trials_that_differ_in_their_seed_are_timed_once_and_counted_each():
    asked = []

    def estimate(one):
        asked.append(one.seed)
        return TOOK

    trials = [trial(seed=seed) for seed in range(3)] + [trial("rnn")]
    cells = plan.planned(trials, estimate, plan.seen(None), lambda line: None)
    assert asked == [0, 0]
    assert [cell.seeds for cell in cells] == [3, 1]
    whole = plan.Plan("quick", Place("cpu", False, 1), cells)
    assert whole.seconds == 4.5 * 4
    assert whole.words()[0] == "4 trainings: about 18 s on this machine (cpu, 1 thread), floors and starting aside."


def test_the_table_says_what_each_model_takes_and_shows():
    shown = drawn_up([trial(seed=seed) for seed in range(2)]).text()
    assert "width=8" in shown
    assert "1,200 (100)" in shown
    assert "2 x 4 s" in shown
    assert "256 MiB" in shown
    least = plan.smallest_difference(1.0, 50.0, 2, 400)
    assert f"2 seeds and 400 test items show a difference of {least:.1f} points of exact" in shown
    assert "1 (assumed) points between seeds" in shown


def test_a_model_that_was_not_matched_and_company_are_told():
    told = {"measure": "parameters", "goal": 9, "reached": 18, "off": 1.0, "reason": "too large", "sizes": {}}
    shown = drawn_up([trial(matched=told)], TOOK | {"company": 1.25}).text()
    assert "+100.0%!" in shown
    assert "is off by +100.0%: too large" in shown
    assert "Others used up to 1.2 processors" in shown


def test_a_probe_of_several_trainings_has_no_total():
    whole = drawn_up([trial(probe="data_curve")])
    assert whole.seconds == 0
    assert any("trains several times" in line for line in whole.words())


def test_a_time_is_said_as_a_person_says_it():
    assert [plan.spoken(s) for s in (4.6, 89.0, 600.0, 7260.0)] == ["5 s", "89 s", "10 min", "2 h 1 min"]


def test_a_plan_of_a_tiny_run_is_json_and_of_the_right_size(seqbench, tmp_path):
    import torch

    from bench import trial as trials
    from bench.probes import asked
    from bench.watch import Watch

    code, out, err = seqbench(
        "plan", "quick", *TINY, "--seeds", 2, "--threads", 1, "--match", "parameters=9000", "--json"
    )
    assert code == 0
    assert "[1/2] timing quality of lstm" in err
    found = json.loads(out)
    lstm, echo = found["cells"]
    assert (lstm["model"], lstm["seeds"], lstm["updates"], lstm["examples"]) == ("lstm", 2, 5, 160)
    assert lstm["parameters"]["total"] == lstm["matched"]["reached"] == pytest.approx(9000, rel=0.05)
    assert echo["parameters"]["trained"] < echo["parameters"]["total"]
    assert found["seconds"] == pytest.approx(2 * (lstm["seconds_each"] + echo["seconds_each"]), abs=0.2)
    assert lstm["memory_bytes"] > 5e7
    one = trial(model_settings=lstm["sizes"])
    for _ in range(2):  # the first pays for imports
        start = time.perf_counter()
        (row,) = trials.run(one, {}, tmp_path, torch.device("cpu"), Watch())
        real = time.perf_counter() - start
    assert row.status == "ok", row.reason
    assert row.metrics["examples"] == lstm["examples"]
    assert 0.02 < lstm["seconds_each"] / real < 50  # a sanity bound: other processes share this machine
    assert asked.config(asked.built(one, torch.device("cpu")))["width"] == lstm["sizes"]["width"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["speed"], ["suite speed measures time", "20 minutes", "quick"]),
        (["quick", "--models", "floors"], ["nothing to plan"]),
        (["nonsense"], ["unknown suite 'nonsense'", "quick"]),
        (["quick", "--match", "size=1"], ["--match size=1", "parameters"]),
        (["quick", "--tasks", COPYING, "--from", "nowhere"], ["--from nowhere", "results.jsonl"]),
        (["quick", "--set", "nonsense"], ["KEY=VALUE"]),
        (["quick", "--wings"], ["--wings"]),
    ],
)
def test_bad_input_is_one_clear_line(seqbench, words, said):
    code, _, err = seqbench("plan", *words)
    assert (code, len(err.strip().splitlines())) == (2, 1), err
    assert all(part in err for part in said), err
