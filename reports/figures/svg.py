"""Figures as SVG: the same bytes every time, fit to stand in a page beside others and to follow its colours."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from reports.figures import series
from reports.figures.series import Read
from reports.figures.style import GRID, INK, MUTED, PAPER, look
from reports.parts import Table

SVG = "http://www.w3.org/2000/svg"
LINK = "{http://www.w3.org/1999/xlink}href"
THEME = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--line)", PAPER: "var(--paper)"}
PAINTED = {"fill", "stroke"}
PLACED = {"d", "x", "y"}
LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")


class Drawn(NamedTuple):
    """One figure twice: for a page, in the page's colours and font; and as a file of its own, on white.

    `numbers` is what it draws as a table, None where that is nothing.
    """

    inline: Markup
    file: str
    numbers: Table | None = None


def drawn(figure: Figure, name: str, alt: str, caption: str = "", behind: Mapping[str, str] | None = None) -> Drawn:
    """The figure with `alt` as its title; each point is told in words, and what stands `behind` its series.

    `name` salts the identifiers: several figures share one page, and a clip path must not be another's.
    """
    found = series.read(figure)
    root = ElementTree.fromstring(_written(figure, name))  # noqa: S314 - what matplotlib just wrote
    _tagged(root)
    _titled(root, figure, found, behind or {})
    _lean(root, name)
    _attributed(root)
    _terse(root)
    root.set("role", "img")
    title, paper = ElementTree.Element(f"{{{SVG}}}title"), ElementTree.Element(f"{{{SVG}}}rect")
    title.text = alt
    paper.attrib.update(width="100%", height="100%", fill="white")
    root.insert(0, title)
    root.insert(1, paper)
    file = _serialised(root)
    root.remove(paper)
    _themed(root)
    inline = Markup(_serialised(root))  # noqa: S704 - every text in it went through the serialiser
    return Drawn(inline, file, series.table(found, f"{caption or alt}: the numbers"))


def _serialised(root: ElementTree.Element) -> str:
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", LINK[1:].split("}")[0])
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _written(figure: Figure, name: str) -> str:
    buffer = io.StringIO()
    with look(), mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", facecolor="none", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _tagged(root: ElementTree.Element) -> None:
    """Says of each group which series it draws, or which it stands for in the legend."""
    for element in root.iter():
        kind, _, place = element.get("id", "").partition("-")
        if kind in ("series", "key") and place.isdigit():
            del element.attrib["id"]
            if len(element):  # a line without points, made for the legend alone, draws nothing
                element.attrib.update({"class": kind, f"data-{kind}": place})


def _titled(root: ElementTree.Element, figure: Figure, found: Read, behind: Mapping[str, str]) -> None:
    """Puts what a point is into words, which a browser shows beside the pointer."""
    groups: dict[str, list[ElementTree.Element]] = {}
    for group in root.iter(f"{{{SVG}}}g"):
        if place := group.get("data-series"):
            groups.setdefault(f"series-{place}", []).append(group)
    uses = {gid: [use for group in own for use in group.iter(f"{{{SVG}}}use")] for gid, own in groups.items()}
    for one, strand, mark in series.marks(found):
        at = strand.artist.get_transform().transform((mark.x, mark.y))  # of its panel, shifted as it is drawn
        use = _nearest(uses.get(one.gid, []), float(at[0]), figure.bbox.height - float(at[1]))
        if use is not None and not len(use):
            said = series.told(found, one, strand, mark)
            alone = sum(len(other.marks) for other in one.strands) == 1  # then what stands behind it says its number
            more = behind.get(one.name, "")
            _say(use, more if more and alone else "; ".join(part for part in (said, more) if part))
    if found.grids and found.series:  # bars, one a row
        for n, one in enumerate(found.series, 1):
            for bar, row in zip(groups.get(one.gid, []), found.grids, strict=False):
                _say(bar, f"{row[0]}: {one.name} {row[n]}")


def _nearest(uses: Sequence[ElementTree.Element], x: float, y: float, most: float = 0.2) -> ElementTree.Element | None:
    """The first mark drawn at a place, in points; None where nothing is: it lies outside of the figure."""
    near = (u for u in uses if abs(float(u.get("x", 0)) - x) < most and abs(float(u.get("y", 0)) - y) < most)
    return next(near, None)


def _say(element: ElementTree.Element, text: str) -> None:
    title = ElementTree.Element(f"{{{SVG}}}title")
    title.text = text
    element.insert(0, title)


def _lean(root: ElementTree.Element, name: str) -> None:
    """Leaves out what a page does not need: metadata, a style sheet for all of it, identifiers nothing refers to."""
    for defs in root.findall(f"{{{SVG}}}defs"):
        for sheet in defs.findall(f"{{{SVG}}}style"):
            defs.remove(sheet)
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    for metadata in root.findall(f"{{{SVG}}}metadata"):
        root.remove(metadata)
    used = set(re.findall(r"url\(#([^)]+)\)", " ".join(v for e in root.iter() for v in e.attrib.values())))
    used |= {e.get(LINK, "")[1:] for e in root.iter() if e.get(LINK, "").startswith("#")}
    own_names = {own: f"{name}.{n}" for n, own in enumerate(sorted(used))}
    for element in root.iter():
        own = element.get("id")
        if own not in used:
            element.attrib.pop("id", None)
        for key, value in element.attrib.items():
            if key == "id":
                element.set(key, own_names[value])
            elif key == LINK:
                element.set(key, re.sub("^#(.+)$", lambda own: f"#{own_names[own[1]]}", value))
            elif "url(#" in value:
                element.set(key, re.sub(r"url\(#([^)]+)\)", lambda own: f"url(#{own_names[own[1]]})", value))


def _attributed(root: ElementTree.Element) -> None:
    """Styles as attributes, which a page may show whose policy allows no style but its own sheet."""
    for element in root.iter():
        for declared in filter(str.strip, element.attrib.pop("style", "").split(";")):
            name, _, value = declared.partition(":")
            element.set(name.strip(), value.strip())


def _terse(root: ElementTree.Element) -> None:
    """Hundredths of a point, no space between elements, and what all marks of a line share said once."""
    for element in root.iter():
        if not element.tag.endswith(("text", "tspan", "title")):
            element.text = element.text and element.text.strip()
        element.tail = None
        for name in PLACED & element.attrib.keys():
            element.set(name, LONG_NUMBER.sub(lambda n: f"{float(n[0]):.2f}", element.attrib[name]).strip())
        if element.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
        marks = [*element]
        if marks and all(mark.tag == f"{{{SVG}}}use" for mark in marks):
            _hoist(element, marks)


def _hoist(group: ElementTree.Element, marks: Sequence[ElementTree.Element]) -> None:
    """Moves to the group what is alike in all its marks: they inherit it."""
    for name, value in [*marks[0].attrib.items()]:
        alike = all(mark.get(name) == value for mark in marks) and name not in group.attrib
        if alike and name.startswith(("fill", "stroke")):
            group.set(name, value)
            for mark in marks:
                del mark.attrib[name]


def _themed(root: ElementTree.Element) -> None:
    for attribute in ("width", "height"):  # the page sets the size; viewBox keeps the shape
        root.attrib.pop(attribute, None)
    for element in root.iter():
        for name in PAINTED & element.attrib.keys():
            element.set(name, THEME.get(element.attrib[name], element.attrib[name]))
