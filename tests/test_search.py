"""Beam search finds what brute force finds, and is greedy where it should be."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional

from models import Model, State
from tasks import BOS, EOS, PAD, Spec

ROOM = 3


class Grammar(Model):
    """Scores of the next token from a random table: by source, place and the two tokens before."""

    @dataclasses.dataclass(frozen=True)
    class Config:
        spread: float = 2.0

    def __init__(self, spec, config=None):
        super().__init__(spec, config)
        size = spec.target_size
        shape = (spec.source_size, ROOM, size, size, size)
        self.table = nn.Parameter(torch.randn(shape, dtype=torch.float64) * self.config.spread)
        self.head = nn.Linear(size, size, dtype=torch.float64)
        with torch.no_grad():
            self.head.weight.copy_(torch.eye(size))
            self.head.bias.zero_()

    def encode(self, source, source_length, room):
        before = torch.full((len(source),), BOS)
        return State({"source": source[:, 0]}, {"before": before, "place": torch.zeros_like(before)})

    def step(self, token, state):
        before, place = state.carry["before"], state.carry["place"]
        feature = self.table[state.memory["source"], place, before, token]
        return feature, State(state.memory, {"before": token, "place": place + 1})


SOURCE = (torch.tensor([[2], [0], [3], [1]]), torch.ones(4, dtype=torch.int64))


def grammar(seed):
    torch.manual_seed(seed)
    return Grammar(Spec("tokens", source_size=4, target_size=6, max_target=ROOM)).requires_grad_(False)


@pytest.fixture(params=range(6))
def model(request):
    return grammar(request.param)


def log_probabilities(model, one):
    """Of every answer to a source: tokens closed by EOS, or cut where the room ends."""
    answers = torch.tensor(list(itertools.product(range(EOS, 6), repeat=ROOM)))
    state = model.encode(one.expand(len(answers), 1), torch.ones(len(answers), dtype=torch.int64), ROOM)
    token, total, found = torch.full((len(answers),), BOS), torch.zeros(len(answers), dtype=torch.float64), {}
    for place in range(ROOM):
        feature, state = model.step(token, state)
        token = answers[:, place]
        total = total + model.logits(feature).log_softmax(-1).gather(1, token[:, None])[:, 0]
        for answer, score in zip(answers[:, : place + 1].tolist(), total.tolist(), strict=True):
            if EOS not in answer[:-1] and (place == ROOM - 1 or answer[-1] == EOS):
                found[tuple(answer)] = score
    return found


def best(model, one, penalty):
    scores = log_probabilities(model, one)
    return max(scores, key=lambda answer: scores[answer] / len(answer) ** penalty)


def as_list(row):
    return tuple(token for token in row.tolist() if token != PAD)


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0, 2.0])
def test_a_beam_as_wide_as_all_answers_finds_the_best(model, penalty):
    answers = model.generate(*SOURCE, beam=4**ROOM, length_penalty=penalty)
    assert [as_list(row) for row in answers] == [best(model, one, penalty) for one in SOURCE[0]]


def test_a_higher_penalty_on_length_means_longer_answers():
    """It divides sums of negative numbers: Wu et al. call it a penalty all the same."""
    written = {0.0: 0, 4.0: 0}
    for seed in range(6):
        for penalty in written:
            answers = grammar(seed).generate(*SOURCE, beam=64, length_penalty=penalty)
            written[penalty] += int(answers.ne(PAD).sum())
    assert written[0.0] < written[4.0]


def test_greedy_takes_the_likeliest_token_each_time(model):
    for one, row in zip(SOURCE[0], model.generate(*SOURCE), strict=True):
        with torch.no_grad():
            state, token, answer = model.encode(one[None], torch.ones(1, dtype=torch.int64), ROOM), BOS, ()
            while len(answer) < ROOM and token != EOS:
                feature, state = model.step(torch.tensor([token]), state)
                token = max(range(EOS, 6), key=feature[0].tolist().__getitem__)
                answer += (token,)
        assert as_list(row) == answer


def test_one_beam_of_the_beam_search_is_greedy(model):
    size, room = 4, ROOM
    with torch.no_grad():
        state = model.encode(*SOURCE, room)
        found = model._beams(state, size, [None] * room, SOURCE[0].device, 1, 1.0)
    assert found.equal(functional.pad(model.generate(*SOURCE), (0, found.shape[1] - ROOM)))


def test_all_possible_beams_score_no_worse_than_greedy_and_sometimes_better():
    gained = []
    for seed in range(6):
        model = grammar(seed)
        greedy, beams = (model.generate(*SOURCE, beam=beam, length_penalty=0.0) for beam in (1, 64))
        for one, plain, searched in zip(SOURCE[0], greedy, beams, strict=True):
            scores = log_probabilities(model, one)
            gained.append(scores[as_list(searched)] - scores[as_list(plain)])
    assert min(gained) > -1e-9
    assert max(gained) > 0.1


def test_a_finished_beam_stays_as_it_is(model):
    with torch.no_grad():
        model.table[..., EOS] -= 3.0
        model.table[:, 0, :, :, EOS] += 30.0  # to end at once is by far the likeliest
    answers = model.generate(*SOURCE, beam=5, length_penalty=0.0)
    assert [as_list(row) for row in answers] == [(EOS,)] * 4


@pytest.mark.parametrize("beam", [2, 3, 7])
def test_no_answer_depends_on_who_shares_the_batch(model, beam):
    together = model.generate(*SOURCE, beam=beam)
    for one, row in zip(SOURCE[0], together, strict=True):
        alone = model.generate(one[None], torch.ones(1, dtype=torch.int64), beam=beam)
        assert as_list(alone[0]) == as_list(row)


def test_more_beams_than_tokens_never_write_what_cannot_be_written(model):
    answers = model.generate(*SOURCE, beam=50, room=1)
    assert answers.shape == (4, 1)
    assert answers.ge(EOS).all()
