"""Which configuration of a study has the highest capacity: the searches it takes, and the verdict.

First the capacity of each configuration is searched. The best of several is partly the luckiest, so
these searches do not decide: the two best are searched again, alternating on fresh starts of both
(A B, B A, …), and the verdict uses only those.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from services.analysis.capacity import CapacityRatio, Conclusion, Estimate, ratio_over_starts
from services.ask.config import RunConfig
from services.servers.engines import EngineConfig
from services.studies.capacity import Capacity
from services.studies.capacity_config import CapacityConfig, CapacitySearch
from services.studies.study_config import StudyCapacity

FEWEST = 2  # fresh starts of each: fewer do not show the variation between starts
ENDED = ("done", "failed")  # all others are still going on, or can be resumed
NEAR = 2.0  # a search on a fresh start covers half to twice the capacity found


@dataclass(frozen=True, slots=True)
class PlannedSearch:
    """A search to be made, with its engine, run and start (0: the first)."""

    engine: EngineConfig
    config: CapacityConfig
    start: int = 0

    @property
    def run(self) -> RunConfig:
        return self.config.servers[0]


@dataclass(frozen=True, slots=True)
class StudySearch:
    """A search of a study, with its engine."""

    engine: EngineConfig
    capacity: Capacity

    @property
    def run(self) -> RunConfig:
        return self.capacity.config.servers[0]

    @property
    def ended(self) -> Conclusion | None:
        return self.capacity.conclusions[0]

    @property
    def found(self) -> Estimate | None:
        """Its capacity, if that is bounded on both sides."""
        estimate = self.ended.estimate if self.ended else None
        return estimate if estimate and estimate.low and estimate.high else None

    @property
    def out_of_range(self) -> bool:
        """Whether it ended at the lowest or the highest load, with no capacity between them."""
        return self.ended is not None and self.ended.why in ("lowest", "highest")

    @property
    def at_least(self) -> float:
        """The highest load that it showed to be sustained; 0 if none."""
        if self.found is not None:
            return self.found.value
        return (self.ended.at_least or 0.0) if self.ended else 0.0

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The ends of its interval, or the loads between which it is unclear what is sustained;
        None if its capacity is not bounded on both sides."""
        if self.found is not None and self.found.low and self.found.high:
            return self.found.low, self.found.high
        if self.ended is None or not self.ended.at_least or not self.ended.at_most:
            return None
        return self.ended.at_least, self.ended.at_most

    @property
    def likely(self) -> float:
        """Its capacity as far as it is known, to rank by; 0 if it sustains nothing."""
        if self.found is None and self.bounds is not None:
            return math.sqrt(self.bounds[0] * self.bounds[1])
        return self.at_least


@dataclass(frozen=True, slots=True)
class HighestCapacity:
    """The result for one workload: its configurations, the best first, and the two best on fresh
    starts. `ratio`: the first's capacity divided by the second's, from fresh starts alone.
    `problem`: the reason, as a sentence, if there is no such comparison."""

    run: RunConfig
    ranked: tuple[StudySearch, ...]
    again: tuple[StudySearch, ...] = ()
    ratio: CapacityRatio | None = None
    problem: str | None = None

    @property
    def finalists(self) -> tuple[StudySearch, StudySearch] | None:
        """The two best, if the capacities of both are bounded."""
        if len(self.ranked) < 2 or not (self.ranked[0].bounds and self.ranked[1].bounds):
            return None
        return self.ranked[0], self.ranked[1]

    def starts_of(self, searched: StudySearch) -> tuple[StudySearch, ...]:
        """The searches of a configuration on fresh starts."""
        return tuple(search for search in self.again if search.engine == searched.engine)

    @property
    def finals(self) -> tuple[tuple[StudySearch, ...], tuple[StudySearch, ...]]:
        """The searches on fresh starts of each of the two best that were interleaved with each
        other; () if there are none yet, for example after a better configuration was added."""
        if self.finalists is None:
            return (), ()
        first, second = map(self.starts_of, self.finalists)
        shared = {one.capacity.start for one in first} & {one.capacity.start for one in second}
        return _searches_of_starts(first, shared), _searches_of_starts(second, shared)


def searches(
    engines: Iterable[EngineConfig], runs: Sequence[RunConfig], config: StudyCapacity
) -> list[PlannedSearch]:
    """Return the first searches of a study."""
    return [PlannedSearch(engine, search_config(config, run)) for engine in engines for run in runs]


