"""The progress of a run. `time_left` estimates how much longer it will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.ask import modes
from services.ask.config import RunConfig
from services.ask.measurement import WARMING_UP, Progress, Run
from services.ask.plan import duration
from services.ask.time_left import TimeLeft
from services.ask.workloads import warmup_count
from services.base.units import many


@dataclass(frozen=True, slots=True)
class ProgressSummary:
    """Counts over all repeats. `share` is between 0 and 1. `total` is None if the run ends after a
    duration. `warm_up_s`: how much longer the current repeat sends its load only to warm up, in
    seconds."""

    total: int | None
    done: int
    failed: int
    in_flight: int
    share: float
    tokens_per_s: float | None
    warm_up_s: float = 0.0
    sent_again: int = 0

    @property
    def text(self) -> str:
        """Return "40 of 100 requests", or "40 requests" if the total is unknown."""
        if self.total is None:
            return many(self.done + self.failed, "request")
        return f"{self.done + self.failed:,} of {many(self.total, 'request')}"


def activity(run: Run) -> str:
    """Return the current activity of a run: "repeat 2 of 5", or the warm-up with its size."""
    if run.phase == WARMING_UP:
        size = many(count := warmup_count(run.config), "request")
        which = f" before repeat {len(run.repeats) + 1}" if run.repeats else ""
        return f"warming up{which} with {size} that {'does' if count == 1 else 'do'} not count"
    return run.phase.removeprefix("Measuring, ") or "starting"


def sentence(run: Run, now: ProgressSummary, left: TimeLeft | None) -> str:
    """Return a running run's progress: "Repeat 2 of 5: 40 of 100 requests, about 20 s left"."""
    doing, time = activity(run), "" if left is None else f", {left.text}"
    if now.warm_up_s > 0:
        doing = f"{doing}, warming up at the same load for {duration(now.warm_up_s)} more"
    counted = "" if run.phase == WARMING_UP and not now.done + now.failed else f": {now.text}"
    return f"{doing[:1].upper()}{doing[1:]}{counted}{time}"


def summarize(
    config: RunConfig, progress: Sequence[Progress], counted: Mapping[str, int]
) -> ProgressSummary:
    """Return a run's progress. `progress` is in time order and may be thinned; `counted` is the
    number of its stored requests by status."""
    done, failed = counted.get("ok", 0), counted.get("failed", 0)
    each = modes.count(config)
    total = None if each is None else each * config.repeats
    share = sum(counted.values()) / total if total else _share_of_time(config, progress)
    return ProgressSummary(
        total=total,
        done=done,
        failed=failed,
        in_flight=progress[-1].in_flight if progress else 0,
        share=min(1.0, share),
        tokens_per_s=_rate(progress),
        warm_up_s=max(0.0, config.load_warmup_s - _repeat_s(progress)) if progress else 0.0,
        sent_again=sum({entry.repeat: entry.sent_again for entry in progress}.values()),
    )


def _share_of_time(config: RunConfig, progress: Sequence[Progress]) -> float:
    """The share that is done of a run whose repeats end after a duration."""
    if not progress or not config.duration_s:
        return 0.0
    current = _repeat_s(progress) / (config.load_warmup_s + config.duration_s)
    return (progress[-1].repeat + min(1.0, current)) / config.repeats


def _repeat_s(progress: Sequence[Progress]) -> float:
    """Return for how many seconds the current repeat has lasted."""
    now = progress[-1]
    return now.t - next(entry for entry in progress if entry.repeat == now.repeat).t


def _rate(progress: Sequence[Progress]) -> float | None:
    """Return about the tokens/s since the current repeat began, whose first entry is at most half a
    second after its start."""
    if not progress:
        return None
    now = progress[-1]
    first = next(entry for entry in progress if entry.repeat == now.repeat)
    span = now.t - first.t
    return (now.tokens - first.tokens) / span if span > 0 else None
