"""The first losses of every model on every task, held against tests/baselines.

One thread on the CPU, small sizes and fixed seeds: on one machine the numbers are the same to the last bit. A wanted
change is kept by `python -m pytest tests/test_regression.py --seqbench-update`, which shows what it changes.
"""

from __future__ import annotations

import pytest
from regression import EVERY, settings, shorter


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_first_losses(seqbench, task, name):
    seqbench.losses(name, task, settings=settings(name), task_settings=shorter(task))
