"""Trials of long sequences put together: of each task and variant its models, each with its seeds."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from reports import words
from reports.rows.fields import number
from reports.rows.settings import base, differing, variant
from reports.rows.stored import Row, Stored, finished, group
from reports.scores.summary import OURS
from reports.sections import speed

LARGE = 1e9  # what lies beyond is no score and no length: it would only stretch an axis
PLACES = 48  # of one curve
PLAIN = ("gradients", "data")  # variants called like their probe
RATES, LENGTHS, UPDATES, ENOUGH = "probe.rates", "probe.lengths", "budget.updates", "probe.enough"
SEARCHED = 2  # rank of a setting of the search
NAMED = 3  # settings in which one configuration of a model differs from another, and that its name tells


class Panel(NamedTuple):
    """What is compared: one task under the settings of one variant of the suite."""

    task: str
    variant: str

    @property
    def title(self) -> str:
        """ "Recall (truncated, 16)"; the task alone where its variant is called like it."""
        name, told = _known(words.task(self.task)), words.clean(self.variant)
        plain = base(self.task).rpartition(".")[2].replace("_", " ")
        for known in (f"{plain} by length", plain, *PLAIN):  # said by the heading already
            if told == known or told.startswith(f"{known}, "):
                told = told[len(known) :].lstrip(", ")
        return f"{name} ({words.cut(told, 80)})" if told else name

    @property
    def slug(self) -> str:
        """As part of a file's name."""
        return words.slug(f"{self.task} {self.variant}")

    @property
    def said(self) -> str:
        """Within a sentence."""
        return words.lowered(self.title)


def _known(name: str) -> str:
    """A task's name without the settings that its form does not have: "Associative recall: queries 8, pause 1"."""
    own, colon, apart = name.partition(words.APART)
    kept = ", ".join(one for one in apart.split(", ") if not one.endswith(" None"))
    return own + colon + kept if kept else own


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """One model in one configuration: a finished row a seed."""

    rows: tuple[Row, ...]  # by seed
    name: str  # for people; no two of a panel share it

    @property
    def model(self) -> str:
        """The model's own name."""
        return self.rows[0].result.model

    @property
    def the(self) -> str:
        """Within a sentence."""
        return words.the(self.name)

    @property
    def seeds(self) -> int:
        """How many there are."""
        return len(self.rows)

    def told(self, *keys: str) -> Any:
        """A setting, None where it is missing."""
        value: Any = self.rows[0].result.config
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def text(self, *keys: str) -> str:
        """A setting that is a text, clean and short."""
        value = self.told(*keys)
        return words.clean(value)[:32] if isinstance(value, str) else ""

    def number(self, *keys: str) -> float | None:
        """A setting that is a number."""
        return _possible(self.told(*keys))

    def numbers(self, *keys: str) -> list[float]:
        """A setting that is a list of numbers, the first of them."""
        value = self.told(*keys)
        told = value[:PLACES] if isinstance(value, list | tuple) else []
        return [n for one in told if (n := _possible(one)) is not None]

    @property
    def metric(self) -> str:
        """The task's main metric."""
        notes = self.told("notes")
        told = notes.get("metric") if isinstance(notes, dict) else None
        return told if isinstance(told, str) and told else self.rows[0].result.main

    def get(self, name: str) -> list[float]:
        """A metric, once a seed that has it."""
        return [n for row in self.rows if (n := _possible(row.result.metrics.get(name))) is not None]

    def curve(self, along: str, value: str, **at: float) -> dict[float, list[float]]:
        """Numbers over seeds at each place of a curve, in the order of places; `at` is what its points must hold."""
        found: dict[float, list[float]] = {}
        for row in self.rows:
            for place, y in seed_curve(row, along, value, **at).items():
                found.setdefault(place, []).append(y)
        return dict(sorted(found.items())[:PLACES])


def seed_curve(row: Row, along: str, value: str, most: float = LARGE, **at: float) -> dict[float, float]:
    """One seed's curve: number by place; of several at one place the last. What lies beyond `most` is left out."""
    found: dict[float, float] = {}
    for point in row.result.curve:
        x, y = _possible(point.get(along)), _possible(point.get(value), most)
        if x is not None and x >= 0 and y is not None and all(point.get(k) == v for k, v in at.items()):
            found[x] = y
    return found


def _possible(value: Any, most: float = LARGE) -> float | None:
    n = number(value)
    return n if n is not None and abs(n) <= most else None


