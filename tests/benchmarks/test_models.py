"""A training step and the writing of a batch, for every model as it is by default: B=64, S=T=32, V=1000."""

from __future__ import annotations

import pytest
import torch
from workload import LENGTH, TEXT, random_batch

import models
from bench import learning
from tasks import EOS

pytestmark = [pytest.mark.benchmark(group="model"), pytest.mark.parametrize("name", models.names())]


def test_training_step(timed, device, name):
    model = models.load(name)(TEXT).to(device).train()
    rule = learning.load(model.learning)
    teaching, batch = rule(model, rule.Config(), 10**6, torch.float32), random_batch().to(device)
    timed(lambda: teaching.learn(batch))


def test_generation(timed, device, name):
    model, batch = models.load(name)(TEXT).to(device).eval(), random_batch().to(device)
    with torch.no_grad():
        model.head.bias[EOS] = float("-inf")  # so that all write to the end
    assert model.generate(batch.source, batch.source_length).shape == (len(batch.item), LENGTH)
    timed(lambda: model.generate(batch.source, batch.source_length))
