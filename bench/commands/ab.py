"""`seqbench ab`: two revisions of a repository timed in turns, and whether one is faster.

Each revision is checked out in a worktree of its own. A process of either holds its models; round by round one computes
and then the other, in alternating order, so that a machine that grows slower slows both. Pairs of processes are what is
sampled: how memory happens to lie differs from process to process, and rounds of one pair do not show it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from scipy import stats

from bench.typed import UsageError, listed

HERE = "the files as they are"
BUSY = "inconclusive (machine busy)"
FEWEST = 2  # pairs that gave a ratio, below which nothing is said
EACH = 5.0  # seconds of turns of one model in one pair, at most


@dataclasses.dataclass(frozen=True)
class How:
    """What is timed and how often."""

    of: str = "step"
    pairs: int = 6
    level: float = 0.99
    threads: int = 1
    device: str = "cpu"


@dataclasses.dataclass(frozen=True)
class Compared:
    """One model under both revisions."""

    model: str
    answer: str  # "faster", "slower", "no difference" or BUSY: the second beside the first
    value: float  # how many times as long the second takes; 0 where nobody can tell
    low: float
    high: float
    level: float
    pairs: int
    revisions: tuple[str, str]

    def line(self) -> str:
        """For a person."""
        if self.answer == BUSY:
            return f"{self.model}: {BUSY}: others used the processors in all but {self.pairs} pairs"
        one, other = self.revisions
        interval = f"[{self.low:.3f}, {self.high:.3f}] ({self.level:.0%}, {self.pairs} pairs of processes)"
        return f"{self.model}: {self.answer}: {other} takes {self.value:.3f} times as long as {one} {interval}"

    def plain(self) -> dict[str, Any]:
        """For a program."""
        return dataclasses.asdict(self)


def told(ratios: Sequence[float], level: float) -> tuple[str, float, float, float]:
    """The answer for ratios of the second to the first, one a pair: with their geometric mean and its interval."""
    logs = [math.log(value) for value in ratios]
    middle, n = statistics.fmean(logs), len(logs)
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * statistics.stdev(logs) / math.sqrt(n)
    low, high = middle - half, middle + half
    answer = "slower" if low > 0 else "faster" if high < 0 else "no difference"
    return answer, math.exp(middle), math.exp(low), math.exp(high)


def compared(revisions: Sequence[str], models: str, how: How, say: Callable[[str], None]) -> list[Compared]:
    """Times every model under both revisions. Raises UsageError for what git or a model refuses."""
    if len(revisions) > 2:
        raise UsageError(f"{len(revisions)} revisions; expected one, held against {HERE}, or two")
    if how.of not in ("step", "write"):
        raise UsageError(f"--of {how.of}: expected step or write")
    root = Path(_git(Path.cwd(), "rev-parse", "--show-toplevel"))
    with worktrees(root, revisions) as folders:
        names = _models(models, folders)
        told_as = (revisions[0], revisions[1] if len(revisions) == 2 else HERE)
        say(f"{told_as[0]} and {told_as[1]}: {listed(names)}, {how.pairs} pairs of processes")
        found = _paired(names, folders, how, say)
    return [_compared(name, ratios, how, told_as) for name, ratios in found.items()]


def _compared(name: str, ratios: list[float], how: How, revisions: tuple[str, str]) -> Compared:
    if len(ratios) < FEWEST:
        return Compared(name, BUSY, 0.0, 0.0, 0.0, how.level, len(ratios), revisions)
    return Compared(name, *told(ratios, how.level), how.level, len(ratios), revisions)


def _paired(
    names: list[str], folders: tuple[Path, Path], how: How, say: Callable[[str], None]
) -> dict[str, list[float]]:
    """Ratios of the second to the first, one a pair without company, by model."""
    from bench.guard import turns
    from bench.guard.pace import Config

    shape = Config(of=how.of, threads=how.threads)  # type: ignore[arg-type]
    works = {name: shape.work(name, {}) | {"weighed": False} for name in names}
    found: dict[str, list[float]] = {name: [] for name in names}
    with turns.undisturbed():
        for number in range(how.pairs):
            order = folders if number % 2 == 0 else folders[::-1]  # who is built first
            held = {folder: turns.Process(works, how.device, how.threads, folder) for folder in order}
            with turns.processes(*held.values()):
                usual = {folder: process.ready()["calls"] for folder, process in held.items()}
                for name in names:
                    value = _ratio(name, held, usual, folders)
                    found[name] += [] if value is None else [value]
            say(f"pair {number + 1} of {how.pairs}")
    return found


def _ratio(
    name: str, held: dict[Path, Any], usual: dict[Path, dict[str, float]], folders: tuple[Path, Path]
) -> float | None:
    from bench.guard import turns

    sides = {"first": folders[0], "second": folders[1]}
    # as many calls on both sides, whichever looked faster while it was warmed up
    each = min(usual[folder][name] for folder in folders)
    found = turns.rounds(
        {side: turns.Turns(held[folder], name) for side, folder in sides.items()}, dict.fromkeys(sides, each), EACH
    )
    return turns.ratio(found, "second", "first")


def _models(asked: str, folders: tuple[Path, Path]) -> list[str]:
    """What was asked for, else the models of a checkout of seqbench that both sides have. Raises UsageError."""
    if asked:
        return [name.strip() for name in asked.split(",") if name.strip()]
    both = [{p.stem for p in (folder / "models").glob("*.py") if "\nMODEL = " in p.read_text()} for folder in folders]
    common = sorted(both[0] & both[1])
    if not common:
        raise UsageError("this repository holds no models/ of seqbench's; name yours with --models path/to/mine.py")
    return common


@contextlib.contextmanager
def worktrees(root: Path, revisions: Sequence[str]) -> Iterator[tuple[Path, Path]]:
    """A folder for each revision; without a second one, the repository itself as it is. Raises UsageError."""
    with tempfile.TemporaryDirectory(prefix="seqbench-ab-") as base:
        made: list[Path] = []
        try:
            for number, revision in enumerate(revisions):
                commit = _git(
                    root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", of=revision
                )
                folder = Path(base) / "ab"[number]
                _git(root, "worktree", "add", "--detach", "--quiet", str(folder), commit)
                made.append(folder)
            first, second = [*made, root][:2]
            yield first, second
        finally:
            for folder in made:
                with contextlib.suppress(UsageError):
                    _git(root, "worktree", "remove", "--force", str(folder))


def _git(folder: Path, *words: str, of: str = "") -> str:
    """What git says. Raises UsageError in its words."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)  # noqa: S603, S607
    except FileNotFoundError:
        raise UsageError("git is not installed; seqbench ab needs it") from None
    except subprocess.CalledProcessError as error:
        said = " ".join((error.stderr or "").split()) or "git does not know it"
        raise UsageError(
            f"{of or f'git {words[0]}'}: {said}; expected a commit, branch or tag of this repository"
        ) from None
    return done.stdout.strip()
