"""The ratio of two runs by one number per repeat, with its confidence interval and test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from services.analysis.statistics.distribution import CONFIDENCE
from services.analysis.statistics.student_t import t_cdf, t_quantile

MINIMUM_REPEATS = 3  # per side; fewer cannot show the variation between repeats


@dataclass(frozen=True, slots=True)
class Ratio:
    """The ratio other / baseline, with its 95 % interval.

    `value` is the ratio of geometric means, `p` the p-value of the null hypothesis that it is 1.
    `error` is the standard error of its logarithm, with `df` degrees of freedom. Interval, `p`,
    `error` and `df` are None if a side has fewer than MINIMUM_REPEATS.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    n_reference: int
    n_other: int
    error: float | None = None
    df: float | None = None
    paired: bool = False

    @property
    def inverse(self) -> Ratio:
        """The ratio baseline / other."""
        low, high = (None if end is None else 1 / end for end in (self.high, self.low))
        return replace(
            self,
            value=1 / self.value,
            low=low,
            high=high,
            n_reference=self.n_other,
            n_other=self.n_reference,
        )


def ratio(baseline: Sequence[float], other: Sequence[float], paired: bool = False) -> Ratio | None:
    """Return the ratio other / baseline, given one number per repeat.

    Welch's t test on the logarithms; with `paired`, for interleaved repeats (A B A B), a t test on
    the log ratios of the pairs. None if a side is empty or a number is not positive.

    Raises:
        ValueError: `paired`, and the sides differ in length.
    """
    if paired and len(baseline) != len(other):
        raise ValueError(f"{len(baseline)} and {len(other)} repeats cannot be paired")
    if not baseline or not other or min(*baseline, *other) <= 0:
        return None
    a, b = [math.log(x) for x in baseline], [math.log(x) for x in other]
    difference = fmean(b) - fmean(a)
    if min(len(a), len(b)) < MINIMUM_REPEATS:
        return Ratio(math.exp(difference), None, None, None, len(a), len(b), paired=paired)
    error, df = _paired_error(a, b) if paired else _welch_error(a, b)
    half = t_quantile((1 + CONFIDENCE) / 2, df) * error
    return Ratio(
        math.exp(difference),
        math.exp(difference - half),
        math.exp(difference + half),
        _two_sided(difference, error, df),
        len(a),
        len(b),
        error,
        df,
        paired,
    )


def holm(pvalues: Sequence[float]) -> list[float]:
    """Return p-values adjusted for multiple testing, in the same order (Holm 1979)."""
    order = sorted(range(len(pvalues)), key=pvalues.__getitem__)
    adjusted, worst = [0.0] * len(pvalues), 0.0
    for rank, index in enumerate(order):
        worst = max(worst, min(1.0, (len(pvalues) - rank) * pvalues[index]))
        adjusted[index] = worst
    return adjusted


def variance_of(numbers: Sequence[float]) -> float:
    """Return the sample variance (n − 1), exactly 0 if all numbers are equal. A trend needs
    thousands; `statistics.variance` uses fractions and is far slower."""
    if min(numbers) == max(numbers):
        return 0.0
    centre = fmean(numbers)
    return math.fsum((x - centre) ** 2 for x in numbers) / (len(numbers) - 1)


def _welch_error(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Standard error of the difference of means, and Welch-Satterthwaite degrees of freedom."""
    u, v = variance_of(a) / len(a), variance_of(b) / len(b)
    if u + v == 0:
        return 0.0, float(len(a) + len(b) - 2)
    df = (u + v) ** 2 / (u**2 / (len(a) - 1) + v**2 / (len(b) - 1))
    return math.sqrt(u + v), df


def _paired_error(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    differences = [y - x for x, y in zip(a, b, strict=True)]
    return math.sqrt(variance_of(differences) / len(a)), float(len(a) - 1)


def _two_sided(difference: float, error: float, df: float) -> float:
    if error == 0:  # all repeats are equal, as token counts may be
        return 1.0 if difference == 0 else 0.0
    return min(1.0, 2 * t_cdf(-abs(difference / error), df))
