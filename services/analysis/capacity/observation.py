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
from services.ask.measurement import Measurement
from services.ask.measurements import Measurements, as_table

GROWTH = 0.05  # of what was due: less is no growth that a window could tell from chance
SIGMAS = 3.0
SLICES = 10
WINDOW = 6  # autocorrelations are summed over so many times the correlation time (Sokal 1997)


@dataclass(frozen=True, slots=True)
class Misses:
    """How many of `n` requests missed an objective. `dispersion`: by how much the variance of their
    number exceeds that of independent requests."""

    count: int
    n: int
    dispersion: float

    @property
    def variance(self) -> float:
        """Of the count, if the requests were independent."""
        return self.count * (1 - self.count / self.n) if self.n else 0.0


@dataclass(frozen=True, slots=True)
class Observation:
    """A probe. `load` as offered: requests per second, or users. `served_per_s` is what the server
    completed per second of the window, `served_dispersion` by how much the variance of that number
    exceeds a Poisson process's. `growing`: more were due than completed, beyond chance; then only a
    bound is known. `limited`: the client did not offer this load: nothing is known of the server.
    """

    load: float
    misses: tuple[Misses, ...]  # by objective
    served: int
    window_s: float
    served_dispersion: float = 1.0
    growing: bool = False
    limited: bool = False
    reached: tuple[float | None, ...] = ()  # by objective: its percentile in seconds, or the share
    # that failed; None where so many failed that it has none
    typical_s: tuple[float, float, float] | None = None  # median E2E latency with its interval

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
    """Return what a probe's requests say. Those due before `settle_s`, in seconds from the start of
    its repeat, bring the load up and are left out; the window follows."""
    table = as_table(measurements)
    table = table.where(~np.isnan(table.numbers("t_due")))
    due = table.numbers("t_due")
    within = table.at(np.argsort(due, kind="stable")).where(np.sort(due) >= settle_s)
    missed = [_missed(within, objective) for objective in objectives]
    ends = _ends(table)
    stop_s = settle_s + window_s
    inside = ends[(ends >= settle_s) & (ends < stop_s)] - settle_s
    excess = (len(within) - len(inside)) if open_loop else 0  # in flight, at the end of the window
    return Observation(
        load,
        tuple(Misses(int(mask.sum()), len(mask), dispersion(mask)) for mask in missed),
        len(inside),
        window_s,
        _dispersion_of_counts(inside, window_s),
        _grew(excess, len(within) + len(inside)),
        limited,
        tuple(_reached(within, objective) for objective in objectives),
        _median(within),
    )


def dispersion(missed: NDArray[np.bool_]) -> float:
    """Return by how much the variance of the number of misses exceeds the binomial: the integrated
    autocorrelation time of requests in the order in which they were due, at least 1.

    Summed up to WINDOW times itself (Sokal 1997, Monte Carlo methods in statistical mechanics, ch.
    3), and corrected for the mean having been estimated from the same requests.
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


def _missed(table: Measurements, objective: Objective) -> NDArray[np.bool_]:
    if objective.metric is None or objective.limit_s is None:
        missed: NDArray[np.bool_] = ~table.are("ok")
        return missed
    values = metric_array(table, objective.metric)
    late: NDArray[np.bool_] = ~table.are("ok") | (values > objective.limit_s)
    return late


def _reached(table: Measurements, objective: Objective) -> float | None:
    """Return the percentile that an objective limits, with each failure as infinitely late; or the
    share that failed."""
    if not len(table):
        return None
    if objective.metric is None:
        return float((~table.are("ok")).mean())
    values = np.where(table.are("ok"), metric_array(table, objective.metric), math.inf)
    counted = values[~np.isnan(values)]
    if not len(counted):
        return None
    reached = float(np.quantile(counted, objective.share, method="higher"))
    return reached if math.isfinite(reached) else None


def _median(table: Measurements) -> tuple[float, float, float] | None:
    """Return the median E2E latency of the requests that succeeded, in seconds, between the order
    statistics that bound it at 95 % (David and Nagaraja 2003, Order Statistics, ch. 7.1), which lie
    farther apart where neighbours are slow together. None with too few."""
    values = metric_array(table, "e2e_s")[table.are("ok")]
    values = values[~np.isnan(values)]
    n = len(values)
    half = 0.5 * 1.96 * math.sqrt(n * dispersion(values > np.median(values))) if n else 0.0
    low, high = math.floor(n / 2 - half) - 1, math.ceil(n / 2 + half)
    if low < 0 or high >= n:
        return None
    ordered = np.sort(values)
    return float(ordered[low]), float(np.median(ordered)), float(ordered[high])


def _ends(table: Measurements) -> NDArray[np.float64]:
    """When each request ended, in seconds from the start of the repeat; infinite if it did not."""
    ends = table.numbers("t_end")
    return np.where(table.are("cancelled") | np.isnan(ends), math.inf, ends)


def _grew(excess: int, events: int) -> bool:
    """Whether so many more were in flight at the end of the window than at its start, beyond the
    chance of as many arrivals and departures, and beyond a twentieth of the arrivals."""
    return excess > GROWTH * events / 2 and excess > SIGMAS * math.sqrt(events)


def _dispersion_of_counts(ends: NDArray[np.float64], window_s: float) -> float:
    """Return the index of dispersion of the numbers served in equal slices; Poisson's is 1."""
    if len(ends) < 2 * SLICES:
        return 1.0
    counts = np.histogram(ends, bins=SLICES, range=(0.0, window_s))[0]
    return max(float(counts.var(ddof=1) / counts.mean()), 1 / SLICES)
