"""Tasks that are drawn: what is drawn is solved by other means, splits stay apart, floors and limits are as stated."""

from __future__ import annotations

import functools
import inspect
import itertools
import re
import statistics
from collections import Counter

import numpy as np
import pytest

import tasks
from tasks import EOS, PAD, SPLITS, BadInput, configured, load
from tasks.synthetic import EPOCH, FIRST, LONGEST, TENTHS, VALIDATION, tenths
from tasks.synthetic.dyck import shapes

NAMES = [name.removeprefix("synthetic.") for name in tasks.names() if name.startswith("synthetic.")]
CASES = [*(name for name in NAMES if name != "adding"), "adding as a number", "adding as tokens"]
SETTINGS = {
    "adding as a number": {"form": "number"},
    "adding as tokens": {"form": "tokens"},
    "mqar": {"vocabulary": 9, "pairs": 3},
}
BEHIND = {"copy": 11, "selective_copy": 10}  # symbols of a source beyond n
ONE_LENGTH = {"copy", "selective_copy", "mqar", "reverse", "sort", "bucket_sort", "duplicate"}  # answers all as long
every = pytest.mark.parametrize("case", CASES)


def kind_of(case):
    return load(f"synthetic.{case.split()[0]}")


@functools.cache
def made(case, **settings):
    kind = kind_of(case)
    return kind(configured(kind.Config, SETTINGS.get(case, {}) | settings, f"task {case}"))


def least(case):
    return max(kind_of(case).least, 2 * SETTINGS.get(case, {}).get("pairs", 0))


def size(case, length):
    return length + BEHIND.get(case, 0)


def told(items, item):
    """The symbols that are given of one answer."""
    return [] if items.given is None else [[int(t) - FIRST for t in items.given[item] if t not in (PAD, EOS)]]


def symbols(task, source):
    return source - FIRST if task.spec.source == "tokens" else source


def solved(task, split="test"):
    """What the reference says to every item, as a model would."""
    items, first = task.items(split), FIRST if task.spec.target == "tokens" else 0
    answers = [task.solve(symbols(task, source), *told(items, i)) for i, source in enumerate(items.sources)]
    return [[symbol + first for symbol in answer] for answer in answers]


def right(task, split="test"):
    """The targets without their ends."""
    return [[t for t in target.tolist() if t != EOS] for target in task.items(split).targets]


def one_line(caught):
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 200
    return text


def same(one, other):
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


# what is drawn, and who solves it


@every
def test_the_reference_solver_reaches_the_ceiling_at_every_length(case):
    lengths = (*range(least(case), least(case) + 6), 17, 40)
    task = made(case, tested=lengths, examples=30)
    scores = task.score(solved(task), "test")
    assert set(scores.totals) == set(scores.items) == set(scores.signatures)
    assert scores.main == task.main
    for metric, value in scores.totals.items():
        assert value == pytest.approx(task.ceiling, abs=1e-9), metric
        assert len(scores.items[metric]) == len(lengths) * 30
        assert value == pytest.approx(np.mean(scores.items[metric]))


EXAMPLES = [
    ("recall", {}, 5, "5 11 8 15 9", "5"),
    ("copy", {}, 3, "3 1 7 0 0 5 2 6 4 1 8 8 8 9", "3 1 7 0 0 5 2 6 4 1"),
    ("selective_copy", {}, 3, "3 8 1 7 0 8 0 5 2 6 8 4 1", "3 1 7 0 0 5 2 6 4 1"),
    ("reverse", {}, 5, "3 1 7 0 0", "0 0 7 1 3"),
    ("sort", {}, 5, "12 3 15 3 0", "0 3 3 12 15"),
    ("bucket_sort", {}, 7, "4 2 0 2 1 4 0", "0 0 1 2 2 4 4"),
    ("duplicate", {}, 3, "0 1 1", "0 1 1 0 1 1"),
    ("stack", {}, 6, "0 1 1 pop pop push1", "1 0"),
    ("induction", {}, 7, "9 4 11 2 9 9 4", "11"),
    ("parity", {}, 5, "0 1 1 0 1", "1"),
    ("even_pairs", {}, 5, "0 1 1 0 1", "0"),
    ("modular_arithmetic", {}, 7, "3 + 2 * 4 - 1", "0"),
    ("cycle_navigation", {}, 6, "+ 0 - - 0 -", "3"),
    ("dyck", {}, 9, "( [ ( ) ] ) [ ] .", "1"),
    ("dyck", {}, 9, "( [ ( ) ) ] [ ] .", "0"),
    ("listops", {}, 13, "[MAX 4 [SM 7 8 ] [MED 1 9 2 ] 0 ]", "5"),
    ("mqar", {"vocabulary": 8, "pairs": 4}, 9, "8 5 2 7 0 4 0 6 1", "7 7 0 6 6 1"),
    ("adding", {"form": "number"}, 6, "0.25 0.5* 0.75 0.125 1* 0", "1.5"),
    ("adding", {"form": "tokens"}, 6, "3 8* 1 0 5* 9", "13"),
]


