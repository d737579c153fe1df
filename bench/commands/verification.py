"""Is a run what its trials left? Every row, file and checksum, and whether the numbers agree with each other.

Needs no torch: scores are computed again from the stored answers.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import identity, record
from bench.contest import UNFINISHED
from bench.record import RecordError, Result

MEANS = ("exact", "accuracy", "cider")  # metrics that are the mean of their items
ROUNDING = 0.006  # items are stored with two decimals
PER_CENT = ("bleu", "chrf", "exact", "accuracy", "macro_f1", "structure", "naming", "aligned", "hits", "uniform")
APART = ("_held_out", "_unseen")  # ends of the names of scores on some of the items
# Exponents, scores around zero, and shares that noise may take below it.
SIGNED = ("decay", "slope", "last_octave_slope", "parallel_fraction", "explained", "inside", "beyond", "validation")
SPARE = 1.5  # a budget in seconds is met by a forecast


def problems(run: Path) -> list[str]:
    """What is wrong with a run, a line each; nothing where all is as it was written. Raises RecordError."""
    lines = list(record.rows(run))
    rows = [(number, row, record.result(row)) for number, row in lines if row is not None]
    found = [
        f"{record.RESULTS}, line {n}: damaged: it is no row, or its checksum is wrong" for n, r in lines if r is None
    ]
    found += _gaps(rows)
    found += _twice([result for _, _, result in rows])
    for number, _, result in rows:
        found += [f"{record.RESULTS}, line {number}, {_label(result)}: {fault}" for fault in _faults(run, result)]
    return [*found, *_strays(run, {result.id for _, _, result in rows})]


def _label(result: Result) -> str:
    return f"{result.model} on {result.task}, seed {result.seed}"


def _gaps(rows: list[tuple[int, dict[str, Any], Result]]) -> Iterator[str]:
    """Each row names the checksum of the one before it."""
    before = ""
    for number, row, _ in rows:
        if row.get("after", before) != before:
            yield f"{record.RESULTS}, line {number}: the row before it is missing or was changed"
        before = row.get("sum", "")


def _twice(results: list[Result]) -> Iterator[str]:
    """No trial is stored twice, under its own seed or as another's."""
    known: dict[tuple[str, str], Result] = {}
    curves: dict[str, Result] = {}
    for result in (r for r in results if r.status == "ok"):
        if result.id and (result.id, result.model) in known:
            yield f"{_label(result)} is stored twice (id {result.id})"
        known[result.id, result.model] = result
        if any("seconds" in point for point in result.curve):  # scores alone may well agree: two seeds that solved it
            same = json.dumps([result.model, result.task, result.curve])
            if same in curves and curves[same].id != result.id:
                yield f"{_label(result)} has the curve of seed {curves[same].seed} to the last digit, its seconds too"
            curves[same] = result


def _faults(run: Path, result: Result) -> Iterator[str]:
    if result.made_of and identity.name(result.made_of) != result.id:
        yield "its id is not that of what it is made of"
    if result.made_of and result.made_of.get("seed") != str(result.seed):
        yield f"seed {result.seed}, but it was made with seed {result.made_of.get('seed')}"
    if result.status != "ok":
        return
    yield from _bounds(result)
    if result.probe == "quality":
        yield from _overspent(result)
        yield from _chosen(result)
        yield from _artifacts(run, result)


def _bounds(result: Result) -> Iterator[str]:
    if result.main not in result.metrics:
        yield f"the metric {result.main!r} that heads it is missing"
    for name, value in result.metrics.items():
        high = 100 if _whole(name) in PER_CENT else math.inf
        low = -math.inf if name.startswith(SIGNED) and not name.endswith(PER_CENT) else 0.0
        if not low - 1e-9 <= value <= high + 1e-6:
            yield f"{name} = {value:g} lies outside {low:g} to {high:g}"


def _whole(name: str) -> str:
    """A metric's name without what says that it is on some of the items."""
    for end in APART:
        name = name.removesuffix(end)
    return name


