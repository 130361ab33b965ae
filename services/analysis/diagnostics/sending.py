"""Diagnostics of the load: whether requests were sent when they were due, and whether the requested
concurrency was reached."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.analysis import metric_arrays
from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.metric_arrays import known
from services.analysis.statistics import percentile
from services.analysis.summary import Summary
from services.analysis.summary.repeats import by_repeat
from services.ask import modes
from services.ask.config import RATES, RunConfig
from services.ask.measurement import Measurement, Run
from services.ask.measurements import Floats, as_table
from services.ask.modes import MODES
from services.base import units

LATE_S = 0.001
LATE_SHARE = 0.1  # of the interval between requests
SHORT_RATE = 0.02  # allowed shortfall, of the requested rate
HELD_BACK_SHARE = 0.01
RATE_MISSED = "The requested rate was not reached"


def intervals_s(measurements: Sequence[Measurement]) -> tuple[float, float] | None:
    """Return the mean time between requests, as due and as sent, in seconds over all repeats; None
    if fewer than two requests were sent."""
    due = sent = 0.0
    gaps = 0
    for group in by_repeat(measurements).values():
        sends = metric_arrays.first_sends(group)
        was_sent = ~np.isnan(sends)
        dues, sends = group.numbers("t_due")[was_sent], sends[was_sent]
        if len(sends) > 1:
            first, last = dues.min(), dues.max()
            due += float(last - first)
            sent += float(sends[dues == last].max() - sends[dues == first].min())
            gaps += len(sends) - 1
    return (due / gaps, sent / gaps) if gaps else None


def sent_late(run: Run, measurements: Sequence[Measurement], summary: Summary) -> Diagnostic | None:
    """Check how late requests were sent in an open loop."""
    if MODES[run.config.mode].loop != "open":
        return None
    each, intervals = latenesses(measurements), intervals_s(measurements)
    if not len(each):
        return None
    return late(run.config, percentile(each, 99), intervals[0] if intervals else 0.0)


def latenesses(measurements: Sequence[Measurement]) -> Floats:
    """Return how late each request was sent, in seconds."""
    return known(metric_arrays.latenesses(measurements))


def late_limit_s(interval_s: float) -> float:
    """Return the limit for the 99th percentile of lateness, in seconds."""
    return max(LATE_S, LATE_SHARE * interval_s)


def late(config: RunConfig, late_s: float, interval_s: float) -> Diagnostic | None:
    """Check the 99th percentile of how late requests were sent, where one was due every
    `interval_s`."""
    limit = late_limit_s(interval_s)
    if MODES[config.mode].loop != "open" or late_s <= limit:
        return None
    return Diagnostic(
        "warning",
        f"Requests were sent {units.seconds(late_s)} late (p99)",
        f"1 % of the requests were sent {units.seconds(late_s)} or more after they were due (the "
        f"limit is {units.seconds(limit)}), so the load was not as configured. Close "
        f"other programs on this machine, or choose {_lower_load_advice(config)}.",
    )


def _lower_load_advice(config: RunConfig) -> str:
    if config.mode == "replay":
        return "a lower trace_speed"
    return "a lower rate" if config.mode in RATES else "a longer interval"


def rate_missed(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    """Check the rate at which requests were sent in an open loop."""
    if MODES[run.config.mode].loop != "open" or len(_concurrency_waits(measurements)):
        return None  # reaching the maximum has its own diagnostic
    requested, achieved = intervals_s(measurements) or (0.0, 0.0)
    if not requested or requested >= achieved * (1 - SHORT_RATE):  # 0: all are due at once
        return None
    return Diagnostic(
        "warning",
        RATE_MISSED,
        f"A request was due every {units.seconds(requested)} but was sent every "
        f"{units.seconds(achieved)}, so the server got less load than configured. Close "
        f"other programs on this machine, or choose {_lower_load_advice(run.config)}.",
    )


def _waited_for_concurrency(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    """In an open loop: a limit on concurrency turns it into a closed loop while it is reached."""
    waits = _concurrency_waits(measurements)
    if MODES[run.config.mode].loop != "open" or not len(waits):
        return None
    share = units.share(len(waits) / len(measurements))
    cap = run.config.concurrency
    held = "in flight or waiting to be sent again" if _retried(measurements) else "in flight"
    return Diagnostic(
        "warning" if len(waits) > HELD_BACK_SHARE * len(measurements) else "note",
        f"{share} of the requests waited in this client",
        f"They were due, but {cap:,} {'was' if cap == 1 else 'were'} {held}, which is the maximum. "
        f"They waited up to {units.seconds(float(waits.max()))}. TTFT and E2E latency are measured "
        "from when a request was sent and exclude this wait; Scheduled TTFT and Scheduled latency "
        "are measured from when it was due. Raise the maximum, or rely on the latter.",
    )


def _concurrency_waits(measurements: Sequence[Measurement]) -> Floats:
    """The concurrency waits of the requests that waited."""
    waits = as_table(measurements).numbers("cap_wait_s")
    return waits[waits > 0]


def _concurrency_not_reached(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    requested = modes.at_once(run.config)
    if run.config.mode != "batch" or not 0 < (summary.peak_in_flight or 0) < requested:
        return None
    why = "The first requests finished before the last were sent, so"
    todo = "Request longer answers, or a lower concurrency."
    if summary.failed:  # requests that fail quickly free their slots
        todo = "Failed requests end early: fix the failures first."
    elif _retried(measurements):
        why = "Requests that wait to be sent again keep their place but are not in flight, so"
        todo = "Fix the cause of the failed attempts first."
    return Diagnostic(
        "warning",
        f"At most {summary.peak_in_flight:,} in flight instead of {requested:,}",
        f"{why} the configured concurrency was never reached: these numbers are for the lower one. "
        f"{todo}",
    )


def _users_left_out(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    if not (title := modes.users_short(run.config)):
        return None
    todo = "Send more requests, several for each user."
    if run.config.duration_s is not None:
        todo = "Choose a longer duration, or a shorter ramp-up."
    return Diagnostic(
        "warning",
        title,
        "The requests, or the time, run out before the other users begin, so the load was never "
        f"that of all users. {todo}",
    )


def _retried(measurements: Sequence[Measurement]) -> bool:
    return bool(np.any(as_table(measurements).numbers("attempts") > 1))


CHECKS = (
    _waited_for_concurrency,
    _concurrency_not_reached,
    _users_left_out,
)  # besides those that are limits of the client
