"""The report: readable from stored rows alone, the same twice, inert whatever the rows hold."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from sacrebleu.metrics.bleu import BLEU

import reports
from bench.record import RecordError, Result, append, store
from reports import figures, tables, words
from reports.html import write
from reports.stored import gather

MODELS = {  # quality, seconds of training
    "rnn": (0.42, 61.0),
    "lstm": (0.62, 74.0),
    "echo_state": (0.30, 4.2),
    "bahdanau": (0.80, 118.0),
    "transformer": (0.74, 96.0),
}
NOUNS = {"dog": "perro", "cat": "gato", "house": "casa", "book": "libro", "river": "río", "garden": "jardín"}
VERBS = {"sees": "ve", "wants": "quiere", "finds": "encuentra"}
SHAPES = ["a red circle above a blue square", "a green star left of a red circle", "a small yellow ring"]
HOSTILE = "<script>alert(1)</script>\"onerror=alert(2) '|`*_[x](javascript:1) \u2028\u202e\u200f\ud800\x00 $\\frac{1}$ &amp; {{7*7}}"


def picture(item: int) -> str:
    """A small picture as a data URI."""
    pixels = np.full((24, 24, 3), 250, dtype=np.uint8)
    pixels[3 + item % 5 : 11, 4:12] = (200, 30, 30)
    pixels[14:21, 8 + item % 4 : 20] = (30, 60, 200)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def pairs(task: str, n: int) -> list[tuple[str | None, str]]:
    """Sources and references."""
    random = np.random.default_rng(len(task))
    if task == "captioning":
        return [(None, SHAPES[i % 3]) for i in range(n)]
    nouns, verbs = list(NOUNS), list(VERBS)
    made = []
    for _ in range(n):
        a, b = random.choice(nouns, 2)
        v = random.choice(verbs)
        english = f"the old {a} {v} the {b} by the water ."
        made.append((english, f"el viejo {NOUNS[a]} {VERBS[v]} el {NOUNS[b]} junto al agua ."))
    if task == "sentiment":
        return [(source, "positive" if i % 2 else "negative") for i, (source, _) in enumerate(made)]
    return made


def answered(task: str, quality: float, seed: int, n: int = 60) -> list[dict[str, object]]:
    """Answers to every item, as often right as `quality` says."""
    random = np.random.default_rng([seed, len(task), int(quality * 100)])
    items = []
    sentence = BLEU(effective_order=True)
    for i, (source, reference) in enumerate(pairs(task, n)):
        if task == "sentiment":
            answer = reference if random.random() < 0.5 + quality / 2 else "negative"
            scores = {"accuracy": 100.0 * (answer == reference)}
        else:
            answer = " ".join(w for w in reference.split() if random.random() < 0.45 + quality / 2)
            scores = {"bleu": sentence.sentence_score(answer, [reference]).score, "exact": 100.0 * (answer == reference)}
        shown = picture(i) if task == "captioning" and i < 24 else None
        items.append(
            {"item": i, "source": source, "picture": shown, "reference": reference, "answer": answer, "scores": scores}
        )
    return items


def totals(task: str, items: list[dict[str, object]]) -> dict[str, float]:
    """Metrics over all items."""
    means = {k: float(np.mean([i["scores"][k] for i in items])) for k in items[0]["scores"]}  # type: ignore[index, call-overload]
    if task == "sentiment":
        return {**means, "macro_f1": means["accuracy"] - 0.7}
    bleu = BLEU().corpus_score([str(i["answer"]) for i in items], [[str(i["reference"]) for i in items]]).score
    found = {"bleu": bleu, "chrf": bleu * 0.9 + 20, "exact": means["exact"]}
    if task == "captioning":
        found |= {"structure": 71.0, "naming": 66.5, "cider": 1.234, "kind_sneaker": 12.5, "kind_boot": 40.0}
        found |= {"exact_held_out": means["exact"] / 2, "structure_held_out": 55.5, "naming_held_out": 31.25}
    return found


MAIN = {"translation": "bleu", "sentiment": "accuracy", "captioning": "exact"}


def attention(task: str, items: list[dict[str, object]], sharp: float) -> list[dict[str, object]]:
    """Weights near the diagonal over some items."""
    made = []
    for item in items[:4]:
        answer = str(item["answer"]).split() or ["<eos>"]
        source = str(item["source"]).split() if item["source"] else [f"{r},{c}" for r in range(3) for c in range(3)]
        away = np.abs(np.linspace(0, 1, len(answer))[:, None] - np.linspace(0, 1, len(source))[None])
        weights = np.exp(-away * sharp)
        weights /= weights.sum(1, keepdims=True)
        made.append(
            {
                "item": item["item"], "source_tokens": source, "answer_tokens": answer, "weights": weights.tolist(),
                "grid": [3, 3] if task == "captioning" else None, "picture": item["picture"],
            }  # fmt: skip
        )
    return made


def trial(run: Path, model: str, task: str, seed: int = 0, **changes: object) -> Result:
    """Stores one finished trial with its artifacts."""
    quality, seconds = MODELS.get(model, (0.5, 30.0))
    items = answered(task, quality, seed)
    metrics = totals(task, items)
    main = MAIN[task]
    name = hashlib.sha256(f"{model}{task}{seed}".encode()).hexdigest()[:12]
    artifacts = {"answers": store(run, name, "answers.json", json.dumps({"items": items}).encode())}
    if model in {"bahdanau", "transformer"} and task != "sentiment":
        content = json.dumps(attention(task, items, 6 if model == "transformer" else 12)).encode()
        artifacts["attention"] = store(run, name, "attention.json", content)
    count = 3 if model == "echo_state" else 8
    updates = 116 if model == "echo_state" else 700
    curve = []
    for k in range(1, count + 1):
        point = {"updates": updates * k // count, "examples": 64 * updates * k // count, "tokens": 700 * k}
        point |= {"seconds": seconds * k / count, "loss": 4 / k, main: metrics[main] * (1 - 0.8 ** (3 * k)) / 1.0}
        curve.append(point)
    row = Result(
        probe="quality", model=model, task=task, seed=seed, status="ok", main=main,
        metrics={
            **metrics, "parameters_trained": 412_000.0 * (1 + quality), "parameters_total": 1_230_000.0,
            "train_seconds": seconds, "updates": float(updates), "examples": 64.0 * updates,
            "source_tokens_per_second": 61_234.5 * quality, "target_tokens_per_second": 58_000.0 * quality,
            "generate_seconds": 2.5, "generate_tokens_per_second": 4321.0, f"validation_{main}": metrics[main] + 1,
        },
        config={
            "model": {"hidden": 128, "layers": 1}, "learning": {"rate": 0.002, "precision": "float32"},
            "task": {"direction": "en-es"} if task == "translation" else {}, "batch": 64,
        },
        budget={"updates": 700, "used": {"updates": updates, "seconds": seconds + seed}},
        curve=curve,
        signatures={"bleu": str(BLEU().corpus_score(["a"], [["a"]]) and _signature())} if task != "sentiment" else {},
        environment={
            "device": "cpu", "processor": "Example processor", "cores": 2, "threads": 1, "python": "3.11.9",
            "torch": "2.11.0", "platform": "Linux", "commit": "0123abc",
        },
        artifacts=artifacts, suite="quick", command=f"seqbench run {model} {task} --seed {seed}", id=name,
    )  # fmt: skip
    row = Result(**{**row.__dict__, **changes})  # type: ignore[arg-type]
    append(run, row)
    return row


def _signature() -> str:
    bleu = BLEU()
    bleu.corpus_score(["a"], [["a"]])
    return str(bleu.get_signature())


def floor(run: Path, name: str, task: str, value: float) -> None:
    """Stores one floor."""
    append(run, Result("floor", name, task, 0, "ok", {MAIN[task]: value}, MAIN[task], suite="quick"))


def failure(run: Path, model: str, task: str, reason: str = "out of memory at length 512") -> None:
    """Stores one failed trial."""
    command = f"seqbench run {model} {task}"
    append(run, Result("quality", model, task, 0, "failed", {}, MAIN[task], reason, command=command, id=f"f-{model}-{task}"))


def build(run: Path, seeds: int = 1) -> Path:
    """A whole run: five models on three tasks, floors, one failure."""
    for task, floors in {
        "translation": {"dictionary": 31.5, "copied source": 1.2},
        "sentiment": {"majority": 50.0, "bag of words": 71.7},
        "captioning": {"nearest neighbour": 24.0, "constant": 0.0},
    }.items():
        for name, value in floors.items():
            floor(run, name, task, value)
        for model in MODELS:
            if (model, task) == ("transformer", "captioning"):
                failure(run, model, task)
                continue
            for seed in range(seeds):
                trial(run, model, task, seed)
    return run


if __name__ == "__main__":  # a look at it: python tests/test_report.py OUT [SEEDS]
    import sys

    out = Path(sys.argv[1])
    write([build(out / "run", int(sys.argv[2]) if len(sys.argv) > 2 else 1)], out / "page")
