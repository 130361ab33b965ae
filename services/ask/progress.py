"""How far a run is, and about how long it will still take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.ask.config import RunConfig
from services.ask.measurement import Progress

SETTLED = 0.02  # share of the requests that must be over before a time left is said


@dataclass(frozen=True, slots=True)
class ProgressSummary:
    """Counts over all repeats. `share` is between 0 and 1."""

    total: int
    done: int
    failed: int
    in_flight: int
    share: float
    tokens_per_s: float | None
    left_s: float | None


def summarize(
    config: RunConfig, progress: Sequence[Progress], counted: Mapping[str, int]
) -> ProgressSummary:
    """Say how far a run is. `progress` is in order of time and may be thinned; `counted` are its
    stored requests by status."""
    done, failed = counted.get("ok", 0), counted.get("failed", 0)
    total = config.requests * config.repeats
    share = min(1.0, sum(counted.values()) / total)
    spent = progress[-1].t if progress else 0.0
    return ProgressSummary(
        total=total,
        done=done,
        failed=failed,
        in_flight=progress[-1].in_flight if progress else 0,
        share=share,
        tokens_per_s=_rate(progress),
        left_s=spent * (1 - share) / share if SETTLED <= share < 1 else None,
    )


def _rate(progress: Sequence[Progress]) -> float | None:
    """Tokens a second since the repeat in hand began, about: its first moment is half a second
    after its beginning at most."""
    if not progress:
        return None
    now = progress[-1]
    first = next(moment for moment in progress if moment.repeat == now.repeat)
    span = now.t - first.t
    return (now.tokens - first.tokens) / span if span > 0 else None
