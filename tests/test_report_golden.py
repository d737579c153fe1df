"""A stored run gives the same page to the last byte; SEQBENCH_GOLDEN=1 writes anew what is expected."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import matplotlib as mpl
import pytest
from test_report import floor, trial

from bench.record import Result, append
from reports.page.html import write

GOLDEN = Path(__file__).parent / "golden" / "report"
AGAIN = bool(os.environ.get("SEQBENCH_GOLDEN"))
DRAWN = GOLDEN / "matplotlib"  # its version: another one may place a label elsewhere


def stored() -> None:
    """The run: two models with two seeds on one task, one of them alone on another, floors, a failure, a timing."""
    for seed in (0, 1):
        trial(GOLDEN, "lstm", "translation", seed, artifacts={})
        trial(GOLDEN, "rnn", "translation", seed, artifacts={})
    trial(GOLDEN, "lstm", "sentiment", artifacts={})
    floor(GOLDEN, "dictionary", "translation", 31.5)
    floor(GOLDEN, "majority", "sentiment", 50.0)
    append(GOLDEN, Result("quality", "rnn", "sentiment", 0, "failed", {}, "accuracy", "out of memory", id="lost"))
    speed = {"train_target_tokens_per_second": 900.0, "peak_bytes": 2.0**24}
    append(
        GOLDEN,
        Result(
            "throughput",
            "lstm",
            "translation",
            0,
            "ok",
            speed,
            "train_target_tokens_per_second",
            environment={"device": "cpu"},
        ),
    )
    shutil.rmtree(GOLDEN / "artifacts")  # no row names any


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if AGAIN:
        (GOLDEN / "results.jsonl").unlink(missing_ok=True)
        stored()
        DRAWN.write_text(mpl.__version__ + "\n")
    folder = write([GOLDEN], tmp_path_factory.mktemp("golden")).parent
    for name in ("report.md", "index.html") if AGAIN else ():
        (GOLDEN / name).write_bytes((folder / name).read_bytes())
    return folder


def test_the_markdown_is_what_it_was(made):
    assert (made / "report.md").read_text("utf-8") == (GOLDEN / "report.md").read_text("utf-8")


def test_the_page_is_what_it_was_to_the_last_byte(made):
    if mpl.__version__ != DRAWN.read_text().strip():
        pytest.skip(f"drawn by matplotlib {DRAWN.read_text().strip()}, this is {mpl.__version__}")
    assert (made / "index.html").read_bytes() == (GOLDEN / "index.html").read_bytes()
