"""The report of long sequences: means over seeds with their intervals, never the best seed, odd rows no harm."""

from __future__ import annotations

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
from reports import extrapolation, html, long, long_figures, parts, span
from reports._svg import Drawn
from reports.failures import wilson
from reports.html import write
from reports.stored import gather

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
    curve = [
        {"length": n, "score": score, "carry_bytes": 512, "memory_bytes": 1024 * n} for n, score in scores.items()
    ]
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
        "decay_start": decays[0], "decay": decays[1], "exploded": 2, "clipped_share": 0.25, "norm_largest": 12.5,
        "path": 101,
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
            extrapolated(run, model, tested | {44: inside[seed] - 1, 80: beyond + seed - 1, 160: beyond, 500: beyond}, seed)
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
