"""BLEU and chrF of resampled items: n-grams are counted once an answer, and sums of counts scored by sacrebleu."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from bench.statistics import Floats
from reports.rows.artifacts import Answer

NGRAMS = 4
KNOWN = {"nrefs": {"1"}, "case": {"mixed", "lc"}, "tok": {"13a", "intl", "char", "none"}, "smooth": {"exp"}}
KNOWN_CHRF = {"nrefs": {"1"}, "case": {"mixed", "lc"}, "eff": {"yes"}, "nc": {"6"}, "nw": {"0"}, "space": {"no"}}


class Corpus(NamedTuple):
    """How a corpus score is made: counts of each answer, by the score's signature, and the score of their sums."""

    counts: Callable[[Sequence[Answer], str], Floats | None]
    score: Callable[[Floats, int], float]


def counts(answers: Sequence[Answer], signature: str) -> Floats | None:
    """N-grams right and in all, and both lengths, (N, 10); None where the signature asks for what is not known here."""
    told = _told(signature, KNOWN)
    if told is None:
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


def characters(answers: Sequence[Answer], signature: str) -> Floats | None:
    """N-grams of characters in the answer, in the reference and in both, (N, 18); None as in `counts`."""
    told = _told(signature, KNOWN_CHRF)
    if told is None:
        return None
    chrf = CHRF(lowercase=told["case"] == "lc")
    # sacrebleu offers these counts to its own tests of significance alone
    found = chrf._extract_corpus_statistics([a.answer for a in answers], [[a.reference for a in answers]])
    return np.array(found, dtype=np.float64)


def chrf(sums: Floats, n: int) -> float:
    """Corpus chrF from the sums of `characters` over `n` items."""
    return float(_CHRF._compute_f_score(sums.tolist()))


def _told(signature: str, known: dict[str, set[str]]) -> dict[str, str] | None:
    told = dict(part.split(":", 1) for part in signature.split("|") if ":" in part)
    return None if any(told.get(key) not in values for key, values in known.items()) else told


_CHRF = CHRF()
OF = {"bleu": Corpus(counts, corpus), "chrf": Corpus(characters, chrf)}