def _overspent(result: Result) -> Iterator[str]:
    used = result.budget.get("used", {})
    for axis in ("updates", "seconds"):
        allowed = result.budget.get(axis)
        if allowed and used.get(axis, 0) > allowed * (SPARE if axis == "seconds" else 1):
            yield f"{used[axis]:g} {axis} were used, {allowed:g} allowed"
    if result.made_of.get("budget") and result.budget.get("updates") != json.loads(result.made_of["budget"])["updates"]:
        yield "the budget is not the one that it was made with"
    if result.curve and max(point.get("updates", 0) for point in result.curve) > used.get("updates", math.inf):
        yield "its curve goes on after its last update"
    if result.metrics.get("updates", used.get("updates")) != used.get("updates"):
        yield "its metrics and its budget disagree on the updates"


def _chosen(result: Result) -> Iterator[str]:
    """The state that was kept is the one that did best on validation."""
    chosen = result.metrics.get(f"validation_{result.main}")
    scores = [point[result.main] for point in result.curve if result.main in point]
    if chosen is None or not scores:
        yield "it does not say how it did on validation, so nothing shows how its state was chosen"
    elif abs(max(scores) - chosen) > 1e-9:
        yield f"its state was not chosen on validation: {chosen:g} is not the best of its curve, {max(scores):g}"


def _artifacts(run: Path, result: Result) -> Iterator[str]:
    for name in ("answers", "checkpoint"):
        if name not in result.artifacts:
            yield f"it names no {name}"
    for name in result.artifacts:
        try:
            content = record.artifact(run, result, name)
        except RecordError as error:
            yield str(error)
            continue
        if name == "answers" and content is not None:
            yield from _rescored(result, content)


def _rescored(result: Result, content: bytes) -> Iterator[str]:
    """The scores once more, from the stored answers."""
    try:
        items = json.loads(content)["items"]
        columns = {name: [item["scores"][name] for item in items] for name in items[0]["scores"]}
        texts = [item["answer"] for item in items], [item["reference"] for item in items]
    except (ValueError, RecursionError, KeyError, TypeError, IndexError):
        yield "its answers are not what they should be"
        return
    for name in MEANS:
        if name in result.metrics and name in columns:
            again = sum(columns[name]) / len(columns[name])
            if abs(again - result.metrics[name]) > ROUNDING:
                yield f"{name} is {result.metrics[name]:g}, but its answers come to {again:g}"
    for name, again in _corpus_scores(result, *texts).items():
        if abs(again - result.metrics[name]) > 1e-6:
            yield f"{name} is {result.metrics[name]:g}, but its answers come to {again:g}"


def _corpus_scores(result: Result, answers: list[str], references: list[str]) -> dict[str, float]:
    """BLEU and chrF by sacrebleu, where the row has them against one reference an item."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    lower = bool(result.config.get("task", {}).get("lower", False))
    kinds = {"bleu": BLEU(tokenize="13a", lowercase=lower), "chrf": CHRF(lowercase=lower)}
    return {
        name: float(kind.corpus_score(answers, [references]).score)
        for name, kind in kinds.items()
        if name in result.metrics and "nrefs:1|" in result.signatures.get(name, "")
    }


def _strays(run: Path, ids: set[str]) -> Iterator[str]:
    """Files that no row speaks of, and damaged checkpoints of what is unfinished."""
    unfinished = _folders(run / UNFINISHED)
    for folder in _folders(run / "artifacts"):
        if folder.name not in ids and folder.name not in {f.name for f in unfinished}:
            yield f"artifacts/{folder.name}: no row speaks of it; was one removed?"
    for folder in unfinished:
        yield from _damaged(folder)


def _damaged(folder: Path) -> Iterator[str]:
    """Manifests and tensors that do not belong together, without reading a tensor."""
    for manifest in sorted(folder.glob("*.json")):
        tensors = manifest.with_suffix(".safetensors")
        try:
            outer = json.loads(manifest.read_bytes())
            right = hashlib.sha256(outer["body"].encode()).hexdigest() == outer["sum"]
            whole = hashlib.sha256(tensors.read_bytes()).hexdigest() == json.loads(outer["body"])["tensors"]
        except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
            right = whole = False
        if not (right and whole):
            yield f"{UNFINISHED}/{folder.name}/{manifest.stem}: the checkpoint is damaged; the one before serves"


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir()) if path.is_dir() else []
