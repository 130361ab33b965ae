"""The observation of one probe of a capacity search: its load, how many requests missed each
objective, and whether the queue grew."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analysis.capacity.objective import Objective
from services.analysis.metric_arrays import metric_array
from services.analysis.objectives import unknown
from services.ask.measurement import Measurement
from services.ask.measurements import Measurements, as_table

GROWTH = 0.05  # of the arrivals: less growth cannot be told from chance within a window
SIGMAS = 3.0
SLICES = 10
WINDOW = 6  # autocorrelations are summed up to this many correlation times (Sokal 1997)


@dataclass(frozen=True, slots=True)
class Misses:
    """How many of `n` requests missed an objective. `dispersion`: the variance of the count,
    divided by that of independent requests."""

    count: int
    n: int
    dispersion: float

    @property
    def variance(self) -> float:
        """Variance of the count if the requests were independent."""
        return self.count * (1 - self.count / self.n) if self.n else 0.0


@dataclass(frozen=True, slots=True)
class Observation:
    """One probe of a search. `load`: as offered, in requests per second or users. `served`:
    requests answered in the window; `served_dispersion`: the variance of that number, divided by a
    Poisson process's. `growing`: the queue grew beyond chance, so the rate completed is the most
    that the server can complete. `limited`: the client failed to offer this load, so the probe says
    nothing about the server."""

    load: float
    misses: tuple[Misses, ...]  # by objective
    served: int
    window_s: float
    served_dispersion: float = 1.0
    growing: bool = False
    limited: bool = False
    reached: tuple[float | None, ...] = ()  # by objective: its percentile in seconds, or the share
    # that failed; None if too many failed for the percentile to exist
    typical_s: tuple[float, float, float] | None = None  # median E2E latency with its interval
    unknown: tuple[int, ...] = ()  # by objective: answers whose metric is unknown, which count as
    # missed

    @property
    def served_per_s(self) -> float:
        return self.served / self.window_s


def observe(
    load: float,
    measurements: Sequence[Measurement],
    objectives: Sequence[Objective],
    settle_s: float,
    window_s: float,
    open_loop: bool,
    limited: bool = False,
) -> Observation:
    """Return the observation of one probe. Requests due before `settle_s` (seconds since the repeat
    began) belong to the warm-up at load and are left out; the window of `window_s` seconds
    follows."""
    table = as_table(measurements)
    table = table.where(~np.isnan(table.numbers("t_due")))
    due = table.numbers("t_due")
    within = table.at(np.argsort(due, kind="stable")).where(np.sort(due) >= settle_s)
    missed = [_missed_requests(within, objective) for objective in objectives]
    ends = _end_times(table)
    stop_s = settle_s + window_s
    in_window = (ends >= settle_s) & (ends < stop_s)
    inside, answered = (ends[mask] - settle_s for mask in (in_window, in_window & table.are("ok")))
    excess = (len(within) - len(inside)) if open_loop else 0  # in flight at the end of the window
    return Observation(
        load,
        tuple(Misses(int(mask.sum()), len(mask), dispersion(mask)) for mask in missed),
        len(answered),
        window_s,
        _dispersion_of_counts(answered, window_s),
        _queue_grew(excess, len(within) + len(inside)),
        limited,
        tuple(_limited_percentile(within, objective) for objective in objectives),
        _median(within),
        tuple(int(_unknown(within, objective).sum()) for objective in objectives),
    )


def dispersion(missed: NDArray[np.bool_]) -> float:
    """Return the variance of the number of misses, divided by the binomial variance, at least 1:
    the integrated autocorrelation time of the requests in the order in which they were due.

    Summed up to WINDOW times that time (Sokal 1997, Monte Carlo methods in statistical mechanics,
    ch. 3), and corrected because the mean is estimated from the same requests.
    """
    n, p = len(missed), float(missed.mean()) if len(missed) else 0.0
    if n < 8 or p in (0.0, 1.0):
        return 1.0
    centred = missed - p
    spectrum = np.fft.rfft(centred, 1 << (2 * n).bit_length())  # padded: fast at any length
    correlation = np.fft.irfft(spectrum * np.conj(spectrum))[:n]
    times = 2 * np.cumsum(correlation / correlation[0]) - 1
    enough = np.flatnonzero(np.arange(n) >= WINDOW / 2 * np.maximum(times, 1.0))
    time = max(1.0, float(times[enough[0] if len(enough) else -1]))
    return time / max(0.2, 1 - time / n)


def _missed_requests(table: Measurements, objective: Objective) -> NDArray[np.bool_]:
    if objective.metric is None or objective.limit_s is None:
        missed: NDArray[np.bool_] = ~table.are("ok")
        return missed
    values = metric_array(table, objective.metric)
    late: NDArray[np.bool_] = ~table.are("ok") | (values > objective.limit_s)
    return late | _unknown(table, objective)


def _unknown(table: Measurements, objective: Objective) -> NDArray[np.bool_]:
    """Which answers cannot be judged, see `objectives.unknown`."""
    if objective.metric is None:
        return np.zeros(len(table), dtype=np.bool_)
    judged: NDArray[np.bool_] = table.are("ok") & unknown(table, objective.metric)
    return judged


def _limited_percentile(table: Measurements, objective: Objective) -> float | None:
    """Return the percentile that an objective limits, counting failures and unknown values as
    infinitely late; or the share that failed."""
    if not len(table):
        return None
    if objective.metric is None:
        return float((~table.are("ok")).mean())
    known = table.are("ok") & ~_unknown(table, objective)
    values = np.where(known, metric_array(table, objective.metric), math.inf)
    counted = values[~np.isnan(values)]
    if not len(counted):
        return None
    reached = float(np.quantile(counted, objective.share, method="higher"))
    return reached if math.isfinite(reached) else None


def _median(table: Measurements) -> tuple[float, float, float] | None:
    """Return the median E2E latency of successful requests in seconds, with the order statistics
    that bound it at 95 % (David and Nagaraja 2003, Order Statistics, ch. 7.1): lower bound, median,
    upper bound. The bounds are farther apart if neighbouring requests are correlated. None if there
    are too few requests."""
    values = metric_array(table, "e2e_s")[table.are("ok")]
    values = values[~np.isnan(values)]
    n = len(values)
    half = 0.5 * 1.96 * math.sqrt(n * dispersion(values > np.median(values))) if n else 0.0
    low, high = math.floor(n / 2 - half) - 1, math.ceil(n / 2 + half)
    if low < 0 or high >= n:
        return None
    ordered = np.sort(values)
    return float(ordered[low]), float(np.median(ordered)), float(ordered[high])


def _end_times(table: Measurements) -> NDArray[np.float64]:
    """When each request ended, in seconds since the repeat began; infinite if it did not end."""
    ends = table.numbers("t_end")
    return np.where(table.are("cancelled") | np.isnan(ends), math.inf, ends)


def _queue_grew(excess: int, events: int) -> bool:
    """Whether the number of requests in flight grew during the window, by more than GROWTH of the
    arrivals and by more than chance explains."""
    return excess > GROWTH * events / 2 and excess > SIGMAS * math.sqrt(events)


def _dispersion_of_counts(ends: NDArray[np.float64], window_s: float) -> float:
    """Return the index of dispersion of the numbers completed in equal slices; Poisson's is 1."""
    if len(ends) < 2 * SLICES:
        return 1.0
    counts = np.histogram(ends, bins=SLICES, range=(0.0, window_s))[0]
    return max(float(counts.var(ddof=1) / counts.mean()), 1 / SLICES)
