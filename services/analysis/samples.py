"""Select server samples by repeat, and reduce a series to its mean, maximum or increase."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from services.ask.measurement import Repeat, Run, Sample
from services.ask.series import device_of


def repeat_start_s(repeat: Repeat) -> float | None:
    """Return when a repeat began, in seconds since the run began; None if that was not recorded."""
    at = repeat.health.get("t")
    return float(at) if isinstance(at, int | float) else None


def during(run: Run, samples: Sequence[Sample], repeat: int | None = None) -> list[Sample]:
    """Return the samples taken during one repeat or all of them, without the warm-up and the time
    between repeats. A repeat without a duration counts as still running."""
    spans = [
        (at, at + (each.duration_s if each.duration_s is not None else float("inf")))
        for each in run.repeats
        if repeat in (None, each.index) and (at := repeat_start_s(each)) is not None
    ]
    return [s for s in samples if any(start <= s.t <= end for start, end in spans)]


def values(samples: Sequence[Sample], name: str) -> list[float]:
    """Return the values of one series, in time order."""
    return [sample.values[name] for sample in samples if name in sample.values]


def mean(samples: Sequence[Sample], name: str) -> float | None:
    """Return the mean of a series; None if it was not sampled."""
    series = values(samples, name)
    return fmean(series) if series else None


def highest(samples: Sequence[Sample], name: str) -> float | None:
    """Return the highest value of a series; None if it was not sampled."""
    return max(values(samples, name), default=None)


def increase(samples: Sequence[Sample], name: str) -> float | None:
    """Return the increase of a counter over the run; None if it was not sampled.

    A counter that falls was reset to 0, by a server restart or a new work item.
    """
    series = values(samples, name)
    if not series:
        return None
    return series[0] + sum(b - a if b >= a else b for a, b in pairwise(series))


def gpus(samples: Sequence[Sample]) -> list[int]:
    """Return the indices of the GPUs that were sampled."""
    devices = {device_of(name) for sample in samples for name in sample.values}
    return sorted(device for device in devices if device is not None)
