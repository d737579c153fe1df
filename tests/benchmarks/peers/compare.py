"""Ours against MarianMT (Hugging Face transformers) and JoeyNMT: training and cached greedy writing, paired by round.

All take turns in one process, on the same tokens, with as many threads and with freed memory kept (bench/machine.py),
which helps the others as much as ours. Float32; 64 pairs of 24 + 24 random tokens without padding; a joint vocabulary
of 4,000, its embeddings tied in encoder, decoder and output.

- Transformers: width 256, 3 + 3 layers, 4 heads, feed-forward 512, relu, normalised after each sum, since that is all
  that MarianMT offers. Dropout 0.1 in the same places; of attention weights none, as ours has none.
- Recurrent: bidirectional GRU of 256 units a direction, GRU decoder of 256 with additive attention of 256, dropout
  0.1. Ours feeds the context into the gates (Bahdanau et al.), JoeyNMT's feeds its attentional vector (Luong et al.).

A training step is that of each project's own trainer: forward, cross-entropy without smoothing, backward, clipping to
norm 1, AdamW as it comes (fused in ours and in the Trainer of transformers, one parameter after another in JoeyNMT),
and in JoeyNMT also its sorting, its count of right tokens and its reading of the loss. Schedules are constant.
Reading data is in none. Writing: 32 tokens a sentence, EOS made impossible.

Sizes may differ by a tenth; every contestant must bring its loss down in ten steps, and all write 32 tokens.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn

from bench import clock, machine
from bench.learning.gradient import Gradient
from models import Model
from models.bahdanau import Bahdanau
from models.transformer import Transformer
from tasks import BOS, EOS, PAD, SPECIALS, Batch, Spec

Calls = dict[str, Callable[[], object]]
SIZE, LENGTH, ROOM, VOCABULARY, WIDTH, LAYERS, HEADS, WIDE, DROPOUT = 64, 24, 32, 4000, 256, 3, 4, 512, 0.1
RATE, CLIP, STEPS = 1e-3, 1.0, 10
SPEC = Spec("tokens", VOCABULARY, VOCABULARY, max_target=ROOM, joint_vocabulary=True)


@dataclasses.dataclass
class Contestant:
    """Somebody's model with one step of its training, which says the loss, and its writing of a batch."""

    model: nn.Module
    learn: Callable[[], float | torch.Tensor]
    write: Callable[[], torch.Tensor] | None = None

    @property
    def size(self) -> int:
        """Numbers that training changes."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)


def tokens() -> Batch:
    """The batch that all learn from."""
    source, target = (torch.randint(len(SPECIALS), VOCABULARY, (SIZE, LENGTH)) for _ in range(2))
    target[:, -1] = EOS
    length = torch.full((SIZE,), LENGTH)
    return Batch(source, length, target, length, torch.arange(SIZE))


def ours(model: Model, batch: Batch) -> Contestant:
    """One of ours, taught by the rule that trials use."""
    settings = Gradient.Config(rate=RATE, clip=CLIP, smoothing=0.0, warmup=0.0, decay="constant")
    rule = Gradient(model, settings, 10**6, torch.float32)

    def learn() -> torch.Tensor:
        model.train()
        return rule.learn(batch)

    def write() -> torch.Tensor:
        model.eval()
        return model.generate(batch.source, batch.source_length, room=ROOM)

    return Contestant(model, learn, write)


def our_transformer(batch: Batch) -> Contestant:
    """As MarianMT is built."""
    settings = {"layers": LAYERS, "decoder_layers": LAYERS, "heads": HEADS, "feedforward": WIDE}
    return ours(Transformer(SPEC, Transformer.Config(width=WIDTH, norm="post", dropout=DROPOUT, **settings)), batch)


def our_recurrent(batch: Batch) -> Contestant:
    """As JoeyNMT's recurrent model is built."""
    sizes = {"width": WIDTH, "hidden": WIDTH, "alignment": WIDTH}
    return ours(Bahdanau(SPEC, Bahdanau.Config(layers=1, dropout=DROPOUT, **sizes)), batch)


