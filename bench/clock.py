"""The clock: contestants take turns in one process, warm, synchronised, and again when they had company.

A timing is the median over rounds. In every round each contestant runs once (as often in a row as
fills `SHORTEST`), in an order that is turned round from one round to the next, so that a machine that grows
slower meanwhile slows all of them; two contestants are compared round by round.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch

from bench.machine import wait
from bench.meters import Company
from bench.statistics.intervals import Values, median_interval

Call = Callable[[], object]
SHORTEST = 0.05  # seconds of one sample: below, the clock's own reading and the scheduler show
STEADY = 0.05  # share by which the medians of two successive threes may differ after a warm-up
LONGEST_WARMUP = 5.0  # seconds, after the first call, which may compile
FEWEST = 6  # rounds: of fewer, smallest and largest hold the median less often than in 95 of 100 cases


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds a call."""

    seconds: float  # median
    low: float  # of its 95 % interval
    high: float
    n: int  # rounds
    company: float  # processors that others used meanwhile, mean over rounds
    clean: bool  # no round had company


@dataclasses.dataclass(frozen=True)
class Ratio:
    """Time of one contestant over that of another, paired by round: median and 95 % interval."""

    value: float
    low: float
    high: float
    n: int
    clean: bool


@dataclasses.dataclass(frozen=True)
class Contest:
    """What contestants took, round by round."""

    samples: dict[str, list[float]]  # contestant -> seconds a call, one a round
    company: list[float]  # processors that others used, one a round
    first: dict[str, float]  # seconds of each contestant's very first call: compilation shows here

    @property
    def clean(self) -> bool:
        """Whether no round had company."""
        return not any(Company.matters(c) for c in self.company)

    @property
    def timings(self) -> dict[str, Timing]:
        """Every contestant's timing."""
        return {name: self.of(lambda seconds: seconds, name) for name in self.samples}

    def of(self, derived: Callable[..., float], *names: str) -> Timing:
        """The timing of what is derived, round by round, from the seconds of some contestants."""
        values = [derived(*row) for row in zip(*(self.samples[n] for n in names), strict=True)]
        return _timing(values, self.company)

    def ratio(self, one: str, other: str) -> Ratio:
        """How many times as long as `other` the contestant `one` takes."""
        found = self.of(lambda a, b: a / b, one, other)
        return Ratio(found.seconds, found.low, found.high, found.n, found.clean)


def contest(
    contestants: Mapping[str, Call],
    device: torch.device,
    seconds: float = 10.0,
    rounds: int = 15,
    shortest: float = SHORTEST,
) -> Contest:
    """Warms each contestant up until steady, then times all in rounds of alternating order.

    Ends after `rounds` rounds without company, or when `seconds` are over and FEWEST rounds are done; rounds that had
    company count only where too few others came together.
    """
    first, usual = {}, {}
    for name, call in contestants.items():
        first[name], usual[name] = warm(call, device)
    repeats = {name: filling(t, shortest) for name, t in usual.items()}
    timed, order = Rounds(seconds, rounds), list(contestants)
    while timed.more:
        company = Company()
        took = {name: once(contestants[name], device, repeats[name]) for name in order}
        timed.add(took, company.processors())
        order.reverse()
    return timed.contest(first)


class Rounds:
    """Rounds of a contest until there are enough; those that had company count only where too few others came."""

    def __init__(self, seconds: float, rounds: int) -> None:
        self.seconds, self.rounds, self.fewest = seconds, rounds, min(rounds, FEWEST)
        self.clean: list[tuple[dict[str, float], float]] = []
        self.other: list[tuple[dict[str, float], float]] = []
        self.start = time.perf_counter()

    @property
    def more(self) -> bool:
        """Whether another round is due."""
        enough = len(self.clean) + len(self.other) >= self.fewest
        over = time.perf_counter() - self.start > self.seconds
        return len(self.clean) < self.rounds and not (enough and over)

    def add(self, took: dict[str, float], company: float) -> None:
        """Seconds a call of each contestant, and the processors that others used meanwhile."""
        (self.other if Company.matters(company) else self.clean).append((took, company))

    def contest(self, first: dict[str, float]) -> Contest:
        """What counts of them."""
        kept = self.clean if len(self.clean) >= self.fewest else self.clean + self.other
        samples = {name: [took[name] for took, _ in kept] for name in first}
        return Contest(samples, [company for _, company in kept], first)


def filling(usual: float, shortest: float = SHORTEST) -> int:
    """How many calls of so many seconds fill a sample."""
    return max(1, round(shortest / max(usual, 1e-9)))


def warm(call: Call, device: torch.device, longest: float = LONGEST_WARMUP) -> tuple[float, float]:
    """Calls until the last three take as long as the three before; seconds of the first call, and of a usual one."""
    times = [once(call, device)]
    start = time.perf_counter()
    while not steady(times, time.perf_counter() - start, longest):
        times.append(once(call, device))
    return times[0], usual_of(times)


def usual_of(times: Sequence[float]) -> float:
    """Seconds of a usual call, from those of a warm-up."""
    return statistics.median(times[1:][-3:])


def steady(times: Sequence[float], seconds: float, longest: float = LONGEST_WARMUP) -> bool:
    """Whether a warm-up that has taken so many seconds after its first call has shown enough."""
    if seconds > longest and len(times) >= 3:  # the first is no usual one
        return True
    if len(times) < 6:
        return False
    before, now = statistics.median(times[-6:-3]), statistics.median(times[-3:])
    return abs(now - before) <= STEADY * before


def once(call: Call, device: torch.device, repeats: int = 1) -> float:
    """Seconds of one of `repeats` calls in a row, the device idle before and done after; on a GPU by its own events."""
    wait(device)
    if device.type == "cuda":
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(repeats):
            call()
        end.record()
        wait(device)
        return float(begin.elapsed_time(end)) / 1000 / repeats
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def product(device: torch.device, kind: torch.dtype) -> tuple[Call, float]:
    """A product of two random square matrices, large enough to reach the device's peak, and its operations."""
    size = 8192 if device.type == "cuda" else 1536
    left, right = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
    return (lambda: left @ right), 2.0 * size**3


def _timing(values: Values, company: list[float]) -> Timing:
    low, high = median_interval(values)
    mean = statistics.fmean(company)
    return Timing(statistics.median(values), low, high, len(values), mean, not any(map(Company.matters, company)))
