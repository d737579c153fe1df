"""What a person types: results, one clear line for every mistake, and exit codes."""

import dataclasses
import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from bench import cli, identity, record, suites

OWN = Path(__file__).parent / "own"
COPYING = str(OWN / "copying.py")
TINY = ["--tasks", COPYING, "--models", "lstm", "--set", "updates=3", "--set", "model.width=8", "--set", "points=1"]
TINY += ["--in-process", "--threads", "1"]  # tests/test_workers.py has the processes


@pytest.fixture
def seqbench(monkeypatch, capfd):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["seqbench", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capfd.readouterr()
        return int(stop.value.code or 0), out, err

    return call


@pytest.fixture
def run(seqbench, tmp_path):
    def call(*words):
        return seqbench("run", "quick", *TINY, "--out", tmp_path / "run", *words)

    return call


def one_line(code, err, *parts):
    assert code == 2
    assert len(err.strip().splitlines()) == 1, err
    assert err.startswith("seqbench: ")
    for part in parts:
        assert part in err


def test_a_run_stores_floors_and_models_and_says_where(run, tmp_path):
    code, out, err = run()
    assert code == 0
    assert "results.jsonl" in out
    assert "lstm" in err
    rows = list(record.read(tmp_path / "run"))
    assert [(r.probe, r.model) for r in rows] == [("floor", "constant"), ("quality", "lstm")]


def test_what_is_stored_is_not_run_again(run, tmp_path):
    run()
    code, _, err = run()
    assert code == 0
    assert "2 are stored already" in err
    assert len(list(record.read(tmp_path / "run"))) == 2


def test_the_command_in_a_row_repeats_the_row(run, seqbench, tmp_path):
    run()
    first = list(record.read(tmp_path / "run"))[1]
    import shlex

    words = shlex.split(first.command)[1:]
    assert seqbench(*words, "--out", tmp_path / "again")[0] == 0
    again = list(record.read(tmp_path / "again"))[1]
    assert again.id == first.id
    assert again.metrics["exact"] == first.metrics["exact"]


def test_a_trial_that_dies_is_a_row_and_the_others_go_on(run, tmp_path):
    broken = tmp_path / "broken.py"
    text = (OWN / "gru.py").read_text()
    broken.write_text(
        text.replace("hidden = self.writer", 'raise RuntimeError("no such luck")\n        hidden = self.writer')
    )
    code, _, _ = run("--models", f"{broken},lstm")
    assert code == 1
    rows = [r for r in record.read(tmp_path / "run") if r.probe == "quality"]
    assert [(r.status, r.reason) for r in rows] == [("failed", "RuntimeError: no such luck"), ("ok", "")]


def test_a_file_of_ones_own_runs_in_the_quick_suite(run, tmp_path):
    assert run("--models", str(OWN / "gru.py"))[0] == 0
    assert next(r for r in record.read(tmp_path / "run") if r.probe == "quality").model.endswith("gru.py")


def test_a_trained_model_answers_what_a_person_types(run, seqbench, tmp_path):
    run()
    code, out, _ = seqbench("answer", tmp_path / "run", "0 1 2", "--model", "lstm", "--task", COPYING)
    assert code == 0
    assert set(out.split()) <= {"0", "1", "2", "3"}
    code, out, _ = seqbench("answer", tmp_path / "run", "0 1 2", "--model", "lstm", "--task", COPYING, "--json")
    assert json.loads(out)["query"] == "0 1 2"


def test_asking_a_model_that_was_not_trained_names_those_that_were(run, seqbench, tmp_path):
    run()
    code, _, err = seqbench("answer", tmp_path / "run", "0", "--model", "rnn", "--task", COPYING)
    one_line(code, err, "no trained rnn", "lstm on")


def test_a_report_is_written_from_the_run(run, seqbench, tmp_path):
    run()
    code, out, _ = seqbench("report", tmp_path / "run", "--out", tmp_path / "report")
    assert code == 0
    assert "index.html" in out
    assert "LSTM" in (tmp_path / "report" / "report.md").read_text()


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--models", "gpt"], ["unknown model 'gpt'", "lstm"]),
        (["--models", "nowhere/mine.py"], ["nowhere/mine.py does not exist"]),
        (["--tasks", "chess"], ["unknown task 'chess'", "translation"]),
        (["--device", "cuda:7"], ["cuda:7", "--device cpu"]),
        (["--device", "toaster"], ["toaster", "auto, cpu, cuda"]),
        (["--set", "updates=many"], ["updates=many", "not a number"]),
        (["--set", "updates=-1"], ["above zero"]),
        (["--set", "lstm.wings=2"], ["no setting 'wings'", "hidden"]),
        (["--set", "lstm.width=wide"], ["width='wide'", "int"]),
        (["--set", "bird.width=2"], ["'bird' is none of"]),
        (["--set", "nonsense"], ["KEY=VALUE"]),
        (["--set", "decay=linear"], ["unknown key 'decay'"]),
        (["--set", "learning.decay=steep"], ["decay='steep'", "linear, cosine, constant"]),
        (["--set", "precision=float8"], ["float8", "float32 or bfloat16"]),
        (["--data", "translation"], ["TASK=DIR"]),
        (["--data", "chess=here"], ["no task 'chess'"]),
        (["--wings", "2"], ["--wings"]),
        (["--seed", "-5"], ["--seed"]),
        (["--seed", "3", "--seeds", "5"], ["expected one of the two"]),
        (["--retry", "never"], ["--retry", "failed"]),
        (["--set", "points=51"], ["at most 50"]),
    ],
)
def test_bad_input_is_one_clear_line_and_nothing_is_stored(run, tmp_path, words, parts):
    code, _, err = run(*words)
    err = "\n".join(line for line in err.splitlines() if "trials on cpu" not in line)
    one_line(code, err, *parts)
    assert not (tmp_path / "run" / "results.jsonl").exists()