@pytest.mark.parametrize(("name", "settings", "length", "source", "answer"), EXAMPLES)
def test_the_example_in_the_docstring_is_true(name, settings, length, source, answer):
    kind = load(f"synthetic.{name}")
    drawn_there = inspect.getdoc(kind) + "\n"
    assert re.search(
        rf"^source: {re.escape(source)}\s.*\n(target: |label:  ){re.escape(answer)}\s", drawn_there, re.MULTILINE
    )
    assert f"n = {length}" in drawn_there
    task = kind(configured(kind.Config, settings, name))
    read = symbols(task, task.read(source))
    assert len(read) == size(name, length)
    asked = [[int(symbol) for place, symbol in enumerate(answer.split()) if place % 3 < 2]] if name == "mqar" else []
    assert [float(symbol) for symbol in answer.split()] == task.solve(read, *asked)


def test_every_task_has_its_example_here():
    assert {name for name, *_ in EXAMPLES} == set(NAMES)
    assert len(NAMES) == 17


@every
def test_sources_are_as_long_as_documented_and_hold_their_symbols_alone(case):
    lengths = (least(case), least(case) + 1, 20, 21)
    task = made(case, tested=lengths, length=21, shortest=least(case), examples=100)
    for split in SPLITS:
        items = task.items(split)
        assert [len(source) for source in items.sources] == list(items.source_lengths)
        assert {size(case, n) for n in (least(case), 21)} <= set(items.source_lengths)
        for source in items.sources:
            if task.spec.source == "vectors":
                assert (source.dtype, source.shape[1:]) == (np.float32, (2,))
                assert 0 <= source.min() <= source.max() <= 1
            else:
                assert (source.dtype, source.ndim) == (np.int64, 1)
                assert FIRST <= source.min() <= source.max() < FIRST + task.symbols <= task.spec.source_size
    if task.spec.source == "tokens":  # none is there in vain
        assert len(set(np.concatenate(task.items("test").sources).tolist())) == task.symbols
    assert [size(case, n) for n in task.lengths("test")] == list(task.items("test").source_lengths)


@every
def test_answers_fit_the_specification(case):
    lengths = (least(case), least(case) + 1, 20, 21)
    task = made(case, tested=lengths, length=21, shortest=least(case), examples=100)
    spec, items = task.spec, task.items("test")
    if case == "adding as a number":
        assert (spec.source, spec.source_size, spec.target, spec.target_size) == ("vectors", 2, "number", 1)
        assert {(target.shape, str(target.dtype)) for target in items.targets} == {((1,), "float32")}
        return
    asked = [token for tokens in task.asked("test") for token in tokens]
    assert set(asked) == set(range(FIRST, FIRST + task.choices))
    longest = max(len(target) for target in items.targets)
    if task.labels:
        assert (longest, spec.max_target, spec.target_size) == (1, 1, FIRST + task.choices)
        assert not spec.joint_vocabulary
        return
    assert all(target.tolist().index(EOS) == len(target) - 1 > 0 for target in items.targets)
    assert spec.joint_vocabulary
    assert spec.source_size == spec.target_size == FIRST + max(task.symbols, task.choices)
    assert longest == spec.max_target if case in ONE_LENGTH else 10 < longest <= spec.max_target
    written = [task.written(n) + 1 for n in task.lengths("test")]
    assert all(len(t) <= most for t, most in zip(items.targets, written, strict=True))
    if case in ONE_LENGTH:
        assert [len(target) for target in items.targets] == written


