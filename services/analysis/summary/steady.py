"""Requests in flight, and the throughput in the steady state, while they are near their peak.

During ramp-up and ramp-down, throughput reflects the load more than the server.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.ask.measurement import Measurement
from services.base.finite import rate

NEAR_PEAK = 0.8
SHORTEST_S = 5.0  # a shorter window is mostly noise


def in_flight(
    measurements: Sequence[Measurement],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the times at which the number of requests in flight changed in one repeat, ascending,
    and the number from each time on."""
    ends = [m.t_end if m.t_end is not None else m.t_last for m in measurements]
    spans = [
        (m.t_send, end)
        for m, end in zip(measurements, ends, strict=True)
        if m.t_send is not None and end is not None
    ]
    times, index = np.unique(np.asarray(spans, dtype=np.float64), return_inverse=True)
    changes = np.bincount(index.ravel(), weights=np.tile((1, -1), len(spans)))
    return times, changes.cumsum().astype(np.int64)


def peak(measurements: Sequence[Measurement]) -> int:
    """Return the highest number of requests in flight in one repeat."""
    return int(in_flight(measurements)[1].max(initial=0))


def steady_output_tokens_per_s(measurements: Sequence[Measurement]) -> float | None:
    """Return one repeat's output throughput over all intervals with requests in flight ≥ 80 % of
    their peak.

    Only chunks have times, so an answer's tokens are spread evenly over its chunks. None if the
    intervals add up to less than 5 s, or the time of some tokens is unknown: a missing token count,
    or an answer that was not streamed or was cancelled.
    """
    edges = _edges(measurements)
    seconds = sum(edges[1::2]) - sum(edges[::2])
    good = [m for m in measurements if m.status == "ok"]
    cut = any(m.status == "cancelled" and m.token_times for m in measurements)
    if seconds < SHORTEST_S or cut or not good or not all(m.output_tokens for m in good):
        return None
    chunks = [np.asarray(m.token_times) for m in good]
    counts = [len(chunk_times) for chunk_times in chunks]
    if not all(counts):
        return None
    times = np.concatenate(chunks)
    shares = [(m.output_tokens or 0) / count for m, count in zip(good, counts, strict=True)]
    tokens = np.repeat(shares, counts)
    inside = np.searchsorted(edges, times) % 2 == 1  # after a start, up to and including its end
    return rate(float(tokens[inside].sum()), seconds)


def _edges(measurements: Sequence[Measurement]) -> list[float]:
    """Start, end, start, end … of the intervals near the peak."""
    times, counts = in_flight(measurements)
    near = (counts >= NEAR_PEAK * counts.max(initial=0)) & (counts > 0)
    turns = np.flatnonzero(np.diff(near, prepend=False))
    edges: list[float] = times[turns].tolist()
    return edges
