"""The contract of a comparison: what is unequal is named, what is not told is not taken for equal."""

from __future__ import annotations

import dataclasses
import json
import sys
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from bench import cli
from bench.record import Result, append, store
from bench.statistics import deviations, gap, power
from reports import ReportError, words
from reports.compare import compare
from reports.page.html import write
from reports.rows.stored import gather
from reports.scores import pairs, settling, tables
from reports.scores.checklist import Item
from tests.test_report import HOSTILE, inert, text

ITEMS = 40
MODELS = {"rnn": 0.5, "lstm": 0.7, "transformer": 0.9}
MADE = {"data": "ab" * 32, "bench/train.py": "1", "tasks/sentiment.py": "2"}


def answers(run: Path, name: str, share: float, seed: int) -> tuple[dict[str, dict[str, str]], float]:
    """Stored answers to yes-or-no items, and how many of them are right, %."""
    right = np.random.default_rng([seed, int(share * 100)]).random(ITEMS) < share
    scores = [100.0 * bool(r) for r in right]
    items = [
        {"item": i, "source": "s", "picture": None, "reference": "a", "answer": "a", "scores": {"accuracy": s}}
        for i, s in enumerate(scores)
    ]
    kept = store(run, name, "answers.json", json.dumps({"items": items}).encode())
    return {"answers": kept}, float(np.mean(scores))


def trial(run: Path, model: str, seed: int = 0, config: dict[str, object] | None = None, **changes: object) -> Result:
    """Stores a trial whose row tells everything, and is equal to the others but for what is changed."""
    name = f"{words.digest(model)}-{seed}"
    artifacts, value = answers(run, name, MODELS.get(model, 0.6), seed)
    row = Result(
        probe="quality", model=model, task="sentiment", seed=seed, status="ok", main="accuracy",
        metrics={"accuracy": value, "parameters_total": 1_000_000, "had_company": 0},
        signatures={"accuracy": "share of right labels"},
        config={
            "model": {"hidden": 7}, "task": {"tokenizer": "bpe", "vocabulary": 500}, "batch": 8, "beam": 1,
            "learning": {"rate": 0.1, "precision": "float32"}, "selection": "validation", "data": None,
            "tuned": {"trials": 20, "budget": {"updates": 50}, "space": model, "study": "study of June"},
        } | (config or {}),
        budget={"updates": 700, "used": {"updates": 700, "examples": 5600, "tokens": 90_000, "seconds": 30.0}},
        environment={
            "device": "cpu", "processor": "Example", "threads": 2, "libraries": {"torch": "2.13.0", "numpy": "2.4.6"},
        },
        made_of=MADE | {f"models/{model}.py": model}, artifacts=artifacts, suite="quick",
        command=f"seqbench run quick {model} --seed {seed}", id=name,
    )  # fmt: skip
    row = dataclasses.replace(row, **changes)
    append(run, row)
    return row


def fill(run: Path, seeds: int = 3, models: dict[str, float] = MODELS) -> Path:
    for model in models:
        for seed in range(seeds):
            trial(run, model, seed)
    return run


def items(*runs: Path) -> dict[str, Item]:
    """The checklist of the one comparison that these runs hold, by name."""
    (one,) = compare.compare(runs).comparisons
    return {item.name: item for item in one.items}


