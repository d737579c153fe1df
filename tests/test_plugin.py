"""The plugin as its users meet it: a test file, a baseline, a regression, and what pytest says; also under xdist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
import torch._dynamo  # what is not imported by now, each of pytest's inner runs imports anew and forgets again
from safetensors.torch import save_file

import models
import tasks
from bench import record
from bench.guard import fixture, notices, pace, promises, trained
from bench.guard.pace import Config, Pace
from bench.guard.turns import ContestantError, Process, Round, Turns, processes, ratio, rounds
from bench.learning import gradient
from bench.probes import quality
from tasks.synthetic import copy

pytest_plugins = ["pytester"]
ALREADY = (fixture, notices, gradient, quality, copy)  # likewise
OWN = Path(__file__).parent / "own"
GRU = (OWN / "gru.py").read_text()
LEAKY = GRU.replace("states[torch.arange(len(states)), source_length - 1]", "states[:, -1]")
PEEKING = GRU.replace(
    "    def step(self",
    "    def forward(self, batch):\n        said = super().forward(batch)\n        return said + 0.1 * said.flip(1)\n\n"
    "    def step(self",
)
QUALITY = """
    def test_quality(seqbench):
        seqbench.quality("mine.py", "copying.py", settings={"width": 12}, updates=7, seeds=2)
"""
LOSSES = """
    def test_losses(seqbench):
        seqbench.losses("mine.py", "copying.py", settings={"width": 12}, steps=3)
"""
SPEED = """
    def test_speed(seqbench):
        seqbench.speed("mine.py", settings={"width": 12}, processes=2)
"""


@pytest.fixture
def project(pytester):
    """A folder of somebody's own: a model, a task and nothing else."""
    pytester.makepyfile(mine=GRU, copying=(OWN / "copying.py").read_text())
    pytester.makeini("[pytest]\nfilterwarnings = error")
    return pytester


def run(project, *words):
    return project.runpytest_inprocess("-p", "seqbench", *words)


def test_without_a_baseline_the_option_that_makes_one_is_named(project):
    project.makepyfile(LOSSES)
    found = run(project)
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(
        ["*holds no baseline of 'test_losses: losses of mine.py on copying.py'*--seqbench-update*"]
    )
    assert not list(project.path.rglob("*.json"))
    assert "Traceback" not in found.stdout.str()


def test_a_baseline_is_shown_written_and_held(project):
    project.makepyfile(QUALITY + LOSSES)
    found = run(project, "--seqbench-update")
    found.assert_outcomes(passed=2)
    found.stdout.fnmatch_lines(["*+ test_losses: losses of mine.py on copying.py", "*losses: nothing ->*", "written:*"])
    (path,) = project.path.glob("baselines/*.json")
    kept = path.read_bytes()
    found = run(project)
    found.assert_outcomes(passed=2)
    found.stdout.fnmatch_lines(["*2 ok*"])
    assert path.read_bytes() == kept


def test_a_change_of_the_model_fails_names_everything_and_overwrites_nothing(project, monkeypatch):
    project.makepyfile(QUALITY + LOSSES)
    run(project, "--seqbench-update")
    (path,) = project.path.glob("baselines/*.json")
    kept = path.read_bytes()
    project.makepyfile(
        mine=GRU.replace("return hidden, State", "hidden = -hidden.detach()\n        return hidden, State")
    )
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "summary.md"))
    found = run(project, "--junitxml=junit.xml", "-k", "losses")
    found.assert_outcomes(failed=1, deselected=1)
    assert found.ret == 1
    found.stdout.fnmatch_lines([
        "worse: losses of mine.py on copying.py", "*metric:*loss of the first 3 steps", "*baseline:*", "*now:*",
        "*difference:*", "*environment:*", "*repeat:*python -m pytest *::test_losses", "::error file=*line=*::worse*",
    ])  # fmt: skip
    assert path.read_bytes() == kept
    told = {p.get("name"): p.get("value") for p in ElementTree.parse(project.path / "junit.xml").iter("property")}
    assert (told["seqbench_answer"], told["seqbench_model"]) == ("worse", "mine.py")
    assert "**worse**" in (project.path / "summary.md").read_text()


def test_a_baseline_that_was_edited_is_refused_even_for_an_update(project):
    project.makepyfile(LOSSES)
    run(project, "--seqbench-update")
    (path,) = project.path.glob("baselines/*.json")
    path.write_text(path.read_text().replace('"steps": 3', '"steps": 4'))
    kept = path.read_bytes()
    for words in ([], ["--seqbench-update"]):
        found = run(project, *words)
        found.assert_outcomes(failed=1)
        found.stdout.fnmatch_lines(["*edited by hand*"])
    assert path.read_bytes() == kept