@pytest.mark.parametrize(
    "case", ["parity", "even_pairs", "dyck", "modular_arithmetic", "cycle_navigation", "recall", "induction"]
)
def test_labels_are_about_as_frequent_as_one_another(case):
    task = made(case, length=30, examples=3000)
    counts = Counter(answer[0] - FIRST for answer in right(task))
    share = 1 / task.choices
    spread = (3000 * share * (1 - share)) ** 0.5
    assert set(counts) == set(range(task.choices))
    assert max(abs(count - 3000 * share) for count in counts.values()) < 4 * spread


# oracles of other kinds


def text(task, item):
    source = task.items("test").sources[item].tolist()
    if task.spec.source == "vectors":
        return task.spell(source)
    letters = task.letters or range(task.symbols)  # `spell` has its own test, and is slow while types are checked
    return " ".join(str(letters[token - FIRST]) for token in source)


def by_reduction(text):
    """Whether brackets are balanced: pairs that touch go, until none does."""
    text, before = text.replace(" ", "").rstrip("."), None
    while text != before:
        text, before = text.replace("()", "").replace("[]", ""), text
    return int(not text)


def by_substitution(text):
    """The value of a list: the innermost give way to their values."""
    value = {
        "MAX": max,
        "MIN": min,
        "MED": lambda values: int(statistics.median(values)),
        "SM": lambda values: sum(values) % 10,
    }
    while "[" in text:
        text = re.sub(r"\[(\w+) ([\d ]+) \]", lambda m: str(value[m[1]](list(map(int, m[2].split())))), text)
    return int(text)


def by_erasing(text):
    """What is left on a stack: a symbol and the pop behind it go, then pops that had nothing."""
    text, before = re.sub("push| ", "", text).replace("pop", "p"), None
    while text != before:
        text, before = re.sub("[01]p|^p", "", text), text
    return list(map(int, reversed(text)))


def by_first_and_only(text):
    *before, last = text.split()
    assert before.count(last) == 1
    return int(dict(itertools.pairwise([*before, "-1"]))[last])


ORACLES = {
    "modular_arithmetic": lambda text: eval(text.rstrip(" =")) % 5,
    "dyck": by_reduction,
    "listops": by_substitution,
    "stack": by_erasing,
    "parity": lambda text: text.count("1") % 2,
    "even_pairs": lambda text: 1 - (text.replace(" ", "").count("01") + text.replace(" ", "").count("10")) % 2,
    "cycle_navigation": lambda text: (text.count("+") - text.count("-")) % 5,
    "induction": by_first_and_only,
    "recall": lambda text: int(text.split()[0]),
    "reverse": lambda text: list(map(int, text.split()))[::-1],
    "sort": lambda text: sorted(map(int, text.split())),
    "bucket_sort": lambda text: sorted(map(int, text.split())),
    "duplicate": lambda text: list(map(int, f"{text} {text}".split())),
    "copy": lambda text: list(map(int, text.split()[:10])),
    "selective_copy": lambda text: list(map(int, text.replace("8", "").split())),
    "adding as tokens": lambda text: sum(map(int, re.findall(r"(\d)\*", text))),
    "adding as a number": lambda text: sum(float(word[:-1]) for word in text.split() if "*" in word),
}


@pytest.mark.parametrize("case", ORACLES)
def test_targets_are_what_an_oracle_of_another_kind_says(case):
    task = made(case, tested=(least(case), 9, 24, 41), examples=60)
    first = FIRST if task.spec.target == "tokens" else 0
    for item, answer in enumerate(right(task)):
        said = ORACLES[case](text(task, item))
        assert (said if isinstance(said, list) else [said]) == pytest.approx([t - first for t in answer])


def test_the_reference_knows_every_row_of_brackets():
    task = made("dyck")
    verdicts = Counter()
    for row in itertools.product(range(4), repeat=6):
        [label] = task.solve(np.array(row))
        assert label == by_reduction(task.spell([symbol + FIRST for symbol in row]))
        verdicts[label] += 1
    assert verdicts[1] == 5 * 2**3  # shapes, and a kind for each pair


