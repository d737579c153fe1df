"""Whether gradients of a vanilla RNN die sooner than an LSTM's, and a path through attention keeps them."""

from __future__ import annotations

from reports.claims import RECURRENCE, Claim, Part
from reports.claims._evidence import Pick, metric, over

STAGES = {"decay_start": "at the start", "decay": "after training"}
LEAST = 0.05  # of the logarithm of the norm, a step: half of the gradient in 14 steps


def _decays(model: str, less_so: str, variant: str = "gradients", beside: str = "") -> list[Part]:
    first, second = (Pick(m, variant, "synthetic.recall", "gradients") for m in (model, less_so))
    names = {"rnn": "RNN", "lstm": "LSTM", "bahdanau": "Bahdanau's", "transformer": "the transformer's"}
    between = f"{names[model]} less {names[less_so]}"
    return [
        Part(f"decay a step {when}{beside}, {between}", LEAST, over(first, second, metric(name)), beside=bool(beside))
        for name, when in STAGES.items()
    ]


CLAIM = Claim(
    chapter=RECURRENCE,
    statement="Gradients of a vanilla RNN vanish over long sequences; gates slow that, and attention has a short path.",
    measured="By how much the logarithm of the gradient's norm at a source element falls with each step from the "
    "loss: RNN and LSTM (forget bias 1) from the same orthogonal start on the same inputs, and attention "
    "beside them.",
    rule=f"The RNN's decay lies more than {LEAST} a step above the LSTM's, Bahdanau's and the transformer's, "
    "before training and after it. Other starts are shown, whichever way they fall.",
    parts=(
        *_decays("rnn", "lstm"),
        *_decays("rnn", "bahdanau"),
        *_decays("rnn", "transformer"),
        *_decays("rnn", "lstm", "gradients, uniform start", ", uniform start"),
        *_decays("rnn", "lstm", "gradients, half gain", ", half gain"),
    ),
    command="seqbench run long --variant 'gradients*'",
)
