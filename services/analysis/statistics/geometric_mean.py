"""The geometric mean of a measure over a run's repeats, with its confidence interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from services.analysis.statistics.distribution import CONFIDENCE
from services.analysis.statistics.ratio import MINIMUM_REPEATS, variance_of
from services.analysis.statistics.student_t import t_quantile


@dataclass(frozen=True, slots=True)
class GeometricMean:
    """The geometric mean over repeats, or a multiple of one, and its 95 % interval (None under
    MINIMUM_REPEATS)."""

    value: float
    low: float | None
    high: float | None


def geometric_mean(numbers: Sequence[float]) -> GeometricMean | None:
    """Return the geometric mean of numbers, one per repeat, and its interval: Student's t on their
    logarithms, as in `ratio`. None if there are none, or one is not positive."""
    if not numbers or min(numbers) <= 0:
        return None
    logs = [math.log(x) for x in numbers]
    centre = fmean(logs)
    if len(logs) < MINIMUM_REPEATS:
        return GeometricMean(math.exp(centre), None, None)
    error = math.sqrt(variance_of(logs) / len(logs))
    half = t_quantile((1 + CONFIDENCE) / 2, len(logs) - 1) * error
    return GeometricMean(math.exp(centre), math.exp(centre - half), math.exp(centre + half))
