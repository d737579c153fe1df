"""Tuning: equally many trials for every model on every task, over a written space, on validation alone.

Trial 0 is the suite's own settings. Optuna proposes the others by what earlier ones came to (tree-structured Parzen
estimator, Bergstra et al., 2011), from a generator that the number of the trial seeds: what is stored is the state of
the search, and a search that was interrupted goes on as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench import identity, record, workers
from bench.commands import running
from bench.contest import Contest
from bench.progress import Progress
from bench.record import Result
from bench.trial import Place, Trial
from bench.typed import UsageError, listed
from bench.workers import Workers

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

SPACE = Path(__file__).parent / "space.json"
OPENING = 4  # trials, the suite's own among them, that no earlier ones guide
JUDGES = 3  # earlier trials that a median is told from at least
FIGURES = 3  # significant ones that a proposed number keeps

Space = dict[str, Any]  # "model.x" or "learning.x" -> its ends, or a list of choices
Values = dict[str, Any]


def space(model: str, rule: str, written: Mapping[str, Any] | None = None) -> Space:
    """What is searched for a model that learns by that rule; of a model that nobody wrote down, what its rule has."""
    told = json.loads(SPACE.read_text(encoding="utf-8")) if written is None else written
    return dict(told["rules"].get(rule, {})) | dict(told["models"].get(model, {}))


def mark(searched: Space) -> str:
    """Eight digits that name a space."""
    return hashlib.sha256(json.dumps(searched, sort_keys=True).encode()).hexdigest()[:8]


def within(model_settings: Mapping[str, Any], learning: Mapping[str, Any], searched: Space) -> Values:
    """The settings of a model and of its rule that are searched."""
    parts = {"model": model_settings, "learning": learning}
    named = {key: key.partition(".")[::2] for key in searched}
    return {key: parts[part][name] for key, (part, name) in named.items() if name in parts[part]}


def rule_of(made_of: Mapping[str, str]) -> str:
    """The rule that teaches what a trial is made of."""
    return next(Path(part).stem for part in made_of if part.startswith("bench/learning/") and "__" not in part)


def search(
    base: Trial,
    made_of: Mapping[str, str],
    trials: int,
    run: Callable[[Trial], Result],
    seconds: float = 0.0,
    winner: Winner | None = None,
) -> list[Result]:
    """Runs the trials of one model on one task; with `seconds`, none is begun once so many were trained for.

    `made_of`: what the suite's own trial is made of. `run` runs a trial, or recalls it where it is stored. The `winner`
    of another search is trial 1, unless its settings are the suite's own; then trial 1 is proposed like the rest.
    """
    searched, own = _asked(base, made_of)
    won = _won(own, winner, searched)
    done: list[Result] = []
    for number in range(trials if searched else 1):
        if seconds and spent(done) >= seconds:
            break
        if number == 1 and winner is not None and won != own:
            values, source = won, winner.suite
        else:
            values, source = own if number == 0 else proposed(searched, done, number, base.seed), ""
        done.append(run(candidate(base, values, number, bars(done, base.points), searched, source)))
    return done


def _asked(base: Trial, made_of: Mapping[str, str]) -> tuple[Space, Values]:
    """What is searched, and what the suite's own trial sets of it."""
    searched = space(base.model, rule_of(made_of))
    return searched, within(json.loads(made_of["model_settings"]), json.loads(made_of["learning"]), searched)


def _won(own: Values, winner: Winner | None, searched: Space) -> Values:
    """The suite's own values with those of the winner over them, as far as they are searched."""
    return own | {key: value for key, value in (winner.values if winner else {}).items() if key in searched}


class Winner(NamedTuple):
    """What a search came to: its settings, and the suite it was made for."""

    suite: str
    values: Values


def winners(folder: Path) -> dict[tuple[str, str], Winner]:
    """By task and model, what the searches of a folder came to. Raises UsageError where they name no winners."""
    said = f"--from {folder}"
    if not (folder / record.RESULTS).exists():
        raise UsageError(f"{said}: there is no {record.RESULTS} in it; expected a folder that `seqbench tune` wrote")
    found = studies(record.read(folder))
    cells = [(study.task, study.model) for study in found]
    if several := sorted({f"{model} on {task}" for task, model in cells if cells.count((task, model)) > 1}):
        raise UsageError(f"{said}: {listed(several)} was searched more than once there; expected one search of each")
    best = {(study.task, study.model): row for study in found if (row := study.best) is not None}
    if not best:
        raise UsageError(f"{said} holds no search that came to an end; expected a folder that `seqbench tune` wrote")
    return {cell: Winner(row.suite, values_of(row)) for cell, row in best.items()}


def values_of(row: Result) -> Values:
    """The settings that a trial of a search tried."""
    told = [row.config.get(name) for name in ("model", "learning")]
    model, learning = (one if isinstance(one, dict) else {} for one in told)
    return within(model, learning, space_of(row))


