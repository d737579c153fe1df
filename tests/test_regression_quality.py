"""Quality of every model at a tiny budget, held against tests/baselines; a worker of its own runs it under make test.

Tasks with short answers. Those of texts, captions and numbers are held by their first losses: after so few updates
they would be answered with noise, for minutes.
"""

from __future__ import annotations

import pytest
from regression import pairs, settings, shorter

import tasks

TESTED = [name for name in tasks.names() if name.startswith("synthetic.") and name != "synthetic.adding"]


@pytest.mark.parametrize(("task", "name"), pairs([*TESTED, "sentiment"]))
def test_quality(seqbench, task, name):
    seqbench.quality(
        name, task, settings=settings(name), task_settings=shorter(task), updates=15, seeds=1, tolerance=5.0
    )
