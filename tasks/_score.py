"""Scores of text (BLEU, chrF, exact) and of labels (accuracy, macro F1), all from 0 to 100."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sklearn
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sklearn.metrics import f1_score

from tasks import Scores

TextScores = tuple[dict[str, float], dict[str, list[float]], dict[str, str]]


def text_scores(hypotheses: Sequence[str], references: Sequence[str], lower: bool = False) -> TextScores:
    """BLEU and chrF over the corpus and by sentence, and the share of answers that are right to the letter.

    Detokenised text against one reference an item; sacrebleu's 13a tokens (Post, 2018), cased unless `lower`.
    Sentence BLEU is smoothed and by the n-grams that fit (effective order), so its mean is not the
    corpus BLEU. Returns totals, one value an item, and signatures, each by metric. Raises ValueError
    when the numbers of texts differ or there is none.
    """
    _paired(hypotheses, references)
    bleu, chrf = BLEU(tokenize="13a", lowercase=lower), CHRF(lowercase=lower)
    sentence = BLEU(tokenize="13a", lowercase=lower, effective_order=True)
    pairs = list(zip(hypotheses, references, strict=True))
    totals = {
        "bleu": float(bleu.corpus_score(list(hypotheses), [list(references)]).score),
        "chrf": float(chrf.corpus_score(list(hypotheses), [list(references)]).score),
    }
    items = {
        "bleu": [float(sentence.sentence_score(h, [r]).score) for h, r in pairs],
        "chrf": [float(chrf.sentence_score(h, [r]).score) for h, r in pairs],
        "exact": [100.0 * (_squeezed(h) == _squeezed(r)) for h, r in pairs],
    }
    totals["exact"] = float(np.mean(items["exact"]))
    signatures = {
        "bleu": str(bleu.get_signature()),
        "chrf": str(chrf.get_signature()),
        "exact": "share of answers equal to the reference but for spaces",
    }
    return totals, items, signatures


def label_scores(answers: Sequence[int], labels: Sequence[int]) -> Scores:
    """Accuracy and macro-averaged F1 over the labels that occur in `labels`; an answer that is no label is wrong.

    Raises ValueError when the numbers of answers and labels differ or there is none.
    """
    _paired(answers, labels)
    right = [100.0 * (a == b) for a, b in zip(answers, labels, strict=True)]
    macro = f1_score(labels, answers, labels=sorted(set(labels)), average="macro", zero_division=0)
    return Scores(
        totals={"accuracy": float(np.mean(right)), "macro_f1": 100.0 * float(macro)},
        main="accuracy",
        items={"accuracy": right},
        signatures={
            "accuracy": "share of right labels",
            "macro_f1": f"mean F1 over the labels|zero_division:0|scikit-learn:{sklearn.__version__}",
        },
    )


def _paired(answers: Sequence[object], references: Sequence[object]) -> None:
    if len(answers) != len(references) or not references:
        raise ValueError(
            f"{len(answers)} answers for {len(references)} references; expected one each, and at least one"
        )


def _squeezed(text: str) -> str:
    return " ".join(text.split())
