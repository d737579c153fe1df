"""Rows as they were read, checked: every field of the type it should have, and nothing that no report shows.

Here are the kinds of probes that reports know, too.
"""

from __future__ import annotations

import sys
from typing import Any

from bench.record import Result
from reports.rows.artifacts import SHOWN
from reports.rows.fields import mapping, number, numbers, sequence, text
from reports.rows.lean import Shared, tidy
from reports.words import whole

PROBES = ("quality", "floor")
SPEED = ("throughput", "parallelism", "scaling")
LONG = ("span", "extrapolate", "gradients", "by_length", "data_curve")
CLAIMED = ("order", "alignment", "decoding")  # measured for claims alone
TUNED = ("tune",)
TEXTS = ("probe", "model", "task", "status", "main", "reason", "suite", "command", "time", "id")
WHEN = ("updates", "examples", "tokens", "flops", "seconds")  # where training stood at a point of its curve
MEASURED = {  # what a point of a curve holds; of speed, the first that is there tells where it stands
    "throughput": (
        "batch", "generate_tokens_per_second", "generate_tokens_per_second_low", "generate_tokens_per_second_high",
    ),
    "parallelism": (
        "length", "batch", "threads", "devices", "parallel_fraction", "parallel_fraction_low", "parallel_fraction_high",
        "chain", "launches", "step_seconds", "step_low", "step_high", "tokens_per_second", "low", "high",
        "device_efficiency", "device_efficiency_low", "device_efficiency_high",
    ),
    "scaling": (
        "length", "width", "step_seconds", "step_low", "step_high", "step_bytes", "step_bytes_low", "step_bytes_high",
        "flops", "moved_bytes", "rounds", "growth", "growth_low", "growth_high", "generate_seconds", "generate_low",
        "generate_high",
    ),
    "span": ("length", "score", "loss", "carry_bytes", "memory_bytes"),
    "extrapolate": ("length", "score"),
    "gradients": ("distance", "stage", "log10_norm"),
    "by_length": ("words", "asked", "items", "mean", "low", "high"),  # and the score, by the main metric's name
    "data_curve": ("examples", "score", "seconds"),
}  # fmt: skip
CODE = 200  # files of code whose checksums a row may name
LONGEST = 1000  # points of a curve of long sequences
LINES, LETTERS = 20, 2000  # of what a failed trial printed


def checked(row: dict[str, Any], shared: Shared) -> Result:
    """A stored row with every field of the type it should have, and without what no report shows.

    What is of the wrong type is left out; what other rows have too is kept once.
    """
    get = row.get
    config = dict(mapping(get("config")))
    if isinstance(config.get("asked"), dict):
        # the rest stands beside it already
        kept = ("learning", "model_settings", "seeds")
        config["asked"] = {name: config["asked"][name] for name in kept if name in config["asked"]}
    texts: dict[str, Any] = {name: text(get(name)) for name in TEXTS}
    return Result(
        **texts,
        seed=int(number(get("seed")) or 0),
        metrics=numbers(get("metrics")),
        config=shared.within(config),
        budget=tidy(mapping(get("budget"))),
        environment=shared(mapping(get("environment"))),
        signatures=shared({k: text(v) for k, v in mapping(get("signatures")).items()}),
        artifacts={k: v for k, v in mapping(get("artifacts")).items() if isinstance(v, dict) and k in SHOWN},
        made_of=shared.texts(_made_of(row)),
        curve=_curve(row),
        output="\n".join(text(get("output")).splitlines()[-LINES:])[-LETTERS:],
    )


def _made_of(row: dict[str, Any]) -> dict[str, str]:
    """The data's checksum; of a training's quality, the checksum of each file of code too."""
    made = mapping(row.get("made_of"))
    quality = row["probe"] == "quality"
    named = [(k, v) for k, v in made.items() if (k[-3:] == ".py" and quality) or (k == "data" and v)]
    return {k: v if isinstance(v, str) else text(v) for k, v in named[:CODE]}


def _curve(row: dict[str, Any]) -> list[dict[str, float]]:
    """A row's curve, as far as curves are drawn."""
    main = (row["main"],) if isinstance(row.get("main"), str) else ()
    names = MEASURED.get(row["probe"]) or ((*WHEN, *main) if main else ())
    names = (*names, *main) if row["probe"] == "by_length" else names
    named = [(sys.intern(whole(name)), name) for name in names]
    points = sequence(row.get("curve"))[: LONGEST if row["probe"] in LONG else None] if named else []
    return [
        {shown: n for shown, name in named if (n := number(point.get(name))) is not None}
        for point in map(mapping, points)
    ]
