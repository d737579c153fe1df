"""The checker is checked: thirty tampered runs are found, ten clean ones pass."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from faults import run, trial

from bench import contest, identity, record
from bench.commands import verification
from bench.record import Result
from tasks._score import text_scores


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """A floor and two seeds of copying, and a translation whose BLEU can be counted again."""
    folder = tmp_path_factory.mktemp("clean")
    trials = [trial("floors", probe="floor", model_settings={}), trial("lstm"), trial("lstm", seed=4)]
    assert run(folder, trials) == 0
    said, right = ["the light is on", "turn it off now please"], ["the light is on", "turn it off now"]
    totals, items, signatures = text_scores(said, right)
    answers = [
        {"item": i, "answer": s, "reference": r, "scores": {n: round(v[i], 2) for n, v in items.items()}}
        for i, (s, r) in enumerate(zip(said, right, strict=True))
    ]
    made_of = {"seed": "0", "budget": json.dumps({"updates": 9})}
    name = identity.name(made_of)
    artifacts = {
        "answers": record.store(folder, name, "answers.json", json.dumps({"items": answers}).encode()),
        "checkpoint": record.store(folder, name, "model.safetensors", b"?"),
    }
    row = Result("quality", "lstm", "translation", 0, "ok", totals | {"validation_bleu": 40.0, "updates": 9}, "bleu")
    budget = {"updates": 9, "used": {"updates": 9, "seconds": 1.0}}
    curve = [{"updates": 5, "bleu": 30.0, "seconds": 0.5}, {"updates": 9, "bleu": 40.0, "seconds": 1.0}]
    more = {"artifacts": artifacts, "budget": budget, "curve": curve, "signatures": signatures}
    record.append(folder, Result(**vars(row) | more | {"id": name, "made_of": made_of}))
    return folder


def lines(folder):
    return (folder / record.RESULTS).read_bytes().splitlines(keepends=True)


def written(folder, content):
    (folder / record.RESULTS).write_bytes(b"".join(content))


def forged(change, place=1):
    """Changes a row as somebody would who knows how rows are sealed, and seals the whole file again."""

    def tampered(folder):
        rows, sealed, after = [json.loads(line) for line in lines(folder)], [], ""
        change(rows[place])
        for row in rows:
            body = json.dumps({k: v for k, v in row.items() if k not in ("after", "sum")}, ensure_ascii=False)
            sealed.append(record.sealed(body, after))
            after = json.loads(sealed[-1])["sum"]
        written(folder, sealed)

    return tampered


def metric(name, value, place=1):
    return forged(lambda row: row["metrics"].__setitem__(name, value), place)


def removed(number):
    return lambda folder: written(folder, [line for n, line in enumerate(lines(folder)) if n != number])


def swapped(folder):
    content = lines(folder)
    written(folder, [content[0], content[2], content[1], content[3]])


def repeated(folder):
    record.append(folder, list(record.read(folder))[1])


def edited(before, after):
    """Changes bytes as somebody would with a text editor."""
    return lambda folder: written(folder, [line.replace(before, after, 1) for line in lines(folder)])


def artifact(place, name, change):
    def tampered(folder):
        path = folder / list(record.read(folder))[place].artifacts[name]["path"]
        change(path)

    return tampered


def better_answers(reseal):
    """Every wrong answer becomes the reference; with `reseal` the row's checksum of the file too."""

    def tampered(folder):
        row = list(record.read(folder))[1]
        path = folder / row.artifacts["answers"]["path"]
        items = json.loads(path.read_bytes())["items"]
        for item in items:
            item["answer"] = item["reference"]
            item["scores"]["exact"] = 100.0
        path.write_bytes(json.dumps({"items": items}).encode())
        if reseal:
            sha = hashlib.sha256(path.read_bytes()).hexdigest()
            forged(lambda row: row["artifacts"]["answers"].__setitem__("sha256", sha))(folder)

    return tampered


def another_seed(row):
    row["made_of"]["seed"], row["seed"] = "9", 9
    row["id"] = identity.name(row["made_of"])


def copied_as_another_seed(folder):
    content = lines(folder)
    written(folder, [*content, content[1]])
    forged(another_seed, place=4)(folder)
    row = json.loads(lines(folder)[4])
    shutil.copytree(folder / "artifacts" / json.loads(content[1])["id"], folder / "artifacts" / row["id"])


def unfinished(folder):
    scratch = folder / contest.UNFINISHED / ("0" * 16)
    scratch.mkdir(parents=True)
    (scratch / "0000000001.json").write_text("{}")