def test_workers_of_xdist_hand_over_verdicts_and_new_baselines(project):
    project.makepyfile(LOSSES + QUALITY)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "seqbench", "-n", "2", "--benchmark-disable"]
    done = subprocess.run([*words, "--seqbench-update"], cwd=project.path, capture_output=True, text=True, env=_env())
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = project.path.glob("baselines/*.json")
    assert len(json.loads(path.read_text())["entries"]) == 2
    found = run(project)
    found.assert_outcomes(passed=2)
    found.stdout.fnmatch_lines(["*2 ok*"])


def _env():
    import os

    return os.environ | {"PYTHONPATH": str(Path(models.__file__).parents[1])}


def test_markers_set_what_a_call_leaves_open_and_unknown_settings_are_named(project):
    project.makepyfile(
        "import pytest\n"
        "@pytest.mark.seqbench(steps=2, tolerance=3.0)\n"
        "def test_marked(seqbench):\n"
        "    seqbench.losses('mine.py', 'copying.py', settings={'width': 12}, batch=3)\n"
        "@pytest.mark.seqbench(stepps=2)\n"
        "def test_misspelt(seqbench):\n"
        "    seqbench.losses('mine.py', 'copying.py')\n"
        "def test_strange(seqbench):\n"
        "    seqbench.losses('mine.py', 'copying.py', stops=2)\n"
        "def test_no_model(seqbench):\n"
        "    seqbench.losses('gpt', 'copying.py')\n"
    )
    found = run(project, "--seqbench-update", "--strict-markers")
    found.assert_outcomes(passed=1, failed=3)
    found.stdout.fnmatch_lines(["*stepps=...*no such setting*", "*stops*", "*unknown model 'gpt'*"])
    (path,) = project.path.glob("baselines/*.json")
    assert '"asked": {"steps": 2, "batch": 3' in path.read_text()


@pytest.mark.parametrize(("text", "says"), [(LEAKY, "padding leak"), (PEEKING, "masking error")])
def test_a_padding_leak_and_a_masking_error_are_found(project, text, says):
    project.makepyfile(mine=text)
    project.makepyfile(
        "def test_contract(seqbench):\n    seqbench.contract('mine.py', settings={'width': 12})\n"
        "def test_quality(seqbench):\n"
        "    seqbench.quality('mine.py', 'synthetic.copy', settings={'width': 12}, updates=2, seeds=1,\n"
        "        task_settings={'length': 5, 'examples': 9})\n"
    )
    found = run(project, "--seqbench-update")
    found.assert_outcomes(failed=2)
    assert found.stdout.str().count(f"mine.py on synthetic.copy: {says}") >= 1
    assert found.stdout.str().count(f"mine.py on text: {says}") >= 1


def test_the_page_on_guarding_ones_own_model_tells_what_happens(project):
    page = Path(fixture.__file__).with_name("README.md").read_text("utf-8")
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    told = re.search(r"```\n(seqbench: .*?)\n```", page)[1]
    before, after = re.search(r"sed -i 's/(.*?)/(.*?)/' my_model.py", page).groups()
    project.makepyfile(my_model=GRU, test_my_model=code)
    short = ("-k", "not well", "--seqbench-update")  # what is trained in full takes half a minute
    run(project, *short).assert_outcomes(passed=2)
    run(project, *short[:2]).assert_outcomes(passed=2)
    (project.path / "my_model.py").write_text(re.sub(before, after, GRU))
    found = run(project, *short[:2])
    found.assert_outcomes(failed=2)
    assert told in found.stdout.str()


@pytest.mark.parametrize("name", models.names())
def test_our_own_models_keep_their_promises(name):
    kind = models.load(name)
    for spec in promises.SPECS.values():
        torch.manual_seed(1)
        assert list(promises.broken(kind(spec), promises.drawn(spec))) == []


def test_rows_of_trained_models_are_kept_as_those_of_any_run(project):
    project.makepyfile(QUALITY)
    run(project, "--seqbench-update", "--seqbench-results", "kept")
    rows = list(record.read(project.path / "kept"))
    assert [(r.probe, r.seed, r.status) for r in rows] == [("quality", 0, "ok"), ("quality", 1, "ok")]
    assert record.artifact(project.path / "kept", rows[0], "answers")


def test_weights_are_answered_with_and_changed_answers_of_the_same_weights_are_seen(project):
    kind, task = models.load(str(OWN / "gru.py")), tasks.load(str(OWN / "copying.py"))()
    torch.manual_seed(0)
    model = kind(task.spec, kind.Config(width=12))
    save_file({k: v.clone() for k, v in model.state_dict().items()}, project.path / "trained.safetensors")
    project.makepyfile(
        "def test_quality(seqbench):\n"
        "    seqbench.quality('mine.py', 'copying.py', settings={'width': 12}, weights='trained.safetensors')\n"
    )
    run(project, "--seqbench-update").assert_outcomes(passed=1)
    run(project).assert_outcomes(passed=1)
    project.makepyfile(mine=GRU.replace("return hidden, State", "return -hidden, State"))
    found = run(project)
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(["*the weights are the same, yet * of 16 answers are not"])
    (project.path / "trained.safetensors").write_bytes(b"junk")
    found = run(project)
    found.stdout.fnmatch_lines(["*trained.safetensors does not hold weights of*"])


