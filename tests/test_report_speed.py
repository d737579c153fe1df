"""The report of speed: numbers with their intervals, what had company said aloud, odd rows no harm."""

from __future__ import annotations

import csv
import functools
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup
from matplotlib.figure import Figure
from test_report import floor, inert, numbers, seen, text, trial
from test_report_inert import HARMLESS, HOSTILE, Shape, inert_markdown

from bench import record
from bench.record import Result, append
from reports import figures
from reports.figures import speed as speed_figures
from reports.figures.svg import Drawn
from reports.page import html
from reports.page.html import write
from reports.parts import USUAL
from reports.rows.stored import gather
from reports.sections import parallelism as parallelism_section
from reports.sections import scaling as scaling_section
from reports.sections import speed
from reports.sections import throughput as throughput_section

SPEEDS = {  # training and writing: tokens a second; share done at once; power of length; hidden units
    "rnn": (21_000.0, 900.0, 0.31, 1.02, 256),
    "lstm": (15_000.0, 610.0, 0.24, 1.03, 256),
    "echo_state": (48_000.0, 720.0, 0.42, 1.00, 1000),
    "bahdanau": (9_000.0, 410.0, 0.38, 1.21, 192),
    "transformer": (14_500.0, 260.0, 0.97, 1.84, 128),
}
MACHINE = {"device": "cpu", "processor": "Example processor", "threads": 2, "cores": 2}
NOTE = "not measured: no counter of the GPU (NVML) or the processor (RAPL) can be read"


def near(name: str, value: float, wide: float = 0.02) -> dict[str, float]:
    """A number with an interval around it."""
    return {name: value, f"{name}_low": value * (1 - wide), f"{name}_high": value * (1 + wide)}


def row(run: Path, probe: str, model: str, task: str, main: str, **told: Any) -> Result:
    """Stores one measurement; `told` changes its fields, and `config` and `metrics` add to theirs."""
    metrics = {"company": 0.01, "had_company": 0, **told.pop("metrics")}
    config = {
        "model": {"hidden": SPEEDS.get(model, (1, 1, 1, 1, 7))[4]}, "task": {}, "batch": 32, "precision": "float32",
        "compile": False, "probe": {"seconds": 4.0}, "notes": {}, **told.pop("config", {}),
    }  # fmt: skip
    command = f"seqbench run speed --models {model} --tasks {task}"
    fields = {"environment": MACHINE, "suite": "speed", "command": command, "config": config, **told}
    made = Result(probe, model, task, 0, **{"status": "ok", "metrics": metrics, "main": main, **fields})
    append(run, made)
    return made


def throughput(run: Path, model: str, task: str = "translation", **told: Any) -> Result:
    """Stores one measurement of throughput."""
    train, writes, *_ = SPEEDS.get(model, (1000.0, 100.0))
    step, single = 32 * 14 / train, 1 / writes
    metrics: dict[str, float] = {
        **near("train_step_seconds", step), **near("train_target_tokens_per_second", train),
        "train_source_tokens_per_second": 1.07 * train, **near("forward_seconds", step / 3.1),
        "forward_source_tokens_per_second": 3.3 * train, "forward_target_tokens_per_second": 3.1 * train,
        **near("first_token_seconds", 3.1 * single), **near("token_seconds", single, 0.05),
        "generate_tokens_per_second_1": writes, "generate_tokens_per_second_best": 21.5 * writes,
        "generate_best_batch": 64, "flops_step": 1.1e6 * train, "flops_per_second": 1.1e6 * train / step,
        "peak_flops_per_second": 1.22e11, "share_of_peak": 1.1e6 * train / step / 1.22e11,
        "parameters_trained": 912_345, "parameters_total": 1_012_345, "carry_bytes": 2048, "memory_bytes": 40_960,
        "peak_bytes": 93_456_789, "padding_source": 0.0612, "padding_target": 0.0234, "compile_seconds": 0,
        **told.pop("metrics", {}),
    }  # fmt: skip
    curve = [{"batch": 4**k, "generate_tokens_per_second": writes * 3**k} for k in range(4)]
    told["config"] = {"notes": {"energy": NOTE}, **told.get("config", {})}
    main = "train_target_tokens_per_second"
    return row(run, "throughput", model, task, main, **{"metrics": metrics, "curve": curve, **told})