def test_neither_counts_nor_depths_nor_neighbours_tell_wrong_brackets():
    task = made("dyck", length=40, examples=800)
    wrong = [text(task, item).replace(" ", "") for item, answer in enumerate(right(task)) if answer[0] == FIRST]
    assert len(wrong) > 300
    for row in wrong:
        assert [row.count(kind) for kind in "(["] == [row.count(kind) for kind in ")]"]
        depths = np.cumsum([1 if symbol in "([" else -1 for symbol in row])
        assert (depths.min(), depths[-1]) == (0, 0)
    assert sum("(]" in row or "[)" in row for row in wrong) < len(wrong) / 50


def test_brackets_of_one_kind_are_wrong_at_their_ends():
    task = made("dyck", length=2)
    drawn = task.draw(np.random.default_rng(4), 50, 2)
    assert {(*source, label) for source, label in zip(drawn.sources.tolist(), drawn.targets.tolist(), strict=True)} == {
        (0, 1, 1),
        (2, 3, 1),
        (1, 0, 0),
        (3, 2, 0),
    }


def test_shapes_of_brackets_are_equally_likely():
    drawn = Counter(map(tuple, shapes(np.random.default_rng(5), 5000, 3).tolist()))
    assert len(drawn) == 5  # the third Catalan number
    assert all(min(itertools.accumulate(shape)) == sum(shape) == 0 for shape in drawn)
    assert max(abs(count - 1000) for count in drawn.values()) < 4 * (5000 * 0.2 * 0.8) ** 0.5


def test_a_stack_is_never_empty_at_the_end_and_sometimes_before():
    task = made("stack", tested=(1, 2, 3, 30), examples=100)
    rows = [text(task, item) for item in range(400)]
    assert all(right(task))
    assert any(by_erasing(" ".join(row.split()[:-1])) == [] for row in rows[100:])
    assert all(row.split()[0] in "01" for row in rows)


def test_lists_hold_two_arguments_or_more_and_every_operator_comes():
    task = made("listops", length=50, examples=100)
    inside = Counter(word for item in range(100) for word in text(task, item).split())
    assert len(inside) == 15
    for item in range(100):
        row, before = text(task, item), None
        while row != before:
            for arguments in re.findall(r"\[\w+ ([\d ]+) \]", row):
                assert len(arguments.split()) >= 2
            row, before = re.sub(r"\[\w+ [\d ]+ \]", "0", row), row
        assert row == "0"


def test_one_of_each_half_is_marked():
    task = made("adding as a number", tested=(2, 5, 8))
    for source in task.items("test").sources:
        marks, half = source[:, 1], len(source) // 2
        assert set(marks.tolist()) <= {0, 1}
        assert (marks[:half].sum(), marks[half:].sum()) == (1, 1)


# splits


@every
def test_a_test_set_is_the_same_on_every_instance(case):
    kind = kind_of(case)
    config = configured(kind.Config, SETTINGS.get(case, {}) | {"length": 11, "examples": 50}, case)
    one, other = kind(config), kind(config)
    for split in SPLITS:
        a, b = one.items(split), other.items(split)
        assert same(a.sources, b.sources)
        assert same(a.targets, b.targets)
        assert same(a.given or [], b.given or [])
    assert one.checksum == other.checksum != made(case, length=12).checksum
    assert (len(one.items("test")), len(one.items("validation"))) == (50, VALIDATION)


@every
def test_training_batches_follow_from_seed_epoch_and_place(case):
    task, other = made(case, length=11), made(case, length=11, examples=7)
    batches = list(task.batches("train", 300, seed=3, epoch=2))
    assert [len(batch.item) for batch in batches] == [300] * 6 + [EPOCH - 1800]
    assert [item for batch in batches for item in batch.item.tolist()] == list(range(EPOCH))
    for batch, again in zip(batches, other.batches("train", 300, seed=3, epoch=2), strict=True):
        assert batch.source.equal(again.source)
        assert batch.target.equal(again.target)
        assert batch.given is None or batch.given.equal(again.given)
    late = list(task.batches("train", 300, seed=3, epoch=2, start=5))
    assert len(late) == 2
    assert all(batch.source.equal(again.source) for batch, again in zip(batches[5:], late, strict=True))
    others = [next(task.batches("train", 300, seed=s, epoch=e)) for s, e in ((3, 3), (4, 2))]
    for one, two in itertools.combinations([*batches[:2], *others], 2):
        assert not one.source.equal(two.source)


