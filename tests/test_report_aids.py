"""Reading aids that need no browser: numbers read back, figures with their tables, anchors and links."""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_report import MODELS, build, seen, trial

from bench.record import Result
from bench.statistics import Point
from reports import anchors, figures, words
from reports.figures import attention as attention_figures
from reports.figures import long as long_figures
from reports.figures import overall as overall_figures
from reports.figures import series
from reports.figures import speed as speed_figures
from reports.figures.svg import Drawn, drawn
from reports.magnitude import carried, magnitude, plain
from reports.page import html
from reports.parts import Cell, Page, Section, Table
from reports.rows.artifacts import Attention
from reports.rows.stored import Row, gather
from reports.scores import tables
from reports.sections import appendix, behind

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("write", "share"),
    [
        (words.count, 0), (words.amount, 0.006), (words.significant, 0.006), (words.memory, 0.006),
        (words.seconds, 0.06), (words.duration, 0.17), (lambda x: f"{x:.0f} %", 0), (lambda x: f"{x:,.0f} of 99", 0),
        (lambda x: f"{x:,.0f}–{x + 7:,.0f}", 0), (lambda x: f"{x:,.0f} to {x + 7:,.0f} %", 0),
    ],
)  # fmt: skip
@settings(max_examples=40)
@given(value=st.integers(1, 9_999_999))
def test_a_number_written_in_words_is_read_back_as_the_same_number(write, share, value):
    assert magnitude(write(float(value))) == pytest.approx(value, rel=max(share, 1e-12))


@settings(max_examples=40)
@given(st.floats(-1e6, 1e6))
def test_scores_are_read_back_with_their_sign(value):
    assert magnitude(words.number(value)) == pytest.approx(value, abs=0.051)
    assert magnitude(words.significant(value)) == pytest.approx(value, rel=0.006)


def test_limits_stand_beside_what_they_name_and_words_are_no_numbers():
    ordered = ["−3.5", "0", "< 0.001", "0.001", "below 16", "16", "at least 16", "17", "2 min", "1.5 h", "never"]
    found = [magnitude(text) for text in ordered]
    assert found == sorted(found)
    assert len({*found}) == len(found)
    for text in ("", "–", "none", "not measured", "LSTM", "3 models", "12 → 40", "seed 3", "1.2.3", "v2", "2 x 3"):
        assert magnitude(text) is None


def test_a_cell_carries_a_number_only_where_its_text_does_not_say_it():
    assert [carried(text, None) for text in ("1,234.5", "−3", "LSTM", "–")] == [""] * 4
    assert [carried(text, None) for text in ("1.5 k", "31 min", "never")] == ["1500", "1860", "Infinity"]
    assert carried("35.4", 35.4443) == "35.4443"
    assert carried("–", math.nan) == ""
    assert plain("12,345.6")
    assert not plain("1,2")


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("aids") / "run")


@pytest.fixture(scope="module")
def made(rich: Path) -> Path:
    return html.write([rich], rich.parent / "page").parent


def test_every_figure_holds_the_series_that_its_table_holds(made):
    text = (made / "index.html").read_text("utf-8")
    figures = re.findall(r"<figure id.*?</figure>", text, re.DOTALL)
    assert len(figures) > 15
    for one in figures:
        root, table = (
            ElementTree.fromstring(one[one.index("<svg") : one.index("</svg>") + 6]),
            one.partition("</svg>")[2],
        )
        held = {group.get("data-series") for group in root.iter(f"{SVG}g")} - {None}
        named = {*re.findall(r'<th scope="row"[^>]*><bdi>(.*?)</bdi>', table)}
        assert named, one[:60]
        if re.search('"col">(written|head)<', table):  # a heat map holds cells
            assert len(list(root.iter(f"{SVG}path"))) + len(list(root.iter(f"{SVG}image"))) > len(named)
        else:
            assert len(held) == len(named) > 1, one[:60]
        assert {group.get("data-key") for group in root.iter(f"{SVG}g")} - {None} <= held


