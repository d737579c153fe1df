"""A report as its reader meets it: in a browser, by mouse, keyboard and finger, wide and narrow, light and dark."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import ODD, RUNS, VALUES
from test_report_inert import HOSTILE
from test_report_inert import build as hostile

from bench.record import Result, append
from reports.page import html

NUMBERS, TEXTS, SIZES = "table-part-own", "table-part-own-2", "table-part-own-3"
ROWS = "rows => rows.filter(r => !r.hidden).map(r => [...r.cells].map(c => (c.querySelector('bdi') ?? c).textContent))"


def shown(page: Any, table: str) -> list[list[str]]:
    """The texts of the rows that are shown, as they follow each other."""
    return page.locator(f"#{table} tbody tr").evaluate_all(ROWS)


def head(page: Any, table: str, column: int) -> Any:
    return page.locator(f"#{table} thead button").nth(column)


def offer(page: Any, table: str) -> Any:
    """The fold under a table from which it is taken, open."""
    fold = page.locator(f"#{table} ~ .tools .take").first
    fold.locator("summary").click()
    return fold


def ascending() -> list[str]:
    return [text for text, _ in sorted((v for v in VALUES if v[1] is not None), key=lambda v: v[1])]


@pytest.mark.parametrize("name", RUNS)
def test_a_page_opens_without_network_and_every_link_leads_somewhere(pages, opened, name):
    page = opened(pages[name])
    lost = page.evaluate(
        "() => [...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href').slice(1))"
        ".filter(id => !document.getElementById(id))"
    )
    assert not lost
    assert page.locator("a.from").count() > 10
    assert page.locator(".sort").count() > 10


COUNTED = """figures => figures.map(figure => {
    const held = new Set([...figure.querySelectorAll('[data-series]')].map(one => one.dataset.series));
    const table = figure.querySelector('.numbers table');
    const named = new Set([...table?.querySelectorAll('tbody th bdi') ?? []].map(one => one.textContent));
    const heads = [...table?.tHead.rows[0].cells ?? []].map(one => one.textContent);
    return [figure.id, heads[0], held.size, heads[0] ? named.size : heads.length - 1];
})"""


@pytest.mark.parametrize("name", RUNS)
def test_every_figure_holds_the_series_that_its_table_holds(pages, opened, name):
    counted = opened(pages[name]).locator("figure").evaluate_all(COUNTED)
    assert len(counted) > 8
    for figure, first, held, named in counted:
        assert named > 0, figure
        assert held == (0 if first in ("written", "head") else named), figure  # heat maps hold cells instead


def test_numbers_sort_as_numbers_words_as_words_and_floors_stay_below(handmade, opened):
    page = opened(handmade)
    head(page, NUMBERS, 1).click()
    assert [row[1] for row in shown(page, NUMBERS)] == [*reversed(ascending()), "–", "60", "50"]
    assert page.locator(f"#{NUMBERS} th[aria-sort]").get_attribute("aria-sort") == "descending"
    head(page, NUMBERS, 1).click()
    assert [row[1] for row in shown(page, NUMBERS)] == [*ascending(), "–", "50", "60"]
    assert page.locator(f"#{NUMBERS} tr.first").inner_text().split() == ["floor", "b", "50"]
    head(page, NUMBERS, 1).click()
    assert [row[1] for row in shown(page, NUMBERS)] == [*(text for text, _ in VALUES), "50", "60"]
    assert not page.locator("th[aria-sort]").count()
    head(page, NUMBERS, 0).click()
    assert [row[0] for row in shown(page, NUMBERS)] == [*(f"m{n}" for n in range(12)), "floor a", "floor b"]


def test_tables_sort_and_filter_by_keyboard(handmade, opened):
    page = opened(handmade)
    page.locator(f".filter:has(+ #{NUMBERS}) input").focus()
    page.keyboard.type("m1 ")
    assert [row[0] for row in shown(page, NUMBERS)] == ["m1", "m10", "m11"]
    assert page.locator(".filter [role=status]").first.inner_text() == "3 of 14 rows"
    page.keyboard.press("Tab")  # the region, which scrolls
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    assert page.locator(f"#{NUMBERS} th[aria-sort=descending]").inner_text() == "model"
    assert [row[0] for row in shown(page, NUMBERS)] == ["m11", "m10", "m1"]


def test_the_address_holds_what_is_sorted_filtered_and_hidden_and_restores_it(pages, opened):
    page = opened(pages["rich"], "compared")
    table, figure = "table-compared-translation", "learning-updates-translation"
    assert page.evaluate("scrollY") > 100
    head(page, table, 3).click()
    page.locator(f"#{figure} button.key").nth(1).click()
    page.locator(".filter:has(+ #table-pairs-translation) input").fill("LSTM & =")
    page.locator(".filter:has(+ #table-pairs-translation) input").fill("LSTM")
    before = shown(page, table), shown(page, "table-pairs-translation")
    assert len(before[1]) == 4
    address = page.url
    assert "#compared&" in address
    page.reload()
    assert (shown(page, table), shown(page, "table-pairs-translation")) == before
    assert page.locator(f"#{figure} button.key").nth(1).get_attribute("aria-pressed") == "false"
    page.locator("nav a", has_text="Learning curves").click()
    page.wait_for_url("**#learning&*")
    assert page.url.partition("&")[2] == address.partition("&")[2]
    other = opened(pages["rich"], page.url.partition("#")[2])
    assert shown(other, table) == before[0]


def test_downloads_hold_exactly_the_shown_rows(handmade, opened):
    page = opened(handmade)
    page.locator(f".filter:has(+ #{NUMBERS}) input").fill("m1")
    head(page, NUMBERS, 1).click()
    fold = offer(page, NUMBERS)
    kept = shown(page, NUMBERS)
    assert [row[0] for row in kept] == ["m1", "m11", "m10"]
    with page.expect_download() as waiting:
        fold.get_by_text("CSV").last.click()
    assert waiting.value.suggested_filename == f"{NUMBERS}.csv"
    read = [*csv.reader(io.StringIO(Path(waiting.value.path()).read_text("utf-8")))]
    assert read[0] == ["model", "model: notes", "value (seconds)"]
    assert [(row[0], row[1]) for row in read[1:]] == [("m1", "noted"), ("m11", ""), ("m10", "")]
    assert [float(row[2]) for row in read[1:]] == [1860.0, 400.00000000000006, 2.0]
    with page.expect_download() as waiting:
        fold.get_by_text("JSON").last.click()
    told = json.loads(Path(waiting.value.path()).read_text("utf-8"))
    assert told["caption"] == "numbers"
    assert [row["model"] for row in told["rows"]] == ["m1", "m11", "m10"]
    assert told["rows"][0] == {"model": "m1", "model: notes": "noted", "value (seconds)": 1860}


def test_units_become_numbers_and_missing_ones_nothing(handmade, opened):
    page = opened(handmade)
    with page.expect_download() as waiting:
        offer(page, SIZES).get_by_text("JSON").last.click()
    told = json.loads(Path(waiting.value.path()).read_text("utf-8"))
    assert [row["memory (bytes)"] for row in told["rows"]] == [1572864, 831488, 900, None]


def test_copies_are_escaped_and_a_spreadsheet_takes_no_cell_for_a_formula(handmade, opened):
    page = opened(handmade)
    fold = offer(page, TEXTS)
    told = {}
    for name in ("Markdown", "LaTeX", "CSV"):
        fold.get_by_text(name).first.click()
        fold.get_by_role("status").get_by_text(name).wait_for()
        told[name] = fold.locator("textarea").input_value()
    rows = [*csv.reader(io.StringIO(told["CSV"]))]
    assert rows[0] == ["column 1", "said", "said (2)"]
    assert [row[0] for row in rows[1:]] == [f"'{ODD[0]}", *ODD[1:]]
    assert r"a\|b\_c\*d" in told["Markdown"]
    assert "&lt;b&gt;bold&lt;/b&gt;" in told["Markdown"]
    assert r"50 \% \& \textbackslash{}\{x\}\textasciitilde{}\textasciicircum{}\#\$ &" in told["LaTeX"]
    assert told["LaTeX"].count(r"\\") == 5
    assert r"\begin{tabular}{lll}" in told["LaTeX"]


def test_latex_sets_floors_apart_and_aligns_numbers(handmade, opened):
    page = opened(handmade)
    fold = offer(page, NUMBERS)
    fold.get_by_text("LaTeX").click()
    fold.get_by_role("status").get_by_text("LaTeX").wait_for()
    lines = fold.locator("textarea").first.input_value().splitlines()
    assert r"\begin{tabular}{lr}" in lines
    assert lines[-5:-3] == [r"floor b & 50 \\", r"floor a & 60 \\"]
    assert lines[-6] == r"\midrule"
    assert r"m1 (noted) & 31 min \\" in lines


def test_a_score_leads_to_the_row_command_commit_and_machine_that_made_it(pages, opened):
    page = opened(pages["rich"])
    page.locator("#table-glance tbody tr", has_text="LSTM").locator("td a").first.click()
    row = page.locator("tr:target")
    assert row.is_visible()
    cells = row.locator("th, td").all_inner_texts()
    assert cells[:3] == ["● LSTM" if "●" in cells[0] else "LSTM", "Translation", "0"]
    assert cells[3:] == ["0123abc", "Example processor (cpu, 1 thread)", "seqbench run lstm translation --seed 0"]
    row.locator("a").click()
    assert "model.hidden=128" in page.locator("tr:target").inner_text()


def test_focus_tells_mean_interval_and_seeds(pages, opened):
    page = opened(pages["rich"])
    page.locator("#table-glance tbody tr", has_text="LSTM").locator("td a").first.focus()
    said = page.locator("#tip").inner_text()
    for part in ("LSTM: mean BLEU ", "95 % interval ", "over 3 seeds and 60 test items", "seed 0 ", "seed 2 "):
        assert part in said
    box = page.locator("#tip").bounding_box()
    assert 0 <= box["x"] <= box["x"] + box["width"] <= 1280
    page.keyboard.press("Escape")
    assert not page.locator("#tip").is_visible()


ALONE = """(plot, series) => {
    const middle = mark => {
        const box = mark.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2];
    };
    const of = chosen => [...plot.querySelectorAll(chosen)].map(middle);
    const others = of(`[data-series]:not([data-series="${series}"]) use`);
    const gap = ([x, y]) => Math.min(...others.map(([a, b]) => Math.hypot(a - x, b - y)));
    return of(`[data-series="${series}"] use`).sort((a, b) => gap(b) - gap(a))[0];
}"""  # where the mark of a series is that lies farthest from those of all others


def test_arrow_keys_go_from_point_to_point_and_pointing_tells_the_nearest(pages, opened):
    page = opened(pages["speed-two-cores"], "speed-batch-tokens")
    plot = page.locator("#speed-batch-tokens .plot")
    plot.focus()
    said = []
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        said.append(page.locator("#tip").inner_text())
    told = page.locator("#speed-batch-tokens .numbers tbody tr").evaluate_all(ROWS)
    for (model, _, batch, tokens, low, high), tip in zip(told[:3], said, strict=True):
        assert tip.startswith(f"{model}: tokens a second {tokens} ({low} to {high}), batch {batch}")
    assert len({*said}) == 3
    page.mouse.move(*plot.evaluate(ALONE, "2"))
    assert page.locator("#tip").inner_text().startswith("echo-state network")
    page.mouse.move(5, 5)
    assert not page.locator("#tip").is_visible()


def test_a_finger_tells_first_and_follows_second(pages, opened):
    page = opened(pages["rich"], "glance", has_touch=True, viewport={"width": 390, "height": 800})
    link = page.locator("#table-glance tbody td a").first
    link.tap()
    assert "95 % interval" in page.locator("#tip").inner_text()
    assert page.url.endswith("#glance")
    link.tap()
    page.locator("tr:target").wait_for()
    mark = page.locator("#learning-updates-translation [data-series='1'] use").first
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    page.touchscreen.tap(box["x"] + 2, box["y"] + 2)
    assert "updates" in page.locator("#tip").inner_text()


def test_a_series_hides_by_its_legend_and_the_others_stay_as_they_were(pages, opened):
    page = opened(pages["rich"])
    figure = page.locator("#learning-updates-translation")
    look = "all => all.map(e => [e.getAttribute('stroke'), e.getAttribute('stroke-dasharray'), e.getAttribute('d')])"
    kept = figure.locator("[data-series='0'] path").evaluate_all(look)
    keys = figure.locator("button.key")
    assert keys.count() == 5
    names = keys.evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    assert sorted(names) == sorted(
        f"show {n}" for n in ("Bahdanau attention", "transformer", "LSTM", "vanilla RNN", "echo-state network")
    )
    keys.nth(1).focus()
    page.keyboard.press("Enter")
    assert keys.nth(1).get_attribute("aria-pressed") == "false"
    assert not figure.locator("[data-series='1']").first.is_visible()
    assert figure.locator("[data-series='0']").first.is_visible()
    assert figure.locator("[data-series='0'] path").evaluate_all(look) == kept
    keys.nth(1).click()
    assert figure.locator("[data-series='1']").first.is_visible()
    for n in range(5):  # each button lies over its own words
        text = figure.locator(f"text[data-key='{n}'], [data-key='{n}'] text").first.bounding_box()
        button = keys.nth(n).bounding_box()
        assert button["x"] <= text["x"] + 1
        assert text["y"] >= button["y"] - 2
        assert text["x"] + text["width"] <= button["x"] + button["width"] + 2


@pytest.mark.parametrize("name", RUNS)
def test_no_page_scrolls_sideways_on_any_screen(pages, opened, name):
    page = opened(pages[name])
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    for width in (390, 768, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (width, scheme)
    page.emulate_media(media="print")
    assert not page.locator(".tools:visible, .permalink:visible, .filter:visible").count()


def test_on_paper_small_print_is_small_and_all_numbers_stand_open(pages, opened):
    page = opened(pages["quick-two-cores"])
    page.emulate_media(media="print")
    under = page.locator(".numbers tbody")
    assert all(under.nth(n).is_visible() for n in range(under.count()))
    size = "one => parseFloat(getComputedStyle(one).fontSize)"
    cell = page.locator("#glance td:has(small)").first
    assert cell.locator("small").first.evaluate(size) < cell.evaluate(size)


def test_dark_figures_are_light_on_dark(pages, opened):
    page = opened(pages["rich"], color_scheme="dark")
    colour = "one => getComputedStyle(one).fill.match(/\\d+/g).map(Number)"
    assert min(page.locator("#quality-translation text").first.evaluate(colour)) > 120
    assert max(page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")) < 60


@pytest.mark.parametrize("name", RUNS)
def test_axe_finds_nothing_serious(pages, opened, name):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing: pip install .[browser]")
    page = opened(pages[name])
    every: dict[str, Any] = {"resultTypes": ["violations"]}
    contrast = every | {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
    for scheme, options in (("light", every), ("dark", contrast)):  # what is no colour is the same in the dark
        page.emulate_media(color_scheme=scheme)
        found = axe.Axe().run(page, options=options).response["violations"]
        serious = [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")]
        assert not serious


@pytest.mark.parametrize("name", ["rich", "speed-two-cores"])
def test_without_a_script_everything_is_there_to_read(pages, opened, name):
    page, full = opened(pages[name], java_script_enabled=False), opened(pages[name])
    assert not page.locator("button, input").count()
    assert page.locator("main table").count() == full.locator("main table").count() > 10
    assert page.locator("figure > svg").count() == full.locator("figure svg").count()
    assert page.locator("[data-series] title").count() > 20
    fold = page.locator(".numbers").first
    fold.locator("summary").click()
    assert fold.locator("table").is_visible()


def test_hostile_rows_stay_inert_in_a_browser(tmp_path, opened):
    run = tmp_path / "run"
    for said in HOSTILE[:24]:
        row = Result("quality", said, "sentiment", 0, "ok", {"accuracy": 50.0}, "accuracy", command=said)
        append(run, Result(**{**row.__dict__, "id": said, "environment": {"commit": said, "processor": said}}))
    page = opened(html.write([run], tmp_path / "page"), "compared&sort.table-compared-sentiment=1&filter.x=<script>")
    assert not page.locator("main script, main iframe, main [onerror]").count()
    rows = shown(page, "table-compared-sentiment")
    assert "<script>alert(1)</script>" in [row[0] for row in rows]
    with page.expect_download() as waiting:
        offer(page, "table-compared-sentiment").get_by_text("CSV").last.click()
    cells = [*csv.reader(io.StringIO(Path(waiting.value.path()).read_text("utf-8")))]
    assert [row[0].removeprefix("'") for row in cells[1:]] == [row[0].removeprefix("'") for row in rows]
    assert not [cell for row in cells for cell in row if cell[:1] in ("=", "+", "@") or cell[:2] == "--"]
    page.locator("#quality-sentiment .plot").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#tip *").count() == 0


def test_a_page_where_every_text_is_hostile_opens_in_peace(tmp_path, opened):
    page = opened(html.write([hostile(tmp_path / "run", HOSTILE[2])], tmp_path / "page"))
    page.keyboard.press("Tab")
    assert page.locator("main").count() == 1
    assert not page.locator("script[src]").count()
