"""A speed probe as a whole, at its smallest: what it costs to measure."""

from __future__ import annotations

import pytest
import workload

from bench.trial import Budget, Trial
from bench.watch import Watch

throughput = pytest.importorskip("bench.probes.throughput")
SMALL = {"width": 16, "hidden": 16}
SHORT = {"batches": 1, "seconds": 0.2, "rounds": 3, "written": 4}


@pytest.mark.benchmark(group="probe")
def test_throughput_of_a_small_model(benchmark, device, tmp_path):
    settings = {"model_settings": SMALL, "probe_settings": SHORT, "batch": 4, "precision": "float32"}
    trial = Trial("lstm", workload.__file__, 0, "speed", Budget(updates=1), probe="throughput", **settings)
    rows = benchmark.pedantic(lambda: throughput.run(trial, {}, tmp_path, device, Watch()), rounds=1)
    assert rows[0].metrics["train_target_tokens_per_second"] > 0
