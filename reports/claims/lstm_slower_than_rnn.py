"""Whether an LSTM's training step takes longer than a vanilla RNN's."""

from __future__ import annotations

from reports.claims import RECURRENCE, Claim, Part
from reports.claims._evidence import Pick, times
from reports.rows.stored import Row
from reports.sections.seeded import seed_curve

LENGTH = 256  # elements, the longest timed


def _step(row: Row) -> float | None:
    return seed_curve(row, "length", "step_seconds").get(LENGTH)


def _ratio(equal: str) -> Part:
    lstm, rnn = (Pick(m, f"lstm slower than rnn: {equal}", "tokens", "scaling") for m in ("lstm", "rnn"))
    return Part(f"step time at {equal}, LSTM over RNN", 1.1, times(lstm, rnn, _step), "times", none=1.0)


CLAIM = Claim(
    chapter=RECURRENCE,
    statement="An LSTM is slower still than a vanilla RNN.",
    measured=f"Time of a training step on sequences of {LENGTH}, three processes each, at equal width and at equal "
    "size, by the kernels that torch has for the device (on a CPU it fuses the LSTM's steps, and not the RNN's).",
    rule="The LSTM takes more than 1.1 times as long, both ways.",
    parts=(_ratio("equal width"), _ratio("equal parameters")),
)
