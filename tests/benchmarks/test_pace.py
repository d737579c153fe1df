"""The speed gate of our own models: a step beside reference work, held against baselines/test_pace.json.

On a quiet machine: `python -m pytest tests/benchmarks/test_pace.py --seqbench-update` measures the baseline anew.
"""

from __future__ import annotations

import pytest

import models


@pytest.mark.parametrize("name", models.names())
def test_a_training_step_is_no_slower_and_needs_no_more_memory(seqbench, name):
    seqbench.speed(name)