@every
def test_each_split_keeps_to_its_tenths_of_all_sources(case):
    task = made(case, length=24)
    for split in SPLITS:
        assert set(tenths(np.stack(task.items(split).sources) - FIRST * (task.spec.source == "tokens"))) == set(
            TENTHS[split]
        )
    batch = next(task.batches("train", 200)).source.numpy()
    assert set(tenths(batch - FIRST * (task.spec.source == "tokens"))) == set(TENTHS["train"])


FEW = {  # lengths at which some thousands of sources are all that there are
    "adding as tokens": 3,
    "bucket_sort": 5,
    "cycle_navigation": 7,
    "duplicate": 11,
    "dyck": 10,
    "even_pairs": 11,
    "induction": 4,
    "listops": 5,
    "modular_arithmetic": 5,
    "mqar": 6,
    "parity": 11,
    "recall": 4,
    "reverse": 4,
    "sort": 3,
    "stack": 7,
}


@pytest.mark.parametrize("case", FEW)
def test_nothing_held_out_comes_in_twenty_epochs_of_training(case):
    task = made(case, length=FEW[case])
    held = {source.tobytes() for split in ("validation", "test") for source in task.items(split).sources}
    free = task.draw(np.random.default_rng(6), 20 * EPOCH, FEW[case]).sources + FIRST
    assert len(held & {source.tobytes() for source in free}) > 0.5 * len(held)  # without care they would come
    for epoch in range(20):
        for batch in task.batches("train", 1024, epoch=epoch):
            assert not held & {source.tobytes() for source in batch.source.numpy()}


def test_a_length_with_hardly_any_sources_still_has_every_split():
    task = made("parity", length=1, examples=30)
    assert [len(task.items(split)) for split in SPLITS] == [EPOCH, VALIDATION, 30]
    assert set(np.concatenate(task.items("test").sources).tolist()) == {FIRST, FIRST + 1}


def test_long_sources_are_drawn_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr("tasks.synthetic.ROOM", 100)
    kind = load("synthetic.reverse")
    task, asked, draw = kind(kind.Config(length=20, examples=60)), [], kind.draw
    monkeypatch.setattr(kind, "draw", lambda self, random, n, length: asked.append(n) or draw(self, random, n, length))
    sources = np.stack(task.items("test").sources)
    assert max(asked) == 5
    assert set(tenths(sources - FIRST)) == {0}
    assert len(np.unique(sources, axis=0)) == 60


@every
def test_batches_are_of_one_length_each_and_of_all_between_the_ends(case):
    low = least(case) + 1
    task = made(case, length=low + 3, shortest=low, tested=(low + 9,))
    batches = list(task.batches("train", 32))
    assert {batch.source.shape[1] for batch in batches} == {size(case, n) for n in range(low, low + 4)}
    for batch in batches:
        assert set(batch.source_length.tolist()) == {batch.source.shape[1]}
    assert set(task.items("validation").source_lengths) == {size(case, n) for n in range(low, low + 4)}
    assert set(task.items("test").source_lengths) == {size(case, low + 9)}
    assert task.fresh


# scores


@every
def test_a_random_answerer_scores_chance(case):
    task = made(case, length=20, examples=2000)
    values = task.score(task.guesses("test"), "test").items[task.main]
    assert abs(np.mean(values) - task.chance) < 3 * np.std(values) / len(values) ** 0.5


def test_stated_floors_are_those_of_the_docstrings():
    stated = {case: kind_of(case).__doc__ for case in CASES}
    assert made("mqar", vocabulary=128).chance == 100 / 64
    for case in CASES:
        if case not in ("mqar", "adding as a number"):
            assert re.search(rf"[Ff]loor 1/{round(100 / made(case).chance)}\b", stated[case]), case
        assert "Ceiling 100 %" in stated[case]


