"""Is everything in place? Device, versions, data; every problem with what to do about it."""

from __future__ import annotations

import importlib.util
from typing import Any

import torch

from bench import machine
from tasks import BadInput
from tasks import _files as files

NEEDED = ("torch", "numpy", "scipy", "pandas", "seaborn", "tokenizers", "sacrebleu", "sklearn", "reservoirpy", "PIL")


def examine() -> dict[str, Any]:
    """{"machine": facts, "data": file -> "ok" or what is wrong, "problems": one line each}."""
    device = machine.prepare()
    facts = machine.environment(device) | {
        "gpus": [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())],
        "precision": str(machine.precision(device)).removeprefix("torch."),
    }
    data = {name: _checked(name) for name in _vendored()}
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    problems = [f"package {name} is missing; run: pip install -e . -c constraints.txt" for name in missing]
    problems += [state for state in data.values() if state != "ok"]
    return {"machine": facts, "data": data, "problems": problems}


def _vendored() -> list[str]:
    try:
        return list(files.manifest())
    except BadInput:
        return ["checksums.json"]


def _checked(name: str) -> str:
    try:
        files.raw(name)
    except BadInput as problem:
        return str(problem)
    return "ok"
