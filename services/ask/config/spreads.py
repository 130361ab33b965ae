"""How wide lengths may spread around their mean, given that none is above MAX_TOKENS.

`services.ask.lengths` draws them, and describes the distributions.
"""

from __future__ import annotations

from math import log, log1p, sqrt
from statistics import NormalDist

from services.ask.config.prompts import MAX_TOKENS, Distribution

LOST = 0.02  # share of the mean that may be lost where a distribution is cut
_STANDARD = NormalDist()


def is_too_wide(law: Distribution, mean: int, spread: float) -> bool:
    """Return whether a distribution goes so far above MAX_TOKENS that its lengths, without those,
    no longer have the mean."""
    if law == "uniform":
        return mean * (1 + spread) > MAX_TOKENS
    return law == "lognormal" and _lost(mean, spread) > LOST


def _lost(mean: int, spread: float) -> float:
    """The share of the mean that a lognormal distribution loses if what is above MAX_TOKENS is
    drawn again."""
    deviation = sqrt(log1p(spread**2))
    most = (log(MAX_TOKENS) - log(mean)) / deviation + deviation / 2
    return 1 - _STANDARD.cdf(most - deviation) / _STANDARD.cdf(most)
