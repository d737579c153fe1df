"""Tuning: equal trials over a written space, on validation alone, given up at the median, resumed from stored rows."""

import dataclasses
import json
import math
import statistics
import sys

import pytest
import torch
from faults import COPYING

import models
from bench import cli, learning, record, suites
from bench.checkpoint import Checkpoints
from bench.commands import adopting, tune, verification
from bench.commands.tune import bars, candidate, placed, proposed, reached, search, space, studies
from bench.probes import asked
from bench.record import Result
from bench.trial import Budget, Place, Trial, run
from bench.typed import UsageError
from bench.watch import Watch
from tasks import configured

CPU = torch.device("cpu")
SEARCHED = {
    "learning.rate": {"low": 1e-4, "high": 1e-1, "log": True},
    "model.dropout": {"low": 0.0, "high": 0.5},
    "model.pool": ["last", "highest"],
}
OWN = {"learning.rate": 1e-3, "model.dropout": 0.2, "model.pool": "highest"}


def base(**more):
    made = {"model": "lstm", "task": COPYING, "seed": 3, "suite": "quick", "budget": Budget(updates=8)}
    made |= {"model_settings": {"width": 5, "hidden": 7}, "batch": 7, "points": 4, "precision": "float32"}
    return Trial(**made | more)


MADE = {
    "bench/learning/__init__.py": "1",
    "bench/learning/gradient.py": "2",
    "model_settings": json.dumps({"width": 5, "dropout": 0.2, "pool": "highest"}),
    "learning": json.dumps({"rate": 1e-3, "clip": 1.0}),
}


@pytest.fixture
def made_up(monkeypatch):
    """Searches go through a space of three settings, or of none."""
    monkeypatch.setattr(tune, "space", lambda model, rule: SEARCHED if model != "unknown" else {})


def outcome(trial, score=None, way=None, status="ok", pruned=0, seconds=1.0):
    """A row as it is stored when a trial of a search came to `score`, by way of `way`."""
    way = [score] if way is None else way
    return Result(
        probe="tune",
        model=trial.model,
        task=trial.task,
        seed=trial.seed,
        status=status,
        metrics={} if status != "ok" else {"validation": score, "pruned": pruned, "seconds": seconds},
        config={
            "model": trial.model_settings,
            "learning": {"rule": "gradient"} | trial.learning,
            "notes": {"metric": "exact"},
        },
        curve=[{"updates": 2 * (place + 1), "validation": value} for place, value in enumerate(way)],
        made_of={
            "bench/learning/gradient.py": "1",
            "probe_settings": json.dumps(trial.probe_settings),
            "model_settings": json.dumps(trial.model_settings),
            "learning": json.dumps(trial.learning),
            "budget": json.dumps(dataclasses.asdict(trial.budget)),
        },
        time="2026-01-02T03:04:05+00:00",
    )


def peak(trial):
    """How good a made-up model is: best at a rate of 0.01 and a dropout of 0.1."""
    off = abs(math.log10(trial.learning["rate"]) + 2) + abs(trial.model_settings["dropout"] - 0.1)
    return outcome(trial, 100.0 - 10 * off)


def test_the_first_trial_is_the_suites_own_and_the_others_lie_in_the_space(made_up):
    asked_for = []
    search(base(), MADE, 9, lambda trial: asked_for.append(trial) or peak(trial))
    first, *others = asked_for
    assert (first.learning, first.model_settings["dropout"]) == ({"rate": 1e-3}, 0.2)
    assert [trial.probe_settings["number"] for trial in asked_for] == list(range(9))
    for trial in others:
        assert 1e-4 <= trial.learning["rate"] <= 1e-1
        assert 0 <= trial.model_settings["dropout"] <= 0.5
        assert trial.model_settings["pool"] in ("last", "highest")
        assert (trial.model_settings["width"], trial.budget, trial.probe) == (5, Budget(updates=8), "tune")
        assert float(f"{trial.learning['rate']:.3g}") == trial.learning["rate"]
    assert len({trial.learning["rate"] for trial in asked_for}) == 9


def test_a_search_finds_better_settings_than_chance_does():
    def best(guided, seed):
        done = []
        for number in range(24):
            values = proposed(SEARCHED, done if guided else [], number, seed)
            done.append(peak(candidate(base(), values, number, ())))
        return max(row.metrics["validation"] for row in done)

    guided, blind = ([best(way, seed) for seed in range(5)] for way in (True, False))
    assert statistics.mean(guided) > statistics.mean(blind)


