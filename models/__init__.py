"""Who answers: the one interface of every model, the search that turns it into answers, the list of models.

A model reads a source once (`encode`), then writes a target one token at a time (`step`). What it
must define is `encode` and `step`; `forward` may be overridden to run every position at once.
File name = model name: ``models/lstm.py`` ends with ``MODEL = Lstm``.

Shapes: ``B`` batch, ``S`` source, ``T`` target, ``H`` features, ``V`` vocabulary, ``F`` vector.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tasks import BOS, EOS, PAD, SPECIALS, Batch, Settings, Spec, found, listed

Source = Int[Tensor, "B S"] | Float[Tensor, "B S F"]


@dataclasses.dataclass
class State:
    """What a model carries while it writes. Every tensor in it has the batch as its first axis."""

    memory: dict[str, Any]  # what encoding left; unchanged while decoding
    carry: dict[str, Any]  # what a step changes: hidden states, or a cache and its position
    attention: Tensor | None = None  # (B, S) weights of the last step, kept only under model.watching()
    heads: Tensor | None = None  # (B, layers, heads, S) the same by layer and head, of models that have several

    def select(self, rows: Int[Tensor, " R"]) -> State:
        """The state of the given rows, repeats allowed: one sentence becomes several beams."""
        return State(_rows(self.memory, rows), _rows(self.carry, rows))

    def reorder(self, rows: Int[Tensor, " B"]) -> State:
        """Only the carried part by rows: beams of one sentence change places, its memory is the same."""
        return State(self.memory, _rows(self.carry, rows))


def _rows(part: dict[str, Any], rows: Tensor) -> dict[str, Any]:
    return {name: _picked(value, rows) for name, value in part.items()}


def _picked(value: Any, rows: Tensor) -> Any:
    if isinstance(value, Tensor):
        return value.index_select(0, rows)
    return type(value)(_picked(v, rows) for v in value) if isinstance(value, tuple | list) else value


class Model(nn.Module, ABC):
    """Reads a source, then writes a target one token at a time."""

    learning: ClassVar[str] = "gradient"  # which rule in bench/learning teaches it
    drawn: ClassVar[str] = "initial"  # which seed draws its weights: that of what is trained, or of a "reservoir"
    # settings that make it larger, the main one first and the finest last; those that its Config lacks do not count
    widths: ClassVar[tuple[str, ...]] = ("width", "hidden")
    head: nn.Linear  # features -> logits; may be tied to the embedding
    config: Any  # of the class's own Config

    @dataclasses.dataclass(frozen=True)
    class Config(Settings):
        """Settings of the model; each model states its own, with their ranges."""

        def sized(self, **sizes: int) -> Any:
            """These settings with other sizes, and whatever has to change with them. Raises ValueError."""
            return dataclasses.replace(self, **sizes)

    def __init__(self, spec: Spec, config: Any = None) -> None:
        super().__init__()
        self.spec = spec
        self.config = type(self).Config() if config is None else config
        self._watching = False

    @abstractmethod
    def encode(self, source: Source, source_length: Int[Tensor, " B"], room: int) -> State:
        """Reads sources; `room` is the most target tokens that will be written."""

    @abstractmethod
    def step(self, token: Int[Tensor, " B"], state: State) -> tuple[Float[Tensor, "B H"], State]:
        """Features of the next token, given the one before it."""

    def forward(self, batch: Batch) -> Float[Tensor, "B T H"]:
        """Features at every target position under teacher forcing. Override to run all at once."""
        inputs = teacher_inputs(batch.target)
        state = self.encode(batch.source, batch.source_length, inputs.shape[1])
        features = []
        for token in inputs.unbind(1):
            feature, state = self.step(token, state)
            features.append(feature)
        return torch.stack(features, 1)

    def logits(self, features: Float[Tensor, "*N H"]) -> Float[Tensor, "*N V"]:
        """Scores of every token that may be written next; impossible ones are -inf."""
        logits: Tensor = self.head(features)
        if self.spec.target == "number":
            return logits
        never = len(SPECIALS) if self.spec.max_target == 1 else EOS  # a label is no special; text has no PAD or BOS
        return logits.index_fill(-1, torch.arange(never, device=logits.device), float("-inf"))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Within, `step` keeps its attention weights in `State.attention` where the model has any."""
        self._watching = True
        try:
            yield
        finally:
            self._watching = False

    @torch.no_grad()
    def generate(
        self,
        source: Source,
        source_length: Int[Tensor, " B"],
        beam: int = 1,
        length_penalty: float = 1.0,
        room: int | None = None,
        given: Int[Tensor, "B T"] | None = None,
    ) -> Tensor:
        """Answers (B, T) closed by EOS and padded, or numbers (B, 1) float32.

        Where `given` holds a token, that one is written whatever the model would have said.

        `beam` = 1 is greedy; above, beam search with scores divided by length ** `length_penalty`
        (Wu et al., 2016, with their constant 5 left out). `room` limits T; by default the spec does.
        """
        room = self.spec.max_target if room is None else room
        state = self.encode(source, source_length, room)
        if self.spec.target == "number":
            feature, _ = self.step(_first(len(source_length), source.device), state)
            return self.logits(feature)
        told = _columns(given, room, source.device)
        return (
            self._greedy(state, len(source_length), told, source.device)
            if beam == 1
            else self._beams(state, len(source_length), told, source.device, beam, length_penalty)
        )

    def _greedy(self, state: State, size: int, told: list[Tensor | None], device: torch.device) -> Tensor:
        token = _first(size, device)
        done = torch.zeros(size, dtype=torch.bool, device=device)
        written = []
        for position, fixed in enumerate(told):
            feature, state = self.step(token, state)
            token = _unless(fixed, self.logits(feature).argmax(-1)).masked_fill(done, PAD)
            written.append(token)
            done = done | (token == EOS)
            if _worth_asking(position, device) and bool(done.all()):
                break
        return torch.stack(written, 1)

    def _beams(
        self, state: State, size: int, told: list[Tensor | None], device: torch.device, beam: int, penalty: float
    ) -> Tensor:
        rows = torch.arange(size, device=device)
        state = state.select(rows.repeat_interleave(beam))
        first_of = rows[:, None] * beam  # (B, 1) the first beam of each sentence
        token = _first(size * beam, device)
        score = torch.full((size, beam), float("-inf"), device=device)
        score[:, 0] = 0.0  # all beams start alike: let only one of them count
        length = torch.zeros(size, beam, dtype=torch.int64, device=device)
        done = torch.zeros(size, beam, dtype=torch.bool, device=device)
        written = torch.empty(size, beam, 0, dtype=torch.int64, device=device)
        for position, fixed in enumerate(told):
            feature, state = self.step(token, state)
            more = self.logits(feature).float().log_softmax(-1).view(size, beam, -1)  # (B, K, V)
            more = _only(fixed, more)
            only_pad = torch.full_like(more[:, :1], float("-inf")).index_fill(
                -1, torch.tensor([PAD], device=device), 0.0
            )
            total = score[..., None] + torch.where(done[..., None], only_pad, more)
            reached = (length + ~done).clamp(min=1)[..., None] ** penalty
            rank = (total / reached).flatten(1).topk(beam, -1).indices  # (B, K) among K * V
            parent, token_of = rank // more.shape[-1], rank % more.shape[-1]
            score = total.flatten(1).gather(1, rank)
            length = length.gather(1, parent) + ~done.gather(1, parent)
            done = done.gather(1, parent) | (token_of == EOS)
            written = torch.cat([written.gather(1, parent[..., None].expand_as(written)), token_of[..., None]], -1)
            token = token_of.flatten()
            state = state.reorder((first_of + parent).flatten())
            if _worth_asking(position, device) and bool(done.all()):
                break
        best = (score / length.clamp(min=1) ** penalty).argmax(-1)
        return written[rows, best]

    def flops(self, source: int, target: int) -> dict[str, float]:
        """Floating-point operations of one forward pass, head included, over one pair of these lengths, by part.

        A multiply-add is two. Matrix products and convolutions count, elementwise work and look-ups do not. Parts:
        "embedding" (of vectors), "recurrence", "attention", "feedforward", "head"; none where a model states none.
        """
        return {}

    def chain(self, source: int, target: int) -> int:
        """Matrix products of that pass that must follow one another; 0 where a model does not state it.

        Layer after layer, as `forward` runs them: what needs no earlier position is one product for all of them.
        """
        return 0

    def path(self, source: int, place: int) -> int:
        """Fewest recurrent steps and attentions between source element `place` (from 0) and the first features.

        Layers that work on one position alone do not count; 0 where a model does not state it.
        """
        return 0

    def parameter_counts(self) -> dict[str, int]:
        """Numbers in the model: those that training changes, and all, fixed random matrices included."""
        trained = sum(p.numel() for p in self.parameters() if p.requires_grad)
        fixed = sum(p.numel() for p in self.parameters() if not p.requires_grad)
        return {"trained": trained, "total": trained + fixed}


