"""Names and numbers as people read them: the one place that turns `echo_state` into "echo-state network"."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

MODELS = {
    "rnn": "vanilla RNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "echo_state": "echo-state network",
    "bahdanau": "Bahdanau attention",
    "transformer": "transformer",
}
FLOORS = {"nearest": "nearest neighbour", "constant": "constant answer", "patchwise": "patchwise guess"}
TASKS = {
    "translation": "Translation",
    "sentiment": "Sentiment",
    "captioning": "Captioning",
    "emoji": "Emoji naming",
    "tokens": "Random tokens",
    "synthetic.recall": "Recall",
    "synthetic.mqar": "Associative recall",
}
METRICS = {
    "bleu": "BLEU",
    "chrf": "chrF",
    "cider": "CIDEr-D",
    "exact": "exact",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "structure": "structure",
    "naming": "naming",
    "explained": "variance explained",
    "loss": "training loss",
    "validation_loss": "validation loss",
    "carry_bytes": "carried from token to token",
    "memory_bytes": "kept of the source",
    "vocabulary_source": "vocabulary of sources",
    "vocabulary_target": "vocabulary of targets",
    "length_source": "tokens a source",
    "length_target": "tokens a target",
    "unknown_source": "unknown in sources",
    "unknown_target": "unknown in targets",
    "items_unseen": "items with unseen words",
}
PERCENT = {  # the others have no unit
    "exact", "accuracy", "macro_f1", "structure", "naming", "explained", "unknown_source", "unknown_target",
}  # fmt: skip
COUNTS = {"vocabulary_source", "vocabulary_target", "items_unseen"}
SCALE_OF_100 = {*PERCENT, "bleu", "chrf"}
HELD_OUT, UNSEEN = "_held_out", "_unseen"  # ends of what a metric is called over a part of the items
PARTS = {HELD_OUT: "held out", UNSEEN: "unseen words"}
KIND = "kind_"
LANGUAGES = {
    "cs": "Czech", "de": "German", "en": "English", "es": "Spanish", "fi": "Finnish", "fr": "French",
    "it": "Italian", "la": "Latin", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ru": "Russian",
}  # fmt: skip
PROBES = {
    "throughput": "throughput",
    "parallelism": "parallelism",
    "scaling": "scaling with length",
    "span": "memory span",
    "extrapolate": "length extrapolation",
    "gradients": "gradient flow",
    "by_length": "quality by source length",
    "data_curve": "data against model",
}
LONGEST = 600  # characters of a stored text that are shown: a reason, an answer, one value of a setting
ENDLESS = 20_000  # characters at which even a command or a sentence of ours ends: no row makes a page endless
APART = ": "  # between a task and what tells it from itself


def clean(text: str, most: int = LONGEST) -> str:
    """A stored text as it may stand on a page: no control characters, no half characters, one line, not endless.

    Escaping is the template's work. Marks that reverse the reading order are shown by their number:
    left in, they would reorder the words that follow.
    """
    plain = text.isascii() and text.isprintable()  # most are: looking at each letter would take seconds in all
    shown = text if plain else "".join(_shown(c) for c in text[: most + 1])
    return shown if len(text) <= most else shown[:most] + "…"


def lines(text: str) -> tuple[str, ...]:
    """A stored text of several lines, each as it may stand on a page."""
    return tuple(clean(line) for line in text.splitlines() if line.strip())


def _shown(character: str) -> str:
    if character in "\n\r\t\u2028\u2029\x0b\x0c\x85":
        return " "
    if character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069":
        return f"⟨U+{ord(character):04X}⟩"
    return (
        "\ufffd" if unicodedata.category(character) in {"Cc", "Cs"} or ord(character) & 0xFFFE == 0xFFFE else character
    )


def whole(text: str) -> str:
    """The text without halves of characters, which JSON can hold and no file can."""
    return text if text.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", text)


def digest(text: str) -> str:
    """Six letters and digits that tell a text from others."""
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:6]


def distinct(named: Iterable[tuple[str, str]]) -> list[str]:
    """Names that no two have in common, from each name and the exact text behind it.

    Names that are shared get a few letters of the exact text's checksum.
    """
    pairs = list(named)
    times = Counter(name for name, _ in pairs)
    chosen: dict[str, None] = {}  # in order
    for name, exact in pairs:
        own = name if times[name] == 1 else f"{name} #{digest(exact)}"
        while own in chosen:
            own += "+"
        chosen[own] = None
    return list(chosen)


def cut(text: str, most: int) -> str:
    """The text, or its beginning with a sign that it goes on."""
    return text if len(text) <= most else text[: most - 1] + "…"


def model(name: str) -> str:
    """A model's name; one that is not ours is called what its owner calls it."""
    return MODELS.get(name, clean(name)[:48] or "nameless")


def floor(name: str) -> str:
    """A floor's name."""
    return FLOORS.get(name, clean(name)[:48].replace("_", " ") or "nameless")


def the(name: str) -> str:
    """A model as named in a sentence: "the transformer", but "Bahdanau attention"."""
    return f"the {name}" if name.startswith(("vanilla", "LSTM", "GRU", "echo-state", "transformer")) else name


