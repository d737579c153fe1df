"""Settings: numbers and text mean the same, every range holds, and each mistake is one clear line."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Annotated, Any, Literal

import pytest
import torch

import bench.suites
import models
import tasks
from bench import learning
from tasks import BOS, SPECIALS, BadInput, Range, Spec, configured
from tasks import Settings as Base


def one_line(caught):
    text = str(caught.value)
    assert "\n" not in text
    return text


def configurations():
    """Every Config of ours by name."""
    kinds = {name: models.load(name) for name in models.names()} | {name: tasks.load(name) for name in tasks.names()}
    kinds |= {name: learning.load(name) for name in learning.RULES}
    return {name: kind.Config for name, kind in kinds.items()}


CONFIGS = configurations()


@dataclasses.dataclass(frozen=True)
class Settings:
    width: int = 12
    rate: float = 0.5
    both: bool = True
    name: str = "a"
    norm: Literal["pre", "post"] = "pre"
    leaks: tuple[float, ...] = (0.5,)


def test_text_becomes_the_type_of_each_setting():
    given = {"width": "7", "rate": "1e-3", "both": "no", "name": "b", "norm": "post", "leaks": "0.9,0.1"}
    assert configured(Settings, given, "model x") == Settings(7, 1e-3, False, "b", "post", (0.9, 0.1))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"width": 128}, {"width": "128"}),
        ({"rate": 2}, {"rate": "2"}),
        ({"rate": 1e-3}, {"rate": "0.001"}),
        ({"both": False}, {"both": "False"}),
        ({"both": 0}, {"both": "no"}),
        ({"name": 2016}, {"name": "2016"}),
        ({"leaks": [1, 0.1]}, {"leaks": "1,0.1"}),
        ({"leaks": 1}, {"leaks": "1"}),
        ({"norm": "post"}, {"norm": "post"}),
    ],
)
def test_numbers_and_their_text_give_the_same(value, text):
    one, other = (configured(Settings, given, "model x") for given in (value, text))
    assert one == other
    assert repr(one) == repr(other)  # 2 and 2.0 are equal, too
    assert repr(one) != repr(Settings())


def test_no_settings_are_the_defaults():
    assert configured(Settings, {}, "model x") == Settings()


def test_an_unknown_setting_is_told_the_known_ones():
    with pytest.raises(BadInput) as caught:
        configured(Settings, {"wdith": 7}, "model x")
    assert one_line(caught) == "model x has no setting 'wdith'; it has: both, leaks, name, norm, rate, width"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("width", "wide"),
        ("width", "7.5"),
        ("width", 7.5),
        ("width", None),
        ("rate", "fast"),
        ("rate", None),
        ("both", "maybe"),
        ("rate", "nan"),
        ("rate", "-inf"),
        ("rate", float("inf")),
        ("rate", "1e999"),
        ("rate", True),
        ("name", None),
        ("name", True),
        ("name", ["a"]),
        ("name", "half \ud800"),
        ("leaks", "0.1,slow"),
        ("leaks", [0.1, "nan"]),
        ("leaks", [[0.1]]),
        ("leaks", ""),
        ("leaks", None),
    ],
)
def test_a_bad_value_is_named_with_what_was_expected(name, value):
    with pytest.raises(BadInput) as caught:
        configured(Settings, {name: value}, "model x")
    text = one_line(caught)
    assert f"{name}={value!r}" in text
    default = getattr(Settings(), name)
    assert text.endswith(f"such as {'0.5' if name == 'leaks' else repr(default)}")


def test_a_choice_that_is_none_is_told_the_choices():
    with pytest.raises(BadInput, match="norm='middle'") as caught:
        configured(Settings, {"norm": "middle"}, "model x")
    assert "pre, post" in one_line(caught)


@pytest.mark.parametrize(
    ("ends", "inside", "outside"),
    [("[]", [0, 0.5, 1], []), ("[)", [0, 0.5], [1]), ("(]", [0.5, 1], [0]), ("()", [0.5], [0, 1])],
)
def test_a_range_holds_its_ends_as_its_brackets_say(ends, inside, outside):
    share = Range(0, 1, ends)
    assert all(value in share for value in inside)
    assert not any(value in share for value in [*outside, -1e-9, 1.001, float("nan"), float("inf"), 10**4000])


def test_a_range_is_said_as_a_person_would():
    assert str(Range(0, 1, "[)")) == "0 to 1, 1 excluded"
    assert str(Range(1, 65_536)) == "1 to 65,536"
    assert str(Range(0, 10, "()")) == "0 to 10, 0 and 10 excluded"


WRONG = [
    ("lstm", "dropout", 2.0, "lies outside 0 to 1, 1 excluded"),
    ("lstm", "dropout", -1.0, "lies outside 0 to 1"),
    ("lstm", "word_dropout", 2.0, "lies outside 0 to 1"),
    ("lstm", "layers", 0, "lies outside 1 to 256"),
    ("lstm", "layers", -4, "lies outside 1 to 256"),
    ("lstm", "gain", 0.0, "lies outside 0 to 10, 0 excluded"),
    ("rnn", "gain", 11.0, "lies outside 0 to 10"),
    ("transformer", "width", -3, "lies outside 1 to 65,536"),
    ("transformer", "heads", 3, "do not divide width=256"),
    ("transformer", "decoder_layers", 0, "lies outside 1 to 256"),
    ("bahdanau", "alignment", 0, "lies outside 1 to 65,536"),
    ("echo_state", "leaks", 5.0, "lies outside 0 to 1, 0 excluded"),
    ("echo_state", "units", 2, "lies outside 3 to 20,000"),
    ("echo_state", "units", 15, "at connectivity=0.1 leave 1.5 weights a unit; expected 2 or more"),
    ("echo_state", "radius", -0.1, "lies outside 0 to 10"),
    ("echo_state", "washout", -1, "lies outside 0 to 1,000,000"),
    ("gradient", "clip", -1.0, "lies outside 0 to 1,000,000, 0 excluded"),
    ("gradient", "warmup", 5.0, "lies outside 0 to 1"),
    ("gradient", "rate", 0.0, "lies outside 0 to 10, 0 excluded"),
    ("gradient", "memory", 1.0, "lies outside 0 to 1, 1 excluded"),
    ("ridge", "strengths", -1.0, "lies outside 0 to 1,000,000, 0 excluded"),
    ("translation", "vocabulary", 4, "lies outside 8 to 1,000,000"),
    ("translation", "longest", 1, "lies outside 2 to 10,000"),
    ("verses", "longest", 1, "lies outside 2 to 10,000"),
    ("sentiment", "longest", 0, "lies outside 1 to 10,000"),
    ("captioning", "scenes", 0, "lies outside 1 to 1,000,000"),
    ("captioning", "patch", 5, "does not divide pixels=96"),
    ("captioning", "pixels", 2000, "lies outside 1 to 1,024"),
    ("emoji", "vocabulary", 10, "lies outside 100 to 20,000"),
]


@pytest.mark.parametrize("given", [lambda value: value, str], ids=["number", "text"])
@pytest.mark.parametrize(("name", "setting", "value", "words"), WRONG)
def test_a_setting_out_of_its_range_is_one_line_that_names_both(name, setting, value, words, given):
    with pytest.raises(BadInput) as caught:
        configured(CONFIGS[name], {setting: given(value)}, f"model {name}")
    text = one_line(caught)
    assert text.startswith(f"model {name}: {setting}={value}")
    assert words in text


@pytest.mark.parametrize(("name", "setting", "value", "words"), WRONG)
def test_a_configuration_made_by_hand_keeps_the_same_ranges(name, setting, value, words):
    kind = CONFIGS[name]
    one = (value,) if isinstance(getattr(kind(), setting), tuple) else value
    with pytest.raises(ValueError, match=words):
        kind(**{setting: one})
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(kind(), **{setting: one})


@pytest.mark.parametrize("name", CONFIGS)
def test_every_number_among_our_settings_has_a_range(name):
    for setting, hint in typing.get_type_hints(CONFIGS[name], include_extras=True).items():
        hint = typing.get_args(hint)[0] if typing.get_origin(hint) is types.UnionType else hint
        one = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else hint
        if typing.get_origin(one) is not Literal and one not in (bool, str):
            assert any(isinstance(mark, Range) for mark in typing.get_args(one)[1:]), setting


@pytest.mark.parametrize("name", CONFIGS)
def test_no_setting_of_ours_takes_what_is_not_finite(name):
    hints = typing.get_type_hints(CONFIGS[name])
    floats = [setting for setting, hint in hints.items() if hint in (float, tuple[float, ...])]
    for setting in floats:
        for value in ("nan", "inf", float("-inf"), "1e999"):
            with pytest.raises(BadInput, match=setting):
                configured(CONFIGS[name], {setting: value}, name)
    assert floats or issubclass(CONFIGS[name], tasks.Task.Config)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_defaults_written_out_are_the_defaults(name):
    kind = CONFIGS[name]
    plain = dataclasses.asdict(kind())
    text = {key: ",".join(map(str, v)) if isinstance(v, tuple) else str(v) for key, v in plain.items()}
    assert repr(configured(kind, text, name)) == repr(configured(kind, plain, name)) == repr(kind())


@pytest.mark.parametrize("suite", sorted(path.stem for path in bench.suites.SETTINGS.glob("*.json")))
def test_what_the_suites_set_is_in_range(suite):
    checked = 0
    if "sizes" in bench.suites.settings(suite):  # a suite of variants on tasks of their own: as it would be run
        for trial in bench.suites.load(suite):
            configured(CONFIGS[trial.task], trial.task_settings, f"task {trial.task}")
            configured(CONFIGS[trial.model], trial.model_settings, f"model {trial.model}")
            configured(CONFIGS[models.load(trial.model).learning], trial.learning, f"model {trial.model}")
        return
    for task, by_model in bench.suites.settings(suite).items():
        if task == "variants":
            for variant in by_model.values():
                configured(CONFIGS["tokens"], variant.get("task", {}), "task tokens")
                for model, chosen in variant["models"].items():
                    configured(CONFIGS[model], chosen, f"model {model}")
                    checked += 1
        if task in ("provenance", "variants"):
            continue
        for model, chosen in by_model.items():
            configured(CONFIGS[task], chosen.get("task", {}), f"task {task}")
            if model != "all":
                rule = models.load(model).learning
                configured(CONFIGS[model], chosen.get("model", {}), f"model {model}")
                configured(CONFIGS[rule], chosen.get("learning", {}), f"rule {rule}")
            checked += 1
    assert checked


def ends(hint):
    """The least and the most that a float may be, short of ends that are excluded; of an integer the least."""
    span = next(mark for mark in typing.get_args(hint)[1:] if isinstance(mark, Range))
    if typing.get_args(hint)[0] is int:
        return [span.least]
    return [float(span.least) if span.least in span else 1e-3, float(span.most if span.most in span else 0.999)]


def extremes(config):
    for setting, hint in typing.get_type_hints(config, include_extras=True).items():
        if typing.get_origin(hint) is Annotated:
            yield from ((setting, end) for end in ends(hint))
        elif typing.get_origin(hint) is tuple:
            yield from ((setting, (end,)) for end in ends(typing.get_args(hint)[0]))


SMALL = {"width": 12, "hidden": 10, "alignment": 9, "feedforward": 14, "units": 40, "writer": 50, "heads": 1}


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize(
    "spec",
    [
        Spec("tokens", 11, 13, 5),
        Spec("tokens", 11, len(SPECIALS) + 3, 1),
        Spec("vectors", 64, 9, 5, "tokens", (1, 8, 8)),
    ],
    ids=["text", "label", "picture"],
)
def test_at_the_ends_of_every_range_a_model_is_built_and_says_numbers(name, spec):
    kind = models.load(name)
    known = {field.name for field in dataclasses.fields(kind.Config)}
    small = kind.Config(**{key: value for key, value in SMALL.items() if key in known})
    for setting, value in extremes(kind.Config):
        rest = {"connectivity": 1.0} if setting in ("units", "writer") else {}
        rest |= {"units": 2000, "writer": 2000} if (setting, value) == ("connectivity", 1e-3) else {}
        model = kind(spec, dataclasses.replace(small, **rest | {setting: value}))
        source = torch.randint(4, 11, (2, 5)) if spec.source == "tokens" else torch.rand(2, 5, 64)
        state = model.train().encode(source, torch.tensor([5, 3]), 2)
        feature, _ = model.step(torch.tensor([BOS, 5]), state)
        assert feature.isfinite().all(), (setting, value)


@dataclasses.dataclass(frozen=True)
class Theirs:
    width: int
    memory: int | None = None
    share: Annotated[float, "no range"] = 0.5
    anything: Any = None
    pair: tuple[int, ...] = (1, 2)


@pytest.mark.parametrize("text", ["4,5", "[4, 5]", "(4, 5)", " 4 , 5 ", "4,5,"])
def test_a_list_of_numbers_is_read_as_one_types_it_or_as_reports_show_it(text):
    assert configured(Theirs, {"width": 1, "pair": text}, "model mine").pair == (4, 5)


def test_what_is_no_list_of_numbers_is_refused_with_an_example():
    with pytest.raises(BadInput) as caught:
        configured(Theirs, {"width": 1, "pair": "4;5"}, "model mine")
    assert one_line(caught) == "model mine: pair='4;5' is no list of int, with commas between, such as 1,2"


def test_a_setting_without_a_default_is_asked_for_and_named_by_its_type():
    with pytest.raises(BadInput) as caught:
        configured(Theirs, {"width": "wide"}, "model mine")
    assert one_line(caught) == "model mine: width='wide' is no int"
    with pytest.raises(BadInput, match=r"model mine: .*missing.*'width'") as caught:
        configured(Theirs, {}, "model mine")
    one_line(caught)


def test_types_of_somebodys_own_are_read_where_they_can_be():
    given = {"width": "3", "memory": "8", "share": 1, "anything": {"a": 1}, "pair": "4"}
    assert configured(Theirs, given, "x") == Theirs(3, 8, 1.0, {"a": 1}, (4,))
    assert configured(Theirs, {"width": 3, "memory": "none"}, "x") == configured(Theirs, {"width": 3}, "x")
    with pytest.raises(BadInput, match="memory='much' is no"):
        configured(Theirs, {"width": 3, "memory": "much"}, "x")


def test_what_somebodys_own_class_says_of_a_value_becomes_one_line():
    @dataclasses.dataclass(frozen=True)
    class Even:
        width: int = 2

        def __post_init__(self):
            if self.width % 2:
                raise ValueError(f"width={self.width} is odd\nand that will not do")

    with pytest.raises(BadInput) as caught:
        configured(Even, {"width": 3}, "model mine")
    assert one_line(caught) == "model mine: width=3 is odd and that will not do"


def test_a_configuration_that_cannot_be_read_is_named():
    class Plain: ...

    @dataclasses.dataclass
    class Lost:
        width: Nowhere = 3

    for kind in (Plain, Lost):
        with pytest.raises(BadInput, match="model mine: the fields of its Config cannot be read") as caught:
            configured(kind, {}, "model mine")
        one_line(caught)


def test_a_long_value_is_shown_by_its_beginning():
    for value in ("9" * 5000, "9" * 4000, [1] * 5000, 10**4000):
        with pytest.raises(BadInput) as caught:
            configured(CONFIGS["lstm"], {"width": value}, "model x")
        assert len(one_line(caught)) < 150


def test_a_range_holds_for_each_value_of_a_row_and_a_row_holds_one():
    @dataclasses.dataclass(frozen=True)
    class Row(Base):
        leaks: tuple[Annotated[float, Range(0, 1)], ...] = (0.5,)

    assert Row((0.1, 1.0)).leaks == (0.1, 1.0)
    with pytest.raises(ValueError, match=r"leaks=1\.5 lies outside 0 to 1"):
        Row((0.1, 1.5))
    with pytest.raises(BadInput, match="model x: leaks is empty"):
        configured(Row, {"leaks": []}, "model x")
