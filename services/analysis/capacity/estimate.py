"""Estimate the capacity of a server from its probes: the highest load at which all objectives are
met and the queue does not grow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import mul
from typing import Literal

from services.analysis.capacity.objective import Objective
from services.analysis.capacity.observation import Misses, Observation
from services.analysis.capacity.response import MissRate, crossing
from services.analysis.capacity.saturation import Saturation, room_s, saturation
from services.analysis.statistics import CONFIDENCE, wilson

NEAR = 0.35  # on the log scale: probes farther from the crossing say little and distort the fit
SATURATED = 3.0  # logits above the allowed share: there a queue's curve bends upward
ENOUGH = 10.0  # relaxation times of the queue: a window this long shows the steady state
QUEUE = "the queue"
CHANCE = (1 - CONFIDENCE) / 2

Kind = Literal["interval", "bracket", "open"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimated capacity, in the unit of the search, with its 95 % interval. None: not bounded
    on that side.

    `kind`: "interval"; "bracket" if no probe missed an objective in part, so that `low` and `high`
    are the loads on either side of the jump; "open" if one side is unknown. `binding`: the text of
    the first objective to be missed, or QUEUE.
    """

    value: float
    low: float | None
    high: float | None
    kind: Kind
    binding: str
    slope: float = 0.0  # of the log odds of a miss over the log of the load; 0 if unknown
    correlation_s: float = 0.0  # how long misses of an objective stay correlated
    relaxation_s: float = 0.0  # relaxation time of the queue; 0 if unknown
    settled: bool = True  # whether the windows were long enough for the queue to settle

    @property
    def width(self) -> float:
        """Half the interval's width, as a ratio minus 1: 0.05 for a value known to ±5 %."""
        if not self.low or not self.high:
            return math.inf
        return math.sqrt(self.high / self.low) - 1


def estimate(
    observations: Sequence[Observation], objectives: Sequence[Objective]
) -> Estimate | None:
    """Return the capacity: the lowest load allowed by any objective or by the queue. None if no
    load was missed, or none was met."""
    known = [probe for probe in observations if not probe.limited]
    saturated = saturation(known)
    each = [
        _estimate_for_objective(known, index, objective, saturated)
        for index, objective in enumerate(objectives)
    ]
    bounds = [bound for bound in (*each, _saturation_estimate(saturated)) if bound is not None]
    if not bounds:
        return None
    first = min(bounds, key=lambda bound: bound.value)
    lows = [bound.low for bound in bounds if bound.low is not None]
    highs = [bound.high for bound in bounds if bound.high is not None]
    low = min(lows) if len(lows) == len(bounds) else None
    high = min(highs) if highs else None
    kind: Kind = "open" if low is None or high is None else first.kind
    return replace(first, low=low, high=high, kind=kind)


def sustained(probe: Observation, objectives: Sequence[Objective]) -> bool:
    """Return whether a probe met every objective, and its queue did not grow."""
    met = (
        misses.n and misses.count <= objective.allowed * misses.n
        for misses, objective in zip(probe.misses, objectives, strict=True)
    )
    return not probe.growing and all(met)


def clearly_met(probes: Sequence[Observation], objectives: Sequence[Objective]) -> bool:
    """Return whether probes of one load show that it is sustained: the upper 97.5 % bound of the
    share of misses is within what each objective allows, and no queue grew."""
    shares = _pooled_shares(probes, objectives)
    within = (high <= objective.allowed for (_, high), objective in shares)
    return bool(probes) and not any(probe.growing for probe in probes) and all(within)


def clearly_missed(probes: Sequence[Observation], objectives: Sequence[Objective]) -> bool:
    """Return whether probes of one load show that it is not sustained: the lower 97.5 % bound of
    the share of misses is more than an objective allows, or a queue grew."""
    shares = _pooled_shares(probes, objectives)
    beyond = (low > objective.allowed for (low, _), objective in shares)
    return any(probe.growing for probe in probes) or any(beyond)


def _pooled_shares(
    probes: Sequence[Observation], objectives: Sequence[Objective]
) -> Iterable[tuple[tuple[float, float], Objective]]:
    """The interval of the share of misses over several probes, by objective. Requests that miss
    together count as fewer, by their dispersion."""
    for index, objective in enumerate(objectives):
        each = [probe.misses[index] for probe in probes]
        count = sum(misses.count / misses.dispersion for misses in each)
        yield wilson(count, sum(misses.n / misses.dispersion for misses in each)), objective


def overloaded(probe: Observation, objectives: Sequence[Objective]) -> bool:
    """Return whether a load was far too high: the queue grew, or most requests missed an
    objective."""
    return probe.growing or any(
        misses.n and misses.count > _overload_share(objective.allowed) * misses.n
        for misses, objective in zip(probe.misses, objectives, strict=True)
    )


