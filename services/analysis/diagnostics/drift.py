"""Whether a run was steady: a trend test on the latencies of its time slices.

The median E2E latency of each of 20 slices, from the first request sent to the last, is tested with
the Mann-Kendall S (Mann 1945; Kendall 1975), and the growth is the Theil-Sen slope. A queue has
memory, so the slices of one run are correlated, and the usual limit of S would raise false alarms:
here S must be 142 of at most 190 (z = 4.6), and the trend a fifth of the median. How often steady
queues raise an alarm all the same is simulated in tests/services/analysis/test_drift.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import median

import numpy as np

from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.slices import SLICES, median_latencies, slices
from services.analysis.summary import CHANGING, Summary
from services.analysis.summary.repeats import by_repeat
from services.ask.measurement import Measurement, Run
from services.ask.measurements import Measurements
from services.ask.modes import MODES
from services.ask.modes.batch import all_at_once
from services.base import units

MIN_S = 142  # of Mann and Kendall's S over 20 slices
MIN_GROWTH = 0.2  # of the median, from the first slice to the last
MIN_REQUESTS = 200  # in a repeat: ten per slice
SERVED = 0.98  # of the rate at which requests were sent


def drifting(run: Run, measurements: Sequence[Measurement], summary: Summary) -> Diagnostic | None:
    """Check whether latency grew or fell during every repeat. In a batch that is sent all at once,
    the requests sent last wait longest, on any server."""
    if run.config.mode in CHANGING or all_at_once(run.config) or not run.placed:
        return None
    groups = [_after_ramp_up(run, group) for group in by_repeat(measurements).values()]
    trends = [trend(_latencies(group)) for group in groups]
    if not trends or any(each is None for each in trends):
        return None
    growth = median(each for each in trends if each is not None)
    if growth > 0 and all(each > 0 for each in trends if each is not None):
        return _growing(run, growth, groups)
    if growth < 0 and all(each < 0 for each in trends if each is not None):
        return _falling(growth)
    return None


def trend(values: Sequence[float]) -> float | None:
    """Return the growth of the values' trend from the first to the last, as a share of their median
    (negative: they fall); None if there is no trend."""
    if len(values) < SLICES - 1:
        return None
    pairs = list(combinations(range(len(values)), 2))
    s = sum(np.sign(values[j] - values[i]) for i, j in pairs)
    middle = median(values)
    slope = median((values[j] - values[i]) / (j - i) for i, j in pairs)
    growth = slope * (len(values) - 1) / middle if middle else 0.0
    least = MIN_S * len(pairs) / (SLICES * (SLICES - 1) / 2)
    return growth if abs(s) >= least and abs(growth) >= MIN_GROWTH else None


def _after_ramp_up(run: Run, group: Measurements) -> Measurements:
    """The requests sent after all users had joined; until then the load itself grows."""
    if run.config.mode != "users":
        return group
    return group.where(group.numbers("t_send") >= run.config.ramp_up_s)


def _latencies(group: Measurements) -> list[float]:
    """The latency of each slice; [] if the repeat is too small."""
    if np.count_nonzero(~np.isnan(group.numbers("t_send"))) < MIN_REQUESTS:
        return []
    return [latency for latency in median_latencies(group) if latency is not None]


def _growing(run: Run, growth: float, groups: Sequence[Measurements]) -> Diagnostic:
    share = units.share(growth)
    sentence = (
        f"From the first to the last of {SLICES} time slices, median E2E latency rose by {share} "
        "of its overall median, so percentiles depend on how long the run was. "
    )
    offered, served = _rates(groups)
    if MODES[run.config.mode].loop == "open" and served < SERVED * offered:
        sentence += (
            f"Requests were sent at {units.significant(offered)}/s and answered at "
            f"{units.significant(served)}/s: the rest queued up. Choose a lower rate."
        )
    else:
        sentence += (
            "Look for something that grows or slows down over time (a queue, a cache, thermal "
            "throttling) in the time slices and the server metrics."
        )
    return Diagnostic("warning", "Latency grew during the run", sentence)


def _falling(growth: float) -> Diagnostic:
    return Diagnostic(
        "note",
        "Latency fell during the run",
        f"From the first to the last of {SLICES} time slices, median E2E latency fell by "
        f"{units.share(-growth)} of its overall median: the server was probably still warming up. "
        "Use a longer warm-up.",
    )


def _rates(groups: Sequence[Measurements]) -> tuple[float, float]:
    """The rates at which requests were sent and answered, in 1/s, until the last was sent."""
    every = [each for group in groups for each in slices(group, only_sending=True)]
    seconds = sum(each.to_s - each.from_s for each in every)
    answered = sum(each.answered_per_s * (each.to_s - each.from_s) for each in every)
    return sum(each.sent for each in every) / seconds, answered / seconds


CHECKS = (drifting,)
