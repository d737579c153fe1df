"""The report of long sequences: means over seeds with their intervals, never the best seed, odd rows no harm."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markupsafe import Markup
from matplotlib.figure import Figure
from scipy import stats
from test_report import inert, numbers, seen, text
from test_report_inert import HARMLESS, HOSTILE, Shape, inert_markdown

from bench import record
from bench.record import Result, append
from reports import parts
from reports.figures import long as long_figures
from reports.figures.svg import Drawn
from reports.page import html
from reports.page.html import write
from reports.rows.stored import gather
from reports.scores.failures import wilson
from reports.sections import by_length, data_curves, extrapolation, gradients, seeded, span, truncation

MACHINE = {"device": "cpu", "processor": "Example processor", "threads": 1, "cores": 2}
MODELS = ("rnn", "lstm", "echo_state", "bahdanau", "transformer")
SPANS = {  # up to where each of three seeds solves
    "rnn": (10, 10, 14), "lstm": (50, 100, 200), "echo_state": (0, 0, 10), "bahdanau": (400, 400, 400),
    "transformer": (100, 400, 400),
}  # fmt: skip
LENGTHS = (10, 20, 50, 100, 200, 400)


def row(run: Path, probe: str, model: str, task: str, variant: str, main: str, **told: Any) -> Result:
    """Stores one trial; `told` changes its fields, and `config` and `metrics` add to theirs."""
    rule = "ridge" if model == "echo_state" else "gradient"
    settings = {"hidden": 64, "start": "orthogonal", "gain": 1.0, "forget": 1.0}
    config = {
        "model": settings, "learning": {"rule": rule, "clip": 1.0}, "task": {"length": 40}, "batch": 32,
        "probe": {}, "notes": {"metric": "accuracy"}, "variant": variant, **told.pop("config", {}),
    }  # fmt: skip
    seed = told.pop("seed", 0)
    command = f"seqbench run long --models {model} --tasks {task} --variant '{variant}' --seed {seed}"
    metrics = {"parameters_trained": 35_980, **told.pop("metrics", {})}
    fields = {"environment": MACHINE, "suite": "long", "command": command, "config": config, "curve": [], **told}
    made = Result(probe, model, task, seed, **{"status": "ok", "metrics": metrics, "main": main, **fields})
    append(run, made)
    return made


def spans(run: Path, model: str, seed: int = 0, reached: int | None = None, **told: Any) -> Result:
    """Stores a search for the span of recall that ended at `reached`."""
    reached = SPANS[model][seed] if reached is None else reached
    tried = [n for n in LENGTHS if n <= reached] + [n for n in LENGTHS if n > reached][:1]
    if reached not in (0, *LENGTHS):
        tried.append(reached)
    curve = [
        {"length": n, "score": 100.0 if n <= reached else 12.0 + seed, "carry_bytes": 256, "memory_bytes": 64 * n}
        for n in sorted(tried)
    ]
    unsolved = [n for n in tried if n > reached]
    metrics = {
        "span": reached, "first_unsolved": min(unsolved, default=0), "train_seconds": 20.0 + 10 * seed,
        "updates": 4000 + 500 * seed,
    }  # fmt: skip
    probe = {
        "along": "length", "lengths": list(LENGTHS), "solved": 90.0, "enough": 99.5, "rates": [0.001, 0.003],
        "refine": 1, "every": False,
    }  # fmt: skip
    notes = {"metric": "accuracy"} | ({} if unsolved else {"span": "every length up to 400 was solved"})
    config = {"probe": probe, "notes": notes, **told.pop("config", {})}
    variant = told.pop("variant", "recall")
    fields = {"metrics": metrics, "curve": curve, "config": config, "seed": seed, **told}
    return row(run, "span", model, "synthetic.recall", variant, "span", **fields)


def everywhere(run: Path, model: str, task: str, scores: dict[int, float], seed: int = 0, **probe: Any) -> Result:
    """Stores scores at every length, or number of pairs."""
    told = {"along": "length", "lengths": list(scores), "solved": 94.0, "every": True, "rates": [0.001], **probe}
    curve = [{"length": n, "score": score, "carry_bytes": 512, "memory_bytes": 1024 * n} for n, score in scores.items()]
    name = {"metric": "explained" if task.endswith("adding") else "accuracy"}
    solved = [n for n, score in scores.items() if score >= 94]
    metrics = {"span": max(solved, default=0), "first_unsolved": min(scores.keys() - {*solved}, default=0)}
    config = {"probe": told, "notes": name}
    variant = task.rpartition(".")[2]
    return row(run, "span", model, task, variant, "span", metrics=metrics, curve=curve, config=config, seed=seed)


def extrapolated(run: Path, model: str, scores: dict[int, float], seed: int = 0, **told: Any) -> Result:
    """Stores scores at lengths inside and beyond 40."""
    curve = [{"length": n, "score": score, "examples": 200} for n, score in scores.items()]
    metrics = {"beyond": 1.0, "seconds_total": 30.0 + seed}
    told = {"metrics": metrics, "curve": curve, "seed": seed, **told}
    return row(run, "extrapolate", model, "synthetic.parity", "parity", "beyond", **told)


def flows(
    run: Path, model: str, decays: tuple[float, float], seed: int = 0, variant: str = "gradients", **told: Any
) -> Result:
    """Stores gradients that fall by so much a step, before and after training."""
    curve = [
        {"distance": d, "stage": stage, "log10_norm": -1 - decay * d / math.log(10)}
        for stage, decay in ((0, decays[0]), (30, sum(decays) / 2), (300, decays[1]))
        for d in range(0, 100, 3)
    ]
    metrics = {
        "decay_start": decays[0], "decay": decays[1], "bursts": 2, "clipped_share": 0.25, "norm_largest": 12.5,
        "path": 101, **told.pop("metrics", {}),
    }  # fmt: skip
    told = {"metrics": metrics, "curve": curve, "seed": seed, **told}
    return row(run, "gradients", model, "synthetic.recall", variant, "decay", **told)


def lengths(run: Path, model: str, task: str, best: float, seed: int = 0, variant: str = "", **told: Any) -> Result:
    """Stores scores by length, in parts and made longer."""
    main = "bleu" if task == "translation" else "accuracy"
    curve = []
    for way, places in (("words", (3, 6, 10, 15, 20)), ("asked", (10, 25, 50))):
        for n in places:
            score = best / (1 + n / 40)
            mean = score + 5 if main == "bleu" else score
            items = 6 if (way, n) == ("words", 20) else 200
            curve.append({way: n, "items": items, "mean": mean, "low": mean - 2, "high": mean + 2.5, main: score})
    told = {"metrics": {main: best}, "curve": curve, "seed": seed, **told}
    return row(run, "by_length", model, task, variant or f"{task} by length", main, **told)


def learned(run: Path, model: str, scores: dict[int, float], seed: int = 0, **told: Any) -> Result:
    """Stores scores by number of examples."""
    curve = [{"examples": n, "score": s, "seconds": 0.01 * n + seed} for n, s in scores.items()]
    told = {"metrics": {"accuracy": 60.0}, "curve": curve, "seed": seed, **told}
    return row(run, "data_curve", model, "sentiment", "data", "accuracy", **told)


PARITY = {  # at 10 and 40, inside; at 80 and 500, beyond
    "rnn": ((99.0, 98.0, 97.0), 60.0), "lstm": ((100.0, 100.0, 100.0), 100.0), "echo_state": ((51.0, 49.0, 50.0), 50.0),
    "bahdanau": ((100.0, 96.0, 99.0), 71.0), "transformer": ((55.0, 52.0, 53.0), 49.0),
}  # fmt: skip
DECAYS = {
    "rnn": (0.44, 0.47), "lstm": (0.147, 0.07), "echo_state": (0.02, 0.18), "bahdanau": (-0.011, -0.017),
    "transformer": (-0.002, 0.003),
}  # fmt: skip


def build(run: Path) -> Path:
    """A whole run of three seeds: all five probes, some with variants; a trial failed and one diverged."""
    random = np.random.default_rng(0)
    for place, model in enumerate(MODELS):
        for seed in range(3):
            shake = random.normal()
            spans(run, model, seed)
            mqar = {n: max(2.0, 100 - (5 - place) * 4 * n - shake) for n in (1, 2, 4, 16, 32)}
            everywhere(run, model, "synthetic.mqar", mqar, seed, along="pairs", solved=90.0)
            everywhere(run, model, "synthetic.adding", {10: 99.0 - place + seed, 200: 20.0 * place + seed}, seed)
            inside, beyond = PARITY[model]
            tested = {10: inside[seed], 20: inside[seed], 40: inside[seed]}
            extrapolated(
                run, model, tested | {44: inside[seed] - 1, 80: beyond + seed - 1, 160: beyond, 500: beyond}, seed
            )
            flows(run, model, tuple(d * (1 + 0.02 * seed) for d in DECAYS[model]), seed)
            for n, variant in enumerate(("half gain", "forget bias 5")):
                settings = {"start": "orthogonal", "gain": 0.5 if n == 0 else 1.0, "forget": 1.0 + 4 * n}
                config = {"model": settings, "probe": {"input_scale": 1.0}}
                if model in ("rnn", "lstm") and (n == 0 or model == "lstm"):
                    flows(run, model, (0.2 + 0.3 * n, 0.1), seed, f"gradients, {variant}", config=config)
            lengths(run, model, "sentiment", 60.0 + 3 * place, seed)
            sizes = (50, 100, 200, 400, 800, 1600, 3200, 6400, 8038)
            rise = {n: 50 + (3 + place) * math.log2(n / 25) / 2 + shake for n in sizes}
            learned(run, model, rise | ({50: 68.0 + seed} if model == "echo_state" else {}), seed)
        for joined in ("", ", trained on joined sentences"):
            lengths(run, model, "translation", 10.0 + 4 * place + len(joined) / 10, 0, f"translation by length{joined}")
    for model in ("rnn", "lstm"):
        spans(run, model, 0, 10, variant="truncated, 16", config={"model": {"truncate": 16}})
    for status, seed in (("failed", 7), ("diverged", 8)):
        lost = {"metrics": {}, "status": status, "reason": f"{status} at length 16", "config": {}, "id": status}
        row(run, "span", "lstm", "synthetic.recall", "recall", "", seed=seed, **lost)
    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report of a whole run."""
    run = build(tmp_path_factory.mktemp("long") / "run")
    return write([run], run.parent / "page").parent


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without figures, which take nearly all of the time."""
    for name in ("lines", "flow"):
        monkeypatch.setattr(long_figures, name, lambda *_: Figure())
    monkeypatch.setattr(html, "drawn", lambda *_: Drawn(Markup("<svg></svg>"), "<svg></svg>"))


def page(*runs: Path) -> str:
    """The words of the page of some runs."""
    return text(write(runs, runs[0].parent / "page").parent)


def shown(run: Path, room: Any) -> list[parts.Section]:
    """The sections of one probe."""
    return room.sections(gather([run]), parts.USUAL)


def cells(table: parts.Table, name: str) -> dict[str, tuple[str, str]]:
    """The row of a model: text and note by column."""
    (found,) = [row for row in table.rows if row[0].text == name]
    return {head: (cell.text, cell.note) for head, cell in zip(table.head, found, strict=True)}


@pytest.mark.parametrize("room", [span, extrapolation, gradients, by_length, data_curves])
def test_every_number_of_a_model_leads_to_its_row(made, room):
    told = [table for section in shown(made.parent / "run", room) for table in section.tables]
    lines = [row for table in told for row in table.rows if row[0].link]
    assert lines
    for row in lines:
        assert all(cell.link.startswith("row-") != (cell.text == "–") for cell in row[1:]), [c.text for c in row]


def test_the_page_and_markdown_hold_the_same_numbers_of_all_five_probes(made):
    told, markdown = text(made), (made / "report.md").read_text("utf-8")
    for title in ("Memory span", "Length extrapolation", "Gradient flow", "Quality by source length", "Data against"):
        assert f"### {title}" in markdown
        assert title in told
    missing = numbers(re.sub(r"!\[.*?\]\(.*?\)", "", markdown)) - numbers(" ".join(seen(made).text))
    assert not missing
    inert_markdown(markdown)
    inert(made)
    assert all((made / name).is_file() for name in re.findall(r"!\[.*\]\((.+?)\)", markdown))
    assert len(list((made / "figures").iterdir())) == 4 + 1 + 3 + 6 + 2 + 1  # the last tries claims
    assert "How far back sequence models remember" in told
    assert "5 models, 128 trials of long sequences; suite long; on Example processor (cpu, 1 thread)" in told
    assert (made / "index.html").stat().st_size < 1_000_000


def timed(run: Path, model: str, truncate: int, seconds: float, **told: Any) -> Result:
    """Stores what a step of the encoder takes, over 64 and 128 tokens."""
    curve = [
        {"length": n, "step_seconds": n * seconds, "step_low": 0.9 * n * seconds, "step_high": 1.1 * n * seconds,
         "step_bytes": 2**20 * (truncate or n)} for n in (64, 128)
    ]  # fmt: skip
    config = {"model": {"hidden": 64, "truncate": truncate}, "probe": {"what": "encoder"}, "batch": 8}
    fields = {"config": config, "curve": curve, "metrics": {"longest_length": 128}, "id": f"{model}{truncate}"}
    return row(run, "scaling", model, "tokens", "truncation's cost", "longest_length", **fields | told)


def test_truncated_back_propagation_stands_beside_the_whole_with_time_memory_and_span(tmp_path, undrawn):
    run = tmp_path / "run"
    for truncate, seconds, reached in ((0, 1e-3, 100), (64, 8e-4, 50), (16, 5e-4, 10)):
        timed(run, "lstm", truncate, seconds)
        for seed in range(3):
            config = {"model": {"hidden": 64, "truncate": truncate}}
            variant = f"truncated, {truncate}" if truncate else "recall"
            spans(run, "lstm", seed, reached, variant=variant, config=config, id=f"{truncate} {seed}")
    table = shown(run, truncation)[-1].tables[0]
    told = [tuple((cell.text, cell.note) for cell in cells[1:]) for cells in table.rows]
    assert told == [
        (("16 elements", ""), ("64.0", "57.6–70.4 at 128 tokens"), ("16.0 MiB", ""), ("10", "recall, 3 seeds")),
        (("64 elements", ""), ("102", "92.2–113 at 128 tokens"), ("64.0 MiB", ""), ("50", "recall, 3 seeds")),
        (("all the way", ""), ("128", "115–141 at 128 tokens"), ("128 MiB", ""), ("100", "recall, 3 seeds")),
    ]
    assert table.note.startswith("What is timed: encoder alone, forward and backward, of 8 sources.")
    (said,) = shown(run, truncation)[-1].said
    assert re.fullmatch(
        r"Where gradients of the LSTM go back 16 elements instead of all the way, a step over 128 tokens takes 0\.500 "
        r"times the time \(95 % interval 0\.4\d\d–0\.5\d\d\) and 0\.125 times the memory; "
        r"the median span on recall is 10 instead of 100\.",
        said,
    )


def test_truncation_is_compared_only_where_all_else_is_equal(tmp_path, undrawn):
    timed(tmp_path / "run", "lstm", 16, 1e-3)
    timed(tmp_path / "run", "lstm", 0, 1e-3, config={"model": {"hidden": 32, "truncate": 0}}, id="other")
    timed(tmp_path / "run", "rnn", 0, 1e-3)
    assert truncation.cuts(gather([tmp_path / "run"])) == []


def test_spans_that_are_the_same_for_all_seeds_are_said_once(tmp_path, undrawn):
    for seed in range(3):
        spans(tmp_path / "run", "lstm", seed, reached=100)
    (section,) = shown(tmp_path / "run", span)
    assert cells(section.tables[0], "LSTM")["span of each seed"][0] == "100 (all 3)"


def test_configurations_of_a_model_are_told_apart_without_brackets(tmp_path, undrawn):
    for seed, rates in enumerate(([0.003], [0.001, 0.003], [0.003, 0.001])):
        one = spans(tmp_path / "run", "lstm", seed)
        one.config["probe"]["rates"] = rates
        append(tmp_path / "again", dataclasses.replace(one, id=str(rates)))
    (section,) = shown(tmp_path / "again", span)
    named = {row[0].text: row[3].text for row in section.tables[0].rows}
    assert named == {"LSTM (rate 0.003)": "1", "LSTM (rates 0.001 and 0.003)": "2"}  # their order is no difference


def test_how_a_model_was_searched_is_no_part_of_its_name_where_the_rest_tells_it_apart(tmp_path, undrawn):
    for seed, (updates, rates) in enumerate(((3000, [0.003]), (2000, [0.001]))):
        one = spans(tmp_path / "run", "lstm", seed, budget={"updates": updates})
        one.config["probe"]["rates"] = rates
        append(tmp_path / "again", dataclasses.replace(one, id=str(rates)))
    (section,) = shown(tmp_path / "again", span)
    assert [row[0].text for row in section.tables[0].rows] == ["LSTM (2,000 updates)", "LSTM (3,000 updates)"]


def test_sentences_are_about_the_configuration_of_a_model_with_most_seeds_and_the_table_holds_all(tmp_path, undrawn):
    for seed in range(3):
        spans(tmp_path / "run", "lstm", seed, config={"batch": 64}, budget={"updates": 3000})
    spans(tmp_path / "run", "lstm", 0, 10, config={"batch": 32}, budget={"updates": 2000}, id="other", command="other")
    spans(tmp_path / "run", "rnn", 0)
    (section,) = shown(tmp_path / "run", span)
    names = [row[0].text for row in section.tables[0].rows]
    assert names == ["vanilla RNN", "LSTM (batch 32, 2,000 updates)", "LSTM (batch 64, 3,000 updates)"]
    assert section.said == (
        "On recall the memory span (median over seeds) is 100 for the LSTM (batch 64, 3,000 updates) and 10 for the "
        "vanilla RNN.",
    )
    assert "the sentences tell those with most seeds" in section.note


def test_a_search_that_asked_fewer_lengths_is_named_by_the_longest(tmp_path, undrawn):
    for n, most in enumerate((16, 4)):
        told = {pairs: 100.0 / pairs for pairs in (1, 2, 4, 16) if pairs <= most}
        one = everywhere(tmp_path / "aside", "lstm", "synthetic.mqar", told, along="pairs")
        append(tmp_path / "run", dataclasses.replace(one, id=str(n)))
    ((_, lines),) = seeded.panels(gather([tmp_path / "run"]), "span").items()
    assert [one.name for one in lines] == ["LSTM (up to 16 pairs)", "LSTM (up to 4 pairs)"]
    assert [one.name for one in seeded.chief(lines)] == ["LSTM (up to 16 pairs)"]


def test_an_older_form_of_associative_recall_says_that_it_is_one(tmp_path, undrawn):
    one = everywhere(tmp_path / "aside", "lstm", "synthetic.mqar", {1: 99.0, 2: 20.0}, along="pairs")
    forms = ({"queries": 8, "pause": 1}, {"queries": 0, "fewest": 2, "again": 1})
    for n, form in enumerate(forms):
        append(tmp_path / "run", dataclasses.replace(one, id=str(n), config=one.config | {"task": form}))
    today, older = shown(tmp_path / "run", span)[:2]  # unlike forms are unlike tasks
    assert (today.title, older.title) == (
        "Memory span: Associative recall: queries 0, fewest 2, again 1",
        "Memory span: Associative recall: queries 8, pause 1",
    )
    assert "older form of associative recall" in older.note
    assert "older form" not in today.note


def test_the_span_of_a_model_is_the_median_over_seeds_and_never_the_best_one(tmp_path, undrawn):
    for model in MODELS:
        for seed in range(3):
            spans(tmp_path / "run", model, seed)
    (section,) = shown(tmp_path / "run", span)
    lstm = cells(section.tables[0], "LSTM")
    assert lstm["span of each seed"][0] == "50, 100 and 200"
    assert lstm["median span"][0] == "100"
    assert lstm["updates, all trainings"] == ("4,500", "4,000 to 5,000")
    assert lstm["training, s"] == ("30.0", "20.0 to 40.0")
    assert lstm["rates, in order"][0] == "0.001 and 0.003"
    assert cells(section.tables[0], "echo-state network")["rates, in order"][0] == "none: ridge"
    assert section.said == (
        "On recall the memory span (median over 3 seeds) is at least 400 for Bahdanau attention and the transformer, "
        "100 for the LSTM, 10 for the vanilla RNN and below 10 for the echo-state network.",
    )
    assert "Solved means accuracy of at least 90.0 % on the test" in section.note
    assert (
        "Rates are tried in the same order for every model until one reaches 99.5 % on validation, where its training "
        "ends early." in section.note
    )
    assert "Tried were 10, 20, 50, 100, 200 and 400, and up to 1 middle" in section.note
    assert "Nothing beyond 400 was tried: a span that ends there is “at least”" in section.note


def test_a_span_that_ends_at_the_last_length_is_at_least_that_and_none_is_below_the_first():
    reached = [span.Reach(400, True, 10), span.Reach(100, False, 10), span.Reach(0, False, 10)]
    assert [str(one) for one in reached] == ["at least 400", "100", "below 10"]
    assert str(span.middle(reached)) == "100"
    assert str(span.middle(reached[:2])) == "at least 250"
    assert str(span.middle(reached[1:])) == "50"
    assert str(span.middle(reached[2:] * 2)) == "below 10"
    assert str(span.middle([span.Reach(400, False, 10), span.Reach(400, True, 10)])) == "at least 400"


def test_the_share_of_seeds_that_solved_a_length_counts_those_that_stopped_before_it(tmp_path, undrawn):
    for model in ("rnn", "lstm"):
        for seed in range(3):
            spans(tmp_path / "run", model, seed)
    (section,) = shown(tmp_path / "run", span)
    lstm, rnn = (cells(section.tables[1], name) for name in ("LSTM", "vanilla RNN"))
    exact = stats.binomtest(1, 3).proportion_ci(0.95, method="wilson")
    assert lstm["length 50"] == ("3 of 3", "44 to 100 %")
    assert lstm["length 200"] == ("1 of 3", f"{100 * exact.low:.0f} to {100 * exact.high:.0f} %")
    assert rnn["length 20"][0] == "0 of 3"
    assert rnn["length 50"] == ("not tried", "")


@pytest.mark.parametrize(("times", "of"), [(0, 3), (1, 3), (3, 3), (2, 5)])
def test_the_interval_of_a_share_is_wilsons(times, of):
    exact = stats.binomtest(times, of).proportion_ci(0.95, method="wilson")
    found = wilson(times, of)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_where_every_length_was_tried_scores_squared_errors_and_states_are_tabulated(tmp_path, undrawn):
    for seed, score in enumerate((40.0, 46.0, 52.0)):
        everywhere(tmp_path / "run", "lstm", "synthetic.adding", {10: 99.0, 200: score}, seed)
    (section,) = shown(tmp_path / "run", span)
    _, _, scored, wrong, held = section.tables
    half = stats.t.ppf(0.975, 2) * 6 / math.sqrt(3)
    assert cells(scored, "LSTM")["length 200"] == ("46.0", f"{46 - half:.1f} to {46 + half:.1f}")
    assert span.squared_error(46.0) == pytest.approx((100 - 46) / 600)
    assert cells(wrong, "LSTM")["length 200"][0] == "0.0900"
    assert "always answering 1 has 0.167" in wrong.caption
    assert cells(held, "LSTM")["length 200"] == ("512 B", "200 KiB of the source")
    assert section.said[1].startswith("At length 200 the LSTM scores 46.0 % (95 % interval over 3 seeds 31.1 % to")
    assert "Solved means variance explained of at least 94.0 %" in section.note


def test_a_search_over_pairs_speaks_of_pairs(tmp_path, undrawn):
    everywhere(tmp_path / "run", "lstm", "synthetic.mqar", {1: 99.0, 2: 20.0}, along="pairs")
    (section,) = shown(tmp_path / "run", span)
    assert section.tables[1].head == ("model", "1 pair", "2 pairs")
    assert section.said[0] == "On associative recall the memory span (one seed) is 1 pair for the LSTM."


def test_no_interval_of_a_score_goes_beyond_its_scale(tmp_path, undrawn):
    for seed, score in enumerate((98.2, 86.2, 99.2)):
        everywhere(tmp_path / "run", "bahdanau", "synthetic.mqar", {1: 100 - score, 4: score}, seed, along="pairs")
    (section,) = shown(tmp_path / "run", span)
    assert cells(section.tables[2], "Bahdanau attention") == {
        "model": ("Bahdanau attention", ""),
        "1 pair": ("5.5", "0.0 to 23.4"),
        "4 pairs": ("94.5", "76.6 to 100.0"),
    }
    assert "94.5 % (95 % interval over 3 seeds 76.6 % to 100.0 %)" in section.said[1]


def test_a_line_goes_only_where_every_seed_was_tried(tmp_path):
    for seed in range(3):
        spans(tmp_path / "run", "lstm", seed)
    (lines,) = seeded.panels(gather([tmp_path / "run"]), "span").values()
    curve = span._curve(lines[0])
    assert [p.x for p in curve.points] == [10, 20, 50, 100]
    assert curve.points[-1].y == pytest.approx((12 + 100 + 100) / 3)
    assert (400, 14.0) in curve.seeds


def test_extrapolation_is_interpreted_only_where_a_model_learned_it_inside(tmp_path, undrawn):
    for seed in range(3):
        extrapolated(tmp_path / "run", "lstm", {10: 100.0, 40: 99.0 + seed / 2, 80: 98.0, 500: 70.0 + seed}, seed)
        extrapolated(tmp_path / "run", "gru", {10: 99.0, 40: 100.0, 80: 99.0 + seed / 2, 500: 99.0 + seed / 2}, seed)
        extrapolated(tmp_path / "run", "transformer", {10: 95.0, 40: 94.8, 80: 90.0, 500: 50.0}, seed)
    (section,) = shown(tmp_path / "run", extrapolation)
    first, second, third = section.said
    assert first.startswith("On parity the GRU goes from 99.5 % inside to 99.5 % (95 % interval over 3 seeds 98.3 % to")
    assert first.endswith("at length 500, 12.5 times the longest of training; 3 of 3 seeds 99 % or more beyond.")
    assert second.startswith("On parity the LSTM goes from 99.8 % inside to 71.0 %")
    assert "0 of 3 seeds" in second
    assert third == (
        "On parity the transformer (94.9 %) did not learn it, on average, even at the lengths of training: what it "
        "does beyond says nothing of extrapolation."
    )
    lstm = cells(section.tables[0], "LSTM")
    assert lstm["mean inside"] == ("99.8", "99.5 to 100.0")
    assert cells(section.tables[1], "LSTM") == {
        "model": ("LSTM", ""),
        "seeds": ("3", ""),
        "10": ("100.0", ""),
        "40": ("99.5", "99.0 to 100.0"),
        "80 (beyond)": ("98.0", ""),
        "500 (beyond)": ("71.0", "70.0 to 72.0"),
    }
    assert lstm["mean beyond"] == ("84.5", "84.0 to 85.0")
    assert lstm["seeds with 99 % or more beyond"] == ("0 of 3", "0 to 56 %")
    assert "nothing is concluded" in section.explained


def test_of_many_lengths_the_shortest_and_the_longest_stand_in_the_table(tmp_path, undrawn):
    extrapolated(tmp_path / "run", "lstm", dict.fromkeys(range(10, 500, 10), 100.0))
    (section,) = extrapolation.sections(gather([tmp_path / "run"]), dataclasses.replace(parts.USUAL, columns=3))
    assert section.tables[1].head == ("model", "seeds", "10", "20", "480 (beyond)")
    assert section.tables[1].note == "Showing 3 of 48 lengths."


def test_seeds_that_learned_it_all_the_same_are_counted(tmp_path, undrawn):
    for seed, score in enumerate((100.0, 48.0, 100.0)):
        extrapolated(tmp_path / "run", "rnn", {40: score, 500: score}, seed)
    (section,) = shown(tmp_path / "run", extrapolation)
    assert section.said[0].startswith(
        "On parity the vanilla RNN (82.7 %, though 2 of 3 seeds 95 % or more) did not learn it, on average,"
    )


def test_seeds_that_agree_to_the_last_digit_are_called_alike(tmp_path, undrawn):
    for seed in range(3):
        flows(tmp_path / "run", "lstm", (0.1, 0.3), seed)
    (section,) = shown(tmp_path / "run", gradients)
    assert cells(section.tables[0], "LSTM")["decay a step, after training"] == ("0.300", "all alike")
    assert section.said == (
        "On recall the decay a step after training is 0.300 of the LSTM (all 3 seeds alike), half after 2.31 steps.",
    )


def test_a_model_without_lengths_inside_is_not_interpreted(tmp_path, undrawn):
    extrapolated(tmp_path / "run", "lstm", {80: 100.0, 500: 100.0})
    (section,) = shown(tmp_path / "run", extrapolation)
    assert section.said == ("Of the LSTM nothing was asked inside, so nothing is concluded.",)


def test_decays_half_lives_and_their_difference_are_those_of_the_rows(tmp_path, undrawn):
    for seed, shake in enumerate((0.0, 0.01, 0.02)):
        flows(tmp_path / "run", "rnn", (0.40 + shake, 0.5 + shake), seed)
        flows(tmp_path / "run", "lstm", (0.10 + 2 * shake, -0.01), seed)
    (section,) = shown(tmp_path / "run", gradients)
    half = stats.t.ppf(0.975, 2) * 0.01 / math.sqrt(3)
    rnn, lstm = (cells(section.tables[0], name) for name in ("vanilla RNN", "LSTM"))
    assert rnn["decay a step, at the start"] == ("0.410", f"{0.41 - half:.3f} to {0.41 + half:.3f}")
    lives = [f"{math.log(2) / x:.2f}" for x in (0.41, 0.41 + half, 0.41 - half)]
    assert rnn["half-life at the start, steps"] == (lives[0], f"{lives[1]} to {lives[2]}")
    assert lstm["half-life after training, steps"] == ("none", "does not fall")
    assert rnn["shortest path to the loss"][0] == "101"
    assert rnn["decay a step, after 30 updates"] == ("–", "")  # not stored
    norms = cells(section.tables[1], "vanilla RNN")
    assert [norms[name][0] for name in ("updates that burst", "updates clipped, %", "largest norm")] == [
        "2",
        "25.0",
        "12.5",
    ]
    welch = stats.ttest_ind([0.40, 0.41, 0.42], [0.10, 0.12, 0.14], equal_var=False).confidence_interval(0.95)
    assert section.said[0].startswith(
        "On recall, both from orthogonal initialisation, the decay a step of the vanilla RNN minus that of the LSTM is "
        f"0.290 at the start (95 % interval over 3 seeds {welch.low:.3f} to {welch.high:.3f}) and 0.520 after training"
    )


def test_every_stage_of_training_has_its_decay_and_its_loss_and_who_had_not_learned_is_named(tmp_path, undrawn):
    for seed, shake in enumerate((0.0, 0.01, 0.02)):
        told = {"decay_30": 0.3 + shake, "validation_loss_start": 2.6, "validation_loss_30": 2.2 + shake, "loss": 2.05}
        flows(tmp_path / "run", "rnn", (0.4, 0.5), seed, metrics=told | {"validation_loss_300": 2.1})
        flows(tmp_path / "run", "lstm", (0.1, 0.2), seed, metrics=told | {"loss": 1.1, "validation_loss_300": 0.01})
        flows(tmp_path / "run", "bahdanau", (0.1, 0.2), seed, metrics={"loss": 1.2})  # without a loss on validation
    (section,) = shown(tmp_path / "run", gradients)
    half = stats.t.ppf(0.975, 2) * 0.01 / math.sqrt(3)
    decay = cells(section.tables[0], "vanilla RNN")["decay a step, after 30 updates"]
    assert decay == ("0.310", f"{0.31 - half:.3f} to {0.31 + half:.3f}")
    lost = cells(section.tables[1], "vanilla RNN")
    assert lost["validation loss, at the start"] == ("2.60", "")
    assert (lost["after 30 updates"], lost["after training"]) == (("2.21", "2.20 to 2.22"), ("2.10", ""))
    assert lost["training loss, after training"] == ("2.05", "")
    assert section.said[-1] == (
        "When the gradient after training was taken, the vanilla RNN (loss 2.10) and Bahdanau attention (loss 1.20) "
        "had not learned recall: who guesses has ln 8 = 2.08, and less than half of that counts as learned."
    )
    assert section.tables[1].note == "Who guesses has a loss of ln 8 = 2.08."
    assert "above ten times the median norm of the 50 updates before it" in section.explained


def test_models_that_start_unlike_are_not_subtracted(tmp_path, undrawn):
    flows(tmp_path / "run", "rnn", (0.4, 0.5))
    flows(tmp_path / "run", "lstm", (0.1, 0.2), config={"model": {"start": "uniform", "gain": 1.0}})
    (section,) = shown(tmp_path / "run", gradients)
    assert not [said for said in section.said if "minus" in said]


def test_variants_of_the_recurrent_models_stand_side_by_side_with_what_differs(made):
    told = text(made)
    table = told[told.index("Variants of the recurrent models, with what differs") :]
    assert re.search(r"LSTM Recall \(forget bias 5\) 3 orthogonal 1\.0 5\.0 1\.0 1\.0 0\.500 .*? 0\.100", table)
    assert re.search(r"vanilla RNN Recall \(half gain\) 3 orthogonal 0\.50 – 1\.0 1\.0 0\.200", table)


def test_the_curve_of_gradients_is_the_median_over_seeds_at_the_start_and_at_the_end(tmp_path):
    for seed, decay in enumerate((0.1, 0.2, 0.9)):
        flows(tmp_path / "run", "rnn", (decay, 2 * decay), seed)
    (lines,) = seeded.panels(gather([tmp_path / "run"]), "gradients").values()
    early, late = gradients._curves(lines[0])
    assert (early.early, late.early) == (True, False)
    assert early.points[-1].x == 99
    assert early.points[-1].y == pytest.approx(-1 - 0.2 * 99 / math.log(10))
    assert late.points[-1].y == pytest.approx(-1 - 0.4 * 99 / math.log(10))


def test_quality_by_length_has_the_interval_that_its_seeds_or_items_give(tmp_path, undrawn):
    lengths(tmp_path / "run", "lstm", "translation", 40.0)
    for seed in range(3):
        lengths(tmp_path / "run", "lstm", "sentiment", 70.0 + seed, seed)
    lengths(tmp_path / "run", "rnn", "sentiment", 60.0)
    translation, sentiment = shown(tmp_path / "run", by_length)
    corpus, sentences, *_ = translation.tables
    assert cells(corpus, "LSTM")["up to 10 words"] == ("32.0", "")
    assert cells(sentences, "LSTM")["up to 10 words"] == ("37.0", "35.0 to 39.5")
    assert cells(corpus, "test items")["up to 20 words"][0] == "6"
    half = stats.t.ppf(0.975, 2) * 0.8 / math.sqrt(3)
    asked = sentiment.tables[1]
    assert cells(asked, "LSTM")["about 10 words"] == ("56.8", f"{56.8 - half:.1f} to {56.8 + half:.1f}")
    assert cells(asked, "vanilla RNN")["about 10 words"] == ("48.0", "46.0 to 50.5")
    assert "Of the vanilla RNN there is one seed, and so no interval over seeds." in sentiment.note
    assert "the longest part with 30 items or more" in sentiment.said[0]
    assert (
        "the vanilla RNN scores lowest: 43.6 % (95 % interval over test items 41.6 to 46.1; one seed)"
        in (sentiment.said[0])
    )


def test_training_on_joined_sentences_is_a_variant_of_its_own(made):
    told = text(made)
    assert "Quality by source length: Translation (trained on joined sentences)" in told
    beside = told[told.index("Quality by source length: Translation, variants side by side") :]
    assert "translation by length, trained on joined sentences" in beside[:400]


def test_a_lead_is_said_where_seeds_settle_it_and_nowhere_else(tmp_path, undrawn):
    for seed, shake in enumerate((-1.0, 0.0, 1.0)):
        learned(tmp_path / "run", "echo_state", {50: 70.0 + shake, 400: 71.0 + shake}, seed)
        learned(tmp_path / "run", "lstm", {50: 60.0 + shake, 400: 71.5 - shake}, seed)
    (section,) = shown(tmp_path / "run", data_curves)
    lead, rest = section.said
    half = stats.t.ppf(0.975, 2) / math.sqrt(3)
    assert lead.startswith(
        "On sentiment the echo-state network leads with 50 examples at 70.0 % (95 % interval over 3 seeds "
        f"{70 - half:.1f} % to {70 + half:.1f} %), 10.0 (7.7 to 12.3) above the LSTM"
    )
    assert "400" not in lead
    assert rest == "At other numbers of examples the first two are not told apart by their seeds."
    seconds = cells(section.tables[1], "LSTM")
    assert seconds["400"] == ("5.0", "4.0 to 6.0")


def test_one_seed_has_no_interval_over_seeds_and_that_is_said(tmp_path, undrawn):
    for model, score in (("echo_state", 70.0), ("lstm", 60.0)):
        learned(tmp_path / "run", model, {50: score, 400: score})
    (section,) = shown(tmp_path / "run", data_curves)
    assert section.said[0].endswith("by more than is sure: one seed each leaves nothing to judge a lead by.")
    assert cells(section.tables[0], "LSTM")["50"] == ("60.0", "")
    assert "One seed a model: there is no interval over seeds" in section.note
    assert "every line has one seed, and so no interval over seeds" in page(tmp_path / "run")


def test_trials_that_failed_are_listed_with_their_probe_and_variant_and_named_beside_the_numbers(made):
    told = text(made)
    lost = "LSTM Recall, memory span (recall) 7 failed failed at length 16 seqbench run long --models lstm"
    assert lost in told
    assert "No number came of 2 seeds of the LSTM, which count nowhere here: see Failures." in told
    assert "2 trials of long sequences of 128 gave no number: see Failures." in told
    assert "LSTM 2 of 32 trials gave no number: 1 diverged, 1 failed 6.2 2 of 32 trials that ran" in told


def test_seeds_of_one_configuration_are_one_line_and_other_settings_another(tmp_path, undrawn):
    for seed in (2, 0, 1, 0):
        spans(tmp_path / "run", "lstm", seed)
    spans(tmp_path / "run", "lstm", 0, config={"model": {"hidden": 128}}, id="other", command="another")
    ((panel, lines),) = seeded.panels(gather([tmp_path / "run"]), "span").items()
    assert panel.title == "Recall"
    assert sorted(one.seeds for one in lines) == [1, 3]
    assert all("hidden" in one.name for one in lines)
    assert [row.result.seed for row in max(lines, key=lambda one: one.seeds).rows] == [0, 1, 2]


def test_one_variant_on_unlike_data_is_two_tasks(tmp_path, undrawn):
    for n, data in enumerate(("a" * 64, "b" * 64)):
        config = {"data": f"/home/me/{data[0]}", "notes": {}}
        lengths(tmp_path / "run", "lstm", "sentiment", 60.0, made_of={"data": data}, config=config, id=str(n))
    found = seeded.panels(gather([tmp_path / "run"]), "by_length")
    assert [panel.title for panel in found] == ["Sentiment: own data: a", "Sentiment: own data: b"]


@functools.cache
def shape(folder: Path) -> list[tuple[str, ...]]:
    """What a page is made of where every text is harmless."""
    written = write([said_everywhere(folder / "run", HARMLESS)], folder / "page")
    return Shape(written.read_text("utf-8")).found


def every_probe(run: Path) -> list[Result]:
    """One row of each probe."""
    return [
        spans(run, "lstm"), everywhere(run, "lstm", "synthetic.adding", {10: 99.0, 200: 1.0}),
        extrapolated(run, "lstm", {10: 100.0, 80: 50.0}), flows(run, "lstm", (0.1, 0.2)),
        lengths(run, "lstm", "translation", 20.0), learned(run, "lstm", {50: 60.0, 100: 61.0}),
    ]  # fmt: skip


def said_everywhere(run: Path, said: str) -> Path:
    """A run in which every text is `said`."""
    for n, made in enumerate(every_probe(run.parent / f"{run.name}-aside")):
        for k in range(2):
            probe = {**made.config["probe"], "along": said, said: said}
            config = {
                said: said, "model": {"hidden": f"{said}{k}", "start": said, "gain": said}, "task": {said: said},
                "learning": {"rule": said, "clip": said}, "batch": said, "probe": probe, "variant": f"{said}{n}",
                "notes": {said: said, "metric": said},
            }  # fmt: skip
            texts = dict.fromkeys(("model", "task", "suite", "command", "reason", "time"), said)
            changes = {"environment": {"device": said, "processor": said, said: said}, "id": f"{n}{k}", "output": said}
            changes |= {"task": said + "2" * (n == 1)}  # of one probe there are two: no variants side by side
            append(run, Result(**{**made.__dict__, **texts, **changes, "config": config}))
        append(run, Result(**{**made.__dict__, **texts, "status": said, "metrics": {}, "id": f"f{n}", "curve": []}))
    return run


@pytest.mark.parametrize("said", HOSTILE[::2], ids=range(0, len(HOSTILE), 2))
def test_a_page_is_made_of_the_same_elements_whatever_its_rows_say(undrawn, tmp_path, tmp_path_factory, said):
    folder = write([said_everywhere(tmp_path / "run", said)], tmp_path / "page").parent
    assert Shape((folder / "index.html").read_text("utf-8")).found == shape(tmp_path_factory.getbasetemp() / "far")
    inert(folder)
    inert_markdown((folder / "report.md").read_text("utf-8"))
    assert all(re.fullmatch(r"[a-z0-9-]+\.svg", p.name) for p in (folder / "figures").iterdir())


def test_hostile_names_are_drawn_as_text(tmp_path):
    for n, name in enumerate(HOSTILE[:6]):
        made = (spans if n % 2 else flows)(tmp_path / "aside", "lstm", *(() if n % 2 else ((0.1, 0.2),)))
        append(tmp_path / "run", Result(**{**made.__dict__, "model": name, "id": str(n)}))
    inert(write([tmp_path / "run"], tmp_path / "page").parent)


ODD: list[Any] = [1e308, -1, 5e-324, 0, 10**300, 1e9, -1e9, 0.5]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_absurd_numbers_break_no_page(undrawn, tmp_path, odd):
    inert(write([absurd(tmp_path, odd)], tmp_path / "page").parent)


def absurd(folder: Path, odd: Any) -> Path:
    """A run in which any number may be `odd`."""
    for n, made in enumerate(every_probe(folder / "aside")):
        curve = [*({**point, key: odd} for point in made.curve[:3] for key in point), *made.curve, {}]
        told = {key: odd if isinstance(value, float | int) else value for key, value in made.config["probe"].items()}
        config = {**made.config, "probe": told, "task": {"length": odd}}
        for seed in range(2):
            for k, metrics in enumerate((made.metrics, dict.fromkeys(made.metrics, odd))):
                changes = {"metrics": metrics, "curve": curve, "config": config, "id": f"{n}{seed}{k}", "seed": seed}
                append(folder / "run", Result(**{**made.__dict__, **changes, "model": ("rnn", "lstm")[k]}))
    return folder / "run"


def test_absurd_numbers_are_drawn_without_harm(tmp_path):
    inert(write([absurd(tmp_path, 5e-324), absurd(tmp_path / "large", 1e9)], tmp_path / "page").parent)


WRONG: list[Any] = [None, "text", 7, [], {}, [[]], [None], [{"length": "16", "score": []}], {"metric": [1]}]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_fields_of_the_wrong_type_or_missing_break_no_page(undrawn, tmp_path, wrong):
    run = tmp_path / "run"
    for k, made in enumerate(every_probe(run)):
        for n, name in enumerate(("config", "curve", "notes", "probe", "task", "model", "learning", "variant", "main")):
            stored = json.loads(record.storable(made)) | {"schema": 1, "id": f"{k} {n}"}
            if name in ("config", "curve", "main"):
                stored[name] = wrong
            else:
                stored["config"][name] = wrong
            with (run / record.RESULTS).open("a") as file:
                file.write(json.dumps(stored) + "\n")
    inert(write([run], tmp_path / "page").parent)


def many(folder: Path, variants: int, configurations: int) -> Path:
    """A run of every probe in many variants, and the first of them in many configurations."""
    run = folder / "run"
    run.mkdir()
    with (run / record.RESULTS).open("w") as file:
        for made in every_probe(folder / "aside"):
            stored = json.loads(record.storable(made)) | {"schema": 1}
            told = [(f"variant {n}", 0) for n in range(variants)] + [("variant 0", n) for n in range(1, configurations)]
            for n, (variant, hidden) in enumerate(told):
                config = {**made.config, "variant": variant, "model": {"hidden": hidden}}
                file.write(json.dumps(stored | {"config": config, "id": f"{made.probe} {made.task} {n}"}) + "\n")
    return run


def test_many_variants_and_configurations_are_cut_and_that_is_said(tmp_path, undrawn):
    told = page(many(tmp_path, 30, 70))
    assert "Showing the first 12 of 30 variants." in told
    assert "Showing the first 60 of 70 configurations." in told
    assert "The figures show the first 8." in told


def test_a_figure_stays_small_however_long_its_curves_are(tmp_path):
    long_ones = [{"distance": d, "stage": s, "log10_norm": -0.1 * d * (1 + s)} for s in (0, 10) for d in range(500)]
    for n in range(20):
        settings = {"model": {"hidden": n}, "notes": {}}
        flows(tmp_path / "run", "lstm", (0.1, 0.2), id=str(n), command=str(n), curve=long_ones, config=settings)
        wide = dict.fromkeys(range(1, 1000), 50.0)
        extrapolated(tmp_path / "run", "lstm", wide, n % 3, id=f"e{n}", command=f"e{n}", config=settings)
    folder = write([tmp_path / "run"], tmp_path / "page").parent
    sizes = [path.stat().st_size for path in (folder / "figures").iterdir()]
    figures = 12 * (4 + 3)  # variants of five probes, two of which have two figures
    assert len(sizes) == 2
    assert max(sizes) * figures < 5_000_000


def test_the_same_trials_make_the_same_bytes(tmp_path):
    spans(tmp_path / "run", "lstm")
    flows(tmp_path / "run", "lstm", (0.1, 0.2))
    first, again = (write([tmp_path / "run"], tmp_path / name).parent for name in ("page", "again"))
    files = [path for path in first.rglob("*") if path.is_file()]
    assert len(files) == 6
    for path in files:
        assert path.read_bytes() == (again / path.relative_to(first)).read_bytes(), path.name
