"""A task of one's own: repeat three digits."""

from __future__ import annotations

import itertools

import numpy as np

from tasks import EOS, SPECIALS, Items, Scores, Shown, Spec, Task, until_eos

DIGITS = range(len(SPECIALS), len(SPECIALS) + 4)


class Copying(Task):
    """source: 0 3 1 -> 4 7 5, target: 0 3 1 -> 4 7 5 2."""

    name = "copying"
    main = "exact"
    checksum = "copying, first version"

    def __init__(self, config=None, data=None):
        self.config = config or self.Config()
        vocabulary = len(SPECIALS) + len(DIGITS)
        self.spec = Spec("tokens", vocabulary, vocabulary, max_target=5, joint_vocabulary=True)
        drawn = [np.array(digits) for digits in itertools.product(DIGITS, repeat=3)]
        self.splits = {"train": drawn[0::2], "validation": drawn[1::4], "test": drawn[3::4]}

    def items(self, split):
        sources = self.splits[split]
        return Items(sources, [np.append(s, EOS) for s in sources], [3] * len(sources))

    def score(self, answers, split):
        right = [100.0 * (until_eos(a) == s.tolist()) for a, s in zip(answers, self.splits[split], strict=True)]
        return Scores({"exact": float(np.mean(right))}, "exact", {"exact": right}, {"exact": "all digits right"})

    def floors(self, split):
        return {"constant": self.score([self.splits["train"][0].tolist()] * len(self.splits[split]), split)}

    def show(self, split, item):
        text = self.write(self.splits[split][item].tolist())
        return Shown(text, None, text, tuple(text.split()))

    def read(self, query):
        return np.array([int(digit) + DIGITS[0] for digit in query.split()])

    def write(self, tokens):
        return " ".join(str(token - DIGITS[0]) for token in until_eos(tokens))


TASK = Copying
