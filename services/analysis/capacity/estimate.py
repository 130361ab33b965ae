"""The capacity of a server as its probes tell it: the highest load at which all objectives are met
and the queue does not grow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import mul
from typing import Literal

from services.analysis.capacity.objective import Objective
from services.analysis.capacity.observation import Misses, Observation
from services.analysis.capacity.response import Share, crossing
from services.analysis.capacity.saturation import Saturation, room_s, saturation

NEAR = 0.35  # on the log scale: farther probes say little, and bend the curve
SATURATED = 3.0  # logits above what is allowed: there the curve of a queue bends upward
ENOUGH = 10.0  # relaxation times of the queue in a window that tells the long run
QUEUE = "the queue"

Kind = Literal["interval", "bracket", "open"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A load, in the unit of the search, with its 95 % interval. None: not bounded on that side.

    `kind`: "interval"; "bracket" where the response is a cliff, so that low and high are the loads
    on its two sides; "open" where one side is not known. `binding`: the text of the objective that
    is the first to be missed, or QUEUE."""

    value: float
    low: float | None
    high: float | None
    kind: Kind
    binding: str
    slope: float = 0.0  # of the log odds of a miss over the log of the load; 0 where not known
    correlation_s: float = 0.0  # for how long requests miss an objective together
    relaxation_s: float = 0.0  # for how long the queue remembers; 0 where not known
    settled: bool = True  # whether windows were long enough for that

    @property
    def width(self) -> float:
        """The interval's half-width as a ratio less 1: 0.05 for a value known to ±5 %."""
        if not self.low or not self.high:
            return math.inf
        return math.sqrt(self.high / self.low) - 1


def estimate(seen: Sequence[Observation], asked: Sequence[Objective]) -> Estimate | None:
    """Return the capacity: the lowest of what each objective and the queue allow. None where no
    load was missed, or none was met."""
    known = [one for one in seen if not one.limited]
    most = saturation(known)
    bounds = [_of_objective(known, place, one, most) for place, one in enumerate(asked)]
    found = [bound for bound in (*bounds, _of_queue(most)) if bound is not None]
    if not found:
        return None
    first = min(found, key=lambda bound: bound.value)
    lows = [bound.low for bound in found if bound.low is not None]
    highs = [bound.high for bound in found if bound.high is not None]
    low = min(lows) if len(lows) == len(found) else None
    high = min(highs) if highs else None
    kind: Kind = "open" if low is None or high is None else first.kind
    return replace(first, low=low, high=high, kind=kind)


def sustained(one: Observation, asked: Sequence[Objective]) -> bool:
    """Whether a probe met every objective, as counted, and its queue did not grow."""
    met = (
        misses.n and misses.count <= objective.allowed * misses.n
        for misses, objective in zip(one.misses, asked, strict=True)
    )
    return not one.growing and all(met)


def overloaded(one: Observation, asked: Sequence[Objective]) -> bool:
    """Whether a probe was far beyond what is sustained: its queue grew, or most missed."""
    return one.growing or any(
        misses.n and misses.count > _full(objective.allowed) * misses.n
        for misses, objective in zip(one.misses, asked, strict=True)
    )


def _of_objective(
    seen: Sequence[Observation], place: int, objective: Objective, most: Saturation | None
) -> Estimate | None:
    room = room_s(seen, place, objective) if seen else None
    shares = [_share(one, one.misses[place]) for one in seen]
    first = crossing(shares, objective.allowed)
    if first is None or not any(share.misses for share in shares):
        return None
    if (cliff := _cliff(seen, shares, objective)) is not None:
        return _in_the_long_run(cliff, _sides(seen, cliff), most, objective, room)
    full = _full(objective.allowed)
    near = [
        one
        for one, share in _with(seen, shares)
        if abs(math.log(one.load / first.value)) <= NEAR and share.misses <= full * share.n
    ]
    near += _missing_sides(seen, shares, near, first.value, objective.allowed)
    again = crossing(_correlated(near, place), objective.allowed) or first
    kind: Kind = "open" if again.low is None or again.high is None else "interval"
    found = Estimate(
        again.value,
        again.low,
        again.high,
        kind,
        objective.text,
        again.slope,
        correlation_s(near, place),
    )
    return _in_the_long_run(found, near, most, objective, room)


