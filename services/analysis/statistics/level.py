"""What one run's repeats say together of a measure, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from services.analysis.statistics.distribution import CONFIDENCE
from services.analysis.statistics.ratio import MINIMUM_REPEATS, variance_of
from services.analysis.statistics.student_t import t_quantile


@dataclass(frozen=True, slots=True)
class Level:
    """The geometric mean of some repeats, and its 95 % interval: None under MINIMUM_REPEATS."""

    value: float
    low: float | None
    high: float | None


def level(numbers: Sequence[float]) -> Level | None:
    """Return where a run's numbers, one a repeat, lie: Student's t on their logarithms, as `ratio`
    takes them. None when there are none, or one is not positive."""
    if not numbers or min(numbers) <= 0:
        return None
    logs = [math.log(x) for x in numbers]
    centre = fmean(logs)
    if len(logs) < MINIMUM_REPEATS:
        return Level(math.exp(centre), None, None)
    error = math.sqrt(variance_of(logs) / len(logs))
    half = t_quantile((1 + CONFIDENCE) / 2, len(logs) - 1) * error
    return Level(math.exp(centre), math.exp(centre - half), math.exp(centre + half))