def test_a_model_named_twice_is_run_once(run, tmp_path):
    assert run("--models", "lstm,lstm")[0] == 0
    assert [r.model for r in record.read(tmp_path / "run")] == ["constant", "lstm"]


def test_floors_alone_can_be_run_as_their_row_says(run, seqbench, tmp_path):
    import shlex

    assert run("--models", "floors")[0] == 0
    (floor,) = record.read(tmp_path / "run")
    words = shlex.split(floor.command)[1:]
    code, _, err = seqbench(*words, "--in-process", "--out", tmp_path / "run")
    assert code == 0
    assert "1 are stored already" in err


def test_numbers_in_a_suites_settings_and_on_the_command_line_are_the_same_trial():
    from bench import machine
    from bench.probes import asked

    place = machine.place("cpu", 1)
    known = suites.load("quick")
    one = next(t for t in known if (t.model, t.task) == ("lstm", "sentiment"))
    retyped = dataclasses.replace(
        one,
        model_settings={name: str(value) for name, value in one.model_settings.items()},
        learning={name: str(value) for name, value in one.learning.items()},
    )
    assert asked.vouched(one, place) == asked.vouched(retyped, place)


def test_a_failed_trial_is_run_again_only_when_asked(run, tmp_path):
    broken = tmp_path / "broken.py"
    good = (OWN / "gru.py").read_text()
    broken.write_text(good.replace("hidden = self.writer", "hidden = self.nothing"))
    assert run("--models", str(broken))[0] == 1
    code, _, err = run("--models", str(broken))
    assert code == 1
    assert "1 of them failed before; --retry failed runs them again" in err
    assert run("--models", str(broken), "--retry", "failed")[0] == 1
    assert [r.status for r in record.read(tmp_path / "run")] == ["ok", "failed", "failed"]


def test_changed_code_is_another_trial_and_a_changed_comment_is_not(run, tmp_path):
    mine, text = tmp_path / "mine.py", (OWN / "gru.py").read_text()
    mine.write_text(text)
    run("--models", str(mine))
    mine.write_text(text + "\n# a comment\n")
    _, out, _ = run("--models", str(mine), "--explain")
    assert "0 of 2 would run" in out
    mine.write_text(text.replace("self.writer = ", "self.more = 1\n        self.writer = "))
    identity._tree.cache_clear()
    _, out, _ = run("--models", str(mine), "--explain")
    assert "1 of 2 would run" in out
    assert "changed since it was stored: mine.py" in out


def test_a_run_is_verified_and_a_changed_one_is_not(run, seqbench, tmp_path):
    run()
    code, out, _ = seqbench("verify", tmp_path / "run")
    assert (code, "is as it was written" in out) == (0, True)
    path = tmp_path / "run" / "results.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"exact"', b'"exakt"', 1))
    code, out, _ = seqbench("verify", tmp_path / "run", "--json")
    assert code == 1
    assert "line 1: damaged" in json.loads(out)["problems"][0]


