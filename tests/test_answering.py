"""Rows that do not say how their model was made are refused in one line."""

from __future__ import annotations

import dataclasses

import pytest

from bench import record
from bench.commands import answering
from bench.record import Result
from bench.trial import Budget, Trial
from tasks import BadInput

GOOD = dataclasses.asdict(Trial("lstm", "translation", 0, "quick", Budget(updates=3)))


def asked_of(folder, config):
    row = Result("quality", "lstm", "translation", 0, "ok", {"bleu": 1.0}, "bleu", config=config)
    record.append(folder, row)
    with pytest.raises(BadInput) as caught:
        answering.answer(folder, "Turn it on", "lstm", "translation")
    text = str(caught.value)
    assert "\n" not in text
    assert str(folder) in text
    return text


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "'asked'"),
        ({"asked": None}, "run it again"),
        ({"asked": "lstm"}, "run it again"),
        ({"asked": []}, "run it again"),
        ({"asked": GOOD | {"model_settings": ["width"]}}, "settings"),
        ({"asked": GOOD | {"task_settings": "all"}}, "settings"),
        ({"asked": {}}, "'budget'"),
        ({"asked": GOOD | {"wings": 2}}, "wings"),
        ({"asked": GOOD | {"budget": {"fortnights": 1}}}, "fortnights"),
        ({"asked": {key: value for key, value in GOOD.items() if key != "suite"}}, "suite"),
    ],
)
def test_a_row_that_does_not_say_what_was_asked_for_is_one_line(tmp_path, config, words):
    text = asked_of(tmp_path, config)
    assert "lstm on translation does not say how its model was made" in text
    assert words in text


def test_a_row_that_says_it_all_but_has_no_model_is_one_line(tmp_path):
    assert "names no checkpoint" in asked_of(tmp_path, {"asked": GOOD})
