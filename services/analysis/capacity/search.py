"""A search for a capacity: at which load to probe next, and when the answer is good enough.

First the load grows by a factor until an objective is missed or the queue grows; what an overloaded
server completes says where to look next. Then probes go to both sides of the crossing, about as far
from it as the odds of a miss change noticeably, until the 95 % interval is narrow enough. Every
probe counts, wherever it lies: the search only chooses loads, and the estimate gives the answer.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from services.analysis.capacity.estimate import (
    ENOUGH,
    Estimate,
    clearly_met,
    clearly_missed,
    estimate,
    sustained,
)
from services.analysis.capacity.hysteresis import recovery_of, valid_observations
from services.analysis.capacity.objective import Objective
from services.analysis.capacity.observation import Observation

GROW = 8.0  # factor from one load to the next, while nothing is missed
FIRST_BRACKET = 1.6  # between a sustained and a missed load: closer ones can be fitted
STEP = 0.8  # times a missed load: the highest next probe, if the rate at saturation is known
FEWEST = 8  # probes near the crossing, before an interval is trusted
NEAREST, FARTHEST = 0.03, 0.2  # of a probe to the crossing, on the log scale
STUCK = 3  # successive probes that the client failed to offer, between loads that it offered
INDEPENDENT = 60  # correlation times that a window should last
FEW = 10  # mean number of requests in a window, at least: with 3, 5 % of windows would be empty
FEW_MISSES = 3  # of those allowed that this many requests would have: fewer are seldom any
REPEATS = 3  # probes of the lowest and of the highest load, until it is clear what holds there
LONGEST = 5.0  # times the requested length: the longest window
TRIED, BEYOND = 1.2, 1.3  # times the capacity: there a queue grows visibly
ODDS = (1.0, -0.6)  # change of the log odds from the crossing to a probe above, and below it

Reason = Literal["precise", "most", "highest", "lowest", "client", "steps"]


@dataclass(frozen=True, slots=True)
class Search:
    """What to search: loads from `lowest` to `highest`, in requests per second or, with
    `whole_numbers`, users. The search ends when the interval is within ± `precision` (a share), or
    after `max_probes` probes."""

    objectives: tuple[Objective, ...]
    lowest: float = 1.0
    highest: float = 10_000.0
    whole_numbers: bool = False
    precision: float = 0.05
    max_probes: int = 15
    window_s: float = 60.0

    @property
    def fewest_requests(self) -> float:
        """Mean number of requests that a window near the capacity should have at least: enough for
        a few of them to miss the strictest objective."""
        strictest = min(objective.allowed for objective in self.objectives)
        return max(FEW, FEW_MISSES / strictest)


class Step(NamedTuple):
    """The next probe: its load, and the length of its window in seconds."""

    load: float
    window_s: float


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Why a search ended.

    "precise": the interval is narrow enough; "most": the limit on probes is reached; "highest": the
    highest load is sustained; "lowest": not even the lowest load is; "client": the client cannot
    offer the load to probe next; "steps": there is no number of users between those measured.
    """

    why: Reason
    estimate: Estimate | None
    at_least: float | None = None  # a load that was sustained, if no capacity was found
    at_most: float | None = None  # a load that was not
    shown: bool = False  # whether both of these are beyond chance, as far as there are any

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The lowest and the highest capacity, each with 97.5 % confidence; None: not known."""
        if self.estimate is not None:
            return self.estimate.low, self.estimate.high
        return (self.at_least, self.at_most) if self.shown else (None, None)


def next_step(search: Search, observations: Sequence[Observation]) -> Step | Conclusion:
    """Return the next probe, or how the search ended. A pure function of the observations, so an
    interrupted search continues where it stopped."""
    valid = valid_observations(observations, search.objectives)
    known = [probe for probe in valid if not probe.limited]
    found = estimate(known, search.objectives)
    load = _next_load(search, observations, known, found)
    return load if isinstance(load, Conclusion) else Step(load, _window_s(search, load, found))


def _window_s(search: Search, load: float, found: Estimate | None) -> float:
    """The length of the next probe's window, in seconds: long enough for some requests, for misses
    to be independent of each other (see `Estimate.correlation_s`), and for the queue to settle. If
    no allowed window is long enough for the queue, a longer one gains little."""
    longest_s = LONGEST * search.window_s
    few = search.fewest_requests if found else FEW
    few_s = 0.0 if search.whole_numbers else min(few / load, longest_s)
    usual_s = max(search.window_s, few_s)
    settles_s = ENOUGH * found.relaxation_s if found else 0.0
    if found is None or settles_s > longest_s:
        return usual_s
    return min(max(usual_s, INDEPENDENT * found.correlation_s, settles_s), longest_s)


def _next_load(
    search: Search,
    observations: Sequence[Observation],
    known: Sequence[Observation],
    found: Estimate | None,
) -> float | Conclusion:
    met = [probe.load for probe in known if sustained(probe, search.objectives)]
    missed = [probe.load for probe in known if not sustained(probe, search.objectives)]
    ceiling = _client_limit(observations)
    if not observations:
        return _clamp_load(search, search.lowest)
    again = _load_to_repeat(search, observations, ceiling)
    if again is not None and len(observations) < search.max_probes:
        return again
    end = _Ends(search, known, met, missed)
    if not met and missed:
        return _next_lower_load(search, known, end, len(observations))
    by_chance = found is None and met and max(missed, default=0.0) <= max(met)
    if not missed or (by_chance and len(observations) < search.max_probes):
        return _next_higher_load(search, end, ceiling, len(observations))
    if len(observations) >= search.max_probes:
        return end.conclude("most", found)
    if all(probe.limited for probe in observations[-STUCK:]):
        return end.conclude("client", found)
    low, high = max(met), min(missed)
    if low < high and high / low > FIRST_BRACKET:
        return _load_between(search, known, low, high)
    if (beyond := _overload_to_probe(search, observations, found)) is not None:
        return beyond
    return _refine(search, known, found, end)


def _load_to_repeat(
    search: Search, observations: Sequence[Observation], ceiling: float
) -> float | None:
    """A load to probe again: one that the client failed to offer, since another program may have
    kept it busy, or one well below the first overload."""
    last = observations[-1]
    if last.limited and last.load < ceiling:
        return last.load
    recovery = recovery_of(observations, search.objectives)
    return recovery.load if recovery is not None and recovery.after is None else None


def _overload_to_probe(
    search: Search, observations: Sequence[Observation], found: Estimate | None
) -> float | None:
    """A load well above the capacity, if none was probed: the rate completed there shows how long
    the queue takes to settle at the capacity. None for users, whose queue cannot grow without
    limit."""
    if (
        found is None
        or search.whole_numbers
        or max(probe.load for probe in observations) >= TRIED * found.value
    ):
        return None
    load = BEYOND * found.value
    return _clamp_load(search, load) if load <= search.highest else None


def _client_limit(observations: Sequence[Observation]) -> float:
    """The lowest load that the client failed to offer twice; infinite if there is none."""
    failed = Counter(probe.load for probe in observations if probe.limited)
    return min((load for load, times in failed.items() if times > 1), default=math.inf)


def _next_higher_load(search: Search, end: _Ends, ceiling: float, count: int) -> float | Conclusion:
    top = max(end.met, default=0.0)
    if ceiling < math.inf:
        low = max(top, search.lowest)
        if count >= search.max_probes or ceiling / low <= 1 + 2 * search.precision or not end.met:
            return end.conclude("client")
        return _unprobed_load(search, math.sqrt(low * ceiling), end.met) or end.conclude("client")
    if top >= search.highest:
        unclear = not clearly_met(end.at(top), search.objectives)
        if unclear and len(end.at(top)) < REPEATS and count < search.max_probes:
            return top
        return end.conclude("highest")
    if count >= search.max_probes:
        return end.conclude("most")
    return _clamp_load(search, top * GROW)


def _next_lower_load(
    search: Search, known: Sequence[Observation], end: _Ends, count: int
) -> float | Conclusion:
    lowest = min(end.missed)
    if lowest <= search.lowest:
        unclear = not clearly_missed(end.at(lowest), search.objectives)
        if unclear and len(end.at(lowest)) < REPEATS and count < search.max_probes:
            return lowest
        return end.conclude("lowest")
    if count >= search.max_probes:
        return end.conclude("most")
    return _clamp_load(search, min(lowest / 2, _saturated_rate(known) or lowest))


def _load_between(search: Search, known: Sequence[Observation], low: float, high: float) -> float:
    """A load between a sustained and a missed one: a little below the rate at saturation if it is
    known, otherwise the middle."""
    served = _saturated_rate(known)
    if served is None:
        return _clamp_load(search, math.sqrt(low * high))
    return _clamp_load(search, max(min(served, high * STEP), math.sqrt(low * high)))


def _saturated_rate(known: Sequence[Observation]) -> float | None:
    grown = [probe for probe in known if probe.growing]
    return 0.9 * min(grown, key=lambda probe: probe.load).served_per_s if grown else None


def _refine(
    search: Search, known: Sequence[Observation], found: Estimate | None, end: _Ends
) -> float | Conclusion:
    low, high = max(end.met), min(end.missed)
    if found is None:
        middle = _unprobed_load(search, math.sqrt(low * high), [*end.met, *end.missed])
        return middle or end.conclude("steps")
    if found.kind == "bracket":
        return _middle_of_bracket(search, found, end)
    near = [probe for probe in known if abs(math.log(probe.load / found.value)) <= 2 * FARTHEST]
    if found.width <= search.precision and len(near) >= FEWEST:
        return end.conclude("precise", found)
    away = _probe_distances(found)
    above = sum(probe.load > found.value for probe in near)
    load = found.value * math.exp(away[0] if 2 * above <= len(near) else away[1])
    return _clamp_load(search, min(max(load, low / FIRST_BRACKET), high * FIRST_BRACKET))


def _middle_of_bracket(search: Search, found: Estimate, end: _Ends) -> float | Conclusion:
    """The middle of a bracket that is too wide."""
    if found.width <= search.precision:
        return end.conclude("precise", found)
    middle = _unprobed_load(search, found.value, [*end.met, *end.missed])
    return middle or end.conclude("steps", found)


def _probe_distances(found: Estimate) -> tuple[float, float]:
    """How far above and below the crossing to probe, on the log scale. If no window is long enough
    for the queue to settle, the probe above is far enough to measure the rate at saturation
    again."""
    if not found.settled:
        return math.log(BEYOND), -NEAREST
    slope = found.slope or math.inf
    reach = [min(FARTHEST, max(NEAREST, abs(odds) / slope)) for odds in ODDS]
    return reach[0], -reach[1]


def _unprobed_load(search: Search, load: float, tried: Sequence[float]) -> float | None:
    """A load that was not probed yet; None if all whole numbers that remain were."""
    load = _clamp_load(search, load)
    return None if search.whole_numbers and load in tried else load


@dataclass(frozen=True, slots=True)
class _Ends:
    """The probes that count, and the loads that were met and missed: what a search knows when it
    ends."""

    search: Search
    known: Sequence[Observation]
    met: Sequence[float]
    missed: Sequence[float]

    def at(self, load: float) -> list[Observation]:
        return [probe for probe in self.known if probe.load == load]

    def conclude(self, why: Reason, found: Estimate | None = None) -> Conclusion:
        """Set `at_least` and `at_most` to the loads between which it is unclear what is sustained.
        By chance, a load may be sustained above one that was missed; then neither of them is a
        bound."""
        low, high = max(self.met, default=math.inf), min(self.missed, default=0.0)
        at_least = max((x for x in self.met if not self.missed or x < high), default=None)
        at_most = min((x for x in self.missed if not self.met or x > low), default=None)
        asked = self.search.objectives
        shown = (at_least is None or clearly_met(self.at(at_least), asked)) and (
            at_most is None or clearly_missed(self.at(at_most), asked)
        )
        return Conclusion(why, found, at_least, at_most, shown)


def _clamp_load(search: Search, load: float) -> float:
    load = min(max(load, search.lowest), search.highest)
    return float(round(load)) if search.whole_numbers else float(f"{load:.4g}")
