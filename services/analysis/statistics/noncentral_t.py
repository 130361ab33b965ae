"""The noncentral t: how a t statistic falls where there is a difference to be found."""

from __future__ import annotations

import math
from statistics import NormalDist

from services.analysis.statistics.student_t import incomplete_beta

FAR = 37.0  # effects beyond it are as good as certain: e^(−δ²/2) ends where floats do
SMALL = 1e-12
MOST_TERMS = 10_000


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
    if abs(effect) > FAR:
        return _by_normal(t, df, effect)
    return min(1.0, max(0.0, NormalDist().cdf(-effect) + _series(t * t / (t * t + df), df, effect)))


def _series(x: float, df: float, effect: float) -> float:
    """Half of Σ p_j I_x(j + ½, ν/2) + q_j I_x(j + 1, ν/2); p and q are Poisson's weights."""
    half = effect * effect / 2
    p = math.exp(-half)
    q = effect * math.sqrt(2 / math.pi) * math.exp(-half)
    total, left = 0.0, 1.0
    for j in range(MOST_TERMS):
        odd, even = incomplete_beta(j + 0.5, df / 2, x), incomplete_beta(j + 1.0, df / 2, x)
        total += p * odd + q * even
        left -= p
        if left * odd < SMALL and j > half:
            break
        p, q = p * half / (j + 1), q * half / (j + 1.5)
    return total / 2


def _by_normal(t: float, df: float, effect: float) -> float:
    """For effects past FAR (Abramowitz-Stegun 26.7.10)."""
    spread = math.sqrt(1 + t * t / (2 * df))
    return NormalDist().cdf((t * (1 - 1 / (4 * df)) - effect) / spread)