TAMPERED = {
    "a row is removed": removed(1),
    "the first row is removed": removed(0),
    "the last row is removed": removed(3),
    "two rows change places": swapped,
    "a row is repeated": repeated,
    "a seed is stored under another's number": copied_as_another_seed,
    "a digit of a score is edited": edited(b'"exact": ', b'"exact": 9'),
    "a model is renamed": edited(b'"model": "lstm"', b'"model": "best"'),
    "a status is edited": edited(b'"status": "ok"', b'"status": "OK"'),
    "a line is cut short": lambda folder: written(folder, [line[:-9] + b"\n" for line in lines(folder)]),
    "an old row is written by hand": lambda folder: written(folder, [*lines(folder), b'{"schema": 1}\n']),
    "a checksum is edited": edited(b'"sum": "', b'"sum": "0'),
    "a score is forged": metric("exact", 99.0),
    "BLEU is forged": metric("bleu", 71.3, place=3),
    "chrF is forged": metric("chrf", 99.0, place=3),
    "a score is above what there is": metric("exact", 250.0),
    "a score is below zero": metric("exact", -1.0),
    "a row lacks its main metric": forged(lambda row: row["metrics"].pop("exact")),
    "the budget is exceeded": forged(lambda row: row["budget"]["used"].__setitem__("updates", 600)),
    "the budget is changed afterwards": forged(lambda row: row["budget"].__setitem__("updates", 600)),
    "the seconds are exceeded": forged(
        lambda row: row["budget"].update({"seconds": 1.0, "used": row["budget"]["used"] | {"seconds": 9.0}})
    ),
    "the curve goes on after the end": forged(lambda row: row["curve"][-1].__setitem__("updates", 60)),
    "the state was chosen on the test split": metric("validation_exact", 77.7),
    "nothing says how the state was chosen": forged(lambda row: row["metrics"].pop("validation_exact")),
    "a setting is changed afterwards": forged(lambda row: row["made_of"].__setitem__("batch", "999")),
    "a seed is changed afterwards": forged(lambda row: row.__setitem__("seed", 5)),
    "the answers are edited": better_answers(reseal=False),
    "the answers are edited and sealed again": better_answers(reseal=True),
    "the parameters are gone": artifact(1, "checkpoint", lambda path: path.unlink()),
    "the parameters are cut": artifact(2, "checkpoint", lambda path: path.write_bytes(path.read_bytes()[:-1])),
    "an artifact's entry is dropped": forged(lambda row: row["artifacts"].pop("answers")),
    "a checkpoint of what is unfinished is damaged": unfinished,
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_run_is_found(name, clean, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(clean, folder)
    before = (folder / record.RESULTS).read_bytes()
    assert verification.problems(folder) == []
    TAMPERED[name](folder)
    found = verification.problems(folder)
    assert found
    assert all(len(line.splitlines()) == 1 for line in found)
    assert (folder / record.RESULTS).read_bytes() != before or name.startswith(("the answers", "the param", "a check"))


def test_ten_clean_runs_pass(clean, tmp_path):
    runs = [
        [trial("rnn")],
        [trial("transformer", points=3)],
        [trial("bahdanau", batch=5)],
        [trial("echo_state")],
        [trial("lstm", beam=2)],
        [trial("lstm", seed=0), trial("lstm", seed=1)],
        [trial("floors", probe="floor", model_settings={})],
        [trial("lstm", 40, learning={"rate": 10.0, "warmup": 0.1, "clip": 1e6})],  # it diverges
        [trial("lstm"), trial("rnn"), trial("lstm", updates=3)],
    ]
    for number, trials in enumerate(runs):
        run(tmp_path / str(number), trials)
        assert verification.problems(tmp_path / str(number)) == []
    assert verification.problems(clean) == []


def test_rows_of_the_first_schema_are_still_read(tmp_path):
    golden = Path(__file__).parent / "golden" / "schema-1.jsonl"
    shutil.copy(golden, tmp_path / record.RESULTS)
    floor, model = record.read(tmp_path)
    assert (floor.probe, model.probe) == ("floor", "quality")
    assert floor.schema == model.schema == record.SCHEMA
    assert model.made_of == {}
    assert model.metrics["parameters_total"] > 0
    record.append(tmp_path, model)
    assert len(list(record.read(tmp_path))) == 3
    assert record.torn(tmp_path) == []


def test_every_schema_that_was_released_has_a_golden_file():
    there = {path.stem for path in (Path(__file__).parent / "golden").glob("schema-*.jsonl")}
    assert there == {f"schema-{number}" for number in range(1, record.SCHEMA + 1)}


def test_rows_of_the_present_schema_are_written_as_the_golden_file_has_them(tmp_path):
    golden = Path(__file__).parent / "golden" / f"schema-{record.SCHEMA}.jsonl"
    shutil.copy(golden, tmp_path / record.RESULTS)
    rows = list(record.read(tmp_path))
    assert rows
    for row in rows:
        record.append(tmp_path / "again", row)
    assert (tmp_path / "again" / record.RESULTS).read_bytes() == golden.read_bytes()


def test_slopes_may_fall_below_zero_and_seeds_may_score_alike(tmp_path):
    points = [{"length": 10, "score": 100.0}, {"length": 80, "score": 100.0}]
    for seed in (0, 1):
        told = {"probe": "extrapolate", "model": "lstm", "task": "synthetic.parity", "seed": seed, "status": "ok"}
        told |= {
            "metrics": {"inside": 100.0, "decay_low": -0.01},
            "main": "inside",
            "curve": points,
            "id": f"{seed:016x}",
        }
        record.append(tmp_path, record.Result(**told))
    said = "\n".join(verification.problems(tmp_path))
    assert "outside" not in said
    assert "to the last digit" not in said
