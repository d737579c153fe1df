"""What timings share: the machine made ready as for a trial, warm calls, and one line a comparison."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bench import clock, machine

LINES = pytest.StashKey[list[str]]()


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", help="where to time: cpu, cuda or cuda:N")
    parser.addoption("--threads", type=int, help="processors to use; all by default")
    parser.addoption("--ratios", type=Path, metavar="FILE", help="write what the comparisons came to as JSON")


def pytest_configure(config):
    config.stash[LINES] = []


@pytest.fixture(scope="session")
def device(request):
    return machine.prepare(request.config.getoption("--device"), request.config.getoption("--threads"))


@pytest.fixture(autouse=True)
def same_every_time():
    torch.manual_seed(0)


@pytest.fixture
def timed(benchmark, device):
    """Times a call, the device done with it, after two that do not count."""

    def run(call):
        def done():
            call()
            machine.wait(device)

        for _ in range(2):
            done()
        benchmark(done)

    return run


@pytest.fixture
def compare(request, device):
    """Lets contestants take turns and prints the first's time over the second's; nothing is judged in company.

    `most`: the goal, an upper end of what the ratio may be; `over` = "high" puts it to the interval's upper end.
    With --benchmark-disable each is called once, to see that it runs.
    """

    def run(name, contestants, most=None, over="value", seconds=10.0, rounds=15):
        if request.config.getoption("benchmark_disable"):
            for call in contestants.values():
                call()
            return
        took = clock.contest(contestants, device, seconds, rounds, shortest=0.1)
        one, other = list(contestants)[:2]
        ratio, company = took.ratio(one, other), max(took.company)
        goal = "no goal" if most is None else f"goal: {'upper end ' if over == 'high' else ''}at most {most:.3g}"
        around = "clean" if ratio.clean else f"in company of {company:.2f} processors"
        line = f"{name}: {ratio.value:.3f} [{ratio.low:.3f}, {ratio.high:.3f}], {ratio.n} rounds, {around}, {goal}"
        request.config.stash[LINES].append(
            {"name": name, "ratio": ratio.value, "low": ratio.low, "high": ratio.high, "n": ratio.n}
            | {"clean": ratio.clean, "company": company, "most": most, "goal_on": over, "line": line}
        )
        if most is None:
            return
        if not ratio.clean:
            pytest.skip(f"not judged, the machine had company: {line}")
        assert getattr(ratio, over) <= most, line

    return run


def pytest_terminal_summary(terminalreporter, config):
    found = config.stash[LINES]
    if found:
        terminalreporter.section("time of one over time of the other: median of rounds [95 % interval]")
        for entry in found:
            terminalreporter.write_line(entry["line"])


def pytest_sessionfinish(session):
    path = session.config.getoption("--ratios")
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"environment": machine.environment(torch.device("cpu")), "ratios": session.config.stash[LINES]}
        path.write_text(json.dumps(content, indent=1), encoding="utf-8")
