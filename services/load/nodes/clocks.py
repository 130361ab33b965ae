"""How far another machine's monotonic clock is ahead of this one's, from round trips.

As in NTP (RFC 5905, section 8, and the clock filter of section 10): the answer's timestamp is
compared with the middle of the round trip, and the fastest of many round trips counts, because a
delay usually affects only one direction. However unequal the two directions are, the offset is
wrong by at most half of the round trip.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """`offset_ns`: what to add to this machine's `perf_counter_ns` to get the other machine's.
    `error_ns`: its largest possible error."""

    offset_ns: int
    error_ns: int


class RoundTrip(NamedTuple):
    """When a message left and its answer came, by this clock, and the other clock's time, in ns."""

    sent: int
    stamp: int
    received: int


def clock_offset(trips: Iterable[RoundTrip]) -> ClockOffset:
    """Return the offset from the quickest round trip. Raises ValueError without round trips."""
    best = min(trips, key=lambda trip: trip.received - trip.sent)
    half = (best.received - best.sent + 1) // 2
    return ClockOffset(best.stamp - best.sent - half, half)


def start_spread_ns(offsets: Iterable[ClockOffset]) -> int:
    """Return how far apart, at most, machines start that should start at the same moment, in ns."""
    worst = sorted(offset.error_ns for offset in offsets)[-2:]
    return sum(worst) if len(worst) > 1 else 0
