"""The steady window of a repeat: after the ramp-up and before the drain, and the latencies in it.

While the number of requests in flight rises to its level or falls from it, latencies belong to a
different load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.analysis.metric_arrays import known, metric_array
from services.analysis.statistics import Distribution, distribution
from services.analysis.summary.steady import SHORTEST_S, near_peak
from services.ask.measurements import Floats, Measurements

METRICS = ("ttft_s", "tpot_s", "e2e_s")


@dataclass(frozen=True, slots=True)
class Window:
    """The steady part of a repeat, in seconds since the repeat began, and how many of its
    successful requests were sent in it."""

    repeat: int
    from_s: float
    to_s: float
    requests: int


@dataclass(frozen=True, slots=True)
class SteadyState:
    """The steady windows of a run, and the latencies of the successful requests sent in them, by
    metric name."""

    windows: tuple[Window, ...]
    distributions: dict[str, Distribution | None]

    @property
    def requests(self) -> int:
        return sum(window.requests for window in self.windows)


def steady_state(groups: Mapping[int, Measurements]) -> SteadyState | None:
    """Return the steady state over all repeats that have one; None if there are none."""
    with_window = [
        (repeat, group, window)
        for repeat, group in groups.items()
        if (window := _steady_window(group))
    ]
    inside = [_within_window(group, window) for _, group, window in with_window]
    if not sum(map(len, inside)):
        return None
    windows = tuple(
        Window(repeat, *window, len(some))
        for (repeat, _, window), some in zip(with_window, inside, strict=True)
    )
    return SteadyState(windows, {name: _pooled_distribution(inside, name) for name in METRICS})


def _steady_window(group: Measurements) -> tuple[float, float] | None:
    """From the first time that requests in flight are near their peak to the last, but only while
    requests were sent; None if that is too short."""
    edges, sent = near_peak(group), known(group.numbers("t_send"))
    if not edges:
        return None
    start, end = edges[0], min(edges[-1], float(sent.max()))
    return (start, end) if end - start >= SHORTEST_S else None


def _within_window(group: Measurements, window: tuple[float, float]) -> Measurements:
    sent = group.numbers("t_send")
    return group.where(group.are("ok") & (sent >= window[0]) & (sent <= window[1]))


def _pooled_distribution(parts: Sequence[Measurements], name: str) -> Distribution | None:
    values: Floats = np.concatenate([known(metric_array(part, name)) for part in parts])
    return distribution(values)
