"""Transformer: softmax(Q K' / sqrt(d)) V in several heads, no recurrence  (Vaswani et al., 2017)."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from models import Model, Source, State, teacher_inputs
from models.layers import cost, norms, scope
from models.layers.dropout import Dropout
from models.layers.embedding import Door, Embedding, within
from models.layers.norms import normalised
from tasks import BadInput, Batch, Chance, Depth, Size, Spec


class Transformer(Model):
    """Encoder and decoder of self-attention, the decoder also attending to what was read."""

    widths = ("width", "feedforward")

    @dataclasses.dataclass(frozen=True)
    class Config(Model.Config):
        """Sizes in units; rates are probabilities."""

        width: Size = 256
        layers: Depth = 3  # of the encoder
        decoder_layers: Depth = 3  # each costs half as much again: it attends twice
        heads: Size = 4  # a divisor of the width
        feedforward: Size = 512
        norm: Literal["pre", "post"] = "pre"  # before each part (Xiong et al., 2020) or after its sum, as published
        normalisation: norms.Kind = "layer"
        residual: bool = True  # whether what went into a part is added to what comes out
        scaled: bool = True  # whether scores are divided by the square root of a head's width
        positions: Literal["sinusoidal", "learned", "relative", "none"] = (
            "sinusoidal"  # patches have rows, columns, too
        )
        longest: Size = 1024  # positions that are learned, of sources and of targets each
        reach: Size = 32  # distance from which on relative positions are all the same
        attention: Literal["fused", "plain"] = "fused"  # one kernel, or matrix products that keep every score
        dropout: Chance = 0.1
        word_dropout: Chance = 0.0  # source tokens that become <unk> in training

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.width % self.heads:
                raise ValueError(f"heads={self.heads} do not divide width={self.width}")

    def __init__(self, spec: Spec, config: Config | None = None) -> None:
        super().__init__(spec, config)
        c = self.config
        self.door = Door(spec, c.width, 0.0, c.word_dropout)
        self.encoder = nn.ModuleList(Block(c, across=False) for _ in range(c.layers))
        self.decoder = nn.ModuleList(Block(c, across=True) for _ in range(c.decoder_layers))
        final: norms.Kind = c.normalisation if c.norm == "pre" else "none"
        self.read_norm, self.write_norm = (norms.normalisation(final, c.width) for _ in range(2))
        self.dropout = Dropout(c.dropout)
        self.head = self.door.head(spec, c.width)
        learned = c.positions == "learned"  # drawn last: all other weights start alike with any positions
        self.read_places, self.write_places = (Embedding(c.longest, c.width) if learned else None for _ in range(2))

    def _decoder(self) -> list[Block]:
        return [block for block in self.decoder if isinstance(block, Block)]

    def encode(self, source: Source, source_length: Int[Tensor, " B"], room: int) -> State:
        """Keys and values of the source for every decoder layer, and empty caches for `room` tokens.

        Raises BadInput where a source is longer than the positions that are learned; so do `step` and `forward`.
        """
        x = self._placed(self.door.read(source), self.read_places)
        real = within(source_length, x.shape[1], x.device)
        # the fastest kernels of a GPU take no mask; lengths are on the CPU, so that asking for them stalls nothing
        inside = real[:, None, None] if int(source_length.min()) < x.shape[1] else None  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, inside, real=real)
        x = normalised(self.read_norm, x, real)
        across = tuple(block.over(x) for block in self._decoder())
        return State({"across": across, "inside": inside}, {"cache": None, "position": 0, "room": room})

    def step(self, token: Int[Tensor, " B"], state: State) -> tuple[Float[Tensor, "B H"], State]:
        """One position, with the keys and values of those before it from the cache."""
        at, room = state.carry["position"], state.carry["room"]
        x = self._placed(self.door.write(token)[:, None], self.write_places, at)  # (B, 1, D)
        cache = state.carry["cache"] or tuple(block.itself.cache(len(x), room, x) for block in self._decoder())
        watched = []
        for block, old, across in zip(self._decoder(), cache, state.memory["across"], strict=True):
            x, weights = block.advance(x, old, at, across, state.memory["inside"], self._watching)
            watched += [] if weights is None else [weights]
        carry = {"cache": cache, "position": at + 1, "room": room}
        return normalised(self.write_norm, x, None)[:, 0], State(state.memory, carry, *_seen(watched))

    def forward(self, batch: Batch) -> Float[Tensor, "B T H"]:
        """Every target position at once; none sees those after it."""
        inputs = teacher_inputs(batch.target)
        state = self.encode(batch.source, batch.source_length, inputs.shape[1])
        x = self._placed(self.door.write(inputs), self.write_places)
        real = within(batch.target_length, x.shape[1], x.device) if self.config.normalisation == "batch" else None
        for block, across in zip(self._decoder(), state.memory["across"], strict=True):
            x = block(x, None, across, state.memory["inside"], real)
        return normalised(self.write_norm, x, real)

    def _placed(self, x: Float[Tensor, "B T D"], learned: Embedding | None, start: int = 0) -> Float[Tensor, "B T D"]:
        """`x` with the position of each element added, the first of them `start`."""
        end, width = start + x.shape[1], x.shape[2]
        if learned is not None:
            if end > learned.num_embeddings:
                raise BadInput(
                    f"transformer: a sequence of {end} elements or more, but positions=learned has longest="
                    f"{learned.num_embeddings}; set transformer.longest={end} or more, or take other positions"
                )
            x = x + learned(torch.arange(start, end, device=x.device))
        elif self.config.positions == "sinusoidal":
            x = x + positions(end, width, x.device, x.dtype)[start:]
        return self.dropout(x)

    def flops(self, source: int, target: int) -> dict[str, float]:
        """Two a weight and position; attention adds 4 D a pair of positions, where the i-th of a decoder meets i."""
        c = self.config
        causal = target * (target + 1) // 2
        pairs = c.layers * source**2 + c.decoder_layers * (causal + source * target)
        maps, feedforward = 0.0, 0.0
        for rows, blocks in ((source, self.encoder), (target, self.decoder)):
            for block in blocks:
                assert isinstance(block, Block)
                maps += block.itself.flops(rows, rows)
                maps += 0.0 if block.across is None else block.across.flops(rows, source)
                feedforward += block.flops(rows)
        return {
            "embedding": self.door.flops(source),
            "attention": maps + 4 * c.width * pairs,
            "feedforward": feedforward,
            "head": cost.matrices(self.head, target),
        }

    def path(self, source: int, place: int) -> int:
        """One attention across."""
        return 1

    def chain(self, source: int, target: int) -> int:
        """Whatever the lengths: 6 a layer of the encoder, 10 of the decoder (its first waits after 4), keys, head."""
        return self.door.chain + 6 * self.config.layers + 10 * self.config.decoder_layers - 3


def _seen(watched: list[Tensor]) -> tuple[Tensor | None, Tensor | None]:
    """What a step shows of itself, from (B, heads, S) by layer: the last layer's mean over heads, and all of it."""
    return (watched[-1].mean(1), torch.stack(watched, 1)) if watched else (None, None)