def parallelism(run: Path, model: str, **told: Any) -> Result:
    """Stores one measurement of parallelism."""
    train, _, share, power, _ = SPEEDS.get(model, (1000.0, 100.0, 0.5, 1.0, 7))
    curve: list[dict[str, float]] = []
    for k in range(3, 9):
        n, step = 2**k, 0.004 + 0.0001 * 2 ** (k * power)
        curve.append(
            {
                "length": n, "at_once_seconds": 0.01, "one_by_one_seconds": 0.1,
                "parallel_fraction": share * (1 - 1 / n),
                "chain": 12 if model == "transformer" else 3 * n, "launches": 180 + (0 if share > 0.9 else 5 * n),
                "step_seconds": step, "step_low": step * 0.97, "step_high": step * 1.03,
            }
        )  # fmt: skip
    for k in range(9):
        rate = train * 2**k / (2**k + 12)
        curve.append({"batch": 2**k, "tokens_per_second": rate, "low": rate * 0.98, "high": rate * 1.02})
    curve += [
        {"threads": k, "step_seconds": 0.05 / k**0.7, "low": 0.048 / k**0.7, "high": 0.052 / k**0.7} for k in (1, 2)
    ]
    parts = dict(
        zip(("attention", "recurrence", "feedforward", "head", "optimiser", "other"), SHARES[model], strict=True)
    )
    metrics = {
        "parallel_fraction": share, **near("half_batch", 12, 0.1), **near("greatest_tokens_per_second", train),
        **near("flat_seconds", 0.0042), **near("knee_length", 41, 0.2), **near("slope_exponent", power),
        "launches_per_position": 5.0, **{f"share_{part}": value for part, value in parts.items()},
        **told.pop("metrics", {}),
    }  # fmt: skip
    return row(run, "parallelism", model, "tokens", "parallel_fraction", **{"metrics": metrics, "curve": curve, **told})


SHARES = {
    "rnn": (0.0, 0.41, 0.0, 0.39, 0.12, 0.08),
    "lstm": (0.0, 0.57, 0.0, 0.26, 0.1, 0.07),
    "echo_state": (0.0, 0.66, 0.0, 0.2, 0.05, 0.09),
    "bahdanau": (0.29, 0.34, 0.0, 0.2, 0.1, 0.07),
    "transformer": (0.22, 0.0, 0.33, 0.27, 0.12, 0.06),
}


def scaling(run: Path, model: str, attention: str = "", longest: int = 16_384, **told: Any) -> Result:
    """Stores one measurement of scaling."""
    train, writes, _, power, hidden = SPEEDS.get(model, (1000.0, 100.0, 0.5, 1.0, 7))
    power, costs = (1.95, 1.4) if attention == "plain" else (power, 1.0)
    curve: list[dict[str, float]] = []
    for n in (2**k for k in range(4, int(math.log2(longest)) + 1)):
        step = 0.004 + costs * n * 16 / train * (1 if power < 1.5 else max(n / 600, 0.3) ** (power - 1))
        size, writing = 3e6 + n * 40_000 * (1 if power < 1.5 else max(n / 900, 0.2)), n / writes
        point = {
            "length": n,
            "step_seconds": step,
            "step_low": step * 0.98,
            "step_high": step * 1.03,
            "step_bytes": size,
        }
        curve.append(
            {**point, "generate_seconds": writing, "generate_low": writing * 0.95, "generate_high": writing * 1.05}
        )
    config: dict[str, Any] = {
        "model": {"hidden": hidden} | ({"attention": attention} if attention else {}), "probe": {"what": "whole"},
        "notes": {"stopped": f"time limit: {2 * longest} would take about 5.1 s a step, above 4 s"},
        "batch": 8, **told.pop("config", {}),
    }  # fmt: skip
    metrics = {
        "longest_length": longest, **near("exponent_flat", 0.41), **near("exponent_steep", power),
        **near("last_octave_slope", power), **near("memory_exponent", 0.99), **near("generate_exponent", 1.01),
        **told.pop("metrics", {}),
    }  # fmt: skip
    told = {"metrics": metrics, "curve": curve, "config": config, **told}
    return row(run, "scaling", model, "tokens", "longest_length", **told)


