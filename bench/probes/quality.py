"""Quality: train under the budget, choose on validation, answer the test split once, keep what a report shows."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save
from torch import Tensor

from bench import identity, machine, meters, record
from bench.probes import asked
from bench.sizes import state_bytes, typical
from bench.train import Answers, Training, answers, train
from bench.trial import Trial, now
from bench.watch import Watch
from models import Model
from models.layers.embedding import Patches
from tasks import BOS, Scores, Task, collate

PICTURES = 24  # items whose picture is kept with the answers
WATCHED = 16  # items whose attention is kept
HEADS = 128 * 1024  # bytes a trial for the attention of every head of every layer, a byte a weight


def run(trial: Trial, made_of: dict[str, str], out: Path, device: torch.device, watch: Watch) -> list[record.Result]:
    """One trained and tested model as a row, its artifacts stored first."""
    task = asked.task(trial)
    kind, _ = asked.model(trial)
    rule, settings = asked.rule(trial, kind)
    precision = asked.computed(trial, rule, device)
    order, make = trial.drawn_by("order"), asked.learner(trial, device)
    company = meters.Company()
    model, training = train(make, task, trial.budget, trial.batch, order, device, trial.points, watch)
    others = company.processors()
    task = asked.tested(trial)
    said = answers(model, task, "test", device, trial.beam, watch=watch)
    scores = task.score(said.tokens, "test")
    learning = {
        "rule": kind.learning,
        "precision": str(precision).removeprefix("torch."),
        **dataclasses.asdict(settings),
    } | training.chosen
    row = record.Result(
        probe="quality",
        model=trial.model,
        task=trial.task,
        seed=trial.seed,
        status="ok",
        metrics=scores.totals
        | task.facts("test")
        | _costs(model, training, said)
        | {"company": others, "had_company": int(meters.Company.matters(others))}  # while it trained
        | state_bytes(model, typical(task).to(device))
        | _validation(scores.main, training),
        main=scores.main,
        config={
            "model": asked.config(model) | _picture_encoder(model),
            "learning": learning,
            "task": asked.config(task),
            "batch": trial.batch,
            "beam": trial.beam,
            "compile": trial.compile,
            "data": trial.data,
            "overlap": task.overlap if trial.data else {},  # the splits of the corpora inside are disjoint, and tested
            "selection": "validation",
            "seeds": asked.seeds(trial),
            "tuned": trial.tuned,
            "matched": trial.matched,
            "asked": dataclasses.asdict(trial),
        },
        budget={k: v for k, v in dataclasses.asdict(trial.budget).items() if v is not None}
        | {"used": training.used() | {"interruptions": training.interruptions}},
        curve=training.curve,
        signatures=scores.signatures,
        environment=machine.environment(device),
        artifacts=_kept(out, identity.name(made_of), model, task, said, scores, device),
        suite=trial.suite,
        command=trial.command(device),
        time=now(),
        id=identity.name(made_of),
        made_of=made_of,
    )
    return [row]


def _validation(main: str, training: Training) -> dict[str, float | int]:
    return {} if training.best_score is None else {f"validation_{main}": training.best_score}


def _picture_encoder(model: Model) -> dict[str, str]:
    """Whether the filters that a picture goes through were learned along, or are fixed and random."""
    filters = [p for layer in model.modules() if isinstance(layer, Patches) for p in layer.parameters()]
    if not filters:
        return {}
    return {"picture_encoder": "trained" if any(p.requires_grad for p in filters) else "fixed random filters"}


def _costs(model: Model, training: Training, said: Answers) -> dict[str, float | int]:
    counts = model.parameter_counts()
    metered = {"peak_bytes": training.peak_bytes, "train_joules": training.joules}
    return {name: told for name, told in metered.items() if told is not None} | {
        "parameters_trained": counts["trained"],
        "parameters_total": counts["total"],
        "train_seconds": training.seconds,
        "updates": training.updates,
        "examples": training.examples,
        "source_tokens_per_second": training.source_tokens / training.seconds,
        "target_tokens_per_second": training.target_tokens / training.seconds,
        "generate_seconds": said.seconds,
        "generate_tokens_per_second": said.written / said.seconds,
    }


def _kept(
    out: Path, trial: str, model: Model, task: Task, said: Answers, scores: Scores, device: torch.device
) -> dict[str, dict[str, str]]:
    """Artifacts: the answers, the attention where there is one, the parameters."""
    files = {
        "answers.json": _json({"items": [_answer(task, item, said, scores) for item in range(len(said.tokens))]}),
        "model.safetensors": save(_whole(model)),
    }
    watched = [_attention(model, task, item, device) for item in range(min(WATCHED, len(said.tokens)))]
    if any(w is not None for w in watched):
        files["attention.json"] = _json(_bounded([w for w in watched if w is not None]))
    names = {"answers.json": "answers", "model.safetensors": "checkpoint", "attention.json": "attention"}
    return {names[file]: record.store(out, trial, file, content) for file, content in files.items()}


def _whole(model: Model) -> dict[str, Tensor]:
    """Parameters by name, on the CPU; a shared one stands under each of its names."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _answer(task: Task, item: int, said: Answers, scores: Scores) -> dict[str, Any]:
    shown = task.show("test", item)
    return {
        "item": item,
        "source": shown.source,
        "picture": _picture(shown.picture) if item < PICTURES else None,
        "reference": shown.reference,
        "answer": task.write(said.tokens[item]),
        "scores": {metric: round(values[item], 2) for metric, values in scores.items.items()},
    }