def test_an_unknown_suite_names_the_known_ones(seqbench):
    code, _, err = seqbench("run", "slow")
    one_line(code, err, "unknown suite 'slow'", "quick")


def test_an_unknown_command_is_one_line(seqbench):
    code, _, err = seqbench("fly")
    one_line(code, err, "fly")


def test_a_folder_that_cannot_be_written_is_named(seqbench, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    code, _, err = seqbench("run", "quick", *TINY, "--out", tmp_path / "file")
    one_line(code, err, str(tmp_path / "file"), "--out")


def test_a_report_of_nothing_is_one_line(seqbench, tmp_path):
    code, _, err = seqbench("report", tmp_path / "nothing", "--out", tmp_path / "report")
    one_line(code, err, "nothing")


def test_list_names_every_suite_model_and_task(seqbench):
    code, out, _ = seqbench("list", "--json")
    known = json.loads(out)
    assert code == 0
    assert set(suites.FAMILIES) <= known["models"].keys()
    assert {"translation", "sentiment", "captioning"} <= known["tasks"].keys()
    assert "quick" in known["suites"]
    assert all(line.strip() for kind in known.values() for line in kind.values())


def test_doctor_finds_everything_in_place(seqbench):
    code, out, _ = seqbench("doctor", "--json")
    findings = json.loads(out)
    assert (code, findings["problems"]) == (0, [])
    assert set(findings["data"].values()) == {"ok"}


def test_doctor_names_a_damaged_file(seqbench, monkeypatch):
    monkeypatch.setattr("tasks._files.manifest", lambda: {"interface/gone.xz": {"bytes": 1, "sha256": ""}})
    code, out, _ = seqbench("doctor")
    assert code == 1
    assert "gone.xz is missing" in out
    assert "git checkout" in out


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["list"]])
def test_help_answers_at_once_without_torch(words):
    code = "import sys; from bench import cli\ntry: cli.main()\nfinally: print('torch' in sys.modules, file=sys.stderr)"
    command = [sys.executable, "-c", code, *words]
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.stderr.strip() == "False"
    assert min(times) < 1.0  # of the processor's seconds, 0.3 on a quiet machine; a neighbour stretches them, too


def test_the_commands_and_options_stay_as_they_are():
    import typer

    command = typer.main.get_command(cli.app)
    assert sorted(command.commands) == [
        "ab",
        "adopt",
        "answer",
        "check",
        "claims",
        "compare",
        "doctor",
        "list",
        "plan",
        "publish",
        "report",
        "run",
        "tune",
        "verify",
    ]
    options = {o for p in command.commands["run"].params for o in p.opts}
    assert options >= {"--models", "--tasks", "--seeds", "--seed", "--device", "--out", "--data", "--set", "--threads"}
    assert options >= {"--retry", "--explain", "--timeout", "--in-process"}


def test_interrupting_keeps_what_is_done(run, tmp_path, monkeypatch):
    from bench.probes import quality

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(quality, "run", interrupted)
    code, _, err = run()
    assert code == 130
    assert "every finished trial is stored" in err
    assert [r.probe for r in record.read(tmp_path / "run")] == ["floor"]


def test_every_suite_describes_trials_whose_every_setting_is_known():
    import tasks
    from bench.probes import asked

    for name in suites.names():
        trials = suites.load(name)
        learned = {"span", "extrapolate", "gradients", "by_length", "data_curve"}
        probes = {t.probe for t in trials}
        long = learned <= probes <= learned | {"scaling"}
        claims = {"quality", "order", "alignment", "decoding"} <= probes
        assert probes == {"floor", "quality"} or long or claims or all(t.timed for t in trials)
        for one in trials:
            assert one.suite == name
            asked.probe(one)
            tasks.configured(tasks.load(one.task).Config, one.task_settings, one.task)
            if one.probe != "floor":
                asked.rule(one, asked.model(one)[0])


def test_a_suite_without_a_trial_for_what_was_asked_says_so(seqbench):
    code, _, err = seqbench("run", "long", "--tasks", "sorting")
    assert code == 2
    assert err.strip() == "seqbench: suite long has no trial of --models all on --tasks sorting"
