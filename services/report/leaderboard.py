"""A leaderboard of stored runs as a table of texts, and why its ranks say less than they seem
to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from services.analysis.compare.trend import KINDS
from services.analysis.pareto import BETTER, LeaderboardEntry, Measure, pareto_front, ranked
from services.base.table import Table
from services.base.units import NOTHING, between, many, show

Against = Literal["throughput", "price"]


def leaderboard(standings: Sequence[LeaderboardEntry], by: Measure, against: Against) -> Table:
    """Rank runs by one measure, and mark those on the Pareto front of the chart."""
    best = pareto_front_ids(standings, against)
    priced = any(each.price is not None for each in standings)
    several = len({each.model for each in standings}) > 1
    warned = any(each.warnings for each in standings)
    rows = tuple(
        (
            NOTHING if rank is None else str(rank),
            each.label,
            *([each.model or NOTHING] if several else []),
            _shown(each, "throughput"),
            _shown(each, "speed"),
            *([_shown(each, "price")] if priced else []),
            "● yes" if each.run_id in best else "no",
            *([str(each.warnings) if each.warnings else NOTHING] if warned else []),
        )
        for rank, each in ranked(standings, by)
    )
    titles = (
        *(["Model"] if several else []),
        "Output throughput (tokens/s)",
        "Tokens/s per request",
        *([COST] if priced else []),
    )
    columns = ("Rank", "Run", *titles, "Pareto front", *(["Warnings"] if warned else []))
    return Table("Leaderboard", columns, rows, NOTE + OF_WARNINGS * warned)


def _shown(entry: LeaderboardEntry, measure: Measure) -> str:
    """A measure with its interval: "38.9 (34.5–43.1)"."""
    unit = "USD" if measure == "price" else ""
    text = show(entry.of(measure), unit)
    if measure not in entry.intervals:
        return text
    low, high = entry.intervals[measure]
    return f"{text} ({between(low, high, unit)})"


def pareto_front_ids(standings: Sequence[LeaderboardEntry], against: Against) -> tuple[int, ...]:
    """Return the ids of the runs on the Pareto front of speed against throughput or price."""
    points = [(each.speed, each.of(against)) for each in standings]
    return tuple(
        standings[index].run_id
        for index in pareto_front(points, (BETTER["speed"], BETTER[against]))
    )


def differences_note(
    standings: Sequence[LeaderboardEntry], summaries: Iterable[Mapping[str, Any]]
) -> str:
    """Return a sentence on what the runs differ in besides their speed, or ""."""
    known = {each.model for each in standings if each.model}
    works = {work for summary in summaries if (work := summary.get("work"))}
    differ = [f"{many(len(known), 'model')}"] * (len(known) > 1)
    differ += [f"{len(works)} {KINDS}"] * (len(works) > 1)
    if not differ:
        return ""
    have = f"These runs have {' and '.join(differ)}."
    return f"{have} Their order may come from that, not from the servers."


COST = "USD per million output tokens"
NOTE = (
    "In brackets: the 95 % interval of the geometric mean over the run's repeats, if it has three "
    "or more. The number before it is the mean over repeats, or for tokens/s per request the "
    "median over all requests, so it may lie off the middle. Ranks do not say whether runs differ: "
    "select them in History and compare them. On the Pareto front: no other run is at least as "
    "good in both measures of the chart and better in one."
)
OF_WARNINGS = " A warning, on the run's own page, says why its numbers may be misleading."
