"""What an engine can compute on here: the GPUs, or where there are none the cores."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from services.base import machine


@dataclass(frozen=True, slots=True)
class Devices:
    """`names` has an entry a device; `numbers` are the cores' own, to which ranks are bound."""

    kind: Literal["gpu", "cpu"]
    names: tuple[str, ...]
    numbers: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        return len(self.names)

    @property
    def rank(self) -> Literal["GPU", "core"]:
        """Return what one rank of an engine runs on."""
        return "GPU" if self.kind == "gpu" else "core"

    def counted(self, count: int | None = None) -> str:
        """Return "2 GPUs" or "1 core"; by default those that there are."""
        number = self.count if count is None else count
        return f"{number} {self.rank}{'' if number == 1 else 's'}"


def devices(env: Mapping[str, str] = os.environ) -> Devices:
    """Return the GPUs that CUDA_VISIBLE_DEVICES leaves, else the cores that we may use."""
    return visible(gpus(), env.get("CUDA_VISIBLE_DEVICES")) or cores()


@cache
def gpus() -> tuple[tuple[str, str], ...]:
    """Return (UUID, name) of each GPU that the driver tells of (NVML). One that is lost is left
    out: CUDA cannot compute on it either."""
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


def visible(found: tuple[tuple[str, str], ...], asked: str | None) -> Devices | None:
    """Return those of `found` that CUDA_VISIBLE_DEVICES, `asked`, shows, in its order; None where
    it shows none. CUDA ends its list at the first entry that it does not know."""
    seen = list(found)
    if asked is not None:
        seen = []
        for entry in map(str.strip, asked.split(",")):
            match = [g for i, g in enumerate(found) if entry == str(i) or _same(entry, g[0])]
            if not match:
                break
            seen += match[:1]
    if not seen:
        return None
    return Devices("gpu", tuple(name for _, name in seen))


def _same(entry: str, uuid: str) -> bool:
    return entry.startswith("GPU-") and uuid.startswith(entry)


def cores() -> Devices:
    """Return the cores that we may use."""
    if hasattr(os, "sched_getaffinity"):
        numbers = tuple(sorted(os.sched_getaffinity(0)))
    else:
        numbers = tuple(range(machine.cores()))
    return Devices("cpu", ("core",) * len(numbers), numbers)