def panels(stored: Stored, probe: str) -> dict[Panel, list[Line]]:
    """Finished trials of a probe: of each task and variant its models, in the usual order, each with its seeds."""
    found: dict[Panel, dict[str, dict[int, Row]]] = {}
    for row in stored.long:
        if row.result.probe == probe and finished(row):
            own = found.setdefault(Panel(row.result.task, variant(row.result)), {})
            key = json.dumps([row.result.model, _told(row)], sort_keys=True)
            own.setdefault(key, {})[row.result.seed] = row  # of equal settings and seeds the latest
    known = {task: place for place, task in enumerate(("translation", "sentiment", "captioning"))}
    order = sorted(found, key=lambda panel: (known.get(base(panel.task), len(known)), panel))
    return {panel: _lines(found[panel].values()) for panel in order}


def _told(row: Row) -> dict[str, str]:
    """The settings that make another line; in which order rates are tried does not."""
    rates = group(row, "probe").get("rates")
    told = speed.told(row)
    return told | {RATES: json.dumps(sorted(rates, key=str))} if isinstance(rates, list) else told


def _lines(groups: Iterable[dict[int, Row]]) -> list[Line]:
    """Each with a name, in the usual order of models; what differs within a model stands behind it in brackets."""
    rows = [tuple(own[seed] for seed in sorted(own)) for own in groups]
    told = {own[0]: _told(own[0]) for own in rows}
    models = {own[0]: own[0].result.model for own in rows}
    apart = {m: differing([told[row] for row in told if models[row] == m]) for m in dict.fromkeys(models.values())}
    keys = {m: _telling(own, [told[row] for row in told if models[row] == m]) for m, own in apart.items()}
    names = words.distinct(
        (words.model(model) + _apart(row, told[row], keys[model]), str((model, told[row])))
        for row, model in models.items()
    )
    place = {model: n for n, model in enumerate(OURS)}
    found = [Line(own, name) for own, name in zip(rows, names, strict=True)]
    return sorted(found, key=lambda one: (place.get(one.model, len(place)), one.model, one.name))


def _telling(keys: Sequence[str], told: Sequence[dict[str, str]]) -> list[str]:
    """The settings that a name tells; how a model was searched only where the others do not tell all apart."""
    known = [key for key in sorted(keys, key=_rank) if _rank(key) < SEARCHED]
    enough = len({tuple(one.get(key) for key in known) for one in told}) == len(told)
    return known if enough else sorted(keys, key=_rank)


def _rank(key: str) -> int:
    """What a model is comes first, and last how it was searched."""
    return 0 if key.startswith("model.") else SEARCHED if key in (RATES, ENOUGH) else 1


def _apart(row: Row, told: dict[str, str], keys: Sequence[str]) -> str:
    """ " (batch 64, 3,000 updates)"."""
    said = [_setting(row, key, told.get(key, "–")) for key in keys[:NAMED]] + ["…"] * (len(keys) > NAMED)
    return f" ({words.clean(', '.join(said))})" if said else ""


def _setting(row: Row, key: str, value: str) -> str:
    """ "3,000 updates", "rates 0.001 and 0.003", "up to 16 pairs", "hidden 128"."""
    listed = group(row, "probe").get(key.rpartition(".")[2])
    many = [n for one in listed[:PLACES] if (n := _possible(one)) is not None] if isinstance(listed, list) else []
    if key == UPDATES and (updates := _possible(row.result.budget.get("updates"))) is not None:
        return words.plural(int(updates), "update")
    if key == RATES and many:
        rates = words.listed([words.significant(rate, 1) for rate in sorted(many)])
        return f"rate{'s' * (len(many) > 1)} {rates}"
    if key == LENGTHS and many:
        along = group(row, "probe").get("along")
        return f"up to {at(words.cut(along, 24) if isinstance(along, str) else 'length', max(many))}"
    return f"{words.cut(key.rpartition('.')[2].replace('_', ' '), 24)} {words.cut(value, 24)}"


def chief(lines: Sequence[Line]) -> list[Line]:
    """Of each model the configuration that sentences are about: most seeds, the longest search, updates, the latest."""
    most: dict[str, Line] = {}
    for one in lines:
        most[one.model] = max(most.get(one.model, one), one, key=_weight)
    return [one for one in lines if most[one.model] is one]


def _weight(one: Line) -> tuple[int, float, float, str]:
    updates, latest = _possible(one.rows[0].result.budget.get("updates")), max(row.result.time for row in one.rows)
    return one.seeds, max(one.numbers("probe", "lengths"), default=0.0), updates or 0.0, latest


def at(along: str, place: float) -> str:
    """ "length 40", "32 pairs"."""
    return f"length {words.count(place)}" if along == "length" else f"{words.count(place)} {unit(along, place)}"


def unit(along: str, place: float) -> str:
    """ "pairs", "pair" of one."""
    return along.removesuffix("s") if place == 1 else along
