"""Scores of captions against one or more references: CIDEr-D of our own, BLEU-4 and chrF by sacrebleu.

CIDEr-D(h, r) = 10 * mean over n = 1..4 of exp(-d^2 / 2 sigma^2) * min(g(h), g(r)) . g(r) / (|g(h)| |g(r)|)
(Vedantam et al., 2015, section 6), g: TF-IDF weights of the n-grams, d: difference of the lengths.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from tasks._score import TextScores, text_scores

Gram = tuple[str, ...]
LONGEST = 4  # n-grams of one to four tokens
SIGMA = 6.0  # tokens; how gently a difference in length is punished
CIDER = (
    "CIDEr-D|n:1-4|sigma:6|scale:0-10|df:references of the split|tok:split at spaces"
    "|on our own tokens, not comparable with COCO-server numbers"
)


class Weights(NamedTuple):
    """A caption as TF-IDF weights of its n-grams."""

    grams: list[dict[Gram, float]]  # one table an n
    norms: list[float]
    length: int  # in bigrams, as the authors' code counts it


class CiderD:
    """CIDEr-D with document frequencies from the references of all items together."""

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        """`references`: the captions of each item, tokens separated by spaces. Raises ValueError when one has none."""
        if not references or not all(references):
            raise ValueError("CIDEr-D needs at least one item, and at least one reference for each")
        self.frequency: Counter[Gram] = Counter()
        counted = [[_counts(r) for r in captions] for captions in references]
        for captions in counted:
            self.frequency.update({gram for caption in captions for gram in caption})
        self.documents = math.log(len(references))
        self.references = [[self._weigh(caption) for caption in captions] for captions in counted]

    def scores(self, hypotheses: Sequence[str]) -> list[float]:
        """One value an item, 0 to 10; their mean is the corpus score. Raises ValueError on unequal numbers."""
        pairs = zip(hypotheses, self.references, strict=True)
        return [self._score(self._weigh(_counts(hypothesis)), references) for hypothesis, references in pairs]

    def _score(self, hypothesis: Weights, references: list[Weights]) -> float:
        return 10.0 * sum(_similarity(hypothesis, r) for r in references) / len(references)

    def _weigh(self, counts: Counter[Gram]) -> Weights:
        grams: list[dict[Gram, float]] = [{} for _ in range(LONGEST)]
        for gram, count in counts.items():
            rarity = self.documents - math.log(max(1, self.frequency[gram]))
            grams[len(gram) - 1][gram] = count * rarity
        norms = [math.sqrt(sum(w * w for w in table.values())) for table in grams]
        return Weights(grams, norms, sum(count for gram, count in counts.items() if len(gram) == 2))


def _counts(caption: str) -> Counter[Gram]:
    tokens = caption.split()
    return Counter(tuple(tokens[i : i + n]) for n in range(1, LONGEST + 1) for i in range(len(tokens) - n + 1))


def _similarity(hypothesis: Weights, reference: Weights) -> float:
    """Mean over n of the clipped cosine, times the penalty for the difference in length; 0 to 1."""
    total = 0.0
    for ours, theirs, norm, other in zip(
        hypothesis.grams, reference.grams, hypothesis.norms, reference.norms, strict=True
    ):
        if norm and other:
            shared = sum(min(w, theirs[gram]) * theirs[gram] for gram, w in ours.items() if gram in theirs)
            total += shared / (norm * other)
    return total / LONGEST * math.exp(-((hypothesis.length - reference.length) ** 2) / (2 * SIGMA**2))


def caption_scores(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> TextScores:
    """BLEU-4, chrF and exact (0 to 100) and CIDEr-D (0 to 10) against all references of each item.

    Returns totals, one value an item, and signatures, each by metric: keys `bleu`, `chrf`, `exact`,
    `cider`. Exact: equal to one of the references. Raises ValueError on unequal numbers or an item without reference.
    """
    cider = CiderD(references)
    by_item = cider.scores(hypotheses)
    if all(len(captions) == 1 for captions in references):
        totals, items, signatures = text_scores(hypotheses, [captions[0] for captions in references])
    else:
        totals, items, signatures = _several(hypotheses, references)
    totals["cider"], items["cider"], signatures["cider"] = float(np.mean(by_item)), by_item, CIDER
    return totals, items, signatures


def _several(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> TextScores:
    """As text_scores, against any number of references an item."""
    # force: captions that end with " ." are no mistake here
    bleu, chrf, sentence = BLEU(tokenize="13a", force=True), CHRF(), BLEU(tokenize="13a", effective_order=True)
    most = max(len(captions) for captions in references)
    # sacrebleu reads the k-th references of all items together; None says that an item has no more
    streams: Any = [[c[k] if k < len(c) else None for c in references] for k in range(most)]
    answers = list(hypotheses)
    pairs = list(zip(answers, references, strict=True))
    totals = {
        "bleu": float(bleu.corpus_score(answers, streams).score),
        "chrf": float(chrf.corpus_score(answers, streams).score),
    }
    items = {
        "bleu": [float(sentence.sentence_score(h, list(r)).score) for h, r in pairs],
        "chrf": [float(chrf.sentence_score(h, list(r)).score) for h, r in pairs],
        "exact": [100.0 * (h.split() in [c.split() for c in r]) for h, r in pairs],
    }
    totals["exact"] = float(np.mean(items["exact"]))
    signatures = {
        "bleu": str(bleu.get_signature()),
        "chrf": str(chrf.get_signature()),
        "exact": "share of answers equal to one of the references but for spaces",
    }
    return totals, items, signatures