def test_each_point_of_a_figure_is_a_row_of_its_table_and_says_its_numbers():
    points = [Point(x, y, y * 0.9, y * 1.2) for x, y in ((16, 3.25), (32, 4.5), (64, 1234.0))]
    drawing = speed_figures.curves(
        [speed_figures.Series("LSTM", "lstm", points, (24.0, 4.0)), speed_figures.Series("mine", "x", points[:2])],
        "length", "step, ms",
    )  # fmt: skip
    figure = drawn(drawing, "own", "alt", behind={"mine": "of 5 seeds"})
    assert figure.numbers is not None
    assert figure.numbers.head == ("series", "line", "length", "step, ms", "from", "to")
    texts = [tuple(cell.text for cell in row) for row in figure.numbers.rows]
    assert texts == [
        ("LSTM", "", "16", "3.250", "2.925", "3.900"), ("LSTM", "", "32", "4.500", "4.050", "5.400"),
        ("LSTM", "", "64", "1,234", "1,111", "1,481"), ("LSTM", "ringed", "24", "4", "–", "–"),
        ("mine", "", "16", "3.250", "2.925", "3.900"), ("mine", "", "32", "4.500", "4.050", "5.400"),
    ]  # fmt: skip
    titles = [title.text for use in ElementTree.fromstring(figure.inline).iter(f"{SVG}use") for title in use]
    assert titles[0] == "LSTM: step, ms 3.250 (2.925 to 3.900), length 16"
    assert titles[3] == "mine: step, ms 3.250 (2.925 to 3.900), length 16; of 5 seeds"
    assert titles[5] == "LSTM, ringed: step, ms 4, length 24"
    assert len(titles) == 6


def test_lines_of_one_colour_belong_to_the_name_before_them():
    place = long_figures.Place
    curves = [
        long_figures.Curve("LSTM (hidden 7)", "lstm", [place(1, 2, 2, 2), place(3, 4, 3, 5)], [(1, 2.5), (3, 4.5)]),
        long_figures.Curve("LSTM (hidden 9)", "lstm", [place(1, 7, 6, 8), place(3, 8, 8, 8)], [(3, 8.5)]),
    ]
    figure = long_figures.lines(curves, long_figures.Frame("length", "score", across=5.0))
    found = series.read(figure).series
    assert [one.name for one in found] == ["LSTM (hidden 7)", "LSTM (hidden 9)"]
    told = [[(s.kind, [(m.x, m.y, m.low, m.high) for m in s.marks]) for s in one.strands] for one in found]
    assert told == [
        [("", [(1, 2, None, None), (3, 4, 3, 5)]), ("one seed", [(1, 2.5, None, None), (3, 4.5, None, None)])],
        [("", [(1, 7, 6, 8), (3, 8, None, None)]), ("one seed", [(3, 8.5, None, None)])],
    ]


def test_of_very_many_points_some_are_in_the_table_and_it_says_so():
    curve = long_figures.Curve("LSTM", "lstm", [long_figures.Place(x, x, x, x) for x in range(1, 1000)])
    table = series.table(series.read(long_figures.lines([curve], long_figures.Frame("a", "b"))), "caption")
    assert table is not None
    assert len(table.rows) == series.MOST
    assert (table.rows[0][1].text, table.rows[-1][1].text) == ("1", "999")
    assert table.note == "879 points of 999 left out, evenly along each line."


def test_every_link_of_a_page_leads_somewhere_and_scores_to_their_own_row(made):
    text = (made / "index.html").read_text("utf-8")
    known = Counter(re.findall(r' id="([^"]+)"', text))
    assert max(known.values()) == 1
    links = re.findall(r'href="#([^"]+)"', text)
    assert not {*links} - {*known}
    assert len([link for link in links if link.startswith("row-")]) > 40
    assert len([link for link in links if link.startswith("settings-")]) == 14
    score = re.search(r'<bdi>LSTM</bdi></a></th><td[^>]*><a class="from" href="#(row-\w+)"', text)
    assert score is not None
    row = text[text.index(f'id="{score[1]}"') :].partition("</tr>")[0]
    for part in ("LSTM", "Translation", "0123abc", "Example processor (cpu, 1 thread)", "run lstm translation"):
        assert part in row


def test_anchors_of_rows_follow_from_the_trial_alone(rich, tmp_path):
    rows = gather([rich]).rows
    assert len({anchors.row(row) for row in rows}) == len(rows)
    again = [Row(tmp_path, row.result) for row in reversed(rows)]
    assert {anchors.row(row) for row in rows} == {anchors.row(row) for row in again}
    seeds = [Row(tmp_path, Result("quality", "lstm", "sentiment", n, "ok", {})) for n in range(2)]
    assert len({anchors.row(row) for row in seeds}) == 2
    assert len({anchors.settings(row) for row in seeds}) == 1


