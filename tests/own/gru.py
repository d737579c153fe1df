"""GRU: h_t = z_t h_{t-1} + (1 - z_t) tanh(W x_t + r_t U h_{t-1})  (Cho et al., 2014)."""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from models import Model, State
from models.layers.embedding import Door


class Gru(Model):
    """One GRU reads; another starts from its last state and writes."""

    @dataclasses.dataclass(frozen=True)
    class Config:
        width: int = 256  # of the embeddings and of both GRUs

    def __init__(self, spec, config=None):
        super().__init__(spec, config)
        width = self.config.width
        self.door = Door(spec, width)  # tokens, vectors or patches of a picture: all become (B, S, D)
        self.reader = nn.GRU(width, width, batch_first=True)
        self.writer = nn.GRUCell(width, width)
        self.head = self.door.head(spec, width)

    def encode(self, source, source_length, room):
        states, _ = self.reader(self.door.read(source))
        last = states[torch.arange(len(states)), source_length - 1]  # what comes after is padding
        return State(memory={}, carry={"hidden": last})

    def step(self, token, state):
        hidden = self.writer(self.door.write(token), state.carry["hidden"])
        return hidden, State(state.memory, {"hidden": hidden})


MODEL = Gru
