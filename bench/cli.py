"""seqbench: the commands. torch is imported only by those that need it, so that --help answers at once."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from bench.commands import running
from bench.typed import UsageError, selected, sized

app = typer.Typer(
    name="seqbench",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Which sequence model, for which task, at which cost? Train, measure, compare, report.",
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
OURS = {
    "UsageError",
    "PlanError",
    "AskedError",
    "BadInput",
    "RecordError",
    "ReportError",
    "WorkerError",
    "UnlikeError",
    "ClickException",
}
INTERRUPTED, TERMINATED = 130, 143  # exit codes, as shells count signals
MATCH = "MEASURE=NUMBER: bring each model to that size, in parameters, state_bytes or flops, such as parameters=1e6."


@app.command(epilog="Example: seqbench run quick --models lstm,transformer --tasks translation --seeds 3")
def run(
    suite: Annotated[str, typer.Argument(help="Which suite; `seqbench list` shows them.")],
    models: Annotated[str, typer.Option(help="Only these models, by name or .py file, comma-separated.")] = "",
    tasks: Annotated[str, typer.Option(help="Only these tasks, comma-separated.")] = "",
    seeds: Annotated[int, typer.Option(help="How many seeds: 0, 1, ...; 0 keeps the suite's.", min=0)] = 0,
    seed: Annotated[int | None, typer.Option(help="Only this seed.", min=0)] = None,
    variant: Annotated[str, typer.Option(help="Only this variant of the suite, or those like 'mqar*'.")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads; 0 takes every core.", min=0)] = 0,
    out: Annotated[str, typer.Option(help="Folder of results; default runs/SUITE. Rows are added to it.")] = "",
    data: Annotated[list[str] | None, typer.Option(help="TASK=DIR: one's own data for a task.")] = None,
    retry: Annotated[running.Retry, typer.Option(help="Run these again although they are stored.")] = "none",
    explain: Annotated[
        bool, typer.Option("--explain", help="Say for each trial why it would run; start nothing.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(help="Seconds without a sign of life after which a trial is stopped; 0: never.", min=0)
    ] = 1800,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="No process for each trial: for a debugger; a crash ends the run.")
    ] = False,
    within: Annotated[
        float,
        typer.Option(
            help="Seconds after which no trial begins; 40 later one is stopped. 0: never. Run again to go on.",
            min=0,
        ),
    ] = 0,
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16; the same as --set precision=.")] = "",
    compile_: Annotated[
        bool, typer.Option("--compile", help="Hand every model to torch.compile, as far as it takes them.")
    ] = False,
    match: Annotated[str, typer.Option(help=MATCH)] = "",
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="KEY=VALUE: updates, examples, tokens, flops, seconds, batch, beam, points, precision, model.X, "
            "learning.X, task.X, probe.X, X of one model or task, such as lstm.hidden=128, or seed.X: order (of data), "
            "initial (weights, dropout), reservoir.",
        ),
    ] = None,
) -> None:
    """Runs a suite and stores a row a trial.

    What is stored already is not run again; what was interrupted goes on where it was.
    """
    if seed is not None and seeds:
        raise UsageError(f"--seed {seed} --seeds {seeds}: expected one of the two")
    over = [seed] if seed is not None else list(range(seeds)) or None
    changes = [*([f"precision={precision}"] if precision else []), *(setting or [])]
    trials = selected(suite, models, tasks, over, variant, data or [], changes)
    if compile_:
        trials = [dataclasses.replace(t, compile=t.probe != "floor") for t in trials]
    folder = Path(out or f"runs/{suite}")
    how = running.How(device, threads, retry, explain, timeout, in_process, within, sized(match))
    failed = running.started(trials, folder, how)
    if explain:
        return
    print(f"Results: {folder / 'results.jsonl'}")
    print(f"Report:  seqbench report {folder} --out {folder / 'report'}")
    if failed:
        raise typer.Exit(1)


@app.command(epilog="Example: seqbench plan quick --seeds 3 --match parameters=1e6")
def plan(
    suite: Annotated[str, typer.Argument(help="Which suite; `seqbench list` shows them.")],
    models: Annotated[str, typer.Option(help="Only these models, by name or .py file, comma-separated.")] = "",
    tasks: Annotated[str, typer.Option(help="Only these tasks, comma-separated.")] = "",
    seeds: Annotated[int, typer.Option(help="How many seeds: 0, 1, ...; 0 keeps the suite's.", min=0)] = 0,
    variant: Annotated[str, typer.Option(help="Only this variant of the suite, or those like 'mqar*'.")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads; 0 takes every core.", min=0)] = 0,
    data: Annotated[list[str] | None, typer.Option(help="TASK=DIR: one's own data for a task.")] = None,
    match: Annotated[str, typer.Option(help=MATCH)] = "",
    setting: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, as for `seqbench run`.")] = None,
    stored: Annotated[
        Path | None, typer.Option("--from", help="Folder of a run, to learn from it how much seeds differ.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Says before a run what it would take, and which differences it could show. Nothing is stored."""
    from bench.commands import plan as plans

    trials = selected(suite, models, tasks, list(range(seeds)) or None, variant, data or [], setting or [])
    whole = plans.made(suite, trials, sized(match), stored, device, threads)
    print(json.dumps(whole.plain(), indent=2, ensure_ascii=False) if as_json else whole.text())


