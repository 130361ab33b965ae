"""Equivalence test of two runs: failing to find a difference does not show that there is none."""

from __future__ import annotations

import math

from services.analysis.statistics.ratio import Ratio
from services.analysis.statistics.student_t import t_cdf


def equivalence(ratio: Ratio, margin: float) -> float | None:
    """Return the p-value of the null hypothesis that the ratio is outside 1 / (1 + margin) to
    1 + margin.

    Two one-sided t tests on the log scale, the larger p of the two (Schuirmann 1987): it is below
    5 % if the 90 % interval lies within the bounds, which are symmetric in the two runs. None if a
    side has fewer than MINIMUM_REPEATS.

    Raises:
        ValueError: the margin is not positive.
    """
    if not margin > 0:
        raise ValueError(f"a margin must be more than 0 (got {margin})")
    if ratio.error is None or ratio.df is None:
        return None
    room = math.log1p(margin) - abs(math.log(ratio.value))  # to the nearer bound
    if ratio.error == 0:
        return 0.0 if room > 0 else 1.0
    return t_cdf(-room / ratio.error, ratio.df)
