"""How a study's configurations scale: what each gives for each work, and how many times its
baseline that is.

The repeats of a cell are what intervals are made of. They were measured on one start of the
engine, one configuration after the other: Welch's t, never pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

from services.analysis.compare import COMPARED, MARGIN, Candidate, Word
from services.analysis.compare.rows import by_index
from services.analysis.compare.verdicts import refused
from services.analysis.statistics import CONFIDENCE, Ratio, equivalence, holm, ratio
from services.analysis.statistics.level import Level, level
from services.studies.cell import Measured
from services.studies.configuration import (
    Configuration,
    baseline_of,
    configuration_of,
    labels_of,
    order_of,
)
from services.studies.memory import Memory, memory_of
from services.studies.work import Work, label_of, work_of

THROUGHPUT, REQUESTS, GOODPUT = "output_tokens_per_s", "requests_per_s", "goodput_per_s"
TTFT, TPOT, E2E = "ttft_s_median", "tpot_s_median", "e2e_s_median"
MEASURES = (THROUGHPUT, REQUESTS, TTFT, TPOT, E2E, GOODPUT)
COST = "usd_per_million_output"
NOT_YET = "It has not been measured yet."
NO_TOKENS = "No request succeeded with a known number of tokens."


class Interval(Protocol):
    """A number with its 95 % interval; None under MINIMUM_REPEATS."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


@dataclass(frozen=True)
class Row:
    """One configuration at one work. `numbers` holds the repeats of every measure that is known
    (MEASURES, and COST where an hour of a device has a price). `speedup` is of the output
    throughput, to the baseline's; None for the baseline itself and where one of them is not known.
    `word` says what may be said of it, adjusted for all speed-ups of the study (Holm)."""

    configuration: Configuration
    label: str
    work: Work
    work_label: str
    cells: tuple[Measured, ...]
    numbers: Mapping[str, Sequence[float]]
    baseline: Configuration
    problem: str | None = None
    speedup: Ratio | None = None
    word: Word = "no verdict"
    why_not: str = ""
    memory: Memory | None = None

    @cached_property
    def levels(self) -> dict[str, Level | None]:
        """Where every measure lies: the geometric mean of its repeats, with its interval."""
        return {name: level(numbers) for name, numbers in self.numbers.items()}

    def level(self, name: str) -> Level | None:
        return self.levels.get(name)

    @property
    def is_baseline(self) -> bool:
        return self.configuration == self.baseline

    @property
    def candidates(self) -> list[Candidate]:
        return [cell.candidate for cell in self.cells if cell.candidate is not None]

    @property
    def efficiency(self) -> Level | None:
        """The speed-up by device, S(N)/N: 1 where each does as much as the baseline's."""
        ranks, fewest = self.configuration.ranks, self.baseline.ranks
        if self.speedup is None or not ranks or not fewest:
            return None
        return times(self.speedup, fewest / ranks)

    @property
    def per_device(self) -> Level | None:
        """Output throughput by device."""
        found, ranks = self.level(THROUGHPUT), self.configuration.ranks
        return times(found, 1 / ranks) if found and ranks else None

    @property
    def attainment(self) -> tuple[int, int] | None:
        """How many requests kept the objectives, and of how many; None without any."""
        found = [c.summary.attainment for c in self.candidates]
        known = [one for one in found if one is not None]
        if not known or len(known) < len(found) or not all(one.ended for one in known):
            return None
        return sum(one.good for one in known), sum(one.ended for one in known)

    @property
    def failed(self) -> int:
        return sum(candidate.summary.failed for candidate in self.candidates)


@dataclass(frozen=True)
class Scaling:
    """All rows, works in order and within each the configurations, fewest devices first."""

    rows: tuple[Row, ...]
    configurations: tuple[Configuration, ...]
    works: tuple[Work, ...]
    labels: Mapping[Configuration, str] = field(default_factory=dict)

    def at(self, configuration: Configuration, work: Work) -> Row | None:
        found = (r for r in self.rows if (r.configuration, r.work) == (configuration, work))
        return next(found, None)