def search_all(
    chosen: Sequence[Trial],
    trials: int,
    seconds: float,
    folder: Path,
    device: str,
    threads: int,
    source: Path | None = None,
) -> None:
    """Searches settings of every model on every task into a folder, telling what each search came to.

    `source`: the folder of another search, whose winners are tried after the suite's own settings. Raises UsageError
    where there are none, where they would not be tried, or where `folder` holds a search with others.
    """
    known = _known(source, trials, folder) if source else {}
    with workers.workers(1800.0) as some, Progress(len(chosen) * trials) as progress:
        place = some.place(device, threads)
        pairs = [(trial, some.vouched(trial, place)) for trial in chosen]  # so that a mistake is told at once
        for trial, made_of in pairs:
            _one_search(folder, trial, made_of, known.get((trial.task, trial.model)))
        running.writable(folder)
        progress.say(f"{trials} trials of {len(chosen)} pairs of model and task on {place.device} into {folder}")
        runner = Runner(folder, place, progress, some)
        for trial, made_of in pairs:
            winner = known.get((trial.task, trial.model))
            if source and winner is None:
                progress.say(f"{trial.model} on {trial.task}: {source} has no winner to try")
            progress.say(told(search(trial, made_of, trials, runner.run, seconds, winner)))


def _known(source: Path, trials: int, folder: Path) -> dict[tuple[str, str], Winner]:
    if source.resolve() == folder.resolve():
        raise UsageError(f"--from {source} is the folder that is written; name another with --out")
    if trials < 2:
        raise UsageError("--from needs --trials 2 at least: the first has the suite's own settings")
    return winners(source)


def _one_search(folder: Path, base: Trial, made_of: Mapping[str, str], winner: Winner | None) -> None:
    """Raises UsageError where the folder's trial 1 comes from elsewhere: two searches would pass for one."""
    if not (folder / record.RESULTS).exists():
        return
    searched, own = _asked(base, made_of)
    wanted = winner.suite if winner and _won(own, winner, searched) != own else ""
    cell = ("tune", base.task, base.model)
    places = [placed(row) for row in record.read(folder) if (row.probe, row.task, row.model) == cell]
    if any(place.get("number") == 1 and place.get("source", "") != wanted for place in places):
        raise UsageError(
            f"{folder} holds another search of {base.model} on {base.task}, whose trial 1 came from elsewhere; "
            "name another folder with --out"
        )


def spent(rows: Sequence[Result]) -> float:
    """Seconds of training; a trial that failed does not tell, and counts as the longest that did."""
    told = [float(row.metrics["seconds"]) for row in rows if "seconds" in row.metrics]
    return sum(told) + max(told, default=0.0) * (len(rows) - len(told))


def candidate(
    base: Trial,
    values: Values,
    number: int,
    least: Sequence[float],
    searched: Space | None = None,
    source: str = "",
) -> Trial:
    """The trial of a search that tries these values; `source` is the suite whose search they come from, if any."""
    chosen: dict[str, dict[str, Any]] = {"model": {}, "learning": {}}
    for key, value in values.items():
        part, _, name = key.partition(".")
        chosen[part][name] = value
    place: dict[str, Any] = {"number": number, "space": json.dumps(searched or {}, sort_keys=True)}
    place |= ({"bars": list(least)} if least else {}) | ({"source": source} if source else {})
    return dataclasses.replace(
        base,
        probe="tune",
        model_settings=base.model_settings | chosen["model"],
        learning=base.learning | chosen["learning"],
        probe_settings=place,
        tuned={},
    )


def bars(done: Iterable[Result], points: int) -> list[float]:
    """By evaluation, the last aside, the median of what earlier trials had reached there (Golovin et al., 2017).

    Empty below three trials that came to a number.
    """
    ways = [way for row in done if row.status == "ok" for way in [reached(row, points)]]
    if len(ways) < JUDGES:
        return []
    at = [[way[place] for way in ways if len(way) > place] for place in range(points - 1)]
    return [statistics.median(values) for values in at if values]


def reached(row: Result, points: int) -> list[float]:
    """The best on validation so far, at every evaluation that the trial came to."""
    metric = row.config["notes"]["metric"]
    best: dict[int, float] = {}
    for point in row.curve:
        place, value = int(point["updates"]), point.get("validation", point.get(metric))
        best[place] = max(best.get(place, -math.inf), float(value or 0.0))
    values = [best[place] for place in sorted(best)][:points]
    return [max(values[: place + 1]) for place in range(len(values))]


