"""seqbench: the commands. torch is imported only by those that need it, so that --help answers at once."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from bench import suites
from bench.trial import Budget, Trial

if TYPE_CHECKING:
    import torch

    from bench.progress import Progress

app = typer.Typer(
    name="seqbench",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Which sequence model, for which task, at which cost? Train, measure, compare, report.",
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ALONE = ("batch", "beam", "points", "precision")  # settings of a trial itself
INTERRUPTED = 130  # exit code, as shells count signals


class UsageError(Exception):
    """What was typed is wrong: one line, exit code 2."""


@app.command(epilog="Example: seqbench run quick --models lstm,transformer --tasks translation --seeds 3")
def run(
    suite: Annotated[str, typer.Argument(help="Which suite; `seqbench list` shows them.")],
    models: Annotated[str, typer.Option(help="Only these models, by name or .py file, comma-separated.")] = "",
    tasks: Annotated[str, typer.Option(help="Only these tasks, comma-separated.")] = "",
    seeds: Annotated[int, typer.Option(help="How many seeds: 0, 1, ...; 0 keeps the suite's.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="Only this seed.")] = -1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads; 0 takes every core.", min=0)] = 0,
    out: Annotated[str, typer.Option(help="Folder of results; default runs/SUITE. Rows are added to it.")] = "",
    data: Annotated[list[str] | None, typer.Option(help="TASK=DIR: one's own data for a task.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="KEY=VALUE: updates, seconds, examples, batch, beam, points, precision, model.X, learning.X, task.X, "
            "or X of one model or task, such as lstm.hidden=128.",
        ),
    ] = None,
) -> None:
    """Runs a suite and stores a row a trial. Rows that are there already are not run again."""
    trials = suites.load(suite)
    if trials is None:
        raise UsageError(f"unknown suite {suite!r}; known: {', '.join(suites.names())}")
    over = [seed] if seed >= 0 else list(range(seeds)) or None
    trials = suites.reshaped(trials, _words(models), _words(tasks), over)
    trials = suites.fed(trials, _own_data(data or [], trials))
    for text in setting or []:
        trials = _with(trials, text)
    folder = Path(out or f"runs/{suite}")
    failed = _contest(trials, folder, device, threads)
    print(f"Results: {folder / 'results.jsonl'}")
    print(f"Report:  seqbench report {folder} --out {folder / 'report'}")
    if failed:
        raise typer.Exit(1)


def _words(text: str) -> list[str] | None:
    return [word.strip() for word in text.split(",") if word.strip()] or None


def _own_data(entries: list[str], trials: list[Trial]) -> dict[str, str]:
    data = {}
    for entry in entries:
        task, _, folder = entry.partition("=")
        if not folder:
            raise UsageError(f"--data {entry}: expected TASK=DIR, such as translation=../my-corpus")
        if task not in {t.task for t in trials}:
            raise UsageError(f"--data {entry}: no task {task!r} in this run; it has: {_listed(t.task for t in trials)}")
        data[task] = folder
    return data


def _listed(names: Any) -> str:
    return ", ".join(dict.fromkeys(names))


def _with(trials: list[Trial], text: str) -> list[Trial]:
    """The trials with one setting changed where it applies. Raises UsageError where it applies nowhere."""
    key, equals, value = text.partition("=")
    scope, dot, name = key.rpartition(".")
    if not equals or not name:
        raise UsageError(f"--set {text}: expected KEY=VALUE, such as lstm.hidden=128 or updates=500")
    if not dot:
        return [_alone(trial, key, value, text) for trial in trials]
    contestants = {t.model for t in trials} | {t.task for t in trials}
    if scope not in contestants | {"model", "learning", "task"}:
        raise UsageError(f"--set {text}: {scope!r} is none of: model, learning, task, {_listed(sorted(contestants))}")
    return [_scoped(trial, scope, name, value) for trial in trials]


def _scoped(trial: Trial, scope: str, name: str, value: str) -> Trial:
    if scope in ("task", trial.task):
        return dataclasses.replace(trial, task_settings=trial.task_settings | {name: value})
    if trial.probe == "floor":
        return trial
    if scope == "learning":
        return dataclasses.replace(trial, learning=trial.learning | {name: value})
    if scope in ("model", trial.model):
        return dataclasses.replace(trial, model_settings=trial.model_settings | {name: value})
    return trial


def _alone(trial: Trial, key: str, value: str, text: str) -> Trial:
    budgets = {field.name for field in dataclasses.fields(Budget)}
    if key not in budgets | set(ALONE):
        raise UsageError(f"--set {text}: unknown key {key!r}; expected one of: {_listed([*sorted(budgets), *ALONE])}")
    if key == "precision":
        return dataclasses.replace(trial, precision=value)
    try:
        number: Any = float(value) if key == "seconds" else int(value)
    except ValueError:
        raise UsageError(f"--set {text}: {value!r} is not a number") from None
    if not 0 < number < 1e12:
        raise UsageError(f"--set {text}: expected a number above zero")
    if key in budgets:
        return dataclasses.replace(trial, budget=Budget(**{key: number}))
    return dataclasses.replace(trial, **{key: number})


def _contest(trials: list[Trial], folder: Path, device: str, threads: int) -> int:
    """Runs what is not stored yet; how many trials failed."""
    from bench import machine, record
    from bench.probes import asked
    from bench.progress import Progress

    on = machine.prepare(device, threads or None)
    _writable(folder)
    stored = _stored(folder)
    _vouched(trials, on)
    with Progress(len(trials)) as progress:
        progress.say(f"{len(trials)} trials on {on} into {folder}")
        left = [
            t for t in trials if t.identity(asked.checksum(t), on.type if t.probe != "floor" else "cpu") not in stored
        ]
        if len(left) < len(trials):
            progress.say(f"{len(trials) - len(left)} are stored already")
        progress.number = len(trials) - len(left)
        return sum(_one(trial, folder, on, progress, record) for trial in left)


def _vouched(trials: list[Trial], device: torch.device) -> None:
    """Every name, setting and file is good before anything is trained or stored. Raises BadInput."""
    from bench import machine
    from bench.probes import asked

    for trial in trials:
        asked.task(trial)
        machine.precision(device, trial.precision)
        if trial.probe != "floor":
            asked.rule(trial, asked.model(trial)[0])


def _one(trial: Trial, folder: Path, device: torch.device, progress: Progress, record: Any) -> bool:
    from bench import trial as trials

    progress.begin(trial.label())
    results = trials.run(trial, folder, device, progress)
    for result in results:
        record.append(folder, result)
        if result.status == "ok":
            progress.end(f"{result.model}: {result.main} {result.metrics[result.main]:.1f}")
        else:
            progress.end(f"{result.status}: {result.reason}")
    return any(result.status != "ok" for result in results)


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}; choose another folder with --out") from None


def _stored(folder: Path) -> set[str]:
    from bench import record

    if not (folder / record.RESULTS).exists():
        return set()
    return {result.id for result in record.read(folder) if result.status == "ok"}


@app.command(name="list", epilog="Example: seqbench list --json")
def list_(as_json: AsJson = False) -> None:
    """Shows the suites, models and tasks there are, each in a line."""
    here = Path(__file__).parents[1]
    known = {"suites": suites.names(), "models": _described(here / "models"), "tasks": _described(here / "tasks")}
    if as_json:
        print(json.dumps(known, indent=2, ensure_ascii=False))
        return
    for kind, entries in known.items():
        print(f"{kind}:")
        for name, line in entries.items():
            print(f"  {name:12} {line}")


def _described(folder: Path) -> dict[str, str]:
    """First docstring lines of the contestants in a folder, without importing any."""
    import ast

    described = {}
    for path in sorted(folder.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not path.stem.startswith("_") and ("\nMODEL = " in text or "\nTASK = " in text):
            described[path.stem] = (ast.get_docstring(ast.parse(text)) or "").split("\n")[0]
    return described


@app.command(epilog="Example: seqbench report runs/quick --out runs/quick/report")
def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders that `seqbench run` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("report"),
) -> None:
    """Writes index.html and report.md from stored results."""
    from reports import html

    _writable(out)
    page = html.write(runs, out)
    print(f"Report: {page}")


@app.command(epilog='Example: seqbench answer runs/quick --model lstm --task translation "Turn on the light"')
def answer(
    run: Annotated[Path, typer.Argument(help="Folder that `seqbench run` wrote.")],
    query: Annotated[str, typer.Argument(help="What to answer: text, or an image file.")],
    model: Annotated[str, typer.Option(help="Which trained model.")],
    task: Annotated[str, typer.Option(help="Which task it was trained on.")],
    seed: Annotated[int, typer.Option(help="Which seed.")] = 0,
    beam: Annotated[int, typer.Option(help="Width of the beam; 1 is greedy.", min=1)] = 1,
    as_json: AsJson = False,
) -> None:
    """Lets a trained model answer what a person types, or an image file."""
    from bench import answering

    text = answering.answer(run, query, model, task, seed, beam)
    print(json.dumps({"query": query, "answer": text}, ensure_ascii=False) if as_json else text)


@app.command(epilog="Example: seqbench doctor --json")
def doctor(as_json: AsJson = False) -> None:
    """Shows the device, versions and data, what is missing, and what to do about it."""
    from bench import doctor as check

    findings = check.examine()
    if as_json:
        print(json.dumps(findings, indent=2, ensure_ascii=False))
    else:
        for name, value in findings["machine"].items():
            print(f"{name:10} {value}")
        print("\n".join(findings["problems"] or ["Everything is in place."]))
    if findings["problems"]:
        raise typer.Exit(1)


def main() -> None:
    """Runs a command. Exit codes: 0; 1 a trial failed; 2 bad input, in one line; 130 interrupted."""
    try:
        code = app(standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if not _ours(error):
            raise
        _stop(" ".join(_message(error).split()), 2)
    if code == INTERRUPTED:
        _stop("interrupted; every finished trial is stored, and the same command goes on from there", INTERRUPTED)
    sys.exit(code or 0)


def _ours(error: Exception) -> bool:
    """Whether an error is about what was given, and so needs one line, not a traceback."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"UsageError", "BadInput", "RecordError", "ReportError", "ClickException"})


def _message(error: Exception) -> str:
    return str(error.format_message()) if hasattr(error, "format_message") else str(error)


def _stop(line: str, code: int) -> NoReturn:
    print(f"seqbench: {line}", file=sys.stderr)
    sys.exit(code)
