"""The pytest plugin: the fixture `seqbench`, its marker and options, what is said in the end, and the exit code.

Loading it imports neither torch nor anything of ours; that waits until a test asks for the fixture. It lies outside
`bench` for the same reason: what is imported before the tests start escapes the check of shapes.
`python -m pytest -p seqbench` loads it from a checkout too, where nothing is installed.
Beside pytest's own exit codes: 13 where nothing failed, but a check of speed could not tell.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bench.guard.fixture import Guard
    from bench.guard.kept import Kept

INCONCLUSIVE = 13  # pytest has 0 to 5 for itself
MARK = "seqbench(**settings): settings of all gates of a test, such as seeds=5, tolerance=2.0 or processes=5"
GATHERED = pytest.StashKey["Kept"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options, each with its default."""
    group = parser.getgroup("seqbench", "regression checks of sequence models")
    group.addoption(
        "--seqbench-baseline", metavar="DIR", type=Path, help="folder of baselines; default: baselines beside the test"
    )
    group.addoption(
        "--seqbench-update", action="store_true", help="measure baselines anew, show how they differ, and write them"
    )
    group.addoption(
        "--seqbench-device", metavar="DEVICE", default="cpu", help="auto, cpu, cuda or cuda:N; default: cpu"
    )
    group.addoption(
        "--seqbench-results", metavar="DIR", type=Path, help="keep rows of trained models here, as seqbench run does"
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker, and who gathers what is found."""
    config.addinivalue_line("markers", MARK)
    config.pluginmanager.register(Session(config), "seqbench-session")


@pytest.fixture
def seqbench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Guard:
    """Gates of a model: quality, losses, speed and contract."""
    from bench.guard.fixture import Guard

    results = request.config.getoption("seqbench_results")
    return Guard(request, _kept(request.config), Path(results or tmp_path_factory.mktemp("seqbench")))


def _kept(config: pytest.Config) -> Kept:
    from bench.guard.kept import Kept

    if GATHERED not in config.stash:
        config.stash[GATHERED] = Kept(bool(config.getoption("seqbench_update")))
    return config.stash[GATHERED]


class Session:
    """What one run of pytest comes to."""

    def __init__(self, config: pytest.Config) -> None:
        self.config, self.found = config, list[Any]()
        self.session: pytest.Session | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gathers verdicts, those of other processes too."""
        if report.when == "call" and any(name == "seqbench_answer" for name, _ in report.user_properties):
            from bench.guard.kept import verdicts

            file, line, _ = report.location
            self.found += [(file, (line or 0) + 1, one) for one in verdicts(report.user_properties)]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Takes over what a worker of xdist measured anew."""
        new = getattr(node, "workeroutput", {}).get("seqbench")
        if new:
            _kept(self.config).take(new)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hands over what is to be written, or says by the exit code that something could not be told."""
        self.session = session
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput["seqbench"] = _kept(self.config).new if GATHERED in self.config.stash else {}
        elif session.exitstatus == 0 and any(one.answer == "inconclusive" for _, _, one in self.found):
            session.exitstatus = INCONCLUSIVE

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Says what was found, tells the CI, and writes new baselines after showing how they differ."""
        new = GATHERED in self.config.stash and _kept(self.config).new
        if not self.found and not new:
            return
        from bench.guard import notices

        verdicts = [one for _, _, one in self.found]
        terminalreporter.section("seqbench")
        for one in verdicts:
            if one.answer != "ok":
                terminalreporter.write_line(one.line())
        if verdicts:
            terminalreporter.write_line(notices.counted(verdicts))
        for line in notices.notes(self.found):
            terminalreporter.write_line(line)
        notices.summary(verdicts)
        if new:
            self._write(terminalreporter)

    def _write(self, terminalreporter: Any) -> None:
        from bench.disk import RecordError

        try:
            for line in _kept(self.config).written():
                terminalreporter.write_line(line)
        except RecordError as error:
            terminalreporter.write_line(f"seqbench: {error}", red=True)
            if self.session is not None:
                self.session.exitstatus = pytest.ExitCode.TESTS_FAILED
