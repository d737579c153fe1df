"""Whether subwords serve words that training never showed."""

from __future__ import annotations

from reports.claims import DATA, Claim, Part
from reports.claims._evidence import Pick, above, metric, over

UNSEEN = "bleu_unseen"
SETTINGS = ("task.tokenizer", "task.longest", "task.vocabulary")


def _pick(kind: str) -> Pick:
    return Pick("bahdanau", f"tokenizers: {kind}", "translation")


def _less(first: str, second: str, least: float, beside: bool = False) -> Part:
    measure = over(_pick(first), _pick(second), metric(UNSEEN), SETTINGS)
    return Part(f"test sentences with unseen words: {first} less {second}", least, measure, "BLEU", beside=beside)


CLAIM = Claim(
    chapter=DATA,
    statement="Characters make a small vocabulary and long sequences, words leave some unknown; subwords lie in "
    "between and reach words never seen.",
    measured="Translation with all words, by Bahdanau's model, with nothing but the tokenizer changed (2,000 subwords, "
    "every word of the training, every character): BLEU on test sentences that hold a word training never showed.",
    rule="There, subwords lie 1 BLEU above words; characters, and all sentences, are shown beside it.",
    parts=(
        _less("subwords", "words", 1.0),
        _less("subwords", "characters", 1.0, beside=True),
        Part(
            "all test sentences: subwords less words",
            1.0,
            above(_pick("subwords"), _pick("words"), SETTINGS),
            "BLEU",
            beside=True,
        ),
    ),
)