def build(run: Path) -> Path:
    """A whole run: throughput on three tasks, parallelism and scaling of five models, two with company, one failed."""
    for n, task in enumerate(("translation", "sentiment", "captioning")):
        for model in SPEEDS:
            busy = {"company": 0.63, "had_company": 1} if (model, task) == ("lstm", "captioning") else {}
            throughput(
                run, model, task, metrics={**near("train_target_tokens_per_second", SPEEDS[model][0] * (n + 1))} | busy
            )
    for model in SPEEDS:
        parallelism(run, model)
        scaling(run, model, "fused" if model == "transformer" else "")
    scaling(
        run,
        "transformer",
        "plain",
        4096,
        config={"notes": {"stopped": "memory: 8192 would need about 9.1 GiB"}}
        | {"model": {"hidden": 128, "attention": "plain"}},
    )
    reason = "out of memory at length 16"
    row(run, "scaling", "bahdanau", "tokens", "longest_length", metrics={}, status="failed", reason=reason, id="lost")
    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report of a whole run."""
    run = build(tmp_path_factory.mktemp("speed") / "run")
    return write([run], run.parent / "page").parent


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without figures, which take nearly all of the time."""
    for room, names in ((speed_figures, ("rates", "curves", "shares")), (figures, ("quality", "learning", "cost"))):
        for name in names:
            monkeypatch.setattr(room, name, lambda *_: Figure())
    monkeypatch.setattr(html, "drawn", lambda *_: Drawn(Markup("<svg></svg>"), "<svg></svg>"))


def page(*runs: Path) -> str:
    """The words of the page of some runs."""
    return text(write(runs, runs[0].parent / "page").parent)


def test_the_page_says_which_model_is_faster_by_how_much_and_how_sure_that_is(made):
    told = text(made)
    assert re.search(
        r"On translation the echo-state network trains 2\.29 times as fast as the vanilla RNN "
        r"\(95 % interval 2\.2\d to 2\.3\d\), and 5\.33 times as fast as Bahdanau attention \(95 % interval",
        told,
    )
    assert "One sequence at a time the vanilla RNN generates 1.25 times as fast as the echo-state network" in told
    assert "On random tokens the transformer does 97.0 % of its work over time at once, the LSTM 24.0 %." in told
    assert re.search(
        r"is faster than the transformer, plain attention beyond length \d+ \(95 % interval \d+ to \d+\)", told
    )


def test_numbers_stand_with_their_intervals_on_the_page_and_in_markdown(made):
    for told in (text(made), (made / "report.md").read_text("utf-8")):
        flat = re.sub(r"[()]", "", told)
        for number in ("21,000 20,580–21,420", "21.3 20.9–21.8", "1.11 1.06–1.17", "1.95 1.91–1.99", "12.0 10.8–13.2"):
            assert number in flat, number
    markdown = (made / "report.md").read_text("utf-8")
    missing = numbers(re.sub(r"!\[.*?\]\(.*?\)", "", markdown)) - numbers(" ".join(seen(made).text))
    assert not missing
    inert_markdown(markdown)
    assert all((made / name).is_file() for name in re.findall(r"!\[.*\]\((.+?)\)", markdown))


def test_where_curves_cross_is_said_for_every_pair_in_time_and_in_memory(made):
    told = text(made)
    pairs = told[told.index("where one model passes another") :]
    assert re.search(r"at \d[\d,]* \(\d[\d,]*–\d[\d,]*\); beyond, the \w+ is faster", pairs)
    assert "never up to 16,384: the echo-state network is always faster" in pairs
    assert re.search(r"at \d[\d,]*; beyond, the LSTM is smaller", pairs)
    assert "memory: 8192 would need about 9.1 GiB" in told


def test_a_timing_with_company_carries_a_warning_and_stands_in_no_sentence(tmp_path, undrawn):
    run = tmp_path / "run"
    throughput(run, "lstm")
    throughput(run, "transformer")
    throughput(run, "rnn", metrics={**near("train_target_tokens_per_second", 9e5), "company": 0.63, "had_company": 1})
    told = page(run)
    assert "another process used 0.63 processors during this timing" in told
    assert "In 1 measurement of speed of 3 another process was busy" in told
    assert "On translation the LSTM trains 1.03 times as fast as the transformer" in told
    assert "900,000" in told


def test_where_every_timing_had_company_nothing_is_compared(tmp_path, undrawn):
    for model in ("lstm", "rnn"):
        throughput(tmp_path / "run", model, metrics={"had_company": 1})
        scaling(tmp_path / "run", model, metrics={"had_company": True, "company": -3.0})
    told = page(tmp_path / "run")
    assert "On translation every timing had company: nothing is compared." in told
    assert "Every timing had company: nothing is compared." in told
    assert "another process was busy during this timing" in told