def test_a_link_that_leads_nowhere_is_left_out_and_no_anchor_is_given_twice():
    cells = (Cell("a", anchor="x", link="gone"),), (Cell("b", anchor="x", link="x"),)
    part = ("part", "Part", "", (Section("One", tables=(Table("t", ("h",), cells),)), Section("One")))
    found = anchors.anchored(Page("", "", (), (), (), None, (part,), "", ""))
    (first, second) = found.parts[0][3]
    assert [(row[0].anchor, row[0].link) for row in first.tables[0].rows] == [("x", ""), ("", "x")]
    assert (first.anchor, second.anchor, first.tables[0].anchor) == ("part-one", "part-one-2", "table-part-one")


def test_a_table_of_sentences_wraps_one_of_words_alone_breaks_them_and_one_of_numbers_does_neither():
    row = ((Cell("a"), Cell("b")),)
    tables = (
        Table("prose", ("h", "i"), row, numbers=(False, False), prose=True),
        Table("words", ("h", "i"), row),
        Table("numbers", ("h", "i"), row, numbers=(False, True)),
    )
    page = Page("", "", (), (), (), None, (("part", "Part", "", (Section("One", tables=tables),)),), "", "")
    made = html._files(page)["index.html"].decode()
    assert re.findall(r"<table([^>]*)>\n<caption><span>(\w+)", made) == [
        (' class="prose"', "prose"), (' class="words"', "words"), ("", "numbers"),
    ]  # fmt: skip


def test_no_line_ends_between_a_number_and_its_per_cent():
    assert html.unbroken("77.8 % of 3 % and 100 points") == "77.8\xa0% of 3\xa0% and 100 points"
    assert html.unbroken("the % of it") == "the % of it"


def test_what_stands_behind_a_score_names_every_seed(tmp_path):
    for seed in (3, 4):
        trial(tmp_path, "lstm", "sentiment", seed, artifacts={})
    (line,) = tables.lines(gather([tmp_path]), "sentiment")
    told = behind.told(line)
    assert told.startswith(f"LSTM: mean accuracy {line.value:.1f} %; 95 % interval ")
    assert told.endswith(f" over 2 seeds; seed 3 {line.values[0]:.1f} and seed 4 {line.values[1]:.1f}")
    cell = behind.scored(line)
    assert (cell.value, cell.link) == (line.value, anchors.row(line.rows[0]))


def test_a_row_without_a_commit_or_a_machine_says_so():
    row = Row(Path(), Result("quality", "lstm", "sentiment", 7, "ok", {"accuracy": 1.0}, "accuracy", command="again"))
    assert [cell.text for cell in appendix._origin("LSTM", "Sentiment", row)] == [
        "LSTM", "Sentiment", "7", "–", "–", "again",
    ]  # fmt: skip


def test_colours_of_the_page_are_classes_of_its_one_sheet(made):
    text = (made / "index.html").read_text("utf-8")
    used = {*re.findall(r'class="mark (hue-[0-9a-z]+)"', text)}
    assert used >= {html.hue(figures.STYLES[model].colour) for model in MODELS}
    assert all(re.search(rf"\.{name} {{ color: (#\w+|var\(--\w+\)); }}", text) for name in used)
    assert "style" not in {name for name, _ in seen(made).attributes}


def test_several_heat_maps_in_one_figure_have_a_row_for_each_row_of_each():
    weights = np.array([[[[0.25, 0.75, 0.0], [0.25, 0.75, 0.0]]], [[[0.5, 0.0, 0.125], [1.0, 0.0, 0.125]]]])
    seen = Attention(0, ("a", "b", "c"), ("x", "y"), ((0.5, 0.25, 0.25),) * 2, None, None, weights)
    numbers = drawn(attention_figures.heads(seen, "transformer"), "own", "alt").numbers
    assert numbers is not None
    assert numbers.head == ("head", "row", "column 1", "column 2", "column 3")
    assert [tuple(cell.text for cell in row) for row in numbers.rows] == [
        ("layer 1, head 1", "1", "0.25", "0.75", "0.00"), ("layer 1, head 1", "2", "0.50", "0.00", "0.12"),
        ("layer 1, head 2", "1", "0.25", "0.75", "0.00"), ("layer 1, head 2", "2", "1.00", "0.00", "0.12"),
    ]  # fmt: skip


