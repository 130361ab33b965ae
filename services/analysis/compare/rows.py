"""The rows of a comparison: each measure as one number per repeat, and the ratios of the runs.

Requests of one repeat are correlated, and a test over them would find false differences; so each
repeat counts as one number. The repeats of a comparison are interleaved (A B A B), so that changes
of the machine affect all runs alike, and are compared in pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from services.analysis.compare.candidate import Candidate
from services.analysis.metrics import Better, metric, of_class
from services.analysis.statistics import MINIMUM_REPEATS, Ratio, ratio
from services.analysis.summary.repeats import RepeatSummary, error_rate
from services.analysis.turns import session_times
from services.ask import modes
from services.ask.measurements import Floats
from services.ask.workloads import CLASSES

SUM_OF_A_REPEAT = "e2e_s_sum_of_a_repeat"  # not in `summary_row`


@dataclass(frozen=True, slots=True)
class Compared:
    """A measure to compare: its name in `summary_row` (or SUM_OF_A_REPEAT), and a function that
    returns its value for each repeat."""

    name: str
    label: str
    unit: str
    better: Better
    of: Callable[[Candidate], list[float | None]]


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of every candidate, the baseline first.

    `values` are those of the whole runs, as in `summary_row`. `ratios` are relative to the baseline
    (whose own is None), of geometric means over the repeats; None if a number is missing or zero.
    """

    metric: str
    label: str
    unit: str
    better: Better
    values: tuple[float | None, ...]
    ratios: tuple[Ratio | None, ...]


def rows(candidates: Sequence[Candidate]) -> tuple[Row, ...]:
    """Return a row for each measure that at least one candidate has. If the client waits between
    requests in one of them, measures that depend on wall time come last."""
    by_name = {compared.name: compared for compared in COMPARED}
    names = modes.sort_metrics(by_name, *(candidate.run.config for candidate in candidates))
    table = (_row(by_name[name], candidates) for name in names)
    return tuple(row for row in table if any(value is not None for value in row.values))


def _row(compared: Compared, candidates: Sequence[Candidate]) -> Row:
    by_run = [by_index(compared, candidate) for candidate in candidates]
    return Row(
        compared.name,
        compared.label,
        compared.unit,
        compared.better,
        tuple(_run_value(compared.name, *each) for each in zip(candidates, by_run, strict=True)),
        (
            None,
            *(
                ratio_of(by_run[0], numbers, interleaved(candidates[0], other))
                if _is_comparable(compared.name, candidates[0], other)
                else None
                for numbers, other in zip(by_run[1:], candidates[1:], strict=True)
            ),
        ),
    )


def _is_comparable(name: str, baseline: Candidate, other: Candidate) -> bool:
    """Whether the ratio of a measure means anything: the sum of more requests is larger for that
    reason alone."""
    return name != SUM_OF_A_REPEAT or baseline.per_repeat == other.per_repeat


def _run_value(name: str, candidate: Candidate, repeats: Mapping[int, float]) -> float | None:
    """The value for the whole run; for SUM_OF_A_REPEAT the mean over repeats."""
    number: float | None = candidate.row.get(name)
    if name in candidate.row or not repeats:
        return number
    return fmean(repeats.values())


def interleaved(baseline: Candidate, other: Candidate) -> bool:
    """Whether the repeats of two runs were interleaved."""
    return (
        baseline.run.comparison_id is not None
        and baseline.run.comparison_id == other.run.comparison_id
    )


def by_index(compared: Compared, candidate: Candidate) -> dict[int, float]:
    """Return the measure's known values by repeat index; if no request gives one, the value that an
    imported run's tool reports."""
    indices = [repeat.index for repeat in candidate.summary.repeats]
    numbers = zip(indices, compared.of(candidate), strict=True)
    known = {index: number for index, number in numbers if number is not None}
    return known or _reported_by_tool(compared.name, candidate)


def _reported_by_tool(name: str, candidate: Candidate) -> dict[int, float]:
    """The value reported by an imported run's tool, as that of a single repeat."""
    number = (candidate.run.source or {}).get("stated", {}).get(name)
    return {} if number is None else {0: number}