def test_rates_that_their_intervals_do_not_tell_apart_are_about_the_same(tmp_path, undrawn):
    throughput(tmp_path / "run", "lstm")
    throughput(tmp_path / "run", "rnn", metrics=near("train_target_tokens_per_second", 15_100.0))
    assert "the vanilla RNN trains about as fast as the LSTM: 1.01 times (95 % interval 0.9" in page(tmp_path / "run")


def test_timings_of_unlike_machines_are_not_compared(tmp_path, undrawn):
    throughput(tmp_path / "run", "lstm")
    throughput(tmp_path / "run", "rnn", environment={**MACHINE, "threads": 1})
    told = page(tmp_path / "run")
    assert "the timings come from unlike machines: nothing is compared" in told
    assert "Speed was measured on unlike machines, or with unlike numbers of threads" in told


def test_a_run_of_speed_alone_has_a_page_of_its_own_without_empty_parts(made):
    told, found = text(made), seen(made)
    assert "Which sequence model is fast" in told
    assert "5 models, 27 measurements of speed; suite speed; on Example processor (cpu, 2 threads)" in told
    for absent in ("At a glance", "Side by side", "only floors", "0 trials", "Not in these runs", "No model finished"):
        assert absent not in told
    assert [v for _, v in found.attributes if v.startswith("data:text/csv")]
    assert "seqbench run speed --models lstm --tasks sentiment" in told
    inert(made)


def test_a_run_of_quality_and_speed_has_both(tmp_path, undrawn):
    trial(tmp_path / "run", "lstm", "translation")
    floor(tmp_path / "run", "dictionary", "translation", 3.0)
    throughput(tmp_path / "run", "lstm", config={"task": {"direction": "en-de"}})
    told = page(tmp_path / "run")
    assert "Which sequence model, for which task, at which cost" in told
    assert "1 trial, 1 measurement of speed; suite" in told
    assert "On translation (English to Spanish) the best is the LSTM" in told
    assert "trains 15,000 tokens a second; there is no other model to compare with" in told


def test_measurements_that_failed_are_listed_with_what_was_measured(made, tmp_path, undrawn):
    told = text(made)
    assert "Bahdanau attention Random tokens, scaling with length 0 failed out of memory at length 16" in told
    assert "1 measurement of speed of 27 gave no number: see Failures." in told
    lost = {"metrics": {}, "status": "failed", "reason": "no room"}
    row(tmp_path / "run", "throughput", "lstm", "translation", "x", **lost)
    alone = page(tmp_path / "run")
    assert "no room" in alone
    assert "No model finished" not in alone


def test_what_was_not_measured_is_said_with_its_reason_and_what_is_unknown_is_a_dash(tmp_path, undrawn):
    throughput(tmp_path / "run", "lstm")
    append(tmp_path / "run", Result("throughput", "rnn", "translation", 0, "ok", {"x": 1.0}, "x"))
    told = page(tmp_path / "run")
    assert f"Energy: {NOTE} (LSTM)." in told
    assert told.count("not measured") == 2
    assert "vanilla RNN – – –" in told


def test_variants_of_a_model_are_named_by_what_differs(made, tmp_path, undrawn):
    assert "transformer, fused attention" in text(made)
    for compiled in (True, False):
        throughput(tmp_path / "run", "lstm", config={"compile": compiled})
    for notes in ({"a": "one"}, {"a": "two"}):  # remarks make no other measurement: the later stands
        throughput(tmp_path / "run", "rnn", config={"notes": notes})
    told = page(tmp_path / "run")
    assert "LSTM, compiled" in told
    assert "LSTM, not compiled" in told
    rows = speed.measured(gather([tmp_path / "run"]), "throughput")["translation"]
    assert [one.name for one in speed.named(rows)] == ["vanilla RNN", "LSTM, compiled", "LSTM, not compiled"]


def test_models_of_equal_width_and_of_equal_parameters_have_panels_of_their_own(tmp_path, undrawn):
    for shared in ("width", "parameters"):
        scaling(tmp_path / "run", "lstm", config={"probe": {"what": "whole", "equal": shared}})
    told = page(tmp_path / "run")
    assert "Random tokens: whole training step, equal width" in told
    assert "Random tokens: whole training step, equal parameters" in told


