"""What came out: tables, figures and pages made from stored results alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reports.frames import load
    from reports.page.html import write

__all__ = ["ReportError", "load", "write"]


class ReportError(Exception):
    """A report that cannot be made: one line that says why and what to do."""


def __getattr__(name: str) -> Any:
    """`load` and `write`, imported when asked for: pandas and matplotlib take seconds to import."""
    if name == "load":
        from reports.frames import load

        return load
    if name == "write":
        from reports.page.html import write

        return write
    raise AttributeError(f"module 'reports' has no attribute {name!r}")
