"""What others published: every number with its source and settings, and which of our rows answer it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from reports import words
from reports.rows.fields import number
from reports.rows.settings import base, own_data
from reports.rows.stored import Row, group

LAST = 500  # the longest length of the published extrapolations
HELD = (40, LAST)  # trained up to, asked up to
KEPT = 10  # symbols of copy memory; one more ends the answer
# recall as published and as it is asked now: half of the keys (0), each said once more; keys and values together
RECALL = {"length": 64, "width": 64, "vocabulary": 128, "queries": 0, "again": 1}


class Taken(NamedTuple):
    """Our number in one row, and why it is not what was published; nothing where the two can be compared."""

    value: float
    unlike: str = ""
    metric: str = ""  # where it is not the published one


Take = Callable[[Row], Taken | None]


@dataclasses.dataclass(frozen=True)
class Ours:
    """Which of our rows answer a published number: those of that probe, task and model in which `take` finds one."""

    probe: str
    task: str
    model: str  # ours, or GRU
    take: Take
    metric: str = ""  # where it is not the published one


@dataclasses.dataclass(frozen=True)
class Published:
    """One published number. Without rows of ours that could answer it, `missing` says why."""

    topic: str
    what: str  # the task and the model, as published
    asked: str  # its settings, as published
    metric: str
    low: float
    high: float  # the same but for a published range
    source: str
    said: str = ""  # the published result, where it is no number
    ours: Ours | None = None
    tolerance: float = 0.0  # on either side
    lower: bool = False  # whether less is better
    best_of: int = 1  # seeds that the published number is the best of
    most: float = 100.0  # the metric lies between 0 and this
    missing: str = ""  # what it lacks to be run
    command: str = ""  # what would run it

    @property
    def told(self) -> str:
        """The published number or range, with the digits it was published with."""
        return self.said or "–".join(dict.fromkeys(f"{n:.10g}" for n in (self.low, self.high)))


def _reached(row: Row, at: float) -> float | None:
    """What a row's curve says at that length."""
    return next((p["score"] for p in row.result.curve if p.get("length") == at and "score" in p), None)


def _longest(row: Row) -> dict[str, float]:
    """The last point of a row's curve by length; an empty one where there is none."""
    points = [p for p in row.result.curve if "length" in p and "score" in p]
    return max(points, key=lambda p: p["length"], default={})


def adding(length: int) -> Take:
    """Mean squared error of the adding problem: the share of the variance 1/6 that is not explained."""

    def take(row: Row) -> Taken | None:
        if group(row, "task").get("form", "number") != "number" or group(row, "probe").get("along") != "length":
            return None
        explained, longest = _reached(row, length), _longest(row)
        if explained is not None:
            return Taken((100 - explained) / 600)
        told = f"ours is at T = {words.count(longest.get('length'))}, published at {length}"
        return Taken((100 - longest["score"]) / 600, told) if longest else None

    return take


def copying(length: int) -> Take:
    """Cross-entropy of copy memory as published: of the ten symbols and their end, spread over T + 20 steps.

    Blanks, which a guesser who has counted knows too, cost nothing here. Of rows without a loss the accuracy, unjudged.
    """

    def take(row: Row) -> Taken | None:
        longest = _longest(row) if group(row, "probe").get("along") == "length" else {}
        if not longest:
            return None
        lost = row.result.metrics.get(f"loss_{length}")
        if lost is not None:
            return Taken(lost * (KEPT + 1) / (length + 2 * KEPT))
        told = f"published is the loss at T = {words.count(length)}, where guessing has 0.0204"
        told += f"; ours is accuracy at T = {words.count(longest['length'])}, floor 12.5 %"
        return Taken(longest["score"], told, "accuracy, %")

    return take


def recall(row: Row) -> Taken | None:
    """Accuracy of recall with 4 pairs in 64 of 128 symbols by a model of width 64, asked as it is now."""
    at = _reached(row, 4) if group(row, "probe").get("along") == "pairs" else None
    if at is None:
        return None
    if older(row):
        return Taken(at, "ours is an older form of the task: keys are asked anew, and a blank parts key from value")
    told = group(row, "task") | {"width": group(row, "model").get("width")}
    found = {name: number(told.get(name)) for name in RECALL}
    unlike = [f"{name} {'not told' if n is None else words.count(n)}" for name, n in found.items() if n != RECALL[name]]
    return Taken(at, f"ours has {words.listed(unlike)}" if unlike else "")


