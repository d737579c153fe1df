"""Reproduction: numbers that others published beside ours, which come from stored rows alone."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from bench.statistics import Interval, over_seeds
from reports import words
from reports.parts import Cell, Limits, Section, Table
from reports.stored import Row, Stored, base, finished, number, own_data, settings

REPRODUCED, BELOW, ABOVE, UNDECIDED = "reproduced", "below", "above", "undecided"
INCOMPARABLE, ABSENT = "not comparable", "not run"
VERDICTS = REPRODUCED, BELOW, ABOVE, UNDECIDED, INCOMPARABLE, ABSENT
EXPLAINED = (
    "Each entry states its tolerance. A number is reproduced where all of our 95 % interval over seeds (with one seed, "
    "our number) lies within the tolerance of the published one; it is below or above where all of it lies outside on "
    "that side, and undecided where it reaches over the edge. Where the published number is the best of several seeds, "
    "the best of ours is held against it. What differs too much to be judged is not comparable, and shown all the same."
)
LAST = 500  # the longest length of the published extrapolations
HELD = (40, LAST)  # trained up to, asked up to
ABSURD = 1e12  # no number of ours is as large
SLACK = 1e-9  # what an edge of the tolerance may be missed by, for rounding in the last digit


class Taken(NamedTuple):
    """Our number in one row, and why it is not what was published; nothing where the two can be compared."""

    value: float
    unlike: str = ""


Take = Callable[[Row], Taken | None]
Found = list[tuple[Row, Taken]]


@dataclasses.dataclass(frozen=True)
class Ours:
    """Which of our rows answer a published number: those of that probe, task and model in which `take` finds one."""

    probe: str
    task: str
    model: str
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


@dataclasses.dataclass(frozen=True)
class Reproduction:
    """A published number with ours, one value a seed, and what comes of comparing them."""

    published: Published
    verdict: str
    reason: str = ""
    values: tuple[float, ...] = ()
    settings: str = ""

    @property
    def best(self) -> float:
        """The best of our seeds."""
        return (min if self.published.lower else max)(self.values)

    @property
    def interval(self) -> Interval | None:
        """95 % interval over our seeds, without values that the metric cannot have; None for one seed."""
        return _interval(self.published, self.values)


def reproduced(stored: Stored, published: Sequence[Published] | None = None) -> list[Reproduction]:
    """Every published number in reading order, with what the stored rows say to it."""
    rows: dict[tuple[str, str, str], list[Row]] = {}
    for row in stored.rows:
        if finished(row):
            rows.setdefault((row.result.probe, base(row.result.task), row.result.model), []).append(row)
    return [_one(p, rows) for p in (PUBLISHED if published is None else published)]


def _one(published: Published, rows: dict[tuple[str, str, str], list[Row]]) -> Reproduction:
    ours, found = published.ours, Found()
    if ours:
        own = rows.get((ours.probe, ours.task, ours.model), [])
        found = [(row, taken) for row in own if (taken := ours.take(row)) and abs(taken.value) < ABSURD]
    if not found:
        return Reproduction(published, ABSENT)
    group, groups = _chosen([(row, taken) for row, taken in found if not taken.unlike] or found)
    values, unlike = tuple(taken.value for _, taken in group), group[0][1].unlike
    verdict, reason = (INCOMPARABLE, unlike) if unlike else judged(published, values)
    told = _settings(group[0][0]) + (f"; of {groups} such settings that with most seeds" if groups > 1 else "")
    return Reproduction(published, verdict, reason, values, told)


def judged(published: Published, values: Sequence[float]) -> tuple[str, str]:
    """The verdict over values, one a seed, and its reason."""
    low, high = published.low - published.tolerance - SLACK, published.high + published.tolerance + SLACK
    best = (min if published.lower else max)(values)  # the only one, or what the best of others is held against
    span = None if published.best_of > 1 else _interval(published, values)
    least, most = (span.low, span.high) if span else (best, best)
    if low <= least and most <= high:
        return REPRODUCED, ""
    if not (most < low or least > high):
        return UNDECIDED, "our interval reaches over the edge of the tolerance: more seeds would tell"
    verdict = BELOW if most < low else ABOVE
    better = (verdict == BELOW) == published.lower
    if not better and len(values) < published.best_of:
        seeds = words.plural(len(values), "seed")
        return INCOMPARABLE, f"published is the best of {published.best_of} seeds, ours of {seeds}, and it is worse"
    return verdict, f"which is {'better' if better else 'worse'}"


def _interval(published: Published, values: Sequence[float]) -> Interval | None:
    span = over_seeds(values)
    if span is None:
        return None
    return dataclasses.replace(span, low=max(span.low, 0.0), high=min(span.high, published.most))


def _chosen(found: Found) -> tuple[Found, int]:
    """Of the settings those with most seeds, then most updates, then the latest, whatever they score; and how many.

    One row a seed, the latest.
    """
    groups: dict[str, dict[int, tuple[Row, Taken]]] = {}
    for row, taken in found:
        told = {k: v for k, v in settings(row.result).items() if not k.startswith("notes.")}
        groups.setdefault(json.dumps([told, taken.unlike], sort_keys=True), {})[row.result.seed] = (row, taken)
    ranked = [(len(own), _updates(next(iter(own.values()))[0]), place) for place, own in enumerate(groups.values())]
    return list([*groups.values()][max(ranked)[2]].values()), len(groups)


def _updates(row: Row) -> float:
    return number(row.result.budget.get("updates")) or 0.0


def _part(row: Row, name: str) -> dict[str, Any]:
    """A part of a row's configuration; an empty one where it is not what it should be."""
    told = row.result.config.get(name)
    return told if isinstance(told, dict) else {}


