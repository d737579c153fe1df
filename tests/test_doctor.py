"""The doctor names what is missing, also where nothing of ours can be imported without it."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.commands import doctor

ROOT = Path(__file__).parents[1]
WITHOUT = """
import sys
for name in {names!r}:
    sys.modules[name] = None  # as if it were not installed
sys.argv = ["seqbench", "doctor", "--json"]
from bench import cli
cli.main()
"""


def examined_without(*names):
    command = [sys.executable, "-c", WITHOUT.format(names=names)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["torch", "tokenizers", "sacrebleu", "sklearn", "reservoirpy", "jaxtyping"])
def test_a_missing_package_is_named_with_what_to_do(name):
    done = examined_without(name)
    assert done.returncode == 1, done.stderr
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem == f"package {doctor.NEEDED[name]} is missing; run: pip install -e . -c constraints.txt"
    assert "Traceback" not in done.stderr


def test_all_missing_packages_are_named_at_once():
    done = examined_without("torch", "numpy", "PIL")
    problems = json.loads(done.stdout)["problems"]
    assert [problem.split()[1] for problem in problems] == ["torch", "numpy", "pillow"]


def test_every_package_that_we_depend_on_is_looked_for():
    import tomllib

    with (ROOT / "pyproject.toml").open("rb") as file:
        needed = [line.partition(">")[0] for line in tomllib.load(file)["project"]["dependencies"]]
    assert sorted(doctor.NEEDED.values()) == sorted(set(needed) - {"typer"})  # without which there is no command


def test_a_package_without_its_metadata_is_named(monkeypatch):
    found = importlib.metadata.version

    def lost(name):
        if name == "sacrebleu":
            raise importlib.metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(importlib.metadata, "version", lost)
    (problem,) = doctor.examine()["problems"]
    assert "sacrebleu" in problem
    assert "\n" not in problem


def test_a_library_that_cannot_be_loaded_is_named(monkeypatch):
    def broken():
        raise OSError("libcudart.so.12: cannot open shared object file:\nNo such file or directory")

    monkeypatch.setattr(doctor, "_machine", broken)
    (problem,) = doctor.examine()["problems"]
    assert "libcudart.so.12" in problem
    assert "\n" not in problem