@functools.cache
def shape(folder: Path) -> list[tuple[str, ...]]:
    """What a page is made of where every text is harmless."""
    written = write([said_everywhere(folder / "run", HARMLESS)], folder / "page")
    return Shape(written.read_text("utf-8")).found


def said_everywhere(run: Path, said: str) -> Path:
    """A run of speed in which every text is `said`."""
    for n, measure in enumerate((throughput, parallelism, scaling)):
        made = measure(run.parent / f"{run.name}-{n}", "lstm")
        for k in range(2):
            config = {said: said, "model": {said: f"{said}{k}"}, "task": {said: said}, "batch": said, "compile": said}
            config |= {"probe": {"what": said, "equal": said, said: said}, "notes": {said: said, "stopped": said}}
            texts = dict.fromkeys(("model", "task", "suite", "command", "reason", "time"), said)
            changes = {"environment": {"device": said, "processor": said, said: said}, "id": f"{n}{k}", "output": said}
            metrics = {**made.metrics, said: 1.0, "had_company": 1}
            append(run, Result(**{**made.__dict__, **texts, **changes, "config": config, "metrics": metrics}))
        append(run, Result(**{**made.__dict__, **texts, "status": said, "metrics": {}, "id": f"{n}", "curve": []}))
    return run


@pytest.mark.parametrize("said", HOSTILE, ids=range(len(HOSTILE)))
def test_a_page_of_speed_is_made_of_the_same_elements_whatever_its_rows_say(undrawn, tmp_path, tmp_path_factory, said):
    folder = write([said_everywhere(tmp_path / "run", said)], tmp_path / "page").parent
    assert Shape((folder / "index.html").read_text("utf-8")).found == shape(tmp_path_factory.getbasetemp() / "plain")
    inert(folder)
    inert_markdown((folder / "report.md").read_text("utf-8"))
    assert all(re.fullmatch(r"[a-z0-9-]+\.svg", p.name) for p in (folder / "figures").iterdir())


def test_hostile_names_are_drawn_as_text(tmp_path):
    run = tmp_path / "run"
    for n, name in enumerate(HOSTILE[:20]):
        for measure in (throughput, scaling):
            made = measure(tmp_path / "aside", "lstm")
            append(run, Result(**{**made.__dict__, "model": name, "id": f"{measure.__name__}{n}"}))
    inert(write([run], tmp_path / "page").parent)


ODD: list[Any] = [1e308, -1, 5e-324, 0, 10**300, 1e18, 1e-12]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_absurd_numbers_break_no_page(tmp_path, odd):
    run = tmp_path / "run"
    for model in ("lstm", "rnn"):
        for measure in (throughput, parallelism, scaling):
            made = measure(tmp_path / "aside", model)
            curve = [
                *({**point, key: odd} for point in made.curve[:3] for key in point),
                *made.curve[3:], dict.fromkeys(made.curve[0], odd), {},
            ]  # fmt: skip
            metrics = made.metrics if model == "rnn" else dict.fromkeys(made.metrics, odd)
            append(
                run, Result(**{**made.__dict__, "metrics": metrics, "curve": curve, "id": f"{model}{measure.__name__}"})
            )
    inert(write([run], tmp_path / "page").parent)


WRONG: list[Any] = [None, "text", 7, [], {}, [[]], [None], [{"length": "16", "step_seconds": []}], {"notes": [1]}]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_fields_of_the_wrong_type_break_no_page(undrawn, tmp_path, wrong):
    run = tmp_path / "run"
    for measure in (throughput, parallelism, scaling):
        made = measure(run, "lstm")
        for n, name in enumerate(("config", "curve", "environment", "notes", "probe", "batch", "model", "what")):
            stored = json.loads(record.storable(made)) | {"schema": 1, "id": f"{measure.__name__}{n}"}
            if name in stored and name != "model":
                stored[name] = wrong if name != "curve" or isinstance(wrong, list) else [wrong]
            elif name == "what":
                stored["config"]["probe"] = {"what": wrong, "equal": wrong}
            else:
                stored["config"][name] = wrong
            with (run / record.RESULTS).open("a") as file:
                file.write(json.dumps(stored) + "\n")
    inert(write([run], tmp_path / "page").parent)


def test_models_are_compared_by_the_product_that_took_turns_with_each(tmp_path):
    for model, slow in (("lstm", 1.0), ("rnn", 2.0)):  # the machine was half as fast when the RNN was timed
        beside = near("train_per_product", 3.0) | near("train_step_seconds", 0.03 * slow)
        throughput(tmp_path / "run", model, metrics=beside | near("train_target_tokens_per_second", 1000.0 / slow))
    ((_, said),) = throughput_section.verdicts(gather([tmp_path / "run"]), USUAL)
    assert said.startswith("On translation the LSTM trains about as fast as the vanilla RNN: 1.00 times")


