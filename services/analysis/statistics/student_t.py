"""Student's t distribution: CDF and quantiles, from the incomplete beta function."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist


def t_cdf(t: float, df: float) -> float:
    """Return P(T ≤ t) of Student's t: by the incomplete beta function (Abramowitz-Stegun 26.7.1).

    Raises:
        ValueError: `df` is not positive.
    """
    if not df > 0:
        raise ValueError(f"degrees of freedom must be more than 0 (got {df})")
    tail = incomplete_beta(df / 2, 0.5, df / (df + t * t)) / 2
    return 1 - tail if t > 0 else tail


@lru_cache(maxsize=4096)  # a page needs the same values several times
def t_quantile(p: float, df: float) -> float:
    """Return the t whose `t_cdf` is `p`, by Newton's method from the normal quantile. That start is
    closer to 0 and the tail beyond it is convex, so no step overshoots.

    Raises:
        ValueError: `p` is not between 0 and 1, or `df` is not positive.
    """
    if not 0 < p < 1:
        raise ValueError(f"a probability between 0 and 1 is needed (got {p})")
    tail = min(p, 1 - p)
    peak = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    t, after = -1.0, abs(NormalDist().inv_cdf(tail))
    while after > t:
        t = after
        density = peak * (1 + t * t / df) ** (-(df + 1) / 2)
        after = t + (t_cdf(-t, df) - tail) / density
    return t if p > 0.5 else -t


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b) (DLMF 8.17.2)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(log_front + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):  # where the fraction converges quickly
        return front * _beta_fraction(a, b, x) / a
    return 1 - front * _beta_fraction(b, a, 1 - x) / b


def _beta_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of DLMF 8.17.22, by the modified Lentz method (Numerical Recipes)."""
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    value = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / (1 + term * d or tiny)
            c = 1 + term / c or tiny
            value *= d * c
        if abs(d * c - 1) < 1e-15:
            return value
    raise ArithmeticError(f"the beta fraction does not converge at a={a}, b={b}, x={x}")