@app.command(epilog="Example: seqbench tune quick --trials 8 --set updates=600 --out runs/tuning")
def tune(
    suite: Annotated[str, typer.Argument(help="Which suite; `seqbench list` shows them.")],
    models: Annotated[str, typer.Option(help="Only these models, by name or .py file, comma-separated.")] = "",
    tasks: Annotated[str, typer.Option(help="Only these tasks, comma-separated.")] = "",
    trials: Annotated[int, typer.Option(help="How many of each model on each task.", min=1, max=1000)] = 8,
    seconds: Annotated[
        float, typer.Option(help="Of training, after which a model gets no further trial on a task; 0: never.", min=0)
    ] = 0,
    seed: Annotated[
        int, typer.Option(help="Of the search and of every training in it; none of the suites'.", min=0)
    ] = 1000,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads; 0 takes every core.", min=0)] = 0,
    out: Annotated[str, typer.Option(help="Folder of results; default runs/SUITE-tuning.")] = "",
    data: Annotated[list[str] | None, typer.Option(help="TASK=DIR: one's own data for a task.")] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, as for `seqbench run`.")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder of another search, whose winners are tried as trial 1.")
    ] = None,
) -> None:
    """Searches good settings: equally many trials for every model, chosen on validation; the test is never read.

    Trial 0 has the suite's own settings; with --from, trial 1 what another search came to, so that --trials 2 tells
    whether a winner of a short search holds under this suite's budget. What falls behind the median of earlier trials
    is given up. The same command goes on with what is stored; `seqbench adopt` makes the winners the suite's settings.
    """
    from bench.commands import tune as tuning

    chosen = [t for t in selected(suite, models, tasks, [seed], "", data or [], setting or []) if t.probe == "quality"]
    if not chosen:
        raise UsageError(f"suite {suite} trains nothing for its quality: there is nothing to tune")
    folder = Path(out or f"runs/{suite}-tuning")
    tuning.search_all(chosen, trials, seconds, folder, device, threads, source)
    print(f"Results: {folder / 'results.jsonl'}")
    print(f"Report:  seqbench report {folder} --out {folder / 'report'}")
    print(f"Adopt:   seqbench adopt {folder}")


@app.command(epilog="Example: seqbench adopt runs/quick-tuning --explain")
def adopt(
    run: Annotated[Path, typer.Argument(help="Folder that `seqbench tune` wrote.")],
    explain: Annotated[bool, typer.Option("--explain", help="Say what would change; change nothing.")] = False,
) -> None:
    """Makes the winners of a search the settings of its suite, each with where it comes from."""
    from bench.commands import adopting

    for line in adopting.adopted(run, explain):
        print(line)


