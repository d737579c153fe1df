"""What there is: suites, models and tasks, each with a line about it. Nothing is imported for that."""

from __future__ import annotations

import ast
from pathlib import Path

from bench import suites

ROOT = Path(__file__).parents[2]


def known() -> dict[str, dict[str, str]]:
    """Kind -> name -> one line; kinds are suites, models and tasks."""
    drawn = {f"synthetic.{name}": line for name, line in _described(ROOT / "tasks" / "synthetic").items()}
    tasks = _described(ROOT / "tasks") | drawn
    return {"suites": suites.names(), "models": _described(ROOT / "models"), "tasks": tasks}


def text(entries: dict[str, dict[str, str]]) -> str:
    """As lines for a terminal."""
    made = []
    for kind, described in entries.items():
        width = max(map(len, described), default=0)
        made += [f"{kind}:", *(f"  {name:{width}} {line}" for name, line in described.items())]
    return "\n".join(made)


def _described(folder: Path) -> dict[str, str]:
    """First docstring lines of the contestants in a folder, without importing any."""
    described = {}
    for path in sorted(folder.glob("*.py")):
        content = path.read_text(encoding="utf-8")
        if not path.stem.startswith("_") and ("\nMODEL = " in content or "\nTASK = " in content):
            described[path.stem] = (ast.get_docstring(ast.parse(content)) or "").split("\n")[0]
    return described
