"""Nothing that a row or an artifact can hold becomes anything but text in a report."""

from __future__ import annotations

import base64
import csv
import functools
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from markupsafe import Markup
from matplotlib.figure import Figure
from test_report import inert, parts, picture, seen, text, trial

from bench.record import Result, append, store
from reports import figures, words
from reports.figures import attention as attention_figures
from reports.figures.svg import Drawn, drawn
from reports.page import html
from reports.rows.artifacts import Attention

HARMLESS = "plain"
HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<SCRIPT SRC=//example.invalid/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "</style><script>alert(1)</script>",
    "</title></head><body onload=alert(1)>",
    "</pre></details></table></div></main>",
    "--><img src=x onerror=alert(1)><!--",
    "<!--",
    "]]><svg/onload=alert(1)>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '" onfocus=alert(1) autofocus x="',
    "` onclick=`alert(1)",
    "<svg><animate onbegin=alert(1) attributeName=x>",
    "<math><a xlink:href='javascript:alert(1)'>x</a></math>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "javascript:alert(1)//",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    "x:expression(alert(1)); background:url(//example.invalid/x)",
    "<meta http-equiv=refresh content='0;url=//example.invalid'>",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1-1",
    "@SUM(1)",
    "\t=1+1",
    "a;=1+1",
    "a | b || --- | \\| c",
    "[x](javascript:alert(1)) ![y](//example.invalid/y.png) [z]: //example.invalid",
    "# head\n- item\n> said\n```\ncode\n",
    "\u202etxt.exe\u2066\u2069\u200f\u061c",
    "half \ud800 of \udfff a pair",
    "nul \x00 bell \x07 escape \x1b[31m",
    "line\u2028paragraph\u2029next\x85end\x0b\x0c",
    "{{ 7 * 7 }}{% for x in y %}{# #}${7*7}#{7*7}<%= 7 %>",
    "w" * 1200,
    "&lt;script&gt; &#60;b&#62; &amp;amp; %3Cscript%3E \\u003cscript\\u003e $\\frac{1}{2}$ $",
]


class Shape(HTMLParser):
    """A page without its words: each element with the names of its attributes, in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, ...]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, *sorted(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.found.append((f"/{tag}",))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment",))

    def handle_pi(self, data: str) -> None:
        self.found.append(("instruction",))


def build(run: Path, said: str) -> Path:
    """A run in which every text is `said`."""
    row = Result("quality", "lstm", "captioning", 0, "ok", {"exact": 50.0}, "exact")
    append(run, row)
    scores = {"exact": 0.0, said: 1.0}
    items = [
        {"item": n, "source": said, "picture": shown, "reference": said, "answer": said, "scores": scores}
        for n, shown in enumerate((said, f"data:image/png;base64,{said}", picture(0), None))
    ]
    looked = {"item": 0, "source_tokens": [said, said], "answer_tokens": [said], "weights": [[0.3, 0.7]], "grid": None}
    artifacts = {
        "answers": store(run, "h", "answers.json", json.dumps({"items": items}).encode()),
        "attention": store(run, "h", "attention.json", json.dumps([looked | {"picture": said}]).encode()),
        said: {"path": said, said: said},
    }
    texts: dict[str, Any] = dict.fromkeys(("model", "task", "main", "suite", "command", "time", "id", "reason"), said)
    texts |= {"output": said, "made_of": {"data": said, said: said}, "signatures": {said: said, "bleu": said}}
    texts |= {
        "environment": {said: said, "processor": said, "device": said, "threads": said, "libraries": {said: said}}
    }
    texts |= {
        "config": {said: said, "model": {said: said}, "learning": {said: [said]}, "task": {said: said}, "data": said}
    }
    texts |= {"budget": {said: said, "used": {said: said}}, "curve": [{"updates": 1.0, "seconds": 1.0, said: 2.0}]}
    metrics = {
        said: 3.0,
        "kind_" + said: 1.0,
        "kind_" * 1500 + said: 1.0,
        said + "_held_out": 1.0,
        "train_seconds": 3.0,
    }
    changes = {"status": "ok", "metrics": metrics, "artifacts": artifacts}
    append(run, Result(**{**row.__dict__, **texts, **changes}))
    append(run, Result(**{**row.__dict__, **texts, **changes, "id": "2", "config": {"model": {said: said + "2"}}}))
    for n, status in enumerate(("failed", "diverged", said)):
        append(
            run, Result(**{**row.__dict__, **texts, "metrics": {}, "artifacts": {}, "status": status, "id": f"f{n}"})
        )
    append(run, Result("floor", said, said, 0, "ok", {said: 9.0}, said, config=texts["config"]))
    append(run, Result("floor", said, said, 0, "failed", {}, reason=said, output=said, command=said + "!"))
    append(run, Result("quality", said, said, 9, "ok", {}, said, id="no metric", artifacts={"answers": {"path": said}}))
    return run


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without figures, which take nearly all of the time; they have a test of their own."""
    for draw in ("quality", "learning", "cost", "glance"):
        monkeypatch.setattr(figures, draw, lambda *_: Figure())
    for draw in ("heat", "gaze", "heads"):
        monkeypatch.setattr(attention_figures, draw, lambda *_: Figure())
    monkeypatch.setattr(html, "drawn", lambda *_: Drawn(Markup("<svg></svg>"), "<svg></svg>"))