def marian(batch: Batch) -> Contestant:
    """MarianMT, stepped as the Trainer does with its default optimiser."""
    from transformers import MarianConfig, MarianMTModel

    sizes = {f"{part}_layers": LAYERS for part in ("encoder", "decoder")}
    sizes |= {f"{part}_ffn_dim": WIDE for part in ("encoder", "decoder")}
    sizes |= {f"{part}_attention_heads": HEADS for part in ("encoder", "decoder")}
    special = {"pad_token_id": PAD, "eos_token_id": EOS, "bos_token_id": BOS, "decoder_start_token_id": BOS}
    config = MarianConfig(
        vocab_size=VOCABULARY,
        d_model=WIDTH,
        dropout=DROPOUT,
        activation_function="relu",
        scale_embedding=True,
        max_position_embeddings=64,
        forced_eos_token_id=None,
        **sizes,
        **special,
    )
    model = MarianMTModel(config)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, fused=True)
    inside = torch.ones_like(batch.source)

    def learn() -> torch.Tensor:
        model.train()
        loss = model(input_ids=batch.source, attention_mask=inside, labels=batch.target).loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()
        optimiser.zero_grad()
        return loss.detach()

    def write() -> torch.Tensor:
        model.eval()
        asked = {"min_new_tokens": ROOM, "max_new_tokens": ROOM, "num_beams": 1, "do_sample": False, "use_cache": True}
        return model.generate(input_ids=batch.source, attention_mask=inside, **asked)[:, 1:]  # without its BOS

    return Contestant(model, learn, write)


def joeynmt(batch: Batch, kind: str) -> Contestant:
    """JoeyNMT's "transformer" or "recurrent" model, stepped as its TrainManager does."""
    from joeynmt.batch import Batch as Theirs
    from joeynmt.builders import build_gradient_clipper, build_optimizer
    from joeynmt.model import build_model
    from joeynmt.transformer_layers import MultiHeadedAttention
    from joeynmt.vocabulary import Vocabulary

    vocabulary = Vocabulary([f"w{n}" for n in range(len(SPECIALS), VOCABULARY)], _joeys_specials())
    model = build_model(_joeys(kind), vocabulary, vocabulary)
    model.loss_function = ("crossentropy", 0.0)
    for layer in model.modules():
        if isinstance(layer, MultiHeadedAttention):
            layer.dropout.p = 0.0
    settings = {"optimizer": "adamw", "learning_rate": RATE, "adam_betas": (0.9, 0.98)}
    optimiser = build_optimizer(settings, model.parameters())
    clip = build_gradient_clipper({"clip_grad_val": None, "clip_grad_norm": CLIP})
    target = torch.cat([torch.full((SIZE, 1), vocabulary.bos_index), batch.target], 1)
    target[:, -1] = vocabulary.eos_index
    place = {"device": torch.device("cpu"), "pad_index": vocabulary.pad_index, "eos_index": vocabulary.eos_index}
    given = Theirs(batch.source, batch.source_length, None, target, None, indices=batch.item, **place)
    assert given.ntokens == SIZE * LENGTH, f"JoeyNMT counts {given.ntokens} target tokens"

    def learn() -> float:
        model.train()
        given.sort_by_src_length()
        total, _, _, right = model(return_type="loss", **vars(given))
        loss = given.normalize(total, normalization="tokens")
        loss.backward()
        said, _ = loss.item(), given.normalize(right, "sum").item()
        clip(parameters=model.parameters())
        optimiser.step()
        model.zero_grad()
        return said

    return Contestant(model, learn)


def _joeys_specials() -> SimpleNamespace:
    names = {"unk": 0, "pad": 1, "bos": 2, "eos": 3}
    said = {f"{name}_token": f"<{name}>" for name in names} | {f"{name}_id": place for name, place in names.items()}
    return SimpleNamespace(**said, sep_token=None, sep_id=None, lang_tags=[])


def _joeys(kind: str) -> dict[str, object]:
    embeddings = {"embedding_dim": WIDTH, "scale": kind == "transformer", "dropout": DROPOUT}
    part: dict[str, object] = {"type": kind, "embeddings": embeddings, "hidden_size": WIDTH, "dropout": DROPOUT}
    if kind == "transformer":
        both = part | {"num_layers": LAYERS, "num_heads": HEADS, "ff_size": WIDE, "layer_norm": "post"}
        return {"tied_embeddings": True, "tied_softmax": True, "encoder": both, "decoder": dict(both)}
    one = part | {"rnn_type": "gru", "num_layers": 1}
    decoder = one | {"attention": "bahdanau", "hidden_dropout": DROPOUT, "init_hidden": "bridge", "input_feeding": True}
    return {
        "tied_embeddings": True,
        "tied_softmax": True,
        "encoder": one | {"bidirectional": True},
        "decoder": decoder,
    }


def learns(name: str, one: Contestant) -> None:
    """Raises AssertionError unless the loss falls over ten steps."""
    losses = [float(one.learn()) for _ in range(STEPS)]
    assert losses[-1] < losses[0] - 0.1, f"{name} does not learn: {losses}"