def _sides(seen: Sequence[Observation], cliff: Estimate) -> list[Observation]:
    return [one for one in seen if one.load in (cliff.low, cliff.high)]


def _cliff(
    seen: Sequence[Observation], shares: Sequence[Share], objective: Objective
) -> Estimate | None:
    """The two loads between which everything begins to be missed, where none was missed in part:
    then there is nothing to fit."""
    full = _full(objective.allowed)
    if any(share.misses and share.misses <= full * share.n for share in shares):
        return None
    met = max((one.load for one, share in _with(seen, shares) if not share.misses), default=None)
    missed = min((one.load for one, share in _with(seen, shares) if share.misses), default=None)
    if met is None or missed is None or met >= missed:
        return None
    return Estimate(math.sqrt(met * missed), met, missed, "bracket", objective.text)


def _full(allowed: float) -> float:
    """The share of misses from which on a server is so overloaded that a curve says nothing."""
    return 1 / (1 + (1 - allowed) / allowed * math.exp(-SATURATED))


def _with(
    seen: Sequence[Observation], shares: Sequence[Share]
) -> Iterable[tuple[Observation, Share]]:
    return zip(seen, shares, strict=True)


def _share(one: Observation, misses: Misses) -> Share:
    return Share(one.load, misses.count, misses.n, misses.dispersion)


def _correlated(near: Sequence[Observation], place: int) -> list[Share]:
    """The shares of probes, whose requests are correlated for the same time: what those with misses
    tell of it, each by its variance. A probe without misses tells nothing of it."""
    time_s = correlation_s(near, place)
    return [
        replace(share, dispersion=max(1.0, share.n / one.window_s * time_s))
        for one in near
        if (share := _share(one, one.misses[place]))
    ]


def correlation_s(near: Sequence[Observation], place: int) -> float:
    """Return for how many seconds the requests of probes miss an objective together; 0 where none
    missed it."""
    telling = [one for one in near if 0 < one.misses[place].count < one.misses[place].n]
    if not telling:
        return 0.0
    each = [one.misses[place].dispersion * one.window_s / one.misses[place].n for one in telling]
    weights = [one.misses[place].variance for one in telling]
    return float(sum(map(mul, each, weights)) / sum(weights))


def _missing_sides(
    seen: Sequence[Observation],
    shares: Sequence[Share],
    near: Sequence[Observation],
    value: float,
    allowed: float,
) -> list[Observation]:
    """The nearest probe that met an objective, and the nearest that did not, where none is near."""
    met = {id(one) for one, share in _with(seen, shares) if share.met(allowed)}
    added = []
    for wanted in (True, False):
        if any((id(one) in met) is wanted for one in near):
            continue
        side = [one for one in seen if (id(one) in met) is wanted]
        if side:
            added.append(min(side, key=lambda one: abs(math.log(one.load / value))))
    return added


def _in_the_long_run(
    found: Estimate,
    near: Sequence[Observation],
    most: Saturation | None,
    objective: Objective,
    room: float | None,
) -> Estimate:
    """An objective's estimate, as far down as it may be where windows are too short for the queue:
    there, what the server completes at most says more than what was missed so far."""
    share = most.below(objective, room) if most and room else None
    if most is None or share is None:
        return found
    below = most.rate * (1 - share)
    relaxation_s = most.relaxation_s(min(found.value, below))
    window_s = sum(one.window_s**2 for one in near) / sum(one.window_s for one in near)
    if window_s >= ENOUGH * relaxation_s:
        return replace(found, relaxation_s=relaxation_s)
    low = found.low and min(found.low, below * math.exp(-most.half))
    return replace(
        found,
        value=min(found.value, below),
        low=low,
        kind="open" if low is None or found.high is None else "interval",
        relaxation_s=relaxation_s,
        settled=False,
    )


def _of_queue(most: Saturation | None) -> Estimate | None:
    if most is None:
        return None
    return Estimate(most.rate, most.low, most.high, "interval", QUEUE)
