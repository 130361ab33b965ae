"""The timing and size of typical answers, so that a calibration can imitate them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from services.wire.exchange import Exchange


@dataclass(frozen=True, slots=True)
class ResponseProfile:
    """A typical answer: seconds to its first chunk and between chunks, the number of chunks, and
    the characters in each."""

    ttft_s: float
    gap_s: float
    chunks: int
    size: int


def profile_of(exchange: Exchange) -> ResponseProfile | None:
    """Return the profile of one answer; None if it failed or was not streamed."""
    if exchange.error_class or exchange.cancelled or exchange.sent is None:
        return None
    times = exchange.token_times
    if not times:
        return None
    gap = (times[-1] - times[0]) / (len(times) - 1) / 1e9 if len(times) > 1 else 0.0
    size = sum(map(len, exchange.text)) // len(times)
    return ResponseProfile((times[0] - exchange.sent) / 1e9, gap, len(times), size)


def median_profile(profiles: Sequence[ResponseProfile]) -> ResponseProfile | None:
    """Return the median of each field; None without profiles."""
    if not profiles:
        return None
    return ResponseProfile(
        ttft_s=median(r.ttft_s for r in profiles),
        gap_s=median(r.gap_s for r in profiles),
        chunks=round(median(r.chunks for r in profiles)),
        size=round(median(r.size for r in profiles)),
    )
