"""A repeat in equal slices of time: what was sent, what was served and how long it took in each,
which shows warm-up, drift and drain.

A request belongs to the slice in which it was sent; tokens and requests in flight to the slices in
which they were, an answer's tokens spread evenly from its first to its last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.analysis.metric_arrays import known, metric_array
from services.analysis.statistics import FLOORS
from services.ask.measurement import Measurement
from services.ask.measurements import Floats, Indices, Measurements, as_table

SLICES = 20
FEWEST = 5  # mean number of requests per slice; if there are fewer, there are fewer slices
LEAST = 4  # slices: with fewer there is nothing to see
SHORTEST_S = 1e-6  # of an answer whose tokens are spread over it: shorter ones come at once
ROUNDING = 1e-9  # of all slices together: less in a slice is what rounding leaves


@dataclass(frozen=True, slots=True)
class Slice:
    """One part of a repeat. Times are seconds since the repeat began, rates per second; latencies
    are those of successes. None: no request of the slice has the metric, or too few for a
    percentile."""

    repeat: int
    from_s: float
    to_s: float
    sent: int
    failed: int  # of those sent
    sent_per_s: float
    answered_per_s: float
    output_tokens_per_s: float | None  # None: a token count is unknown
    in_flight: float  # on average
    ttft_s_median: float | None
    ttft_s_p95: float | None
    e2e_s_median: float | None


def slices(measurements: Sequence[Measurement], only_sending: bool = False) -> tuple[Slice, ...]:
    """Return the slices of one repeat, from the first request sent to the last answer or the last
    request sent, whichever is later; () if the repeat is too small."""
    table = _sent(measurements)
    edges = _edges(table, only_sending)
    return () if edges is None else _slice_requests(table, edges)


def median_latencies(measurements: Sequence[Measurement]) -> list[float | None]:
    """Return `e2e_s_median` of `slices(measurements, only_sending=True)`, without the rest: of a
    million requests, that takes a fifth of the time."""
    table = _sent(measurements)
    edges = _edges(table, only_sending=True)
    if edges is None:
        return []
    e2e = metric_array(table, "e2e_s")
    return [_quantile(e2e[part], 50) for part in _parts(table, edges)]


def _sent(measurements: Sequence[Measurement]) -> Measurements:
    table = as_table(measurements)
    return table.where(~np.isnan(table.numbers("t_send")))


def _edges(table: Measurements, only_sending: bool) -> Floats | None:
    """The times at which slices begin and the last ends; None if there are too few requests."""
    count = min(SLICES, len(table) // FEWEST)
    if count < LEAST:
        return None
    sent = table.numbers("t_send")
    start, stop = float(sent.min()), float((sent if only_sending else _end_times(table)).max())
    return np.linspace(start, stop, count + 1) if stop > start else None


def _places(table: Measurements, edges: Floats) -> Indices:
    """The slice in which each request was sent."""
    of = np.searchsorted(edges, table.numbers("t_send"), side="right") - 1
    return np.clip(of, 0, len(edges) - 2)


def _parts(table: Measurements, edges: Floats) -> list[Indices]:
    """The requests of each slice."""
    of = _places(table, edges)
    order = np.argsort(of, kind="stable")
    return np.split(order, np.searchsorted(of[order], np.arange(1, len(edges) - 1)))


def _end_times(table: Measurements) -> Floats:
    ends = table.numbers("t_send")
    for name in ("t_last", "t_end"):
        ends = np.fmax(ends, table.numbers(name))
    return ends


def _slice_requests(table: Measurements, edges: Floats) -> tuple[Slice, ...]:
    width = float(edges[1] - edges[0])
    sent, ends = table.numbers("t_send"), _end_times(table)
    good = table.are("ok")
    failed = _count(_places(table, edges)[table.are("failed")], edges)
    answered = np.histogram(known(table.numbers("t_last")[good]), edges)[0]
    busy = _in_slices(sent, ends, np.ones(len(sent)), edges)  # request-seconds
    tokens = _tokens(table.where(good), edges)
    ttft = np.where(good, metric_array(table, "ttft_s"), np.nan)  # a failure may have one, too
    e2e = metric_array(table, "e2e_s")
    return tuple(
        Slice(
            repeat=int(table.numbers("repeat")[0]),
            from_s=float(edges[i]),
            to_s=float(edges[i + 1]),
            sent=len(part),
            failed=int(failed[i]),
            sent_per_s=len(part) / width,
            answered_per_s=int(answered[i]) / width,
            output_tokens_per_s=None if tokens is None else float(tokens[i]) / width,
            in_flight=float(busy[i]) / width,
            ttft_s_median=_quantile(ttft[part], 50),
            ttft_s_p95=_quantile(ttft[part], 95),
            e2e_s_median=_quantile(e2e[part], 50),
        )
        for i, part in enumerate(_parts(table, edges))
    )


def _count(of: Indices, edges: Floats) -> Floats:
    return np.bincount(of, minlength=len(edges) - 1).astype(np.float64)


def _quantile(values: Floats, q: int) -> float | None:
    there = known(values)
    return float(np.percentile(there, q)) if len(there) >= FLOORS.get(q, 1) else None


def _tokens(good: Measurements, edges: Floats) -> Floats | None:
    """The output tokens of each slice."""
    counts, last = good.numbers("output_tokens"), good.numbers("t_last")
    if not len(good) or np.isnan(counts).any() or np.isnan(last).any():
        return None
    first = np.where(np.isnan(good.numbers("t_first")), last, good.numbers("t_first"))
    spread = last - first > SHORTEST_S
    over = _in_slices(first[spread], last[spread], counts[spread] / (last - first)[spread], edges)
    at_once = np.histogram(last[~spread], edges, weights=counts[~spread])[0]
    tokens: Floats = over + at_once
    return tokens


def _in_slices(starts: Floats, ends: Floats, rates: Floats, edges: Floats) -> Floats:
    """Return the integral, in each slice, of rates that hold from a start to an end. What rounding
    leaves where there is none is 0."""
    total = ((ends - starts) * rates).sum()
    found = np.diff(_from(starts, rates, edges) - _from(ends, rates, edges))
    return np.where(found > ROUNDING * total, found, 0.0)


def _from(starts: Floats, rates: Floats, edges: Floats) -> Floats:
    """Return the integral, up to each edge, of rates that hold from a start on: in one pass over
    the requests, which may be a million."""
    first = np.searchsorted(edges, starts)
    rate, moment = (
        np.bincount(first, weights, len(edges) + 1)[:-1].cumsum()
        for weights in (rates, rates * starts)
    )
    integral: Floats = rate * edges - moment
    return integral
