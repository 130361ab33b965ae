"""The devices of this machine that an engine can use: the GPUs or, without any, the CPU cores."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from services.base import machine


@dataclass(frozen=True, slots=True)
class Devices:
    """`names` has one entry per device; `numbers` are the CPU cores, by number, to bind ranks
    to."""

    kind: Literal["gpu", "cpu"]
    names: tuple[str, ...]
    numbers: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        return len(self.names)

    @property
    def rank(self) -> Literal["GPU", "core"]:
        """What one rank of an engine runs on."""
        return "GPU" if self.kind == "gpu" else "core"

    def counted(self, count: int | None = None) -> str:
        """Return "2 GPUs" or "1 core", by default of all devices."""
        number = self.count if count is None else count
        return f"{number} {self.rank}{'' if number == 1 else 's'}"


def devices(env: Mapping[str, str] = os.environ) -> Devices:
    """Return the GPUs that CUDA_VISIBLE_DEVICES allows, else the cores available to us."""
    return visible(gpus(), env.get("CUDA_VISIBLE_DEVICES")) or cores()


@cache
def gpus() -> tuple[tuple[str, str], ...]:
    """Return (UUID, name) of each GPU that the driver reports (NVML), without lost ones, which CUDA
    cannot use either."""
    try:
        import pynvml
    except ImportError:
        return ()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver, no GPU
        return ()
    try:
        each = [_gpu(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
        return tuple(gpu for gpu in each if gpu)
    finally:
        pynvml.nvmlShutdown()


def _gpu(nvml: Any, index: int) -> tuple[str, str] | None:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        return str(nvml.nvmlDeviceGetUUID(handle)), str(nvml.nvmlDeviceGetName(handle))
    except nvml.NVMLError:
        return None


def visible(gpus_here: tuple[tuple[str, str], ...], requested: str | None) -> Devices | None:
    """Return the GPUs of `gpus_here` that CUDA_VISIBLE_DEVICES, `requested`, lists, in its order;
    None if there are none. As in CUDA, the list ends at the first unknown entry."""
    listed = list(gpus_here)
    if requested is not None:
        listed = []
        for entry in map(str.strip, requested.split(",")):
            match = [
                g for i, g in enumerate(gpus_here) if entry == str(i) or _is_same_gpu(entry, g[0])
            ]
            if not match:
                break
            listed += match[:1]
    if not listed:
        return None
    return Devices("gpu", tuple(name for _, name in listed))


def _is_same_gpu(entry: str, uuid: str) -> bool:
    return entry.startswith("GPU-") and uuid.startswith(entry)


def cores() -> Devices:
    """Return the CPU cores available to this process."""
    if hasattr(os, "sched_getaffinity"):
        numbers = tuple(sorted(os.sched_getaffinity(0)))
    else:
        numbers = tuple(range(machine.cores()))
    return Devices("cpu", ("core",) * len(numbers), numbers)
