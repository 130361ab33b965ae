"""How a study's configurations scale: the measures of each at each work, and its speed-up over the
baseline.

Intervals are over the repeats of a cell. These were measured on one start of the engine, one
configuration after another, so the test is Welch's t, never a paired one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from services.analysis.compare import COMPARED, MARGIN, Candidate, Word
from services.analysis.compare.rows import by_index
from services.analysis.compare.verdicts import why_no_verdict
from services.analysis.metric_arrays import first_sends
from services.analysis.statistics import CONFIDENCE, Ratio, equivalence, holm, ratio
from services.analysis.statistics.geometric_mean import GeometricMean, geometric_mean
from services.ask.measurements import Measurements
from services.studies.cell import MeasuredCell
from services.studies.configuration import (
    Configuration,
    baseline_of,
    configuration_of,
    labels_of,
    sort_key,
    with_known_models,
)
from services.studies.memory import Memory, memory_of
from services.studies.work import Work, label_of, work_of

THROUGHPUT, REQUESTS, GOODPUT = "output_tokens_per_s", "requests_per_s", "goodput_per_s"
TTFT, TPOT, E2E = "ttft_s_median", "tpot_s_median", "e2e_s_median"
MEASURES = (THROUGHPUT, REQUESTS, TTFT, TPOT, E2E, GOODPUT)
TIMES = SUBMISSION, TOTAL_TIME = "submission_s", "total_s"  # of a repeat
COST = "usd_per_million_output"
NO_TOKENS = "No request succeeded with a known token count."


class Interval(Protocol):
    """A number with its 95 % interval; the ends are None below MINIMUM_REPEATS."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


@dataclass(frozen=True)
class Row:
    """One configuration at one work. `numbers` holds the repeats of every known measure (MEASURES,
    TIMES, and COST if a device-hour has a price). `speedup` is the ratio of output throughput to
    the baseline's; None for the baseline itself, or if either is unknown. `word` is its verdict,
    adjusted for all speed-ups of the study (Holm)."""

    configuration: Configuration
    label: str
    work: Work
    work_label: str
    cells: tuple[MeasuredCell, ...]
    numbers: Mapping[str, Sequence[float]]
    baseline: Configuration
    problem: str | None = None
    speedup: Ratio | None = None
    word: Word = "no verdict"
    why_not: str = ""
    memory: Memory | None = None

    @cached_property
    def levels(self) -> dict[str, GeometricMean | None]:
        """The geometric mean of every measure's repeats, with its interval."""
        return {name: geometric_mean(numbers) for name, numbers in self.numbers.items()}

    def level(self, name: str) -> GeometricMean | None:
        return self.levels.get(name)

    @property
    def is_baseline(self) -> bool:
        return self.configuration == self.baseline

    @property
    def candidates(self) -> list[Candidate]:
        return [cell.candidate for cell in self.cells if cell.candidate is not None]

    @property
    def efficiency(self) -> GeometricMean | None:
        """The speed-up per device, S(N)/N: 1 means as much per device as the baseline."""
        ranks, fewest = self.configuration.ranks, self.baseline.ranks
        if self.speedup is None or not ranks or not fewest:
            return None
        return scale(self.speedup, fewest / ranks)

    @property
    def per_device(self) -> GeometricMean | None:
        """Output throughput per device."""
        level, ranks = self.level(THROUGHPUT), self.configuration.ranks
        return scale(level, 1 / ranks) if level and ranks else None

    @property
    def attainment(self) -> tuple[int, int] | None:
        """How many requests met the objectives, and of how many; None without objectives."""
        attainments = [c.summary.attainment for c in self.candidates]
        known = [attainment for attainment in attainments if attainment is not None]
        if (
            not known
            or len(known) < len(attainments)
            or not all(attainment.ended for attainment in known)
        ):
            return None
        return sum(attainment.good for attainment in known), sum(
            attainment.ended for attainment in known
        )

    @property
    def failed(self) -> int:
        return sum(candidate.summary.failed for candidate in self.candidates)


@dataclass(frozen=True)
class Scaling:
    """All rows, ordered by work and then by configuration, fewest devices first."""

    rows: tuple[Row, ...]
    configurations: tuple[Configuration, ...]
    works: tuple[Work, ...]
    labels: Mapping[Configuration, str] = field(default_factory=dict)

    def at(self, configuration: Configuration, work: Work) -> Row | None:
        rows = (r for r in self.rows if (r.configuration, r.work) == (configuration, work))
        return next(rows, None)


def scaling(measured: Iterable[MeasuredCell], usd_per_gpu_hour: float | None = None) -> Scaling:
    """Group a study's cells by configuration and work. `usd_per_gpu_hour` is the price of one
    device per hour."""
    groups: dict[tuple[Configuration, Work], list[MeasuredCell]] = {}
    for cell in with_known_models(list(measured)):
        groups.setdefault((configuration_of(cell.cell), work_of(cell.cell.config)), []).append(cell)
    configurations = sorted(
        {configuration for configuration, _ in groups},
        key=lambda configuration: (sort_key(configuration), repr(configuration)),
    )
    works = sorted({work for _, work in groups}, key=lambda work: work.order)
    labels = labels_of(configurations)
    names = {work: label_of(work, works) for work in works}
    by_key = {
        (configuration, work): Row(
            configuration,
            labels[configuration],
            work,
            names[work],
            tuple(groups[configuration, work]),
            _numbers(groups[configuration, work], configuration, usd_per_gpu_hour),
            baseline_of(configuration, configurations),
            _problem(groups[configuration, work]),
            memory=_memory(groups[configuration, work], configuration),
        )
        for work in works
        for configuration in configurations
        if (configuration, work) in groups
    }
    rows = [_with_speedup(row, by_key.get((row.baseline, row.work))) for row in by_key.values()]
    return Scaling(tuple(_with_verdicts(rows)), tuple(configurations), tuple(works), labels)