def writes(name: str, one: Contestant) -> None:
    """Raises AssertionError unless every sentence gets as many tokens as asked for."""
    assert one.write is not None
    answer = one.write()
    assert answer.shape == (SIZE, ROOM), f"{name} wrote {tuple(answer.shape)}"
    assert not bool(((answer == EOS) | (answer == PAD)).any()), f"{name} ended early"


def contest(name: str, calls: Calls, written: int, aim: float, least: float, seconds: float) -> dict:
    """How many times as fast as the other ours is, with tokens/s of both and whether the goal was met."""
    mine, other = calls
    took = clock.contest(calls, torch.device("cpu"), seconds)
    ratio = took.ratio(other, mine)
    rates = {who: written / timing.seconds for who, timing in took.timings.items()}
    verdict = "in company, not judged" if not ratio.clean else "met" if ratio.low > least else "missed"
    return {"name": name, "tokens_per_second": rates, "company": max(took.company), "clean": ratio.clean} | {
        "times_as_fast": ratio.value,
        "low": ratio.low,
        "high": ratio.high,
        "rounds": ratio.n,
        "aim": aim,
        "lower_end_above": least,
        "verdict": verdict,
    }


def compared(seconds: float) -> list[dict]:
    """All contests, one after another."""
    torch.manual_seed(0)
    batch = tokens()
    everyone = {
        "our transformer": our_transformer(batch),
        "MarianMT": marian(batch),
        "JoeyNMT transformer": joeynmt(batch, "transformer"),
        "our Bahdanau": our_recurrent(batch),
        "JoeyNMT recurrent": joeynmt(batch, "recurrent"),
    }
    for name, one in everyone.items():
        learns(name, one)
    trained = [
        ("our transformer", "MarianMT", 1.3, 1.0),
        ("our transformer", "JoeyNMT transformer", 1.5, 1.0),
        ("our Bahdanau", "JoeyNMT recurrent", 2.0, 1.2),
    ]
    rows = []
    for mine, other, aim, least in trained:
        sizes = {who: everyone[who].size for who in (mine, other)}
        assert abs(sizes[mine] / sizes[other] - 1) < 0.1, f"not of one size: {sizes}"
        calls = {who: everyone[who].learn for who in (mine, other)}
        rows.append(contest("training", calls, SIZE * LENGTH, aim, least, seconds) | {"parameters": sizes})
    with torch.no_grad():
        everyone["our transformer"].model.head.bias[EOS] = float("-inf")
    for name in ("our transformer", "MarianMT"):
        writes(name, everyone[name])
    calls = {who: everyone[who].write for who in ("our transformer", "MarianMT")}
    sizes = {who: everyone[who].size for who in calls}
    rows.append(contest("writing", calls, SIZE * ROOM, 2.0, 1.0, seconds) | {"parameters": sizes})
    return rows


def shown(row: dict) -> str:
    """One contest as a line."""
    (mine, fast), (other, slow) = row["tokens_per_second"].items()
    sizes = " and ".join(f"{size:,}" for size in row["parameters"].values())
    return (
        f"{row['name']}, {mine} / {other}: {row['times_as_fast']:.2f} times as fast "
        f"[{row['low']:.2f}, {row['high']:.2f}], {row['rounds']} rounds, {fast:,.0f} and {slow:,.0f} target tokens/s, "
        f"{sizes} parameters; aim {row['aim']}, lower end above {row['lower_end_above']}: {row['verdict']} "
        f"(others used {row['company']:.2f} processors)"
    )


def main() -> int:
    """Exit code 1 where a goal was missed on a machine without company."""
    parser = argparse.ArgumentParser(description="ours against MarianMT and JoeyNMT, paired ratios")
    parser.add_argument("--out", type=Path, default=Path("runs/peers.json"))
    parser.add_argument("--seconds", type=float, default=30.0, help="of each contest")
    parser.add_argument("--threads", type=int, help="processors to use; all by default")
    asked = parser.parse_args()
    warnings.filterwarnings("ignore")  # theirs are not ours to mend
    logging.disable(logging.INFO)
    device = machine.prepare("cpu", asked.threads)
    environment = machine.environment(device)
    print(f"{environment['processor']}, {environment['threads']} threads, torch {environment['libraries']['torch']}")
    rows = compared(asked.seconds)
    for row in rows:
        print(shown(row))
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps({"environment": environment, "contests": rows}, indent=1), encoding="utf-8")
    return int(any(row["verdict"] == "missed" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
