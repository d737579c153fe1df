"""The door: where tokens and vectors become features, and features become tokens again.

Sources differ only here: an embedding for tokens, a linear map for plain vectors, a small
convolutional encoder for patches of a picture.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from models.layers import cost
from models.layers.dropout import Dropout
from tasks import SPECIALS, UNK, Spec


class Embedding(nn.Embedding):
    """Token embeddings drawn with deviation 1/sqrt(D) and read times sqrt(D), so that a head can share them."""

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__(vocabulary, width)
        nn.init.normal_(self.weight, std=width**-0.5)

    def forward(self, token: Int[Tensor, "*N"]) -> Float[Tensor, "*N D"]:
        """Tokens as vectors of about unit variance."""
        return super().forward(token) * math.sqrt(self.embedding_dim)


class Door(nn.Module):
    """Sources as features (B, S, D), and the embedding of targets."""

    def __init__(self, spec: Spec, width: int, dropout: float = 0.0, word_dropout: float = 0.0) -> None:
        super().__init__()
        self.tokens = spec.source == "tokens"
        if self.tokens:
            self.source: nn.Module = Embedding(spec.source_size, width)
        elif spec.patch_shape is not None:
            self.source = Patches(spec.patch_shape, width)
        else:
            self.source = nn.Linear(spec.source_size, width)
        self.places = Places(spec.grid, width) if spec.grid and not self.tokens else None
        shared = self.tokens and spec.joint_vocabulary and isinstance(self.source, Embedding)
        self.target = self.source if shared else Embedding(target_vocabulary(spec), width)
        self.dropout = Dropout(dropout)
        self.word_dropout = word_dropout
        self.embedded = nn.Identity()  # where a hook sees x_t, the embedded source at every position

    def read(self, source: Tensor) -> Float[Tensor, "B S D"]:
        """Features of a source of tokens (B, S) or vectors (B, S, F)."""
        if self.tokens and self.training and self.word_dropout:
            lost = torch.rand(source.shape, device=source.device) < self.word_dropout
            source = source.masked_fill(lost & (source >= len(SPECIALS)), UNK)
        x = self.source(source)
        x = self.dropout(x if self.places is None else x + self.places(x.shape[1]))
        embedded: Tensor = self.embedded(x)
        return embedded

    def write(self, token: Int[Tensor, "*N"]) -> Float[Tensor, "*N D"]:
        """Features of target tokens that a decoder reads."""
        return self.dropout(self.target(token))

    def flops(self, source: int) -> float:
        """Of reading `source` elements: convolutions and the linear map of vectors; tokens are looked up."""
        if isinstance(self.source, Patches):
            return self.source.flops(source)
        return 0.0 if self.tokens else cost.matrices(self.source, source)

    @property
    def chain(self) -> int:
        """Products in a row before an element is read: none for tokens, one for vectors, three for patches."""
        if isinstance(self.source, Patches):
            return self.source.chain
        return 0 if self.tokens else 1

    def head(self, spec: Spec, width: int) -> nn.Linear:
        """Features (D) to logits, sharing the target embedding where targets are text (Press and Wolf, 2017)."""
        head = nn.Linear(width, spec.target_size)
        if spec.max_target > 1 and isinstance(self.target, Embedding):
            head.weight = self.target.weight
        nn.init.zeros_(head.bias)
        return head


class Places(nn.Module):
    """Where each patch lies: the sum of a learned vector for its row and one for its column."""

    def __init__(self, grid: tuple[int, int], width: int) -> None:
        super().__init__()
        self.grid = grid
        self.row, self.column = Embedding(grid[0], width), Embedding(grid[1], width)

    def forward(self, size: int) -> Float[Tensor, "S D"]:
        """The first `size` places, row by row; what lies behind the grid is padding and gets the last one."""
        rows, columns = self.grid
        place = torch.arange(size, device=self.row.weight.device).clamp(max=rows * columns - 1)
        return self.row(place // columns) + self.column(place % columns)


class Patches(nn.Module):
    """Each patch of a picture, on its own, through two strided convolutions and a linear map: (B, S, F) to (B, S, D).

    A patch of zeros (an empty cell, or padding) becomes a vector of zeros; on a CPU it costs nothing.
    """

    chain = 3  # products in a row

    def __init__(self, shape: tuple[int, int, int], width: int, filters: int = 16) -> None:
        super().__init__()
        self.shape = shape
        self.fine = nn.Conv2d(shape[0], filters, 5, stride=2, padding=2)
        self.coarse = nn.Conv2d(filters, 2 * filters, 3, stride=2, padding=1)
        self.out = nn.Linear(2 * filters * quartered(shape[1]) * quartered(shape[2]), width)
        self.norm = nn.LayerNorm(width)  # unit variance, as tokens have: else positions drown what is seen
        for layer in (self.fine, self.coarse):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # He et al., 2015

    def forward(self, source: Float[Tensor, "B S F"]) -> Float[Tensor, "B S D"]:
        """Features of every patch."""
        patches = source.flatten(0, 1)  # (B * S, F)
        # how many are seen, a GPU would have to tell the host, which stalls it: there all are computed
        features = self.of_all(patches) if patches.is_cuda else self.of_the_seen(patches)
        return features.view(*source.shape[:2], -1)

    def of_all(self, patches: Float[Tensor, "N F"]) -> Float[Tensor, "N D"]:
        """Features of every patch, those of the unseen zeroed afterwards."""
        return self._features(patches).masked_fill(~patches.any(-1, keepdim=True), 0)

    def of_the_seen(self, patches: Float[Tensor, "N F"]) -> Float[Tensor, "N D"]:
        """The same, none computed for the unseen."""
        seen = patches.any(-1)
        y = self._features(patches[seen])
        out = y.new_zeros(len(seen), y.shape[1])  # of y's type: autocast may have changed it
        return out.masked_scatter(seen[:, None], y)

    def flops(self, patches: int) -> float:
        """Of `patches` that are not empty: two a filter's weight and place, two a weight of the linear map."""
        height, width = self.shape[1:]
        fine = self.fine.weight.numel() * halved(height) * halved(width)
        coarse = self.coarse.weight.numel() * quartered(height) * quartered(width)
        return 2 * patches * (fine + coarse) + cost.matrices(self.out, patches)

    def _features(self, patches: Tensor) -> Tensor:
        x = self.coarse(self.fine(patches.reshape(-1, *self.shape)).relu()).relu()  # (N, C', h / 4, w / 4)
        y: Tensor = self.norm(self.out(x.flatten(1)))
        return y


def halved(side: int) -> int:
    """What is left of a side after a convolution of stride two."""
    return (side + 1) // 2


def quartered(side: int) -> int:
    """What is left of a side after two of them."""
    return halved(halved(side))


def target_vocabulary(spec: Spec) -> int:
    """Tokens that a decoder may have to read: at least BOS, also where answers are numbers."""
    return max(spec.target_size, len(SPECIALS))


def within(length: Int[Tensor, " B"], size: int, device: torch.device) -> Bool[Tensor, "B S"]:
    """True where a position lies inside its sequence, False on padding."""
    return torch.arange(size, device=device) < length.to(device, non_blocking=True)[:, None]