def _settings(row: Row) -> str:
    """What a reader needs to judge a row, in short."""
    model, probe, parameters = _part(row, "model"), _part(row, "probe"), row.result.metrics.get("parameters_total")
    sizes = ((name, number(model.get(name))) for name in ("width", "hidden", "units", "layers"))
    said = [f"{name} {size:,.10g}" for name, size in sizes if size is not None]
    said += [f"{words.amount(parameters)} parameters"] if parameters is not None else []
    if _updates(row):
        said.append(f"{words.count(_updates(row))} updates")
    rates = probe.get("rates")
    numbers = [n for rate in (rates if isinstance(rates, list) else []) if (n := number(rate)) is not None]
    said += [f"best of rates {words.listed([f'{n:g}' for n in numbers])}"] if len(numbers) > 1 else []
    vocabulary = number(_part(row, "task").get("vocabulary"))
    said += [f"vocabulary {vocabulary:,.10g}"] if vocabulary is not None else []
    said += [_asked(row), words.clean(str(row.result.environment.get("device") or ""))[:40]]
    return words.cut(", ".join(s for s in said if s), 200)


def _asked(row: Row) -> str:
    """The lengths beyond those of training that a row was asked about: few, where the published mean is over all."""
    trained = number(_part(row, "task").get("length"))
    if row.result.probe != "extrapolate" or trained is None:
        return ""
    lengths = sorted({p["length"] for p in row.result.curve if "length" in p and p["length"] > trained})
    return f"asked at {words.several([words.count(n) for n in lengths], most=6)}" if lengths else ""


def explained(stored: Stored) -> str:
    """How the comparison came out, in a sentence, and how it was made."""
    return f"{_counted(reproduced(stored))} {EXPLAINED}"


def _counted(found: Sequence[Reproduction]) -> str:
    counts = Counter(one.verdict for one in found)
    said = [f"{counts[verdict]} {'is' if counts[verdict] == 1 else 'are'} {verdict}" for verdict in VERDICTS]
    told = [s for s, verdict in zip(said, VERDICTS, strict=True) if counts[verdict]]
    return f"Of {words.plural(len(found), 'published number')} {words.listed(told)}."


def sections(stored: Stored, most: Limits) -> list[Section]:
    """A table a topic; none at all where no stored row answers any published number."""
    found = reproduced(stored)
    if all(one.verdict == ABSENT for one in found):
        return []
    topics = dict.fromkeys(one.published.topic for one in found)
    return [Section(t, tables=(_table(t, [one for one in found if one.published.topic == t]),)) for t in topics]


def _table(topic: str, found: Sequence[Reproduction]) -> Table:
    columns = ("what", "published", "ours", "verdict", "settings of ours", "source")
    return Table(f"{topic}: published numbers and ours", columns, tuple(_cells(one) for one in found))


