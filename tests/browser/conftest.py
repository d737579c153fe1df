"""Reports in a real browser, from a file with the network off; skipped where playwright or a Chromium is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_report import build

from bench.record import Result, append
from reports.page import html
from reports.parts import Cell, Page, Section, Table

PUBLISHED = Path(__file__).parents[2] / "reports" / "published"
RUNS = ("rich", "quick-two-cores", "speed-two-cores", "long-two-cores")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
Open = Callable[..., Any]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The Chromium that the machine has; none is downloaded."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install -e '.[browser]'")
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no Chromium found; expected one of {', '.join(NAMES)} on the path")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Open]:
    """Opens a page from its file; whoever does so sees afterwards that it fetched nothing and complained of nothing."""
    contexts: list[Any] = []
    requests: list[str] = []
    complaints: list[str] = []

    def opener(path: Path, fragment: str = "", **told: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"} | told)
        contexts.append(context)
        context.set_offline(True)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.goto(path.as_uri() + (f"#{fragment}" if fragment else ""))
        return page

    yield opener
    for context in contexts:
        context.close()
    assert not complaints
    assert not [url for url in requests if not url.startswith(("file:///", "data:", "blob:"))]
    assert all("/index.html" in url for url in requests if url.startswith("file:"))


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A made-up rich run of three seeds, and the real ones that are published."""
    folder = tmp_path_factory.mktemp("reports")
    rich = build(folder / "rich" / "run", 3)
    append(rich, Result("floor", "worst", "sentiment", 0, "ok", {"accuracy": 1.0}, "accuracy"))
    made = {"rich": html.write([rich], folder / "rich" / "page")}
    return made | {name: html.write([PUBLISHED / name], folder / name) for name in RUNS[1:]}


# In the order of the page; the numbers in the order from the smallest to the largest are beside them
VALUES = (
    ("1.23 M", 9), ("31 min", 6), ("–", None), ("< 0.01", 1), ("−3.5", 0), ("2.0 h", 7), ("12,345", 8), ("0.01", 2),
    ("never", 10), ("12.5–30.0", 4), ("2 of 5", 3), ("at least 400", 5),
)  # fmt: skip
ODD = ('=1+1 "x"; y,z', "a|b_c*d", r"50 % & \{x}~^#$", "<b>bold</b>")


@pytest.fixture(scope="session")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with one table of all sorts of numbers and one of odd texts."""
    rows = tuple((Cell(f"m{n}", note="noted" * (n == 1)), Cell(text)) for n, (text, _) in enumerate(VALUES))
    floors = ((Cell("floor b"), Cell("50")), (Cell("floor a"), Cell("60")))
    sizes = tuple((Cell(f"s{n}"), Cell(text)) for n, text in enumerate(("1.5 MiB", "812 KiB", "900 B", "not measured")))
    tables = (
        Table("numbers", ("model", "value"), (*rows, *floors), quiet=2, numbers=(False, True)),
        Table("odd texts", ("", "said", "said"), tuple((Cell(t), Cell(t), Cell("1")) for t in ODD)),
        Table("sizes", ("model", "memory"), sizes, numbers=(False, True)),
    )
    page = Page("Title", "", (), (), (), None, (("part", "Part", "", (Section("Own", tables=tables),)),), "", "")
    path = tmp_path_factory.mktemp("handmade") / "index.html"
    path.write_bytes(html._files(page)["index.html"])
    return path
