"""Whether a running run sends requests faster than the server answers them.

In flight alone does not tell: it also rises while the first answers are still to come. So the rate
of answers must have stopped rising, too, well below the rate of requests. In a burst, requests
arrive faster than planned for a while: a server that has answered at the planned rate keeps up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from math import inf

from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.summary import CHANGING
from services.ask import modes
from services.ask.config import RunConfig
from services.ask.measurement import Progress
from services.ask.modes import MODES
from services.base import units

MIN_S = 8.0  # of a repeat
MIN_ANSWERED = 5  # in a quarter of it
MIN_RISE = 10  # of the requests in flight
SERVED = 0.8  # of the rate of requests, planned or seen; with more, the queue may settle
STILL_RISING = 1.2  # the rate of answers in a quarter, divided by that in the one before


def so_far(config: RunConfig, progress: Sequence[Progress]) -> list[Diagnostic]:
    """Return the diagnostic of a run that is being measured. `progress` is in order of time."""
    if MODES[config.mode].loop != "open" or config.mode in CHANGING or not progress:
        return []
    repeat = [each for each in progress if each.repeat == progress[-1].repeat]
    states = _every_quarter(repeat)
    if repeat[-1].t - repeat[0].t < MIN_S or len({each.t for each in states}) < len(states):
        return []
    quarters = list(pairwise(states))
    sent = [(b.sent - a.sent) / (b.t - a.t) for a, b in quarters]
    counts = [_ended(b) - _ended(a) for a, b in quarters]
    answered = [count / (b.t - a.t) for count, (a, b) in zip(counts, quarters, strict=True)]
    rises = [b.in_flight - a.in_flight for a, b in quarters]
    if (
        min(counts[2:]) < MIN_ANSWERED
        or min(rises) <= 0
        or sum(rises[2:]) < MIN_RISE
        or max(answered) > SERVED * min(sent[3], modes.peak_rate(config) or inf)
        or answered[3] > STILL_RISING * answered[2]
    ):
        return []
    return [
        Diagnostic(
            "warning",
            "Requests arrive faster than they are answered",
            f"Lately {units.significant(sent[3])} were sent and "
            f"{units.significant(answered[3])} answered per second, and "
            f"{units.many(repeat[-1].in_flight, 'request')} are in flight. The queue grows, and "
            "latency with it, until no more are sent. To find the load that the server sustains, "
            "search for its capacity.",
        )
    ]


def _every_quarter(repeat: Sequence[Progress]) -> list[Progress]:
    """The five states nearest after each quarter of the time."""
    times = [each.t for each in repeat]
    first, last = times[0], times[-1]
    at = (bisect_left(times, first + (last - first) * quarter / 4) for quarter in range(4))
    return [*(repeat[index] for index in at), repeat[-1]]


def _ended(now: Progress) -> int:
    return now.done + now.failed
