"""Texts without the places that they tell of: what is passed on says neither whose machine it was nor where it lay."""

from __future__ import annotations

import re
import shlex
from typing import Any

HOME = re.compile(r"(?:/home|/Users|[A-Za-z]:\\Users)[/\\][^/\\\s'\"`,;:()<>|=]+")
# what stands before a path; a slash within a word ("and/or", "https://a/b") begins none
POSIX = re.compile(
    r"(?<![\w.:/<~-])(?:file://|~)?/(?:[^\s/'\"`,;:()<>|=]+/)+([^\s/'\"`,;:()<>|=]*)|(?<!\w)~/(?:[^\s/'\"`,;:()<>|=]+/)*([^\s/'\"`,;:()<>|=]*)"
)
WINDOWS = re.compile(r"(?<!\w)(?:[A-Za-z]:|~)\\(?:[^\\\s'\"`,;:()<>|=]+\\)*([^\\\s'\"`,;:()<>|=]*)")
DATA = "--data"


def last(path: str) -> str:
    """The last name of a path: "reviews" of "/home/me/reviews/"."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1].strip(".") or "a folder"


def placeless(text: str) -> str:
    """The text with every absolute path in it cut to its last name."""
    if "/" not in text and "\\" not in text:  # nearly all
        return text
    text = HOME.sub("~", text)
    for pattern in (POSIX, WINDOWS):
        text = pattern.sub(lambda found: next((part for part in found.groups() if part), "…"), text)
    return text


def command(text: str) -> str:
    """A command line whose folders of data and files of models are told by their last names."""
    if DATA not in text and "/" not in text and "\\" not in text:
        return text
    try:
        given = shlex.split(text)
    except ValueError:  # an open quotation mark
        return placeless(text)
    return shlex.join(_told(word, before) for before, word in zip(["", *given], given, strict=False))


def _told(word: str, before: str) -> str:
    option, equals, folder = word.partition("=")
    if before == DATA:
        return f"{option}{equals}{last(folder)}" if equals else last(word)
    if option == DATA and equals:
        task, parted, folder = folder.partition("=")
        return f"{DATA}={task}={last(folder)}" if parted else f"{DATA}={last(task)}"
    if before == "--models":
        return ",".join(last(one) if one.endswith(".py") else one for one in word.split(","))
    return placeless(word)


def plain(value: Any, name: str = "") -> Any:
    """A stored value without places, all that is in it too; `name` is the field that it stands in."""
    if isinstance(value, str):
        return command(value) if name == "command" else last(value) if name == "data" and value else placeless(value)
    if isinstance(value, dict):
        return {key: plain(inner, key) for key, inner in value.items()}
    return [plain(inner, name) for inner in value] if isinstance(value, list) else value
