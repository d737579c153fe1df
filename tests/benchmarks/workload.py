"""What is timed: random tokens, and a task of sentences of unlike lengths."""

from __future__ import annotations

import numpy as np
import torch

from tasks import EOS, SPECIALS, Batch, Items, Scores, Spec, Task

SIZE, LENGTH, WIDTH, VOCABULARY = 64, 32, 256, 1000
TEXT = Spec("tokens", VOCABULARY, VOCABULARY, max_target=LENGTH, joint_vocabulary=True)


def random_batch(size=SIZE, source=LENGTH, target=LENGTH, vocabulary=VOCABULARY, seed=0):
    """Sequences without padding, targets closed by EOS."""
    draw = torch.Generator().manual_seed(seed)
    sources, targets = (
        torch.randint(len(SPECIALS), vocabulary, (size, length), generator=draw) for length in (source, target)
    )
    targets[:, -1] = EOS
    lengths = [torch.full((size,), length) for length in (source, target)]
    return Batch(sources, lengths[0], targets, lengths[1], torch.arange(size))


class Sentences(Task):
    """source: 9 4 7 7 -> target: 9 4 7 7 2, five to thirty words."""

    name = "sentences"
    main = "exact"
    checksum = "sentences, first version"

    def __init__(self, config=None, data=None, batches=20):
        self.spec = TEXT
        draw = np.random.default_rng(0)
        words = [draw.integers(len(SPECIALS), VOCABULARY, draw.integers(5, 31)) for _ in range(SIZE * batches)]
        self.train = Items(words, [np.append(w, EOS) for w in words], [len(w) for w in words])

    def items(self, split):
        return self.train

    def score(self, answers, split):
        return Scores({"exact": 0.0}, "exact")

    def floors(self, split):
        return {}

    def show(self, split, item):
        raise NotImplementedError

    def read(self, query):
        raise NotImplementedError

    def write(self, tokens):
        return " ".join(map(str, tokens))


TASK = Sentences
