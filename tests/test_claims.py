"""Claims on trial: verdicts follow from intervals by a rule fixed beforehand, and only from what can be compared."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from scipy import stats
from typer.testing import CliRunner

from bench import suites, typed
from bench.cli import app
from bench.record import Result
from models import Model, load
from reports import claims
from reports.claims import (
    ABSENT,
    CHAPTERS,
    CONTRADICTED,
    INCONCLUSIVE,
    NEGLIGIBLE,
    SUPPORTED,
    Claim,
    Effect,
    Part,
    judged,
    together,
)
from reports.claims._evidence import Evidence, Pick, above, itself, metric, over, times
from reports.page.html import write
from reports.rows.stored import Row, Stored, gather
from reports.sections import on_trial

RUN = Path("somewhere")


def result(model: str, variant: str, seed: int, score: float, **told: Any) -> Result:
    """One trial of translation that scored so much."""
    config = {"model": {"hidden": 8, **told.pop("model_settings", {})}, "variant": variant, "batch": 4}
    fields = {"status": "ok", "metrics": {"bleu": score}, "main": "bleu", **told}
    config |= fields.pop("config", {})
    return Result("quality", model, "translation", seed, config=config, suite="claims", **fields)


def stored(*results: Result) -> Stored:
    return Stored(tuple(Row(RUN, one) for one in results), {}, 0, 0)


def scores(variant: str, *values: float, model: str = "transformer", **told: Any) -> list[Result]:
    return [result(model, variant, seed, value, **told) for seed, value in enumerate(values)]


def heads(eight: tuple[float, ...], one: tuple[float, ...]) -> Stored:
    """Runs of the claim about several heads."""
    return stored(
        *scores("multi head: 8", *eight, model_settings={"heads": 8}),
        *scores("multi head: 1", *one, model_settings={"heads": 1}),
    )


def trial(name: str, runs: Stored) -> claims.Tried:
    return claims.on_trial(name, claims.load(name), Evidence(runs))


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.51, 0.9, SUPPORTED),
        (0.5, 0.9, INCONCLUSIVE),
        (-0.3, -0.1, CONTRADICTED),
        (-0.3, 0.0, INCONCLUSIVE),
        (0.0, 0.5, NEGLIGIBLE),
        (0.1, 0.6, INCONCLUSIVE),
        (-0.1, 0.4, INCONCLUSIVE),
        (-9.0, 9.0, INCONCLUSIVE),
    ],
)
def test_a_verdict_follows_from_the_whole_interval_and_the_smallest_effect_worth_naming(low, high, verdict):
    assert judged(Effect((low + high) / 2, low, high, "3 seeds"), 0.5) == verdict


def test_of_a_ratio_no_effect_is_one():
    assert judged(Effect(0.9, 0.8, 0.99, ""), 1.1, none=1.0) == CONTRADICTED
    assert judged(Effect(1.05, 1.0, 1.1, ""), 1.1, none=1.0) == NEGLIGIBLE


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ([SUPPORTED, SUPPORTED], SUPPORTED),
        ([SUPPORTED, NEGLIGIBLE], NEGLIGIBLE),
        ([SUPPORTED, INCONCLUSIVE, NEGLIGIBLE], INCONCLUSIVE),
        ([SUPPORTED, ABSENT], ABSENT),
        ([CONTRADICTED, ABSENT], CONTRADICTED),
        ([CONTRADICTED, SUPPORTED, INCONCLUSIVE], CONTRADICTED),
        ([], ABSENT),
    ],
)
def test_a_claim_is_as_strong_as_its_weakest_part(parts, verdict):
    assert together(parts) == verdict


def test_there_are_25_claims_and_each_says_how_it_is_judged_and_what_would_measure_it():
    assert len(claims.names()) == 25
    for name in claims.names():
        claim = claims.load(name)
        assert claim.chapter in CHAPTERS, name
        assert claim.statement.endswith("."), name
        assert claim.measured.endswith("."), name
        assert claim.rule.endswith("."), name
        assert bool(claim.parts) != bool(claim.missing), name
        assert any(not part.beside for part in claim.parts) or claim.missing, name
        assert all(part.least >= part.none for part in claim.parts), name


@pytest.mark.parametrize("name", claims.names())
def test_the_command_of_a_claim_runs_trials_of_a_suite_and_all_its_rows_come_from_there(name):
    found = trial(name, stored(*scores("nothing of interest", 1.0, 2.0, 3.0)))
    assert found.verdict == ABSENT
    assert found.lacks
    if found.claim.missing:
        assert on_trial.command(found) == ""
        return
    known = set()
    for command in on_trial.command(found).split("; "):
        words = command.replace("'", "").split(" --variant ")
        suite, pattern = words[0].split()[-1], words[1].split(" --")[0]
        known |= {trial.variant for trial in typed.selected(suite, "", "", None, pattern, [], [])}
    asked = [one.lacks for one in found.found]
    assert all(lacks.startswith("no run of ") for lacks in asked)
    assert {lacks.split("“")[1].rstrip("”") for lacks in asked} <= known


def test_every_variant_of_the_suite_is_asked_for_by_a_claim():
    """Rows that no claim looks at would be paid for in vain."""
    names = [name.replace("_", " ") for name in claims.names()]
    assert {trial.variant.split(":")[0] for trial in suites.load("claims") or []} <= set(names)


def test_the_suite_compares_over_three_seeds_or_more():
    cells: dict[tuple[str, str], set[int]] = {}
    for one in suites.load("claims") or []:
        cells.setdefault((one.variant, one.model), set()).add(one.seed)
    assert min(map(len, cells.values())) >= claims.FEWEST


def test_a_variant_like_another_differs_from_it_in_what_it_says_alone():
    trials = {t.variant: t for t in suites.load("claims") or [] if t.seed == 0 and t.model == "transformer"}
    one, other = trials["multi head: 1"], trials["multi head: 8"]
    assert one.model_settings | {"heads": 8} == other.model_settings
    assert (one.learning, one.task_settings, one.budget) == (other.learning, other.task_settings, other.budget)


def test_variants_can_be_chosen_by_a_pattern_and_a_wrong_one_names_those_that_are_near():
    chosen = typed.selected("claims", "", "", None, "multi head: *", [], [])
    assert {one.variant for one in chosen} == {f"multi head: {n}" for n in (1, 2, 4, 8)}
    with pytest.raises(typed.UsageError, match=r"--variant 'multi head: 3': expected 'multi head: .*; 5\d more"):
        typed.selected("claims", "", "", None, "multi head: 3", [], [])


def test_an_effect_and_its_interval_are_those_of_welch():
    eight, one = (21.0, 22.5, 21.7), (19.0, 20.1, 19.2)
    [part] = [found for found in trial("multi_head", heads(eight, one)).found if found.part.what.startswith("8")]
    expected = stats.ttest_ind(eight, one, equal_var=False).confidence_interval()
    assert part.effect
    assert part.effect[:3] == pytest.approx((sum(eight) / 3 - sum(one) / 3, expected.low, expected.high))
    assert part.effect.over == "3 seeds"
    assert {row.result.seed for row in part.effect.rows} == {0, 1, 2}


@pytest.mark.parametrize(
    ("eight", "one", "verdict"),
    [
        ((21.0, 21.1, 20.9), (19.0, 19.1, 18.9), SUPPORTED),
        ((19.0, 19.1, 18.9), (21.0, 21.1, 20.9), CONTRADICTED),
        ((20.30, 20.31, 20.29), (20.0, 20.01, 19.99), NEGLIGIBLE),
        ((24.0, 19.0, 21.0), (20.0, 18.0, 22.0), INCONCLUSIVE),
    ],
)
def test_planted_effects_get_the_verdict_they_deserve(eight, one, verdict):
    assert trial("multi_head", heads(eight, one)).verdict == verdict


def test_two_seeds_give_no_verdict():
    found = trial("multi_head", heads((30.0, 30.1), (10.0, 10.1, 10.2)))
    assert found.verdict == ABSENT
    assert "2 seeds of the transformer in “multi head: 8”; 3 are needed" in found.lacks


def test_what_differs_in_more_than_the_claim_is_about_is_not_compared():
    runs = stored(
        *scores("multi head: 8", 30.0, 30.1, 30.2, model_settings={"heads": 8, "hidden": 16}),
        *scores("multi head: 1", 10.0, 10.1, 10.2, model_settings={"heads": 1}),
    )
    assert trial("multi_head", runs).lacks == "what is compared differs in model.hidden as well"


def test_seeds_that_ran_under_unlike_settings_are_no_group():
    runs = heads((30.0, 30.1, 30.2), (10.0, 10.1, 10.2))
    odd = result("transformer", "multi head: 8", 2, 30.2, model_settings={"heads": 8, "hidden": 9})
    mixed = Stored((*runs.rows, Row(RUN, odd)), {}, 0, 0)
    assert "differ in model.hidden" in trial("multi_head", mixed).lacks


def test_a_run_that_diverged_scores_nothing_and_one_that_failed_leaves_no_verdict():
    fine = scores("residuals and norm: both", 20.0, 20.5, 21.0)
    without = {"no residual connections": {"residual": False}, "no normalisation": {"normalisation": "none"}}

    def ended(how: str, seed: int, status: str) -> Result:
        told = {"status": status, "metrics": {}, "model_settings": without[how]}
        return result("transformer", f"residuals and norm: {how}", seed, 0.0, **told)

    bare = [ended(how, seed, "diverged") for how in without for seed in range(3)]
    assert trial("residuals_and_norm", stored(*fine, *bare)).verdict == SUPPORTED
    broken = [*bare[:-1], ended("no normalisation", 2, "failed")]
    assert "came to no number" in trial("residuals_and_norm", stored(*fine, *broken)).lacks


def test_a_run_that_diverged_names_no_more_settings_than_it_was_given():
    """Its row is written by who started it, before the model filled in its own."""
    whole = {"hidden": 8, "width": 4, "normalisation": "layer", "residual": True}
    fine = scores("residuals and norm: both", 20.0, 20.5, 21.0, model_settings=whole)
    half = scores("residuals and norm: no normalisation", 9.0, 9.5, model_settings={**whole, "normalisation": "none"})

    def gone(how: str, seed: int, **given: Any) -> Result:
        told = {"status": "diverged", "metrics": {}, "main": "", "config": {"model": given, "batch": 4}}
        return result("transformer", f"residuals and norm: {how}", seed, 0.0, **told)

    half.append(gone("no normalisation", 2, hidden=8, normalisation="none"))
    none = [gone("no residual connections", seed, hidden=8, residual=False) for seed in range(3)]
    found = trial("residuals_and_norm", stored(*fine, *half, *none))
    assert found.lacks == ""
    assert found.found[0].effect.value == pytest.approx(20.5)
    other = [gone("no residual connections", seed, hidden=9, residual=False) for seed in range(3)]
    assert "differs in model.hidden" in trial("residuals_and_norm", stored(*fine, *half, *other)).lacks


def test_times_beside_company_and_scores_of_unlike_code_are_no_evidence():
    def timed(model: str, had_company: int) -> list[Result]:
        told = {"metrics": {"bleu": 1.0, "had_company": had_company}, "curve": [{"length": 256, "step_seconds": 0.1}]}
        rows = scores("lstm slower than rnn: equal width", 1.0, 1.0, 1.0, model=model, **told)
        return [dataclasses.replace(row, probe="scaling", task="tokens") for row in rows]

    quiet, busy = timed("lstm", 0) + timed("rnn", 0), timed("lstm", 0) + timed("rnn", 1)
    assert "lstm slower than rnn: equal parameters" in trial("lstm_slower_than_rnn", stored(*quiet)).lacks
    assert "others used the machine beside seed 0" in trial("lstm_slower_than_rnn", stored(*busy)).lacks
    eight = scores("multi head: 8", 30.0, 30.1, 30.2, model_settings={"heads": 8}, made_of={"bench/train.py": "a"})
    one = scores("multi head: 1", 10.0, 10.1, 10.2, model_settings={"heads": 1}, made_of={"bench/train.py": "b"})
    assert "unlike code (bench/train.py)" in trial("multi_head", stored(*eight, *one)).lacks


def test_equal_seconds_of_a_busy_machine_are_no_evidence():
    def taught(model: str, busy: float) -> list[Result]:
        told = {"metrics": {"bleu": 1.0, "had_company": busy}, "curve": [{"seconds": 9.0, "flops": 1e9, "bleu": 1.0}]}
        return scores("transformer best: translation", 1.0, 1.0, 1.0, model=model, **told)

    def lacks(busy: float) -> str:
        found = trial("transformer_best", stored(*taught("transformer", 0.0), *taught("lstm", busy))).found
        return next(one.lacks for one in found if one.part.what.startswith("translation, equal seconds"))

    assert "others used the machine" in lacks(1.0)
    assert "others used the machine" not in lacks(0.0)


def test_memory_of_gigabytes_is_a_number_too():
    def grown(model: str, how: str, power: int, **settings: Any) -> list[Result]:
        points = [{"length": n, "step_seconds": n**power / 1e6, "step_bytes": 25 * n**power} for n in (4096, 8192)]
        rows = scores(f"quadratic attention: {how}", 1.0, 1.0, 1.0, model=model, curve=points, model_settings=settings)
        return [dataclasses.replace(row, probe="scaling", task="tokens", seed=seed) for seed, row in enumerate(rows)]

    attention = grown("transformer", "materialised scores", 2) + grown("transformer", "fused", 1)
    recurrent = [row for model in ("rnn", "lstm") for row in grown(model, "recurrent layers", 1)]
    found = trial("quadratic_attention", stored(*attention, *recurrent))
    assert max(point["step_bytes"] for row in attention for point in row.curve) > 1e9
    assert [one.effect.value for one in found.found if not one.part.beside] == [pytest.approx(1.0)] * 4


def test_no_trial_of_the_suite_is_another_variants_trial_too():
    """Stored once, its row would carry one variant's name, and the other's claim would wait for ever."""
    seen: dict[str, str] = {}
    for one in suites.load("claims") or []:
        config = Model.Config if one.model.endswith(".py") else load(one.model).Config
        whole = {f.name: f.default for f in dataclasses.fields(config)} | one.model_settings
        parts = dataclasses.replace(one, model_settings=whole, variant="")
        name = json.dumps(dataclasses.asdict(parts), sort_keys=True, default=str)
        assert name not in seen, (one.variant, seen[name])
        seen[name] = one.variant


def test_of_a_seed_run_twice_the_later_row_counts():
    evidence = Evidence(stored(*scores("v", 1.0, 2.0, 3.0), result("transformer", "v", 2, 9.0)))
    pick = Pick("transformer", "v", "translation")
    assert evidence.values(pick, metric("bleu")) == [1.0, 2.0, 9.0]


def test_ratios_are_of_geometric_means_and_means_stand_alone():
    first, second = Pick("lstm", "v", "translation"), Pick("rnn", "v", "translation")
    evidence = Evidence(stored(*scores("v", 2.0, 4.0, 8.0, model="lstm"), *scores("v", 1.0, 2.0, 4.0, model="rnn")))
    assert times(first, second, metric("bleu"))(evidence).value == pytest.approx(2.0)
    assert over(first, second, metric("bleu"))(evidence).value == pytest.approx(14 / 3 - 7 / 3)
    assert above(first, second, ("model",))(evidence).value == pytest.approx(14 / 3 - 7 / 3)
    assert itself(first, metric("bleu"))(evidence).value == pytest.approx(14 / 3)


def test_parts_beside_a_claim_leave_the_verdict_alone():
    large = lambda evidence: Effect(9.0, 8.0, 10.0, "3 seeds")  # noqa: E731
    small = lambda evidence: Effect(-9.0, -10.0, -8.0, "3 seeds")  # noqa: E731
    claim = Claim(CHAPTERS[0], "S.", "M.", "R.", (Part("one", 1.0, large), Part("other", 1.0, small, beside=True)))
    found = claims.on_trial("made_up", claim, Evidence(stored()))
    assert found.verdict == SUPPORTED
    assert [one.verdict for one in found.found] == [SUPPORTED, CONTRADICTED]


def test_the_part_that_decides_is_the_weakest_of_those_with_the_verdict():
    parts = tuple(
        Part(name, least, lambda evidence, at=at: Effect(at, at - 0.1, at + 0.1, "3 seeds"))
        for name, least, at in (("strong", 1.0, 9.0), ("weak", 0.5, 1.0), ("middling", 1.0, 3.0))
    )
    found = claims.on_trial("made_up", Claim(CHAPTERS[0], "S.", "M.", "R.", parts), Evidence(stored()))
    decisive = on_trial.decisive(found)
    assert decisive
    assert decisive.part.what == "weak"


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    from bench.record import append

    run = tmp_path_factory.mktemp("run")
    for row in heads((21.0, 21.1, 20.9), (19.0, 19.1, 18.9)).rows:
        append(run, row.result)
    write([run], run / "report")
    return run


def test_the_page_shows_every_claim_with_its_verdict_and_what_is_missing(page):
    text = (page / "report" / "report.md").read_text("utf-8")
    assert "## Claims on trial" in text
    assert "Of 25 claims 1 is measured here: 1 is supported." in text
    assert "8 heads less one" in text
    for name in claims.names():
        assert claims.load(name).statement.split(";")[0][:40] in text.replace("\\", "")
    assert "seqbench run claims --variant" in text


def test_the_page_says_nothing_of_claims_where_none_was_measured():
    runs = stored(*scores("", 1.0, 2.0, 3.0))
    assert on_trial.sections(runs) == []
    assert on_trial.verdicts(runs) == []


def test_an_effect_leads_to_the_rows_that_it_rests_on_and_tells_them(page):
    told = [table for section in on_trial.sections(gather([page])) for table in section.tables]
    effects = [row for table in told for row in table.rows if row[0].text.startswith("Multi head") and row[2].link]
    assert effects
    for row in effects:
        for cell in row[2:5]:
            assert cell.link.startswith("row-")
            assert re.match(r"From \d+ stored trials: .*seeds 0, 1 and 2", cell.tip)


def test_the_figure_shows_the_effect_of_every_claim_that_has_a_verdict(page):
    [drawing] = on_trial.sections(gather([page]))[0].drawings
    axes = drawing.figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Multi head"]
    ends = [float(x) for x in axes.lines[0].get_xdata()]
    [part] = [found for found in trial("multi_head", gather([page])).found if found.part.what.startswith("8")]
    assert part.effect
    assert ends == pytest.approx([part.effect.low / 0.5, part.effect.high / 0.5])


def test_the_command_lists_claims_and_tries_them_on_runs(page):
    run = CliRunner()
    bare = run.invoke(app, ["claims"])
    assert bare.exit_code == 0
    assert "25 claims, none of them measured." in bare.output
    told = json.loads(run.invoke(app, ["claims", str(page), "--json"]).output)
    assert {one["claim"]: one["verdict"] for one in told}["multi_head"] == SUPPORTED
    assert sum(one["verdict"] == ABSENT for one in told) == 24