@app.command(epilog="Example: seqbench claims runs/claims runs/long")
def claims(
    runs: Annotated[list[Path] | None, typer.Argument(help="Folders of runs; none shows what is on trial.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tries what lectures say of sequence models on stored runs: each claim with its rule and its verdict."""
    from reports.sections import on_trial

    found = on_trial.tried_on(runs or [])
    print(json.dumps(on_trial.plain(found), indent=2, ensure_ascii=False) if as_json else on_trial.text(found))


@app.command(name="list", epilog="Example: seqbench list --json")
def list_(as_json: AsJson = False) -> None:
    """Shows the suites, models and tasks there are, each in a line."""
    from bench.commands import listing

    known = listing.known()
    print(json.dumps(known, indent=2, ensure_ascii=False) if as_json else listing.text(known))


@app.command(epilog="Example: seqbench report runs/quick --out runs/quick/report")
def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders that `seqbench run` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("report"),
) -> None:
    """Writes index.html, report.md, results.csv and results.parquet from stored results."""
    from bench.progress import Steps
    from reports.page import html

    running.writable(out)
    with Steps() as steps:
        page = html.write(runs, out, steps.say)
    print(f"Report: {page}")


@app.command(epilog="Example: seqbench compare runs/here runs/there --out runs/differences")
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders that `seqbench run` wrote.")],
    task: Annotated[str, typer.Option(help="Only this task.")] = "",
    metric: Annotated[str, typer.Option(help="By this score instead of the task's main one.")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Refuse a comparison that is not fair.")] = False,
    together: Annotated[
        bool, typer.Option("--together", help="Rank the models of all runs in one table, also of two runs alike.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the differences of two runs as a report.")] = None,
    as_json: AsJson = False,
) -> None:
    """Ranks the models of runs; of two runs that measured the same models, says what differs between the two.

    Environments first; then each model's score, and its times, with an interval of the difference.
    """
    from bench.commands import comparing

    print(comparing.told(runs, task, metric, strict, together, out, as_json))


@app.command(epilog="Example: seqbench publish runs/quick --name quick-two-cores")
def publish(
    runs: Annotated[list[Path] | None, typer.Argument(help="Folders that `seqbench run` wrote.")] = None,
    name: Annotated[str, typer.Option(help="Name of the published folder: small letters, digits and hyphens.")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of what has this name.")] = False,
    headline: Annotated[bool, typer.Option("--headline", help="Let it head README.md from now on.")] = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Make every published report again, from its own results.")
    ] = False,
    most: Annotated[float, typer.Option(help="MiB of answers and attention, at most.", min=0)] = 32,
    into: Annotated[Path | None, typer.Option(help="Folder of published reports; default reports/published.")] = None,
) -> None:
    """Puts a report with its results under reports/published, and refreshes the index there and README.md.

    Answers and attention are copied, parameters are not, and no row tells where it was made.
    """
    from bench.commands import publishing

    print("\n".join(publishing.published(runs or [], name, replace, headline, refresh, int(most * 2**20), into)))


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
    from bench.commands import answering

    text = answering.answer(run, query, model, task, seed, beam)
    print(json.dumps({"query": query, "answer": text}, ensure_ascii=False) if as_json else text)


@app.command(epilog="Example: seqbench verify runs/quick")
def verify(
    run: Annotated[Path, typer.Argument(help="Folder that `seqbench run` wrote.")],
    as_json: AsJson = False,
) -> None:
    """Checks every row, file and checksum of a run, and says what is wrong."""
    from bench.commands import verification

    problems = verification.problems(run)
    if as_json:
        print(json.dumps({"run": str(run), "problems": problems}, indent=2, ensure_ascii=False))
    else:
        print("\n".join(problems or [f"{run}: every row, file and checksum is as it was written."]))
    if problems:
        raise typer.Exit(1)


@app.command(epilog="Example: seqbench check runs/now --against tests/baselines/quick.json")
def check(
    run: Annotated[Path, typer.Argument(help="Folder that `seqbench run` wrote.")],
    against: Annotated[Path, typer.Option(help="A file of baselines, or the folder of another run.")],
    update: Annotated[
        bool, typer.Option("--update", help="Make the run the baseline; say first what changes.")
    ] = False,
    tolerance: Annotated[float, typer.Option(help="Points of the main score that may be lost.", min=0)] = 1.0,
    slower: Annotated[float, typer.Option(help="Percent by which a step may be slower.", min=0)] = 5.0,
    memory: Annotated[float, typer.Option(help="Percent by which it may need more memory.", min=0)] = 25.0,
    repeats: Annotated[int, typer.Option(help="Times that a speed is measured again before it fails.", min=0)] = 2,
    as_json: AsJson = False,
) -> None:
    """Says whether a run is worse or slower than a baseline.

    Exit codes: 0 it is not; 1 it is; 2 bad input; 3 inconclusive, since others kept the machine busy.
    """
    from bench.commands import check as checking
    from bench.guard import notices

    if update:
        print("\n".join(checking.update(run, against)))
        return
    may = checking.Tolerance(points=tolerance, speed=slower / 100, memory=memory / 100)
    found = checking.check(run, against, may, repeats)
    print(json.dumps(found.plain(), indent=2, ensure_ascii=False) if as_json else found.text())
    notices.told([(str(against), 1, one) for one in found.verdicts])
    if found.code:
        raise typer.Exit(found.code)


@app.command(epilog="Example: seqbench ab main --models lstm,path/to/mine.py")
def ab(
    revisions: Annotated[list[str], typer.Argument(help="One revision, held against the files as they are; or two.")],
    models: Annotated[str, typer.Option(help="Names or .py files, comma-separated; default: the project's own.")] = "",
    of: Annotated[str, typer.Option(help="step (an update) or write (greedy answers).")] = "step",
    pairs: Annotated[int, typer.Option(help="Pairs of processes, one of each revision.", min=2, max=100)] = 6,
    level: Annotated[float, typer.Option(help="Confidence of the intervals.", min=0.5, max=0.9999)] = 0.99,
    threads: Annotated[int, typer.Option(help="CPU threads of each process.", min=1)] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "cpu",
    as_json: AsJson = False,
) -> None:
    """Times two revisions in turns, each in a worktree of its own: faster, slower or no difference.

    Exit codes: 0 it was told; 2 bad input; 3 inconclusive, since others kept the machine busy.
    """
    from bench.commands import ab as trial

    found = trial.compared(revisions, models, trial.How(of, pairs, level, threads, device), running.told)
    print(json.dumps([one.plain() for one in found], indent=2) if as_json else "\n".join(one.line() for one in found))
    if any(one.answer == trial.BUSY for one in found):
        raise typer.Exit(3)


@app.command(epilog="Example: seqbench doctor --json")
def doctor(as_json: AsJson = False) -> None:
    """Shows the device, versions and data, what is missing, and what to do about it."""
    from bench.commands import doctor as check

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
    """Runs a command. Exit codes: 0; 1 a trial failed; 2 bad input, in one line; 130 or 143 interrupted."""
    try:
        code = app(standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BaseException as error:
        if type(error).__name__ == "Ended":
            code = 128 + int(error.args[0])
        elif _ours(error):
            _stop(" ".join(_message(error).split()), 2)
        else:
            raise
    if code in (INTERRUPTED, TERMINATED):
        _stop("interrupted: every finished trial is stored, and the same command goes on from there", code)
    sys.exit(code or 0)


def _ours(error: BaseException) -> bool:
    """Whether an error is about what was given, and so needs one line, not a traceback."""
    return bool(OURS & {kind.__name__ for kind in type(error).__mro__})


def _message(error: BaseException) -> str:
    return str(error.format_message()) if hasattr(error, "format_message") else str(error)


def _stop(line: str, code: int) -> NoReturn:
    print(f"seqbench: {line}", file=sys.stderr)
    sys.exit(code)
