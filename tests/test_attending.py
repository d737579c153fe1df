"""The attention decoder's own backward pass is that of automatic differentiation, and its tanh is tanh."""

from __future__ import annotations

import pytest
import torch

from models.bahdanau import Bahdanau
from models.layers.attending import _Attended, attended
from models.layers.scores import bent, grown
from tasks import Batch, Spec

SPEC = Spec("tokens", source_size=11, target_size=13, max_target=5)
LENGTH = torch.tensor([5, 3])


def batch():
    source, target = torch.randint(4, 11, (2, 5)), torch.randint(4, 13, (2, 3))
    return Batch(source, LENGTH, target, torch.tensor([3, 3]), torch.arange(2))


def test_its_gradients_are_those_of_finite_differences():
    def drawn(*shape):
        return torch.randn(*shape, dtype=torch.float64, requires_grad=True)

    outside = torch.zeros(2, 5, dtype=torch.float64)
    outside[1, 3:] = float("-inf")
    told = (drawn(2, 4), drawn(2, 3, 12), drawn(2, 5, 7), None, drawn(2, 5, 12), outside)
    assert torch.autograd.gradcheck(_Attended.apply, (*told, drawn(19, 4), drawn(19), drawn(7)))


def test_a_model_learns_the_same_with_it_and_without(monkeypatch):
    torch.manual_seed(3)
    model = Bahdanau(SPEC, Bahdanau.Config(width=6, hidden=5, alignment=7, dropout=0.0))
    one, gradients = batch(), []
    for by_hand in (True, False):
        monkeypatch.setattr("models.bahdanau._learns_by_hand", lambda x, answer=by_hand: answer)
        model.zero_grad()
        model(one).square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("when", ["no gradient", "mixed precision"])
def test_it_stands_back_where_it_does_not_fit(when, monkeypatch):
    model = Bahdanau(SPEC, Bahdanau.Config(width=6, hidden=5, alignment=7, dropout=0.0))
    monkeypatch.setattr("models.bahdanau.attended", lambda *told: pytest.fail("called"))
    with torch.set_grad_enabled(when != "no gradient"), torch.autocast("cpu", enabled=when == "mixed precision"):
        assert model(batch()).shape == (2, 3, 6)


def test_a_gradient_of_its_gradient_is_refused():
    hidden = torch.randn(2, 4, requires_grad=True)
    memory = {"keys": torch.randn(2, 5, 7), "grown": None, "gates": torch.randn(2, 5, 12), "bias": torch.zeros(2, 5)}
    states, _ = attended(hidden, torch.randn(2, 3, 12), memory, torch.randn(19, 4), torch.randn(19), torch.randn(7))
    (once,) = torch.autograd.grad(states.square().sum(), hidden, create_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        once.sum().backward()


@pytest.mark.parametrize("far", [0.01, 1.0, 9.9, 25.0, 90.0])
def test_tanh_from_grown_keys_is_tanh_to_the_last_digits_of_float32(far):
    keys, query = torch.randn(2, 5, 7).clamp(-3, 3) * 3.3, torch.linspace(-far, far, 14).view(2, 7)
    found, expected = bent(query, grown(keys)), (keys.double() + query.double()[:, None]).tanh()
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=3e-7)


def test_what_is_carried_while_writing_is_one_form_of_the_keys():
    model, one = Bahdanau(SPEC, Bahdanau.Config(width=6, hidden=5, alignment=7, dropout=0.0)), batch()
    with torch.no_grad():
        memory = model.encode(one.source, LENGTH, 3).memory
    assert (memory["keys"].shape, memory["grown"].shape) == ((2, 5, 0), (2, 5, 7))
    memory = model.encode(one.source, LENGTH, 3).memory
    assert memory["keys"].shape == (2, 5, 7)


def test_a_source_read_without_gradients_is_answered_with_them(monkeypatch):
    model, one = Bahdanau(SPEC, Bahdanau.Config(width=6, hidden=5, alignment=7, dropout=0.0)), batch()
    expected = model(one)
    with torch.no_grad():
        read = model.encode(one.source, LENGTH, 3)
    monkeypatch.setattr(model, "encode", lambda *_: read)
    found = model(one)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    found.sum().backward()
    assert model.energy.grad.abs().sum() > 0


def test_a_compiler_is_left_to_derive_its_own_and_is_not_made_to_look_at_keys(monkeypatch):
    model = Bahdanau(SPEC, Bahdanau.Config(width=6, hidden=5, alignment=7, dropout=0.0))
    monkeypatch.setattr("models.bahdanau.attended", lambda *told: pytest.fail("called"))
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert model.encode(batch().source, LENGTH, 3).memory["grown"] is None
    assert model(batch()).shape == (2, 3, 6)


def test_keys_that_are_too_large_or_too_exact_do_not_grow():
    assert grown(torch.tensor([[[3.0, -10.1]]])) is None
    assert grown(torch.zeros(1, 2, 3, dtype=torch.float64)) is None
    assert grown(torch.tensor([[[3.0, float("nan")]]])) is None
    assert grown(torch.tensor([[[3.0, -10.0]]])) is not None
