"""A against A says "no difference", a slower B is slower, and both stand in worktrees that are gone afterwards."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import cli
from bench.commands import ab
from bench.guard import speed, turns
from bench.guard.contestant import OURS, found_in
from bench.guard.pace import Config, Pace
from bench.guard.turns import Round, Turns
from bench.typed import UsageError

RECORDED = json.loads((Path(__file__).parent / "recorded" / "timings.json").read_text())["pairs"]


def ratios_of_pairs():
    """The second process to the first, as seqbench ab takes it, from every recorded pair, in company or not."""
    return np.array([statistics.median(other / one for one, _, other, _, _ in pair) for pair in RECORDED])


def ratios_to_reference():
    """The model to the reference in every recorded process."""
    sides = [[(one[side], one[side + 1]) for one in pair] for pair in RECORDED for side in (0, 2)]
    return np.array([statistics.median(step / reference for step, reference in rounds) for rounds in sides])


def test_a_against_a_says_no_difference_970_times_of_1000():
    """Recorded pairs are drawn anew; either side may be called the first, since both are the same code."""
    random, found = np.random.default_rng(1), ratios_of_pairs()
    answers = []
    for _ in range(1000):
        drawn = random.choice(found, 6) ** random.choice([-1, 1], 6)
        answers.append(ab.told(list(drawn), 0.99)[0])
    assert answers.count("no difference") >= 970


def test_unchanged_code_hardly_ever_fails_a_check_of_its_speed():
    """Recorded under load, as if nobody had seen it: baselines of five processes, checks of three and as many again.

    At most one of fifty fails. A tenth of noise hides most of what is slower, so that many are inconclusive.
    """
    random, found = np.random.default_rng(2), ratios_to_reference()
    answers = [judged(random.choice(found, 5), random.choice(found, 6)) for _ in range(200)]
    assert answers.count("worse") <= 4
    assert answers.count("inconclusive") <= 100


def test_a_step_that_takes_a_tenth_longer_is_found_where_processes_differ_by_one_percent():
    random = np.random.default_rng(4)
    found = [
        judged(*(mean * np.exp(0.01 * random.normal(size=n)) for mean, n in ((2.0, 5), (2.2, 6)))) for _ in range(100)
    ]
    assert found.count("worse") >= 98
    found = [judged(*(2.0 * np.exp(0.01 * random.normal(size=n)) for n in (5, 6))) for _ in range(100)]
    assert found.count("ok") >= 99


def judged(before, now):
    """The answer of one check; ratios, one a process."""

    def paces():
        pace = Pace()
        for value in now:
            pace.add([Round({"model": 0.01 * value, "reference": 0.01}, 0.0)] * 3, None)
            yield pace

    about = {"kind": "speed", "model": "m", "task": "t", "metric": "s", "asked": {}, "made": {}}
    entry = about | {"ratios": list(before), "seconds": 0.02, "memory": []}
    return speed.judged(entry, paces(), about, Config())[0].answer


def test_a_second_that_takes_a_tenth_longer_is_slower_and_its_inverse_faster():
    random = np.random.default_rng(3)
    drawn = np.exp(np.log(1.1) + 0.01 * random.normal(size=6))
    answer, value, low, high = ab.told(list(drawn), 0.99)
    assert answer == "slower"
    assert low < value < high
    assert value == pytest.approx(1.1, rel=0.02)
    assert ab.told(list(1 / drawn), 0.99)[0] == "faster"


def test_pairs_that_all_had_company_are_inconclusive():
    found = ab._compared("lstm", [1.5], ab.How(), ("a", "b"))
    assert found.answer == ab.BUSY
    assert found.line().startswith("lstm: inconclusive (machine busy)")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Somebody's own repository with a model that became slower, committed twice."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    for number, text in enumerate(("fast", "slow")):
        (folder / "mine.py").write_text(text)
        if number == 0:
            git(folder, "init", "-q")
        git(folder, "add", "-A")
        git(folder, "-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", text)
    monkeypatch.chdir(folder)
    return folder


def git(folder, *words):
    return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout


class Told(turns.Process):
    """A process whose steps take what the file in its folder says."""

    def __init__(self, works, device, threads, folder):
        self.works, self.seconds = works, {"fast": 0.01, "slow": 0.012}[(folder / "mine.py").read_text()]

    def ready(self):
        return {"calls": dict.fromkeys(self.works, 0.01), "memory": {}}

    def turn(self, name, calls):
        return self.seconds, 0.0

    def close(self):
        pass


@pytest.fixture
def seqbench(monkeypatch, capfd):
    monkeypatch.setattr(turns, "Process", Told)
    monkeypatch.setattr(turns.Company, "processors", lambda self, children=0.0: 0.0)

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["seqbench", "ab", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capfd.readouterr()
        return int(stop.value.code or 0), out, err

    return call


def test_revisions_are_timed_in_worktrees_that_are_gone_afterwards(repository, seqbench):
    code, out, _ = seqbench("HEAD~1", "HEAD", "--models", "mine.py", "--pairs", 3)
    assert code == 0
    assert out.startswith("mine.py: slower: HEAD takes 1.200 times as long as HEAD~1")
    assert git(repository, "worktree", "list").count("\n") == 1
    assert seqbench("HEAD~1", "--models", "mine.py", "--pairs", 2)[1].startswith(
        "mine.py: slower: the files as they are"
    )
    (told,) = json.loads(seqbench("HEAD", "HEAD~1", "--models", "mine.py", "--pairs", 2, "--json")[1])
    assert told["answer"] == "faster"
    assert seqbench("HEAD", "HEAD", "--models", "mine.py", "--pairs", 2)[1].startswith("mine.py: no difference")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere", "--models", "mine.py"], "nowhere: git does not know it"),
        (["--", "--exec", "--models"], "expected a commit"),
        (["HEAD"], "name yours with --models"),
        (["HEAD", "HEAD", "HEAD"], "3 revisions"),
        (["HEAD", "--models", "mine.py", "--of", "sleep"], "expected step or write"),
    ],
)
def test_what_git_or_ab_does_not_know_is_one_line(repository, seqbench, words, says):
    code, _, err = seqbench(*words)
    assert (code, err.count("\n")) == (2, 1), err
    assert says in err


def test_outside_a_repository_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="not a git repository"):
        ab.compared(["HEAD"], "", ab.How(), print)


def test_a_checkout_of_seqbench_brings_its_own_models_and_any_other_folder_uses_ours(tmp_path):
    assert found_in(OURS)[0] == str(OURS)
    assert found_in(tmp_path) == [str(OURS), str(tmp_path)]
    for name in ("bench", "models", "tasks"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    assert found_in(tmp_path)[0] == str(tmp_path)


def test_turns_alternate_and_company_is_not_what_our_own_processes_use(monkeypatch):
    order, seen = [], []
    monkeypatch.setattr(turns.Company, "processors", lambda self, children=0.0: seen.append(children) or 0.0)

    class One(turns.Process):
        def __init__(self):
            pass

        def turn(self, name, calls):
            order.append(name)
            return 0.01 * len(order), 0.25

    held = {name: Turns(One(), name) for name in "ab"}
    found = turns.rounds(held, {"a": 0.1, "b": 0.2}, seconds=60.0, count=2)
    assert "".join(order) == "abbaabba"
    assert seen == [1.0] * 2  # two turns of each make a round of 0.6 s
    assert [round(one.seconds[name], 3) for one in found for name in "ab"] == [0.025, 0.025, 0.065, 0.065]
