"""What the regression tests share: small models and short tasks, task by task, so that each is read once."""

from __future__ import annotations

import dataclasses

import models
import tasks

SMALL = {
    "width": 16,
    "hidden": 16,
    "alignment": 12,
    "feedforward": 24,
    "heads": 2,
    "units": 32,
    "writer": 32,
    "dropout": 0.0,
    "word_dropout": 0.0,
}


def settings(name):
    """Those of SMALL that the model has."""
    known = {field.name for field in dataclasses.fields(models.load(name).Config)}
    return {setting: value for setting, value in SMALL.items() if setting in known}


def shorter(task):
    """Fifty examples of length ten, of a task that is drawn."""
    return {"length": 10, "examples": 50} if task.startswith("synthetic.") else {}


def pairs(chosen):
    """Every task with every model."""
    return [(task, name) for task in chosen for name in models.names()]


EVERY = pairs(tasks.names())
