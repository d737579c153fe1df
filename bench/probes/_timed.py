"""What the probes that measure time share: a model about to learn, batches of any shape, and their row."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from bench import identity, machine, meters
from bench.budget import Meter
from bench.clock import Timing
from bench.learning import Rule
from bench.probes import asked
from bench.record import Result
from bench.trial import Trial, now
from models import Model
from tasks import EOS, SPECIALS, Batch, Spec

UPDATES = 1_000_000  # that the rule expects: its rate stays near zero, and training long on few batches harms nothing


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is timed."""

    trial: Trial
    model: Model
    rule: Rule
    precision: torch.dtype
    device: torch.device

    @property
    def spec(self) -> Spec:
        """What the model knows of its task."""
        return self.model.spec

    def flops(self, batch: Batch) -> float:
        """Operations of learning from a batch, by the model's formula, padding not counted; 0 where it states none."""
        return Meter(self.model, self.rule).flops(batch)


def subject(trial: Trial, device: torch.device) -> Subject:
    """The trial's model as its seed makes it, and the rule that will teach it, in training mode."""
    kind, _ = asked.model(trial)
    taught, settings = asked.rule(trial, kind)
    precision = taught.computes(machine.precision(machine.able(device), trial.precision))
    model = asked.built(trial, device)
    rule = taught(model, settings, UPDATES, precision)
    if trial.compile:
        rule.compile()
    model.train()
    return Subject(trial, model, rule, precision, device)


def unending(model: Model) -> Model:
    """A copy that never writes EOS, in evaluation mode: two models are timed over the same number of tokens."""
    other = copy.deepcopy(model).eval()
    head: Any = other.head  # one without a bias holds None in its place
    if head.bias is None:
        head.bias = nn.Parameter(head.weight.new_zeros(head.out_features))
    if other.spec.max_target > 1:
        with torch.no_grad():
            head.bias[EOS] = float("-inf")
    return other


def drawn(spec: Spec, size: int, source: int, target: int, device: torch.device, seed: int = 0) -> Batch:
    """Random sources and targets of one exact length each; EOS comes last. Never zeros, which can be faster."""
    draw = torch.Generator().manual_seed(seed)
    if spec.source == "tokens":
        read = torch.randint(len(SPECIALS), spec.source_size, (size, source), generator=draw)
    else:
        read = torch.randn(size, source, spec.source_size, generator=draw)
    written = torch.randint(len(SPECIALS), spec.target_size, (size, target), generator=draw)
    if spec.max_target > 1:
        written[:, -1] = EOS
    lengths = [torch.full((size,), n) for n in (source, target)]
    return Batch(read, lengths[0], written, lengths[1], torch.arange(size)).to(device)


def doubling(most: int) -> list[int]:
    """1, 2, 4, ... below `most`, and `most` itself."""
    return sorted({2**k for k in range(most.bit_length()) if 2**k < most} | {most})


def spread(name: str, timing: Timing) -> dict[str, float]:
    """A timing as metrics: NAME, NAME_low, NAME_high."""
    return {name: timing.seconds, f"{name}_low": timing.low, f"{name}_high": timing.high}


def company(timings: Mapping[str, Timing] | list[Timing]) -> dict[str, float]:
    """What a row says of those who used the processors meanwhile."""
    every = list(timings.values()) if isinstance(timings, Mapping) else timings
    return {"company": max(t.company for t in every), "had_company": int(not all(t.clean for t in every))}


def row(
    of: Subject,
    made_of: dict[str, str],
    main: str,
    metrics: dict[str, float | int],
    curve: list[dict[str, float | int]],
    notes: dict[str, str],
) -> Result:
    """What a probe of time stores."""
    trial = of.trial
    return Result(
        probe=trial.probe,
        model=trial.model,
        task=trial.task,
        seed=trial.seed,
        status="ok",
        metrics=metrics,
        main=main,
        config={
            "model": asked.config(of.model),
            "task": asked.config(asked.task(trial)),
            "batch": trial.batch,
            "precision": str(of.precision).removeprefix("torch."),
            "compile": trial.compile,
            "probe": _plain(asked.probe(trial)),
            "notes": notes,
            "conditions": meters.conditions(of.device),
        },
        budget={k: v for k, v in dataclasses.asdict(trial.budget).items() if v is not None},
        curve=curve,
        environment=machine.environment(of.device),
        suite=trial.suite,
        command=trial.command(of.device),
        time=now(),
        id=identity.name(made_of),
        made_of=made_of,
    )


def _plain(settings: Any) -> dict[str, Any]:
    return dataclasses.asdict(settings) if dataclasses.is_dataclass(settings) and not isinstance(settings, type) else {}
