"""Figures as SVG: the same bytes every time, fit to stand in a page beside others and to follow its colours."""

from __future__ import annotations

import io
import re
from typing import NamedTuple
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from reports.figures import GRID, INK, MUTED, PAPER, look

SVG = "http://www.w3.org/2000/svg"
LINK = "{http://www.w3.org/1999/xlink}href"
THEME = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--line)", PAPER: "var(--paper)"}


class Drawn(NamedTuple):
    """One figure twice: for a page, in the page's colours and font; and as a file of its own, on white."""

    inline: Markup
    file: str


def drawn(figure: Figure, name: str, alt: str) -> Drawn:
    """The figure with `alt` as its title.

    `name` salts the identifiers: several figures share one page, and a clip path must not be another's.
    """
    root = ElementTree.fromstring(_written(figure, name))  # noqa: S314 - what matplotlib just wrote
    _lean(root, name)
    root.set("role", "img")
    title, paper = ElementTree.Element(f"{{{SVG}}}title"), ElementTree.Element(f"{{{SVG}}}rect")
    title.text = alt
    paper.attrib.update(width="100%", height="100%", fill="white")
    root.insert(0, title)
    root.insert(1, paper)
    file = _serialised(root)
    root.remove(paper)
    _themed(root)
    return Drawn(Markup(_serialised(root)), file)  # noqa: S704 - every text in it went through the serialiser


def _serialised(root: ElementTree.Element) -> str:
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", LINK[1:].split("}")[0])
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _written(figure: Figure, name: str) -> str:
    buffer = io.StringIO()
    with look(), mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", facecolor="none", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


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
    for element in root.iter():
        own = element.get("id")
        if own is not None and own not in used:
            del element.attrib["id"]
        for key, value in element.attrib.items():
            if key in ("id", LINK):
                element.set(key, f"{name}-{value}" if key == "id" else re.sub("^#", f"#{name}-", value))
            else:
                element.set(key, value.replace("url(#", f"url(#{name}-"))


def _themed(root: ElementTree.Element) -> None:
    for attribute in ("width", "height"):  # the page sets the size; viewBox keeps the shape
        root.attrib.pop(attribute, None)
    for element in root.iter():
        style = element.get("style", "")
        for colour, variable in THEME.items():
            style = style.replace(colour, variable)
        if style:
            element.set("style", style)
