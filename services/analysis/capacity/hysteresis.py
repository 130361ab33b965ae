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

WELL_BELOW = 0.7  # of what the overloaded server completes: there, little is missed by chance
SIGMAS = 3.0
SLOWER = 1.25  # times as long, at least, by the near ends of both intervals
TRIES = 2  # probes of a repeat that the client does not offer before the search goes on without


@dataclass(frozen=True, slots=True)
class Recovery:
    """The probe that overloaded a server, one before it at a load well below that was sustained,
    and one at the same load after it; None: not made yet."""

    overload: Observation
    before: Observation
    after: Observation | None
    missed: bool = False  # whether the one after is missed, beyond chance
    met: bool = True  # whether it is sustained; neither: missed, as chance may explain

    @property
    def load(self) -> float:
        return self.before.load

    @property
    def slower(self) -> float | None:
        """How many times as long the median answer takes as before; None: not noticeably longer."""
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
    """Return the repeat of a search, made or to be made next; None where nothing was overloaded,
    nothing sustained before that, or the search goes on without, as where the client cannot offer
    it."""
    known = [probe for probe in observations if not probe.limited]
    index = next((at for at, probe in enumerate(known) if overloaded(probe, objectives)), None)
    if index is None:
        return None
    before = _well_below(
        [probe for probe in known[:index] if sustained(probe, objectives)], known[index]
    )
    if before is None:
        return None
    after = next(iter(known[index + 1 :]), None)
    if after is None:
        given_up = _not_offered(observations, known[index], before.load) >= TRIES
        return None if given_up else Recovery(known[index], before, None)
    if after.load != before.load:
        return None
    worse, met = _worse(before, after, objectives), sustained(after, objectives)
    return Recovery(known[index], before, after, worse, met)


def valid_observations(
    observations: Sequence[Observation], objectives: Sequence[Objective]
) -> Sequence[Observation]:
    """Return the probes that tell of the server as it is now: all, or where it stays slow those
    from the repeat on."""
    recovery = recovery_of(observations, objectives)
    if recovery is None or not recovery.stays_slow:
        return observations
    (index,) = (at for at, probe in enumerate(observations) if probe is recovery.after)
    return observations[index:]


def _not_offered(observations: Sequence[Observation], overload: Observation, load: float) -> int:
    """How many probes of a load the client has not offered since the overload."""
    since = dropwhile(lambda probe: probe is not overload, observations)
    return sum(probe.limited and probe.load == load for probe in since)


def _well_below(met: Sequence[Observation], overload: Observation) -> Observation | None:
    """The highest load of which far less was completed than the server can; where there is none,
    as where it collapsed, the lowest."""
    clear = [probe for probe in met if probe.served_per_s <= WELL_BELOW * overload.served_per_s]
    if clear:
        return max(clear, key=lambda probe: probe.load)
    return min(met, key=lambda probe: probe.load, default=None)


def _worse(before: Observation, after: Observation, objectives: Sequence[Objective]) -> bool:
    """Whether an objective is missed now, or the queue grows, and chance does not explain it."""
    return after.growing or any(
        _more(then, now, objective.allowed)
        for then, now, objective in zip(before.misses, after.misses, objectives, strict=True)
    )


def _more(then: Misses, now: Misses, allowed: float) -> bool:
    """Whether the share of misses is above what is allowed, and above what it was, by SIGMAS
    standard errors: the difference of two proportions, each with its dispersion."""
    if not then.n or not now.n:
        return False
    pooled = (then.count + now.count) / (then.n + now.n)
    each = [misses.dispersion / misses.n for misses in (then, now)]
    error = math.sqrt(pooled * (1 - pooled) * sum(each))
    beyond = math.sqrt(allowed * (1 - allowed) * each[1])
    share = now.count / now.n
    return share > allowed + SIGMAS * beyond and share > then.count / then.n + SIGMAS * error