def test_always_one_explains_nothing_and_is_near_as_often_as_it_should():
    task = made("adding as a number", length=20, examples=4000)
    scores = task.floors("test")["constant"]
    sums = np.concatenate(task.items("test").targets)
    squares = (sums - 1.0) ** 2
    assert abs(squares.mean() - 1 / 6) < 3 * squares.std() / 4000**0.5
    assert scores.totals["explained"] == pytest.approx(100 * (1 - 6 * squares.mean()), rel=1e-3)
    assert scores.totals["near"] == pytest.approx(100 * (1 - 0.96**2), abs=3 * 100 * (0.0784 * 0.9216 / 4000) ** 0.5)
    assert scores.signatures["explained"] == "100 (1 - mse / (1/6))"


@every
def test_floors_are_by_name_and_the_commonest_label_is_one(case):
    task = made(case, length=20)
    floors = task.floors("test")
    if task.spec.target == "number":
        assert set(floors) == {"constant"}
    elif task.labels:
        most = max(Counter(answer[0] for answer in right(task)).values())
        assert set(floors) == {"random", "constant"}
        assert floors["constant"].totals["accuracy"] == 100 * most / 500
    else:
        assert set(floors) == {"random"}
    assert all(scores.main == task.main for scores in floors.values())


@pytest.mark.parametrize("case", [case for case in CASES if case != "adding as a number"])
def test_one_wrong_symbol_is_not_exact_and_neither_is_a_longer_or_shorter_answer(case):
    task, random = made(case, tested=(9, 14), examples=20), np.random.default_rng(7)
    items, whole = task.items("test"), right(task)
    wrong, parts = [], []
    for item, answer in enumerate(whole):
        asked = [p for p in range(len(answer)) if items.given is None or items.given[item][p] == PAD]
        place, spoilt = random.choice(asked), list(answer)
        spoilt[place] = FIRST + (answer[place] - FIRST + 1) % task.choices
        wrong.append(spoilt)
        parts.append(100 * (len(asked) - 1) / len(asked))
    scores = task.score(wrong, "test")
    assert scores.totals["exact"] == 0
    assert scores.items["accuracy"] == pytest.approx(parts)
    for changed in ([[*answer, FIRST] for answer in whole], [answer[:-1] for answer in whole], [[] for _ in whole]):
        scores = task.score(changed, "test")
        assert scores.totals["exact"] == 0
        assert max(scores.items["accuracy"]) < 100
    assert task.score([[] for _ in whole], "test").totals["accuracy"] == 0
    for kept in ([[*answer, EOS] for answer in whole], [[*answer, EOS, PAD, FIRST] for answer in whole], whole):
        assert task.score(kept, "test").totals == {"accuracy": 100, "exact": 100}


def test_a_number_is_near_within_a_25th_and_an_answer_is_one():
    task = made("adding as a number", length=9, examples=30)
    wanted = [float(target[0]) for target in task.items("test").targets]
    for error, near in ((0.039, 100), (-0.039, 100), (0.041, 0), (-0.5, 0)):
        scores = task.score([[value + error] for value in wanted], "test")
        assert scores.totals["near"] == near
        assert scores.items["explained"] == pytest.approx([100 * (1 - 6 * error**2)] * 30)
    for answer in ([], [1.0, 1.0]):
        with pytest.raises(ValueError, match="one number"):
            task.score([answer] * 30, "test")


def test_keys_are_told_and_their_values_asked():
    task = made("mqar", length=10, again=0, queries=3)
    items = task.items("test")
    for source, target, given in zip(items.sources, items.targets, items.given, strict=True):
        keys, values = source[4::2], source[5::2]
        assert target[-1] == given[-1] == EOS
        assert given[:6:2].tolist() == target[:6:2].tolist()
        assert not given[1:6:2].any()
        assert len(set(keys.tolist())) == 3
        pairs = dict(zip(keys.tolist(), values.tolist(), strict=True))
        assert [pairs[key] for key in target[:6:2].tolist()] == target[1:6:2].tolist()
        assert values.max() < FIRST + task.choices <= keys.min()
        assert set(source[:4].tolist()) == {FIRST + 9}
    assert any(source[4] != target[0] for source, target in zip(items.sources, items.targets, strict=True))
    batch = next(task.batches("train", 5))
    assert batch.given.shape == batch.target.shape == (5, 7)
    assert (batch.given > PAD).tolist() == [[True, False] * 3 + [True]] * 5
    assert batch.wanted.equal(batch.target - batch.given)


