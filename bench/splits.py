"""Who may see which split: training and validation are open, the test is read once, and that ends the training.

A probe gets its task without the test split (`closed`). When its models are chosen, `opened` gives the whole task, once
a trial; after that nothing may be trained on it any more. Several finished models may answer the opened test.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tasks import Items, Scores, Shown, Split, Task

_opened: ContextVar[set[str] | None] = ContextVar("tests that this trial opened, by checksum", default=None)


class TestReadError(Exception):
    """Somebody reached for a test split too early, or a second time."""

    __test__ = False  # its name begins as those of tests do


class Closed(Task):
    """What a task without its test split does: whatever needs that raises TestReadError."""

    whole: Task

    def items(self, split: Split) -> Items:
        """Items of training or validation."""
        return super().items(_allowed(self, split))  # type: ignore[safe-super]

    def score(self, answers: Sequence[Sequence[Any]], split: Split) -> Scores:
        """Scores on training or validation."""
        return super().score(answers, _allowed(self, split))  # type: ignore[safe-super]

    def floors(self, split: Split) -> dict[str, Scores]:
        """Floors on training or validation."""
        return super().floors(_allowed(self, split))  # type: ignore[safe-super]

    def show(self, split: Split, item: int) -> Shown:
        """An item of training or validation."""
        return super().show(_allowed(self, split), item)  # type: ignore[safe-super]

    def at_length(self, words: int) -> Task | None:
        """Made of test items, so never here."""
        _allowed(self, "test")
        return None

    def by_words(self, edges: Sequence[int]) -> dict[str, Task]:
        """Parts of the test, so never here."""
        _allowed(self, "test")
        return {}


def _allowed(task: Task, split: Split) -> Split:
    if split == "test":
        raise TestReadError(
            f"the test of {task.name} is closed while models are trained and chosen; "
            "choose on validation, then ask for the test once (bench.splits.opened)"
        )
    return split


def closed(task: Task) -> Task:
    """The task without its test split, of the same class and with the same items; its `whole` is the task itself."""
    one = copy.copy(task)
    one.__class__ = _without_test(type(task))
    assert isinstance(one, Closed)
    one.whole = task
    return one


@functools.cache
def _without_test(kind: type[Task]) -> type[Task]:
    return type(kind.__name__, (Closed, kind), {"__module__": kind.__module__, "__doc__": kind.__doc__})


def opened(task: Task) -> Task:
    """The whole of a closed task. Raises TestReadError where this trial has opened that test before."""
    begun = _opened.get()
    if begun is not None:
        if task.checksum in begun:
            raise TestReadError(f"the test of {task.name} was read before in this trial; it is read once")
        begun.add(task.checksum)
    return task.whole if isinstance(task, Closed) else task


def untouched(task: Task) -> None:
    """Raises TestReadError where this trial has opened the test of a task that is to be trained on."""
    if task.checksum in (_opened.get() or ()):
        raise TestReadError(f"the test of {task.name} was read in this trial; nothing may be trained on it any more")


@contextmanager
def trial() -> Iterator[None]:
    """Within, every test split is opened once at most."""
    before = _opened.set(set())
    try:
        yield
    finally:
        _opened.reset(before)
