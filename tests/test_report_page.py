"""What the page says of models: letters, sentences, fronts, curves, errors, heads, each against what the rows hold."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.record import Result, append
from bench.statistics import Interval
from reports import figures, frames, words
from reports.figures import attention as attention_figures
from reports.page import html
from reports.page.page import page
from reports.parts import USUAL
from reports.rows._heads import decoded
from reports.rows.artifacts import Answer, Attention
from reports.rows.stored import Row, Stored, gather
from reports.scores import summary
from reports.scores.beside import OTHER, Timings
from reports.scores.letters import groups, letters
from reports.scores.pairs import APART, LEADS, UNTESTED, Pair
from reports.scores.tables import Line
from reports.sections import attention, cost, errors, glance, learning, masthead, overall, samples, sides
from reports.sections.keys import Keys
from reports.sections.verdict import verdict

MACHINE = {"device": "cpu", "processor": "Example", "threads": 1}


def row(model: str, seed: int = 0, task: str = "sentiment", main: str = "accuracy", **changes: object) -> Row:
    told = {
        "probe": "quality",
        "metrics": {main: 50.0},
        "environment": MACHINE,
        "config": {"model": {"h": 1}, "batch": 4},
    }
    return Row(
        Path(), Result(**{"model": model, "task": task, "seed": seed, "status": "ok", "main": main, **told, **changes})
    )


def line(
    model: str, value: float, took: float = 0.0, seeds: int = 1, main: str = "accuracy", **changes: object
) -> Line:
    metrics = {main: value} | ({"train_seconds": took} if took else {})
    rows = tuple(row(model, seed, main=main, metrics=metrics, **changes) for seed in range(seeds))
    return Line("model", "sentiment", model, words.model(model), rows)


def pair(better: Line, worse: Line, verdict: str, over: str = "seeds and test items", n: int = 5) -> Pair:
    gap = better.value - worse.value
    low = gap / 2 if verdict == LEADS else -1.0
    span = None if verdict == UNTESTED else Interval(low, gap + 1, over, n, 869 if " and " in over else 0)
    p = None if verdict == UNTESTED else 0.001 if verdict == LEADS else 0.5
    return Pair(better, worse, gap, span, p, 1, None)


def answer(
    item: int, score: float, said: str = "a", reference: str = "a", source: str | None = "x", **more: float
) -> Answer:
    return Answer(item, source, None, reference, said, {"accuracy": score, **more})


def answering(model: str, answers: list[Answer], seeds: int = 1) -> Line:
    found = line(model, 50.0, seeds=seeds)
    for one in found.rows:
        vars(one)["answers"] = tuple(answers)
    return found


def texts(table) -> list[list[str]]:
    return [[cell.text for cell in cells] for cells in table.rows]


def nothing() -> Timings:
    return Timings(Stored((), {}, 0, 0))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.sampled_from([*itertools.combinations(range(7), 2)])))
    )
)
def test_groups_are_all_the_largest_sets_without_a_pair_that_is_apart(asked):
    size, apart = asked[0], {two for two in asked[1] if max(two) < asked[0]}
    sets = [frozenset(s) for n in range(1, size + 1) for s in itertools.combinations(range(size), n)]
    free = [s for s in sets if not any({*two} <= s for two in apart)]
    assert {*groups(size, sorted(apart))} == {s for s in free if not any(s < other for other in free)}


def test_models_share_a_letter_unless_one_leads():
    a, b, c = (line(model, value) for model, value in (("lstm", 60.0), ("rnn", 58.0), ("bahdanau", 50.0)))
    told = [pair(a, b, APART), pair(a, c, LEADS), pair(b, c, APART)]
    assert letters([a, b, c], told) == {a: "a", b: "ab", c: "b"}
    assert letters([a, b], [pair(a, b, UNTESTED)]) == {}
    assert letters([a, b, c], told[:2]) == {a: "a", b: "a", c: ""}  # against the best alone


@pytest.mark.parametrize(
    ("took", "said"),
    [
        (
            (100.0, 340.0),
            "leads the LSTM by 2.1 BLEU (1.1 to 3.1, 5 seeds and 869 test items) and trains 3.4 times faster;",
        ),
        ((340.0, 100.0), "869 test items), but takes 3.4 times as long to train;"),
        ((100.0, 101.0), "869 test items) and takes about as long to train;"),
        ((1.0, 1234.0), "and trains 1,234 times faster;"),
        ((0.0, 9.0), "869 test items); it scores 22.1 BLEU."),
    ],
)
def test_a_lead_is_told_with_its_interval_and_its_pace(took, said):
    best, second = line("transformer", 22.1, took[0], 5, "bleu"), line("lstm", 20.0, took[1], 5, "bleu")
    assert said in verdict("translation", [best, second], [pair(best, second, LEADS)])


def test_what_is_not_separable_is_said_to_be_so_and_leads_nobody():
    best, second, third = (
        line(m, v, t, 3) for m, v, t in (("rnn", 61.0, 10.0), ("lstm", 60.0, 20.0), ("bahdanau", 40.0, 5))
    )
    said = verdict("sentiment", [best, second, third], [pair(best, second, APART), pair(best, third, LEADS)])
    assert said.startswith(
        "On sentiment the vanilla RNN with 61.0 % accuracy and the LSTM with 60.0 % are not separable: a difference of "
        "1.0 point of accuracy (−1.0 to 2.0, 5 seeds and 869 test items); the vanilla RNN trains 2.0 times faster. "
        "The vanilla RNN leads Bahdanau attention, by 21.0 points."
    )


def test_one_seed_speaks_of_test_items_alone_and_says_that_others_may_differ():
    best, second = line("rnn", 61.0), line("lstm", 50.0)
    said = verdict("sentiment", [best, second], [pair(best, second, LEADS, "test items", 300)])
    assert "(5.5 to 12.0, 300 test items of one seed each)" in said
    assert "Other seeds may differ." in said


def test_level_and_untested_scores_are_no_lead():
    best, second = line("rnn", 60.0), line("lstm", 60.0)
    assert "are level with 60.0 % accuracy" in verdict("sentiment", [best, second], [pair(best, second, UNTESTED)])
    other = line("lstm", 40.0)
    said = verdict("sentiment", [best, other], [pair(best, other, UNTESTED)])
    assert "20.0 points of accuracy more than the LSTM, with no interval to judge it by" in said
    assert "leads" not in said


def test_seconds_of_unlike_machines_are_not_compared():
    best = line("rnn", 61.0, 10.0, environment=MACHINE | {"threads": 8})
    second = line("lstm", 50.0, 20.0)
    assert "faster" not in verdict("sentiment", [best, second], [pair(best, second, LEADS)])


def test_no_sentence_is_cut_however_many_models_there_are():
    lines = [line(f"mylab.model-with-quite-a-long-name-{n}", 90.0 - n, 1.0 + n) for n in range(20)]
    said = verdict("sentiment", lines, [pair(lines[0], other, LEADS) for other in lines[1:]])
    assert words.clean(said) == said
    assert said.endswith(".")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=6))
def test_a_model_is_dominated_by_those_of_the_front_that_beat_it(points):
    costs, scores = zip(*points, strict=True)
    found = cost.dominators(costs, scores)
    for place, (x, y) in enumerate(points):
        better = {n for n, (a, b) in enumerate(points) if a <= x and b >= y and (a, b) != (x, y)}
        assert (not better) == (not found[place])
        assert {*found[place]} <= better
        assert all(not found[n] for n in found[place])


def test_the_front_is_the_same_in_figure_sentence_and_table():
    made = {"echo_state": (40.0, 5.0), "rnn": (55.0, 20.0), "lstm": (50.0, 40.0), "bahdanau": (60.0, 90.0)}
    lines = sorted((line(m, *v) for m, v in made.items()), key=lambda x: -x.value)
    [section] = cost.sections(
        {"sentiment": lines}, {"sentiment": [pair(lines[1], lines[2], LEADS)]}, Keys(made), nothing()
    )
    assert section.said[0].endswith(
        "by training time: the echo-state network, the vanilla RNN and Bahdanau attention are the front; "
        "the LSTM is dominated by the vanilla RNN."
    )
    told = {cells[0]: cells[3] for cells in texts(section.tables[0])}
    assert told == dict.fromkeys(("Bahdanau attention", "vanilla RNN", "echo-state network"), "nobody") | {
        "LSTM": "vanilla RNN"
    }
    [axes] = section.drawings[0].figure.axes
    [front] = [own for own in axes.lines if own.get_label() == "_front"]
    assert [*front.get_ydata()] == [40.0, 55.0, 60.0, 60.0]
    assert "energy was not measured" in section.note.lower()
    assert "operations are not stored" in section.note.lower()


def test_energy_is_that_of_a_timed_step_in_the_same_settings_times_the_updates():
    metrics = {"joules_per_step": 2.0, "peak_bytes": 5.0}
    timed = [row("lstm", probe="throughput", metrics=metrics, main="peak_bytes")]
    timings = Timings(Stored(tuple(timed), {}, 0, 0))
    trained = {"accuracy": 1.0, "updates": 10.0}
    same = Line("model", "sentiment", "lstm", "LSTM", (row("lstm", metrics=trained),))
    assert timings.joules(same).value == 20.0
    assert (timings.memory(same).value, timings.memory(same).note) == (5.0, "")
    other = Line("model", "sentiment", "lstm", "LSTM", (row("lstm", metrics=trained, config={"batch": 8}),))
    assert timings.joules(other) is None
    assert timings.memory(other).note == OTHER
    assert timings.memory(line("rnn", 50.0)) is None


def curve(each: float, tokens: float) -> list[dict[str, float]]:
    return [
        {
            "updates": n,
            "examples": each * n,
            "tokens": tokens * n,
            "flops": 1e9 * n * n,
            "seconds": 2.0 * n,
            "accuracy": 50.0 + n,
        }
        for n in (1.0, 2.0, 3.0)
    ]


def test_curves_stand_on_every_axis_that_is_no_copy_of_the_updates():
    lines = [line("lstm", 60.0, curve=curve(64, 700)), line("rnn", 50.0, curve=curve(64, 900))]
    section = learning.section("sentiment", lines, USUAL)
    assert [d.name.split("-")[1] for d in section.drawings] == ["updates", "tokens", "seconds", "flops"]
    assert "an update is about 64 examples for every model" in section.note
    lines = [line("lstm", 60.0, curve=curve(64, 700)), line("rnn", 50.0, curve=curve(32, 900))]
    assert len(learning.section("sentiment", lines, USUAL).drawings) == 5
    assert learning.section("sentiment", [line("lstm", 60.0)], USUAL) is None


def test_labels_taken_for_one_another_are_counted_over_seeds():
    said = [("a", "a")] * 3 + [("a", "b")] * 2 + [("b", "b")] + [("b", "?")]
    own = [answer(n, 100.0 * (was == told), told, was) for n, (was, told) in enumerate(said)]
    [table] = errors.section("sentiment", [answering("lstm", own, seeds=2)], Keys(["lstm"]), USUAL).tables
    assert table.head == ("model", "it was", "answered: a", "answered: b", "another answer", "right, %")
    assert texts(table) == [["LSTM", "a", "6", "4", "0", "60.0"], ["LSTM", "b", "0", "2", "2", "50.0"]]


def test_every_item_is_in_one_group_of_lengths():
    random = np.random.default_rng(0)
    own = [
        answer(n, float(n % 7), source="w " * int(random.integers(1, 30)), said=f"s{n}", reference=f"r{n}")
        for n in range(200)
    ]
    [table] = errors.section("translation", [answering("lstm", own)], Keys(["lstm"]), USUAL).tables
    counts = [int(head.split(", ")[1].split()[0]) for head in table.head[1:]]
    assert sum(counts) == 200
    assert min(counts) >= errors.FEWEST
    whole = sum(float(cell.text) * n for cell, n in zip(table.rows[0][1:], counts, strict=True)) / 200
    assert whole == pytest.approx(np.mean([n % 7 for n in range(200)]), abs=0.06)


def test_kinds_of_wrong_scenes_add_up():
    kinds = [(100, 100, 100), (0, 100, 40), (0, 0, 100), (0, 0, 20), (0, 0, 20)]
    own = [
        Answer(
            n, None, None, f"r{n}", f"s{n}", dict(zip(("exact", "structure", "naming"), map(float, kind), strict=True))
        )
        for n, kind in enumerate(kinds)
    ]
    [table] = errors.section("captioning", [answering("lstm", own)], Keys(["lstm"]), USUAL).tables
    assert texts(table) == [["LSTM", "5", "20.0", "20.0", "20.0", "40.0", "0.0"]]


def test_the_best_answer_is_the_one_that_sets_a_model_apart():
    one = answering("lstm", [answer(0, 100.0), answer(1, 100.0), answer(2, 0.0)])
    other = answering("rnn", [answer(0, 100.0), answer(1, 0.0), answer(2, 0.0)])
    found = {(e.line.model, e.case): (e.answer.item, e.others) for e in samples.extremes([one, other])}
    assert found["lstm", "best"] == (1, "0.0")
    assert found["rnn", "worst"] == (1, "100.0")
    assert samples.extremes([answering("lstm", [answer(0, 100.0), answer(1, 100.0)])]) == []


def test_attention_is_shown_where_the_models_answered_right():
    both = [answering(model, [answer(0, 0.0, "b"), answer(1, 100.0), answer(2, 100.0)]) for model in ("rnn", "lstm")]
    vars(both[1].rows[0])["answers"] = (answer(0, 100.0), answer(1, 100.0), answer(2, 0.0, "b"))
    for one in both:
        vars(one.rows[0])["attention"] = tuple(Attention(n, ("x",), ("a",), ((1.0,),), None, None) for n in range(3))
    assert [seen.item for _, seen in samples.looked_at(both)] == [1, 1]
    assert [seen.item for _, seen in samples.looked_at(both[:1], preferred=[2])] == [2]


def heads(shape: tuple[int, ...] = (2, 2, 3, 4)) -> tuple[np.ndarray, dict[str, object]]:
    weights = np.random.default_rng(0).dirichlet(np.ones(shape[-1]), shape[:-1])
    content = np.round(weights * 255).astype(np.uint8).tobytes()
    return weights, {"shape": list(shape), "weights": base64.b64encode(content).decode()}


def test_heads_come_back_as_they_were_stored():
    weights, told = heads()
    assert np.abs(decoded(told, 2, 4) - weights).max() <= 0.5 / 255 + 1e-9


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [2, 2, 3, 5]}, {"shape": [1, 4, 3, 4]}, {"shape": [2, 2, 12]}, {"shape": [2, -2, -3, 4]},
        {"shape": [2, 2, 3.0, 4]}, {"weights": "!"}, {"weights": 3}, {"shape": [2, 1 << 19, 1, 4]},
    ],
    ids=str,
)  # fmt: skip
def test_heads_that_do_not_fit_are_none(change):
    assert decoded(heads()[1] | change, 2, 4) is None


def test_every_head_has_a_panel_that_holds_its_weights():
    weights, told = heads()
    seen = Attention(0, ("a", "b", "c", "d"), ("x", "y"), ((0.25,) * 4,) * 2, None, None, decoded(told, 2, 4))
    found = attention_figures.heads(seen, "transformer")
    panels = [axes.collections[0].get_array().data.reshape(2, 4) for axes in found.axes]
    assert len(panels) == 6
    for panel, (layer, head) in zip(panels, itertools.product(range(2), range(3)), strict=True):
        assert np.abs(panel - weights[:, layer, head]).max() < 0.003
    one = line("transformer", 50.0)
    vars(one.rows[0])["attention"], vars(one.rows[0])["answers"] = (seen,), (answer(0, 100.0),)
    section = attention.section("sentiment", [one], USUAL)
    assert [d.name for d in section.drawings] == ["attention-sentiment-transformer", "heads-sentiment-transformer"]
    assert "100.0 % accuracy" in section.drawings[0].caption


def test_the_glance_holds_every_model_on_every_task_and_says_who_is_missing():
    found = {
        "sentiment": [line("lstm", 60.0, 30.0), line("rnn", 50.0, 20.0)],
        "emoji": [Line("model", "emoji", "lstm", "LSTM", (row("lstm", task="emoji"),))],
    }
    keyed = Keys(["lstm", "rnn"])
    marked = {found["sentiment"][0]: "a", found["sentiment"][1]: "b"}
    table = glance.table(found, marked, nothing(), keyed)
    assert [(cells[0], cells[1], cells[2], cells[3]) for cells in texts(table)] == [
        ("LSTM", "Sentiment", "60.0", "a"), ("vanilla RNN", "Sentiment", "50.0", "b"),
        ("LSTM", "Emoji naming", "50.0", "–"),        ("vanilla RNN", "Emoji naming", "–", "–"),
    ]  # fmt: skip
    said = glance.explained(found, marked, nothing())
    assert "share a letter" in said
    assert "seqbench run speed" in said


def test_the_figure_at_a_glance_holds_what_its_table_holds():
    lines = [line("lstm", 60.0, 30.0), line("rnn", 50.0, 20.0)]
    table = glance.tidy({"sentiment": lines}, {lines[0]: "a"}, nothing())
    scores, seconds = figures.glance(table).axes
    ends = [own.get_xdata()[-1] for own in scores.lines if own.get_marker() != "None"]
    assert ends == [60.0, 50.0]
    assert [own.get_xdata()[0] for own in seconds.lines] == [30.0, 20.0]
    assert [own.get_text() for own in scores.texts] == ["60.0  a", "50.0"]


def test_the_table_under_the_figure_at_a_glance_holds_every_task_and_measure():
    spans = [line("lstm", 60.0, 30.0, 3), line("rnn", 50.0, 20.0, 3)]
    emoji = Line("model", "emoji", "lstm", "LSTM", (row("lstm", task="emoji", metrics={"accuracy": 12.25}),))
    found = {"sentiment": spans, "emoji": [emoji]}
    table = glance.drawing(found, {}, nothing()).data
    tidy = glance.tidy(found, {}, nothing())
    assert table is not None
    assert table.head == ("model", "task", "score", "from", "to", "seeds", "training, s")
    told = [[cell.value for cell in cells[2:5]] + [cells[5].text, cells[6].value] for cells in table.rows]
    for cells, own, (_, one) in zip(table.rows, told, tidy.iterrows(), strict=True):
        assert (cells[0].text, cells[1].text) == (one["name"], words.task(one["task"]))
        drawn = [one["value"], one["low"], one["high"], one["n"], one["train_seconds"]]
        assert own == [str(x) if x is one["n"] else None if math.isnan(x) else x for x in drawn]


def test_many_tasks_leave_the_costs_to_a_table_each():
    found = {
        f"task{n}": [Line("model", f"task{n}", "lstm", "LSTM", (row("lstm", task=f"task{n}"),))]
        for n in range(glance.TOGETHER + 1)
    }
    table = glance.table(found, {}, nothing(), Keys(["lstm"]))
    assert len(table.head) == len(found) + 1
    assert "side by side" in table.note
    assert f"the first {glance.TOGETHER} of {len(found)} tasks" in glance.drawing(found, {}, nothing()).caption


def test_a_model_keeps_its_colour_when_others_are_hidden():
    many = [f"mylab.m{n}" for n in range(9)]
    with figures.together(many):
        everywhere = figures.styles(many)
        assert all(figures.styles([model])[model] == everywhere[model] for model in many)
    assert len({*everywhere.values()}) == 9 + 5


def test_a_mean_of_nothing_is_told_as_nothing():
    table = glance.tidy({"sentiment": [line("lstm", 60.0)]}, {}, nothing())
    assert math.isnan(table["train_seconds"][0])
    assert len(figures.glance(table).axes) == 1


def test_memory_too_little_to_be_seen_leaves_the_figure_whole_and_is_said_in_the_table():
    own = row("lstm", metrics={"accuracy": 60.0, "peak_bytes": 0.0})
    lines = [Line("model", "sentiment", "lstm", "LSTM", (own,)), line("rnn", 50.0, 20.0)]
    found = {"sentiment": lines}
    drawn = figures.glance(glance.tidy(found, {}, nothing()))
    assert [axes.get_title(loc="left") for axes in drawn.axes] == ["Sentiment: accuracy, %", "training, s"]
    [cell] = [cell for cell in glance.table(found, {}, nothing(), Keys(["lstm"])).rows[0] if cell.text == "0 B"]
    assert cell.note == "too little to be seen in resident memory"
    assert "in other settings" not in glance.explained(found, {}, nothing())


def test_of_many_configurations_the_best_of_each_model_stand_at_a_glance():
    many = [line("lstm", 90.0 - n) for n in range(20)] + [line("rnn", 10.0)]
    shown = glance.foremost({"sentiment": many})["sentiment"]
    assert shown == [*many[: glance.FIRST_OF - 1], many[-1]]
    assert f"{glance.FIRST_OF} a task stand here" in glance.explained(
        {"sentiment": shown}, {}, nothing(), {"sentiment": many}
    )


def test_commands_settings_and_sentences_stand_whole_and_stored_texts_are_cut(tmp_path):
    sizes = {f"size_{n}": n * 1.25 for n in range(200)}
    command = "seqbench run quick " + " ".join(f"--set model.{name}={n}" for name, n in sizes.items())
    config = {"model": sizes | {"note": "n" * 900}, "batch": 4}
    kept = Result(**{**row("lstm", config=config).result.__dict__, "command": command, "id": "kept"})
    lost = {"status": "failed", "metrics": {}, "reason": "r" * 900, "id": "lost"}
    for one in (kept, Result(**{**kept.__dict__, **lost})):
        append(tmp_path / "run", one)
    told = gather([tmp_path / "run"])
    found = dataclasses.replace(page(told), caveats=("A sentence of ours. " * 60 + "Its end.",))
    html.written(found, tmp_path / "page", frames.trials(told, frames.MOST))
    for name, times in (("index.html", 2), ("report.md", 2)):
        text = (tmp_path / "page" / name).read_text("utf-8").replace("\\", "")
        assert text.count(command) == times
        assert "model.size_199=248.75" in text
        assert "Its end." in text
        assert "r" * 600 + "…" in text
        assert "n" * 600 + "…" in text


def test_seconds_taken_beside_others_are_marked_and_said_in_no_sentence_on_pace():
    metrics = {"accuracy": 61.0, "train_seconds": 10.0, "had_company": 1.0}
    loud = Line("model", "sentiment", "rnn", "vanilla RNN", (row("rnn", metrics=metrics),))
    quiet = line("lstm", 50.0, 20.0)
    said = verdict("sentiment", [loud, quiet], [pair(loud, quiet, LEADS)])
    assert "train" not in said
    said = verdict("sentiment", [quiet, loud], [pair(quiet, loud, LEADS)])
    assert said.endswith("The LSTM trained in 20 s.")
    found, keyed = {"sentiment": [loud, quiet]}, Keys(["rnn", "lstm"])
    for table, column in (
        (glance.table(found, {}, nothing(), keyed), "training, s"),
        (sides.section("sentiment", [loud, quiet], keyed, {}, []).tables[0], "training, s"),
        (cost.sections(found, {"sentiment": []}, keyed, nothing())[0].tables[0], "training, s"),
    ):
        place = table.head.index(column)
        assert [cells[place].warning for cells in table.rows] == ["the machine was busy", ""]
    [section] = cost.sections(found, {"sentiment": []}, keyed, nothing())
    assert "(others used the machine beside the vanilla RNN, whose seconds are too long): " in section.said[0]
    told = summary.caveats(Stored((*loud.rows, *quiet.rows), {}, 0, 0), found)
    assert any(t.startswith("Others used the machine during 1 of 2 trainings:") for t in told)


def test_the_time_to_a_target_is_marked_where_the_machine_was_busy():
    course = [{"updates": 1.0, "seconds": 5.0, "accuracy": 60.0}]
    rows = [
        row(m, curve=course, metrics={"accuracy": 60.0, "had_company": n}) for m, n in (("rnn", 1.0), ("lstm", 0.0))
    ]
    lines = [Line("model", "sentiment", one.result.model, one.result.model, (one,)) for one in rows]
    [section] = overall.targets({"sentiment": lines})
    assert [cells[1].warning for cells in section.tables[0].rows] == ["the machine was busy", ""]
    assert "too long" in section.note
    [section] = overall.targets({"sentiment": lines[1:]})
    assert section.note == ""


def test_models_of_other_probes_count_and_are_said_not_to_be_trained_for_a_score():
    rows = (row("lstm"), row("rnn", probe="throughput"), row("bag", probe="floor"))
    stored = Stored(rows, {}, 0, 0)
    assert masthead.facts(stored).startswith("2 models, 1 task, ")
    told = summary.caveats(stored, {})
    assert "Measured otherwise, but not trained for a score here: vanilla RNN." in told
    assert "Not in these runs: echo-state network, Bahdanau attention and transformer." in told


def test_a_task_that_no_model_was_started_on_is_not_said_to_be_unfinished():
    assert verdict("verses", [], tried=False) == "No model was trained on verses."
    assert verdict("verses", []) == "No model finished verses."


def test_an_interval_without_zero_that_leads_nobody_names_the_correction_that_decides():
    best, second = line("rnn", 61.4, seeds=3, main="bleu"), line("lstm", 60.0, seeds=3, main="bleu")
    near = Pair(best, second, 1.4, Interval(0.4, 2.4, "seeds", 3), 0.072, 10, None)
    said = verdict("translation", [best, second], [near])
    assert "(0.4 to 2.4, 3 seeds; p = 0.072 corrected for 10 pairs, which decides)" in said
    plain = dataclasses.replace(near, span=Interval(-0.4, 2.4, "seeds", 3))
    assert "corrected" not in verdict("translation", [best, second], [plain])


def test_what_tokenizers_made_stands_in_a_table_of_its_own_with_both_sides():
    facts = {f"{what}_{side}": n for n, what in enumerate(("vocabulary", "length", "unknown"), 1000)
             for side in ("source", "target")}  # fmt: skip
    metrics = {"bleu": 20.0, "chrf": 40.0, **facts, "carry_bytes": 2048.0, "memory_bytes": 4096.0}
    own = Line("model", "translation", "lstm", "LSTM", (row("lstm", main="bleu", metrics=metrics),))
    head = sides.section("translation", [own], Keys(["lstm"]), {}, []).tables[0].head
    assert head[3:6] == ("chrF", "carried from token to token", "kept of the source")
    [table] = sides.detail("translation", [own], Keys(["lstm"]), USUAL).tables
    assert table.head[1:] == (
        "vocabulary of sources", "vocabulary of targets", "tokens a source", "tokens a target",
        "unknown in sources, %", "unknown in targets, %",
    )  # fmt: skip
    assert texts(table) == [["LSTM", "1,000", "1,000", "1001.0", "1001.0", "1002.0", "1002.0"]]
    assert words.headed("items_unseen") == "items with unseen words"
