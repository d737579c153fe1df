"""The folder is the registry: a contestant is a file, and the file's last line names its class."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


class BadInput(Exception):
    """What a person gave is wrong: one clear line that names it, what was expected, what to do."""


def listed(folder: Path) -> list[str]:
    """Python files of `folder` that declare a contestant (not __init__, not _private)."""
    return sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_") and _declares(p))


def _declares(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    return "\nTASK = " in text or "\nMODEL = " in text


def found(name: str, package: str, known: list[str], variable: str, kind: type[T]) -> type[T]:
    """The class that a file of ours, a dotted module or a .py file binds to `variable`."""
    what = package[:-1]
    if name in known:
        module = importlib.import_module(f"{package}.{name}")
    elif name.endswith(".py"):
        module = _from_file(Path(name), what)
    elif "." in name:
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            raise BadInput(f"{what} {name!r} cannot be imported: {error}") from error
    else:
        raise BadInput(f"unknown {what} {name!r}; known: {', '.join(known)}, or the path of a .py file")
    found_class = getattr(module, variable, None)
    if not (isinstance(found_class, type) and issubclass(found_class, kind)):
        raise BadInput(f"{name} does not end with {variable} = YourClass, a subclass of {package}.{kind.__name__}")
    return found_class


def _from_file(path: Path, what: str) -> Any:
    if not path.is_file():
        raise BadInput(f"{what} file {path} does not exist")
    specification = importlib.util.spec_from_file_location(f"seqbench_own_{path.stem}", path)
    assert specification is not None  # a .py file always has a specification,
    assert specification.loader is not None  # and a loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module
    try:
        specification.loader.exec_module(module)
    except Exception as error:  # whatever a stranger's file does, say which file it was
        raise BadInput(f"{what} file {path} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def configured(kind: type, settings: Mapping[str, Any], of: str) -> Any:
    """A frozen configuration `kind` with `settings`, text coerced to each field's type. Raises BadInput."""
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for name in settings:
        if name not in fields:
            known = ", ".join(sorted(fields)) or "none"
            raise BadInput(f"{of} has no setting {name!r}; it has: {known}")
    values = {name: _coerce(value, fields[name], of) for name, value in settings.items()}
    for name, hint in get_type_hints(kind).items():
        if name in values and get_origin(hint) is Literal and values[name] not in get_args(hint):
            raise BadInput(f"{of}: {name}={values[name]!r} is none of: {', '.join(map(str, get_args(hint)))}")
    return kind(**values)


def _coerce(value: Any, field: dataclasses.Field[Any], of: str) -> Any:
    """Text from a command line as the type of the field's default."""
    default: Any = field.default
    kind = type(default)
    problem = BadInput(f"{of}: {field.name}={value!r} is not a value of type {kind.__name__}, such as {default!r}")
    try:
        if isinstance(default, bool):
            return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[str(value).lower()]
        if isinstance(default, int):
            return int(str(value))
        if isinstance(default, float):
            return float(value)
        if isinstance(default, tuple) and isinstance(value, str):
            return tuple(type(default[0])(part) for part in value.split(","))
        return tuple(value) if isinstance(default, tuple) else type(default)(value)
    except (ValueError, KeyError, TypeError, OverflowError):
        raise problem from None