def older(row: Row) -> bool:
    """Whether a row of associative recall is of a form that is not run any more: it names a setting of that form."""
    return base(row.result.task) == "synthetic.mqar" and "pause" in group(row, "task")


def beyond(unlike: str = "") -> Take:
    """Mean accuracy over the lengths above those of training."""

    def take(row: Row) -> Taken | None:
        trained = number(group(row, "task").get("length"))
        points = [p for p in row.result.curve if trained is not None and p.get("length", 0) > trained and "score" in p]
        inside = [p for p in points if p["length"] <= LAST] or points
        if not inside:
            return None
        last = max(p["length"] for p in inside)
        told = f"ours is trained up to {words.count(trained)} and asked up to {words.count(last)}"
        return Taken(sum(p["score"] for p in inside) / len(inside), unlike or ("" if (trained, last) == HELD else told))

    return take


def bleu(pair: str, data: str, lower: bool = False, unlike: str = "") -> Take:
    """BLEU on that pair, of data or test files whose name holds `data`; `lower`: only if all is in lower case."""

    def take(row: Row) -> Taken | None:
        told = group(row, "task")
        named = f"{own_data(row.result)} {told.get('test')}".lower()
        score = row.result.metrics.get("bleu")
        if told.get("pair") != pair or data not in named or score is None or (lower and told.get("lower") is not True):
            return None
        return Taken(score, unlike)

    return take


def accuracy(data: str) -> Take:
    """Accuracy in percent on one's own data in a folder of that name."""

    def take(row: Row) -> Taken | None:
        score = row.result.metrics.get("accuracy")
        return Taken(score) if score is not None and data in own_data(row.result).lower() else None

    return take


def utilisation(device: str, peak: float, least: float) -> Take:
    """Operations of the model in a second, in percent of what the maker states for that GPU in bfloat16."""

    def take(row: Row) -> Taken | None:
        done, size = row.result.metrics.get("flops_per_second"), row.result.metrics.get("parameters_total", 0.0)
        where, busy = str(row.result.environment.get("device") or ""), row.result.metrics.get("had_company")
        if done is None or busy or device not in where or row.result.config.get("precision") != "bfloat16":
            return None
        small = f"ours has {words.amount(size)} parameters, published {words.amount(least)} or more"
        return Taken(100 * done / peak, "" if size >= least else small)

    return take


UNTRACED = "as collected; no page that states it was found"
NO_GRU = "no GRU is among the models"
GRU = "gru"  # no model of ours: rows of a file of that name answer for it
NO_CONVOLUTION = "no convolution is among the models"
PADDED = "seungminnam.github.io, DL-Projects, 5_LSTM_Sentiment"
KIM = "Kim, 2014, table 2, CNN-rand on MR: 76.1"


def _multi30k() -> Iterator[Published]:
    tutorial = "bentrevett/pytorch-seq2seq on GitHub, tutorial"
    unlike = "published is BLEU over lower-cased spaCy tokens, ours sacrebleu over text as it is"
    for what, model, value, missing, source in (
        ("LSTM without attention", "lstm", 13.8, "", UNTRACED),
        ("GRU with context", "", 20.6, NO_GRU, UNTRACED),
        ("GRU with additive attention", "bahdanau", 28.3, "", f"{tutorial} 4 (another version: 28.2)"),
        ("additive attention, another public model", "bahdanau", 33.5, "", UNTRACED),
        ("ConvS2S", "", 34.1, NO_CONVOLUTION, f"{tutorial} 5 (another version: 33.3)"),
        ("transformer, 9 M parameters", "transformer", 36.5, "", f"{tutorial} 6: 36.52 (another version: 36.09)"),
    ):
        take = bleu("de-en", "2016", unlike=unlike)
        yield Published(
            "Translation", f"Multi30k de-en, test 2016: {what}", "small models", "tokenised BLEU",
            value, value, source,
            ours=Ours("quality", "translation", model, take, "sacrebleu") if model else None,
            tolerance=2.0,
            missing=missing or "Multi30k does not come with seqbench",
            command=f"seqbench run multi30k --data translation=DIR --models {model}" if model else "",
        )  # fmt: skip