def scale(interval: Interval, factor: float) -> GeometricMean:
    """Return a number and its interval multiplied by a positive factor."""
    low, high = interval.low, interval.high
    return GeometricMean(
        interval.value * factor,
        None if low is None else low * factor,
        None if high is None else high * factor,
    )


def _numbers(
    cells: Sequence[MeasuredCell], configuration: Configuration, price: float | None
) -> dict[str, list[float]]:
    """Each measure's repeats."""
    candidates = [cell.candidate for cell in cells if cell.candidate is not None]
    numbers_of = {
        entry.name: [number for c in candidates for number in by_index(entry, c).values()]
        for entry in COMPARED
        if entry.name in MEASURES
    }
    numbers_of |= {
        TOTAL_TIME: [s for c in candidates for each in c.summary.repeats if (s := each.window_s)],
        SUBMISSION: [s for c in candidates for group in c.groups if (s := _submission_s(group))],
    }
    known = {name: numbers for name, numbers in numbers_of.items() if numbers}
    rates = known.get(THROUGHPUT, [])
    if price and configuration.ranks and rates and min(rates) > 0:
        known[COST] = [price * configuration.ranks / 3600 / rate * 1e6 for rate in rates]
    return known


def _submission_s(group: Measurements) -> float | None:
    """Return the time from when the first request of a repeat was due to when its last was sent, in
    seconds; None if none was sent."""
    sent = first_sends(group)
    if not np.isfinite(sent).any():
        return None
    return float(np.nanmax(sent) - np.nanmin(group.numbers("t_due")))


def _problem(cells: Sequence[MeasuredCell]) -> str | None:
    """Why cells have no result, each reason once; None if they have one, or are still to be
    measured."""
    problems = [cell.problem for cell in cells]
    runs = [cell.candidate for cell in cells if cell.candidate is not None]
    problems += [run.run.error or NO_TOKENS for run in runs if not run.summary.output_tokens_per_s]
    return " ".join(dict.fromkeys(filter(None, problems))) or None


def _memory(cells: Sequence[MeasuredCell], configuration: Configuration) -> Memory | None:
    candidates = [cell.candidate for cell in cells if cell.candidate is not None]
    memories = [memory_of(candidate.samples, configuration.ranks) for candidate in candidates]
    known = [memory for memory in memories if memory is not None]
    return max(known, key=lambda memory: memory.most) if known else None


def _with_speedup(row: Row, baseline: Row | None) -> Row:
    """The row with its speed-up; without an interval if there can be no verdict."""
    if row.is_baseline:
        return row
    if baseline is None or THROUGHPUT not in baseline.numbers:
        return replace(row, why_not="its baseline has no throughput for this work")
    speedup = ratio(baseline.numbers[THROUGHPUT], row.numbers.get(THROUGHPUT, ()))
    why = why_not(baseline, row) if speedup else ""
    if speedup and why:
        speedup = Ratio(speedup.value, None, None, None, speedup.n_reference, speedup.n_other)
    return replace(row, speedup=speedup, why_not=why)


def why_not(baseline: Row, other: Row) -> str:
    """Return why there can be no verdict on two rows, or ""."""
    for first in baseline.candidates:
        for second in other.candidates:
            rates = first.summary.error_rate, second.summary.error_rate
            if why := why_no_verdict((first.run.status, second.run.status), rates):
                return why
    return ""


def _with_verdicts(rows: Sequence[Row]) -> list[Row]:
    known = [at for at, row in enumerate(rows) if row.speedup and row.speedup.p is not None]
    pairs = [rows[at].speedup for at in known]
    verdicts = judge_ratios([pair for pair in pairs if pair is not None])
    verdict_at = dict(zip(known, verdicts, strict=True))
    return [replace(row, word=verdict_at.get(at, "no verdict")) for at, row in enumerate(rows)]


def judge_ratios(ratios: Sequence[Ratio], tests: int = 0) -> list[Word]:
    """Return the verdicts on ratios for which higher is better. The p-values of difference and of
    equivalence are each adjusted with Holm's method or, for ratios picked out of `tests`, with
    Bonferroni's."""
    differ = [1.0 if r.p is None else r.p for r in ratios]
    alike = [1.0 if (p := equivalence(r, MARGIN)) is None else p for r in ratios]
    if tests:
        adjusted = [[min(1.0, p * tests) for p in ps] for ps in (differ, alike)]
    else:
        adjusted = [holm(differ), holm(alike)]
    return [_judge(r, p, p_same) for r, p, p_same in zip(ratios, *adjusted, strict=True)]


def _judge(ratio: Ratio, p: float, p_same: float) -> Word:
    if ratio.p is None:
        return "no verdict"
    if p_same < 1 - CONFIDENCE:
        return "equivalent"
    if p >= 1 - CONFIDENCE:
        return "inconclusive"
    return "faster" if ratio.value > 1 else "slower"