def test_a_search_goes_on_from_what_is_stored_as_if_never_interrupted(made_up):
    whole = search(base(), MADE, 7, peak)
    stored = {row.made_of["probe_settings"]: row for row in whole[:4]}
    fresh = []

    def recalled(trial):
        known = stored.get(json.dumps(trial.probe_settings))
        if known is None:
            fresh.append(trial.probe_settings["number"])
        return known or peak(trial)

    assert search(base(), MADE, 7, recalled) == whole
    assert fresh == [4, 5, 6]


def test_the_winner_of_another_search_is_tried_second_and_says_whose_it_is(made_up):
    found = {"learning.rate": 0.007, "model.dropout": 0.1, "model.width": 9}  # a width is not searched
    rows = search(base(), MADE, 3, peak, winner=tune.Winner("quick", found))
    told = [(tune.within(row.config["model"], row.config["learning"], SEARCHED), placed(row)) for row in rows]
    assert told[1][0] == OWN | {"learning.rate": 0.007, "model.dropout": 0.1}
    assert [place.get("source") for _, place in told] == [None, "quick", None]
    assert {row.config["model"]["width"] for row in rows} == {5}
    new, _ = adopting.changed({}, studies(rows[:2]))
    assert new[COPYING]["lstm"]["tuned"]["taken"] == "the winner of the search of suite quick"


def test_a_winner_that_says_what_the_suite_says_gives_its_place_to_the_search(made_up):
    same = search(base(), MADE, 3, peak, winner=tune.Winner("quick", {"learning.rate": 1e-3}))
    assert same == search(base(), MADE, 3, peak)


def test_winners_are_read_from_the_folder_of_a_search(tmp_path):
    rows = [outcome(candidate(base(), OWN | {"learning.rate": rate}, n, (), SEARCHED), 9 * n) for n, rate in
            enumerate((0.01, 0.02))]  # fmt: skip
    for row in rows:
        record.append(tmp_path, row)
    assert tune.winners(tmp_path) == {(COPYING, "lstm"): tune.Winner("", OWN | {"learning.rate": 0.02})}
    record.append(tmp_path, outcome(candidate(base(budget=Budget(updates=9)), OWN, 0, ()), 1.0))
    with pytest.raises(UsageError, match=f"lstm on {COPYING} was searched more than once there"):
        tune.winners(tmp_path)


def test_a_folder_whose_searches_all_failed_has_no_winners(tmp_path):
    record.append(tmp_path, outcome(candidate(base(), OWN, 0, ()), status="failed"))
    record.append(tmp_path, dataclasses.replace(outcome(base(), status="failed"), made_of={}))
    with pytest.raises(UsageError, match="holds no search that came to an end"):
        tune.winners(tmp_path)


def test_a_winner_that_did_not_hold_is_named_with_what_it_came_to():
    rows = [outcome(candidate(base(), OWN, 0, ()), 40.0)]
    rows += [outcome(candidate(base(), OWN | {"learning.rate": 0.02}, 1, (), source="quick"), 30.0)]
    new, _ = adopting.changed({}, studies(rows))
    assert new[COPYING]["lstm"]["tuned"]["tried"] == "the winner of the search of suite quick, which came to 30.00"


def test_another_seed_searches_elsewhere():
    assert proposed(SEARCHED, [], 1, 0) != proposed(SEARCHED, [], 1, 1)


def test_seconds_end_a_search_for_every_model_alike(made_up):
    rows = search(base(), MADE, 9, lambda trial: outcome(trial, 50.0, seconds=2.0), seconds=5.0)
    assert len(rows) == 3


def test_a_model_without_a_space_has_one_trial(made_up):
    assert len(search(base(model="unknown"), MADE, 9, lambda trial: outcome(trial, 50.0))) == 1


def test_failed_trials_count_and_those_outside_the_space_teach_nothing(made_up):
    odd = OWN | {"model.dropout": 0.9}
    rows = [outcome(candidate(base(), odd, 0, ()), 99.0), outcome(candidate(base(), OWN, 1, ()), status="diverged")]
    assert 1e-4 <= proposed(SEARCHED, rows, 2, 0)["learning.rate"] <= 1e-1
    assert (
        len(
            search(
                base(),
                MADE | {"model_settings": json.dumps({"dropout": 0.9, "pool": "last"})},
                5,
                lambda trial: outcome(trial, status="failed"),
            )
        )
        == 5
    )


