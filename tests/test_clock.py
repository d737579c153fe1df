"""The clock: turns in one process, rounds with company repeated, intervals that hold the median, known curves."""

import itertools
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from bench import clock, curves, machine, meters
from bench.clock import Contest, contest, once, warm
from bench.curves import Curve
from bench.statistics import median_interval

CPU = torch.device("cpu")


class Hours:
    """A clock that moves when somebody sleeps, however busy the machine is that runs the tests."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def hours(monkeypatch):
    kept = Hours()
    monkeypatch.setattr(clock, "time", kept)
    return kept


@pytest.fixture
def alone(monkeypatch):
    """A machine on which nobody else is ever seen."""
    monkeypatch.setattr(clock.Company, "processors", lambda self: 0.0)


def test_contestants_take_turns_and_the_order_is_turned_round_every_time(alone, hours):
    order = []
    calls = {name: lambda name=name: (order.append(name), hours.sleep(0.02)) for name in "ab"}
    found = contest(calls, CPU, rounds=4, shortest=0.001)
    assert "".join(order[-8:]) == "abbaabba"
    assert {name: len(s) for name, s in found.samples.items()} == {"a": 4, "b": 4}


def test_a_call_that_takes_twice_as_long_has_a_ratio_of_two(alone, hours):
    found = contest({"one": lambda: hours.sleep(0.02), "two": lambda: hours.sleep(0.04)}, CPU, rounds=7)
    ratio = found.ratio("two", "one")
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((2.0, 2.0, 2.0))
    assert found.timings["one"].seconds == pytest.approx(0.02)
    assert found.clean


def test_ratios_are_paired_by_round():
    found = Contest({"a": [1.0, 2.0, 4.0], "b": [2.0, 4.0, 8.0]}, [0.0] * 3, {})
    assert (found.ratio("b", "a").low, found.ratio("b", "a").high) == (2.0, 2.0)


def test_rounds_that_had_company_are_repeated(monkeypatch, hours):
    met = itertools.chain([1.0, 0.0, 1.0], itertools.repeat(0.0))
    monkeypatch.setattr(clock.Company, "processors", lambda self: next(met))
    found = contest({"a": lambda: hours.sleep(0.001)}, CPU, rounds=5, shortest=0.001)
    assert found.clean
    assert len(found.samples["a"]) == 5


def test_a_timing_that_never_was_alone_says_so(monkeypatch, hours):
    monkeypatch.setattr(clock.Company, "processors", lambda self: 1.5)
    found = contest({"a": lambda: hours.sleep(0.001)}, CPU, seconds=0.02, rounds=50, shortest=0.001)
    assert not found.clean
    assert found.timings["a"].company == 1.5
    assert clock.FEWEST <= found.timings["a"].n < 50


@pytest.mark.skipif(sys.platform != "linux", reason="others are counted by /proc")
def test_a_busy_neighbour_is_seen_and_ones_own_work_is_not():
    company = meters.Company()
    end = time.perf_counter() + 0.5
    while time.perf_counter() < end:
        pass
    before = company.processors()
    words = [sys.executable, "-c", "import time\nend = time.time() + 60\nwhile time.time() < end: pass"]
    neighbour = subprocess.Popen(words)
    try:
        time.sleep(0.3)
        company.start()
        time.sleep(1.0)
        beside = company.processors()
    finally:
        neighbour.kill()
        neighbour.wait()
    assert beside > 0.3
    assert beside > before - 0.3  # others may run beside these tests as well


def test_warming_up_ends_when_the_calls_are_steady(hours):
    calls = iter([0.05, 0.04, 0.03, 0.02, *[0.01] * 100])
    assert warm(lambda: hours.sleep(next(calls)), CPU) == pytest.approx((0.05, 0.01))
    assert len(list(calls)) == 95  # nine calls were enough: three of 0.01 s after two of them and one of 0.02


def test_warming_up_ends_after_a_while_even_if_the_calls_never_are_steady(hours):
    growing = itertools.count(1)
    warm(lambda: hours.sleep(0.001 * 2 ** next(growing)), CPU, longest=0.3)
    assert 0.3 < hours.now < 0.7


def test_a_first_call_that_compiles_for_a_minute_leaves_the_warm_up_its_time(hours):
    calls = iter([60.0, *[0.5] * 100])
    assert warm(lambda: hours.sleep(next(calls)), CPU) == pytest.approx((60.0, 0.5))


def test_however_long_a_call_takes_its_interval_has_six_rounds(alone, hours):
    found = contest({"a": lambda: hours.sleep(100.0)}, CPU, seconds=1.0, rounds=15)
    assert found.timings["a"].n == 6


def test_repeated_calls_are_averaged(hours):
    calls = iter([0.01, 0.02, 0.06])
    assert once(lambda: hours.sleep(next(calls)), CPU, repeats=3) == pytest.approx(0.03)


def test_peak_memory_is_what_a_call_held_at_once_beyond_what_was_held_before():
    machine.keep_memory()
    kept = torch.ones(3_000_000)  # 12 MB that were there before

    def call():
        first = torch.ones(10_000_000)  # 40 MB
        second = first + 1  # 40 MB
        return (first + second).sum() + kept[0]  # 40 MB

    call()
    peak = meters.peak_bytes(call, CPU)
    if peak is None:
        pytest.skip("this system does not tell resident memory")
    assert 100e6 < peak < 150e6


def test_energy_counts_on_where_the_counter_of_the_processor_starts_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(meters, "RAPL", tmp_path / "energy_uj")
    assert meters.Energy(CPU).stop() is None
    (tmp_path / "max_energy_range_uj").write_text("10000000\n")
    (tmp_path / "energy_uj").write_text("9000000\n")
    energy = meters.Energy(CPU)
    energy.start()
    (tmp_path / "energy_uj").write_text("500000\n")
    assert energy.stop() == pytest.approx(1.5)


def test_what_would_let_energy_be_read_is_said(monkeypatch):
    assert "RAPL" in meters.uncounted(torch.device("cpu"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert meters.uncounted(torch.device("cuda")).endswith("pip install nvidia-ml-py")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert "NVML" in meters.uncounted(torch.device("cuda"))


def test_energy_is_measured_or_it_is_said_that_it_cannot_be():
    used = meters.joules(lambda: time.sleep(0.01), CPU)
    assert used is None or used > 0


@pytest.mark.parametrize("n", [1, 5, 6, 15, 40])
def test_the_interval_of_a_median_is_made_of_values_around_it(n):
    values = np.random.default_rng(n).normal(size=n)
    low, high = median_interval(values)
    assert low in values
    assert high in values
    assert low <= np.median(values) <= high


def test_the_interval_of_a_median_holds_it_as_often_as_it_says():
    draw, held = np.random.default_rng(3), 0
    for _ in range(2000):
        low, high = median_interval(draw.exponential(size=15))
        held += low <= np.log(2) <= high
    assert 0.95 <= held / 2000 <= 0.985  # order statistics are discrete: 15 values allow 96.5 %


def curve(x, y, share=0.02):
    y = np.asarray(y, dtype=float)
    return Curve.of(np.stack([x, y, y * (1 - share), y * (1 + share)], 1).tolist())


def test_a_power_law_gives_its_exponent():
    x = 2.0 ** np.arange(4, 10)
    found = curves.exponent(curve(x, 3e-4 * x**1.7))
    assert found.value == pytest.approx(1.7)
    assert found.low < 1.7 < found.high
    assert found.high - found.low < 0.05
    assert curves.exponent(curve(x[:1], x[:1])) is None


def test_a_curve_that_is_flat_and_then_rises_gives_its_level_knee_and_slope():
    x = 2.0 ** np.arange(0, 12)
    flat, knee, slope = curves.knee(curve(x, 2e-3 + 1e-5 * x**1.5))
    assert flat.value == pytest.approx(2e-3, rel=1e-3)
    assert knee.value == pytest.approx(200 ** (1 / 1.5), rel=1e-3)
    assert slope.value == pytest.approx(1.5, rel=1e-3)
    assert all(f.low <= f.value <= f.high for f in (flat, knee, slope))


def test_a_throughput_that_saturates_gives_its_most_and_the_batch_at_half_of_it():
    batch = 2.0 ** np.arange(0, 9)
    most, half = curves.saturation(curve(batch, 5000 * batch / (batch + 12)))
    assert most.value == pytest.approx(5000, rel=1e-3)
    assert half.value == pytest.approx(12, rel=1e-3)
    assert half.low < 12 < half.high