def _picture(pixels: np.ndarray | None) -> str | None:
    """A picture as the address of itself, for a page without a network."""
    if pixels is None:
        return None
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def _bounded(watched: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The heads of one item after another while there is room for theirs; the others keep the mean alone."""
    room, kept = HEADS, []
    for one in watched:
        size = math.prod(one["heads"]["shape"]) if one["heads"] else 0
        fits = 0 < size <= room
        room -= size if fits else 0
        kept.append(one if fits else {name: told for name, told in one.items() if name != "heads"})
    return kept


def _bytes(heads: list[Tensor]) -> dict[str, Any] | None:
    """Weights (layers, heads, S) of each written token as shares of 255, a byte each; None where there are none."""
    if not heads:
        return None
    shares = (torch.stack(heads).cpu() * 255).round().to(torch.uint8)  # (T, layers, heads, S)
    return {"shape": list(shares.shape), "weights": base64.b64encode(shares.numpy().tobytes()).decode()}


@torch.no_grad()
def _attention(model: Model, task: Task, item: int, device: torch.device) -> dict[str, Any] | None:
    """Attention weights over the source at every token that the model writes; None where it has none."""
    model.eval()
    batch = collate(task.items("test"), [item], task.spec).to(device)
    answer = model.generate(batch.source, batch.source_length)[0]
    state = model.encode(batch.source, batch.source_length, len(answer))
    token, weights, heads = torch.full_like(answer[:1], BOS), [], []
    with model.watching():
        for following in answer:
            _, state = model.step(token, state)
            if state.attention is None:
                return None
            weights.append([round(w, 4) for w in state.attention[0].tolist()])
            heads += [] if state.heads is None else [state.heads[0].float()]
            token = following[None]
    shown = task.show("test", item)
    pieces = list(task.pieces(answer.tolist())) if task.spec.max_target > 1 else [task.write(answer.tolist())]
    return {
        "item": item,
        "source_tokens": list(shown.source_tokens),
        "answer_tokens": pieces,
        "weights": weights[: len(pieces)],
        "heads": _bytes(heads[: len(pieces)]),
        "grid": list(task.spec.grid) if task.spec.grid else None,
        "picture": _picture(shown.picture),
    }
