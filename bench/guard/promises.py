"""Promises that every model gives, whatever it has learned: padding is not read, no position sees what comes after it.

A score may hardly move when one is broken, so they are tested by themselves: on a copy of the model in double
precision, in evaluation, a millionth of a difference is a fault.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from models import Model, teacher_inputs
from tasks import EOS, PAD, SPECIALS, Batch, Spec

NEAR = 1e-6  # of the largest feature, in double precision
SPECS = {
    "text": Spec("tokens", source_size=11, target_size=13, max_target=5),
    "a label": Spec("tokens", source_size=11, target_size=len(SPECIALS) + 3, max_target=1),
    "vectors": Spec("vectors", source_size=7, target_size=13, max_target=5),
}


def drawn(spec: Spec) -> Batch:
    """Three items of unlike lengths, B=3, S=5, T=5 or 1."""
    draw, length = torch.Generator().manual_seed(2), torch.tensor([3, 5, 1])
    if spec.source == "tokens":
        source = torch.randint(len(SPECIALS), spec.source_size, (3, 5), generator=draw)
    else:
        source = torch.randn(3, 5, spec.source_size, generator=draw)
    source = source.masked_fill(_outside(source, length), 0)
    if spec.max_target == 1:
        target = torch.randint(len(SPECIALS), spec.target_size, (3, 1), generator=draw)
        return Batch(source, length, target, torch.ones(3, dtype=torch.int64), torch.arange(3))
    target_length = torch.tensor([4, 2, 5])
    target = torch.randint(len(SPECIALS), spec.target_size, (3, 5), generator=draw)
    target[torch.arange(3), target_length - 1] = EOS
    return Batch(
        source, length, target.masked_fill(_outside(target, target_length), PAD), target_length, torch.arange(3)
    )


def broken(model: Model, batch: Batch) -> Iterator[str]:
    """What the model does on this batch that it must not, a line each; the model itself stays as it is."""
    one = copy.deepcopy(model).cpu().double().eval()
    batch = _double(batch.to("cpu"))
    with torch.no_grad():
        before = _features(one, batch)
        near = NEAR * max(1.0, float(before.abs().max()))
        yield from _padding(one, batch, before, near)
        yield from _company(one, batch, before, near)
        if model.spec.max_target > 1 and batch.target.shape[1] > 1:
            yield from _future(one, batch, before, near)
            yield from _one_by_one(one, batch, before, near)


def _features(model: Model, batch: Batch) -> Tensor:
    """Features at the places of the target that count, zero at the others, (B, T, H)."""
    said: Tensor = model(batch)
    if batch.target.is_floating_point():
        return said
    return said.masked_fill(_outside(batch.target, batch.target_length)[..., None], 0)


def _padding(model: Model, batch: Batch, before: Tensor, near: float) -> Iterator[str]:
    """Longer padding, and rubbish in it. Pictures are all of one size and have none."""
    if model.spec.grid is not None:
        return
    places = (0, 3) if batch.source.dim() == 2 else (0, 0, 0, 3)
    longer = batch._replace(source=functional.pad(batch.source, places))
    if _far(_features(model, longer), before) > near:
        yield "padding leak: longer padding of the sources changes what it says"
        return
    rubbish = len(SPECIALS) if longer.source.dim() == 2 else 1e3
    littered = longer.source.masked_fill(_outside(longer.source, batch.source_length), rubbish)
    if _far(_features(model, longer._replace(source=littered)), before) > near:
        yield "padding leak: what stands in the padding of the sources changes what it says"


def _company(model: Model, batch: Batch, before: Tensor, near: float) -> Iterator[str]:
    """The shortest source alone, without any padding."""
    row = int(batch.source_length.argmin())
    size = int(batch.source_length[row]) if model.spec.grid is None else batch.source.shape[1]
    one = slice(row, row + 1)
    alone = batch._replace(
        source=batch.source[one, :size], source_length=batch.source_length[one], target=batch.target[one],
        target_length=batch.target_length[one], item=batch.item[one], given=None,
    )  # fmt: skip
    if _far(_features(model, alone), before[one]) > near:
        yield "padding leak: a source alone is answered otherwise than beside longer ones"


def _future(model: Model, batch: Batch, before: Tensor, near: float) -> Iterator[str]:
    """Targets changed from one place on: what was said up to there stays."""
    full = batch._replace(target_length=torch.full_like(batch.target_length, batch.target.shape[1]))
    plain = model(full)
    for place in {0, batch.target.shape[1] // 2}:
        other = full.target.clone()
        other[:, place:] = torch.where(other[:, place:] == len(SPECIALS), len(SPECIALS) + 1, len(SPECIALS))
        if _far(model(full._replace(target=other))[:, : place + 1], plain[:, : place + 1]) > near:
            yield f"masking error: position {place} sees targets that come after it"
            return


def _one_by_one(model: Model, batch: Batch, before: Tensor, near: float) -> Iterator[str]:
    """Step by step, as answers are written, it comes to what it says at once, as it is taught."""
    state, said = model.encode(batch.source, batch.source_length, batch.target.shape[1]), []
    for token in teacher_inputs(batch.target).unbind(1):
        feature, state = model.step(token, state)
        said.append(feature)
    stepped = torch.stack(said, 1).masked_fill(_outside(batch.target, batch.target_length)[..., None], 0)
    if _far(stepped, before) > near:
        yield "masking error: step by step it says something else than all positions at once"


def _far(one: Tensor, other: Tensor) -> float:
    far = float((one - other).abs().max())
    return far if far == far else float("inf")


def _outside(padded: Tensor, length: Tensor) -> Tensor:
    places = torch.arange(padded.shape[1]) >= length[:, None]
    return places if padded.dim() == 2 else places[..., None]


def _double(batch: Batch) -> Batch:
    source = batch.source.double() if batch.source.is_floating_point() else batch.source
    target = batch.target.double() if batch.target.is_floating_point() else batch.target
    return batch._replace(source=source, target=target)