def search_config(config: CapacitySearch, run: RunConfig) -> CapacityConfig:
    """Return the search for one configuration's capacity."""
    values = {name: getattr(config, name) for name in CapacitySearch.model_fields}
    return CapacityConfig(**values, servers=(run,))


def highest(searches: Sequence[StudySearch], config: StudyCapacity) -> tuple[HighestCapacity, ...]:
    """Return the result for each workload."""
    works = dict.fromkeys(search.run for search in searches)
    return tuple(
        _highest_of_work([search for search in searches if search.run == work], config)
        for work in works
    )


def _highest_of_work(searches: Sequence[StudySearch], config: StudyCapacity) -> HighestCapacity:
    first = sorted((search for search in searches if search.capacity.start == 0), key=_rank)
    again = tuple(search for search in searches if search.capacity.start > 0)
    result = HighestCapacity(searches[0].run, tuple(first), again)
    two = result.finalists
    if two is None:
        return replace(result, problem=_why_no_finals(first))
    if any(search.out_of_range for search in chain(*result.finals)):
        return replace(result, problem=OUT_OF_RANGE)
    a, b = ([search.found for search in each if search.found] for each in result.finals)
    enough = min(len(a), len(b)) >= FEWEST
    ratio = ratio_over_starts(b, a, config.margin) if enough else None
    return replace(result, ratio=ratio, problem=None if ratio else _why_no_verdict(result))


def _why_no_verdict(known: HighestCapacity) -> str | None:
    """Why there is no verdict on the two best after their fresh starts were measured."""
    made = known.finals[0] + known.finals[1]
    if not made or any(search.capacity.status not in ENDED for search in made):
        return None
    return NO_FRESH


def _searches_of_starts(
    searches: Sequence[StudySearch], starts: Collection[int]
) -> tuple[StudySearch, ...]:
    return tuple(search for search in searches if search.capacity.start in starts)


def _rank(search: StudySearch) -> tuple[float, int]:
    return -search.likely, search.capacity.id


def _why_no_finals(first: Sequence[StudySearch]) -> str | None:
    """Why the two best cannot be compared after all configurations were searched."""
    if any(search.capacity.status not in ENDED for search in first):
        return None
    if sum(search.at_least > 0 for search in first) < 2:
        return ONLY_ONE
    return NOT_BOUNDED


def final_searches(searches: Sequence[StudySearch], config: StudyCapacity) -> list[PlannedSearch]:
    """Return the searches on fresh starts to make next, in order: none before every configuration
    has been searched, if one was cut short, or if the same two were searched already."""
    if any(search.capacity.status not in ENDED for search in searches):
        return []
    return list(chain(*(_planned_finals(each, config) for each in highest(searches, config))))


def _planned_finals(known: HighestCapacity, config: StudyCapacity) -> list[PlannedSearch]:
    """The fresh starts of the two best of a workload, numbered after those made before a better
    configuration was added."""
    two = known.finalists
    if two is None or any(known.finals):
        return []
    last = max((search.capacity.start for search in known.again), default=0)
    order = chain(*(two if number % 2 == 0 else two[::-1] for number in range(config.starts)))
    return [
        PlannedSearch(search.engine, _narrow_search(config, search), last + 1 + index // 2)
        for index, search in enumerate(order)
    ]


def _narrow_search(config: StudyCapacity, search: StudySearch) -> CapacityConfig:
    """The search in a narrower range around the capacity that was found."""
    assert search.bounds is not None
    low, high = search.bounds
    lowest, highest = max(config.lowest, low / NEAR), min(config.highest, high * NEAR)
    if config.load == "users":
        lowest, highest = max(config.lowest, math.floor(lowest)), max(2.0, math.ceil(highest))
    near = config.model_copy(update={"lowest": lowest, "highest": highest})
    return search_config(near, search.run)


ONLY_ONE = "Fewer than two configurations sustain a load, so there is nothing to compare."
NOT_BOUNDED = (
    "The capacity of one of the two best has no upper limit, so they are not measured again: see "
    "its search for the reason."
)
OUT_OF_RANGE = (
    "On a fresh start, one of the two best did not sustain the lowest load of its search, or "
    "sustained even the highest. Its starts differ too much for a verdict: see its searches."
)
NO_FRESH = (
    "On fresh starts, one of the two best had fewer than two capacities with an interval, which "
    "is too few for a verdict: see its searches for the reason."
)