def _cells(one: Reproduction) -> tuple[Cell, ...]:
    published = one.published
    asked = f"{published.asked}; " if published.asked else ""
    tolerance = f"; tolerance {published.tolerance:g}" if published.ours else ""
    return (
        Cell(published.what),
        Cell(published.told, note=f"{asked}{published.metric}{tolerance}"),
        _ours(one),
        Cell(
            one.verdict,
            note=one.reason or (lacks(published) if one.verdict == ABSENT else ""),
            strong=one.verdict == REPRODUCED,
        ),
        Cell(one.settings or "–"),
        Cell(published.source),
    )


def lacks(published: Published) -> str:
    """What it would take to run it."""
    return "; ".join(s for s in (published.missing, published.command) if s)


def _ours(one: Reproduction) -> Cell:
    """Our number with n and interval; the best of the seeds where the published one is such a best, then the mean."""
    if not one.values:
        return Cell("–")
    other = one.published.ours.metric if one.published.ours else ""
    write = words.significant if one.published.lower and not other else words.number
    mean, span, n = float(np.mean(one.values)), one.interval, len(one.values)
    told = (f"{write(span.low)}–{write(span.high)}, " if span else "") + f"n = {n}" + (f"; {other}" if other else "")
    if one.published.best_of == 1 or n == 1:
        return Cell(write(mean), note=told)
    return Cell(write(one.best), note=f"best of {n}; mean {write(mean)}, {told}")


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
        if _part(row, "task").get("form", "number") != "number" or _part(row, "probe").get("along") != "length":
            return None
        explained, longest = _reached(row, length), _longest(row)
        if explained is not None:
            return Taken((100 - explained) / 600)
        told = f"ours is at T = {words.count(longest.get('length'))}, published at {length}"
        return Taken((100 - longest["score"]) / 600, told) if longest else None

    return take


def copying(row: Row) -> Taken | None:
    """Accuracy of copy memory at the longest delay: no loss, so it is shown and not judged."""
    longest = _longest(row) if _part(row, "probe").get("along") == "length" else {}
    if not longest:
        return None
    at = words.count(longest["length"])
    told = f"published is the loss at T = 1,000, where guessing has 0.0204; ours is accuracy at T = {at}, floor 12.5 %"
    return Taken(longest["score"], told)


def recall(row: Row) -> Taken | None:
    """Accuracy of recall with 4 pairs in 64 symbols by a model of width 64."""
    at = _reached(row, 4) if _part(row, "probe").get("along") == "pairs" else None
    if at is None:
        return None
    length, width = number(_part(row, "task").get("length")), number(_part(row, "model").get("width"))
    alike = length == 64 and width == 64
    return Taken(at, "" if alike else f"ours has length {words.count(length)} and width {words.count(width)}")


def beyond(unlike: str = "") -> Take:
    """Mean accuracy over the lengths above those of training."""

    def take(row: Row) -> Taken | None:
        trained = number(_part(row, "task").get("length"))
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
        told = _part(row, "task")
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
        ("GRU", "", 5.3e-5, 0),
        ("RNN", "rnn", 0.177, 0.015),
    ):
        yield Published(
            "Memory", f"Adding, T = 600: {what}", "70,000 parameters; who always says 1 has 1/6 = 0.167",
            "mean squared error", value, value, TCN,
            ours=Ours("span", "synthetic.adding", model, adding(600)) if model else None,
            tolerance=tolerance,
            lower=True,
            most=math.inf,
            missing="" if model else NO_GRU,
            command=f"seqbench run long --variant adding --models {model} --set probe.lengths=600" if model else "",
        )  # fmt: skip


def _copying() -> Iterator[Published]:
    for what, model, value in (("LSTM", "lstm", 0.0204), ("GRU", "", 0.0197), ("RNN", "rnn", 0.0202)):
        yield Published(
            "Memory", f"Copy memory, T = 1,000: {what}", "16,000 parameters; who guesses has 0.0204", "loss",
            value, value, TCN,
            ours=Ours("span", "synthetic.copy", model, copying, "accuracy, %") if model else None,
            tolerance=0.0005,
            lower=True,
            missing="" if model else NO_GRU,
            command=f"seqbench run long --variant copy --models {model} --set probe.lengths=1000" if model else "",
        )  # fmt: skip


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