def _iwslt() -> Iterator[Published]:
    for what, model, asked, value in (
        ("RNN with attention", "bahdanau", "61 M parameters", 30.74),
        ("transformer", "transformer", "19 M parameters", 33.73),
    ):
        yield Published(
            "Translation", f"IWSLT14 de-en: {what}", asked, "sacrebleu, lower case",
            value, value, "JoeyNMT documentation, benchmarks, IWSLT14 deen",
            ours=Ours("quality", "translation", model, bleu("de-en", "iwslt", lower=True)),
            tolerance=1.0,
            missing="IWSLT14 does not come with seqbench, and models of that size want a GPU",
            command=f"seqbench run multi30k --data translation=iwslt14 --models {model} "
            "--set task.test=test --set task.lower=true",
        )  # fmt: skip


def _wmt14() -> Iterator[Published]:
    far = "WMT14 has millions of pairs, and training on them takes days on several GPUs"
    old, new = "Bahdanau et al., 2015, table 1", "Vaswani et al., 2017, table 2"
    for what, asked, value, source in (
        ("en-fr: no attention (RNNencdec-50)", "sentences of up to 50 words", 17.82, old),
        ("en-fr: attention (RNNsearch-50)", "sentences of up to 50 words", 26.75, old),
        ("en-fr: attention, trained longer", "sentences of up to 50 words", 28.45, old),
        ("en-de: transformer, base", "3.3e18 operations", 27.3, new),
        ("en-de: transformer, big", "2.3e19 operations", 28.4, new),
    ):
        yield Published("Translation", f"WMT14 {what}", asked, "tokenised BLEU", value, value, source, missing=far)
    yield Published(
        "Translation", "WMT14 en-fr: past 50 words", "by length of the source", "BLEU",
        0, 0, "Bahdanau et al., 2015, figure 2", "attention does not fall, the plain encoder-decoder does",
        missing=f"{far}; other data are asked the same",
        command="seqbench run long --variant 'translation by length, trained on joined sentences'",
    )  # fmt: skip


def _classification() -> Iterator[Published]:
    imdb = "IMDB's 50,000 reviews do not come with seqbench"
    yield Published(
        "Classification", "IMDB from scratch: LSTM", "no pretrained vectors", "accuracy, %",
        85.9, 85.9, f"{UNTRACED} (bentrevett/pytorch-sentiment-analysis, 2_lstm, prints 84.8)",
        ours=Ours("quality", "sentiment", "lstm", accuracy("imdb")),
        tolerance=1.5,
        missing=imdb,
        command="seqbench run standard --tasks sentiment --data sentiment=imdb --models lstm --set task.longest=400",
    )  # fmt: skip
    for what, asked, value, source, missing in (
        ("IMDB from scratch: GRU", "no pretrained vectors", 87.0, UNTRACED, f"{NO_GRU}; {imdb}"),
        ("IMDB: an LSTM that reads its padding", "256 tokens, last state", 51.0, PADDED, "no model here reads padding"),
        ("Sentence polarity: convolution", "10,000 film sentences, random embeddings", 76.0, KIM, NO_CONVOLUTION),
    ):
        yield Published("Classification", what, asked, "accuracy, %", value, value, source, missing=missing)


TCN = "Bai, Kolter and Koltun, 2018, table 1"


def _adding() -> Iterator[Published]:
    for what, model, value, tolerance in (
        ("LSTM", "lstm", 0.164, 0.01),
        ("GRU", GRU, 5.3e-5, 0.005),  # solved: our trainings end at 98 % of the variance, an error of 0.0033
        ("RNN", "rnn", 0.177, 0.015),
    ):
        yield Published(
            "Memory", f"Adding, T = 600: {what}", "70,000 parameters; who always says 1 has 1/6 = 0.167",
            "mean squared error", value, value, TCN,
            ours=Ours("span", "synthetic.adding", model, adding(600)),
            tolerance=tolerance,
            lower=True,
            most=math.inf,
            command=f"seqbench run long --variant adding --models {_asked_for(model)} --set probe.lengths=600",
        )  # fmt: skip


def _copying() -> Iterator[Published]:
    for what, model, value in (("LSTM", "lstm", 0.0204), ("GRU", GRU, 0.0197), ("RNN", "rnn", 0.0202)):
        yield Published(
            "Memory", f"Copy memory, T = 1,000: {what}", "16,000 parameters; who guesses has 0.0204", "loss",
            value, value, TCN,
            ours=Ours("span", "synthetic.copy", model, copying(1000)),
            tolerance=0.0005,
            lower=True,
            command=f"seqbench run long --variant copy --models {_asked_for(model)} --set probe.lengths=1000",
        )  # fmt: skip