@pytest.fixture
def seqbench(monkeypatch, capfd):
    def call(*typed):
        monkeypatch.setattr(sys, "argv", ["seqbench", *map(str, typed)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capfd.readouterr()
        return int(stop.value.code or 0), out, err

    return call


def unequal(run: Path, **changes: object) -> Path:
    """Two equal models, and one with something else."""
    fill(run, seeds=2, models={"rnn": 0.5, "lstm": 0.7})
    for seed in range(2):
        trial(run, "transformer", seed, **changes)
    return run


def other_tokenizer(run):
    config = {"task": {"tokenizer": "word", "vocabulary": 900}}
    return unequal(run, config=config, made_of=MADE | {"data": "cd" * 32})


def other_data(run):
    return unequal(run, made_of=MADE | {"data": "cd" * 32})


def own_data(run):
    return unequal(run, config={"data": "../films"}, made_of=MADE | {"data": "cd" * 32})


def other_beam(run):
    return unequal(run, config={"beam": 4})


def other_budget(run):
    return unequal(run, budget={"updates": 1400, "used": {"updates": 1400, "examples": 11200, "seconds": 61.0}})


def other_torch_in_one_seed(run):
    fill(run, seeds=2)
    environment = {"device": "cpu", "processor": "Example", "threads": 2, "libraries": {"torch": "2.11.0"}}
    trial(run, "lstm", 1, environment=environment, id="another")
    return run


def failed_seed(run):
    trial(fill(run), "lstm", 3, status="diverged", metrics={}, main="", reason="the loss is nan", artifacts={})
    return run


def fewer_seeds(run):
    trial(fill(run, seeds=2), "lstm", 2)
    return run


def other_signature(run):
    return unequal(run, signatures={"accuracy": "share of right labels, ties count half"})


UNFAIR = {
    "data": (other_data, "checksum abababab…", "--data"),
    "tokenizer and task settings": (other_tokenizer, "vocabulary 900", "--set task"),
    "decoding": (other_beam, "beam of 4: transformer", "--set beam"),
    "budget allowed": (other_budget, "1,400 updates: transformer", "--set updates"),
    "every seed gave a number": (failed_seed, "LSTM, seed 3: diverged", "--retry"),
    "same seeds, equally many": (fewer_seeds, "LSTM 0, 1 and 2", "--seeds 3"),
    "metric": (other_signature, "ties count half: transformer", "--metric"),
    "torch version": (other_torch_in_one_seed, "2.11.0: LSTM", "with one version"),
}


@pytest.mark.parametrize("name", UNFAIR)
def test_an_unfair_comparison_is_refused_in_one_line_that_says_how_to_mend_it(name, seqbench, tmp_path):
    make, told, mend = UNFAIR[name]
    code, out, err = seqbench("compare", make(tmp_path / "run"), "--strict")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("seqbench: Sentiment is no fair comparison: ")
    assert name in err
    assert told in err
    assert mend in err


@pytest.mark.parametrize("name", UNFAIR)
def test_without_strict_the_table_says_on_its_face_what_is_not_equal(name, seqbench, tmp_path):
    make, told, _ = UNFAIR[name]
    code, out, _ = seqbench("compare", make(tmp_path / "run"))
    assert code == 0
    face, checked = out.split("Fairness checklist:")
    assert "! Not equal here: " in face
    row = next(line for line in checked.splitlines() if name in line)
    assert "broken" in row
    assert told in row


def test_where_all_is_kept_it_says_so_and_strict_has_nothing_to_refuse(seqbench, tmp_path):
    fill(tmp_path / "run")
    code, out, _ = seqbench("compare", tmp_path / "run", "--strict")
    assert code == 0
    assert "Fairness checklist: 17 kept, 0 broken, 0 not told" in out
    assert "Not equal here" not in out
    assert {item.state for item in items(tmp_path / "run").values()} == {"kept"}


def test_models_with_other_tokenizers_or_data_never_stand_in_one_table(tmp_path):
    for make in (other_tokenizer, other_data, own_data):
        (one,) = compare.compare([make(tmp_path / make.__name__)]).comparisons
        stood = [{line.model for line in part.lines} for part in one.tables]
        assert sorted(map(len, stood)) == [1, 2]
        assert {"transformer"} in stood
        assert not any("transformer" in (p.better.model, p.worse.model) for part in one.tables for p in part.pairs)


def test_a_part_that_the_refusal_names_can_be_compared_alone(seqbench, tmp_path):
    _, _, err = seqbench("compare", other_tokenizer(tmp_path / "run"), "--strict")
    part = next(told for told in err.split("'") if told.startswith("sentiment:") and "500" in told)
    code, out, _ = seqbench("compare", tmp_path / "run", "--strict", "--task", part)
    assert code == 0
    assert "transformer" not in out
    assert "LSTM over vanilla RNN" in out


def test_the_same_models_on_two_tasks_are_two_fair_comparisons(tmp_path):
    fill(tmp_path / "run", seeds=2)
    for model in MODELS:
        for seed in range(2):
            config = {"task": {"tokenizer": "word", "vocabulary": 900}}
            trial(tmp_path / "run", model, seed, config, made_of=MADE | {"data": "cd" * 32}, id=f"{model}{seed}w")
    found = compare.compare([tmp_path / "run"], strict=True).comparisons
    assert len(found) == 2
    assert all(len(one.tables) == 1 and len(one.tables[0].pairs) == 3 for one in found)


def test_a_seed_that_failed_and_was_run_again_is_no_failure(tmp_path):
    trial(tmp_path / "run", "lstm", 1, status="failed", metrics={}, reason="out of memory")
    fill(tmp_path / "run")
    assert items(tmp_path / "run")["every seed gave a number"].state == "kept"


def test_a_model_that_never_gave_a_number_is_named_too(tmp_path):
    fill(tmp_path / "run", models={"rnn": 0.5, "lstm": 0.7})
    trial(tmp_path / "run", "transformer", 0, status="failed", metrics={}, reason="out of memory")
    item = items(tmp_path / "run")["every seed gave a number"]
    assert item.unfair
    assert "transformer, seed 0: failed" in item.said


def test_equally_many_but_other_seeds_are_named_and_not_refused(tmp_path):
    fill(tmp_path / "run", seeds=2, models={"rnn": 0.5})
    trial(tmp_path / "run", "lstm", 5)
    trial(tmp_path / "run", "lstm", 6)
    item = items(tmp_path / "run")["same seeds, equally many"]
    assert (item.state, item.unfair) == ("broken", False)
    compare.compare([tmp_path / "run"], strict=True)


def test_rows_that_do_not_tell_are_not_taken_for_equal(tmp_path):
    for model in MODELS:
        row = Result("quality", model, "sentiment", 0, "ok", {"accuracy": 50.0}, "accuracy", id=model)
        append(tmp_path / "run", row)
    states = {name: item.state for name, item in items(tmp_path / "run").items()}
    seen = {"every seed gave a number", "same seeds, equally many"}
    assert {name for name, state in states.items() if state == "kept"} == seen
    assert {state for name, state in states.items() if name not in seen} == {"not told"}


def test_one_row_that_does_not_tell_is_named(tmp_path):
    fill(tmp_path / "run", seeds=1)
    trial(tmp_path / "run", "gru", 0, environment={})
    assert items(tmp_path / "run")["threads"].said == "the rows of GRU do not say"


@pytest.mark.parametrize(
    ("changes", "name", "said"),
    [
        ({"metrics": {"accuracy": 50.0, "parameters_total": 3_900_000}}, "parameters", "1 to 3.9 million"),
        ({"environment": {"threads": 1}}, "threads", "1: transformer"),
        ({"environment": {"libraries": {"torch": "2.11.0"}}}, "torch version", "2.11.0: transformer"),
        ({"environment": {"processor": "Other", "device": "cuda"}}, "device", "Other, cuda: transformer"),
        ({"config": {"learning": {"precision": "bfloat16"}}}, "precision", "bfloat16: transformer"),
        ({"config": {"tuned": {}}}, "tuning", "set by hand: transformer"),
        ({"config": {"tuned": {"trials": 5, "budget": {"updates": 50}}}}, "tuning", "5 trials of 50 updates"),
        ({"made_of": MADE | {"bench/train.py": "3"}}, "code", "bench/train.py"),
        ({"metrics": {"accuracy": 50.0, "had_company": 1}}, "quiet clock", "beside transformer"),
        ({"config": {"selection": "test"}}, "chosen on validation, tested once", "transformer: test"),
        ({"budget": {"updates": 700, "used": {"updates": 140}}}, "budget spent", "updates 140 to 700"),
    ],
)
def test_what_differs_is_named_with_its_values(changes, name, said, tmp_path):
    item = items(unequal(tmp_path / "run", **changes))[name]
    assert item.state == "broken"
    assert said in item.said


def test_settings_by_hand_for_every_model_are_not_told_since_nobody_counted(tmp_path):
    for model in MODELS:
        trial(tmp_path / "run", model, config={"tuned": {}})
    assert items(tmp_path / "run")["tuning"].state == "not told"


def test_other_numbers_of_updates_that_come_to_the_same_examples_are_one_budget(tmp_path):
    unequal(tmp_path / "run", budget={"updates": 350, "used": {"updates": 350, "examples": 5600, "seconds": 80.0}})
    item = items(tmp_path / "run")["budget allowed"]
    assert item.state == "kept"
    assert "equal in examples" in item.said


def test_the_axes_that_came_out_equal_are_told(tmp_path):
    used = {"updates": 700, "examples": 5600, "tokens": 90_000, "seconds": 61.0}
    unequal(tmp_path / "run", budget={"updates": 700, "used": used})
    assert items(tmp_path / "run")["budget spent"].said == (
        "equal in updates, examples and tokens; not equal: seconds 30 to 61"
    )


def matched(reached: float, reason: str = "") -> dict[str, object]:
    off = reached / 1e6 - 1
    told = {"measure": "parameters_total", "goal": 1_000_000, "reached": reached, "off": off, "reason": reason}
    return {"matched": told}


def test_a_matched_size_is_kept_within_a_twentieth_and_broken_with_its_reason_beyond(tmp_path):
    for model, reached in {"rnn": 1_010_000, "lstm": 960_000}.items():
        trial(tmp_path / "near", model, config=matched(reached))
        trial(tmp_path / "far", model, config=matched(reached))
    trial(tmp_path / "far", "echo_state", config=matched(1_300_000, "units come in hundreds"))
    assert items(tmp_path / "near")["size"].said == "matched by parameters total, 1,000,000: at most 4.0 % off"
    item = items(tmp_path / "far")["size"]
    assert item.state == "broken"
    assert "echo-state network 30 % off (units come in hundreds)" in item.said


def test_how_settings_were_found_makes_no_other_configuration(tmp_path):
    trial(tmp_path / "run", "lstm", 0, config=matched(1_000_000))
    trial(tmp_path / "run", "lstm", 1, config={"tuned": {}, "selection": ""})
    (line,) = tables.lines(gather([tmp_path / "run"]), "sentiment")
    assert len(line.rows) == 2


def test_seeds_that_draw_order_and_weights_make_no_other_configuration_unless_they_were_asked_for(tmp_path):
    for seed in range(3):
        drawn_by = {"order": seed, "initial": seed}
        trial(tmp_path / "run", "lstm", seed, {"seeds": drawn_by, "asked": {"learning": {}, "seeds": {}}})
        held = {"seeds": drawn_by | {"order": 0}, "asked": {"learning": {}, "seeds": {"order": 0}}}
        trial(tmp_path / "run", "lstm", seed, held, id=f"held-{seed}")
    found = tables.lines(gather([tmp_path / "run"]), "sentiment")
    assert [len(line.rows) for line in found] == [3, 3]


def test_other_seeds_are_seen_beyond_those_that_are_printed(tmp_path):
    for seed in range(16):
        trial(tmp_path / "run", "lstm", seed)
        trial(tmp_path / "run", "rnn", seed if seed < 14 else seed + 90)
    assert items(tmp_path / "run")["same seeds, equally many"].state == "broken"


def test_several_folders_are_compared_together_and_unlike_environments_come_first(seqbench, tmp_path):
    fill(tmp_path / "here", seeds=2, models={"rnn": 0.5})
    for seed in range(2):
        trial(tmp_path / "there", "lstm", seed, environment={"threads": 1, "libraries": {"torch": "2.11.0"}})
    code, out, _ = seqbench("compare", tmp_path / "here", tmp_path / "there")
    assert code == 0
    first = out.splitlines()[0]
    assert first.startswith("The trials ran in unlike environments: ")
    assert "threads 1 and 2" in first
    assert "torch 2.11.0 and 2.13.0" in first
    assert "LSTM over vanilla RNN" in out


def test_what_is_printed_as_json_is_json_with_every_number(seqbench, tmp_path):
    failed_seed(tmp_path / "run")
    code, out, _ = seqbench("compare", tmp_path / "run", "--json")
    (one,) = json.loads(out)["comparisons"]
    assert code == 0
    assert not one["fair"]
    assert [line["seeds"] for line in one["tables"][0]["lines"]] == [[0, 1, 2]] * 3
    assert len(one["tables"][0]["pairs"]) == 3
    assert len(one["checklist"]) == 17


def test_mistakes_are_one_line(seqbench, tmp_path):
    fill(tmp_path / "run", seeds=1)
    for typed, told in {
        ("--task", "poetry"): "expected 'sentiment'",
        ("--metric", "parameters_total"): "expected accuracy",
    }.items():
        code, out, err = seqbench("compare", tmp_path / "run", *typed)
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 1
        assert told in err
    append(tmp_path / "floors", Result("floor", "majority", "sentiment", 0, "ok", {"accuracy": 50.0}, "accuracy"))
    with pytest.raises(ReportError, match="no trained model"):
        compare.compare([tmp_path / "floors"])


def test_hostile_rows_stay_inert_on_the_page_and_in_the_terminal(seqbench, tmp_path):
    nasty = "\x1b[31m" + HOSTILE
    evil = {"tuned": {"trials": 1e308, "budget": {nasty: 1}, "study": nasty}, "beam": nasty, "selection": nasty}
    evil |= {"matched": {"measure": nasty, "goal": 1, "reached": 9, "reason": nasty}, "provenance": nasty}
    fill(tmp_path / "run", seeds=1)
    for model in ("lstm", "rnn"):
        trial(tmp_path / "run", nasty + model, 0, evil, suite=nasty, made_of={nasty + ".py": nasty}, budget={nasty: 7})
    trial(tmp_path / "run", "odd", 0, {"tuned": [], "matched": 3, "task": 5, "learning": None, "selection": {}})
    inert(write([tmp_path / "run"], tmp_path / "page").parent)
    code, out, _ = seqbench("compare", tmp_path / "run")
    assert code == 0
    assert not [c for c in out if c != "\n" and not c.isprintable() and ord(c) < 0x2000]
    assert seqbench("compare", tmp_path / "run", "--json")[0] == 0


def test_the_page_says_under_the_table_what_is_not_equal_and_leads_to_the_checklist(tmp_path):
    unequal(tmp_path / "run", metrics={"accuracy": 50.0, "parameters_total": 3_900_000})
    folder = write([tmp_path / "run"], tmp_path / "page").parent
    page = (folder / "index.html").read_text("utf-8")
    assert "Not equal here: parameters (1 to 3.9 million)." in text(folder)
    assert 'href="#fairness-sentiment"' in page
    assert page.count('id="fairness-sentiment"') == 1
    assert "Not equal here: parameters (1 to 3.9 million)." in (folder / "report.md").read_text("utf-8")


def test_a_page_of_a_fair_comparison_has_a_checklist_and_no_warning(tmp_path):
    page = text(write([fill(tmp_path / "run")], tmp_path / "page").parent)
    assert "Sentiment: 17 kept, 0 broken, 0 not told" in page
    assert "Not equal" not in page


# Two by two


def closed(ps):
    """Bonferroni's test of every set that holds a hypothesis (Marcus, Peritz and Gabriel, 1976): what Holm shortens."""
    sets = [chosen for size in range(1, len(ps) + 1) for chosen in combinations(range(len(ps)), size)]
    return [max(min(1, len(s) * min(ps[i] for i in s)) for s in sets if one in s) for one in range(len(ps))]


def test_holm_is_the_closed_test_of_bonferroni():
    random = np.random.default_rng(3)
    for n in range(1, 8):
        ps = [*map(float, random.random(n) ** 4)]
        assert pairs.holm(ps) == pytest.approx(closed(ps))
    assert pairs.holm([0.01, None, 0.03]) == [0.02, None, 0.03]


def test_a_pair_is_tested_over_seeds_and_items_and_corrected(tmp_path):
    lines = tables.lines(gather([fill(tmp_path / "run", seeds=4)]), "sentiment")
    found = pairs.pairs(lines)
    ps = [
        float(gap(a.items.table, b.items.table).p)
        if a.items
        else float(stats.ttest_ind(a.values, b.values, equal_var=False).pvalue)
        for a, b in combinations(lines, 2)
    ]
    assert [p.p for p in found] == pytest.approx(closed(ps))
    for pair in found:
        wins = [(a > b) + 0.5 * (a == b) for a in pair.better.values for b in pair.worse.values]
        assert pair.effect == pytest.approx(np.mean(wins))
        assert pair.verdict == ("leads" if pair.p is not None and pair.p < 0.05 else "not separable")


def test_many_models_are_tested_against_the_best_alone(tmp_path):
    for model in "abcdefgh":
        trial(tmp_path / "run", model)
    found = pairs.pairs(tables.lines(gather([tmp_path / "run"]), "sentiment"))
    assert len(found) == 7
    assert len({pair.better for pair in found}) == 1


# What would settle it


def drawn(random, seeds, items, mean, over_seeds, over_items, luck):
    """Scores by seed and item, from seeds, items and what neither explains."""
    return (
        mean
        + random.normal(0, over_seeds, (seeds, 1))
        + over_items
        + random.normal(0, luck, (seeds, items))
    )  # fmt: skip


def test_the_stated_number_of_seeds_is_the_smallest_that_has_the_power():
    random = np.random.default_rng(0)
    one, other = (drawn(random, 5, 400, mean, 2.0, random.normal(0, 5, 400), 10) for mean in (60, 58.5))
    gap = float(one.mean() - other.mean())
    needed = settling.needed_seeds(one, other, gap)
    assert needed is not None
    found = deviations(one, other)

    def has(seeds):
        return power(gap, found.seeds, found.items, seeds, 400, rest_sd=found.rest)

    assert has(needed) >= 0.8 > has(needed - 1)


def test_so_many_seeds_do_show_the_difference_in_four_of_five_repetitions():
    random, gap, deviation = np.random.default_rng(1), 1.0, 1.5
    table = np.array([-1.0, 0.0, 1.0])[:, None] * deviation + np.zeros((3, 50))  # variance over seeds: deviation^2
    needed = settling.needed_seeds(table, table + gap, gap)
    assert needed is not None
    first, second = (random.normal(mean, deviation, (4000, needed)) for mean in (gap, 0))
    shown = stats.ttest_ind(first, second, axis=1).pvalue < 0.05
    assert 0.77 < shown.mean() < 0.84


def test_a_seeds_own_luck_with_an_item_is_no_variance_of_items():
    random, found = np.random.default_rng(2), []
    for _ in range(80):
        items, other_items = random.normal(0, 10, 300), np.zeros(300)
        one, other = drawn(random, 4, 300, 50, 1, items, 30), drawn(random, 4, 300, 48, 1, other_items, 30)
        found.append(settling.item_variance(one, other))
    assert np.mean(found) == pytest.approx(10**2 / 300, rel=0.2)  # with that luck left in it were 5.5 times as much


def test_where_the_items_are_too_few_no_number_of_seeds_is_promised():
    random = np.random.default_rng(4)
    one, other = (drawn(random, 3, 30, mean, 0.1, random.normal(0, 40, 30), 0.1) for mean in (50, 49))
    gap = 1.0
    assert settling.needed_seeds(one, other, gap) is None
    assert settling.needed_items(one, other, gap) > 1000
    with pytest.raises(ValueError, match="two seeds"):
        settling.needed_seeds(one[:1], other, gap)


def test_items_that_do_not_matter_are_never_said_to_be_too_few():
    scores = np.linspace(0, 90, 101) + np.array([[-5.0], [0.0], [5.0]])

    def line(table: np.ndarray) -> SimpleNamespace:
        values = tuple(table.mean(axis=1))
        items = SimpleNamespace(table=table)
        return SimpleNamespace(value=np.mean(values), values=values, rows=values, items=items)

    assert settling.needed_seeds(scores, scores - 0.001, 0.001) is None
    assert settling.said(line(scores), line(scores - 0.001)) == (
        "more than 100 seeds each would be needed to show a difference of this size"
    )


def test_pseudo_values_of_bleu_vary_over_items_as_the_bootstrap_says(tmp_path):
    from tests.test_report import trial as translated

    translated(tmp_path / "run", "lstm", "translation")
    (line,) = tables.lines(gather([tmp_path / "run"]), "translation")
    found = settling.table(line)
    assert found is not None
    assert found.mean() == pytest.approx(line.value, abs=0.02)
    assert line.resamples is not None
    assert np.var(found[0], ddof=1) / found.shape[1] == pytest.approx(np.var(line.resamples), rel=0.35)


def test_what_would_settle_it_stands_beside_what_is_not_separable(seqbench, tmp_path):
    for model in ("lstm", "gru"):
        for seed in range(3):
            trial(tmp_path / "run", model, seed)
    _, out, _ = seqbench("compare", tmp_path / "run")
    assert "not separable" in out
    said = ("would show a difference of this size", "would be needed")
    assert any(s in out for s in said)
    page = text(write([tmp_path / "run"], tmp_path / "page").parent)
    assert "are not separable" in page
    assert any(s in page for s in said)
