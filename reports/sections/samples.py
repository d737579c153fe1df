"""Which items a report shows: chosen by the scores alone, so that two readers of the same rows see the same items."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reports import words
from reports.figures import safe_picture
from reports.rows.artifacts import Answer, Attention
from reports.scores.tables import Line

DIFFER, RIGHT, WRONG = 2, 2, 2  # items shown of each sort
WHOLE = 99.995  # of 100: an answer that is right


@dataclasses.dataclass(frozen=True)
class Sample:
    """One item, why it is shown, and every model's answer to it."""

    why: str
    item: int
    source: str | None
    picture: str | None
    reference: str
    answers: tuple[tuple[Line, Answer], ...]  # models from best to worst
    metric: str  # of the scores beside the answers


def samples(found: Sequence[Line]) -> list[Sample]:
    """Items on which models differ most, then ones all answer well, then ones none does; none twice."""
    answered = {line: {a.item: a for a in line.rows[0].answers} for line in found if line.kind == "model"}
    answered = {line: answers for line, answers in answered.items() if answers}
    if not answered:
        return []
    shared = set.intersection(*(set(answers) for answers in answered.values()))
    first = next(iter(answered.values()))
    items = sorted(item for item in shared if _showable(first[item]))
    metric = _metric(next(iter(answered)), [first[item] for item in items])
    scores = {item: [answers[item].scores.get(metric, 0.0) for answers in answered.values()] for item in items}
    return [
        _sample(item, why, metric, [(line, answers[item]) for line, answers in answered.items()])
        for item, why in _chosen(scores)
    ]


def _showable(answer: Answer) -> bool:
    return answer.source is not None or safe_picture(answer.picture)


def _metric(line: Line, answers: Sequence[Answer]) -> str:
    """The main metric where it has a value an item, else the first that has."""
    names = [name for answer in answers[:1] for name in answer.scores]
    return line.metric if line.metric in names or not names else names[0]


def _chosen(scores: dict[int, list[float]]) -> list[tuple[int, str]]:
    differ = [i for i in sorted(scores, key=lambda i: (min(scores[i]) - max(scores[i]), i)) if _spread(scores[i]) > 0]
    chosen = dict.fromkeys(differ[:DIFFER], "models differ most")
    best = sorted(scores, key=lambda i: (-min(scores[i]), i))
    right = [i for i in best if i not in chosen and min(scores[i]) > 0][:RIGHT]
    chosen |= {i: "all right" if min(scores[i]) > WHOLE else "answered best by all" for i in right}
    worst = sorted(scores, key=lambda i: (max(scores[i]), i))
    wrong = [i for i in worst if i not in chosen and max(scores[i]) < WHOLE][:WRONG]
    chosen |= {i: "all wrong" if max(scores[i]) == 0 else "answered worst by all" for i in wrong}
    return list(chosen.items())


def _spread(values: Sequence[float]) -> float:
    return max(values) - min(values)


def _sample(item: int, why: str, metric: str, answers: list[tuple[Line, Answer]]) -> Sample:
    first = answers[0][1]
    picture = first.picture if safe_picture(first.picture) else None
    return Sample(why, item, first.source, picture, first.reference, tuple(answers), metric)


class Extreme(NamedTuple):
    """The best or the worst answer of a model, and the mean score of the others on that item, as text."""

    line: Line
    case: str  # "best" or "worst"
    answer: Answer
    metric: str
    others: str


def extremes(found: Sequence[Line]) -> list[Extreme]:
    """Each model's best answer and its worst; of several as good, the one farthest from the mean of the others."""
    answered = {line: {a.item: a for a in line.rows[0].answers} for line in found if line.kind == "model"}
    answered = {line: answers for line, answers in answered.items() if answers}
    totals: dict[tuple[int, str], list[float]] = {}  # item and metric -> all scores
    for answers in answered.values():
        for item, answer in answers.items():
            for metric, score in answer.scores.items():
                totals.setdefault((item, metric), []).append(score)
    sums = {key: (sum(scores), len(scores)) for key, scores in totals.items()}
    return [extreme for line, answers in answered.items() for extreme in _extremes(line, [*answers.values()], sums)]


Sums = Mapping[tuple[int, str], tuple[float, int]]


def _extremes(line: Line, answers: Sequence[Answer], sums: Sums) -> list[Extreme]:
    own = [a for a in answers if a.scores]
    metric = _metric(line, own)
    scored = [a for a in own if metric in a.scores]
    means = {a.item: _others(a.scores[metric], *sums[a.item, metric]) for a in scored}

    def ahead(answer: Answer) -> tuple[float, float, int]:
        score, mean = answer.scores[metric], means[answer.item]
        return score, 0.0 if mean is None else score - mean, -answer.item

    if len({a.scores[metric] for a in scored}) < 2:  # all alike: nothing is best
        return []
    cases = (("best", max(scored, key=ahead)), ("worst", min(scored, key=ahead)))
    return [Extreme(line, case, a, metric, words.number(means[a.item], metric)) for case, a in cases]


def _others(own: float, total: float, n: int) -> float | None:
    """The mean of the others of `n` scores; None where there is no other."""
    return (total - own) / (n - 1) if n > 1 else None


def looked_at(found: Sequence[Line], preferred: Sequence[int] = ()) -> list[tuple[Line, Attention]]:
    """Attention of every model that has it over one and the same item, as far as they share one.

    The item that most models attended to; among those one whose heads were stored, then one that all of them answered
    right (where a model looks while it is wrong says little), then one that is shown as a sample, then one of a size
    that reads well, then the first.
    """
    seen = {line: {a.item: a for a in line.rows[0].attention} for line in found if line.kind == "model"}
    items = {item for attended in seen.values() for item in attended}
    if not items:
        return []

    right = {line: _right(line) for line in seen}

    def rank(item: int) -> tuple[int, bool, bool, bool, int, int]:
        shown = {line: attended[item] for line, attended in seen.items() if item in attended}
        wrong = any(item not in right[line] for line in shown)
        size = max(len(a.weights[0]) if a.grid is None else len(a.weights) for a in shown.values())
        without = all(a.heads is None for a in shown.values())
        return -len(shown), without, wrong, item not in preferred, abs(size - 8), item

    chosen = min(items, key=rank)
    return [(line, attended[chosen]) for line, attended in seen.items() if chosen in attended]


def _right(line: Line) -> set[int]:
    """The items that a model answered without a fault."""
    answers = line.rows[0].answers
    metric = _metric(line, answers)
    return {a.item for a in answers if a.scores.get(metric, 0.0) > WHOLE}
