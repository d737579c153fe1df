"""Answerers without a sequence model: what any model should beat."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TypeVar

import numpy as np
import scipy.sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression

H = TypeVar("H", bound=Hashable)
WORD = re.compile(r"\w+|[^\w\s]")
NULL = "<null>"  # the empty source word: what stands in the target without a partner is its translation


def words(text: str) -> list[str]:
    """Words and punctuation marks."""
    return WORD.findall(text)


def most_frequent(answers: Sequence[H]) -> H:
    """The answer given most often, the first seen of equals: the majority class, or the constant answer."""
    return Counter(answers).most_common(1)[0][0]


def bag_of_words(train: Sequence[str], labels: Sequence[int], texts: Sequence[str]) -> list[int]:
    """Labels of `texts` by logistic regression on counts of words and pairs of words."""
    vectorizer = CountVectorizer(ngram_range=(1, 2), binary=True, tokenizer=words, token_pattern=None)
    classifier = LogisticRegression(C=0.5, max_iter=1000)
    classifier.fit(vectorizer.fit_transform(train), labels)
    return [int(label) for label in classifier.predict(vectorizer.transform(texts))]


def nearest_texts(train: Sequence[str], texts: Sequence[str], chunk: int = 500) -> np.ndarray:
    """For each text the row of the most similar training text, (N,): cosine of TF-IDF vectors."""
    vectorizer = TfidfVectorizer(tokenizer=words, token_pattern=None, sublinear_tf=True)
    known = scipy.sparse.csc_matrix(vectorizer.fit_transform(train).T)  # (words, M)
    asked = vectorizer.transform(texts)
    starts = range(0, len(texts), chunk)  # a dense product of everything would not fit for large corpora
    return np.concatenate([(asked[i : i + chunk] @ known).toarray().argmax(axis=1) for i in starts])


def nearest_vectors(train: np.ndarray, asked: np.ndarray, chunk: int = 500) -> np.ndarray:
    """For each row of `asked` (N, F) the row of the most similar in `train` (M, F), (N,): cosine."""
    known = _unit(train).T  # (F, M)
    return np.concatenate([(_unit(asked[i : i + chunk]) @ known).argmax(axis=1) for i in range(0, len(asked), chunk)])


def _unit(rows: np.ndarray) -> np.ndarray:
    rows = rows.reshape(len(rows), -1).astype(np.float32)
    unit: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit


class Dictionary:
    """Word by word, each source word by its likeliest target word: IBM model 1 (Brown et al., 1993, 4.2).

    t(e | f) is learned by expectation maximisation, all pairs of at most `longest` words at once. Words are compared in
    lower case and written as the training targets mostly write them; an unknown word is copied; the
    first letter of the answer is a capital if that of the source is.
    """

    def __init__(self, sources: Sequence[str], targets: Sequence[str], rounds: int = 10, longest: int = 40) -> None:
        pairs = [(words(s.lower()), words(t.lower())) for s, t in zip(sources, targets, strict=True)]
        short = [(s, t) for s, t in pairs if max(len(s), len(t)) <= longest]
        self.table = ibm1(short, rounds) if short else {}  # then every word is copied
        self.spelling = _spelling(targets)

    def translate(self, text: str) -> str:
        """The text with each word replaced."""
        chosen = [self.table.get(word.lower(), (word, 0.0))[0] for word in words(text)]
        answer = unspaced([self.spelling.get(word, word) for word in chosen])
        return answer[:1].upper() + answer[1:] if text[:1].isupper() else answer


def ibm1(pairs: Sequence[tuple[Sequence[str], Sequence[str]]], rounds: int = 10) -> dict[str, tuple[str, float]]:
    """For each source word its likeliest target word and that word's probability t(e | f).

    Each way in which a source word may explain a target word of its sentence is one entry of flat
    arrays, so one round of expectation and maximisation is three sums.
    """
    link, place, table = _links(pairs)
    chance: np.ndarray = np.ones(len(table.words))  # t(e | f), one for each pair of words ever seen together
    for _ in range(rounds):
        explained = chance[link]
        share = explained / np.bincount(place, weights=explained)[place]  # of this target word, by this source word
        chance = np.bincount(link, weights=share, minlength=len(chance))
        chance = chance / np.bincount(table.words[:, 0], weights=chance)[table.words[:, 0]]
    return table.best(chance)


class _Table:
    """Which source and target words were ever seen together: (pairs, 2) ids, and the words themselves."""

    def __init__(self, seen: np.ndarray, sources: list[str], targets: list[str]) -> None:
        self.words, self.sources, self.targets = seen, sources, targets

    def best(self, chance: np.ndarray) -> dict[str, tuple[str, float]]:
        """Each source word's likeliest target word (the first met of equals) with its chance; NULL left out."""
        order = np.lexsort((self.words[:, 1], -chance, self.words[:, 0]))
        _, first = np.unique(self.words[order, 0], return_index=True)
        chosen = {}
        for row in order[first]:
            source, target = self.words[row]
            if source != 0:
                chosen[self.sources[source]] = (self.targets[target], float(chance[row]))
        return chosen


def _links(pairs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> tuple[np.ndarray, np.ndarray, _Table]:
    """Every (source word, target word) of every sentence pair: which entry of the table, which target place."""
    source_ids: dict[str, int] = {NULL: 0}
    target_ids: dict[str, int] = {}
    left, right, place, places = [], [], [], 0
    for source, target in pairs:
        f = np.array([0] + [source_ids.setdefault(word, len(source_ids)) for word in source], dtype=np.int64)
        e = np.array([target_ids.setdefault(word, len(target_ids)) for word in target], dtype=np.int64)
        left.append(np.repeat(f, len(e)))
        right.append(np.tile(e, len(f)))
        place.append(np.tile(np.arange(places, places + len(e)), len(f)))
        places += len(e)
    if places == 0:
        raise ValueError("IBM model 1 needs at least one pair of sentences with words")
    keys = np.concatenate(left) * len(target_ids) + np.concatenate(right)
    seen, link = np.unique(keys, return_inverse=True)
    both = np.stack([seen // len(target_ids), seen % len(target_ids)], axis=1)
    return link, np.concatenate(place), _Table(both, list(source_ids), list(target_ids))


def _spelling(targets: Sequence[str]) -> dict[str, str]:
    """How each word is mostly written; first words count only where there is nothing else."""
    inside = Counter(word for target in targets for word in words(target)[1:])
    first = Counter(word for target in targets for word in words(target)[:1])
    best: dict[str, str] = {}
    for word, _ in [*inside.most_common(), *first.most_common()]:
        best.setdefault(word.lower(), word)
    return best


def unspaced(tokens: Sequence[str]) -> str:
    """Words joined by spaces, but none before closing marks, behind opening ones, or around apostrophes."""
    text = re.sub(r" ([.,:;!?)\]»…%])", r"\1", " ".join(tokens))
    text = re.sub(r"([(\[«¿¡]) ", r"\1", text)
    return re.sub(r"(?<=\w) ?(['’-]) ?(?=\w)", r"\1", text)
