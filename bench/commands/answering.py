"""A trained model answers what a person types: restored from its row and its checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load

from bench import record
from bench.probes import asked
from bench.record import Result
from bench.trial import Trial, from_plain
from models import Model
from tasks import BadInput, Task, pad


def answer(run: Path, query: str, model: str, task: str, seed: int = 0, beam: int = 1) -> str:
    """The answer as text, on the CPU. Raises BadInput or RecordError."""
    trained, on = restored(run, model, task, seed)
    source: np.ndarray = on.read(query)
    tokens, length = pad([source])
    said = trained.generate(tokens, length, beam=beam)[0]
    return str(float(said)) if on.spec.target == "number" else on.write(said.tolist())


def restored(run: Path, model: str, task: str, seed: int) -> tuple[Model, Task]:
    """The model of the newest row that fits, as it was when tested, and its task."""
    rows = [r for r in record.read(run) if r.probe == "quality" and r.status == "ok"]
    fitting = [r for r in rows if (r.model, r.task, r.seed) == (model, task, seed)]
    if not fitting:
        known = ", ".join(sorted({f"{r.model} on {r.task} (seed {r.seed})" for r in rows})) or "none"
        raise BadInput(f"{run} holds no trained {model} on {task} with seed {seed}; it holds: {known}")
    row = fitting[-1]
    trial = _trial(run, row)
    content = record.artifact(run, row, "checkpoint")
    if content is None:
        raise BadInput(f"{run}: the row of {trial.label()} names no checkpoint")
    made = asked.built(trial, torch.device("cpu"))
    try:
        made.load_state_dict(load(content))
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(
            f"{run}: the checkpoint of {trial.label()} does not fit the model as it is now: {reason}"
        ) from None
    return made.eval(), asked.task(trial)


def _trial(run: Path, row: Result) -> Trial:
    """What was asked for when the row was made. Raises BadInput where it does not say so."""
    try:
        trial = from_plain(row.config["asked"])
        if not (isinstance(trial.model_settings, dict) and isinstance(trial.task_settings, dict)):
            raise TypeError("settings that are none")
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{run}: the row of {row.model} on {row.task} does not say how its model was made "
            f"({type(error).__name__}: {error}); run it again"
        ) from None
    return trial