# Speed


@pytest.fixture
def paced(monkeypatch):
    """Paces that are told instead of measured: ratios of one process after another, None in company."""

    def tell(*ratios, memory=None):
        def measured(model, settings, how, device, folder=None):
            pace_ = Pace()
            for value in ratios:
                company = 9.0 if value is None else 0.0
                pace_.add([Round({"model": 0.01 * (value or 1), "reference": 0.01}, company)] * 3, memory)
                yield pace_

        monkeypatch.setattr(pace, "measured", measured)

    return tell


def test_speed_fails_after_it_was_measured_again_and_an_unsure_one_has_an_exit_code_of_its_own(project, paced):
    project.makepyfile(SPEED)
    paced(2.0, 2.01, 1.99, 2.0)
    run(project, "--seqbench-update").assert_outcomes(passed=1)
    found = run(project)
    found.assert_outcomes(passed=1)
    paced(2.3, 2.31, 2.29, 2.3, 9.0)
    found = run(project)
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(["*1.15* times as long [[]1.1*4 and 4 processes)*"])
    paced(2.3, 2.31, 2.0, 2.0)
    found = run(project)
    found.assert_outcomes(skipped=1)
    assert found.ret == 13
    paced(None, None, None)
    found = run(project)
    found.assert_outcomes(skipped=1)
    found.stdout.fnmatch_lines(["inconclusive (machine busy): speed of mine.py*", "1 inconclusive (machine busy)"])
    assert found.ret == 13


def test_a_baseline_of_speed_is_not_made_on_a_busy_machine(project, paced):
    project.makepyfile(SPEED)
    paced(2.0, None, None)
    found = run(project, "--seqbench-update", "-rs")
    found.assert_outcomes(skipped=1)
    assert not list(project.path.rglob("baselines/*.json"))


def test_timings_stand_in_the_files_of_pytest_benchmark(project, paced, monkeypatch):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # a worker leaves those files to its controller
    project.makepyfile(SPEED)
    paced(2.0, 2.01, 1.99, 2.0)
    run(project, "--seqbench-update")
    run(project, "--benchmark-json=times.json").assert_outcomes(passed=1)
    (told,) = json.loads((project.path / "times.json").read_text())["benchmarks"]
    assert told["stats"]["rounds"] == 6
    assert told["stats"]["median"] == pytest.approx(0.02, rel=0.02)
    assert told["extra_info"]["answer"] == "ok"
    found = run(project, "--benchmark-disable")
    found.assert_outcomes(skipped=1)
    assert found.ret == 0


WORK = Config(batch=2, source=3, target=3, vocabulary=11).work(str(OWN / "gru.py"), {"width": 7})


def test_a_process_takes_turns_and_tells_its_memory():
    process = Process({"model": WORK, "reference": {"reference": 1}}, "cpu", 1)
    with processes(process):
        told = process.ready()
        found = rounds({n: Turns(process, n) for n in told["calls"]}, told["calls"], seconds=0.0, count=1)
    assert told["memory"]["model"]["bytes"] is None or told["memory"]["model"]["bytes"] >= 0
    assert all(set(one.seconds) == {"model", "reference"} and min(one.seconds.values()) > 0 for one in found)


def test_a_model_that_fails_in_its_process_is_one_line(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text(
        GRU.replace("hidden = self.writer", "print('noise')\n        raise RuntimeError('no luck')\n        x =")
    )
    process = Process({"model": WORK | {"model": str(broken)}}, "cpu", 1)
    with processes(process), pytest.raises(ContestantError, match=r"broken.py: RuntimeError: no luck"):
        process.ready()


def test_rounds_in_company_do_not_count():
    alone = [Round({"a": 2.0, "b": 1.0}, 0.0)] * 3
    assert ratio([*alone, Round({"a": 9.0, "b": 1.0}, 2.0)], "a", "b") == 2.0
    assert ratio([*alone[:2], Round({"a": 9.0, "b": 1.0}, 2.0)], "a", "b") is None


def test_the_plugin_loads_neither_torch_nor_anything_of_ours_that_needs_it():
    ask = (
        "import sys, seqbench; print(*[m for m in ('torch', 'numpy', 'scipy', 'bench', 'models') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, env=_env())
    assert done.stdout.strip() == ""


def test_threads_and_random_numbers_of_the_tests_stay_as_they_were():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    torch.set_num_threads(2)
    with trained.alike():
        torch.manual_seed(0)
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    assert torch.rand(1).equal(expected)
