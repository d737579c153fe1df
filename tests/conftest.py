"""What all tests share: fixed seeds, one thread, and whose models the contract is put to."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

OWN = Path(__file__).parent / "own" / "gru.py"  # a model of one's own, as the documentation shows it


def pytest_addoption(parser):
    parser.addoption(
        "--model",
        action="append",
        metavar="NAME_OR_PATH",
        help="put only this model to the contract, say path/to/mine.py; may be repeated",
    )


def pytest_generate_tests(metafunc):
    if "contestant" in metafunc.fixturenames:
        # not above: what is imported before the tests start escapes the check of shapes
        from models import load, names
        from tasks import BadInput

        asked = metafunc.config.getoption("--model")
        try:
            for name in asked or []:
                load(name)
        except BadInput as problem:
            raise pytest.UsageError(f"--model: {problem}") from problem
        chosen = asked or [*names(), str(OWN)]
        ids = [Path(name).stem if name.endswith(".py") else name for name in chosen]
        metafunc.parametrize("contestant", chosen, ids=ids, scope="module")


@pytest.fixture(autouse=True)
def same_every_time():
    random.seed(0)
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None:
        numpy.random.seed(0)
    if torch is not None:  # tests of records and reports do without
        torch.manual_seed(0)
        torch.set_num_threads(1)
