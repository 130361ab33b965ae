"""A point of the curve of throughput and latency against load: what one probe measured besides its
objectives, and what the engine reported meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.analysis.metric_arrays import known, metric_array
from services.analysis.samples import highest, increase
from services.analysis.statistics import FLOORS
from services.ask.measurement import Measurement, Sample
from services.ask.measurements import Measurements, as_table

LATENCIES = ("ttft_s", "tpot_s", "e2e_s")


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """The metrics of one probe's window. None: unknown.

    `in_flight` is the mean over the window, `tokens_per_s` the output throughput, `prompt_tokens`
    and `output_tokens` the means per request. The engine's own values cover the whole run: the
    peaks of `waiting` and `kv_cache_share`, and the total of `preemptions`.
    """

    requests_per_s: float
    tokens_per_s: float | None = None
    in_flight: float | None = None
    prompt_tokens: float | None = None
    output_tokens: float | None = None
    ttft_p50_s: float | None = None
    ttft_p95_s: float | None = None
    tpot_p50_s: float | None = None
    tpot_p95_s: float | None = None
    e2e_p50_s: float | None = None
    e2e_p95_s: float | None = None
    waiting: float | None = None
    kv_cache_share: float | None = None
    preemptions: float | None = None


def load_point(
    measurements: Sequence[Measurement],
    samples: Sequence[Sample],
    settle_s: float,
    window_s: float,
) -> LoadPoint:
    """Return the metrics of a probe: latencies of the successful requests that were due in its
    window, and rates of those that ended in it. `settle_s`: seconds from the start of the repeat to
    the window."""
    table = as_table(measurements)
    stop_s = settle_s + window_s
    due, ends = table.numbers("t_due"), _ends(table)
    ended = table.where((ends >= settle_s) & (ends < stop_s))
    inside = table.where((due >= settle_s) & table.are("ok"))
    output = _total(ended, "output_tokens")
    return LoadPoint(
        len(ended) / window_s,
        None if output is None else output / window_s,
        _in_flight(table, settle_s, stop_s),
        _mean(inside, "prompt_tokens"),
        _mean(inside, "output_tokens"),
        **_percentiles(inside),
        waiting=highest(samples, "waiting"),
        kv_cache_share=highest(samples, "kv_cache_share"),
        preemptions=increase(samples, "preemptions"),
    )


def _ends(table: Measurements) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """When each successful request ended, in seconds since the repeat began; NaN for others."""
    return np.where(table.are("ok"), table.numbers("t_end"), np.nan)


def _total(table: Measurements, name: str) -> float | None:
    """The sum; None if there are no values, or one is unknown."""
    values = table.numbers(name)
    return float(values.sum()) if len(values) and not np.isnan(values).any() else None


def _mean(table: Measurements, name: str) -> float | None:
    values = known(table.numbers(name))
    return float(values.mean()) if len(values) else None


def _in_flight(table: Measurements, start_s: float, stop_s: float) -> float | None:
    """The mean number of requests in flight: the time they spent in the window, divided by its
    length. A request that never ended counts to the end of the window."""
    sent, ends = table.numbers("t_send"), table.numbers("t_end")
    until = np.clip(np.where(np.isnan(ends), stop_s, ends), start_s, stop_s)
    spent = until - np.clip(sent, start_s, stop_s)
    return float(np.nansum(spent) / (stop_s - start_s)) if len(spent) else None


def _percentiles(table: Measurements) -> dict[str, float | None]:
    percentiles: dict[str, float | None] = {}
    for name in LATENCIES:
        values = known(metric_array(table, name))
        for percent, floor in ((50, 1), (95, FLOORS[95])):
            reached = float(np.percentile(values, percent)) if len(values) >= floor else None
            percentiles[f"{name.removesuffix('_s')}_p{percent}_s"] = reached
    return percentiles
