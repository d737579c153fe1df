"""Progress that a person can read: bars with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.status import Status

if TYPE_CHECKING:
    from bench.watch import Pulse

EVERY = 15.0  # seconds between plain lines


class Progress:
    """Shows how far a suite and its present trial are; everything goes to standard error."""

    def __init__(self, trials: int, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.trials, self.number, self.shown, self.points = trials, 0, 0.0, 0
        self.started = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.bars = Bars(*columns, TextColumn("{task.fields[note]}"), console=self.console)
        self.live = self.console.is_terminal
        self.all = self.bars.add_task("trials", total=trials, note="")
        self.one = self.bars.add_task("", total=None, visible=False, note="")

    def __enter__(self) -> Progress:
        if self.live:
            self.bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.bars.stop()

    def say(self, line: str) -> None:
        """One line above the bars, as it is."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def begin(self, label: str) -> None:
        """The next trial starts."""
        self.number += 1
        self.shown, self.points = time.monotonic(), 0
        self.bars.reset(self.one, total=None, description=label, visible=True, note="")
        if not self.live:
            self.say(f"[{self.number}/{self.trials}] {label}")

    def train(self, pulse: Pulse) -> None:
        """An update or an evaluation is done."""
        if self.live:
            self.bars.update(self.one, completed=pulse.updates, total=pulse.planned, note=_note(pulse))
        elif time.monotonic() - self.shown > EVERY or pulse.points > self.points:
            self.shown, self.points = time.monotonic(), pulse.points
            self.say(f"      {pulse.updates}/{pulse.planned} updates, {_note(pulse)}")

    def end(self, outcome: str) -> None:
        """The trial is over."""
        self.bars.update(self.one, visible=False)
        self.bars.advance(self.all)
        self.say(f"      {outcome}")


def _note(pulse: Pulse) -> str:
    rate = pulse.updates / pulse.seconds if pulse.seconds else 0.0
    note = f"{pulse.seconds:.0f} s, {rate:.1f} updates/s"
    if pulse.best is not None:
        note += f", best on validation {pulse.best:.1f}"
        note += f", loss {pulse.loss:.2f}" if pulse.loss is not None else ""
    return note


class Steps:
    """What a longer piece of work is at, on a terminal alone, and only once it has taken a while."""

    PATIENCE = 2.0  # seconds without a word

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.began = time.monotonic()
        self.status: Status | None = None

    def __enter__(self) -> Steps:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.status:
            self.status.stop()

    def say(self, step: str) -> None:
        """The next step, such as "figure 3 of 40"."""
        waited = time.monotonic() - self.began
        if not self.console.is_terminal or waited < self.PATIENCE:
            return
        told = escape(f"{step} ({waited:.0f} s)")
        if self.status is None:
            self.status = self.console.status(told)
            self.status.start()
        self.status.update(told)
