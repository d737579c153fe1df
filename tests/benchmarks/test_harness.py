"""What stands around a model: rows, identities, batches."""

from __future__ import annotations

import itertools

import pytest
from workload import SIZE, Sentences

from bench import identity, record
from bench.trial import Budget, Trial
from tasks import collate

pytestmark = pytest.mark.benchmark(group="harness")
TRIAL = Trial("lstm", "translation", 0, "quick", Budget(updates=100))


def test_a_row_appended_and_flushed(timed, tmp_path):
    curve = [{"updates": n, "loss": 1.0, "bleu": 0.5} for n in range(20)]
    row = record.Result("quality", "lstm", "translation", 0, "ok", {"bleu": 12.5}, "bleu", curve=curve)
    timed(lambda: record.append(tmp_path, row))


def test_rows_read(timed, tmp_path):
    row = record.Result("quality", "lstm", "translation", 0, "ok", {"bleu": 12.5}, "bleu")
    for _ in range(100):
        record.append(tmp_path, row)
    timed(lambda: list(record.read(tmp_path)))


def test_an_identity_from_files_already_read(timed):
    timed(lambda: identity.name(identity.parts(TRIAL, "0" * 64, "cpu", "gradient", 2)))


def test_twenty_batches_of_a_task(timed):
    task, epochs = Sentences(), itertools.count()
    timed(lambda: list(task.batches("train", SIZE, 0, next(epochs))))


def test_a_batch_collated(timed):
    task = Sentences()
    timed(lambda: collate(task.items("train"), range(SIZE), task.spec))
