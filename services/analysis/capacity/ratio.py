"""Whether one server's capacity is higher than another's: their ratio, with an interval and a
verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from services.analysis.capacity.estimate import Estimate
from services.analysis.statistics import CONFIDENCE

Word = Literal["more", "less", "equivalent", "inconclusive"]

ONE_SIDED = NormalDist().inv_cdf(0.95) / NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


@dataclass(frozen=True, slots=True)
class CapacityRatio:
    """Capacity of one server over that of the baseline, with its 95 % interval, and the verdict.

    `longer`: where it is inconclusive, about how many times as much has to be measured to tell."""

    value: float
    low: float
    high: float
    word: Word
    longer: float | None = None


def capacity_ratio(baseline: Estimate, other: Estimate, margin: float) -> CapacityRatio | None:
    """Return other / baseline; None where one of them is not bounded on both sides.

    The interval combines those of the two on the log scale, each side by the square root of the sum
    of squares of the distances that it depends on (MOVER: Donner and Zou 2012, Statistical Methods
    in Medical Research 21, 347), so that lopsided intervals stay so. Equivalent: the 90 % interval,
    that much narrower, lies within 1 / (1 + margin) to 1 + margin.

    Raises:
        ValueError: the margin is not positive.
    """
    if not (baseline.low and baseline.high and other.low and other.high):
        return None
    log = math.log(other.value / baseline.value)
    down = math.hypot(math.log(other.value / other.low), math.log(baseline.high / baseline.value))
    up = math.hypot(math.log(other.high / other.value), math.log(baseline.value / baseline.low))
    return verdict(log, down, up, margin)


def verdict(log: float, down: float, up: float, margin: float) -> CapacityRatio:
    """Return the ratio whose logarithm is `log`, with its interval from `down` below to `up` above,
    and what it says. Raises ValueError: the margin is not positive."""
    if not margin > 0:
        raise ValueError(f"a margin must be more than 0 (got {margin})")
    word = _word(log, down, up, math.log1p(margin))
    return CapacityRatio(
        math.exp(log),
        math.exp(log - down),
        math.exp(log + up),
        word,
        _longer(log, down, up, math.log1p(margin)) if word == "inconclusive" else None,
    )


def _word(log: float, down: float, up: float, room: float) -> Word:
    if log - down > 0:
        return "more"
    if log + up < 0:
        return "less"
    within = max(abs(log - ONE_SIDED * down), abs(log + ONE_SIDED * up))
    return "equivalent" if within < room else "inconclusive"


def _longer(log: float, down: float, up: float, room: float) -> float:
    """An interval narrows with the root of what is measured: until it excludes 1, or lies within
    the margin, whichever is nearer."""
    half = max(down, up)
    needed = max(abs(log), (room - abs(log)) / ONE_SIDED)
    return (half / needed) ** 2 if needed > 0 else math.inf