def task(name: str) -> str:
    """A task's name as a heading."""
    own, colon, apart = name.partition(APART)
    plain = clean(own.removeprefix("synthetic."))[:48].replace("_", " ").strip() or "nameless"
    return TASKS.get(own, plain[:1].upper() + plain[1:]) + colon + clean(apart)


def direction(settings: dict[str, Any]) -> str:
    """ "English to Spanish" where a task's settings tell a direction such as en-es, else nothing."""
    pair = (settings.get("source"), settings.get("target"))
    if all(isinstance(p, str) and p in LANGUAGES for p in pair):
        return f"{LANGUAGES[str(pair[0])]} to {LANGUAGES[str(pair[1])]}"
    for value in settings.values():
        found = re.fullmatch(r"([a-z]{2})[-_>]+([a-z]{2})", value) if isinstance(value, str) else None
        if found and {*found.groups()} <= LANGUAGES.keys():
            return f"{LANGUAGES[found[1]]} to {LANGUAGES[found[2]]}"
    return ""


def metric(name: str) -> str:
    """A metric's name."""
    name = name[:256]  # each prefix and suffix is a call below
    if name in COUNTS:
        return METRICS[name]
    for end, said in PARTS.items():
        if name.endswith(end):
            return f"{metric(name.removesuffix(end))}, {said}"
    if name.startswith(KIND):
        return metric(name.removeprefix(KIND))
    return METRICS.get(name, clean(name)[:32].replace("_", " "))


def _whole_of(name: str) -> str:
    """The metric over all items."""
    for end in PARTS:
        if name.endswith(end):
            return _whole_of(name.removesuffix(end))
    return name


def unit(name: str) -> str:
    """ " %" for shares, nothing for scores without a unit."""
    base = _whole_of(name)
    return " %" if base in PERCENT or base.startswith(KIND) else ""


def headed(name: str) -> str:
    """A metric's name with its unit, as a column head or an axis label."""
    return f"{metric(name)},{unit(name)}" if unit(name) else metric(name)


def number(value: float | None, name: str = "") -> str:
    """A score with the digits that mean something: one behind the point from 0 to 100, two for CIDEr-D and losses.

    Bytes are told as memory.
    """
    if value is None:
        return "–"
    if name.endswith("_bytes"):
        return memory(value)
    if name in COUNTS:
        return count(value)
    digits = 2 if _whole_of(name) in {"cider", "loss", "validation_loss"} else 1
    return f"{value:z.{digits}f}".replace("-", "−")  # z: what rounds to nothing has no sign


def count(value: float | None) -> str:
    """A number of things, such as 12,345."""
    return "–" if value is None else f"{value:,.0f}"


def amount(value: float | None) -> str:
    """A large number of things in few letters, such as 1.23 M."""
    if value is None:
        return "–"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}" if value / size < 999.5 else f"{value / size:.0f} {letter}"
    return f"{value:.0f}"


def seconds(value: float | None) -> str:
    """A duration in seconds, as a column that aligns."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.1f}"


def significant(value: float | None, digits: int = 3) -> str:
    """A number of any size with the digits that mean something, such as 0.0123, 1.23 and 12,345."""
    if value is None:
        return "–"
    if value and not 1e-6 <= abs(value) < 1e15:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    behind = max(digits - 1 - math.floor(math.log10(abs(value))), 0) if value else 0
    return f"{value:,.{behind}f}".replace("-", "−")


def times(ratio: float) -> str:
    """How many times as much: "1.3", "12"."""
    return f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:,.0f}"


def milliseconds(value: float | None) -> str:
    """A duration, given in seconds, as a column that aligns."""
    return "–" if value is None else significant(1000 * value)


def memory(value: float | None) -> str:
    """A number of bytes in few letters, such as 1.5 MiB."""
    if value is None:
        return "–"
    for size, unit in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if value >= size:
            return f"{significant(value / size)} {unit}"
    return f"{value:.0f} B"


def duration(value: float) -> str:
    """A duration as said in a sentence."""
    if value < 180:
        return f"{value:.0f} s" if value >= 9.95 else f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 90 * 60 else f"{value / 3600:.1f} h"


def listed(words: Sequence[str], last: str = "and") -> str:
    """ "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def several(words: Sequence[str], last: str = "and", most: int = 8, of: int = 0) -> str:
    """ "a, b and 12 more"; all of them where they are few. `of`: how many there are where these are the first alone."""
    whole = max(of, len(words))
    return listed(words if whole <= most + 1 else [*words[:most], f"{whole - most:,} more"], last)


def plural(n: int, word: str) -> str:
    """ "1 seed", "2 seeds"."""
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"


def lowered(text: str) -> str:
    """A heading as it stands within a sentence."""
    return text[:1].lower() + text[1:]


def capital(text: str) -> str:
    """The text as it starts a sentence; LSTM stays LSTM."""
    return text[:1].upper() + text[1:]


def slug(name: str, most: int = 40) -> str:
    """A name as part of a file's name: letters, digits and hyphens, with a checksum where that may not be all of it."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if len(plain) <= most and re.fullmatch(r"[A-Za-z0-9]+(?:[ -][A-Za-z0-9]+)*", name):
        return plain
    return f"{plain[: most - 7].strip('-') or 'nameless'}-{digest(name)}"
