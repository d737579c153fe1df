"""From stored rows to what a baseline keeps of them and says of the machine. No torch: runs are judged by it."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import record
from bench.disk import RecordError
from bench.guard import gates
from bench.record import Result
from bench.statistics import pseudo_values

MOST_ITEMS = 2000  # whose scores and answers a baseline keeps
KEPT = ("device", "processor", "cores", "threads", "platform", "python", "commit")  # facts of an environment
ASKED = ("model_settings", "learning", "task_settings", "batch", "beam", "precision")
Entry = dict[str, Any]


def made(environment: dict[str, Any], time: str) -> dict[str, Any]:
    """Where and when something was measured, as a baseline says it."""
    facts = {name: environment[name] for name in KEPT if name in environment}
    return facts | {"libraries": environment.get("libraries", {}), "time": time[:10]}


def quality(run: Path, rows: Sequence[Result], command: str = "") -> Entry:
    """What trained or tested models of one cell came to, one row a seed. Raises RecordError.

    Items' scores are kept where their mean is the score, or where it is BLEU or chrF of a corpus, which counts item by
    item make; their answers as checksums.
    """
    rows = sorted(rows, key=lambda row: row.seed)
    first, tables, answers = rows[0], [], []
    for row in rows:
        items = _items(run, row)
        tables.append(_scores(row, items))
        answers.append("".join(_digest(item["answer"]) for item in items) if len(items) <= MOST_ITEMS else "")
    whole = all(table is not None and len(table) <= MOST_ITEMS for table in tables)
    kept = {"items": [gates.packed(table or []) for table in tables]} if whole else {}
    scores = [round(float(row.metrics[row.main]), 6) for row in rows]
    return kept | {
        "kind": "quality",
        "model": first.model,
        "task": first.task,
        "metric": first.main,
        "asked": asked(first),
        "data": first.made_of.get("data", ""),
        "seeds": [row.seed for row in rows],
        "scores": scores,
        "noise": round(statistics.stdev(scores), 4) if len(scores) > 1 else None,
        "answers": answers,
        "weights": [row.artifacts.get("checkpoint", {}).get("sha256", "")[:16] for row in rows],
        "made": made(first.environment, first.time),
        "command": command or first.command,
    }


def asked(row: Result) -> dict[str, Any]:
    """What was asked for beside model, task and seed, in plain values. Defaults are code: a change of one is judged."""
    trial = row.config.get("asked", {})
    told = {name: trial[name] for name in ASKED if trial.get(name)}
    alone = {
        name: row.config[name] for name in ("batch", "beam", "precision", "probe", "compile") if name in row.config
    }
    budget = {name: value for name, value in row.budget.items() if name != "used"}
    plain: dict[str, Any] = json.loads(json.dumps(alone | told | {"budget": budget}, default=str))
    return {name: value for name, value in plain.items() if value not in (None, "", {}, False)}


def throughput(row: Result, command: str = "") -> Entry:
    """The pace of a stored throughput: its training step over the matrix product that took turns with it.

    Raises RecordError where the row does not hold both.
    """
    m = row.metrics
    if not {"train_step_seconds", "train_per_product"} <= m.keys():
        raise RecordError(
            f"the throughput of {row.model} on {row.task} stores no reference beside its timings; run it again"
        )
    product = float(m["train_step_seconds"]) / float(m["train_per_product"])
    clean = not m.get("had_company", 0)
    return {
        "kind": "speed",
        "model": row.model,
        "task": row.task,
        "metric": "training step over a matrix product",
        "asked": asked(row),
        "ratios": [round(float(m["train_per_product"]), 6)] if clean else [],
        "seconds": float(m["train_step_seconds"]),
        "reference_seconds": product,
        "memory": [int(m["peak_bytes"])] if "peak_bytes" in m else [],
        "made": made(row.environment, row.time),
        "command": command or row.command,
    }


def _items(run: Path, row: Result) -> list[dict[str, Any]]:
    content = record.artifact(run, row, "answers")
    try:
        return list(json.loads(content)["items"]) if content else []
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RecordError(f"{run}: the answers of {row.model} on {row.task} are not what they should be") from error


def _scores(row: Result, items: list[dict[str, Any]]) -> list[float] | None:
    """One number an item whose mean is the row's main score; None where there is no such thing."""
    if not items:
        return None
    if row.main in ("bleu", "chrf"):
        return _corpus(row.main, row.signatures.get(row.main, ""), items)
    own = [item["scores"].get(row.main) for item in items]
    if any(score is None for score in own):
        return None
    near = abs(statistics.fmean(own) - float(row.metrics[row.main])) < 0.02  # items are stored to two decimals
    return own if near else None


def _corpus(metric: str, signature: str, items: list[dict[str, Any]]) -> list[float] | None:
    """Pseudo-values of corpus BLEU or chrF against one reference; None where it was made in another way."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    if "nrefs:1|" not in signature or len(items) < 2:
        return None
    lower = "case:lc" in signature
    metric_of: Any = BLEU(tokenize="13a", lowercase=lower) if metric == "bleu" else CHRF(lowercase=lower)
    pairs = [i["answer"] for i in items], [[i["reference"] for i in items]]
    # sacrebleu offers these counts to its own tests of significance alone
    counts = np.array(metric_of._extract_corpus_statistics(*pairs), dtype=np.float64)
    values = pseudo_values(counts, lambda sums, n: float(metric_of._aggregate_and_compute([sums.tolist()]).score))
    return [float(value) for value in values]


def _digest(answer: str) -> str:
    return hashlib.sha256(answer.encode()).hexdigest()[: gates.DIGEST]
