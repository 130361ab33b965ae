"""The progress of a run, and an estimate of the remaining time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.ask.config import RunConfig
from services.ask.measurement import Progress

SETTLED = 0.02  # share of the requests that must be finished before the remaining time is estimated


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
    """Return a run's progress. `progress` is in order of time and may be thinned; `counted` is the
    number of its stored requests by status."""
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
    """Return about the tokens/s since the current repeat began; its first entry is at most half a
    second after its start."""
    if not progress:
        return None
    now = progress[-1]
    first = next(entry for entry in progress if entry.repeat == now.repeat)
    span = now.t - first.t
    return (now.tokens - first.tokens) / span if span > 0 else None