def test_every_number_of_speed_leads_to_its_row_and_tells_of_how_many_rounds_it_is_the_median(tmp_path):
    made = throughput(tmp_path / "run", "lstm", metrics={"rounds": 15, **near("train_step_seconds", 0.02)})
    (one,) = speed.named(speed.measured(gather([tmp_path / "run"]), "throughput")["translation"])
    shown = speed.cell(one, "train_step_seconds", lambda value: f"{1000 * value:g} ms")
    assert shown.tip == f"LSTM: 20 ms; 95 % interval {shown.note}; median of 15 rounds of one process, seed 0"
    assert shown.link == speed.rated(one, "train_target_tokens_per_second", "train_step_seconds").link
    assert shown.link.startswith("row-")
    assert speed.cell(one, "carry_bytes", str).tip == f"LSTM: {float(made.metrics['carry_bytes'])}; seed 0"


def test_rates_of_unlike_precision_are_compared_as_they_are(tmp_path):
    for model, rate, product, precision in (("lstm", 1000.0, 3.0, "bfloat16"), ("echo_state", 900.0, 1.5, "float32")):
        beside = near("train_per_product", product) | near("train_step_seconds", 0.03)
        metrics = near("train_target_tokens_per_second", rate) | beside
        throughput(tmp_path / "run", model, config={"precision": precision}, metrics=metrics)
    ((_, said),) = throughput_section.verdicts(gather([tmp_path / "run"]), USUAL)
    assert said.startswith("On translation the LSTM trains 1.11 times as fast as the echo-state network")


def overview(run: Path, column: str) -> list[tuple[str, str]]:
    """Text and note of one column of what is done at once."""
    (section,) = parallelism_section.sections(gather([run]), USUAL)
    table = section.tables[0]
    cells = [row[table.head.index(column)] for row in table.rows]
    return [(c.text, c.note) for c in cells]


def test_a_knee_outside_the_lengths_measured_is_told_as_a_bound(tmp_path):
    for model, knee in (("rnn", 3), ("lstm", 4000), ("transformer", 41)):
        parallelism(tmp_path / "run", model, metrics=near("knee_length", knee, 0.2))
    beyond = "fitted beyond what was measured"
    assert overview(tmp_path / "run", "knee, length")[:2] == [("below 8", beyond), ("above 256", beyond)]
    assert overview(tmp_path / "run", "knee, length")[2][0] == "41"


def test_the_share_done_at_once_stands_with_its_interval_and_length(tmp_path):
    told = {"parallel_fraction": 0.5, "parallel_fraction_low": 0.4, "parallel_fraction_high": 0.6}
    parallelism(tmp_path / "run", "lstm", metrics=told)
    assert overview(tmp_path / "run", "done at once over time") == [("0.50", "0.40–0.60, at length 256")]


def test_devices_that_learn_together_have_a_figure_and_a_column_where_there_were_several(tmp_path):
    parallelism(tmp_path / "run", "rnn")
    (section,) = parallelism_section.sections(gather([tmp_path / "run"]), USUAL)
    assert "kept over devices, %" not in section.tables[0].head
    points = [
        {"devices": n, "tokens_per_second": 900 * n, "low": 880 * n, "high": 910 * n, "device_efficiency": 0.9}
        for n in (1, 2, 4)
    ]
    metrics = {"devices": 4, **near("device_efficiency", 0.9)}
    parallelism(tmp_path / "run", "lstm", metrics=metrics, curve=points)
    failed = {"notes": {"device_efficiency": "training on 4 devices failed: out of memory"}}
    parallelism(tmp_path / "run", "bahdanau", config=failed)
    told = overview(tmp_path / "run", "kept over devices, %")
    assert told == [("–", ""), ("90.0", "88.2–91.8, of 4 devices"), ("not measured", "")]
    (section,) = parallelism_section.sections(gather([tmp_path / "run"]), USUAL)
    (drawn,) = [d for d in section.drawings if d.name.startswith("speed-devices")]
    assert "LSTM 3.6 k at 4" in drawn.alt


