"""A run's peak memory, from the samples taken during it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.ask.measurement import Sample

GPU = re.compile(r"gpu\d+_memory_bytes")
WHOLE = "memory_bytes"  # of the engine's processes


@dataclass(frozen=True, slots=True)
class Memory:
    """Peak bytes on the fullest and on the emptiest device. Without a GPU, both are the memory of
    the engine's processes divided by its ranks."""

    most: float
    least: float
    gpu: bool


def memory_of(samples: Sequence[Sample], ranks: int | None) -> Memory | None:
    """Return the peaks per device over a run; None if nothing was sampled."""
    peaks: dict[str, float] = {}
    for sample in samples:
        for name, value in sample.values.items():
            if name == WHOLE or GPU.fullmatch(name):
                peaks[name] = max(value, peaks.get(name, value))
    devices = [value for name, value in peaks.items() if name != WHOLE]
    if devices:
        used = sorted(devices, reverse=True)[
            :ranks
        ]  # the machine may have more than the engine uses
        return Memory(used[0], used[-1], gpu=True)
    if WHOLE in peaks and ranks:
        return Memory(peaks[WHOLE] / ranks, peaks[WHOLE] / ranks, gpu=False)
    return None
