"""Echo-state network: r_t = (1 - a) r_{t-1} + a tanh(W r_{t-1} + Win u_t), only the readout is learned  (Jaeger, 2001).

Reservoirs read the source, in both directions; another writes, driven by the token before and by
what was read. The readout is ridge regression, solved in closed form (bench/learning/ridge.py).
reservoirpy draws every matrix; torch runs the recurrence over the whole batch.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models import Model, Source, State, teacher_inputs
from models.layers import cost, scope
from models.layers.embedding import Patches, target_vocabulary, within
from models.layers.recurrent import turn
from models.layers.sparse import Sparse
from tasks import Batch, Range, Share, Spec

LINKS = 2  # recurrent weights a unit, below which a reservoir may hold no circle: its spectral radius would be zero
MANY, FEW = 200, 0.3  # units from which, and share of links up to which, a sparse product is the faster one
Units = Annotated[int, Range(3, 20_000)]  # of fewer, reservoirpy finds no spectral radius
Scale = Annotated[float, Range(0, 1000)]
States = Annotated[int, Range(0, 1_000_000)]


class EchoState(Model):
    """Fixed random recurrence, linear readout."""

    learning = "ridge"
    drawn = "reservoir"
    widths = ("units", "writer")

    @dataclasses.dataclass(frozen=True)
    class Config(Model.Config):
        """Sizes in units; one reservoir a leak rate, side by side, so that several memories of unlike length form."""

        units: Units = 500  # of each reservoir that reads
        writer: Units = 1000  # units of the reservoir that writes; none is used where the answer is a label
        leaks: tuple[Share, ...] = (0.5,)  # share of the new state let in at each tick, by reservoir
        writer_leak: Share = 0.5
        radius: Annotated[float, Range(0, 10)] = 0.9  # spectral radius of the recurrence
        input_scaling: Scale = 1.0
        context_scaling: Scale = 0.3  # of what was read, as input of the reservoir that writes
        connectivity: Share = 0.1  # share of recurrent weights that are not zero
        input_connectivity: Share = 0.1
        washout: States = 0  # first states that are left out of the mean where the answer is a label
        pool: Literal["mean", "last"] = "mean"  # of which states a label is told: all after the washout, or one
        bidirectional: bool = True

        def __post_init__(self) -> None:
            super().__post_init__()
            for name in ("units", "writer"):
                links = getattr(self, name) * self.connectivity
                if links < LINKS:
                    raise ValueError(
                        f"{name}={getattr(self, name)} at connectivity={self.connectivity} leave {links:.2g} "
                        f"weights a unit; expected {LINKS} or more"
                    )

        def sized(self, **sizes: int) -> Any:
            """A reservoir too small for its connectivity gets more of it, so that each unit keeps its links."""
            fewest = min(sizes.get(name, getattr(self, name)) for name in ("units", "writer"))
            enough = LINKS / max(1, fewest) * (1 + 1e-12)  # times the units it must not be rounded below LINKS
            changed: dict[str, Any] = {**sizes, "connectivity": min(1.0, max(self.connectivity, enough))}
            return dataclasses.replace(self, **changed)

    def __init__(self, spec: Spec, config: Config | None = None) -> None:
        super().__init__(spec, config)
        c = self.config
        ways = 2 if c.bidirectional else 1
        self.filters = None
        inputs = spec.source_size
        if spec.patch_shape is not None:
            inputs = 64
            self.filters = Patches(spec.patch_shape, inputs)  # random, and fixed like the rest
        self.readers = nn.ModuleList(Reservoir(c.units, inputs, leak, c) for leak in c.leaks for _ in range(ways))
        read = c.units * len(self.readers)
        self.writer = None
        if spec.max_target > 1:
            self.writer = Reservoir(c.writer, target_vocabulary(spec), c.writer_leak, c, context=read)
        self.embedded = nn.Identity()  # where a hook sees x_t, what each element drives a reader with
        self.requires_grad_(False)
        self.head = nn.Linear(read + (c.writer if self.writer else 0), spec.target_size)

    def encode(self, source: Source, source_length: Int[Tensor, " B"], room: int) -> State:
        """What was read: the last states, or where the answer is a label the mean of all after the washout."""
        if self.filters is not None:
            source = self.filters(source)
        turned = turn(source_length, source.shape[1], source.device)
        inside = within(source_length, source.shape[1], source.device)
        mean = self.writer is None and self.config.pool == "mean"
        read = []
        for place, reader in enumerate(self.readers):
            assert isinstance(reader, Reservoir)
            states = self._states(reader, source, turned if self.config.bidirectional and place % 2 else None)
            read.append(self._mean(states, inside) if mean else last(states, source_length))
        vector = torch.cat(read, -1)  # (B, units x reservoirs)
        if self.writer is None:
            return State({"read": vector}, {})
        start = vector.new_zeros(len(vector), self.config.writer)
        return State({"read": vector, "drive": self.writer.context(vector)}, {"state": start})

    def _states(self, reader: Reservoir, source: Tensor, turned: Tensor | None) -> Tensor:
        """States of a reader, which reads backwards if `turned`."""
        if torch.is_grad_enabled():  # somebody asks how the end depends on what was read
            drive = self.embedded(reader.drive(source))
            return reader.driven(drive if turned is None else drive.gather(1, turned.expand_as(drive)))
        if turned is not None:
            source = source.gather(1, turned[..., 0] if source.dim() == 2 else turned.expand_as(source))
        return reader(source)

    def _mean(self, states: Tensor, inside: Tensor) -> Tensor:
        late = torch.arange(states.shape[1], device=states.device) >= self.config.washout
        counted = inside & (late | (inside.sum(1, keepdim=True) <= self.config.washout))  # short ones count whole
        weight = counted.to(states.dtype)[..., None]
        return (states * weight).sum(1) / weight.sum(1)

    def step(self, token: Int[Tensor, " B"], state: State) -> tuple[Float[Tensor, "B H"], State]:
        """One tick of the reservoir that writes; features are its state beside what was read."""
        if self.writer is None:
            return state.memory["read"], state
        drive = self.writer.drive(token) + state.memory["drive"]
        with scope.part("recurrence"):
            now = self.writer.tick(state.carry["state"], drive)
        return torch.cat([now, state.memory["read"]], -1), State(state.memory, {"state": now})

    def forward(self, batch: Batch) -> Float[Tensor, "B T H"]:
        """Every tick after another, the inputs of all of them at once."""
        inputs = teacher_inputs(batch.target)
        state = self.encode(batch.source, batch.source_length, inputs.shape[1])
        read = state.memory["read"][:, None].expand(-1, inputs.shape[1], -1)
        if self.writer is None:
            return read
        states = self.writer(inputs, state.memory["drive"])
        return torch.cat([states, read], -1)

    def flops(self, source: int, target: int) -> dict[str, float]:
        """Only weights that are not zero count, as in a sparse product; what was read drives the writer once."""
        readers = [reader for reader in self.readers if isinstance(reader, Reservoir)]
        recurrence = sum(reader.flops("recurrent", source) for reader in readers)
        entry = sum(reader.flops("entry", source) for reader in readers) if self.spec.source == "vectors" else 0.0
        if self.writer is not None:
            recurrence += self.writer.flops("mix", 1) + self.writer.flops("recurrent", target)
        filters = self.filters.flops(source) if self.filters is not None else 0.0
        return {"embedding": filters + entry, "recurrence": recurrence, "head": cost.matrices(self.head, target)}

    def path(self, source: int, place: int) -> int:
        """To the end of the way that is shorter, and one tick of the writer; where all states are pooled, to any."""
        if self.writer is None and self.config.pool == "mean":
            return 1
        way = min(source - place, place + 1) if self.config.bidirectional else source - place
        return way if self.writer is None else way + 1

    def chain(self, source: int, target: int) -> int:
        """A state an element; vectors first pass filters and entry, the first state beside them. What was read enters
        the writer beside its first state, too; the head comes last.
        """
        filters = self.filters.chain if self.filters is not None else 0
        return filters + source + (target if self.writer is not None else 0) + 1


class Reservoir(nn.Module):
    """Leaky units with random sparse weights of one spectral radius, drawn by reservoirpy."""

    def __init__(self, units: int, inputs: int, leak: float, config: EchoState.Config, context: int = 0) -> None:
        super().__init__()
        self.leak = leak
        self._kept: tuple[Any, Sparse | None] = (None, None)
        if torch.get_default_device().type == "meta":  # somebody asks how large it would be: nothing is drawn
            shapes = {"recurrent": (units, units), "entry": (inputs, units)} | (
                {"mix": (context, units)} if context else {}
            )
            for name, shape in shapes.items():
                setattr(self, name, nn.Parameter(torch.empty(shape), requires_grad=False))
        else:
            self._draw(units, inputs, config, context)
        shares = {"recurrent": config.connectivity, "entry": config.input_connectivity}
        self.links = {
            name: round(shares.get(name, 1.0) * w.numel()) if w.is_meta else int(w.count_nonzero())
            for name, w in self.named_parameters()
        }

    def _draw(self, units: int, inputs: int, config: EchoState.Config, context: int) -> None:
        # imported here: it takes a second, which no other model should pay
        from reservoirpy.mat_gen import bernoulli, uniform

        c = config
        seed = int(torch.randint(2**31 - 1, ()))  # from torch's generator, so that one seed makes the whole model
        draw = np.random.default_rng(seed)
        recurrent = uniform(units, units, sr=c.radius, connectivity=c.connectivity, seed=draw)
        self.recurrent = _fixed(_dense(recurrent))  # (N, N)
        entry = bernoulli(units, inputs, input_scaling=c.input_scaling, connectivity=c.input_connectivity, seed=draw)
        self.entry = _fixed(_dense(entry).T)  # (inputs, N): a token's row is its input
        if context:
            scale = c.context_scaling / context**0.5
            self.mix = _fixed(draw.normal(scale=scale, size=(context, units)))

    def flops(self, name: str, rows: int) -> float:
        """Operations of `rows` vectors with one of its sparse matrices: two a weight that is not zero."""
        return 2.0 * rows * self.links[name]

    def context(self, vector: Float[Tensor, "B M"]) -> Float[Tensor, "B N"]:
        """The constant input that what was read gives at every tick."""
        with scope.part("recurrence"):
            return vector @ self.mix

    def drive(self, source: Tensor) -> Tensor:
        """Inputs of tokens (...) or vectors (..., F), as (..., N): a token is a one-hot vector."""
        return source @ self.entry if source.is_floating_point() else self.entry[source]

    def tick(self, state: Float[Tensor, "B N"], drive: Float[Tensor, "B N"]) -> Float[Tensor, "B N"]:
        """The next state."""
        links = None if torch.compiler.is_compiling() else self._links()
        if links is None or state.requires_grad or drive.requires_grad:
            return self._densely(state, drive)
        return torch.lerp(state, _bent(links.plus(2 * drive.T, state.T.contiguous())).T, self.leak)

    def _densely(self, state: Float[Tensor, "B N"], drive: Float[Tensor, "B N"]) -> Float[Tensor, "B N"]:
        return torch.lerp(state, torch.addmm(drive, state, self.recurrent.T).tanh(), self.leak)

    def __getstate__(self) -> dict[str, Any]:
        """Without the sparse matrix: torch neither copies nor pickles one, and it is soon made again."""
        return self.__dict__ | {"_kept": (None, None)}

    def _links(self) -> Sparse | None:
        """Twice the recurrence as a sparse matrix where that is faster: on a processor, many units of few links."""
        held = self.recurrent
        if held.device.type != "cpu":
            return None
        mark = (held.data_ptr(), held._version, held.device, held.dtype)
        if self._kept[0] != mark:
            few = len(held) >= MANY and int(held.count_nonzero()) <= FEW * held.numel()
            self._kept = (mark, Sparse(2 * held.detach()) if few else None)
        return self._kept[1]

    def forward(self, source: Tensor, constant: Float[Tensor, "B N"] | None = None) -> Float[Tensor, "B S N"]:
        """States after every element of a source, from rest."""
        links = self._links()
        learnt = any(x is not None and x.requires_grad for x in (source, constant))  # through which no `out=` lets pass
        if links is not None and not learnt:
            return self._sparsely(source, constant, links)
        drive = self.drive(source)
        return self.driven(drive if constant is None else drive + constant[:, None])

    def driven(self, drive: Float[Tensor, "B S N"]) -> Float[Tensor, "B S N"]:
        """States under these inputs, from rest, by dense products, which gradients pass."""
        state, states = torch.zeros_like(drive[:, 0]), []
        with scope.part("recurrence"):
            for now in drive.unbind(1):
                state = self._densely(state, now)
                states.append(state)
            return torch.stack(states, 1)

    def _sparsely(self, source: Tensor, constant: Tensor | None, links: Sparse) -> Float[Tensor, "B S N"]:
        """The same states, units first: a sparse matrix multiplies columns that lie side by side in memory.

        The 2 within the sigmoid that stands for tanh is in `links` and in the inputs.
        """
        if source.is_floating_point():
            drive = (2 * self.entry.T) @ source.permute(1, 2, 0)  # (S, N, B)
        else:
            rows = self.entry[source.T].transpose(1, 2)
            drive = torch.mul(rows, 2, out=rows.new_empty(rows.shape))
        if constant is not None:
            drive += 2 * constant.T
        states, state = torch.empty_like(drive), torch.zeros_like(drive[0])
        with scope.part("recurrence"):
            for now, into in zip(drive.unbind(0), states.unbind(0), strict=True):
                state = torch.lerp(state, _bent(links.plus(now, state)), self.leak, out=into)
        return states.permute(2, 0, 1)


def _bent(doubled: Tensor) -> Tensor:
    """tanh(x) from 2x, whose place it takes, as 2 sigmoid(2x) - 1: a third of the time, in float32 within 2e-7."""
    return torch.add(doubled.new_full((), -1.0), doubled.sigmoid_(), alpha=2)


def _dense(matrix: Any) -> np.ndarray:
    """reservoirpy draws a sparse matrix unless all of it is connected."""
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix)


def _fixed(matrix: np.ndarray) -> nn.Parameter:
    kind = torch.get_default_dtype()
    return nn.Parameter(torch.as_tensor(np.ascontiguousarray(matrix)).to(kind), requires_grad=False)


def last(states: Float[Tensor, "B S N"], length: Int[Tensor, " B"]) -> Float[Tensor, "B N"]:
    """The state after each sequence's last element."""
    rows = torch.arange(len(states), device=states.device)
    return states[rows, length.to(states.device, non_blocking=True) - 1]


MODEL = EchoState
