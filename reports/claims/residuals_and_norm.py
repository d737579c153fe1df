"""Whether residual connections and normalisation make deep stacks trainable."""

from __future__ import annotations

from reports.claims import TRANSFORMERS, Claim, Part
from reports.claims._evidence import Pick, above


def _pick(how: str) -> Pick:
    return Pick("transformer", f"residuals and norm: {how}", "translation")


def _without(how: str, setting: str) -> Part:
    return Part(f"12 layers: with both less {how}", 1.0, above(_pick("both"), _pick(how), (setting,)), "BLEU")


CLAIM = Claim(
    chapter=TRANSFORMERS,
    statement="Residual connections and normalisation make deep stacks trainable.",
    measured="Translation by a transformer whose encoder has 12 layers, with both, without residual connections, and "
    "without normalisation (in its decoder of two neither). A run that diverged scores nothing.",
    rule="Leaving out either costs 1 BLEU.",
    parts=(
        _without("no residual connections", "model.residual"),
        _without("no normalisation", "model.normalisation"),
    ),
)
