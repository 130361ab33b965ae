"""The time series that can be sampled: names, labels and units."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

DEVICE = re.compile(r"gpu(\d{1,3})_", re.ASCII)


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of value in a sample. `{i}` is the driver's index of a device. A `total` counts from
    the beginning of the run's work item; a `fixed` value never changes."""

    name: str
    label: str
    unit: str  # as units.show takes it
    total: bool = False
    fixed: bool = False


def series_of(name: str) -> Series | None:
    """Return the series of a sample's value, with its device's index, or None if it is unknown."""
    device = device_of(name)
    entry = _BY_NAME.get(name if device is None else f"gpu{{i}}_{name.partition('_')[2]}")
    if entry is None or device is None:
        return entry
    return replace(entry, name=name, label=entry.label.format(i=device))


def order_key(name: str) -> tuple[int, int]:
    """Return the sort key of a series: its position in SERIES, then the device."""
    device = device_of(name)
    plain = name if device is None else f"gpu{{i}}_{name.partition('_')[2]}"
    return _ORDER.get(plain, len(_ORDER)), -1 if device is None else device


def device_of(name: str) -> int | None:
    """Return the index of a value's device, or None if it has none."""
    match = DEVICE.match(name)
    return int(match[1]) if match else None


SERIES = (
    Series("running", "Requests running", "count"),
    Series("waiting", "Requests waiting", "count"),
    Series("kv_cache_share", "KV cache in use", "share"),
    Series("prefix_hit_share", "Prompt tokens from the prefix cache", "share", total=True),
    Series("preemptions", "Preemptions", "count", total=True),
    Series("queue_mean_s", "Mean wait in the server's queue", "s", total=True),
    Series("prefill_mean_s", "Mean prefill", "s", total=True),
    Series("gpu{i}_memory_bytes", "GPU {i}, memory in use", "bytes"),
    Series("gpu{i}_memory_total_bytes", "GPU {i}, total memory", "bytes", fixed=True),
    Series("gpu{i}_use_share", "GPU {i}, utilization", "share"),
    Series("engine_cores", "Cores that the engine keeps busy", "cores"),
    Series("engine_waiting_cores", "Cores that the engine waited for", "cores"),
    Series("machine_cores", "Cores busy on the machine", "cores"),
    Series("memory_bytes", "Memory of the engine's processes", "bytes"),
)
_BY_NAME = {entry.name: entry for entry in SERIES}
_ORDER = {name: index for index, name in enumerate(_BY_NAME)}
