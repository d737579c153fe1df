"""Whether the time of a training step grows with length on an idle device, for recurrence and not for attention."""

from __future__ import annotations

import numpy as np

from reports.claims import RECURRENCE, Claim, Effect, Evidence, Lacking, Part
from reports.claims._evidence import Pick, less
from reports.rows.stored import Row
from reports.sections.seeded import seed_curve

LONGEST = 256  # elements, up to which a GPU of today waits for launches at batch 1


def _slope(row: Row) -> float | None:
    """The power of length with which a step's time grows at batch 1, by least squares on logarithms."""
    found = [(n, s) for n, s in seed_curve(row, "length", "step_seconds").items() if 0 < n <= LONGEST and s > 0]
    if len(found) < 3:
        return None
    logs = np.log(np.array(found))
    return float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])


def _than_transformer(model: str) -> Part:
    first, second = (Pick(m, "sequential training: steps", "tokens", "parallelism") for m in (model, "transformer"))

    def measure(evidence: Evidence) -> Effect:
        rows = [*evidence.seeds(first), *evidence.seeds(second)]
        if not all(str(row.result.environment.get("device", "")).startswith("cuda") for row in rows):
            raise Lacking("a CPU has no launches that it waits for: these rows are not of a GPU")
        return less(evidence.values(first, _slope), evidence.values(second, _slope), rows)

    return Part(f"{model.upper()}: its exponent less the transformer's", 0.3, measure)


CLAIM = Claim(
    chapter=RECURRENCE,
    statement="Recurrent networks take a sequence step by step, so that training time grows with length even on an "
    "idle device; a transformer takes all positions at once.",
    measured=f"Time of a training step at batch 1 against length, up to {LONGEST}, on a GPU: the power of length.",
    rule="The exponent of each recurrent model lies above the transformer's, by 0.3 or more.",
    parts=(_than_transformer("rnn"), _than_transformer("lstm")),
    command="seqbench run claims --variant 'sequential training: *' --device cuda",
)