def _columns(given: Tensor | None, room: int, device: torch.device) -> list[Tensor | None]:
    """What is given at each of `room` positions: (B,) tokens, PAD where nothing is, or None for nobody."""
    columns = [] if given is None else list(given[:, :room].to(device).unbind(1))
    return [*columns, *[None] * (room - len(columns))]


def _unless(fixed: Tensor | None, token: Tensor) -> Tensor:
    """What is given, and `token` where nothing is."""
    return token if fixed is None else torch.where(fixed == PAD, token, fixed)


def _only(fixed: Tensor | None, scores: Float[Tensor, "B K V"]) -> Tensor:
    """Logarithms of probabilities; what is given is certain, and nothing else can be."""
    if fixed is None:
        return scores
    certain = torch.full_like(scores, float("-inf")).scatter(
        -1, fixed[:, None, None].expand(-1, scores.shape[1], 1), 0.0
    )
    return torch.where((fixed == PAD)[:, None, None], scores, certain)


def _first(size: int, device: torch.device) -> Tensor:
    return torch.full((size,), BOS, dtype=torch.int64, device=device)


def _worth_asking(position: int, device: torch.device) -> bool:
    """Whether to read a flag back: free on a CPU; on a GPU it stalls the queue, so every eighth step."""
    return device.type == "cpu" or position % 8 == 7


def teacher_inputs(target: Int[Tensor, "B T"] | Float[Tensor, "B 1"]) -> Int[Tensor, "B T"]:
    """What a decoder reads when the right answer is known: BOS, then the target without its last token."""
    first = torch.full_like(target[:, :1], BOS, dtype=torch.int64)
    return first if target.is_floating_point() else torch.cat([first, target[:, :-1]], 1)


def names() -> list[str]:
    """Every model in this folder, by file name, without importing any."""
    return listed(Path(__file__).parent)


def load(name: str) -> type[Model]:
    """The model class of that name, dotted module, or path of a .py file. Raises BadInput."""
    return found(name, "models", names(), "MODEL", Model)  # type: ignore[type-abstract]