def proposed(searched: Space, done: Sequence[Result], number: int, seed: int) -> Values:
    """The values that the trial of that number tries."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    mixed = int(hashlib.sha256(f"{seed} {number}".encode()).hexdigest()[:8], 16)
    sampler = optuna.samplers.TPESampler(seed=mixed, n_startup_trials=OPENING)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = {key: _distribution(said) for key, said in searched.items()}
    worst = min((float(row.metrics["validation"]) for row in done if row.status == "ok"), default=0.0)
    for row in done:
        with contextlib.suppress(ValueError):  # the suite's own settings may lie outside the space
            study.add_trial(_told(row, searched, distributions, worst))
    asked = study.ask(distributions).params
    return {key: _value(searched[key], value) for key, value in asked.items()}


def _distribution(said: Any) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(said, list):
        return CategoricalDistribution([json.dumps(choice) for choice in said])
    return FloatDistribution(said["low"], said["high"], log=said.get("log", False))


def _value(said: Any, chosen: Any) -> Any:
    """A chosen value as a setting; numbers keep few digits, and never leave their ends."""
    if isinstance(said, list):
        return json.loads(chosen)
    return min(max(_short(chosen), said["low"]), said["high"])


def _short(value: float) -> float:
    return float(f"{value:.{FIGURES}g}")


def _told(row: Result, searched: Space, distributions: dict[str, BaseDistribution], worst: float) -> FrozenTrial:
    """A trial as Optuna knows it; a failure, which it would skip, counts as the worst that was seen."""
    from optuna.trial import create_trial

    values = within(row.config["model"], row.config["learning"], searched)
    named = {key: json.dumps(value) if isinstance(searched[key], list) else value for key, value in values.items()}
    value = float(row.metrics["validation"]) if row.status == "ok" else worst
    return create_trial(params=named, distributions=distributions, value=value)


class Runner:
    """Runs trials one by one into a folder, or recalls those that it holds."""

    def __init__(self, folder: Path, place: Place, progress: Progress, workers: Workers) -> None:
        self.folder, self.place, self.progress, self.workers = folder, place, progress, workers
        self.contest = Contest(folder, place, progress, workers)

    def run(self, trial: Trial) -> Result:
        """The row of a trial."""
        made_of = self.workers.vouched(trial, self.place)
        row = self._stored(made_of)
        if row is None:
            begun = self.progress.number
            self.contest.run([(trial, made_of)], begun)
            row = self._stored(made_of)
            assert row is not None
        else:
            self.progress.number += 1
        return row

    def _stored(self, made_of: Mapping[str, str]) -> Result | None:
        if not (self.folder / record.RESULTS).exists():
            return None
        name = identity.name(dict(made_of))
        return next((row for row in record.read(self.folder) if row.id == name), None)


def told(rows: Sequence[Result]) -> str:
    """What a search came to, in a line."""
    [study] = studies(rows)
    best, given_up = study.best, f"{study.pruned} given up, {sum(row.status != 'ok' for row in rows)} failed"
    label = f"{study.model} on {study.task}: {len(rows)} trials, {given_up}"
    if best is None:
        return label
    first, score = rows[0].metrics.get("validation"), best.metrics["validation"]
    before = "nothing" if first is None else f"{first:.1f}"
    values = said_of(values_of(best))
    return f"{label}; on validation {before} with the suite's settings, {score:.1f} with {values}"


@dataclasses.dataclass(frozen=True)
class Study:
    """The trials of one model on one task, by their numbers, and the best of those that were not given up."""

    model: str
    task: str
    rows: tuple[Result, ...]

    @property
    def best(self) -> Result | None:
        """Of those that came to their end, the one that did best on validation; None where none did."""
        whole = [row for row in self.rows if row.status == "ok" and not row.metrics.get("pruned")]
        return max(whole, key=lambda row: row.metrics["validation"], default=None)

    @property
    def pruned(self) -> int:
        """How many were given up."""
        return sum(bool(row.metrics.get("pruned")) for row in self.rows)


def studies(rows: Iterable[Result]) -> list[Study]:
    """The searches among stored rows, the newest row of each number; what was searched alone may differ within one."""
    found: dict[tuple[str, str, str], dict[int, Result]] = {}
    for row in rows:
        number = placed(row).get("number") if row.probe == "tune" else None
        if number is not None:  # a trial that died before it had a place is none of a search
            found.setdefault((row.task, row.model, unsearched(row)), {})[number] = row
    return [
        Study(model, task, tuple(numbered[number] for number in sorted(numbered)))
        for (task, model, _), numbered in found.items()
    ]


def placed(row: Result) -> dict[str, Any]:
    """Which place a trial has in its search: its number, space, bars; source: the suite whose search gave it."""
    told: dict[str, Any] = json.loads(row.made_of.get("probe_settings", "{}"))
    return told


def space_of(row: Result) -> Space:
    """What the search of a trial went through."""
    return json.loads(placed(row).get("space") or "{}") or space(row.model, rule_of(row.made_of))


def unsearched(row: Result) -> str:
    """All that a trial is made of, its place in a search and what is searched aside."""
    return json.dumps(fixed(row.made_of, space_of(row)), sort_keys=True)


def fixed(made_of: Mapping[str, str], searched: Space) -> dict[str, Any]:
    """What a trial is made of without what a search changes."""
    kept: dict[str, Any] = {name: value for name, value in made_of.items() if name not in ("probe", "probe_settings")}
    for part, name in (("model", "model_settings"), ("learning", "learning")):
        settings = json.loads(made_of.get(name, "{}"))
        kept[name] = {key: value for key, value in settings.items() if f"{part}.{key}" not in searched}
    return kept


def said_of(values: Values) -> str:
    """ "rate 0.002, width 64"."""
    return ", ".join(f"{key.partition('.')[2]} {value}" for key, value in values.items()) or "its own settings"
