"""How much longer a run or a comparison will take: estimated from what it took so far or, until
that is known, from the plan.

Repeats of a run take about as long as earlier ones. If nothing is known, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from statistics import fmean

from services.ask.config import RunConfig
from services.ask.measurement import Progress, Repeat
from services.ask.plan import CALIBRATION_S, calibrates, duration, span

SETTLED = 0.02  # share of a repeat's requests that must be finished before it is extrapolated
SOON = 1.0  # seconds; a shorter time is not worth showing

Range = tuple[float, float]  # seconds, low and high


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """In seconds: the time is between `low` and `high`. `at_least`: there may be more to do."""

    low: float
    high: float
    at_least: bool = False

    @property
    def text(self) -> str:
        """The time as text: "about 2–4 min left"."""
        unless = " unless more rounds are added" if self.at_least else ""
        if self.high < SOON:
            return f"almost done{unless}"
        about = "at least" if self.at_least else "about"
        if self.low < SOON:
            return f"up to {duration(_rounded(self.high))} left{unless}"
        return f"{about} {span(_rounded(self.low), _rounded(self.high))} left"


@dataclass(frozen=True, slots=True)
class RunTiming:
    """The timing of a run so far. `progress` is in time order, and empty unless the run is running;
    `expected` is the duration of the whole run according to its plan, or None."""

    config: RunConfig
    repeats: Sequence[Repeat]
    progress: Sequence[Progress] = ()
    expected: Range | None = None

    @property
    def durations(self) -> list[float]:
        """How long each finished repeat took, in seconds."""
        return [r.duration_s for r in self.repeats if r.duration_s is not None]

    @property
    def to_do(self) -> int:
        """The number of repeats that are not finished, including the current one."""
        return max(0, self.config.repeats - len(self.durations))

    @property
    def spent_s(self) -> float:
        """How long the current repeat has taken so far, in seconds."""
        current = self._current_progress
        return current[-1].t - current[0].t if current else 0.0

    @property
    def repeat_s(self) -> Range | None:
        """The range of a repeat's duration so far, in seconds; None if unknown."""
        if durations := self.durations:
            return min(durations), max(durations)
        if (share := self._share) >= SETTLED and self.spent_s:
            whole = self.spent_s / share
            return _at_most(self.config.stop_after_s, (whole, whole))
        return None

    @property
    def _current_progress(self) -> list[Progress]:
        if not self.progress or self.progress[-1].repeat < len(self.durations):
            return []
        return [entry for entry in self.progress if entry.repeat == self.progress[-1].repeat]

    @property
    def _share(self) -> float:
        now = self._current_progress[-1:]
        if not now:
            return 0.0
        if self.config.duration_s is not None:  # without the drain
            return min(1.0, self.spent_s / (self.config.load_warmup_s + self.config.duration_s))
        return (now[0].done + now[0].failed) / self.config.requests


def of_run(run: RunTiming) -> TimeLeft | None:
    """Return the remaining time of a run; None if unknown."""
    extra = CALIBRATION_S if calibrates(run.config) else 0.0
    if (each := run.repeat_s) is None:
        spent = run.progress[-1].t if run.progress else 0.0
        return _expected(run.expected, spent)
    low, high = (max(0.0, end - run.spent_s) + (run.to_do - 1) * end for end in each)
    return TimeLeft(low + extra, high + extra) if run.to_do else None


def of_comparison(runs: Sequence[RunTiming], more: bool = False) -> TimeLeft | None:
    """Return the remaining time of interleaved runs; None if that of one is unknown. `more`:
    further rounds may be added."""
    low = high = 0.0
    for run in runs:
        if not run.to_do:
            continue
        if (each := run.repeat_s or _planned_repeat(run)) is None:
            return None
        first, last = (max(0.0, end - run.spent_s) + (run.to_do - 1) * end for end in each)
        low, high = low + first, high + last
    items = sum(run.to_do for run in runs) - any(run.spent_s for run in runs)
    between = items * _between(repeat for run in runs for repeat in run.repeats)
    return TimeLeft(low + between, high + between, more) if any(r.to_do for r in runs) else None


def together(parts: Sequence[TimeLeft | None]) -> TimeLeft | None:
    """Return the total time of consecutive parts; None if one is unknown, or there are none."""
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    return TimeLeft(sum(part.low for part in known), sum(part.high for part in known))


def _planned_repeat(run: RunTiming) -> Range | None:
    """The duration of a repeat according to the plan, which gives only that of the whole run."""
    if run.expected is None:
        return None
    low, high = run.expected
    return low / run.config.repeats, high / run.config.repeats


def _between(repeats: Iterable[Repeat]) -> float:
    """The mean time from the end of a repeat to the start of the next, in which a process starts
    and warms up the server."""
    ordered = sorted(repeats, key=lambda repeat: repeat.began_at)
    gaps = [
        (later.began_at - one.began_at - timedelta(seconds=one.duration_s)).total_seconds()
        for one, later in pairwise(ordered)
        if one.duration_s is not None
    ]
    return fmean(max(0.0, gap) for gap in gaps) if gaps else 0.0


def _expected(whole: Range | None, spent: float) -> TimeLeft | None:
    """What is left of an estimate; None if there was none, or it was too low."""
    if whole is None or whole[1] <= spent:
        return None
    return TimeLeft(max(0.0, whole[0] - spent), whole[1] - spent)


def _at_most(limit: float | None, ends: Range) -> Range:
    return ends if limit is None else (min(limit, ends[0]), min(limit, ends[1]))


def _rounded(seconds: float) -> float:
    """Seconds rounded up to whole ones; from ten on to a multiple of five, since they are
    approximate."""
    return float(round(seconds)) if seconds < 10 else 5.0 * round(seconds / 5)
