"""Names and numbers as people read them: the one place that turns `echo_state` into "echo-state network"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
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
    "loss": "training loss",
    "validation_loss": "validation loss",
}
PERCENT = {"exact", "accuracy", "macro_f1", "structure", "naming"}  # the others have no unit
SCALE_OF_100 = {*PERCENT, "bleu", "chrf"}
HELD_OUT = "_held_out"
KIND = "kind_"
LANGUAGES = {
    "cs": "Czech", "de": "German", "en": "English", "es": "Spanish", "fi": "Finnish", "fr": "French",
    "it": "Italian", "la": "Latin", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ru": "Russian",
}  # fmt: skip
LONGEST = 600  # characters of a stored text that are shown


def clean(text: str) -> str:
    """A stored text as it may stand on a page: no control characters, no half characters, one line, not endless.

    Escaping is the template's work. Marks that reverse the reading order are shown by their number:
    left in, they would reorder the words that follow.
    """
    shown = "".join(_shown(c) for c in text[: LONGEST + 1])
    return shown if len(text) <= LONGEST else shown[:LONGEST] + "…"


def _shown(character: str) -> str:
    if character in "\n\r\t\u2028\u2029\x0b\x0c\x85":
        return " "
    if character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069":
        return f"⟨U+{ord(character):04X}⟩"
    return (
        "\ufffd" if unicodedata.category(character) in {"Cc", "Cs"} or ord(character) & 0xFFFE == 0xFFFE else character
    )


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
    own, colon, apart = name.partition(": ")
    plain = clean(own)[:48].replace("_", " ").strip() or "nameless"
    return TASKS.get(own, plain[:1].upper() + plain[1:]) + colon + clean(apart)[:48]


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
    if name.endswith(HELD_OUT):
        return f"{metric(name.removesuffix(HELD_OUT))}, held out"
    if name.startswith(KIND):
        return metric(name.removeprefix(KIND))
    return METRICS.get(name, clean(name)[:32].replace("_", " "))


def unit(name: str) -> str:
    """ " %" for shares, nothing for scores without a unit."""
    base = name.removesuffix(HELD_OUT)
    return " %" if base in PERCENT or base.startswith(KIND) else ""


def headed(name: str) -> str:
    """A metric's name with its unit, as a column head or an axis label."""
    return f"{metric(name)},{unit(name)}" if unit(name) else metric(name)


def number(value: float | None, name: str = "") -> str:
    """A score with the digits that mean something: one behind the point from 0 to 100, two for CIDEr-D and losses."""
    if value is None:
        return "–"
    digits = 2 if name.removesuffix(HELD_OUT) in {"cider", "loss", "validation_loss"} else 1
    return f"{value:.{digits}f}".replace("-", "−")


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


def plural(n: int, word: str) -> str:
    """ "1 seed", "2 seeds"."""
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"


def capital(text: str) -> str:
    """The text as it starts a sentence; LSTM stays LSTM."""
    return text[:1].upper() + text[1:]
