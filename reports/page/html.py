"""The report as a page of its own and as Markdown: everything inside, nothing fetched, the same bytes every time."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pandas import DataFrame
from PIL import Image

from reports import ReportError, anchors, figures, frames, parts, words
from reports.figures.svg import Drawn, drawn
from reports.magnitude import carried
from reports.page.page import Page, page
from reports.parts import Drawing
from reports.rows.lean import passed_over
from reports.rows.stored import gather
from reports.told import Tell, counted, quiet

TEMPLATES = Path(__file__).parent / "templates"
LARGEST = 5_000_000  # bytes of a page that a browser and a mail take without complaint


def write(runs: Sequence[Path], out: Path, tell: Tell = quiet) -> Path:
    """Writes index.html, report.md, results.csv, results.parquet and figures/ into `out`; returns the page's path.

    `runs` are folders with results.jsonl, of one suite or of several. The page needs no other file. `tell` is told each
    step. Raises ReportError when there is nothing to report or `out` cannot be written, RecordError when a run cannot
    be read. A page above 5 MB is made again with less of each sort, in two steps; of more than 2,000 rows it starts
    with the least.
    """
    tell("reading results")
    stored = gather([Path(run) for run in runs])
    tell(f"comparing {words.plural(len(stored.rows), 'row')}")
    with passed_over():
        files = _files(page(stored), tell)
        for less in parts.less(len(stored.rows)):
            if len(files["index.html"]) <= LARGEST:
                break
            tell(f"the page has {words.memory(len(files['index.html']))}: making it again with less of each sort")
            files = _files(page(stored, less), tell)
        return _put(files, out, frames.trials(stored, frames.MOST), tell)


def written(found: Page, out: Path, rows: DataFrame, tell: Tell = quiet) -> Path:
    """Writes a page and its twins, and its rows as CSV and Parquet; returns the page's path. Raises ReportError."""
    return _put(_files(found, tell), out, rows, tell)


def _put(files: dict[str, bytes], out: Path, rows: DataFrame, tell: Tell) -> Path:
    tell("writing files")
    try:
        (out / "figures").mkdir(parents=True, exist_ok=True)
        with (out / "results.csv").open("w", encoding="utf-8", newline="") as file:
            file.writelines(frames.spreadsheet(rows))  # in pieces: of many trials it is the largest file by far
        (out / "results.parquet").write_bytes(frames.parquet(rows))
        for name, content in files.items():
            (out / name).write_bytes(content)
    except OSError as error:
        raise ReportError(f"{out} cannot be written: {error.strerror}; the results are untouched") from error
    return out / "index.html"


def _files(found: Page, tell: Tell = quiet) -> dict[str, bytes]:
    """Every file of a report but its rows, by name below the report's folder; the page itself comes last."""
    found = anchors.anchored(found)
    sections = [section for *_, sections in found.parts for section in sections]
    shown = [sample for section in sections for sample in section.samples if sample.picture]
    figured = {d.name: _drawn(d) for d in counted([*anchors.drawings(found)], "figure", tell)}
    pictures = {f"figures/{sample.file}.png": _png(sample.picture) for sample in shown}
    text = {f"figures/{name}.svg": figure.file for name, figure in figured.items()}
    text |= {"report.md": _markdown(found, figured), "index.html": _page(found, figured)}
    return {**pictures, **{name: content.encode() for name, content in text.items()}}


def _drawn(one: Drawing) -> Drawn:
    """A figure with the table under it."""
    behind = {name: _shown(told) for name, told in one.behind}
    made = drawn(one.figure, one.name, _shown(one.alt), one.caption, behind)
    numbers = one.data or made.numbers
    return made._replace(numbers=numbers and dataclasses.replace(numbers, anchor=f"numbers-{one.name}"))


def _png(uri: str | None) -> bytes:
    """The picture's pixels as a file; not the stored bytes, which may hold more than a picture."""
    buffer = io.BytesIO()
    pixels = figures.thumbnail(uri)
    if pixels is not None:
        Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _page(found: Page, figured: dict[str, Drawn]) -> str:
    environment = _environment(lambda value: _shown(value) if _plain(value) else value)
    environment.filters["svg"] = lambda drawing: figured[drawing.name].inline
    environment.filters["numbers"] = lambda drawing: figured[drawing.name].numbers
    environment.filters["data"] = lambda text: base64.b64encode(text.encode()).decode()
    environment.filters["carried"] = lambda cell: carried(cell.text, cell.value)
    environment.filters["hue"] = hue
    environment.filters["unbroken"] = unbroken
    style = (TEMPLATES / "style.css").read_text("utf-8") + _hues(found)
    script = (TEMPLATES / "script.js").read_text("utf-8")
    page = environment.get_template("index.html.j2")
    told = {"style": style, "script": script, "policy": policy(style, script)}
    ours = {name: Markup(text) for name, text in told.items()}  # noqa: S704 - from beside this file, and checksums
    return page.render(page=found, **ours)


def policy(style: str, script: str) -> str:
    """What a browser lets the page do: apply this sheet, run this script, show its own pictures, and nothing else."""
    return (
        f"default-src 'none'; script-src {_checksum(script)}; style-src {_checksum(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _checksum(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def unbroken(sentence: str) -> str:
    """A sentence in which no line ends between a number and its per cent."""
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", sentence)


def hue(colour: str) -> str:
    """The class of a colour: the page's policy allows no style beside its one sheet."""
    return "hue-" + re.sub(r"[^a-z0-9]+", "", colour.lower())


def _hues(found: Page) -> str:
    """A rule for each colour that a model's mark has on the page."""
    answers = (a[0] for *_, sections in found.parts for one in sections for s in one.samples for a in s.answers)
    cells = (cell for table in anchors.tables(found) for row in table.rows for cell in row)
    colours = sorted({cell.colour for cell in (*answers, *cells)} - {""})
    return "".join(f".{hue(colour)} {{ color: {colour}; }}\n" for colour in colours)


def _markdown(found: Page, figured: dict[str, Drawn]) -> str:
    environment = _environment(markdown)
    environment.filters["numbers"] = lambda drawing: figured[drawing.name].numbers
    text = environment.get_template("report.md.j2").render(page=found)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _environment(finalize: Any) -> Environment:
    """Escapes whatever is printed; `finalize` sees it first."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _shown(text: str) -> str:
    """A text as it may stand on a page, whole: what is stored was cut where it was read, and commands stay commands."""
    return words.clean(text, words.ENDLESS)


def _plain(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Markup)


def markdown(value: Any) -> Any:
    """A text as it may stand anywhere in a line of Markdown or in a cell: shown letter by letter, never as markup."""
    if not _plain(value):
        return value
    text = _shown(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Markup(re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", text))  # noqa: S704 - escaped in this line and the one above
