"""Whether an LSTM remembers for hundreds of steps and not for thousands, and longer than a vanilla RNN."""

from __future__ import annotations

import math

from reports.claims import RECURRENCE, Claim, Effect, Evidence, Lacking, Part
from reports.claims._evidence import Pick, less, logged, mean, raised
from reports.rows.stored import Row
from reports.sections import span

HUNDREDS, THOUSANDS = 100, 1000
LSTM, RNN = (Pick(model, "recall", "synthetic.recall", "span") for model in ("lstm", "rnn"))
FAR = Pick("lstm", "memory span: recall, far", "synthetic.recall", "span")


def _log(row: Row) -> float | None:
    """Of the span; of the shortest length tried where that was too long: no difference then seems larger than it is."""
    reached = span.reach(row)
    return logged(reached.span or reached.shortest)


def _remembers(evidence: Evidence) -> Effect:
    return raised(mean([n - math.log(HUNDREDS) for n in evidence.values(LSTM, _log)], evidence.seeds(LSTM)))


def _not_for_long(evidence: Evidence) -> Effect:
    rows = evidence.seeds(FAR)
    if any(span.reach(row).beyond for row in rows):
        raise Lacking(
            f"the LSTM still solved the longest length tried: how far it reaches beyond {THOUSANDS:,} is open"
        )
    return raised(mean([math.log(THOUSANDS) - n for n in evidence.values(FAR, _log)], rows))


def _longer(evidence: Evidence) -> Effect:
    rows = [*evidence.seeds(LSTM), *evidence.seeds(RNN)]
    return raised(less(evidence.values(LSTM, _log), evidence.values(RNN, _log), rows))


CLAIM = Claim(
    chapter=RECURRENCE,
    statement="An LSTM remembers for hundreds of steps, not for thousands; a vanilla RNN for fewer.",
    measured="The longest distance at which a symbol is still recalled by 90 % of the answers, within 1,000 updates "
    "a length and rate; a span that ends where the search ended counts as that length. The LSTM's forget bias (5) and "
    "the RNN's input gain (0.1) are those with which each came farthest.",
    rule=f"The LSTM's span lies above {HUNDREDS} and below {THOUSANDS:,} elements, and is twice the RNN's or more.",
    parts=(
        Part(f"LSTM: span over {HUNDREDS} elements", 1.0, _remembers, "times", none=1.0),
        Part(f"LSTM: {THOUSANDS:,} elements over its span", 1.0, _not_for_long, "times", none=1.0),
        Part("span, LSTM over RNN", 2.0, _longer, "times", none=1.0),
    ),
    command="seqbench run long --variant recall; seqbench run claims --variant 'memory span: *'",
)
