"""Statistical power: the smallest difference that repeats can detect, and the repeats needed.

Power is computed exactly, by the noncentral t distribution, with the observed variation between
repeats taken as the true one. As that is an estimate, the results are approximate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

from services.analysis.statistics.distribution import CONFIDENCE
from services.analysis.statistics.ratio import MINIMUM_REPEATS, Ratio
from services.analysis.statistics.student_t import incomplete_beta, t_quantile

POWER = 0.8
MAX_REPEATS = 1_000  # the search for `repeats_needed` ends here
CLOSE_ENOUGH = 1e-4  # tolerance of the effect
FAR_EFFECT = 37.0  # beyond it the series underflows, as e^(−δ²/2) does
SERIES_ERROR = 1e-12
MAX_TERMS = 10_000


def power(effect: float, df: float, alpha: float = 1 - CONFIDENCE) -> float:
    """Return the probability that a two-sided t test at `alpha` detects a difference of `effect`
    standard errors."""
    critical = t_quantile(1 - alpha / 2, df)
    above = 1 - noncentral_t_cdf(critical, df, effect)
    return above + noncentral_t_cdf(-critical, df, effect)


def detectable(ratio: Ratio, tests: int = 1) -> float | None:
    """Return the smallest ratio above 1 that repeats like these detect with 80 % power.

    With `tests` measures tested together, the level is 5 % / `tests`, the first step of Holm's
    method. None if a side has fewer than MINIMUM_REPEATS.
    """
    if ratio.error is None or ratio.df is None:
        return None
    df, alpha = ratio.df, (1 - CONFIDENCE) / tests
    effect = _bisect(lambda effect: power(effect, df, alpha) >= POWER)
    return math.exp(min(effect * ratio.error, 700.0))


def repeats_needed(ratio: Ratio, margin: float, tests: int = 1) -> int | None:
    """Return the repeats per side that detect a ratio of 1 + `margin` with 80 % power.

    None if more than MAX_REPEATS are needed, or a side has fewer than MINIMUM_REPEATS.
    """
    if ratio.error is None or ratio.df is None:
        return None
    low = high = MINIMUM_REPEATS
    while not _is_enough(ratio, margin, tests, high):
        if high == MAX_REPEATS:
            return None
        low, high = high + 1, min(2 * high, MAX_REPEATS)
    while low < high:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if _is_enough(ratio, margin, tests, middle) else (middle + 1, high)
        )
    return low


def _is_enough(ratio: Ratio, margin: float, tests: int, repeats: int) -> bool:
    """Whether `repeats` per side suffice. Standard error and degrees of freedom are scaled from
    those of the existing repeats, which is exact if both sides have the same number."""
    assert ratio.error is not None and ratio.df is not None
    now = 2 / (1 / ratio.n_reference + 1 / ratio.n_other)
    error = ratio.error * math.sqrt(now / repeats)
    df = ratio.df * (repeats - 1) / (now - 1)
    effect = math.log1p(margin)
    return error == 0 or power(effect / error, df, (1 - CONFIDENCE) / tests) >= POWER


def _bisect(enough: Callable[[float], bool]) -> float:
    """The smallest number for which `enough` is true, by bisection."""
    low, high = 0.0, 1.0
    while not enough(high):
        low, high = high, 2 * high
    while high - low > CLOSE_ENOUGH * high:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


# --- the noncentral t distribution --------------------------------------------------------------


def noncentral_t_cdf(t: float, df: float, effect: float) -> float:
    """Return P(T ≤ t) where T is noncentral t with `df` degrees of freedom and noncentrality
    `effect`: the series of Lenth 1989 (Algorithm AS 243).

    Raises:
        ValueError: `df` is not positive.
    """
    if not df > 0:
        raise ValueError(f"degrees of freedom must be more than 0 (got {df})")
    if t < 0:
        return 1 - noncentral_t_cdf(-t, df, -effect)
    if abs(effect) > FAR_EFFECT:
        return _normal_approximation(t, df, effect)
    return min(
        1.0, max(0.0, NormalDist().cdf(-effect) + _poisson_series(t * t / (t * t + df), df, effect))
    )


def _poisson_series(x: float, df: float, effect: float) -> float:
    """Half of Σ p_j I_x(j + ½, ν/2) + q_j I_x(j + 1, ν/2); p and q are Poisson's weights."""
    half = effect * effect / 2
    p = math.exp(-half)
    q = effect * math.sqrt(2 / math.pi) * math.exp(-half)
    total, left = 0.0, 1.0
    for j in range(MAX_TERMS):
        odd, even = incomplete_beta(j + 0.5, df / 2, x), incomplete_beta(j + 1.0, df / 2, x)
        total += p * odd + q * even
        left -= p
        if left * odd < SERIES_ERROR and j > half:
            break
        p, q = p * half / (j + 1), q * half / (j + 1.5)
    return total / 2


def _normal_approximation(t: float, df: float, effect: float) -> float:
    """Normal approximation for effects beyond FAR_EFFECT (Abramowitz-Stegun 26.7.10)."""
    spread = math.sqrt(1 + t * t / (2 * df))
    return NormalDist().cdf((t * (1 - 1 / (4 * df)) - effect) / spread)
