"""Statistics: distributions, confidence intervals, ratios and tests.

Pure functions without SciPy; the tests check them against it. Runs are compared by one number per
repeat: requests of one repeat are correlated, and a test over them finds false differences.
"""

from services.analysis.statistics.distribution import (
    CONFIDENCE,
    FLOORS,
    Distribution,
    distribution,
    percentile,
    wilson,
)
from services.analysis.statistics.equivalence import equivalence
from services.analysis.statistics.power import (
    MAX_REPEATS,
    POWER,
    detectable,
    power,
    repeats_needed,
)
from services.analysis.statistics.ratio import MINIMUM_REPEATS, Ratio, holm, ratio
from services.analysis.statistics.student_t import t_cdf, t_quantile

__all__ = [
    "CONFIDENCE",
    "FLOORS",
    "MAX_REPEATS",
    "MINIMUM_REPEATS",
    "POWER",
    "Distribution",
    "Ratio",
    "detectable",
    "distribution",
    "equivalence",
    "holm",
    "percentile",
    "power",
    "ratio",
    "repeats_needed",
    "t_cdf",
    "t_quantile",
    "wilson",
]