def scaling(measured: Iterable[Measured], usd_per_gpu_hour: float | None = None) -> Scaling:
    """Put a study's cells together by configuration and work. `usd_per_gpu_hour` is the price of
    one device for an hour."""
    groups: dict[tuple[Configuration, Work], list[Measured]] = {}
    for cell in measured:
        groups.setdefault((configuration_of(cell.cell), work_of(cell.cell.config)), []).append(cell)
    configurations = sorted({one for one, _ in groups}, key=lambda one: (order_of(one), repr(one)))
    works = sorted({work for _, work in groups}, key=lambda work: work.order)
    labels = labels_of(configurations)
    names = {work: label_of(work, works) for work in works}
    found = {
        (one, work): Row(
            one,
            labels[one],
            work,
            names[work],
            tuple(groups[one, work]),
            _numbers(groups[one, work], one, usd_per_gpu_hour),
            baseline_of(one, configurations),
            _problem(groups[one, work]),
            memory=_memory(groups[one, work], one),
        )
        for work in works
        for one in configurations
        if (one, work) in groups
    }
    rows = [_held(row, found.get((row.baseline, row.work))) for row in found.values()]
    return Scaling(tuple(_worded(rows)), tuple(configurations), tuple(works), labels)


def times(found: Interval, factor: float) -> Level:
    """Return a number and its interval, each times a positive factor."""
    low, high = found.low, found.high
    return Level(
        found.value * factor,
        None if low is None else low * factor,
        None if high is None else high * factor,
    )


def _numbers(
    cells: Sequence[Measured], one: Configuration, price: float | None
) -> dict[str, list[float]]:
    """Each measure's repeats."""
    candidates = [cell.candidate for cell in cells if cell.candidate is not None]
    found = {
        entry.name: [number for c in candidates for number in by_index(entry, c).values()]
        for entry in COMPARED
        if entry.name in MEASURES
    }
    known = {name: numbers for name, numbers in found.items() if numbers}
    rates = known.get(THROUGHPUT, [])
    if price and one.ranks and rates and min(rates) > 0:
        known[COST] = [price * one.ranks / 3600 / rate * 1e6 for rate in rates]
    return known


def _problem(cells: Sequence[Measured]) -> str | None:
    """What went wrong with cells, or that nothing has been measured; each sentence once."""
    said = [cell.problem or (NOT_YET if cell.candidate is None else "") for cell in cells]
    runs = [cell.candidate for cell in cells if cell.candidate is not None]
    said += [run.run.error or NO_TOKENS for run in runs if not run.summary.output_tokens_per_s]
    return " ".join(dict.fromkeys(filter(None, said))) or None


def _memory(cells: Sequence[Measured], one: Configuration) -> Memory | None:
    candidates = [cell.candidate for cell in cells if cell.candidate is not None]
    found = [memory_of(candidate.samples, one.ranks) for candidate in candidates]
    known = [memory for memory in found if memory is not None]
    return max(known, key=lambda memory: memory.most) if known else None


def _held(row: Row, baseline: Row | None) -> Row:
    """A row with its speed-up; without an interval where there must be no verdict."""
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
    """Return why two rows allow no verdict, or ""."""
    for one in baseline.candidates:
        for two in other.candidates:
            rates = one.summary.error_rate, two.summary.error_rate
            if why := refused((one.run.status, two.run.status), rates):
                return why
    return ""


def _worded(rows: Sequence[Row]) -> list[Row]:
    known = [at for at, row in enumerate(rows) if row.speedup and row.speedup.p is not None]
    pairs = [rows[at].speedup for at in known]
    words = words_of([pair for pair in pairs if pair is not None])
    found = dict(zip(known, words, strict=True))
    return [replace(row, word=found.get(at, "no verdict")) for at, row in enumerate(rows)]


def words_of(ratios: Sequence[Ratio], tests: int = 0) -> list[Word]:
    """Judge ratios of which more is better together, each question with Holm's method; or, where
    they were picked out of `tests` of them, as if all of those were as good (Bonferroni)."""
    differ = [1.0 if r.p is None else r.p for r in ratios]
    alike = [1.0 if (p := equivalence(r, MARGIN)) is None else p for r in ratios]
    if tests:
        adjusted = [[min(1.0, p * tests) for p in ps] for ps in (differ, alike)]
    else:
        adjusted = [holm(differ), holm(alike)]
    return [_word(r, p, same) for r, p, same in zip(ratios, *adjusted, strict=True)]


def _word(found: Ratio, p: float, same: float) -> Word:
    if found.p is None:
        return "no verdict"
    if same < 1 - CONFIDENCE:
        return "equivalent"
    if p >= 1 - CONFIDENCE:
        return "inconclusive"
    return "faster" if found.value > 1 else "slower"
