"""The folder is the registry: names are files, nothing is imported before it is asked for, and mistakes are named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import models
import tasks
from models.transformer import Transformer
from tasks import BadInput

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
    assert {package, "tasks._registry"} <= set(imported)  # the question was put to the package itself


def test_every_model_file_is_listed_and_nothing_else():
    listed = models.names()
    assert {"rnn", "lstm", "echo_state", "bahdanau", "transformer"} <= set(listed)
    assert listed == sorted(path.stem for path in (ROOT / "models").glob("[a-z]*.py"))
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


@pytest.mark.parametrize(
    "name", ["./mine", "../mine", ".mine", "mine.", "..", "a..b", "in/mine", "\0.a", "\ud800.a", "a b.c"]
)
def test_what_is_neither_a_name_nor_a_module_is_told_what_may_stand_there(name):
    with pytest.raises(BadInput, match=r"or the path of a \.py file$") as caught:
        models.load(name)
    assert repr(name) in one_line(caught)


@pytest.mark.parametrize("name", ["./mine", "mine.v2"])
def test_a_forgotten_ending_is_guessed(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{name}.py").write_text("MODEL = None\n")
    with pytest.raises(BadInput) as caught:
        models.load(name)
    assert one_line(caught).endswith(f"did you mean {name}.py?")


@pytest.mark.parametrize(
    ("text", "kind"),
    [("def (\n", "SyntaxError"), ("1 / 0\n", "ZeroDivisionError"), ("import sys\nsys.exit(3)\n", "SystemExit: 3")],
)
def test_a_module_that_raises_is_named_with_its_error(tmp_path, monkeypatch, text, kind):
    (tmp_path / "strangers").mkdir()
    (tmp_path / "strangers" / "lab.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BadInput, match=kind) as caught:
        models.load("strangers.lab")
    sys.modules.pop("strangers", None)
    assert "'strangers.lab'" in one_line(caught)


def test_a_file_that_ends_the_program_is_named(tmp_path):
    (tmp_path / "mine.py").write_text("raise SystemExit('done')\n")
    with pytest.raises(BadInput, match="SystemExit: done") as caught:
        models.load(str(tmp_path / "mine.py"))
    assert "mine.py" in one_line(caught)


def test_a_name_longer_than_any_file_does_not_exist():
    with pytest.raises(BadInput, match=r"model file xxx.* does not exist"):
        models.load("x" * 5000 + ".py")


def test_a_message_is_one_line_of_bounded_length():
    assert str(BadInput("two\nlines\u2028and\x0ba half")) == "two lines and a half"
    long = str(BadInput(f"begins {'x' * 10**6} ends"))
    assert (len(long) < 1100, long[:6], long[-4:]) == (True, "begins", "ends")
