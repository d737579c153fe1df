"""Whatever call fails, and whenever the process dies: what was acknowledged stays, and the rest comes to the same."""

import errno
import os
import random
import resource
import signal
from pathlib import Path

import pytest
import torch
from faults import WRITES, cells, counted, faults, killed_at, outcome, run, suite, trial

from bench import checkpoint, contest, record
from bench.checkpoint import Checkpoints, DamagedError, Snapshot
from bench.commands import verification
from bench.disk import RecordError
from bench.record import Result

SOAK = bool(os.environ.get("SEQBENCH_SOAK"))
ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EMFILE)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    names = counted(folder)
    return names, outcome(folder)


def whole_again(folder, undisturbed):
    """The same command goes on, and comes to what nobody disturbed."""
    assert run(folder) == 0
    assert outcome(folder) == undisturbed[1]
    assert verification.problems(folder) == []
    assert not any((folder / contest.UNFINISHED).iterdir())


def complaint(folder):
    """What a run says when it cannot write; None where it did not have to."""
    try:
        run(folder)
    except RecordError as problem:
        return str(problem)
    return None


def test_a_process_killed_at_any_writing_call_loses_nothing(undisturbed, tmp_path):
    calls = len(undisturbed[0])
    assert calls > 50
    for number in range(calls) if SOAK else range(0, calls, 4):
        folder = tmp_path / str(number)
        acknowledged, status = killed_at(folder, number)
        assert os.WIFSIGNALED(status)
        stored = [row.model for row in record.read(folder)] if (folder / record.RESULTS).exists() else []
        assert stored[: len(acknowledged)] == acknowledged
        whole_again(folder, undisturbed)


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda e: errno.errorcode[e])
def test_a_call_that_fails_is_one_line_that_names_the_file_and_the_run_goes_on_later(
    error, for_ever, undisturbed, tmp_path
):
    for kind in WRITES[:6]:
        places = [place for place, name in enumerate(undisturbed[0]) if name == kind]
        for first in places if SOAK else places[len(places) // 2 :][:1]:
            folder = tmp_path / f"{kind}{first}"
            count = iter(range(10**6))

            def fault(name, arguments, first=first, count=count, kind=kind):
                place = next(count)
                if place == first or (for_ever and place > first and name == kind):
                    raise OSError(error, os.strerror(error))

            with faults(fault):
                said = complaint(folder)
            if said is None:  # somebody else may have made the folder, or removed the file
                assert kind in ("mkdir", "unlink"), f"{kind} at {first} went unnoticed"
            else:
                assert str(tmp_path) in said
                assert os.strerror(error) in said
                assert len(said.splitlines()) == 1
            whole_again(folder, undisturbed)


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
def test_a_write_that_falls_short_leaves_no_half_of_a_row(for_ever, undisturbed, tmp_path):
    places = [place for place, name in enumerate(undisturbed[0]) if name == "write"]
    for first in places:
        folder, count = tmp_path / str(first), iter(range(10**6))

        def fault(name, arguments, first=first, count=count):
            place = next(count)
            if name == "write" and (place == first or (for_ever and place > first)):
                return os.write(arguments[0], bytes(arguments[1])[:3]) if place == first else 0
            return None

        with faults(fault):
            if for_ever:
                with pytest.raises(RecordError, match="No space left"):
                    run(folder)
            else:
                run(folder)
        whole_again(folder, undisturbed)


@pytest.mark.parametrize("limit", [40, 900, 3000])
def test_a_limit_on_file_sizes_is_one_line_and_the_run_goes_on_without_it(limit, undisturbed, tmp_path):
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        torch.set_num_threads(1)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        os.write(writing, str(complaint(tmp_path)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        said = file.read()
    os.waitpid(child, 0)
    assert "File too large; everything stored before is kept; raise the limit on file sizes" in said
    assert str(tmp_path) in said
    whole_again(tmp_path, undisturbed)


def test_a_device_that_is_full_is_named(tmp_path):
    (tmp_path / record.RESULTS).symlink_to("/dev/full")
    with pytest.raises(RecordError, match=r"results\.jsonl cannot be written: No space left on device"):
        record.append(tmp_path, Result("quality", "lstm", "copying", 0, "ok", {"exact": 1.0}, "exact"))


def rows(folder, number=3):
    for seed in range(number):
        record.append(folder, Result("quality", "lstm", "copying", seed, "ok", {"exact": seed + 0.5}, "exact"))
    return (folder / record.RESULTS).read_bytes(), list(record.read(folder))


def test_results_cut_at_any_byte_keep_every_whole_row(tmp_path):
    content, written = rows(tmp_path)
    path = tmp_path / record.RESULTS
    for size in range(len(content)):
        path.write_bytes(content[:size])
        record.mend(tmp_path)
        kept = list(record.read(tmp_path))
        assert kept == written[: len(kept)]
        assert len(kept) >= content[:size].count(b"\n")
        record.append(tmp_path, written[-1])
        assert list(record.read(tmp_path)) == [*kept, written[-1]]


def test_a_torn_line_is_set_aside_and_named(tmp_path):
    content, _ = rows(tmp_path)
    (tmp_path / record.RESULTS).write_bytes(content[:-20])
    (line,) = record.mend(tmp_path)
    assert "the last line was torn" in line
    assert (tmp_path / record.ASIDE).read_bytes().strip() in content
    assert record.mend(tmp_path) == []


def test_a_flipped_bit_in_results_never_goes_unnoticed(tmp_path):
    content, written = rows(tmp_path)
    chance = random.Random(5)
    for _ in range(1000):
        flipped = bytearray(content)
        flipped[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        (tmp_path / record.RESULTS).write_bytes(bytes(flipped))
        kept = list(record.read(tmp_path))
        assert all(row in written for row in kept)
        assert len(kept) == len(written) or record.torn(tmp_path) or bytes(flipped).count(b"\n") < 3
        assert verification.problems(tmp_path)


def snapshots(folder):
    shots = {n: Snapshot({"model.w": torch.arange(5.0) * n, "random": torch.arange(3)}, {"since": n}) for n in (1, 2)}
    kept = Checkpoints(folder)
    for number, shot in shots.items():
        kept.save(shot, number)
    return kept, shots


def same(one, other):
    return one.numbers == other.numbers and all(torch.equal(v, other.tensors[k]) for k, v in one.tensors.items())


def test_checkpoints_come_back_the_same_and_two_are_kept(tmp_path):
    kept, shots = snapshots(tmp_path)
    assert same(kept.newest(), shots[2])
    kept.save(shots[1], 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"000000000{n}.{ending}" for n in (2, 3) for ending in ("json", "safetensors")
    ]


@pytest.mark.parametrize("ending", ["json", "safetensors"])
def test_a_checkpoint_cut_at_any_byte_or_flipped_in_any_bit_gives_way_to_the_one_before(ending, tmp_path):
    kept, shots = snapshots(tmp_path)
    path = tmp_path / f"0000000002.{ending}"
    content, chance = path.read_bytes(), random.Random(7)
    spoilt = [content[:size] for size in range(len(content))]
    for _ in range(1000):
        flipped = bytearray(content)
        flipped[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        spoilt.append(bytes(flipped))
    for one in spoilt:
        path.write_bytes(one)
        warnings = []
        found = kept.newest(warnings.append)
        assert same(found, shots[1])
        assert len(warnings) == 1
        assert path.stem in warnings[0]


def test_a_training_whose_newest_checkpoint_is_damaged_goes_on_from_the_one_before(undisturbed, tmp_path):
    number = undisturbed[0].index("unlink")  # the first checkpoint that is dropped for a newer one
    killed_at(tmp_path, number)
    (unfinished,) = (tmp_path / contest.UNFINISHED).iterdir()
    newest = max(unfinished.glob("*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-1] + b"?")
    heard = []
    assert run(tmp_path, heard=heard.append) == 0
    assert any("is damaged" in line and newest.name in line for line in heard)
    assert outcome(tmp_path) == undisturbed[1]


@pytest.mark.parametrize("payload", [b"cos\nsystem\n(S'touch pwned'\ntR.", b"\x80\x04\x95\x00.", b"PK\x03\x04"])
def test_a_pickle_in_place_of_a_checkpoint_runs_nothing_and_is_refused_by_name(payload, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept, _ = snapshots(tmp_path / "kept")
    tensors = tmp_path / "kept" / "0000000002.safetensors"
    tensors.write_bytes(payload)
    with pytest.raises(DamagedError, match=r"0000000002\.safetensors is damaged"):
        kept.read(2)
    body = {"format": checkpoint.FORMAT, "updates": 2, "tensors": checkpoint._sum(payload), "numbers": {}}
    tensors.with_suffix(".json").write_bytes(checkpoint._sealed(body))  # by somebody who knows the format
    with pytest.raises(DamagedError, match=r"0000000002\.safetensors is no safetensors file"):
        kept.read(2)
    assert not (tmp_path / "pwned").exists()


def test_none_of_our_formats_is_a_pickle():
    here = Path(__file__).parents[1]
    words = ("import pickle", "pickle.", "torch.load(", "torch.save(", "joblib.", "allow_pickle", "shelve", "marshal")
    for path in (path for room in ("tasks", "models", "bench", "reports") for path in (here / room).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert not [word for word in words if word in text], path


def test_what_changed_is_told_part_by_part(tmp_path):
    run(tmp_path)
    _, (floor, known) = cells([suite()[0], trial("lstm", learning={"rate": 0.5})])
    decisions = contest.decided([floor, known], tmp_path)
    assert [one.runs for one in decisions] == [False, True]
    assert "changed since it was stored: learning" in decisions[1].why


def test_a_claimed_trial_is_left_alone_until_its_holder_dies(tmp_path):
    claims = contest.Claims(tmp_path)
    ready, child = os.pipe(), os.fork()
    if not child:
        with claims.held("00ff", None):
            os.write(ready[1], b"!")
            signal.pause()
    os.read(ready[0], 1)
    with claims.held("00ff", None) as mine, claims.held("0100", None) as other:
        assert (mine, other) == (False, True)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with claims.held("00ff", None) as mine:
        assert mine


def test_somebody_who_waits_for_a_claim_gets_it(tmp_path):
    claims = contest.Claims(tmp_path)
    ready, child = os.pipe(), os.fork()
    if not child:
        with claims.held("00ff", None):
            os.write(ready[1], b"!")
            signal.pause()
    os.read(ready[0], 1)

    def pause():
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    with claims.held("00ff", pause) as mine:
        assert mine
