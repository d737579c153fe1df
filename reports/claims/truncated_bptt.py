"""Whether cutting gradients off after some steps is cheaper, and costs memory span."""

from __future__ import annotations

from reports.claims import DATA, Claim, Part
from reports.claims._evidence import Pick, at, logged, over, raised, times
from reports.rows.stored import Row
from reports.sections import span

LENGTH, KEPT = 1024, 16  # elements read, and elements that gradients pass
SETTINGS = ("model.truncate",)


def _cost(value: str, said: str) -> Part:
    full, cut = (Pick("lstm", f"truncated bptt: {how}", "tokens", "scaling") for how in ("full", str(KEPT)))
    measure = times(full, cut, at("length", LENGTH, value), SETTINGS)
    return Part(f"{said} at {LENGTH:,} elements, full over {KEPT}", 1.1, measure, "times", none=1.0)


def _log(row: Row) -> float | None:
    """The logarithm of the span; none where a cut one reached the longest length, and may reach farther."""
    reached = span.reach(row)
    beyond = reached.beyond and row.result.config.get("model", {}).get("truncate")
    return None if beyond else logged(reached.span or reached.shortest)


FULL, CUT = (Pick("lstm", f"truncated bptt: span, {how}", "synthetic.recall", "span") for how in ("full", str(KEPT)))
SPANS = over(FULL, CUT, _log, SETTINGS)

CLAIM = Claim(
    chapter=DATA,
    statement="Recurrent networks are trained by truncated back-propagation because the whole of it costs too much.",
    measured=f"An LSTM whose gradients pass the last {KEPT} elements, beside the same with all: time and memory of "
    f"reading {LENGTH:,} elements forward and backward, and the span of recall.",
    rule="The whole costs 1.1 times the time and the memory or more, and reaches twice the span.",
    parts=(
        _cost("step_seconds", "time"),
        _cost("step_bytes", "memory"),
        Part(f"span of recall, full over {KEPT}", 2.0, lambda e: raised(SPANS(e)), "times", none=1.0),
    ),
)
