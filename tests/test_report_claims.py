"""Claims on a page: effects drawn in one unit, their numbers under them, and those that have no such unit left out."""

from __future__ import annotations

import pytest

from reports.claims import ABSENT, CHAPTERS, SUPPORTED, Claim, Effect, Found, Part, Tried
from reports.sections import on_trial


def supported(name: str, least: float, effect: Effect, none: float = 0.0, unit: str = "BLEU") -> Tried:
    part = Part(f"{name}: one less another", least, lambda _: effect, unit, none)
    claim = Claim(CHAPTERS[0], f"{name} helps.", "M.", "R.", (part,))
    return Tried(name, claim, (Found(part, SUPPORTED, effect),), SUPPORTED)


@pytest.fixture
def found() -> list[Tried]:
    return [
        supported("large", 0.5, Effect(1.5, 1.0, 2.25, "3 seeds")),
        supported("ratio", 2.0, Effect(4.0, 2.0, 8.0, "5 seeds"), none=1.0, unit="times"),
        supported("any", 0.0, Effect(30.0, 20.0, 40.0, "3 seeds"), unit="points"),
        supported("any_ratio", 1.0, Effect(9.0, 8.0, 10.0, "3 seeds"), none=1.0, unit="times"),
    ]


def test_the_table_under_the_figure_of_claims_holds_the_drawn_intervals_their_unit_and_their_seeds(found):
    [drawing] = on_trial._drawing(found)
    assert drawing.data is not None
    assert [[cell.text for cell in row] for row in drawing.data.rows] == [
        ["Large", "3.000", "2.000", "4.500", "+1.50", "+1.00 to +2.25", "BLEU", "3 seeds"],
        ["Ratio", "2.000", "1.000", "3.000", "4.00", "2.00 to 8.00", "times", "5 seeds"],
    ]
    axes = drawing.figure.axes[0]
    drawn = [[float(x) for x in line.get_xdata()] for line in axes.lines[:4]]
    assert [(*point, *ends) for ends, point in zip(drawn[::2], drawn[1::2], strict=True)] == [
        pytest.approx([cell.value for cell in row[1:4]]) for row in drawing.data.rows
    ]


def test_effects_without_a_smallest_one_worth_naming_are_left_out_of_the_figure_and_that_is_said(found):
    section = on_trial._overview(found)
    assert [label.get_text() for label in section.drawings[0].figure.axes[0].get_yticklabels()] == ["Large", "Ratio"]
    assert section.said[1].startswith("Not in the figure: Any and Any ratio;")
    assert len(section.tables[0].rows) == 4
    assert on_trial._overview(found[2:]).drawings == ()
    assert len(on_trial._overview(found[:2]).said) == 1


def test_the_figure_of_claims_tells_each_effect_in_its_own_unit(found):
    [drawing] = on_trial._drawing(found)
    assert dict(drawing.behind)["Large"] == (
        "Large, supported: large: one less another +1.50 BLEU (+1.00 to +2.25; 3 seeds)"
    )


def test_claims_that_no_run_has_measured_come_last(found):
    absent = Tried("absent", Claim(CHAPTERS[0], "Absent helps.", "M.", "R.", ()), (), ABSENT)
    told = on_trial._overview([absent, *found]).tables[0]
    assert [row[1].text for row in told.rows] == [*["supported"] * 4, ABSENT]
