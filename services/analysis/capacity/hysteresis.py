"""Whether a server stays slow after it was overloaded: what a repeat at a load well below says.

After the first probe that overloads a server, a load that it sustained before is probed once more.
If that is missed now, or answers take longer, beyond chance, what was measured before holds no
longer: the search goes on with what followed, and finds what the server sustains since.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from services.analysis.capacity.estimate import overloaded, sustained
from services.analysis.capacity.objective import Objective
from services.analysis.capacity.observation import Misses, Observation

WELL_BELOW = 0.7  # of what the overloaded server completes: there, little is missed by chance
SIGMAS = 3.0
SLOWER = 1.25  # times as long, at least, by the near ends of both intervals


@dataclass(frozen=True, slots=True)
class Repeat:
    """The probe that overloaded a server, one before it at a load well below that was sustained,
    and one at the same load after it; None: not made yet."""

    overload: Observation
    before: Observation
    after: Observation | None
    missed: bool = False  # whether the one after is missed, beyond chance

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
    def bad(self) -> bool:
        """Whether the server stays slow."""
        return self.missed or self.slower is not None


def repeat_below(seen: Sequence[Observation], asked: Sequence[Objective]) -> Repeat | None:
    """Return the repeat of a search, made or to be made next; None where nothing was overloaded,
    nothing sustained before that, or the search went on without."""
    known = [one for one in seen if not one.limited]
    place = next((at for at, one in enumerate(known) if overloaded(one, asked)), None)
    if place is None:
        return None
    before = _well_below([one for one in known[:place] if sustained(one, asked)], known[place])
    if before is None:
        return None
    after = next(iter(known[place + 1 :]), None)
    if after is None:
        return Repeat(known[place], before, None)
    if after.load != before.load:
        return None
    return Repeat(known[place], before, after, _worse(before, after, asked))


def counted(seen: Sequence[Observation], asked: Sequence[Objective]) -> Sequence[Observation]:
    """Return the probes that tell of the server as it is now: all, or where it stays slow those
    from the repeat on."""
    repeat = repeat_below(seen, asked)
    if repeat is None or not repeat.bad:
        return seen
    (place,) = (at for at, one in enumerate(seen) if one is repeat.after)
    return seen[place:]


def _well_below(met: Sequence[Observation], overload: Observation) -> Observation | None:
    """The highest load of which far less was completed than the server can; where there is none,
    as where it collapsed, the lowest."""
    clear = [one for one in met if one.served_per_s <= WELL_BELOW * overload.served_per_s]
    if clear:
        return max(clear, key=lambda one: one.load)
    return min(met, key=lambda one: one.load, default=None)


def _worse(before: Observation, after: Observation, asked: Sequence[Objective]) -> bool:
    """Whether an objective is missed now, or the queue grows, and chance does not explain it."""
    return after.growing or any(
        _more(then, now, objective.allowed)
        for then, now, objective in zip(before.misses, after.misses, asked, strict=True)
    )


def _more(then: Misses, now: Misses, allowed: float) -> bool:
    """Whether the share of misses is above what is allowed, and above what it was, by SIGMAS
    standard errors: the difference of two proportions, each with its dispersion."""
    if not then.n or not now.n:
        return False
    pooled = (then.count + now.count) / (then.n + now.n)
    each = [one.dispersion / one.n for one in (then, now)]
    error = math.sqrt(pooled * (1 - pooled) * sum(each))
    beyond = math.sqrt(allowed * (1 - allowed) * each[1])
    share = now.count / now.n
    return share > allowed + SIGMAS * beyond and share > then.count / then.n + SIGMAS * error
