"""Additive attention: e_ij = v' tanh(W s_{i-1} + U h_j), c_i = sum_j softmax(e_i)_j h_j  (Bahdanau et al., 2015).

A bidirectional GRU reads; a GRU writes: s_i = GRU([y_{i-1}; c_i], s_{i-1}). As in torch, and unlike the paper, its
reset gate multiplies U s_{i-1}, not s_{i-1}. Other scores than the additive one may stand in its place
(models/layers/scores.py); all else stays.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from models import Model, Source, State, teacher_inputs
from models.layers import cost, scope, scores
from models.layers.attending import attended
from models.layers.dropout import Dropout
from models.layers.embedding import Door, within
from models.layers.recurrent import Recurrent
from tasks import BadInput, Batch, Chance, Depth, Size, Spec


class Bahdanau(Model):
    """Attention over the states of a bidirectional GRU, one alignment a target token."""

    widths = ("width", "hidden", "alignment")

    @dataclasses.dataclass(frozen=True)
    class Config(Model.Config):
        """Sizes in units; rates are probabilities."""

        width: Size = 256  # of the embeddings and the features
        hidden: Size = 256  # GRU units, each direction and the decoder
        alignment: Size = 256  # units of the alignment network; those of query and keys where both are projected
        score: scores.Kind = "additive"  # how a state of the decoder and one of the source are compared
        longest: Size = 512  # source elements that a "location" score tells apart; other scores have no such bound
        layers: Depth = 1  # of the encoder
        dropout: Chance = 0.2
        word_dropout: Chance = 0.0  # source tokens that become <unk> in training

    def __init__(self, spec: Spec, config: Config | None = None) -> None:
        super().__init__(spec, config)
        c = self.config
        self.door = Door(spec, c.width, c.dropout, c.word_dropout)
        self.encoder = Recurrent(nn.GRU, c.width, c.hidden, c.layers, True, c.dropout)
        self.queries, keys = scores.sizes(c.score, c.alignment, c.hidden, c.longest)
        # a bias adds the same to all energies of a dot product, which softmax does not see
        self.key = nn.Linear(self.encoder.size, keys, bias=c.score in ("additive", "cosine")) if keys else None  # U h_j
        additive = c.score == "additive"
        self.energy = nn.Parameter(torch.randn(c.alignment) * c.alignment**-0.5) if additive else None  # v
        self.start = nn.Linear(c.hidden, c.hidden)
        self.from_token = nn.Linear(c.width, 3 * c.hidden)
        self.from_context = nn.Linear(self.encoder.size, 3 * c.hidden, bias=False)
        # from s_{i-1} come the query W s and the gates' recurrence: one product for both
        self.from_state = nn.Linear(c.hidden, self.queries + 3 * c.hidden)
        for gate in self.from_state.weight.data[self.queries :].split(c.hidden):
            nn.init.orthogonal_(gate)
        self.out = nn.Linear(c.hidden + self.encoder.size + c.width, c.width)
        self.dropout = Dropout(c.dropout)
        self.head = self.door.head(spec, c.width)

    def encode(self, source: Source, source_length: Int[Tensor, " B"], room: int) -> State:
        """All states of the source, their keys, and their share of the gates, once and not once a step."""
        states, last = self.encoder(self.door.read(source), source_length)
        states = self.dropout(states)
        outside = ~within(source_length, states.shape[1], states.device)
        with scope.part("attention"):
            keys = self._keys(states)
            growing = None if self.energy is None else scores.grown(keys)
            if growing is not None and not torch.is_grad_enabled():
                keys = keys[..., :0]  # what they have grown to is all that is needed, and no more is carried
        with scope.part("recurrence"):
            # attention is linear in what it averages, so the product with the gates' weights comes before the loop
            gates = self.from_context(states)
        memory = {
            "states": states,  # (B, S, 2H)
            "keys": keys,  # (B, S, A), without units where none are looked at
            "grown": growing,  # (B, S, A), of an additive score
            "gates": gates,  # (B, S, 3H)
            "bias": torch.zeros(outside.shape, device=states.device).masked_fill(outside, float("-inf")),
        }
        back = last[:, self.config.hidden :]  # the way back has just read the first word (A.2.2)
        with scope.part("feedforward"):
            start = self.start(back).tanh()
        return State(memory, {"hidden": start})

    def step(self, token: Int[Tensor, " B"], state: State) -> tuple[Float[Tensor, "B H"], State]:
        """One alignment and one GRU step."""
        y = self.door.write(token)
        hidden, weights = self._advance(self._gates(y), state.carry["hidden"], state.memory)
        with scope.part("attention"):
            context = (weights[:, None] @ state.memory["states"])[:, 0]
        kept = weights if self._watching else None
        return self._features(hidden, context, y), State(state.memory, {"hidden": hidden}, kept)

    def forward(self, batch: Batch) -> Float[Tensor, "B T H"]:
        """The loop holds only what depends on the step before; contexts and features come after it, all at once."""
        inputs = teacher_inputs(batch.target)
        state = self.encode(batch.source, batch.source_length, inputs.shape[1])
        y = self.door.write(inputs)  # (B, T, D)
        states, weights = self._loop(self._gates(y), state.carry["hidden"], state.memory)
        with scope.part("attention"):
            context = weights @ state.memory["states"]  # (B, T, 2H)
        return self._features(states, context, y)

    def flops(self, source: int, target: int) -> dict[str, float]:
        """Attention: keys U h_j once, queries W s_{i-1}; energies and both averages, of gates and states, a pair each.

        Scores of content alone have keys; a location's query is as long as its bound. Recurrence: the encoder's, and
        the decoder's products with tokens, states of the source and its own.
        """
        c = self.config
        pairs = scores.multiplied(c.score, c.alignment, c.hidden) + 3 * c.hidden + self.encoder.size
        queries = 2 * target * c.hidden * self.queries
        keys = 0.0 if self.key is None else cost.matrices(self.key, source)
        recurrence = self.encoder.flops(source) + cost.matrices(self.from_context, source)
        recurrence += cost.matrices(self.from_token, target) + cost.matrices(self.from_state, target) - queries
        return {
            "embedding": self.door.flops(source),
            "recurrence": recurrence,
            "attention": keys + queries + 2 * target * source * pairs,
            "feedforward": cost.matrices(self.start, 1) + cost.matrices(self.out, target),
            "head": cost.matrices(self.head, target),
        }

    def chain(self, source: int, target: int) -> int:
        """layers x source states, then query, energies and average a target token; start, layer before head, head.

        A general score has no query, a location's energies are its query; a uniform one waits for nothing.
        """
        each = {"general": 2, "location": 2, "uniform": 1}.get(self.config.score, 3)
        return self.door.chain + self.encoder.chain(source) + each * target + 3

    def path(self, source: int, place: int) -> int:
        """One step of the encoder, one attention: what was gathered goes into the features as it is."""
        return 2

    def _keys(self, states: Float[Tensor, "B S H"]) -> Float[Tensor, "B S A"]:
        """What a query is compared with. Raises BadInput where a source is too long for a "location" score."""
        c, size = self.config, states.shape[1]
        if c.score == "location" and size > c.longest:
            raise BadInput(
                f"bahdanau: a source of {size} elements, but score=location tells longest={c.longest} apart; "
                f"set bahdanau.longest={size} or more, or take another score"
            )
        if self.key is None:
            return states[..., :0]
        keys: Tensor = self.key(states)
        return functional.normalize(keys, dim=-1) if c.score == "cosine" else keys

    def _gates(self, y: Tensor) -> Tensor:
        """What tokens add to reset, update and candidate (..., 3H)."""
        with scope.part("recurrence"):
            gates: Tensor = self.from_token(y)
        return gates

    def _loop(self, gates: Tensor, hidden: Tensor, memory: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """All states (B, T, H) and weights (B, T, S)."""
        if self.energy is not None and memory["keys"].shape[2] and _learns_by_hand(gates):
            return attended(hidden, gates, memory, self.from_state.weight, self.from_state.bias, self.energy)
        states, weights = [], []
        for entering in gates.unbind(1):
            hidden, weight = self._advance(entering, hidden, memory)
            states.append(hidden)
            weights.append(weight)
        return torch.stack(states, 1), torch.stack(weights, 1)

    def _advance(self, gates: Tensor, hidden: Tensor, memory: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """s_i and the weights a_i (B, S); `gates` is what y_{i-1} adds to reset, update and candidate."""
        with scope.part("recurrence"):
            query, recurrent = self.from_state(hidden).split([self.queries, gates.shape[1]], -1)
        with scope.part("attention"):
            query = hidden if self.config.score == "general" else query
            weights = (self._energies(query, memory) + memory["bias"]).softmax(-1)
            gathered = (weights[:, None] @ memory["gates"])[:, 0]
        with scope.part("recurrence"):
            reset, update, candidate = (gates + gathered).chunk(3, -1)
            reset_by, update_by, candidate_by = recurrent.chunk(3, -1)
            update = (update + update_by).sigmoid()
            candidate = (candidate + (reset + reset_by).sigmoid() * candidate_by).tanh()
            return torch.lerp(candidate, hidden, update), weights

    def _energies(self, query: Tensor, memory: dict[str, Any]) -> Tensor:
        """e_i (B, S), nothing masked."""
        if self.energy is not None and memory["grown"] is not None and not memory["keys"].shape[2]:
            return scores.bent(query, memory["grown"]) @ self.energy
        return scores.SCORES[self.config.score](query, memory["keys"], self.energy)

    def _features(self, hidden: Tensor, context: Tensor, y: Tensor) -> Tensor:
        with scope.part("feedforward"):
            return self.dropout(self.out(self.dropout(torch.cat([hidden, context, y], -1))).tanh())


def _learns_by_hand(x: Tensor) -> bool:
    """Whether gradients of the loop are asked for, in one precision, and of no compiler, which derives its own."""
    if not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    return not torch.is_autocast_enabled(x.device.type)


MODEL = Bahdanau