class Block(nn.Module):
    """Self-attention, attention across (in a decoder) and a feed-forward net, each with a residual."""

    def __init__(self, config: Transformer.Config, across: bool) -> None:
        super().__init__()
        c = config
        self.pre = c.norm == "pre"
        self.residual = c.residual
        plain = c.attention == "plain"
        self.itself = Attention(c.width, c.heads, plain, c.scaled, c.reach if c.positions == "relative" else 0)
        self.across = Attention(c.width, c.heads, plain, c.scaled) if across else None
        self.wide, self.narrow = nn.Linear(c.width, c.feedforward), nn.Linear(c.feedforward, c.width)
        self.norms = nn.ModuleList(norms.normalisation(c.normalisation, c.width) for _ in range(3 if across else 2))
        self.dropout = Dropout(c.dropout)

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        inside: Bool[Tensor, "B 1 1 T"] | None,
        across: tuple[Tensor, Tensor] | None = None,
        source_inside: Bool[Tensor, "B 1 1 S"] | None = None,
        real: Bool[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T D"]:
        """All positions at once; in a decoder none sees those after it. Without `inside` nothing is padding.

        `real` is where `x` is no padding.
        """
        causal = self.across is not None
        x = self._add(x, 0, lambda y: self.itself(y, self.itself.keys_values(y), inside, causal), real)
        if self.across is not None:
            attend = self.across
            x = self._add(x, 1, lambda y: attend(y, across, source_inside), real)
        return self._add(x, -1, self._feed, real)

    def over(self, x: Float[Tensor, "B S D"]) -> tuple[Tensor, Tensor]:
        """Keys and values of what was read, for a decoder's attention across."""
        assert self.across is not None
        return self.across.keys_values(x)

    def advance(
        self,
        x: Float[Tensor, "B 1 D"],
        cache: tuple[Tensor, Tensor],
        at: int,
        across: tuple[Tensor, Tensor],
        inside: Bool[Tensor, "B 1 1 S"] | None,
        watching: bool,
    ) -> tuple[Float[Tensor, "B 1 D"], Float[Tensor, "B h S"] | None]:
        """One position of a decoder; writes its keys and values into the cache at place `at`.

        Under `watching` with the weights of each head over the source.
        """
        assert self.across is not None
        attend, weights = self.across, None
        x = self._add(x, 0, lambda y: self._itself(y, cache, at))
        if watching:
            y = normalised(self.norms[1], x, None) if self.pre else x
            weights = attend.weights(y, across[0], inside)[:, :, 0]
        x = self._add(x, 1, lambda y: attend(y, across, inside))
        return self._add(x, -1, self._feed), weights

    def _itself(self, y: Tensor, cache: tuple[Tensor, Tensor], at: int) -> Tensor:
        for old, new in zip(cache, self.itself.keys_values(y), strict=True):
            old[:, :, at : at + 1] = new
        mixed: Tensor = self.itself(y, (cache[0][:, :, : at + 1], cache[1][:, :, : at + 1]))
        return mixed

    def _feed(self, y: Tensor) -> Tensor:
        with scope.part("feedforward"):
            out: Tensor = self.narrow(self.dropout(self.wide(y).relu()))
        return out

    def flops(self, rows: int) -> float:
        """Of the feed-forward net."""
        return cost.matrices(self.wide, rows) + cost.matrices(self.narrow, rows)

    def _add(self, x: Tensor, norm: int, part: Callable[[Tensor], Tensor], real: Tensor | None = None) -> Tensor:
        """Residual, unless there is none, with its normalisation before the part or after the sum."""
        out = self.dropout(part(normalised(self.norms[norm], x, real) if self.pre else x))
        out = x + out if self.residual else out
        return out if self.pre else normalised(self.norms[norm], out, real)


class Attention(nn.Module):
    """Multi-head attention (section 3.2.2): h heads of width D / h, side by side.

    Fused, no score is ever stored; `plain` stores all of them, (B, heads, T, S). Not `scaled`, scores are dot products
    as they are, which grow with the square root of d (3.2.1, where that is the reason to divide them).

    With a `reach`, each head adds to a score what it has learned of the distance, all beyond `reach` alike (Shaw et
    al., 2018, in the form of Raffel et al., 2020, 2.1). It starts with what lies near, as Press et al. (2022) leave it:
    minus the distance, times 1 for the first head and down to almost 1/256 for the last.
    """

    def __init__(self, width: int, heads: int, plain: bool = False, scaled: bool = True, reach: int = 0) -> None:
        super().__init__()
        self.heads, self.plain, self.scaled = heads, plain, scaled
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        for layer in (self.query, self.key_value, self.out):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        slope = 2.0 ** (-8.0 * torch.arange(heads) / heads)
        start = -slope[:, None] * torch.arange(-reach, reach + 1).abs()
        self.distance = nn.Parameter(start) if reach else None  # (heads, 2 reach + 1), from far before to far behind

    def keys_values(self, x: Float[Tensor, "B S D"]) -> tuple[Tensor, Tensor]:
        """Keys and values, each (B, heads, S, d)."""
        with scope.part("attention"):
            key, value = self.key_value(x).view(*x.shape[:2], 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        return key, value

    def flops(self, asking: int, answering: int) -> float:
        """Of the linear maps: queries and what goes out for those that ask, keys and values of those that answer."""
        asked = cost.matrices(self.query, asking) + cost.matrices(self.out, asking)
        return asked + cost.matrices(self.key_value, answering)

    def cache(self, size: int, room: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Room for the keys and values of `room` positions, taken once."""
        shape = (size, self.heads, room, like.shape[-1] // self.heads)
        return like.new_zeros(shape), like.new_zeros(shape)

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        keys_values: tuple[Tensor, Tensor],
        inside: Bool[Tensor, "B 1 1 S"] | None = None,
        causal: bool = False,
    ) -> Float[Tensor, "B T D"]:
        """What each position gathers from the values it attends to."""
        key, value = keys_values
        with scope.part("attention"):
            if self.plain:
                mixed = self.weights(x, key, inside, causal) @ value
            else:
                added = self._added(x.shape[1], key, inside, causal)
                alone = causal and self.distance is None
                mixed = functional.scaled_dot_product_attention(
                    self._heads(x), key, value, attn_mask=added, is_causal=alone, scale=None if self.scaled else 1.0
                )
            out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out

    def weights(
        self, x: Tensor, key: Tensor, inside: Tensor | None = None, causal: bool = False
    ) -> Float[Tensor, "B h T S"]:
        """The attention itself, which the fused kernel does not give away."""
        scores = self._heads(x) @ key.transpose(-1, -2)
        scores = scores / math.sqrt(key.shape[-1]) if self.scaled else scores
        if causal and self.distance is None:
            inside = _past(x.shape[1], key.shape[2], x.device)
        added = self._added(x.shape[1], key, inside, causal)
        if added is not None:
            scores = scores + added if self.distance is not None else scores.masked_fill(~added, float("-inf"))
        return scores.softmax(-1)

    def _added(self, asking: int, key: Tensor, inside: Tensor | None, causal: bool) -> Tensor | None:
        """A mask, True where to look; with relative positions what is added to scores, -inf where not to look.

        Those that ask are the last of those that answer.
        """
        if self.distance is None:
            return inside
        answering, reach = key.shape[2], self.distance.shape[1] // 2
        place = torch.arange(answering, device=key.device)
        apart = (place - place[answering - asking :, None]).clamp(-reach, reach) + reach  # (T, S)
        added = self.distance[:, apart].to(key.dtype)  # (heads, T, S)
        if causal:
            added = added.masked_fill(~_past(asking, answering, key.device), float("-inf"))
        return added[None] if inside is None else added.masked_fill(~inside, float("-inf"))

    def _heads(self, x: Tensor) -> Tensor:
        query: Tensor = self.query(x).view(*x.shape[:2], self.heads, -1).transpose(1, 2)  # (B, heads, T, d)
        return query


def _past(asking: int, answering: int, device: torch.device) -> Bool[Tensor, "T S"]:
    """True where one of the last `asking` places may look at one of all: at itself and before."""
    return torch.ones(asking, answering, dtype=torch.bool, device=device).tril(answering - asking)


@functools.lru_cache(maxsize=16)
def _table(size: int, width: int, device: torch.device, kind: torch.dtype) -> Tensor:
    place = torch.arange(size, dtype=torch.float64)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float64) * (-math.log(10_000.0) / width))
    table = torch.zeros(size, width, dtype=torch.float64)
    table[:, 0::2] = torch.sin(place * rate)
    table[:, 1::2] = torch.cos(place * rate[: width // 2])
    return table.to(device, kind)


def positions(size: int, width: int, device: torch.device, kind: torch.dtype) -> Float[Tensor, "S D"]:
    """Sines and cosines of geometrically spaced wavelengths (section 3.5), from a table that grows by doubling."""
    return _table(max(64, 1 << (size - 1).bit_length()), width, device, kind)[:size]


MODEL = Transformer
