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
    """A server's capacity divided by the baseline's, with its 95 % interval and the verdict.

    `longer`: for an inconclusive verdict, by about which factor the measurement has to be longer.
    """

    value: float
    low: float
    high: float
    word: Word
    longer: float | None = None


def capacity_ratio(baseline: Estimate, other: Estimate, margin: float) -> CapacityRatio | None:
    """Return other / baseline; None if one of them is not bounded on both sides.

    The two intervals are combined on the log scale: each bound lies the root of the sum of the
    squared distances from the ratio (MOVER: Donner and Zou 2012, Statistical Methods in Medical
    Research 21, 347), so asymmetric intervals stay asymmetric. The verdict is equivalent if the 90
    % interval, scaled from this one, lies within 1 / (1 + margin) to 1 + margin.

    Raises:
        ValueError: the margin is not positive.
    """
    if not (baseline.low and baseline.high and other.low and other.high):
        return None
    log = math.log(other.value / baseline.value)
    down = math.hypot(math.log(other.value / other.low), math.log(baseline.high / baseline.value))
    up = math.hypot(math.log(other.high / other.value), math.log(baseline.value / baseline.low))
    return verdict(log, down, up, margin)


@dataclass(frozen=True, slots=True)
class RatioBound:
    """A verdict without a ratio: a server's capacity divided by the baseline's is at least, or at
    most, `value`."""

    word: Literal["more", "less"]
    value: float


def ratio_bound(
    baseline: tuple[float | None, float | None], other: tuple[float | None, float | None]
) -> RatioBound | None:
    """Return how far apart two capacities are, by their lowest and highest values; None if these do
    not exclude that they are equal. With bounds at 97.5 %, the verdict is wrong in at most 5 %."""
    (low, high), (other_low, other_high) = baseline, other
    if high and other_low and other_low > high:
        return RatioBound("more", other_low / high)
    if low and other_high and other_high < low:
        return RatioBound("less", other_high / low)
    return None


def verdict(log: float, down: float, up: float, margin: float) -> CapacityRatio:
    """Return the ratio whose logarithm is `log`, with its verdict. `down` and `up` are the
    distances of its interval's bounds below and above, on the log scale.

    Raises:
        ValueError: the margin is not positive.
    """
    if not margin > 0:
        raise ValueError(f"a margin must be more than 0 (got {margin})")
    word = _verdict_word(log, down, up, math.log1p(margin))
    return CapacityRatio(
        math.exp(log),
        math.exp(log - down),
        math.exp(log + up),
        word,
        _times_longer(log, down, up, math.log1p(margin)) if word == "inconclusive" else None,
    )


def _verdict_word(log: float, down: float, up: float, room: float) -> Word:
    if log - down > 0:
        return "more"
    if log + up < 0:
        return "less"
    within = max(abs(log - ONE_SIDED * down), abs(log + ONE_SIDED * up))
    return "equivalent" if within < room else "inconclusive"


def _times_longer(log: float, down: float, up: float, room: float) -> float:
    """By which factor the measurement has to be longer for the interval to exclude 1 or lie within
    the margin, whichever comes first. An interval's width falls with the root of the time
    measured."""
    half = max(down, up)
    needed = max(abs(log), (room - abs(log)) / ONE_SIDED)
    return (half / needed) ** 2 if needed > 0 else math.inf