def test_compiled_models_are_not_compared_with_others(tmp_path):
    for model, compiled in (("lstm", False), ("transformer", True)):
        throughput(tmp_path / "run", model, config={"compile": compiled})
    ((_, said),) = throughput_section.verdicts(gather([tmp_path / "run"]), USUAL)
    assert said == "On translation some models were compiled and others not: nothing is compared."


def test_where_models_pass_each_other_is_told_along_width_too(tmp_path):
    for model, power in (("lstm", 2.0), ("transformer", 1.0)):
        made = scaling(tmp_path / "aside", model)
        points = []
        for width in (16, 32, 64, 128, 256):
            seconds = 0.01 * (width / 64) ** power
            points.append({"width": width, "step_seconds": seconds, "step_low": seconds, "step_high": 1.01 * seconds})
        told = {"metrics": {"largest_width": 256, **near("exponent_steep", power)}, "curve": points}
        told |= {"config": {"probe": {"along": "width", "what": "whole"}, "model": made.config["model"]}}
        row(tmp_path / "run", "scaling", model, "tokens", "largest_width", **told)
    stored = gather([tmp_path / "run"])
    (section,) = scaling_section.sections(stored, USUAL)
    assert section.tables[0].head[1] == "largest width"
    assert [cell.text for cell in section.tables[1].rows[0]][:3] == [
        "LSTM and transformer", "16 to 256", "at 64 (64–64); beyond, the transformer is faster"
    ]  # fmt: skip
    ((_, said),) = scaling_section.verdicts(stored, USUAL)
    assert "The transformer is faster than the LSTM beyond width 64" in said


def test_operations_and_memory_traffic_stand_beside_each_doublings_time(tmp_path):
    points = [
        {
            "length": n,
            "step_seconds": t,
            "step_low": t,
            "step_high": 1.1 * t,
            "flops": 1e6 * n**2,
            "moved_bytes": 8e3 * n,
        }
        for n, t in ((64, 0.1), (128, 0.3), (512, 2.0))
    ]
    made = scaling(tmp_path / "aside", "transformer", "plain")
    row(tmp_path / "run", "scaling", "transformer", "tokens", "longest_length", metrics=made.metrics, curve=points)
    shown = scaling_section.sections(gather([tmp_path / "run"]), USUAL)
    (table,) = [table for section in shown for table in section.tables if "doubling" in table.caption]
    ((_, lengths, time, *others),) = table.rows
    assert (lengths.text, time.text, time.note) == ("64 to 128", "1.58", "1.45 to 1.72")
    assert [cell.text for cell in others] == ["2.00", "1.00", "54.6", "0.00341"]
    points[1] |= {"growth": 4.0, "growth_low": 2.0, "growth_high": 8.0}
    row(tmp_path / "turns", "scaling", "transformer", "tokens", "longest_length", metrics=made.metrics, curve=points)
    shown = scaling_section.sections(gather([tmp_path / "turns"]), USUAL)
    (table,) = [table for section in shown for table in section.tables if "doubling" in table.caption]
    assert (table.rows[0][2].text, table.rows[0][2].note) == ("2.00", "1.00 to 3.00")


def test_three_hundred_measurements_of_scaling_are_cut_and_that_is_said(tmp_path):
    for n in range(300):
        made = scaling(tmp_path / "aside", "lstm")
        config = {**made.config, "model": {"hidden": n}}
        append(tmp_path / "run", Result(**{**made.__dict__, "config": config, "id": str(n)}))
    folder = write([tmp_path / "run"], tmp_path / "page").parent
    told = text(folder)
    assert "Showing the first 60 of 300 configurations." in told
    assert "The figures show the first 12." in told
    assert "Pairs are those of the first 8." in told
    assert (folder / "index.html").stat().st_size < 3_000_000
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        assert len([*csv.reader(file)]) == 301


def test_the_same_measurements_make_the_same_bytes(made, tmp_path):
    again = write([made.parent / "run"], tmp_path).parent
    files = [path for path in sorted(made.rglob("*")) if path.is_file()]
    assert len(files) > 15
    for path in files:
        assert path.read_bytes() == (again / path.relative_to(made)).read_bytes(), path.name


def test_every_measurement_is_in_the_spreadsheet(made):
    with (made / "results.csv").open(encoding="utf-8", newline="") as file:
        lines = [*csv.DictReader(file)]
    assert [line["probe"] for line in lines].count("throughput") == 15
    assert float(lines[0]["train_target_tokens_per_second"]) == 21_000