def titles(figure: Drawn) -> list[str | None]:
    return [title.text for use in ElementTree.fromstring(figure.inline).iter(f"{SVG}use") for title in use]


def rows(figure: Drawn) -> list[tuple[str, ...]]:
    assert figure.numbers is not None
    return [tuple(cell.text for cell in row) for row in figure.numbers.rows]


def test_equal_steps_of_a_profile_are_drawn_apart_and_told_as_they_are():
    shares = np.array([[2 / 3, 1.0], [2 / 3, 1.0], [0.0, 2 / 3]])
    figure = drawn(overall_figures.profile(["lstm", "rnn", "mine"], (1.0, 2.0), shares), "own", "alt")
    assert [row[-1] for row in rows(figure)] == ["66.67", "100", "66.67", "100", "0", "66.67"]
    told = titles(figure)
    assert len(told) == 6
    assert told[0] == "LSTM: share of tasks 66.67, times the seconds of the fastest 1"
    places = [float(use.get("y", 0)) for use in ElementTree.fromstring(figure.inline).iter(f"{SVG}use") if len(use)]
    assert len({*places}) == 6


def test_every_panel_of_a_figure_tells_its_points_under_the_heading_of_its_column():
    names = ("task", "model", "name", "metric", "value", "low", "high", "letters", "train_seconds", "peak_bytes")
    told = [
        ("sentiment", "lstm", "LSTM", "accuracy", 61.5, 60.25, 63.0, "a", 30.0, 2.0**21),
        ("sentiment", "mine", "mine", "accuracy", 50.5, math.nan, math.nan, "b", 20.0, math.nan),
        ("translation: b: c", "mine", "mine", "bleu", 7.25, 7.0, 8.0, "a", 40.0, 2.0**22),
    ]
    table = pd.DataFrame(told, columns=names)
    for name in ("train_tokens_per_second", "generate_tokens_per_second", "parameters_trained"):
        table[name] = math.nan
    figure = drawn(figures.glance(table), "own", "alt")
    assert {*titles(figure)} == {
        "LSTM, Sentiment: accuracy, % 61.50 (60.25 to 63)", "mine, Sentiment: accuracy, % 50.50",
        "mine, Translation: b: c: BLEU 7.250 (7 to 8)", "LSTM, Sentiment, training, s 30",
        "mine, Sentiment, training, s 20", "mine, Translation: b: c, training, s 40",
        "LSTM, Sentiment, peak memory of a step, MiB 2", "mine, Translation: b: c, peak memory of a step, MiB 4",
    }  # fmt: skip
    assert [one.name for one in series.read(figures.glance(table)).series] == ["LSTM", "mine"]


def test_lines_of_seeds_are_called_by_their_seeds_and_given_up_trials_by_what_they_are():
    points = pd.DataFrame(
        {"model": "lstm", "name": "LSTM", "seed": [3, 3, 5, 5], "updates": [1, 2, 1, 2], "value": [1.5, 2.5, 3.5, 4.5]}
    )
    assert [row[:3] for row in rows(drawn(figures.learning(points, "updates", "bleu"), "own", "alt"))] == [
        ("LSTM", "seed 3", "1"), ("LSTM", "seed 3", "2"), ("LSTM", "seed 5", "1"), ("LSTM", "seed 5", "2"),
    ]  # fmt: skip
    curve = long_figures.Curve("LSTM", "lstm", [long_figures.Place(0.1, 2, 2, 2)], [(0.2, 1.5)], each="given up")
    found = drawn(long_figures.lines([curve], long_figures.Frame("rate", "score")), "own", "alt")
    assert [row[1] for row in rows(found)] == ["", "given up"]


def test_two_rates_of_a_model_are_told_by_what_they_are():
    bars = [speed_figures.Bar("LSTM", "lstm", Point(1, 20.0, 19.0, 22.0), 80.0, "20 → 80")]
    told = [row[:3] for row in rows(drawn(speed_figures.rates(bars, "tokens a second"), "own", "alt"))]
    assert told == [("LSTM", "best batch", "80"), ("LSTM", "one sequence", "20")]
