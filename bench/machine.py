"""The machine: which device, how many threads, which precision, and what a result must say of them."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from bench.trial import Place
from tasks import BadInput

BFLOAT16 = {"avx512_bf16", "amx_bf16"}  # flags of processors that multiply it
LIBRARIES = ("torch", "numpy", "tokenizers", "sacrebleu", "scikit-learn", "reservoirpy")


def prepare(device: str = "auto", threads: int | None = None) -> torch.device:
    """The device that was asked for, "auto" being a GPU where there is one. Raises BadInput.

    Threads are fixed (all cores unless told), because results differ in their last bits with their number.
    """
    keep_memory()
    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise BadInput(f"unknown device {device!r}; expected auto, cpu, cuda or cuda:N") from None
    if chosen.type not in ("cpu", "cuda"):
        raise BadInput(f"device {device!r} is not supported; expected auto, cpu, cuda or cuda:N")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise BadInput(
            f"device {device!r} is not there: {torch.cuda.device_count()} CUDA devices found; try --device cpu"
        )
    if chosen.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False  # by default recurrent layers would have it, and attention not
    return chosen


def place(device: str = "auto", threads: int | None = None) -> Place:
    """Where trials will run. Touches the GPU where there is one. Raises BadInput."""
    chosen = prepare(device, threads)
    return Place(str(chosen), able(chosen), torch.get_num_threads(), environment(chosen))


def keep_memory() -> bool:
    """Tells glibc to keep freed memory instead of handing it back to the kernel after every tensor.

    Fresh pages cost more than the arithmetic of small models: relu over 2600 x 1024, forward and
    backward, takes 1.6 ms instead of 16. Harmless elsewhere: without glibc nothing happens.
    """
    trim, top, mmap = -1, -2, -3  # M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD of malloc.h
    try:
        tune = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all([tune(mmap, 1 << 30), tune(trim, 2**31 - 1), tune(top, 64 << 20)])


def able(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch says yes to any AVX-512 processor, and then emulates
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and bool(BFLOAT16 & set(_cpuinfo("flags").split()))


def precision(bfloat16: bool, asked: str = "auto") -> torch.dtype:
    """bfloat16 where the hardware multiplies it, else float32. Raises BadInput for bfloat16 without such hardware."""
    if asked == "auto":
        return torch.bfloat16 if bfloat16 else torch.float32
    kinds = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    if asked not in kinds:
        raise BadInput(f"unknown precision {asked!r}; expected auto, float32 or bfloat16")
    if asked == "bfloat16" and not bfloat16:
        raise BadInput("this device has no bfloat16 units; use --set precision=float32")
    return kinds[asked]


def environment(device: torch.device) -> dict[str, Any]:
    """What a reader must know to judge or repeat a number."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        **({"gpus": torch.cuda.device_count()} if device.type == "cuda" else {}),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
        "commit": _commit(),
    }


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or "unknown"


def _cpuinfo(field: str) -> str:
    """What Linux says of the first processor; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == field), "")


@functools.cache
def _commit() -> str:
    """The revision of the checkout, with "+" where files were changed since; as it was when first asked."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(  # noqa: S603 (no shell, our own words)
            ["git", "-C", str(here), *words],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def wait(device: torch.device) -> None:
    """Returns when the device has done all that it was given; a clock read before that shows the launch."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
