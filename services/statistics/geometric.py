"""The mean of one run's repeats, with its interval: what a dot with a line shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, variance

from services.statistics.student_t import t_quantile

FEWEST, CONFIDENCE = 3, 0.95


def geometric_mean(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """Return the geometric mean and its 95 % interval, by Student's t on the logarithms.

    None: fewer than three values, which say little about how they vary.

    Raises:
        ValueError: there are none, or one is not positive.
    """
    if not values or min(values) <= 0:
        raise ValueError("a geometric mean needs values, all of them positive")
    logs = [math.log(value) for value in values]
    mean = fmean(logs)
    if len(logs) < FEWEST:
        return math.exp(mean), None, None
    half = t_quantile((1 + CONFIDENCE) / 2, len(logs) - 1) * math.sqrt(variance(logs) / len(logs))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)
