"""The floors of a task: what answerers without a sequence model reach, one row each."""

from __future__ import annotations

from pathlib import Path

import torch

from bench import identity, machine, record
from bench.probes import asked
from bench.trial import Trial, now
from bench.watch import Watch


def run(trial: Trial, made_of: dict[str, str], out: Path, device: torch.device, watch: Watch) -> list[record.Result]:
    """Scores every floor of the trial's task on the test split."""
    task = asked.tested(trial)
    return [
        record.Result(
            probe="floor",
            model=name,
            task=trial.task,
            seed=trial.seed,
            status="ok",
            metrics=scores.totals,
            main=scores.main,
            config={"task": asked.config(task)},
            signatures=scores.signatures,
            environment=machine.environment(device),
            suite=trial.suite,
            command=trial.command(),
            time=now(),
            id=identity.name(made_of),
            made_of=made_of,
        )
        for name, scores in task.floors("test").items()
    ]
