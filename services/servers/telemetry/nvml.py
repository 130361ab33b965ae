"""Memory and utilization of NVIDIA GPUs, from NVML."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any


class Gpus:
    """The GPUs of this machine, or those that an engine's processes use."""

    def __init__(self, nvml: Any) -> None:
        """`nvml`: the module pynvml, initialised."""
        self._nvml = nvml
        count = nvml.nvmlDeviceGetCount()
        self._handles = {i: nvml.nvmlDeviceGetHandleByIndex(i) for i in range(count)}
        self._theirs: set[int] = set()

    def read(self, pids: Collection[int]) -> dict[str, float]:
        """Return gpu{i}_memory_bytes, gpu{i}_memory_total_bytes and gpu{i}_use_share of the GPUs
        that these processes use; of all GPUs where none is known, as in a container, which has
        other process ids. Values that a GPU does not report are left out."""
        self._theirs |= {i for i in self._handles if self._pids_on(i) & set(pids)}
        values: dict[str, float] = {}
        for i in self._theirs or self._handles:
            values |= self._values(i)
        return values

    def _values(self, i: int) -> dict[str, float]:
        handle, values = self._handles[i], {}
        if memory := self._query(self._nvml.nvmlDeviceGetMemoryInfo, handle):
            values[f"gpu{i}_memory_bytes"] = float(memory.used)
            values[f"gpu{i}_memory_total_bytes"] = float(memory.total)
        if use := self._query(self._nvml.nvmlDeviceGetUtilizationRates, handle):
            values[f"gpu{i}_use_share"] = use.gpu / 100
        return values

    def _pids_on(self, i: int) -> set[int]:
        processes = self._query(self._nvml.nvmlDeviceGetComputeRunningProcesses, self._handles[i])
        return {process.pid for process in processes or ()}

    def _query(self, ask: Callable[[Any], Any], handle: Any) -> Any:
        try:
            return ask(handle)
        except self._nvml.NVMLError:  # not supported, or the GPU is lost
            return None


def gpus() -> Gpus | None:
    """Return this machine's GPUs; None without GPUs, driver or package."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        return Gpus(pynvml)
    except pynvml.NVMLError:
        return None
