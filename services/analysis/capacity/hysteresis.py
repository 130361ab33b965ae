"""Whether a server stays slow after it was overloaded: tested by repeating a much lower load.

After the first probe that overloads a server, a load that it sustained before is probed once more.
If an objective is now missed there, or answers take longer, beyond chance, then what was measured
before the overload no longer holds: the search continues with the later probes only, and finds what
the server sustains after an overload.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import dropwhile

from services.analysis.capacity.estimate import overloaded, sustained
from services.analysis.capacity.objective import Objective
from services.analysis.capacity.observation import Misses, Observation

WELL_BELOW = 0.7  # of the overloaded server's rate: few requests miss by chance there
SIGMAS = 3.0
SLOWER = 1.25  # factor between the near ends of the two intervals, at least
TRIES = 2  # failed attempts to offer the repeated load, before the search goes on without it


@dataclass(frozen=True, slots=True)
class Recovery:
    """The probe that overloaded a server, an earlier sustained probe at a much lower load, and one
    at the same load afterwards (None: not made yet)."""

    overload: Observation
    before: Observation
    after: Observation | None
    missed: bool = False  # whether `after` missed an objective, beyond chance
    met: bool = True  # whether `after` was sustained; if neither: missed, but possibly by chance

    @property
    def load(self) -> float:
        return self.before.load

    @property
    def slower(self) -> float | None:
        """How many times as long the median answer takes as before; None if not noticeably
        longer."""
        then, now = self.before.typical_s, self.after.typical_s if self.after else None
        if then is None or now is None or now[0] <= SLOWER * then[2]:
            return None
        return now[1] / then[1]

    @property
    def stays_slow(self) -> bool:
        """Whether the server stays slow."""
        return self.missed or self.slower is not None


def recovery_of(
    observations: Sequence[Observation], objectives: Sequence[Objective]
) -> Recovery | None:
    """Return the repeated probe, made or to be made next. None if no probe was overloaded, none was
    sustained before, or the search goes on without the repeat because the client cannot offer that
    load."""
    offered = [probe for probe in observations if not probe.limited]
    index = next((at for at, probe in enumerate(offered) if overloaded(probe, objectives)), None)
    if index is None:
        return None
    before = _load_well_below(
        [probe for probe in offered[:index] if sustained(probe, objectives)], offered[index]
    )
    if before is None:
        return None
    after = next(iter(offered[index + 1 :]), None)
    if after is None:
        given_up = _count_not_offered(observations, offered[index], before.load) >= TRIES
        return None if given_up else Recovery(offered[index], before, None)
    if after.load != before.load:
        return None
    worse, met = _got_worse(before, after, objectives), sustained(after, objectives)
    return Recovery(offered[index], before, after, worse, met)


def valid_observations(
    observations: Sequence[Observation], objectives: Sequence[Objective]
) -> Sequence[Observation]:
    """Return the probes that describe the server as it is now: all of them, or, if it stays slow,
    those from the repeated probe on."""
    recovery = recovery_of(observations, objectives)
    if recovery is None or not recovery.stays_slow:
        return observations
    (index,) = (at for at, probe in enumerate(observations) if probe is recovery.after)
    return observations[index:]


def _count_not_offered(
    observations: Sequence[Observation], overload: Observation, load: float
) -> int:
    """How many probes at a load the client has failed to offer since the overload."""
    since = dropwhile(lambda probe: probe is not overload, observations)
    return sum(probe.limited and probe.load == load for probe in since)


def _load_well_below(met: Sequence[Observation], overload: Observation) -> Observation | None:
    """The highest sustained load well below what the server can complete; the lowest one if there
    is none, as when throughput collapsed under overload."""
    clear = [probe for probe in met if probe.served_per_s <= WELL_BELOW * overload.served_per_s]
    if clear:
        return max(clear, key=lambda probe: probe.load)
    return min(met, key=lambda probe: probe.load, default=None)


def _got_worse(before: Observation, after: Observation, objectives: Sequence[Objective]) -> bool:
    """Whether the queue grows now, or an objective is missed beyond chance."""
    return after.growing or any(
        _misses_increased(then, now, objective.allowed)
        for then, now, objective in zip(before.misses, after.misses, objectives, strict=True)
    )


def _misses_increased(then: Misses, now: Misses, allowed: float) -> bool:
    """Whether the share of misses exceeds both the allowed share and the earlier one by SIGMAS
    standard errors: a test of two proportions, each with its dispersion."""
    if not then.n or not now.n:
        return False
    pooled = (then.count + now.count) / (then.n + now.n)
    each = [misses.dispersion / misses.n for misses in (then, now)]
    error = math.sqrt(pooled * (1 - pooled) * sum(each))
    beyond = math.sqrt(allowed * (1 - allowed) * each[1])
    share = now.count / now.n
    return share > allowed + SIGMAS * beyond and share > then.count / then.n + SIGMAS * error
