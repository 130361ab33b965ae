"""What a comparison could have seen, and how many repeats would see more.

Power is exact: the noncentral t distribution, with the variation that the repeats showed taken for
the true one. That variation is itself an estimate, so the answers are "about".
"""

from __future__ import annotations

import math
from collections.abc import Callable

from services.analysis.statistics.distribution import CONFIDENCE
from services.analysis.statistics.noncentral_t import noncentral_t_cdf
from services.analysis.statistics.ratio import MINIMUM_REPEATS, Ratio
from services.analysis.statistics.student_t import t_quantile

POWER = 0.8
MOST_REPEATS = 1_000  # more are not waited for
CLOSE_ENOUGH = 1e-4  # of the effect


def power(effect: float, df: float, alpha: float = 1 - CONFIDENCE) -> float:
    """Return how often a two-sided t test at `alpha` finds a difference of `effect` standard
    errors."""
    critical = t_quantile(1 - alpha / 2, df)
    above = 1 - noncentral_t_cdf(critical, df, effect)
    return above + noncentral_t_cdf(-critical, df, effect)


def detectable(ratio: Ratio, tests: int = 1) -> float | None:
    """Return the smallest ratio above 1 that repeats like these tell from 1 four times in five.

    With `tests` measures judged together it is at 5 % / `tests`, the first step of Holm's method.
    None under MINIMUM_REPEATS a side.
    """
    if ratio.error is None or ratio.df is None:
        return None
    df, alpha = ratio.df, (1 - CONFIDENCE) / tests
    effect = _smallest(lambda effect: power(effect, df, alpha) >= POWER)
    return math.exp(min(effect * ratio.error, 700.0))


def repeats_needed(ratio: Ratio, margin: float, tests: int = 1) -> int | None:
    """Return how many repeats a side tell a ratio of 1 + `margin` from 1 four times in five.

    None: more than MOST_REPEATS, or it is not known, under MINIMUM_REPEATS a side.
    """
    if ratio.error is None or ratio.df is None:
        return None
    low = high = MINIMUM_REPEATS
    while not _enough(ratio, margin, tests, high):
        if high == MOST_REPEATS:
            return None
        low, high = high + 1, min(2 * high, MOST_REPEATS)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _enough(ratio, margin, tests, middle) else (middle + 1, high)
    return low


def _enough(ratio: Ratio, margin: float, tests: int, repeats: int) -> bool:
    """Whether so many repeats a side suffice. Error and degrees of freedom follow from those of
    the repeats that there are: exactly where both sides have as many."""
    assert ratio.error is not None and ratio.df is not None
    now = 2 / (1 / ratio.n_reference + 1 / ratio.n_other)
    error = ratio.error * math.sqrt(now / repeats)
    df = ratio.df * (repeats - 1) / (now - 1)
    effect = math.log1p(margin)
    return error == 0 or power(effect / error, df, (1 - CONFIDENCE) / tests) >= POWER


def _smallest(enough: Callable[[float], bool]) -> float:
    """The smallest number that is enough, by bisection."""
    low, high = 0.0, 1.0
    while not enough(high):
        low, high = high, 2 * high
    while high - low > CLOSE_ENOUGH * high:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