def test_the_bar_is_the_median_of_the_best_so_far_at_each_evaluation_but_the_last():
    ways = [[1.0, 3.0, 2.0, 9.0], [2.0, 1.0, 5.0, 5.0], [4.0, 4.0, 4.0, 4.0], [0.5, 6.0]]
    rows = [outcome(base(), way[-1], way) for way in ways]
    assert reached(rows[0], 4) == [1, 3, 3, 9]
    assert bars(rows[:2], 4) == []
    assert bars(rows, 4) == [statistics.median([1, 2, 4, 0.5]), statistics.median([3, 2, 4, 6]), 4.0]
    assert bars([*rows, outcome(base(), status="failed")], 4) == bars(rows, 4)


def test_of_several_candidates_at_one_evaluation_the_best_counts():
    row = outcome(base(), 5.0)
    row = dataclasses.replace(row, curve=[{"updates": 5, "exact": value} for value in (2.0, 5.0, 3.0)])
    assert reached(row, 4) == [5.0]


@pytest.mark.parametrize("model", ["lstm", "echo_state"])
def test_a_trial_of_a_search_never_opens_the_test(model, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("bench.splits.opened", lambda task: opened.append(task) or task)
    small = {"units": 30, "writer": 30} if model == "echo_state" else {"width": 5, "hidden": 7}
    [row] = run(base(model=model, model_settings=small, probe="tune"), {"model": model}, tmp_path, CPU)
    assert (row.status, row.main, row.metrics["pruned"]) == ("ok", "validation", 0)
    assert row.metrics["validation"] == max(point["exact"] for point in row.curve)
    assert row.config["selection"] == "validation"
    assert not opened


def test_a_trial_below_its_bar_is_given_up_there_and_one_at_it_goes_on(tmp_path):
    for least, updates in ((100.1, 2), (0.0, 8)):
        one = base(probe="tune", probe_settings={"number": 4, "bars": [least, least, least]})
        [row] = run(one, {"model": "lstm"}, tmp_path, CPU, Watch())
        assert row.status == "ok"
        assert (row.metrics["pruned"], row.metrics["updates"]) == (int(updates == 2), updates)
        assert row.curve[-1]["updates"] == updates


def test_at_its_end_a_trial_is_not_given_up(tmp_path):
    one = base(points=1, probe="tune", probe_settings={"bars": [100.1]})
    [row] = run(one, {"model": "lstm"}, tmp_path, CPU)
    assert row.metrics["pruned"] == 0


@pytest.mark.parametrize("model", suites.FAMILIES)
def test_what_is_searched_are_settings_of_the_model_and_within_their_ranges(model):
    kind = models.load(model)
    rule = learning.load(kind.learning)
    searched = space(model, kind.learning)
    assert searched
    assert not {key for key in searched if key.removeprefix("model.") in ("width", "hidden", "units", "layers")}
    for end in ("low", "high"):
        values = {
            key: said[0 if end == "low" else -1] if isinstance(said, list) else said[end]
            for key, said in searched.items()
        }
        one = candidate(base(model=model, model_settings={}), values, 1, ())
        assert configured(kind.Config, one.model_settings, model)
        assert configured(rule.Config, one.learning, "rule")
        made = asked.vouched(dataclasses.replace(one, task="synthetic.parity"), Place("cpu", False, 1))
        found = tune.within(json.loads(made["model_settings"]), json.loads(made["learning"]), searched)
        assert found == values


def test_the_newest_row_of_each_number_makes_a_study_and_the_pruned_cannot_win():
    rows = [peak(candidate(base(), OWN, 0, ())), outcome(candidate(base(), OWN, 1, ()), 99.9, pruned=1)]
    rows += [outcome(candidate(base(), OWN, 2, ()), 1.0), outcome(candidate(base(), OWN, 2, ()), 95.0)]
    rows += [outcome(candidate(base(), OWN, 3, ()), status="failed"), peak(candidate(base(model="rnn"), OWN, 0, ()))]
    one, other = studies(rows)
    assert (one.model, len(one.rows), one.pruned, one.best.metrics["validation"]) == ("lstm", 4, 1, 95.0)
    assert (other.model, len(other.rows)) == ("rnn", 1)


def test_searches_under_other_budgets_are_no_one_study_and_adopt_takes_neither():
    rows = [peak(candidate(base(), OWN, 0, ()))]
    rows += [peak(candidate(base(budget=Budget(updates=99)), OWN, n, ())) for n in (0, 1)]
    assert [len(study.rows) for study in studies(rows)] == [1, 2]
    with pytest.raises(adopting.UnlikeError, match="was searched more than once here"):
        adopting.checked(studies(rows), lambda study: study.rows[0].made_of)


def test_what_was_searched_stands_with_the_trial():
    stored = candidate(base(), OWN, 0, (), SEARCHED)
    assert tune.space_of(outcome(stored, 1.0)) == SEARCHED


class Interrupted(Exception):
    """The power went."""


@pytest.mark.parametrize("after", [3, 4, 5])
def test_an_interrupted_trial_meets_its_bars_where_it_would_have(after, tmp_path):
    one = base(probe="tune", probe_settings={"bars": [0.0, 0.0, 100.1]})  # evaluated after 2, 4, 6 and 8 updates

    def stopping(pulse):
        if pulse.updates == after:
            raise Interrupted

    stopped = Watch(stopping, Checkpoints(tmp_path), every=0.0)
    run(one, {"model": "lstm"}, tmp_path, CPU, stopped)
    [row] = run(one, {"model": "lstm"}, tmp_path, CPU, Watch(checkpoints=Checkpoints(tmp_path)))
    [whole] = run(one, {"model": "lstm"}, tmp_path, CPU)
    assert (whole.metrics["pruned"], whole.metrics["updates"]) == (1, 6)
    plain = [[{k: v for k, v in point.items() if k != "seconds"} for point in r.curve] for r in (row, whole)]
    assert plain[0] == plain[1]
    assert row.metrics["updates"] == 6


def test_winners_become_settings_with_their_provenance_and_the_rest_stays():
    old = {
        "provenance": "by hand",
        COPYING: {"all": {"batch": 7}, "lstm": {"updates": 8, "model": {"width": 5, "dropout": 0.3}}},
    }
    values = {"learning.rate": 0.004, "learning.smoothing": 0.0, "model.dropout": 0.12}
    rows = [outcome(candidate(base(), values | {"learning.rate": 0.001}, 0, ()), 40.0)]
    rows += [outcome(candidate(base(), values, 1, ()), 60.0), outcome(candidate(base(), values, 2, ()), 1.0, pruned=1)]
    new, said = adopting.changed(old, studies(rows))
    cell = new[COPYING]["lstm"]
    assert cell["updates"] == 8
    assert cell["model"] == {"width": 5, "dropout": 0.12}
    assert cell["learning"] == {"rate": 0.004, "smoothing": 0.0}
    told = cell["tuned"]
    assert (told["trials"], told["pruned"], told["validation_exact"], told["before"]) == (3, 1, 60.0, 40.0)
    assert (told["space"], told["day"]) == (tune.mark(space("lstm", "gradient")), "2026-01-02")
    assert new[COPYING]["all"] == {"batch": 7}
    assert new["provenance"] == 'tuned where "tuned" says how; the rest: by hand'
    assert adopting.changed(new, studies(rows))[0] == new
    assert old[COPYING]["lstm"]["model"]["dropout"] == 0.3
    assert said == [f"lstm on {COPYING}: trial 1 of 3, rate 0.004, smoothing 0.0, dropout 0.12"]
    assert json.loads(adopting.written(new)) == new


def test_nothing_is_adopted_of_a_search_whose_trials_all_failed():
    rows = [outcome(candidate(base(), OWN, n, ()), status="failed") for n in range(3)]
    new, said = adopting.changed({"provenance": "x"}, studies(rows))
    assert new == {"provenance": "x"}
    assert said == [f"lstm on {COPYING}: none of 3 trials came to its end; nothing changes"]


def test_a_cell_knows_where_its_settings_come_from(monkeypatch):
    told = {"translation": {"lstm": {"updates": 3, "tuned": {"trials": 8}}}}
    monkeypatch.setattr(suites, "settings", lambda suite: told)
    assert suites.cell("quick", "lstm", "translation", 0).tuned == {"trials": 8}
    assert suites.cell("quick", "rnn", "translation", 0).tuned == {}


def test_a_search_is_run_resumed_told_and_adopted_by_commands(monkeypatch, capfd, tmp_path):
    def seqbench(*words):
        monkeypatch.setattr(sys, "argv", ["seqbench", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return int(stop.value.code or 0), *capfd.readouterr()

    monkeypatch.setattr(suites, "SETTINGS", tmp_path / "settings")
    (tmp_path / "settings").mkdir()
    quick = tmp_path / "settings" / "quick.json"
    quick.write_text(json.dumps({COPYING: {"lstm": {"model": {"width": 9}}}}))
    words = ["tune", "quick", "--tasks", COPYING, "--models", "lstm", "--threads", "1", "--set", "model.width=8"]
    words += ["--set", "updates=4", "--set", "points=2", "--out", tmp_path / "tuning", "--trials"]
    code, out, err = seqbench(*words, 3)
    assert code == 0
    assert f"lstm on {COPYING}: 3 trials, 0 given up, 0 failed; on validation" in " ".join(err.split())
    assert f"seqbench adopt {tmp_path / 'tuning'}" in out
    before = list(record.read(tmp_path / "tuning"))
    assert [row.probe for row in before] == ["tune"] * 3
    assert "--set probe" not in before[1].command
    seqbench(*words, 5)
    after = list(record.read(tmp_path / "tuning"))
    assert after[:3] == before
    assert len(after) == 5
    assert verification.problems(tmp_path / "tuning") == []
    code, _, err = seqbench("adopt", tmp_path / "tuning")
    assert code == 2
    assert f"lstm on {COPYING} was searched with model_settings" in err
    assert "adopting would lose that" in err
    quick.write_text(json.dumps({COPYING: {"lstm": {"model": {"width": 8}}}}))
    code, out, _ = seqbench("adopt", tmp_path / "tuning", "--explain")
    assert (code, "tuned" in quick.read_text()) == (0, False)
    assert "stays as it is" in out
    assert seqbench("adopt", tmp_path / "tuning")[0] == 0
    cell = suites.cell("quick", "lstm", COPYING, 0)
    assert cell.tuned["trials"] == 5
    best = max(after, key=lambda row: row.metrics["validation"])
    assert cell.learning["rate"] == best.config["learning"]["rate"]
    quick.write_text(json.dumps({COPYING: {"lstm": {"model": {"width": 8}, "learning": {"rate": 0.0125}}}}))
    words[-2] = tmp_path / "again"
    source = ["--from", tmp_path / "tuning"]
    assert seqbench(*words, 2, *source)[0] == 0
    [own, won] = record.read(tmp_path / "again")
    assert (own.config["learning"]["rate"], tune.values_of(won)) == (0.0125, tune.values_of(best))
    assert seqbench(*words, 2, *source)[0] == 0
    assert len([*record.read(tmp_path / "again")]) == 2
    code, _, err = seqbench(*words, 3)
    assert code == 2
    assert "holds another search of lstm" in err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["tune", "speed"], "suite speed trains nothing for its quality"),
        (["tune", "nowhere"], "unknown suite 'nowhere'"),
        (["tune", "quick", "--tasks", COPYING, "--set", "lstm.nothing=1"], "has no setting 'nothing'"),
        (["adopt", "nowhere"], "nowhere/results.jsonl cannot be read"),
        (["tune", "quick", "--from", "elsewhere"], "--from elsewhere: there is no results.jsonl in it"),
        (["tune", "quick", "--from", "plain", "--out", "plain"], "is the folder that is written; name another"),
        (["tune", "quick", "--from", "plain", "--trials", "1"], "--from needs --trials 2 at least"),
        (["tune", "quick", "--from", "plain"], "--from plain holds no search that came to an end"),
    ],
)
def test_a_mistake_is_one_line(words, part, monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / record.RESULTS).touch()  # a run that no search wrote
    monkeypatch.setattr(sys, "argv", ["seqbench", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    err = capfd.readouterr().err
    assert (stop.value.code, len(err.strip().splitlines())) == (2, 1)
    assert part in err
    assert not (tmp_path / "runs").exists()
