"""The folder is the registry: names are files, nothing is imported before it is asked for, and mistakes are named."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

import models
import tasks
from models.transformer import Transformer
from tasks import BadInput, configured

ROOT = Path(models.__file__).parent.parent


def one_line(caught):
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("package", ["models", "tasks"])
def test_listing_imports_none_of_what_is_listed(package):
    ask = f"import sys, {package}; names = {package}.names(); print(*names); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True)
    names, imported = (line.split() for line in done.stdout.splitlines())
    assert names
    assert not {f"{package}.{name}" for name in names} & set(imported)
    assert f"{package}._registry" in imported or package == "models"


def test_every_model_file_is_listed_and_nothing_else():
    listed = models.names()
    assert {"rnn", "lstm", "echo_state", "bahdanau", "transformer"} <= set(listed)
    assert listed == sorted(listed)
    assert not {"layers", "__init__"} & set(listed)
    for name in listed:
        assert f"\nMODEL = {models.load(name).__name__}\n" in (ROOT / "models" / f"{name}.py").read_text()


def test_a_folder_lists_files_that_declare_and_skips_private_ones(tmp_path):
    for name, text in {
        "b.py": "x = 1\nMODEL = int\n",
        "a.py": "\nTASK = int\n",
        "_hidden.py": "\nMODEL = int\n",
        "no.py": "MODELS = 3\n",
        "notes.txt": "\nMODEL = int\n",
    }.items():
        (tmp_path / name).write_text(text)
    assert tasks.listed(tmp_path) == ["a", "b"]


def test_a_model_is_loaded_by_name_by_dotted_name_and_by_path():
    assert models.load("transformer") is Transformer
    assert models.load("models.transformer") is Transformer
    own = models.load(str(ROOT / "models" / "transformer.py"))
    assert own.__name__ == "Transformer"
    assert issubclass(own, models.Model)


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(BadInput) as caught:
        models.load("perceptron")
    text = one_line(caught)
    assert "'perceptron'" in text
    assert all(name in text for name in models.names())


def test_a_file_that_does_not_exist_is_named():
    with pytest.raises(BadInput, match=r"nowhere/mine\.py does not exist") as caught:
        models.load("nowhere/mine.py")
    one_line(caught)


def test_a_module_that_does_not_exist_is_named():
    with pytest.raises(BadInput, match=r"nobodys\.lab") as caught:
        models.load("nobodys.lab")
    one_line(caught)


@pytest.mark.parametrize("text", ["x = 1\n", "MODEL = 3\n", "MODEL = int\n", "class Model: ...\nMODEL = Model\n"])
def test_a_file_without_a_model_is_told_how_to_end(tmp_path, text):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(BadInput, match="does not end with MODEL = YourClass") as caught:
        models.load(str(tmp_path / "mine.py"))
    assert "mine.py" in one_line(caught)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("1 / 0\n", "ZeroDivisionError"), ("import nobodys_lab\n", "ModuleNotFoundError"), ("def (\n", "SyntaxError")],
)
def test_a_file_that_raises_is_named_with_its_error(tmp_path, text, kind):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(BadInput, match=kind) as caught:
        models.load(str(tmp_path / "mine.py"))
    assert "mine.py" in one_line(caught)


def test_a_file_may_call_the_file_of_ours_by_its_name(tmp_path):
    text = "from models.transformer import Transformer\n\nclass Mine(Transformer): ...\n\nMODEL = Mine\n"
    (tmp_path / "transformer.py").write_text(text)
    mine = models.load(str(tmp_path / "transformer.py"))
    assert mine.__name__ == "Mine"
    assert models.load("transformer") is Transformer


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


def test_values_that_are_no_text_are_taken_as_they_are():
    given = {"width": 7, "rate": 2, "both": False, "leaks": [0.9, 0.1]}
    found = configured(Settings, given, "model x")
    assert found == Settings(7, 2.0, False, "a", "pre", (0.9, 0.1))
    assert isinstance(found.rate, float)
    assert isinstance(found.leaks, tuple)


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
        ("leaks", "0.1,slow"),
        ("leaks", 0.1),
    ],
)
def test_a_bad_value_is_named_with_what_was_expected(name, value):
    with pytest.raises(BadInput) as caught:
        configured(Settings, {name: value}, "model x")
    text = one_line(caught)
    assert f"{name}={value!r}" in text
    assert repr(getattr(Settings(), name)) in text


def test_a_choice_that_is_none_is_told_the_choices():
    with pytest.raises(BadInput, match="norm='middle'") as caught:
        configured(Settings, {"norm": "middle"}, "model x")
    assert "pre, post" in one_line(caught)
