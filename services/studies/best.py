"""Which configuration is best for what, and whether the next one is really behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb

from services.analysis.compare import Word
from services.analysis.statistics import Ratio, ratio
from services.studies.curves import series_of
from services.studies.scaling import COST, E2E, GOODPUT, THROUGHPUT, Row, Scaling, why_not, words_of
from services.studies.work import Work

WANTED = 0.99  # of the requests keep the objectives, or it does not count


@dataclass(frozen=True)
class Criterion:
    """What is looked for. `takes` says which of a series' rows count."""

    name: str
    label: str
    measure: str
    unit: str
    more: bool
    takes: Callable[[Row, Sequence[Row]], bool]


@dataclass(frozen=True)
class Best:
    """The best row of a series of works by a criterion. `runner_up` is the best row of another
    configuration; `ahead` how many times as good `row` is; `word`: whether that may be chance.
    `among`: the rows of the series that have a number."""

    criterion: Criterion
    series: Work
    row: Row
    runner_up: Row | None
    ahead: Ratio | None
    word: Word
    why_not: str = ""
    among: tuple[Row, ...] = ()


def best(scaling: Scaling) -> tuple[Best, ...]:
    """Return the best of each series of works by each criterion that has a number there."""
    series: dict[Work, list[Row]] = {}
    for row in scaling.rows:
        series.setdefault(series_of(row.work), []).append(row)
    found = (_best(one, key, rows) for key, rows in series.items() for one in CRITERIA)
    return tuple(one for one in found if one is not None)


def _best(criterion: Criterion, series: Work, rows: Sequence[Row]) -> Best | None:
    known = [row for row in rows if row.level(criterion.measure)]
    counted = [row for row in known if criterion.takes(row, known)]
    ordered = sorted(counted, key=lambda row: _value(criterion, row), reverse=criterion.more)
    firsts = {row.configuration: row for row in reversed(ordered)}  # each configuration's best
    if not firsts:
        return None
    row = ordered[0]
    others = [one for one in ordered if firsts[one.configuration] is one and one is not row]
    if not others:
        return Best(criterion, series, row, None, None, "no verdict", "", tuple(known))
    ahead, why = _ahead(criterion, row, others[0])
    word = words_of([ahead], _pairs(ordered))[0] if ahead and not why else "no verdict"
    return Best(criterion, series, row, others[0], ahead, word, why, tuple(known))


def _pairs(rows: Sequence[Row]) -> int:
    """How many pairs the first and the runner-up were picked from: each two rows of different
    configurations, at whatever batch sizes."""
    alike = Counter(row.configuration for row in rows)
    return comb(len(rows), 2) - sum(comb(count, 2) for count in alike.values())


def _value(criterion: Criterion, row: Row) -> float:
    found = row.level(criterion.measure)
    assert found is not None
    return found.value


def _ahead(criterion: Criterion, row: Row, other: Row) -> tuple[Ratio | None, str]:
    """How many times as good the first is. It was picked as the best of several, which the number
    of pairs makes up for."""
    numbers = row.numbers[criterion.measure], other.numbers[criterion.measure]
    first, second = numbers if criterion.more else reversed(numbers)
    return ratio(second, first), why_not(other, row)


def _all(row: Row, rows: Sequence[Row]) -> bool:
    return True


def _least_loaded(row: Row, rows: Sequence[Row]) -> bool:
    """Latency is that of a server with as little to do as was measured: with more it is waiting."""
    sizes = [one.work.size or one.work.requests for one in rows]
    return (row.work.size or row.work.requests) == min(sizes)


def _keeps(row: Row, rows: Sequence[Row]) -> bool:
    found = row.attainment
    return found is not None and found[0] >= WANTED * found[1]


CRITERIA = (
    Criterion("throughput", "Throughput", THROUGHPUT, "tokens/s", True, _all),
    Criterion("latency", "Latency (median E2E)", E2E, "s", False, _least_loaded),
    Criterion("cost", "Cost per million output tokens", COST, "USD", False, _all),
    Criterion(
        "objectives",
        "Goodput, with 99 % of requests within the objectives",
        GOODPUT,
        "requests/s",
        True,
        _keeps,
    ),
)
