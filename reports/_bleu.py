"""BLEU of resampled items: n-grams are counted once a sentence, and sums of counts scored by sacrebleu's formula."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sacrebleu.metrics.bleu import BLEU

from bench.statistics import Floats
from reports.stored import Answer

NGRAMS = 4
KNOWN = {"nrefs": {"1"}, "case": {"mixed", "lc"}, "tok": {"13a", "intl", "char", "none"}, "smooth": {"exp"}}


def counts(answers: Sequence[Answer], signature: str) -> Floats | None:
    """N-grams right and in all, and both lengths, (N, 10); None where the signature asks for what is not known here."""
    told = dict(part.split(":", 1) for part in signature.split("|") if ":" in part)
    if any(told.get(key) not in known for key, known in KNOWN.items()):
        return None
    # effective order changes a sentence's score, not the counts; without it sacrebleu warns
    bleu = BLEU(tokenize=told["tok"], lowercase=told["case"] == "lc", effective_order=True)
    scores = (bleu.sentence_score(a.answer, [a.reference]) for a in answers)
    return np.array([[*s.counts, *s.totals, s.sys_len, s.ref_len] for s in scores], dtype=np.float64)


def corpus(sums: Floats, n: int) -> float:
    """Corpus BLEU from the sums of `counts` over `n` items."""
    right, total = sums[:NGRAMS].astype(int).tolist(), sums[NGRAMS : 2 * NGRAMS].astype(int).tolist()
    score = BLEU.compute_bleu(right, total, int(sums[-2]), int(sums[-1]), smooth_method="exp")
    return float(score.score)