def test_a_key_is_given_as_often_as_it_is_to_be_said():
    task = made("mqar", length=10, again=2, queries=3)
    batch = next(task.batches("train", 5))
    assert (batch.given > PAD).tolist() == [[True, True, True, False] * 3 + [True]] * 5
    keys = batch.target[:, :12].view(5, 3, 4)[:, :, :3]
    assert keys.eq(keys[:, :, :1]).all()
    assert keys.min() >= FIRST + task.choices
    assert task.score(solved(task), "test").totals == {"accuracy": 100, "exact": 100}


@pytest.mark.parametrize(("pairs", "asked"), [(1, 1), (2, 1), (3, 1), (4, 2)])
def test_half_of_the_keys_are_asked_and_none_twice(pairs, asked):
    task = made("mqar", length=10, pairs=pairs)
    keys = [target[:-1:3].tolist() for target in task.items("test").targets]
    assert {len(own) for own in keys} == {len(set(own)) for own in keys} == {asked}
    places = [source.tolist().index(own[0]) for source, own in zip(task.items("test").sources, keys, strict=True)]
    assert set(places) == set(range(10 - 2 * pairs, 10, 2))  # any of them
    assert task.score(solved(task), "test").totals == {"accuracy": 100, "exact": 100}


def test_more_queries_than_pairs_ask_keys_anew():
    task = made("mqar", length=10, again=0, queries=5)
    asked = [tuple(target[0:10:2].tolist()) for target in task.items("test").targets]
    assert {len(keys) for keys in asked} == {5}
    assert all(len(set(keys)) < 5 for keys in asked)  # of three pairs
    firsts = [target[:4:2].tolist() for target in task.items("test").targets]
    again = np.mean([one == other for one, other in firsts])
    assert again == pytest.approx(1 / 3, abs=0.08)
    assert task.score(solved(task), "test").totals == {"accuracy": 100, "exact": 100}


def test_training_may_hold_fewer_pairs_and_what_is_tested_never_does():
    task = made("mqar", length=10, fewest=1, queries=4)

    def pairs(source):
        return int((source != FIRST + 9).sum()) // 2

    drawn = {frozenset(pairs(source) for source in batch.source.numpy()) for batch in task.batches("train", 64)}
    assert drawn == {frozenset({n}) for n in (1, 2, 3)}
    assert all({len(target) for target in batch.target} == {13} for batch in task.batches("train", 64))
    for split in ("validation", "test"):
        assert {pairs(source) for source in task.items(split).sources} == {3}
    for fewest in (0, 4):  # where there are fewer pairs, all of them
        task = made("mqar", length=10, fewest=fewest)
        assert {pairs(source) for batch in task.batches("train", 64) for source in batch.source.numpy()} == {3}


def test_a_single_pair_takes_two_symbols():
    task = made("mqar", vocabulary=200, pairs=1, length=2)
    assert task.score(solved(task), "test").totals == {"accuracy": 100, "exact": 100}
    assert set(task.items("test").source_lengths) == {2}


def test_only_what_is_asked_counts():
    task = made("mqar", length=10, again=0, queries=3)
    whole = right(task)
    unasked = [[FIRST if place % 2 == 0 else token for place, token in enumerate(answer)] for answer in whole]
    assert task.score(unasked, "test").totals == {"accuracy": 100, "exact": 100}
    parroted = [[FIRST + 8 if place % 2 else token for place, token in enumerate(answer)] for answer in whole]
    assert task.score(parroted, "test").totals == {"accuracy": 0, "exact": 0}
    assert {len(asked) for asked in task.asked("test")} == {3}


# limits, lengths, words


