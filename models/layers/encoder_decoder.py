"""Encoder-decoder on a fixed vector: the decoder starts from the encoder's last state (Sutskever et al., 2014).

The recurrent cell is all in which the vanilla RNN and the LSTM differ, and so all that their files hold.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models import Model, Source, State, teacher_inputs
from models.layers import cost, scope
from models.layers.dropout import Dropout
from models.layers.embedding import Door
from models.layers.recurrent import Cell, Drawn, Recurrent, fused, highest, initialised
from tasks import Batch, Chance, Depth, Range, Size, Spec

Gain = Annotated[float, Range(0, 10, "(]")]


class EncoderDecoder(Model):
    """Reads with `Recurrent`, keeps one vector, writes with one recurrent stack that starts from it."""

    cell: ClassVar[Cell]
    starts: ClassVar[int] = 1  # tensors in the cell's state: h, or h and c

    @dataclasses.dataclass(frozen=True)
    class Config(Model.Config):
        """Sizes in units; rates are probabilities."""

        width: Size = 256  # of the embeddings and the features
        hidden: Size = 256  # recurrent units, each direction and the decoder
        layers: Depth = 1  # of the encoder and of the decoder
        bidirectional: bool = True
        dropout: Chance = 0.2
        word_dropout: Chance = 0.0  # source tokens that become <unk> in training
        feed: bool = True  # the vector also enters every decoder step and its output (Cho et al., 2014)
        pool: Literal["highest", "last"] = "highest"  # states that a label is told from: the maximum over time, or one
        start: Literal["orthogonal", "uniform"] = "orthogonal"  # how the recurrent layers' first weights are drawn,
        gain: Gain = 1.0  # and by what they are multiplied,
        input_gain: Gain = 1.0  # those of what enters a layer, not the recurrent ones, by this besides
        forget: Annotated[float, Range(-100, 100)] = 1.0  # first bias of an LSTM's forget gate
        truncate: Annotated[int, Range(0, 1_000_000)] = 0  # source elements, the last, that gradients pass; 0: all

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.truncate and self.bidirectional:
                raise ValueError("truncate: gradients are cut off in one direction; expected bidirectional=false")

    def __init__(self, spec: Spec, config: Config | None = None) -> None:
        super().__init__(spec, config)
        c = self.config
        cell = type(self).cell
        self.door = Door(spec, c.width, c.dropout, c.word_dropout)
        drawn = Drawn(c.start, c.gain, c.forget, c.input_gain)
        self.encoder = Recurrent(cell, c.width, c.hidden, c.layers, c.bidirectional, c.dropout, drawn, c.truncate)
        self.bridge = nn.Linear(self.encoder.size, self.starts * c.layers * c.hidden)
        fed = self.encoder.size if c.feed else 0
        self.decoder = initialised(cell(c.width + fed, c.hidden, c.layers, batch_first=True), drawn)
        self.out = nn.Linear(c.hidden + fed, c.width)
        self.dropout = Dropout(c.dropout)
        self.head = self.door.head(spec, c.width)

    def encode(self, source: Source, source_length: Int[Tensor, " B"], room: int) -> State:
        """One vector a source: the last states; for a label the maximum over time by default (Conneau et al., 2017)."""
        states, last = self.encoder(self.door.read(source), source_length)
        pooled = self.spec.max_target == 1 and self.config.pool == "highest"
        vector = highest(states, source_length) if pooled else last
        with scope.part("feedforward"):
            start = self.bridge(self.dropout(vector)).tanh()
        start = start.view(len(vector), self.starts, self.config.layers, -1)
        return State({"vector": vector}, {"hidden": tuple(start.unbind(1))})  # each (B, layers, H)

    def step(self, token: Int[Tensor, " B"], state: State) -> tuple[Float[Tensor, "B H"], State]:
        """One recurrent step."""
        features, hidden = self._write(token[:, None], state)
        return features[:, 0], State(state.memory, {"hidden": hidden})

    def forward(self, batch: Batch) -> Float[Tensor, "B T H"]:
        """Every target position in one fused call."""
        inputs = teacher_inputs(batch.target)
        return self._write(inputs, self.encode(batch.source, batch.source_length, inputs.shape[1]))[0]

    def flops(self, source: int, target: int) -> dict[str, float]:
        """Two a weight and position; feed-forward are the bridge, met once, and the layer before the head."""
        return {
            "embedding": self.door.flops(source),
            "recurrence": self.encoder.flops(source) + cost.matrices(self.decoder, target),
            "feedforward": cost.matrices(self.bridge, 1) + cost.matrices(self.out, target),
            "head": cost.matrices(self.head, target),
        }

    def chain(self, source: int, target: int) -> int:
        """layers x (source + target) states, one after another; bridge, layer before the head, and head."""
        return self.door.chain + self.encoder.chain(source) + self.config.layers * target + 3

    def path(self, source: int, place: int) -> int:
        """To the end of the way that is shorter, and one step of the decoder; where all states are pooled, to any."""
        if self.spec.max_target == 1 and self.config.pool == "highest":
            return 2
        return 1 + (min(source - place, place + 1) if self.config.bidirectional else source - place)

    def _write(self, inputs: Int[Tensor, "B T"], state: State) -> tuple[Tensor, tuple[Tensor, ...]]:
        x = self.door.write(inputs)  # (B, T, D)
        fed = [state.memory["vector"][:, None].expand(-1, x.shape[1], -1)] if self.config.feed else []
        x = torch.cat([x, *fed], -1)
        start = tuple(h.transpose(0, 1).contiguous() for h in state.carry["hidden"])  # torch wants (layers, B, H)
        with scope.part("recurrence"):
            states, end = fused(self.decoder, x, start if self.starts > 1 else start[0])
        end = end if isinstance(end, tuple) else (end,)
        with scope.part("feedforward"):
            features = self.dropout(self.out(self.dropout(torch.cat([states, *fed], -1))).tanh())
        return features, tuple(h.transpose(0, 1) for h in end)
