"""What a test asks through the fixture `seqbench`: measured now, held against the baseline, ended by the verdict."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.disk import RecordError
from bench.guard import entries, gates, pace, promises, speed, trained
from bench.guard.baseline import Baseline
from bench.guard.gates import Verdict
from bench.guard.kept import Kept
from bench.guard.pace import Pace
from bench.guard.trained import Subject
from tasks import BadInput, Settings, configured

FOLDER = "baselines"  # beside the test file, unless --seqbench-baseline names another
OURS = (trained.Quality, trained.Losses, pace.Config)
MORE = 5  # processes that a baseline of speed takes beyond those of a check: it is made once and held against often


class Guard:
    """The gates of one test."""

    def __init__(self, request: pytest.FixtureRequest, kept: Kept, run: Path) -> None:
        """`kept` gathers verdicts and new entries; rows of trained models go to the folder `run`."""
        self.request, self.kept, self.run = request, kept, run
        self.config, self.path = request.config, Path(request.node.path)

    def quality(
        self,
        model: str | Path,
        task: str | Path,
        *,
        settings: Mapping[str, Any] | None = None,
        learning: Mapping[str, Any] | None = None,
        task_settings: Mapping[str, Any] | None = None,
        data: str | Path | None = None,
        weights: str | Path | None = None,
        **how: Any,
    ) -> Verdict | None:
        """Trains the model with every seed, tests it, and fails where the score fell or a promise is broken.

        `model` and `task` are names, dotted modules or .py files (beside the test, or from where pytest runs).
        With `weights` (safetensors) nothing is trained: that model answers, and its very answers are compared.
        `how`: updates, batch, seeds, beam, tolerance (points), changed (percent of answers); see trained.Quality.
        Returns the verdict, None where a baseline was measured anew.
        """
        subject = self._subject(model, task, settings, learning, task_settings, data)
        with told_in_a_line():
            asked: trained.Quality = self._configured(trained.Quality, how)
            found = Path(self._file(weights)) if weights else None
            entry, broken = trained.quality(subject, asked, self._device(), self.run, found)
            if broken:
                pytest.fail(f"seqbench: {_label(model)} on {_label(task)}: {broken}", pytrace=False)
            judge = functools.partial(gates.quality, tolerance=asked.tolerance, changed=asked.changed)
            return self._held(f"quality of {_label(model)} on {_label(task)}", entry, judge)

    def losses(
        self,
        model: str | Path,
        task: str | Path,
        *,
        settings: Mapping[str, Any] | None = None,
        learning: Mapping[str, Any] | None = None,
        task_settings: Mapping[str, Any] | None = None,
        **how: Any,
    ) -> Verdict | None:
        """Holds the first losses of a deterministic training (CPU, one thread) against golden ones, step by step.

        `how`: steps, batch, seed; see trained.Losses. Quick, and a change of any number in it shows.
        """
        subject = self._subject(model, task, settings, learning, task_settings)
        with told_in_a_line():
            entry = trained.losses(subject, self._configured(trained.Losses, how))
            return self._held(f"losses of {_label(model)} on {_label(task)}", entry, gates.losses)

    def speed(self, model: str | Path, *, settings: Mapping[str, Any] | None = None, **how: Any) -> Verdict | None:
        """Times an update (or `of="write"`) on random tokens beside reference work, in processes of their own.

        Fails where it became slower, or needs more memory; skips where others kept the machine too busy to tell.
        `how`: of, batch, source, target, vocabulary, threads, processes, tolerance, memory, seconds; see pace.Config.
        Under --benchmark-disable nothing is timed.
        """
        if self.config.getoption("benchmark_disable", False) and not self.config.getoption("benchmark_enable", False):
            pytest.skip("timings are switched off (--benchmark-disable)")
        with told_in_a_line():
            asked: pace.Config = self._configured(pace.Config, how)
            own, device = dict(settings or {}), self._device()
            longer = dataclasses.replace(asked, seconds=asked.seconds * (2 if self.kept.updating else 1))
            paces = pace.measured(self._file(model), own, longer, device, Path(self.config.rootpath))
            about = self._about(model, asked, own, device)
            name = f"speed of {_label(model)}, {pace.OF[asked.of]}"
            if self.kept.updating:
                self._renewed(name, about, asked, paces)
                return None
            verdict, last = speed.judged(self._old()[self._named(name)], paces, about, asked)
        self._timed(last, verdict)
        return self._told(verdict)

    def contract(self, model: str | Path, *, settings: Mapping[str, Any] | None = None) -> None:
        """Fails where a new model reads padding or sees targets to come, on text, labels and vectors. No baseline."""
        import models

        with told_in_a_line():
            kind = models.load(self._file(model))
            config = configured(kind.Config, dict(settings or {}), f"model {_label(model)}")
            for name, spec in promises.SPECS.items():
                with trained.alike():
                    found = next(promises.broken(kind(spec, config), promises.drawn(spec)), "")
                if found:
                    pytest.fail(f"seqbench: {_label(model)} on {name}: {found}", pytrace=False)

    # What is measured is held against what is kept

    def _held(self, name: str, entry: dict[str, Any], judge: Callable[..., Verdict]) -> Verdict | None:
        entry = self._signed(entry)
        if self.kept.updating:
            self.kept.entry(self._store(), self._named(name), entry)
            return None
        return self._told(judge(self._old()[self._named(name)], entry))

    def _renewed(self, name: str, about: dict[str, Any], asked: pace.Config, paces: Any) -> None:
        """Measures a baseline of speed: as many processes as a check and five more, so that its noise is known."""
        last = Pace()
        for last in paces:
            if len(last.ratios) >= asked.processes + MORE:
                break
        if len(last.ratios) < 2:
            pytest.skip(f"{gates.BUSY}: no baseline of {name}; others used the machine in {last.busy} processes")
        self._old()  # a damaged file is refused, not written over
        self.kept.entry(self._store(), self._named(name), about | last.entry())

    def _told(self, verdict: Verdict) -> Verdict:
        """Notes the verdict, and ends the test by it."""
        for name, value in self.kept.properties(verdict):
            self.request.node.user_properties.append((name, value))
        if verdict.answer == "worse":
            pytest.fail(verdict.text(), pytrace=False)
        if verdict.answer == "inconclusive":
            pytest.skip(verdict.line())
        return verdict

    def _timed(self, last: Pace, verdict: Verdict) -> None:
        """Hands the timings to pytest-benchmark, whose clock here repeats what was measured."""
        if not last.seconds or not self.config.pluginmanager.hasplugin("benchmark"):
            return
        if self.config.getoption("dist", "no") != "no" or hasattr(self.config, "workerinput"):
            return  # pytest-benchmark switches itself off beside other processes
        clock = Replay(last.seconds)
        self.request.node.add_marker(pytest.mark.benchmark(timer=clock.read, group=self._group()))
        bench: Any = self.request.getfixturevalue("benchmark")
        bench.extra_info |= {"reference_seconds": last.entry()["reference_seconds"], "ratios": last.entry()["ratios"]}
        bench.extra_info |= {"answer": verdict.answer, "difference": verdict.difference}
        bench.pedantic(clock.call, rounds=len(last.seconds))

    def _group(self) -> str:
        marker = self.request.node.get_closest_marker("benchmark")
        return str(marker.kwargs.get("group", "seqbench")) if marker else "seqbench"

    # Names

    def _store(self) -> Path:
        folder = self.config.getoption("seqbench_baseline") or self.path.parent / FOLDER
        return Path(folder) / f"{self.path.stem}.json"

    def _old(self) -> Baseline:
        return self.kept.baseline(self._store())

    def _named(self, name: str) -> str:
        return f"{self.request.node.name}: {name}"

    def _signed(self, entry: dict[str, Any]) -> dict[str, Any]:
        """The entry with what names it: files without their folders, the commit of the tests, the repeating command."""
        commit = _revision(Path(self.config.rootpath))
        own = {"model": _label(entry["model"]), "task": _label(entry["task"]), "command": self._command()}
        entry["made"] = {k: v for k, v in entry["made"].items() if k != "commit"} | (
            {"commit": commit} if commit else {}
        )
        return entry | own

    def _about(self, model: str | Path, asked: pace.Config, settings: dict[str, Any], device: str) -> dict[str, Any]:
        from bench import machine
        from bench.trial import now

        with trained.alike(device) as place:
            environment = machine.environment(place) | {"threads": asked.threads}
        shape = f"random tokens ({asked.batch} x {asked.source} to {asked.target})"
        return self._signed(
            {
                "kind": "speed",
                "model": str(model),
                "task": shape,
                "metric": f"{pace.OF[asked.of]} over reference work",
                "asked": asked.asked(settings),
                "made": entries.made(environment, now()),
            }
        )

    def _command(self) -> str:
        words = ["python", "-m", "pytest", self.request.node.nodeid]
        folder, device = self.config.getoption("seqbench_baseline"), self._device()
        words += ["--seqbench-baseline", str(folder)] if folder else []
        return shlex.join([*words, *(["--seqbench-device", device] if device != "cpu" else [])])

    def _device(self) -> str:
        return str(self.config.getoption("seqbench_device"))

    def _subject(
        self,
        model: str | Path,
        task: str | Path,
        settings: Mapping[str, Any] | None,
        learning: Mapping[str, Any] | None,
        task_settings: Mapping[str, Any] | None,
        data: str | Path | None = None,
    ) -> Subject:
        own, taught, asked = (dict(one or {}) for one in (settings, learning, task_settings))
        return Subject(self._file(model), self._file(task), own, taught, asked, str(data) if data else None)

    def _file(self, name: str | Path) -> str:
        """A name as it is; a file as it lies beside the test, or as it is given."""
        beside = self.path.parent / str(name)
        return str(beside if beside.is_file() else name)

    def _configured(self, kind: type[Settings], how: dict[str, Any]) -> Any:
        """Settings of a gate: what the call says, else the nearest marker. Raises BadInput for an unknown one."""
        fields = {field.name for field in dataclasses.fields(kind)}
        every = {field.name for one in OURS for field in dataclasses.fields(one)}
        marked: dict[str, Any] = {}
        for marker in self.request.node.iter_markers("seqbench"):
            marked = marker.kwargs | marked
        if strange := sorted(marked.keys() - every):
            raise BadInput(
                f"mark seqbench({strange[0]}=...): no such setting; expected one of: {', '.join(sorted(every))}"
            )
        return configured(
            kind, {k: v for k, v in marked.items() if k in fields} | how, f"seqbench.{kind.__name__.lower()}"
        )


class Replay:
    """A clock that goes on by what was measured, call by call."""

    def __init__(self, seconds: list[float]) -> None:
        self.left, self.now = list(reversed(seconds)), 0.0

    def read(self) -> float:
        """Seconds since it began."""
        return self.now

    def call(self) -> None:
        """One measured call."""
        self.now += self.left.pop() if self.left else 0.0


@contextlib.contextmanager
def told_in_a_line() -> Iterator[None]:
    """What a person gave wrongly, or a baseline that is not there, fails the test in one line without a traceback."""
    try:
        yield
    except (BadInput, RecordError) as error:
        raise pytest.fail.Exception(f"seqbench: {error}", pytrace=False) from None


def _label(name: str | Path) -> str:
    text = str(name)
    return Path(text).name if text.endswith(".py") else text


@functools.cache
def _revision(folder: Path) -> str:
    """The commit of a folder, with "+" where files were changed since; empty where it is under no version control."""
    words = ["git", "-C", str(folder), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603 (our own words)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
