"""From samples to what may be said of them: distributions, intervals, ratios, tests.

Pure functions; SciPy is what the tests hold them to, not what they run on. A difference between
runs is judged on one number a repeat: requests of one repeat are correlated, and a test over them
finds differences that are not there.
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
    MOST_REPEATS,
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
    "MINIMUM_REPEATS",
    "MOST_REPEATS",
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