@pytest.mark.parametrize(
    ("case", "settings", "said"),
    [
        ("parity", {"length": 0}, "length=0 lies outside 1 to 65,536"),
        ("parity", {"length": LONGEST + 1}, "length=65537 lies outside 1 to 65,536"),
        ("parity", {"shortest": LONGEST + 1}, "shortest=65537 lies outside 0 to 65,536"),
        ("parity", {"tested": "7,65537"}, "tested=65537 lies outside 1 to 65,536"),
        ("parity", {"tested": "7,0"}, "tested=0 lies outside 1 to 65,536"),
        ("parity", {"shortest": 30, "length": 20}, "shortest=30 is above length=20"),
        ("parity", {"examples": 0}, "examples=0 lies outside 1 to 100,000"),
        ("listops", {"shortest": 3}, "a length of 3 is below its least, 4"),
        ("mqar", {"pairs": 64, "vocabulary": 100, "length": 500}, "64 pairs, but a vocabulary of 100 has 50 keys"),
        ("mqar", {"pairs": 4, "length": 7}, "4 pairs, but a length of 7 holds 3"),
        ("mqar", {"pairs": 4, "tested": "40,6"}, "4 pairs, but a length of 6 holds 3"),
        ("mqar", {"pairs": 4, "shortest": 5}, "4 pairs, but a length of 5 holds 2"),
        ("mqar", {"vocabulary": 8193}, "vocabulary=8193 lies outside 2 to 8,192"),
        ("adding", {"form": "words"}, "form='words' is none of: number, tokens"),
    ],
)
def test_a_setting_beyond_a_limit_is_one_line_that_says_the_limit(case, settings, said):
    kind = kind_of(case)
    with pytest.raises(BadInput) as caught:
        kind(configured(kind.Config, settings, f"task {case}"))
    assert said in one_line(caught)


@every
def test_a_length_below_the_least_is_refused_and_the_least_is_not(case):
    low = least(case)
    assert len(made(case, length=low, examples=3).items("test")) == 3
    with pytest.raises(BadInput) as caught:
        made(case, length=low - 1)
    assert re.search(rf"least, {low}\b|outside {low} to|holds {(low - 1) // 2}\b", one_line(caught))


@every
def test_data_of_ones_own_are_refused(case, tmp_path):
    with pytest.raises(BadInput) as caught:
        kind_of(case)(None, tmp_path)
    assert "takes no data" in one_line(caught)


@every
def test_a_test_may_have_several_lengths_in_their_order(case):
    task = made(case, tested="14,9,14", examples=4)
    assert task.lengths("test") == [9] * 4 + [14] * 4
    assert list(task.items("test").source_lengths) == [size(case, 9)] * 4 + [size(case, 14)] * 4
    with pytest.raises(ValueError, match="test"):
        task.lengths("train")


@every
def test_a_source_is_read_as_it_is_spelt(case):
    task = made(case, tested=(9, 14), examples=10)
    items = task.items("test")
    for item, (source, answer) in enumerate(zip(items.sources, right(task), strict=True)):
        spelt = task.spell(source.tolist())
        read = task.read(spelt)
        assert read.dtype == source.dtype
        assert np.array_equal(read, source)
        shown = task.show("test", item)
        assert (shown.source, " ".join(shown.source_tokens)) == (spelt, spelt)
        assert len(shown.source_tokens) == len(source)
        assert shown.picture is None
        assert shown.reference == task.write(items.targets[item].tolist())
        if task.spec.target == "tokens":
            assert [int(word) + FIRST for word in shown.reference.split()] == answer
        else:
            assert float(shown.reference) == pytest.approx(answer[0], rel=1e-3)


@every
@pytest.mark.parametrize("query", ["", "what?", "-1.5 0.5", "nan", "99999"])
def test_what_is_no_source_is_one_line(case, query):
    with pytest.raises(BadInput) as caught:
        made(case).read(query)
    assert "expected" in one_line(caught)


def test_the_registry_lists_what_is_drawn():
    assert tasks.names()[-len(NAMES) :] == [f"synthetic.{name}" for name in NAMES]
    for name in NAMES:
        assert load(f"synthetic.{name}").name == f"synthetic.{name}"