def _asked_for(model: str) -> str:
    """As `--models` takes it; the GRU is a file, in the size that the variants give the others."""
    return model if model != GRU else "tests/own/gru.py --set model.width=64"


def _memory() -> Iterator[Published]:
    lack = "no task reads a picture pixel by pixel, and MNIST does not come with seqbench"
    for what, low, high, asked in (
        ("LSTM", 87.2, 92.9, "70,000 parameters; 92.9 elsewhere, as collected"),
        ("GRU", 96.2, 96.2, "70,000 parameters"),
        ("RNN", 21.5, 21.5, "70,000 parameters"),
    ):
        yield Published("Memory", f"Sequential MNIST: {what}", asked, "accuracy, %", low, high, TCN, missing=lack)
    yield Published(
        "Memory", "Recall (MQAR), 4 pairs in 64 symbols: attention", "width 64", "accuracy, %",
        99.2, 99.2, "Arora et al., 2024 (Zoology), as collected",
        ours=Ours("span", "synthetic.mqar", "transformer", recall),
        tolerance=1.0,
        command="seqbench run long --variant mqar --models transformer",
    )  # fmt: skip


def _extrapolation() -> Iterator[Published]:
    eight = "theirs is of 2 symbols (floor 50 %), ours of 8 (floor 12.5 %)"
    for what, variant, values in (
        ("parity", "parity", (100, 100, 52.0)),
        ("reverse string", "reverse", (62.0, 60.9, 62.3)),
        ("modular arithmetic", "modular arithmetic", (100, 100, 24.2)),
        ("stack manipulation", "stack", (56.0, 59.1, 57.5)),
        ("duplicate string", "duplicate", (50.3, 57.6, 52.8)),
    ):
        task, take = f"synthetic.{variant.replace(' ', '_')}", beyond(eight if variant == "reverse" else "")
        for model, value in zip(("rnn", "lstm", "transformer"), values, strict=True):
            name = {"rnn": "RNN", "lstm": "LSTM"}.get(model, model)
            yield Published(
                "Longer than in training", f"{words.capital(what)}: {name}",
                "trained up to 40, asked 41 to 500, best of 10 seeds", "accuracy, %",
                value, value, "Delétang et al., 2023 (Neural networks and the Chomsky hierarchy), table 2",
                ours=Ours("extrapolate", task, model, take),
                tolerance=3.0,
                best_of=10,
                command=f"seqbench run long --variant '{variant}' --models {model} --seeds 10",
            )  # fmt: skip


def _captions() -> Iterator[Published]:
    lack = "COCO does not come with seqbench, and no model here sees pictures through a network trained on others"
    for what, low, high, source in (
        ("a global image vector", 27.7, 27.7, "Vinyals et al., 2015, as told by Xu et al., 2015, table 1"),
        ("attention over the grid, soft and hard", 24.3, 25.0, "Xu et al., 2015, table 1"),
    ):
        yield Published("Captions", f"COCO: {what}", "", "BLEU-4", low, high, source, missing=lack)


def _speed() -> Iterator[Published]:
    for gpu, what, low, high, device, peak in (
        ("A100", "transformers of 125 M to 350 M", 40, 52, "A100", 312e12),
        ("H100", "larger transformers", 26, 46, "H100 80GB HBM3", 989.4e12),
    ):
        yield Published(
            "Speed", f"Utilisation (MFU) in training, {gpu}: {what}", "bfloat16", "% of the peak that its maker states",
            low, high, "mosaicml/llm-foundry on GitHub, scripts/train/benchmarking",
            ours=Ours("throughput", "tokens", "transformer", utilisation(device, peak, 1e8)),
            tolerance=3.0,
            missing=f"the GPU has to be of the kind {gpu}",
            command="seqbench run gpu --variant 'large transformer' --models transformer --device cuda",
        )  # fmt: skip
    yield Published(
        "Speed", "Fused recurrent kernels against a naive loop", "cuDNN 5: an order of magnitude", "times as fast",
        10, 10, "Appleyard, Kočiský and Blunsom, 2016", "about 10",
        missing="no probe times a loop over cells beside the fused kernel",
    )  # fmt: skip


PUBLISHED: tuple[Published, ...] = (
    *_multi30k(), *_iwslt(), *_wmt14(), *_classification(), *_adding(), *_copying(), *_memory(),
    *_extrapolation(), *_captions(), *_speed(),
)  # fmt: skip
