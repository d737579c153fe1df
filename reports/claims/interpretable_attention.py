"""Whether attention lies where the answer comes from, on a task that tells."""

from __future__ import annotations

from reports.claims import ATTENTION, Claim, Effect, Evidence, Lacking, Part
from reports.claims._evidence import Pick, mean, metric

HALF, LEARNT = 50.0, 90.0  # percent


def _mass(model: str, name: str) -> Part:
    pick = Pick(model, "interpretable attention: reverse", "synthetic.reverse", "alignment")

    def measure(evidence: Evidence) -> Effect:
        if min(evidence.values(pick, metric("accuracy"))) < LEARNT:
            raise Lacking(f"a seed of {pick} did not learn the task to {LEARNT:.0f} %: its attention says nothing")
        return mean([mass - HALF for mass in evidence.values(pick, metric("aligned"))], evidence.seeds(pick))

    return Part(f"{name}: share of attention on the true element, less half", 0.0, measure, "points")


CLAIM = Claim(
    chapter=ATTENTION,
    statement="Attention weights show which input each output looked at.",
    measured="Reversing a sequence, where every output has one input that it must come from: the share of attention "
    "on that input; of the transformer the mean over layers and heads.",
    rule="More than half of the attention lies on the true input, in both models with attention.",
    parts=(_mass("bahdanau", "Bahdanau"), _mass("transformer", "transformer")),
)
