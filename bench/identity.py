"""What a trial is made of: settings, data, code, versions, threads. Its name is a hash of all that.

A changed part means another trial, so that a stored row never stands for code that is gone. Code
counts by its syntax tree without docstrings: a better comment runs nothing again.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.trial import Trial

ROOT = Path(__file__).parents[1]
OURS = ("tasks", "models", "bench")
# These say where results go and how a person sees them; they cannot change what is measured.
APART = {
    "bench.checkpoint",
    "bench.cli",
    "bench.commands",
    "bench.contest",
    "bench.disk",
    "bench.goal",
    "bench.identity",
    "bench.machine",
    "bench.progress",
    "bench.record",
    "bench.suites",
    "bench.trial",
    "bench.typed",
    "bench.workers",
}


def parts(trial: Trial, checksum: str, device: str, rule: str | None, threads: int) -> dict[str, str]:
    """Part by part what determines a trial's numbers; `rule` is None for floors, which no device or thread changes."""
    asked: dict[str, Any] = dataclasses.asdict(trial)
    # the data's checksum counts, not where they lie; nor who asked, nor where settings come from
    for name in ("data", "suite", "variant", "tuned", "matched"):
        asked.pop(name)
    own = {name: asked.pop(name) for name in ("model", "task")}
    made = {name: json.dumps(value, sort_keys=True, default=str) for name, value in asked.items()}
    made |= {name: value if not value.endswith(".py") else Path(value).name for name, value in own.items()}
    made |= {"data": checksum, **_code(trial, rule)}
    if rule is not None:
        import torch

        made |= {"device": device, "threads": str(threads), "torch": torch.__version__}
    return made | {"python": ".".join(platform.python_version_tuple()[:2])}


def name(made_of: dict[str, str]) -> str:
    """The trial's identity: sixteen hexadecimal digits."""
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


def difference(made_of: dict[str, str], before: dict[str, str]) -> list[str]:
    """What changed between two trials, a phrase a part: "updates", "models/lstm.py", ..."""
    names = [n for n in made_of.keys() | before.keys() if made_of.get(n) != before.get(n)]
    return [f"{n}: {_short(before.get(n))} -> {_short(made_of.get(n))}" for n in sorted(names)]


def _short(value: str | None) -> str:
    if value is None:
        return "none"
    return value if len(value) <= 40 else f"{value[:37]}..."


def _code(trial: Trial, rule: str | None) -> dict[str, str]:
    """Hashes of every file of ours that this trial runs through: path -> hash of its syntax tree."""
    roots = [_source("tasks", trial.task), ROOT / "bench" / "probes" / f"{trial.probe}.py"]
    if rule is not None:
        roots += [_source("models", trial.model), ROOT / "bench" / "learning" / f"{rule}.py", ROOT / "bench/train.py"]
    return {_shown(path): _tree(path) for path in sorted(_reached(roots))}


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def _source(package: str, contestant: str) -> Path:
    """The file of a contestant, by the name, dotted module or path that a trial gives."""
    if contestant.endswith(".py"):
        return Path(contestant).resolve()
    ours = ROOT.joinpath(package, *contestant.split(".")).with_suffix(".py")
    if "." not in contestant or ours.is_file():
        return ours
    import importlib.util

    found = importlib.util.find_spec(contestant)
    return Path(found.origin) if found and found.origin else ROOT / package / "__init__.py"


def _reached(roots: list[Path]) -> set[Path]:
    """The files and all of ours that they import, directly or not."""
    reached: set[Path] = set()
    left = list(roots)
    while left:
        path = left.pop()
        if path not in reached:
            reached.add(path)
            left += _imports(path)
    return reached


@functools.cache
def _imports(path: Path) -> tuple[Path, ...]:
    """Files of ours that a file imports while it is loaded or later; those that are only for types too."""
    modules = [module for module in _modules(ast.parse(path.read_bytes())) if not _apart(module)]
    found = [_file(module) for module in modules]
    if not path.is_relative_to(ROOT):  # somebody's own file may use others that lie beside it
        found += [path.parent.joinpath(*module.split(".")).with_suffix(".py") for module in modules]
    return tuple(f for f in found if f is not None and f.is_file())


def _apart(module: str) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in APART)


def _modules(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file(module: str) -> Path | None:
    if module.partition(".")[0] not in OURS:
        return None
    base = ROOT.joinpath(*module.split("."))
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


@functools.cache
def _tree(path: Path) -> str:
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:12]
