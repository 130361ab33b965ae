"""Requests in flight, and the throughput in the steady state, that is, while they are near their
peak.

During ramp-up and ramp-down, throughput reflects the load more than the server.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.ask.measurement import Measurement
from services.ask.measurements import CHUNKS, Floats, Measurements, as_table
from services.base.finite import rate

NEAR_PEAK = 0.8
SHORTEST_S = 5.0  # a shorter window is mostly noise


def in_flight(
    measurements: Sequence[Measurement],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the times at which the number of requests in flight changed in one repeat, ascending,
    and the number from each time on."""
    table = as_table(measurements)
    sent, end = table.numbers("t_send"), table.numbers("t_end")
    end = np.where(np.isnan(end), table.numbers("t_last"), end)
    both = ~np.isnan(sent) & ~np.isnan(end)
    starts, ends = (np.sort(times[both], kind="stable") for times in (sent, end))
    times = np.sort(np.concatenate((starts, ends)), kind="stable")
    times = times[np.append(True, np.diff(times) > 0)] if len(times) else times
    counts = (np.searchsorted(each, times, side="right") for each in (starts, ends))
    return times, np.subtract(*counts).astype(np.int64)


def peak(measurements: Sequence[Measurement]) -> int:
    """Return the highest number of requests in flight in one repeat."""
    return int(in_flight(measurements)[1].max(initial=0))


def steady_output_tokens_per_s(measurements: Sequence[Measurement]) -> float | None:
    """Return one repeat's output throughput from the first time that requests in flight are ≥ 80 %
    of their peak to the last.

    Moments in between with fewer requests count, too: if requests arrive at random, the moments
    near the peak are the busiest ones and would overstate the throughput. Only chunks have times,
    so an answer's tokens are spread evenly over its chunks; in a large run, over the time from its
    first token to its last. None if that is less than 5 s, or the time of some tokens is unknown: a
    missing token count, or an answer that was not streamed or was cancelled.
    """
    table = as_table(measurements)
    near = near_peak(table)
    edges = [near[0], near[-1]] if near else [0.0, 0.0]
    seconds = edges[1] - edges[0]
    good, chunks = table.where(table.are("ok")), table.numbers(CHUNKS)
    tokens = good.numbers("output_tokens")
    cut = bool(np.any(table.are("cancelled") & (chunks > 0)))
    if seconds < SHORTEST_S or cut or not len(good) or not np.all(tokens > 0):
        return None
    if not np.all(good.numbers(CHUNKS)):
        return None
    inside = _tokens_by_chunk if good.complete else _tokens_evenly
    return rate(inside(good, np.array(edges)), seconds)


def _tokens_by_chunk(good: Measurements, edges: Floats) -> float:
    """The tokens between the edges, if each answer's tokens are spread evenly over its chunks."""
    chunks = [np.asarray(chunk_times) for chunk_times in good.timed()[1]]
    counts = [len(chunk_times) for chunk_times in chunks]
    times = np.concatenate(chunks)
    tokens = np.repeat(good.numbers("output_tokens") / counts, counts)
    inside = np.searchsorted(edges, times) % 2 == 1  # after a start, up to and including its end
    return float(tokens[inside].sum())


def _tokens_evenly(good: Measurements, edges: Floats) -> float:
    """The same for a large run: each answer's tokens are spread evenly over the time from its first
    to its last. Only answers that an edge cuts are approximate."""
    within = np.append(0.0, np.cumsum(np.where(np.arange(len(edges) - 1) % 2, 0.0, np.diff(edges))))
    first, last = good.numbers("t_first"), good.numbers("t_last")
    inside = np.interp(last, edges, within) - np.interp(first, edges, within)
    one = np.searchsorted(edges, last) % 2  # all arrived at once
    shares = np.divide(inside, last - first, out=one.astype(float), where=last > first)
    return float((shares * good.numbers("output_tokens")).sum())


def near_peak(measurements: Sequence[Measurement]) -> list[float]:
    """Start, end, start, end … of the intervals near the peak."""
    times, counts = in_flight(measurements)
    near = (counts >= NEAR_PEAK * counts.max(initial=0)) & (counts > 0)
    turns = np.flatnonzero(np.diff(near, prepend=False))
    edges: list[float] = times[turns].tolist()
    return edges
