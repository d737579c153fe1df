"""Published numbers beside ours: each verdict where it belongs, nothing counted that does not belong there."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from test_report import floor, inert, text
from test_report_inert import HOSTILE, inert_markdown

import tasks
from bench import record, suites, typed
from bench.record import Result, append
from bench.statistics import over_seeds
from reports import parts
from reports.page.html import write
from reports.parts import Cell
from reports.rows.stored import Stored, gather
from reports.sections import reproduction
from reports.sections.literature import GRU, PUBLISHED, Ours, Published, Taken
from reports.sections.reproduction import (
    ABOVE,
    ABSENT,
    BELOW,
    INCOMPARABLE,
    REPRODUCED,
    UNDECIDED,
    Reproduction,
    judged,
    lacks,
    reproduced,
)

TEST_2016 = {"pair": "de-en", "test": "test_2016_flickr"}


def row(run: Path, probe: str, model: str, task: str, seed: int = 0, **told: Any) -> None:
    """Stores one finished trial; `told` changes its fields, and `config` adds to its settings."""
    config = {"model": {"hidden": 64}, "task": {}, "probe": {}, "batch": 32, "data": None, **told.pop("config", {})}
    fields = {"metrics": {"x": 1.0}, "main": "x", "budget": {"updates": 2000}, "environment": {"device": "cpu"}, **told}
    where = f"{probe}{model}{task}{seed}{sorted(told)}{config}{fields['budget']}"
    append(run, Result(probe, model, task, seed, "ok", **{"id": where, "config": config, **fields}))


def adding(run: Path, explained: float, seed: int = 0, model: str = "lstm", length: int = 600, **told: Any) -> None:
    """One search of the adding problem, with one length that was tried."""
    config = {"probe": {"along": "length", "every": True}, "task": {"form": "number"}, **told.pop("config", {})}
    curve = [{"length": 10, "score": 99.0}, {"length": length, "score": explained}]
    row(run, "span", model, "synthetic.adding", seed, config=config, curve=curve, **told)


def parity(run: Path, score: float, seed: int = 0, model: str = "lstm", **told: Any) -> None:
    """Trained up to 40 and asked up to 500."""
    curve = [{"length": n, "score": score if n > 40 else 100.0} for n in (10, 40, 44, 80, 160, 500)]
    row(
        run,
        "extrapolate",
        model,
        "synthetic.parity",
        seed,
        **{"config": {"task": {"length": 40}}, "curve": curve} | told,
    )


def mqar(run: Path, score: float, width: int = 64, pairs: int = 4, seed: int = 0, **task: Any) -> None:
    """Recall of 2 and of so many pairs."""
    told = {"length": 64, "vocabulary": 128, "fewest": 2, "queries": 0, "again": 1} | task
    config = {"probe": {"along": "pairs"}, "task": told, "model": {"width": width}}
    curve = [{"length": 2, "score": 100.0}, {"length": pairs, "score": score}]
    row(run, "span", "transformer", "synthetic.mqar", seed, config=config, curve=curve)


def found(run: Path, what: str) -> Reproduction:
    """What came of one published number."""
    (one,) = [one for one in reproduced(gather([run])) if one.published.what == what]
    return one


def entry(**told: Any) -> Published:
    """A published number that suits a test."""
    return Published("Memory", "A task", "", "accuracy, %", 80.0, 80.0, "A paper", **{"tolerance": 2.0, **told})


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(78.0, REPRODUCED), (82.0, REPRODUCED), (80.0, REPRODUCED), (77.99, BELOW), (82.01, ABOVE), (0.0, BELOW)],
)
def test_one_seed_is_judged_by_its_number_and_the_edge_of_the_tolerance_still_counts(value, verdict):
    assert judged(entry(), (value,))[0] == verdict


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((80.0, 80.1, 79.9), REPRODUCED),
        ((80.0, 80.0), REPRODUCED),
        ((70.0, 70.1, 70.2), BELOW),
        ((90.0, 90.1, 90.2), ABOVE),
        ((80.0, 84.0), UNDECIDED),  # its mean lies on the edge, its interval on both sides of it
        ((60.0, 100.0), UNDECIDED),
        ((78.0, 78.0), REPRODUCED),
        ((77.9, 77.9), BELOW),
    ],
)
def test_several_seeds_are_judged_by_their_interval(values, verdict):
    assert judged(entry(), values)[0] == verdict


def test_an_interval_that_ends_on_the_edge_is_within_and_one_that_ends_a_little_beyond_is_not():
    values = (79.0, 80.0, 81.0)
    span = over_seeds(values)
    assert span
    half = span.high - 80.0
    assert judged(entry(tolerance=half), values)[0] == REPRODUCED
    assert judged(entry(tolerance=half - 0.001), values)[0] == UNDECIDED


def test_a_published_range_is_reproduced_anywhere_in_it():
    between = dataclasses.replace(entry(), low=40.0, high=52.0, tolerance=3.0)
    assert [judged(between, (v,))[0] for v in (36.9, 37.0, 46.0, 55.0, 55.1)] == [
        BELOW, REPRODUCED, REPRODUCED, REPRODUCED, ABOVE,
    ]  # fmt: skip
    assert between.told == "40–52"


def test_below_is_better_for_an_error_and_worse_for_a_score():
    assert judged(entry(), (50.0,)) == (BELOW, "which is worse")
    assert judged(entry(), (99.0,)) == (ABOVE, "which is better")
    assert judged(entry(lower=True), (50.0,)) == (BELOW, "which is better")
    assert judged(entry(lower=True), (99.0,)) == (ABOVE, "which is worse")


def test_the_best_of_ten_seeds_is_held_against_the_best_of_ours_and_missed_only_by_as_many():
    best = entry(best_of=10)
    assert judged(best, (20.0, 79.0, 31.0))[0] == REPRODUCED
    assert judged(best, (20.0, 95.0)) == (ABOVE, "which is better")
    verdict, reason = judged(best, (20.0, 30.0, 25.0))
    assert verdict == INCOMPARABLE
    assert "best of 10 seeds, ours of 3 seeds" in reason
    assert judged(best, (30.0,) * 10) == (BELOW, "which is worse")


def test_an_interval_holds_no_value_that_the_metric_cannot_have():
    one = Reproduction(entry(), REPRODUCED, values=(99.0, 100.0, 95.0))
    assert one.interval
    assert one.interval.high == 100.0
    assert Reproduction(entry(), REPRODUCED, values=(0.0, 0.5)).interval.low == 0.0
    assert Reproduction(entry(), REPRODUCED, values=(50.0,)).interval is None


def test_the_adding_problem_is_turned_into_a_squared_error(tmp_path):
    adding(tmp_path, 1.6)  # percent of the variance 1/6
    one = found(tmp_path, "Adding, T = 600: LSTM")
    assert one.verdict == REPRODUCED
    assert one.values == (pytest.approx(0.164),)
    adding(tmp_path, 99.9, model="rnn")
    one = found(tmp_path, "Adding, T = 600: RNN")
    assert (one.verdict, one.reason) == (BELOW, "which is better")


def test_another_length_is_shown_and_not_judged(tmp_path):
    adding(tmp_path, 97.0, length=200)
    one = found(tmp_path, "Adding, T = 600: LSTM")
    assert (one.verdict, one.values) == (INCOMPARABLE, (pytest.approx(0.005),))
    assert one.reason == "ours is at T = 200, published at 600"
    adding(tmp_path, 1.6, seed=1)
    assert found(tmp_path, "Adding, T = 600: LSTM").verdict == REPRODUCED  # what can be compared goes first


def test_extrapolation_is_the_mean_beyond_the_lengths_of_training(tmp_path):
    curve = [{"length": n, "score": s} for n, s in ((40, 0.0), (44, 100.0), (80, 90.0), (500, 80.0), (600, 0.0))]
    parity(tmp_path, 0.0, curve=curve)
    assert found(tmp_path, "Parity: LSTM").values == (90.0,)
    parity(tmp_path, 52.5, model="transformer")
    assert found(tmp_path, "Parity: transformer").verdict == REPRODUCED


def test_extrapolation_from_other_lengths_is_not_comparable(tmp_path):
    curve = [{"length": 22, "score": 50.0}, {"length": 80, "score": 50.0}]
    parity(tmp_path, 0.0, config={"task": {"length": 20}}, curve=curve)
    one = found(tmp_path, "Parity: LSTM")
    assert (one.verdict, one.reason) == (INCOMPARABLE, "ours is trained up to 20 and asked up to 80")


def test_reversing_eight_symbols_is_not_reversing_two(tmp_path):
    parity(tmp_path, 62.0)
    row(tmp_path, "extrapolate", "rnn", "synthetic.reverse", config={"task": {"length": 40}},
        curve=[{"length": 500, "score": 62.0}])  # fmt: skip
    one = found(tmp_path, "Reverse string: RNN")
    assert one.verdict == INCOMPARABLE
    assert "floor 12.5 %" in one.reason


def test_recall_counts_at_four_pairs_and_the_published_size(tmp_path):
    mqar(tmp_path, 99.0)
    assert found(tmp_path, "Recall (MQAR), 4 pairs in 64 symbols: attention").verdict == REPRODUCED
    for n, other in enumerate(({"width": 128}, {"length": 128}, {"vocabulary": 64}, {"queries": 8}, {"again": None})):
        mqar(tmp_path / str(n), 99.0, **other)
        one = found(tmp_path / str(n), "Recall (MQAR), 4 pairs in 64 symbols: attention")
        ((name, value),) = other.items()
        assert (one.verdict, one.reason) == (INCOMPARABLE, f"ours has {name} {value or 'not told'}")
    mqar(tmp_path / "fewer", 99.0, pairs=3)
    assert found(tmp_path / "fewer", "Recall (MQAR), 4 pairs in 64 symbols: attention").verdict == ABSENT


def test_recall_in_an_older_form_is_shown_and_never_judged(tmp_path):
    mqar(tmp_path, 99.2, queries=8, pause=1)
    one = found(tmp_path, "Recall (MQAR), 4 pairs in 64 symbols: attention")
    assert (one.verdict, one.values) == (INCOMPARABLE, (99.2,))
    assert one.reason.startswith("ours is an older form of the task")
    mqar(tmp_path, 99.0)
    assert found(tmp_path, "Recall (MQAR), 4 pairs in 64 symbols: attention").values == (99.0,)


def test_the_loss_of_copying_is_spread_over_all_steps_as_the_published_one_is(tmp_path):
    guess = math.log(8) * 10 / 11  # nats a token, the end of the answer known
    for seed in range(3):
        row(tmp_path, "span", "lstm", "synthetic.copy", seed, config={"probe": {"along": "length"}},
            curve=[{"length": 1000, "score": 12.6}], metrics={"x": 1.0, "loss_1000": guess})  # fmt: skip
    one = found(tmp_path, "Copy memory, T = 1,000: LSTM")
    assert (one.verdict, one.metric) == (REPRODUCED, "")
    assert one.values[0] == pytest.approx(0.0204, abs=5e-5)
    assert cells(one)[2] == Cell("0.0204", note="0.0204–0.0204, n = 3")


@pytest.mark.parametrize("name", ["gru.py", "tests/own/gru.py", "GRU.py", "gru"])
def test_a_gru_of_ones_own_answers_for_the_published_one(tmp_path, name):
    adding(tmp_path, 99.9, model=name)
    one = found(tmp_path, "Adding, T = 600: GRU")
    assert (one.verdict, one.values) == (REPRODUCED, (pytest.approx(0.1 / 600),))
    assert "--models tests/own/gru.py" in one.published.command


@pytest.mark.parametrize("name", ["bigru.py", "mingru", "gru_two.py", "gru.py:other"])
def test_a_model_that_is_only_called_nearly_so_is_no_gru(tmp_path, name):
    adding(tmp_path, 99.9, model=name)
    assert found(tmp_path, "Adding, T = 600: GRU").verdict == ABSENT


def test_copying_without_a_loss_is_shown_as_what_it_is(tmp_path):
    row(tmp_path, "span", "lstm", "synthetic.copy", config={"probe": {"along": "length"}},
        curve=[{"length": 1, "score": 100.0}, {"length": 100, "score": 12.6}])  # fmt: skip
    one = found(tmp_path, "Copy memory, T = 1,000: LSTM")
    assert (one.verdict, one.values) == (INCOMPARABLE, (12.6,))
    assert cells(one)[2] == Cell("12.6", note="n = 1; accuracy, %")


def test_tokenised_bleu_is_not_sacrebleu(tmp_path):
    row(tmp_path, "quality", "bahdanau", "translation", config={"task": TEST_2016}, metrics={"bleu": 30.0}, main="bleu")
    one = found(tmp_path, "Multi30k de-en, test 2016: GRU with additive attention")
    assert (one.verdict, one.values) == (INCOMPARABLE, (30.0,))
    assert "sacrebleu" in one.reason


def test_sacrebleu_in_lower_case_on_iwslt_is_judged(tmp_path):
    told = {"pair": "de-en", "test": "test", "lower": True}
    for seed, score in enumerate((33.6, 33.7, 33.8)):
        row(tmp_path, "quality", "transformer", "translation", seed, config={"task": told, "data": "/a/IWSLT14"},
            metrics={"bleu": score}, main="bleu")  # fmt: skip
    assert found(tmp_path, "IWSLT14 de-en: transformer").verdict == REPRODUCED
    assert found(tmp_path, "IWSLT14 de-en: RNN with attention").verdict == ABSENT
    assert found(tmp_path, "Multi30k de-en, test 2016: transformer, 9 M parameters").verdict == ABSENT


def test_utilisation_counts_on_the_gpu_that_was_published_and_at_its_size(tmp_path):
    def speed(run: Path, **told: Any) -> str:
        metrics = {"flops_per_second": 0.4 * 989.4e12, "parameters_total": 2e8, **told.pop("metrics", {})}
        where = {"device": told.pop("device", "NVIDIA H100 80GB HBM3")}
        row(run, "throughput", "transformer", "tokens", metrics=metrics, main="flops_per_second", environment=where,
            config={"precision": "bfloat16"} | told)  # fmt: skip
        return found(run, "Utilisation (MFU) in training, H100: larger transformers").verdict

    assert speed(tmp_path / "1") == REPRODUCED
    assert speed(tmp_path / "2", metrics={"parameters_total": 1e6}) == INCOMPARABLE
    assert speed(tmp_path / "3", device="cpu") == ABSENT
    assert speed(tmp_path / "4", metrics={"had_company": 1}) == ABSENT
    assert speed(tmp_path / "5", precision="float32") == ABSENT


def test_rows_that_answer_something_else_never_count(tmp_path):
    adding(tmp_path, 1.6, config={"task": {"form": "tokens"}, "probe": {"along": "length"}})
    adding(tmp_path, 1.6, model="echo_state")
    adding(tmp_path, 1.6, model="file.py:mine")
    row(tmp_path, "span", "lstm", "synthetic.recall", config={"probe": {"along": "length"}},
        curve=[{"length": 600, "score": 1.6}])  # fmt: skip
    row(tmp_path, "scaling", "lstm", "synthetic.adding", curve=[{"length": 600, "score": 1.6}])
    row(tmp_path, "quality", "lstm", "translation", config={"task": {"pair": "en-es", "test": ""}},
        metrics={"bleu": 13.8}, main="bleu")  # fmt: skip
    row(tmp_path, "quality", "lstm", "translation", config={"task": TEST_2016 | {"pair": "fr-en"}},
        metrics={"bleu": 13.8}, main="bleu")  # fmt: skip
    row(tmp_path, "quality", "lstm", "sentiment", metrics={"accuracy": 85.9}, main="accuracy")
    row(tmp_path, "quality", "transformer", "translation", config={"data": "/a/iwslt", "task": {"pair": "de-en"}},
        metrics={"bleu": 33.7}, main="bleu")  # fmt: skip
    append(tmp_path, Result("span", "lstm", "synthetic.adding", 0, "failed", {}, "x", "no room", id="lost"))
    assert {one.verdict for one in reproduced(gather([tmp_path]))} == {ABSENT}
    assert reproduction.sections(gather([tmp_path]), parts.USUAL) == []


def test_settings_are_not_mixed_and_those_with_most_seeds_stand_whatever_they_score(tmp_path):
    for seed in range(3):
        parity(tmp_path, 60.0 + seed, seed)
    parity(tmp_path, 100.0, 0, config={"task": {"length": 40}, "model": {"hidden": 128}})
    one = found(tmp_path, "Parity: LSTM")
    assert one.values == (60.0, 61.0, 62.0)
    assert "hidden 64" in one.settings
    assert "of 2 such settings" in one.settings


def test_of_as_many_seeds_the_longer_training_stands_and_remarks_make_no_other_settings(tmp_path):
    adding(tmp_path, 1.0, budget={"updates": 10}, config={"probe": {"along": "length"}, "notes": {"span": "a"}})
    adding(tmp_path, 2.0, budget={"updates": 20}, config={"probe": {"along": "length"}, "notes": {"span": "b"}})
    adding(tmp_path, 3.0, seed=1, budget={"updates": 20}, config={"probe": {"along": "length"}, "notes": {}})
    one = found(tmp_path, "Adding, T = 600: LSTM")
    assert len(one.values) == 2
    assert "20 updates" in one.settings


def cells(one: Reproduction) -> tuple[Cell, ...]:
    """The line of the table."""
    return reproduction._table("Topic", [one]).rows[0]


def test_the_table_shows_ours_with_n_and_interval_and_one_seed_says_so(tmp_path):
    for seed, explained in enumerate((1.0, 2.0, 3.0)):
        adding(tmp_path, explained, seed)
    one = found(tmp_path, "Adding, T = 600: LSTM")
    assert cells(one)[2] == Cell("0.163", note="0.159–0.167, n = 3")
    adding(tmp_path / "one", 1.6)
    assert cells(found(tmp_path / "one", "Adding, T = 600: LSTM"))[2] == Cell("0.164", note="n = 1")


def test_the_best_of_seeds_is_shown_with_their_mean(tmp_path):
    for seed, score in enumerate((50.0, 60.0, 100.0)):
        parity(tmp_path, score, seed)
    shown = cells(found(tmp_path, "Parity: LSTM"))
    assert shown[2] == Cell("100.0", note="best of 3; mean 70.0, 4.3–100.0, n = 3")
    assert shown[3] == Cell(REPRODUCED, strong=True)
    assert "asked at 44, 80, 160 and 500" in shown[4].text


def test_the_lead_counts_every_verdict_and_every_number_has_a_row(tmp_path):
    adding(tmp_path, 1.6)
    adding(tmp_path, 97.0, length=200, model="rnn")
    stored = gather([tmp_path])
    n = len(PUBLISHED)
    assert reproduction.explained(stored).startswith(
        f"Of {n} published numbers 1 is reproduced, 1 is not comparable and {n - 2} are not run."
    )
    sections = reproduction.sections(stored, parts.USUAL)
    assert sum(len(table.rows) for section in sections for table in section.tables) == n
    assert [section.title for section in sections] == [*dict.fromkeys(p.topic for p in PUBLISHED)]


NUMBERS = {  # as they were handed down
    "Multi30k": (13.8, 20.6, 28.3, 33.5, 34.1, 36.5),
    "IWSLT14": (30.74, 33.73),
    "WMT14": (17.82, 26.75, 28.45, 27.3, 28.4),
    "IMDB": (85.9, 87.0, 51.0),
    "Sentence polarity": (76.0,),
    "Adding": (0.164, 5.3e-5, 0.177),
    "Copy memory": (0.0204, 0.0197, 0.0202),
    "Sequential MNIST": (87.2, 96.2, 21.5),
    "Parity": (100, 100, 52.0),
    "Reverse": (62.0, 60.9, 62.3),
    "Modular": (100, 100, 24.2),
    "Stack": (56.0, 59.1, 57.5),
    "Duplicate": (50.3, 57.6, 52.8),
    "Recall": (99.2,),
    "COCO": (27.7, 24.3),
    "Utilisation": (40, 26),
    "Fused": (10,),
}


def test_every_published_number_is_there_and_no_two_are_called_alike():
    for begin, numbers in NUMBERS.items():
        assert tuple(p.low for p in PUBLISHED if p.what.startswith(begin) and not p.said.startswith("att")) == numbers
    assert len(PUBLISHED) == sum(map(len, NUMBERS.values())) + 1  # and one that is no number
    assert max(Counter(p.what for p in PUBLISHED).values()) == 1


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda p: p.what)
def test_every_entry_says_where_it_comes_from_and_what_it_would_take(published):
    assert published.source
    assert published.metric
    assert published.low <= published.high
    assert lacks(published)
    assert published.ours is None or published.command
    assert published.ours is None or published.tolerance > 0


@pytest.mark.parametrize("command", sorted({p.command for p in PUBLISHED if p.command}))
def test_every_command_names_a_suite_a_variant_and_models_that_exist(command):
    program, verb, suite, *given = shlex.split(command)
    assert (program, verb) == ("seqbench", "run")
    told: dict[str, list[str]] = {}
    for option, value in zip(given[::2], given[1::2], strict=True):
        told.setdefault(option, []).append(value)
    assert told.keys() <= {"--variant", "--models", "--tasks", "--data", "--set", "--seeds", "--device"}
    trials = suites.load(suite)
    assert trials
    models, asked = (told[name][0].split(",") if name in told else None for name in ("--models", "--tasks"))
    own = [name for name in models or [] if name.endswith(".py")]
    assert all(Path(__file__).parents[1].joinpath(name).is_file() for name in own)
    assert {*(models or [])} - {*own} <= {*suites.FAMILIES}
    assert {*(asked or [])} <= {*tasks.names()}
    trials = suites.reshaped(trials, models, asked, None)
    trials = typed.of_variant(trials, told.get("--variant", [""])[0])
    trials = suites.fed(trials, typed.own_data(told.get("--data", []), trials))
    for setting in told.get("--set", []):
        trials = typed.changed(trials, setting)
    assert {trial.model for trial in trials if trial.probe != "floor"} >= {*(models or [])}


@pytest.mark.parametrize("published", [p for p in PUBLISHED if p.ours], ids=lambda p: p.what)
def test_every_entry_asks_for_rows_of_a_probe_and_task_that_its_command_runs(published):
    suite = shlex.split(published.command)[2]
    ran = {(trial.probe, trial.task, trial.model) for trial in suites.load(suite) or []}
    model = "lstm" if published.ours.model == GRU else published.ours.model  # somebody's file joins where one runs
    assert (published.ours.probe, published.ours.task, model) in ran


ODD: list[Any] = [
    None,
    "text",
    7,
    [],
    {},
    [[]],
    [None],
    [{"length": "600", "score": []}],
    {"rates": [None, "a", 1e400]},
]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_fields_of_the_wrong_type_do_no_harm(tmp_path, odd):
    for stores in (adding, parity):
        stores(tmp_path / "aside", 1.6)
    lines = (tmp_path / "aside" / record.RESULTS).read_text("utf-8").splitlines()
    unsealed = [{k: v for k, v in json.loads(line).items() if k not in ("after", "sum")} for line in lines]
    tmp_path.joinpath("run").mkdir()
    with (tmp_path / "run" / record.RESULTS).open("w") as file:
        for n, stored in enumerate(one | {"schema": 1} for one in unsealed):
            for name in ("config", "curve", "environment", "budget", "metrics"):
                if isinstance(odd, type(stored[name])):
                    file.write(json.dumps(stored | {name: odd, "id": f"{n}{name}"}).replace("Infinity", "7") + "\n")
            for name in ("model", "task", "probe", "notes", "data"):
                changed = stored | {"config": stored["config"] | {name: odd}, "id": f"{n}config {name}"}
                file.write(json.dumps(changed).replace("Infinity", "7") + "\n")
    stored = gather([tmp_path / "run"])
    assert len(stored.rows) >= 8
    assert len(reproduced(stored)) == len(PUBLISHED)
    reproduction.sections(stored, parts.USUAL)


@pytest.mark.parametrize("odd", [1e308, -1e308, 5e-324, 1e18, -3.0])
def test_absurd_numbers_do_no_harm(tmp_path, odd):
    for seed in range(3):
        adding(tmp_path, odd, seed)
        parity(tmp_path, odd, seed)
        mqar(tmp_path, odd, seed=seed)
    adding(tmp_path, 1.6, length=int(abs(odd)) or 5, model="rnn", budget={"updates": odd})
    stored = gather([tmp_path])
    assert reproduction.sections(stored, parts.USUAL) or {one.verdict for one in reproduced(stored)} == {ABSENT}


@pytest.mark.parametrize("said", HOSTILE[:20], ids=range(20))
def test_hostile_texts_stay_short_and_on_one_line(tmp_path, said):
    config = {"task": {"length": 40, said: said}, "model": {said: said, "hidden": said}, said: said}
    parity(tmp_path, 100.0, config=config, environment={"device": said})
    one = found(tmp_path, "Parity: LSTM")
    assert one.verdict == REPRODUCED
    assert len(one.settings) <= 200
    assert not re.search(r"[\x00-\x1f\u2028\u202e]", one.settings)


def test_the_same_task_in_two_settings_is_the_same_task(tmp_path):
    mqar(tmp_path, 99.0)
    mqar(tmp_path, 50.0, length=128)
    assert found(tmp_path, "Recall (MQAR), 4 pairs in 64 symbols: attention").values == (99.0,)


def test_an_entry_of_ones_own_is_judged_like_the_others(tmp_path):
    row(tmp_path, "span", "lstm", "a task", metrics={"x": 81.0}, main="x")
    mine = entry(ours=Ours("span", "a task", "lstm", lambda one: Taken(one.result.metrics["x"])))
    (one,) = reproduced(gather([tmp_path]), [mine])
    assert (one.verdict, one.values) == (REPRODUCED, (81.0,))
    assert reproduced(Stored((), {}, 0, 0), [mine])[0].verdict == ABSENT


def test_the_page_and_its_markdown_show_the_comparison_where_there_is_one_and_nothing_else_does(tmp_path):
    adding(tmp_path / "run", 1.6)
    folder = write([tmp_path / "run"], tmp_path / "page").parent
    inert(folder)
    markdown = (folder / "report.md").read_text("utf-8")
    inert_markdown(markdown)
    for shown in (text(folder), re.sub(r"[()|*]", "", markdown)):
        told = " ".join(shown.split())
        assert f"Of {len(PUBLISHED)} published numbers 1 is reproduced and {len(PUBLISHED) - 1} are not run." in told
        assert "mean squared error; tolerance 0.01 0.164 n = 1 reproduced" in told
        assert "seqbench run long --variant adding --models rnn --set probe.lengths=600" in told
    floor(tmp_path / "other", "dictionary", "translation", 3.0)
    assert "published number" not in text(write([tmp_path / "other"], tmp_path / "page").parent)