def ratio_of(
    baseline: Mapping[int, float], other: Mapping[int, float], turns: bool
) -> Ratio | None:
    """Return the ratio of two runs, given a number for each repeat index. Repeats are paired if
    they were interleaved (`turns`) and enough of them are in both."""
    both = [index for index in baseline if index in other]
    if turns and len(both) >= MINIMUM_REPEATS:
        return ratio([baseline[i] for i in both], [other[i] for i in both], paired=True)
    return ratio(list(baseline.values()), list(other.values()))


def _of_repeats(
    of: Callable[[RepeatSummary], float | None],
) -> Callable[[Candidate], list[float | None]]:
    return lambda candidate: [of(repeat) for repeat in candidate.summary.repeats]


def _over_requests(
    name: str, statistic: Callable[[Floats], float]
) -> Callable[[Candidate], list[float | None]]:
    """The statistic over the successful requests of each repeat; None if no request has the
    metric."""

    def of(candidate: Candidate) -> list[float | None]:
        by_repeat_values = candidate.values(name)
        return [float(statistic(each)) if len(each) else None for each in by_repeat_values]

    return of


def _median(name: str) -> Compared:
    entry = metric(name)
    label = f"{entry.label}, median"
    of = _over_requests(name, np.median)
    return Compared(f"{name}_median", label, entry.unit, entry.better, of)


def _of_class(name: str, measure: str) -> Compared:
    """The median over the requests of one class; None if the run has no such class."""
    overall = _median(measure)

    def of(candidate: Candidate) -> list[float | None]:
        part = candidate.classes.get(name)
        known = by_index(overall, part) if part else {}
        return [known.get(repeat.index) for repeat in candidate.summary.repeats]

    return replace(
        overall, name=f"{name}_{overall.name}", label=of_class(name, overall.label), of=of
    )


def _session_time(candidate: Candidate) -> list[float | None]:
    """The median of each repeat."""
    times = [session_times(group, candidate.run.config) for group in candidate.groups]
    return [float(np.median(each)) if len(each) else None for each in times]


def _sum(numbers: Floats) -> float:
    """Summed in their order, so that the result equals the stored sums."""
    return float(sum(numbers.tolist()))


def _errors(candidate: Candidate) -> list[float | None]:
    return [error_rate(group) for group in candidate.groups]


COMPARED: tuple[Compared, ...] = (
    Compared(
        "output_tokens_per_s",
        "Output throughput",
        "tokens/s",
        "higher",
        _of_repeats(lambda repeat: repeat.output_tokens_per_s),
    ),
    Compared(
        "total_tokens_per_s",
        "Total throughput",
        "tokens/s",
        "higher",
        _of_repeats(lambda repeat: repeat.total_tokens_per_s),
    ),
    Compared(
        "requests_per_s",
        "Requests/s",
        "requests/s",
        "higher",
        _of_repeats(lambda repeat: repeat.requests_per_s),
    ),
    _median("tokens_per_s"),
    _median("decode_tokens_per_s"),
    _median("ttft_s"),
    _median("tpot_s"),
    _median("e2e_s"),
    Compared("e2e_s_mean", "E2E latency, mean", "s", "lower", _over_requests("e2e_s", fmean)),
    Compared(
        SUM_OF_A_REPEAT, "E2E latency, sum of a repeat", "s", "lower", _over_requests("e2e_s", _sum)
    ),
    Compared("session_s_median", "Session time, median", "s", "lower", _session_time),
    Compared(
        "goodput_per_s",
        "Goodput",
        "requests/s",
        "higher",
        _of_repeats(lambda repeat: repeat.goodput_per_s),
    ),
    Compared(
        "slo_attainment",
        "SLO attainment",
        "share",
        "higher",
        _of_repeats(lambda repeat: repeat.slo_attainment),
    ),
    Compared("error_rate", "Error rate", "share", "lower", _errors),
    Compared(
        "output_tokens_mean",
        "Output tokens per request",
        "tokens",
        "neither",
        _over_requests("output_tokens", fmean),
    ),
    Compared(
        "usd_per_million_output",
        "Cost per million output tokens",
        "USD",
        "lower",
        _of_repeats(lambda repeat: repeat.usd_per_million_output),
    ),
    *(
        _of_class(name, measure)
        for name in CLASSES
        for measure in ("ttft_s", "e2e_s", "tokens_per_s")
    ),
)
