"""The best configuration by each criterion, and whether the runner-up is really behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb

from services.analysis.compare import Word
from services.analysis.statistics import Ratio, ratio
from services.studies.curves import series_of
from services.studies.scaling import (
    COST,
    E2E,
    GOODPUT,
    THROUGHPUT,
    Row,
    Scaling,
    judge_ratios,
    why_not,
)
from services.studies.work import Work

ATTAINMENT = 0.99  # share of the requests that must meet the objectives


@dataclass(frozen=True)
class Criterion:
    """What "best" means. `takes` returns whether a row of a series is eligible."""

    name: str
    label: str
    measure: str
    unit: str
    more: bool
    takes: Callable[[Row, Sequence[Row]], bool]


@dataclass(frozen=True)
class BestConfiguration:
    """The best row of a series of works by a criterion. `runner_up` is the best row of another
    configuration; `ratio` is that of the metric, the best to the runner-up, and `word` its verdict.
    `among` are the rows of the series that have the measure."""

    criterion: Criterion
    series: Work
    row: Row
    runner_up: Row | None
    ratio: Ratio | None
    word: Word
    why_not: str = ""
    among: tuple[Row, ...] = ()


def best(scaling: Scaling) -> tuple[BestConfiguration, ...]:
    """Return the best row of each series of works by each criterion that was measured."""
    series: dict[Work, list[Row]] = {}
    for row in scaling.rows:
        series.setdefault(series_of(row.work), []).append(row)
    winners = (
        _best(criterion, work, rows) for work, rows in series.items() for criterion in CRITERIA
    )
    return tuple(winner for winner in winners if winner is not None)


def _best(criterion: Criterion, series: Work, rows: Sequence[Row]) -> BestConfiguration | None:
    measured = [row for row in rows if row.level(criterion.measure)]
    eligible = [row for row in measured if criterion.takes(row, measured)]
    ordered = sorted(eligible, key=lambda row: _value(criterion, row), reverse=criterion.more)
    firsts = {row.configuration: row for row in reversed(ordered)}  # each configuration's best
    if not firsts:
        return None
    row = ordered[0]
    others = [
        other_row
        for other_row in ordered
        if firsts[other_row.configuration] is other_row and other_row is not row
    ]
    if not others:
        return BestConfiguration(
            criterion, series, row, None, None, "no verdict", "", tuple(measured)
        )
    runner_up = others[0]
    measure = criterion.measure
    to_next = ratio(runner_up.numbers[measure], row.numbers[measure])
    why = why_not(runner_up, row)
    word: Word = "no verdict"
    if to_next and not why:
        judged = to_next if criterion.more else to_next.inverse
        word = judge_ratios([judged], _pairs(ordered))[0]
    return BestConfiguration(criterion, series, row, runner_up, to_next, word, why, tuple(measured))


def _pairs(rows: Sequence[Row]) -> int:
    """Number of pairs from which the best and the runner-up were chosen: any two rows of different
    configurations."""
    by_configuration = Counter(row.configuration for row in rows)
    return comb(len(rows), 2) - sum(comb(count, 2) for count in by_configuration.values())


def _value(criterion: Criterion, row: Row) -> float:
    level = row.level(criterion.measure)
    assert level is not None
    return level.value


def _accept_all(row: Row, rows: Sequence[Row]) -> bool:
    return True


def _least_loaded(row: Row, rows: Sequence[Row]) -> bool:
    """Whether the row has the smallest load measured; at higher loads, latency includes waiting."""
    sizes = [other.work.size or other.work.requests for other in rows]
    return (row.work.size or row.work.requests) == min(sizes)


def _meets_objectives(row: Row, rows: Sequence[Row]) -> bool:
    attainment = row.attainment
    return attainment is not None and attainment[0] >= ATTAINMENT * attainment[1]


CRITERIA = (
    Criterion("throughput", "Throughput", THROUGHPUT, "tokens/s", True, _accept_all),
    Criterion("latency", "Latency (median E2E)", E2E, "s", False, _least_loaded),
    Criterion("cost", "Cost per million output tokens", COST, "USD", False, _accept_all),
    Criterion(
        "objectives",
        "Goodput, with 99 % of requests within the objectives",
        GOODPUT,
        "requests/s",
        True,
        _meets_objectives,
    ),
)
