"""Is everything in place? Device, versions, data; every problem with what to do about it."""

from __future__ import annotations

import importlib.util
import platform
from typing import Any

NEEDED = {  # what is imported -> the package it comes in
    "torch": "torch",
    "numpy": "numpy",
    "scipy": "scipy",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "seaborn": "seaborn",
    "matplotlib": "matplotlib",
    "tokenizers": "tokenizers",
    "sacrebleu": "sacrebleu",
    "sklearn": "scikit-learn",
    "reservoirpy": "reservoirpy",
    "safetensors": "safetensors",
    "PIL": "pillow",
    "rich": "rich",
    "jinja2": "jinja2",
    "jaxtyping": "jaxtyping",
    "optuna": "optuna",
    "statsmodels": "statsmodels",
}
INSTALL = "pip install -e . -c constraints.txt"


def examine() -> dict[str, Any]:
    """{"machine": facts, "data": file -> "ok" or what is wrong, "problems": one line each}.

    Without its packages nothing of ours can be imported: then they are all that is looked at.
    """
    facts: dict[str, Any] = {"platform": platform.platform(), "python": platform.python_version()}
    missing = [package for name, package in NEEDED.items() if importlib.util.find_spec(name) is None]
    problems = [f"package {package} is missing; run: {INSTALL}" for package in missing]
    data: dict[str, str] = {}
    if not problems:
        try:
            facts |= _machine()
            data = _data()
        except (ImportError, OSError) as error:  # a package without its metadata or a library it needs
            problems.append(f"the packages do not work: {' '.join(str(error).split())}; run: {INSTALL}")
    return {"machine": facts, "data": data, "problems": problems + [state for state in data.values() if state != "ok"]}


def _machine() -> dict[str, Any]:
    import torch

    from bench import machine

    device = machine.prepare()
    return machine.environment(device) | {
        "gpus": [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())],
        "precision": str(machine.precision(machine.able(device))).removeprefix("torch."),
    }


def _data() -> dict[str, str]:
    from tasks import BadInput
    from tasks import _files as files

    try:
        names = list(files.manifest())
    except BadInput:
        names = ["checksums.json"]
    checked = dict.fromkeys(names, "ok")
    for name in names:
        try:
            files.raw(name)
        except BadInput as problem:
            checked[name] = str(problem)
    return checked