@functools.cache
def shape(folder: Path) -> list[tuple[str, ...]]:
    """What a page is made of where every text is harmless."""
    page = html.write([build(folder / "run", HARMLESS)], folder / "page")
    return Shape(page.read_text("utf-8")).found


@pytest.mark.parametrize("said", HOSTILE, ids=range(len(HOSTILE)))
def test_a_page_is_made_of_the_same_elements_whatever_its_rows_say(undrawn, tmp_path, tmp_path_factory, said):
    folder = html.write([build(tmp_path / "run", said)], tmp_path / "page").parent
    page = (folder / "index.html").read_text("utf-8")
    assert Shape(page).found == shape(tmp_path_factory.getbasetemp() / "harmless")
    inert(folder)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)
    inert_markdown((folder / "report.md").read_text("utf-8"))
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if re.match(r"\s*[=+\-@]", cell) or re.search(r";\s*[=+\-@]", cell)]
    assert all(p.resolve().is_relative_to(folder.resolve()) for p in folder.rglob("*"))
    assert all(re.fullmatch(r"[a-z0-9-]+\.(svg|png)", p.name) for p in (folder / "figures").iterdir())


OURS = (
    "\n<details>\n<summary>The numbers</summary>\n", "\n</details>\n",
    "\nThe same as a page: [index.html](index.html). Every trial: [results.csv](results.csv), "
    "[results.parquet](results.parquet).\n",
)  # fmt: skip


def inert_markdown(page: str) -> None:
    """No element, no link and no code but our own, the same everywhere; tables keep their columns."""
    for own in OURS:
        page = page.replace(own, "\n")
    assert not Shape(page).found
    assert all(re.match(r"figures/[a-z0-9-]+\.(svg|png)\)", t) for t in re.split(r"(?<!\\)\]\(", page)[1:])
    assert not re.search(r"(?<!\\)`", page)
    lines = page.splitlines()
    widths = [len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines]
    for before, after, line in zip(widths, widths[1:], lines[1:], strict=False):
        assert not (before and after) or before == after, line
    assert all(re.match(r"(\||#{1,3} |- |!\[|\*|\w|$)", line) for line in lines)


@pytest.mark.parametrize("start", range(0, len(HOSTILE), 10))
def test_figures_hold_nothing_but_shapes_and_text_whatever_they_are_called(start):
    harmless, hostile = svgs([f"{HARMLESS} {n}" for n in range(10)]), svgs(HOSTILE[start : start + 10])
    assert hostile <= harmless
    assert not [name for name in hostile if name.lower().startswith("on") or name == "src"]
    assert not hostile & {"script", "a", "foreignObject", "animate", "set"}


def svgs(names: list[str]) -> set[str]:
    """The names of elements and of their attributes in every sort of figure."""
    shown = [words.clean(name)[:60] for name in names]
    rows = [
        {"kind": kind, "model": name, "name": name, "metric": names[0], "value": 1.0 + n, "low": 1.0, "high": 99.0}
        for n, name in enumerate(shown)
        for kind in ("model", "floor")
    ]
    table = pd.DataFrame({**row, "train_seconds": 1.0 + n} for n, row in enumerate(rows))
    points = pd.DataFrame(
        {"model": name, "name": name, "seed": 0, "updates": at, "value": at} for name in shown[:8] for at in (1.0, 2.0)
    )
    weights = tuple((1.0,) * len(names) for _ in names)
    text = Attention(0, tuple(names), tuple(names), weights, None, None)
    grid = Attention(0, (), tuple(names), weights, (2, len(names) // 2), None)
    made = [figures.quality(table), figures.cost(table), figures.learning(points, "updates", names[0])]
    made += [attention_figures.heat(text, names[0]), attention_figures.gaze(grid, names[0])]
    found: set[str] = set()
    for n, figure in enumerate(made):
        both = drawn(figure, f"figure-{n}", " ".join(shown))
        for written in (both.inline, both.file):
            for element in ElementTree.fromstring(written).iter():
                found |= {element.tag.rpartition("}")[2], *element.attrib}
    return found


def test_a_page_allows_its_own_sheet_and_script_and_no_address(tmp_path):
    trial(tmp_path / "run", "lstm", "sentiment")
    folder = html.write([tmp_path / "run"], tmp_path / "page").parent
    page = (folder / "index.html").read_text("utf-8")
    (policy,) = [value for name, value in seen(folder).attributes if name == "content" and "default-src" in value]
    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    style, script = (base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in parts(folder))
    assert allowed == {
        "default-src": "'none'", "script-src": f"'sha256-{script}'", "style-src": f"'sha256-{style}'",
        "img-src": "data:", "base-uri": "'none'", "form-action": "'none'",
    }  # fmt: skip
    assert page.index("Content-Security-Policy") < page.index("<style") < page.index("<body") < page.index("<script")
    assert not {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("} & {*re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(", parts(folder)[1]
    )}  # fmt: skip


def test_a_run_with_a_hostile_name_is_named_as_text(undrawn, tmp_path):
    run = tmp_path / "<script>alert(1)<"
    trial(run, "lstm", "sentiment")
    with (run / "results.jsonl").open("a") as file:
        file.write("torn\n")
    folder = html.write([run], tmp_path / "page").parent
    inert(folder)
    assert "1 line of <script>alert(1)< could not be read" in text(folder)
    inert_markdown((folder / "report.md").read_text("utf-8"))
