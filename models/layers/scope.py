"""Names the parts of a training step for a profiler; costs nothing unless one listens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch.profiler import record_function

PARTS = ("attention", "recurrence", "feedforward", "head", "optimiser")
MARK = "part: "  # tells our names from those of operators

_SILENT = nullcontext()
_listening = False


def part(name: str) -> AbstractContextManager[object]:
    """What is computed within belongs to `name`, or to a part inside it."""
    return record_function(MARK + name) if _listening else _SILENT


@contextmanager
def profiled() -> Iterator[None]:
    """Within, parts are recorded."""
    global _listening
    before, _listening = _listening, True
    try:
        yield
    finally:
        _listening = before
