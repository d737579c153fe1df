"""A process that holds contestants and takes a turn when it is told to: JSON lines in, JSON lines out.

It is started by its path with a folder as its first argument. Where that folder is a checkout of seqbench, models,
tasks and rules are those of the checkout (another revision, say); else they are ours, and the folder holds somebody's
own models.

First line in: {"contestants": {name: work}, "device": ..., "threads": ...}, out: {"calls": {name: usual seconds},
"memory": {name: {"bytes": N}}}. Then {"turn": name, "calls": N} -> {"seconds": a call, "cpu": processor seconds}.
Whatever goes wrong is {"error": one line}, and the process ends.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

OURS = Path(__file__).parents[2]
WARM = 0.5  # seconds of calls that do not count
FEWEST = 3  # of them
NEVER_DONE = 10**6  # updates that a rule expects: its rate hardly moves, and many updates on one batch harm nothing
Call = Callable[[], object]


def found_in(folder: Path) -> list[str]:
    """Where to import from: a checkout of seqbench comes before ours, any other folder after."""
    theirs = all((folder / name / "__init__.py").is_file() for name in ("bench", "models", "tasks"))
    return [str(folder), str(OURS)] if theirs else [str(OURS), str(folder)]


def built(work: dict[str, Any], device: Any) -> Call:
    """The call that one piece of work consists of: an update, or the answers to a batch."""
    if "reference" in work:
        from bench.guard.reference import reference

        return reference(device)
    return _writing(work, device) if work["of"] == "write" else _learning(work, device)


def _learning(work: dict[str, Any], device: Any) -> Call:
    import torch

    from bench import learning

    model, batch = _model(work).to(device).train(), _batch(work, device)
    rule = learning.load(model.learning)
    taught = rule(model, rule.Config(), NEVER_DONE, torch.float32)
    return lambda: taught.learn(batch)


def _writing(work: dict[str, Any], device: Any) -> Call:
    model, batch = _model(work).to(device).eval(), _batch(work, device)
    return lambda: model.generate(batch.source, batch.source_length, room=work["target"])


def _model(work: dict[str, Any]) -> Any:
    import torch

    import models
    import tasks

    kind, size = models.load(work["model"]), work["vocabulary"]
    spec = tasks.Spec("tokens", size, size, max_target=work["target"], joint_vocabulary=True)
    torch.manual_seed(0)
    return kind(spec, tasks.configured(kind.Config, work["settings"], f"model {work['model']}"))


def _batch(work: dict[str, Any], device: Any) -> Any:
    """Random tokens of exact lengths, the last of a target EOS."""
    import torch

    from tasks import EOS, SPECIALS, Batch

    draw, size = torch.Generator().manual_seed(0), work["batch"]
    source, target = (
        torch.randint(len(SPECIALS), work["vocabulary"], (size, work[side]), generator=draw)
        for side in ("source", "target")
    )
    target[:, -1] = EOS
    lengths = [torch.full((size,), work[side]) for side in ("source", "target")]
    return Batch(source, lengths[0], target, lengths[1], torch.arange(size)).to(device)


def warm(call: Call, device: Any) -> float:
    """Calls for half a second, three times at least; seconds of a usual call."""
    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < FEWEST or time.perf_counter() - begun < WARM:
        times.append(turn(call, 1, device)["seconds"])
    return statistics.median(times[len(times) // 2 :])


def turn(call: Call, calls: int, device: Any) -> dict[str, float]:
    """Seconds a call over so many in a row, the device done with them, and what they used of the processors."""
    from bench.machine import wait

    wait(device)
    cpu, start = time.process_time(), time.perf_counter()
    for _ in range(calls):
        call()
    wait(device)
    seconds = time.perf_counter() - start
    return {"seconds": seconds / calls, "cpu": time.process_time() - cpu}


def memory(work: dict[str, Any], device: Any) -> dict[str, int | None]:
    """Bytes that a model, its rule and two updates need at their peak, after a first model that is thrown away.

    The first one pays for what torch sets up once. The second update is the one with everything in place.
    """
    from bench import meters

    def whole() -> None:
        call = built(work, device)
        call()
        call()

    whole()
    return {"bytes": meters.peak_bytes(whole, device)}


def serve(ask: Any, tell: Any) -> None:
    """Builds the contestants and takes turns until nobody asks any more."""
    begun = json.loads(ask.readline())
    from bench import machine

    device = machine.prepare(begun["device"], begun["threads"])
    works = begun["contestants"]
    measured = {name: memory(work, device) for name, work in works.items() if work.get("weighed")}
    calls = {name: built(work, device) for name, work in works.items()}
    tell({"calls": {name: warm(call, device) for name, call in calls.items()}, "memory": measured})
    for line in ask:
        command = json.loads(line)
        tell(turn(calls[command["turn"]], command["calls"], device))


def main() -> None:
    """Speaks through what was the standard output; what a model prints goes to the standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(answer: dict[str, Any]) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    folder = Path(sys.argv[1]).resolve()
    sys.path[:0] = found_in(folder)
    try:
        serve(sys.stdin, tell)
    except Exception as error:
        # whatever a model does ends in one line for whoever asked
        tell({"error": " ".join(f"{type(error).__name__}: {error}".split())[:500]})
        sys.exit(1)


if __name__ == "__main__":
    main()
