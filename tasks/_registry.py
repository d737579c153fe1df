"""The folder is the registry: a contestant is a file, and the file's last line names its class."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
LONGEST = 1000  # characters of a message


class BadInput(Exception):
    """What a person gave is wrong: one clear line that names it, what was expected, what to do."""

    def __init__(self, line: str) -> None:
        one = " ".join(line.splitlines())  # a name of theirs in it may hold a line feed, or be a megabyte long
        super().__init__(one if len(one) <= LONGEST else f"{one[: LONGEST // 2]} ... {one[-LONGEST // 2 :]}")


def listed(folder: Path) -> list[str]:
    """Python files of `folder` that declare a contestant (not __init__, not _private)."""
    return sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_") and _declares(p))


def _declares(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    return "\nTASK = " in text or "\nMODEL = " in text


def found(name: str, package: str, known: list[str], variable: str, kind: type[T]) -> type[T]:
    """The class that a file of ours, a dotted module or a .py file binds to `variable`. Raises BadInput."""
    what = package[:-1]
    if name in known:
        module = importlib.import_module(f"{package}.{name}")
    elif name.endswith(".py"):
        module = _from_file(Path(name), what)
    elif "." in name and all(part.isidentifier() for part in name.split(".")):
        module = _from_module(name, what)
    else:
        expected = f"known: {', '.join(known)}, or the path of a .py file"
        raise BadInput(f"unknown {what} {name!r}; {expected}{_meant(name)}")
    found_class = getattr(module, variable, None)
    if not (isinstance(found_class, type) and issubclass(found_class, kind)):
        raise BadInput(f"{name} does not end with {variable} = YourClass, a subclass of {package}.{kind.__name__}")
    return found_class


def _from_module(name: str, what: str) -> Any:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # as below: it may be anybody's
        raise BadInput(f"{what} {name!r} cannot be imported: {_said(error)}{_meant(name)}") from error


def _from_file(path: Path, what: str) -> Any:
    if not _is_file(path):
        raise BadInput(f"{what} file {path} does not exist")
    specification = importlib.util.spec_from_file_location(f"seqbench_own_{path.stem}", path)
    assert specification is not None  # a .py file always has a specification,
    assert specification.loader is not None  # and a loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a stranger's file does, say which file it was
        raise BadInput(f"{what} file {path} cannot be imported: {_said(error)}") from error
    return module


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than any file's
        return False


def _meant(name: str) -> str:
    """A hint, where the name lacks nothing but its ending."""
    return f"; did you mean {name}.py?" if _is_file(Path(f"{name}.py")) else ""


def _said(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
