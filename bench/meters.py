"""What a timing must be read beside: who else used the processor, how much memory, how much energy, at which clocks."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from bench.machine import wait

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100  # of /proc/stat, a second
RAPL = Path("/sys/class/powercap/intel-rapl:0/energy_uj")  # the whole first package
SHARE = 0.05  # of all our processors; who uses more than that is company
COUNTED = 1.0  # seconds over which energy is counted: its counters step every 1 to 100 ms


class Company:
    """Counts the processors that others used since `start`: other processes, the kernel, and a hypervisor's steal.

    Only processors that this process may run on are counted. On a system without /proc nobody is seen.
    """

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Counts from now."""
        self.began, self.own, self.busy = time.perf_counter(), time.process_time(), _busy()

    def processors(self, children: float = 0.0) -> float:
        """Processors that others used, on average since the start; `children` is what processes of ours used, in s."""
        seconds = time.perf_counter() - self.began
        own, busy = time.process_time() - self.own + children, _busy()
        if self.busy is None or busy is None or seconds <= 0:
            return 0.0
        return max(0.0, (busy - self.busy - own) / seconds)

    @staticmethod
    def matters(processors: float) -> bool:
        """Whether so much company spoils a timing."""
        return processors > SHARE * len(os.sched_getaffinity(0))


def _busy() -> float | None:
    """Seconds that our processors were busy since boot, stolen ones included; None where nobody tells."""
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    ours = {f"cpu{n}" for n in os.sched_getaffinity(0)}
    total = 0
    for line in lines:
        name, *fields = line.split()
        if name in ours:
            user, nice, system, _idle, _waiting, irq, softirq, steal = (int(f) for f in fields[:8])
            total += user + nice + system + irq + softirq + steal
    return total / TICKS


class Peak:
    """The most bytes that were held at once since it was made, beyond those held then.

    On a GPU the allocator's own count, on a CPU resident memory, for which freed pages go back first.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.before = device, None
        if device.type == "cuda":
            wait(device)
            torch.cuda.reset_peak_memory_stats(device)
            self.before = torch.cuda.memory_allocated(device)
            return
        _give_back()
        with contextlib.suppress(OSError, KeyError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew, see proc(5)
            self.before = _resident("VmRSS")

    def bytes(self) -> int | None:
        """None where nobody tells."""
        if self.before is None:
            return None
        wait(self.device)
        cuda = self.device.type == "cuda"
        return max(0, (torch.cuda.max_memory_allocated(self.device) if cuda else _resident("VmHWM")) - self.before)


def peak_bytes(call: Callable[[], object], device: torch.device) -> int | None:
    """Bytes that `call` needs at its peak beyond what is held before it; None where nobody tells."""
    peak = Peak(device)
    call()
    return peak.bytes()


def _give_back() -> None:
    """Hands freed memory to the kernel, which machine.keep_memory told glibc to keep."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _resident(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(found[field].split()[0]) * 1024


def available_bytes(device: torch.device) -> int | None:
    """Bytes that may still be taken; None where nobody tells."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None


class Energy:
    """Joules that are used while it counts; by whoever uses the device, idle power included."""

    def __init__(self, device: torch.device) -> None:
        self.counter = _counter(device)
        self.began: float | None = None

    def start(self) -> None:
        """Counts from now, unless it does already."""
        if self.began is None and self.counter:
            self.began = self.counter()

    def stop(self) -> float | None:
        """Joules since the start, and no more from now on; None where it did not count, or cannot."""
        began, self.began = self.began, None
        if self.counter is None or began is None:
            return None
        return self.counter() - began


def joules(call: Callable[[], object], device: torch.device) -> float | None:
    """Energy of one call, by the mean of as many as fill a second; None where it cannot be measured.

    Counts the whole GPU (NVML) or the whole processor package (RAPL), idle power included.
    """
    counter = _counter(device)
    if counter is None:
        return None
    wait(device)
    calls, began, start = 0, counter(), time.perf_counter()
    while time.perf_counter() - start < COUNTED:
        call()
        wait(device)
        calls += 1
    used = counter() - began
    return used / calls if used > 0 else None


def uncounted(device: torch.device) -> str:
    """Why the energy of this device cannot be read, and what would help."""
    if device.type != "cuda":
        return f"the processor's counter (RAPL) gave nothing; it needs leave to read {RAPL}"
    if importlib.util.find_spec("pynvml") is None:
        return "nvidia-ml-py is missing, which reads the GPU's counter: pip install nvidia-ml-py"
    return "the GPU's counter (NVML) gave nothing; not every GPU and driver has one"


def _counter(device: torch.device) -> Callable[[], float] | None:
    """Joules so far of the whole GPU (NVML) or the whole processor package (RAPL)."""
    return _nvml_joules(device) if device.type == "cuda" else _rapl_joules()


def _rapl_joules() -> Callable[[], float] | None:
    """Counts on where the processor's counter starts anew, which it does after some minutes to hours."""

    def read() -> int:
        return int(RAPL.read_text(encoding="ascii"))

    try:
        last, most = read(), int(RAPL.with_name("max_energy_range_uj").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    total = 0

    def joules() -> float:
        nonlocal last, total
        now = read()
        total += now - last if now >= last else now + most - last
        last = now
        return total / 1e6

    return joules


def _nvml_joules(device: torch.device) -> Callable[[], float] | None:
    found = _nvml(device)
    if found is None:
        return None
    nvml, handle = found
    try:
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except nvml.NVMLError:
        return None
    return lambda: float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000


def _nvml(device: torch.device) -> tuple[Any, Any] | None:
    """The NVML library and its handle of the device; None where either is missing."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        about: Any = torch.cuda.get_device_properties(device)
        return pynvml, pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{about.uuid}".encode())
    except (pynvml.NVMLError, AttributeError, RuntimeError):
        return None


def conditions(device: torch.device) -> dict[str, float]:
    """Clocks (MHz), temperature (degrees Celsius) and power (W) of a GPU as they are now, noted and never set."""
    found = _nvml(device) if device.type == "cuda" else None
    if found is None:
        return {}
    nvml, handle = found
    told: dict[str, Callable[[], Any]] = {
        "graphics_mhz": lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_GRAPHICS),
        "memory_mhz": lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM),
        "celsius": lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
        "watts": lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000,
    }
    known = {}
    for name, ask in told.items():
        with contextlib.suppress(nvml.NVMLError):
            known[name] = float(ask())
    return known