def _estimate_for_objective(
    observations: Sequence[Observation],
    index: int,
    objective: Objective,
    saturated: Saturation | None,
) -> Estimate | None:
    wait_s = room_s(observations, index, objective) if observations else None
    shares = [_miss_rate(probe, probe.misses[index]) for probe in observations]
    first = crossing(shares, objective.allowed)
    if first is None or not any(share.misses for share in shares):
        return None
    if (cliff := _cliff(shares, objective)) is not None:
        return _lower_to_long_run(
            cliff, _cliff_probes(observations, cliff), saturated, objective, wait_s
        )
    full = _overload_share(objective.allowed)
    near = [
        probe
        for probe, share in _zip_shares(observations, shares)
        if abs(math.log(probe.load / first.value)) <= NEAR and share.misses <= full * share.n
    ]
    near += _missing_sides(observations, shares, near, first.value, objective.allowed)
    refined = crossing(_correlated(near, index), objective.allowed) or first
    kind: Kind = "open" if refined.low is None or refined.high is None else "interval"
    result = Estimate(
        refined.value,
        refined.low,
        refined.high,
        kind,
        objective.text,
        refined.slope,
        correlation_s(near, index),
    )
    return _lower_to_long_run(result, near, saturated, objective, wait_s)


def _cliff_probes(observations: Sequence[Observation], cliff: Estimate) -> list[Observation]:
    return [probe for probe in observations if probe.load in (cliff.low, cliff.high)]


def _cliff(shares: Sequence[MissRate], objective: Objective) -> Estimate | None:
    """The two loads between which requests begin to miss an objective, if no probe missed it in
    part: there is nothing to fit then. None, too, if so few requests were sent at the lower load
    that even more misses than are allowed could by chance be none: those that miss together count
    as one."""
    full = _overload_share(objective.allowed)
    if any(share.misses and share.misses <= full * share.n for share in shares):
        return None
    met = max((share.load for share in shares if not share.misses), default=None)
    missed = min((share.load for share in shares if share.misses), default=None)
    if met is None or missed is None or met >= missed:
        return None
    together = max(share.dispersion for share in shares)
    sent = sum(share.n for share in shares if share.load == met) / together
    if (1 - objective.allowed) ** sent > CHANCE:
        return None
    return Estimate(math.sqrt(met * missed), met, missed, "bracket", objective.text)


def _overload_share(allowed: float) -> float:
    """The share of misses above which a server is too overloaded for the curve to apply."""
    return 1 / (1 + (1 - allowed) / allowed * math.exp(-SATURATED))


def _zip_shares(
    observations: Sequence[Observation], shares: Sequence[MissRate]
) -> Iterable[tuple[Observation, MissRate]]:
    return zip(observations, shares, strict=True)


def _miss_rate(probe: Observation, misses: Misses) -> MissRate:
    return MissRate(probe.load, misses.count, misses.n, misses.dispersion)


def _correlated(near: Sequence[Observation], index: int) -> list[MissRate]:
    """The miss rates of probes, with one correlation time for all: the average of those estimated
    from probes with misses, weighted by variance."""
    time_s = correlation_s(near, index)
    return [
        replace(share, dispersion=max(1.0, share.n / probe.window_s * time_s))
        for probe in near
        if (share := _miss_rate(probe, probe.misses[index]))
    ]


def correlation_s(near: Sequence[Observation], index: int) -> float:
    """Return how long misses of an objective stay correlated, in seconds, averaged over the probes;
    0 if no probe missed it in part."""
    telling = [probe for probe in near if 0 < probe.misses[index].count < probe.misses[index].n]
    if not telling:
        return 0.0
    each = [
        probe.misses[index].dispersion * probe.window_s / probe.misses[index].n for probe in telling
    ]
    weights = [probe.misses[index].variance for probe in telling]
    return float(sum(map(mul, each, weights)) / sum(weights))


def _missing_sides(
    observations: Sequence[Observation],
    shares: Sequence[MissRate],
    near: Sequence[Observation],
    value: float,
    allowed: float,
) -> list[Observation]:
    """The nearest probe that met the objective, or the nearest that missed it, if `near` has
    none."""
    met = {id(probe) for probe, share in _zip_shares(observations, shares) if share.met(allowed)}
    added = []
    for wanted in (True, False):
        if any((id(probe) in met) is wanted for probe in near):
            continue
        side = [probe for probe in observations if (id(probe) in met) is wanted]
        if side:
            added.append(min(side, key=lambda probe: abs(math.log(probe.load / value))))
    return added


def _lower_to_long_run(
    found: Estimate,
    near: Sequence[Observation],
    saturated: Saturation | None,
    objective: Objective,
    wait_s: float | None,
) -> Estimate:
    """Lower an objective's estimate if the windows were too short for the queue to settle: then the
    rate at saturation says more than the misses counted so far."""
    share = saturated.below(objective, wait_s) if saturated and wait_s else None
    if saturated is None or share is None:
        return found
    below = saturated.rate * (1 - share)
    relaxation_s = saturated.relaxation_s(min(found.value, below))
    window_s = sum(probe.window_s**2 for probe in near) / sum(probe.window_s for probe in near)
    if window_s >= ENOUGH * relaxation_s:
        return replace(found, relaxation_s=relaxation_s)
    low = found.low and min(found.low, below * math.exp(-saturated.half))
    return replace(
        found,
        value=min(found.value, below),
        low=low,
        kind="open" if low is None or found.high is None else "interval",
        relaxation_s=relaxation_s,
        settled=False,
    )


def _saturation_estimate(saturated: Saturation | None) -> Estimate | None:
    if saturated is None:
        return None
    return Estimate(saturated.rate, saturated.low, saturated.high, "interval", QUEUE)
