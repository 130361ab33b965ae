"""What memory a run took, by what was sampled beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.ask.measurement import Sample

GPU = re.compile(r"gpu\d+_memory_bytes")
WHOLE = "memory_bytes"  # of the engine's processes


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on the fullest device at its fullest, and on the emptiest at its own; for an engine
    without a GPU its processes' memory by rank, where both are alike."""

    most: float
    least: float
    gpu: bool


def memory_of(samples: Sequence[Sample], ranks: int | None) -> Memory | None:
    """Return the peaks per device over a run; None where nothing was sampled."""
    peaks: dict[str, float] = {}
    for sample in samples:
        for name, value in sample.values.items():
            if name == WHOLE or GPU.fullmatch(name):
                peaks[name] = max(value, peaks.get(name, value))
    devices = [value for name, value in peaks.items() if name != WHOLE]
    if devices:
        used = sorted(devices, reverse=True)[:ranks]  # others of the machine are not the engine's
        return Memory(used[0], used[-1], gpu=True)
    if WHOLE in peaks and ranks:
        return Memory(peaks[WHOLE] / ranks, peaks[WHOLE] / ranks, gpu=False)
    return None
