"""Do short requests wait for long ones? Each class alone compared with the same class in the mix.

A slowdown is the ratio of a class's latency in the mix to its latency alone, over repeats. Four
slowdowns are judged together (TTFT and E2E latency of both classes, with Holm's method).
`workloads.mixed.alone` makes the run of a class alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from services.analysis.compare import Candidate, margin_of
from services.analysis.compare.findings import Finding, finding, judge
from services.analysis.compare.ratio_text import times_with_interval
from services.analysis.compare.rows import COMPARED, by_index, interleaved, ratio_of
from services.analysis.compare.verdicts import why_no_verdict
from services.analysis.metrics import Better
from services.analysis.statistics import Ratio
from services.ask.workloads.mixed import CLASSES, LONG, SHORT, part
from services.base.errors import Invalid
from services.base.table import Table
from services.base.units import share, show

MEASURES = {"ttft_s_median": "TTFT", "e2e_s_median": "E2E latency"}
FAMILY: dict[str, tuple[str, Better]] = {  # names as in summary_row
    f"{name}_{measure}": (f"{label} of {name} requests", "lower")
    for name in CLASSES
    for measure, label in MEASURES.items()
}
_COMPARED = {entry.name: entry for entry in COMPARED if entry.name in MEASURES}


class InvalidMixing(Invalid):
    """The runs are not a mix and its two classes."""


@dataclass(frozen=True, slots=True)
class ClassComparison:
    """Both classes under one condition compared with another; `findings` are in the order of
    FAMILY."""

    findings: tuple[Finding, ...]
    margin: float
    why_not: str  # why there can be no verdict, or ""

    def deciding(self, name: str) -> Finding:
        """Return a class's main finding: its TTFT, or its E2E latency if nothing was streamed."""
        first, last = (finding(self.findings, f"{name}_{measure}") for measure in MEASURES)
        return last if first.ratio is None else first


@dataclass(frozen=True, slots=True)
class Mixing:
    """Each class of a mix alone and in it; the ratios are slowdowns: mix / alone."""

    alone: Mapping[str, Candidate]
    mix: Candidate
    slowdowns: ClassComparison

    @property
    def fairness(self) -> float | None:
        """Jain's index of tokens/s per request in the mix; None if unknown."""
        return self.mix.summary.fairness


def mixing(alone_short: Candidate, alone_long: Candidate, mix: Candidate) -> Mixing:
    """Compare a mix with its classes alone.

    Raises:
        InvalidMixing: the runs are not a mix and its two classes.
    """
    alone = {SHORT: alone_short, LONG: alone_long}
    if not mix.classes:
        raise InvalidMixing(
            f"Run {mix.run.id} is not a mix of short and long requests. Choose one that is."
        )
    for name, candidate in alone.items():
        _check_same_work(name, candidate, mix)
    return Mixing(alone, mix, _compare(alone, mix.classes))


def chunked(on: Mixing, off: Mixing) -> ClassComparison:
    """Compare the classes of a mix with and without chunked prefill: with / without.

    Raises:
        InvalidMixing: the mixes are not the same.
    """
    for name in CLASSES:
        _check_same_work(name, on.alone[name], off.mix)
    return _compare(off.mix.classes, on.mix.classes)


def table(mixing: Mixing) -> Table:
    """Return a table of each class alone and in the mix, with the ratio and its verdict."""
    rows = [_row(mixing, finding) for finding in mixing.slowdowns.findings]
    if mixing.fairness is not None:
        rows.append(("Fairness (Jain's index)", "", show(mixing.fairness, ""), "", ""))
    return Table(
        "Short and long requests",
        ("", "Alone", "In the mix", "Ratio", "Verdict"),
        tuple(rows),
        "Medians of each repeat, then their mean; ratio: in the mix / alone, with its 95 % "
        f"interval. Differences within ±{share(mixing.slowdowns.margin)} count as equivalent.",
    )


def _row(mixing: Mixing, finding: Finding) -> tuple[str, ...]:
    name, _, measure = finding.name.partition("_")
    sides = (mixing.alone[name], mixing.mix.classes[name])
    values = [list(by_index(_COMPARED[measure], side).values()) for side in sides]
    shown = [show(fmean(numbers) if numbers else None, "s") for numbers in values]
    label = finding.label[:1].upper() + finding.label[1:]
    return (label, *shown, _times(finding.ratio), finding.word)


def _times(ratio: Ratio | None) -> str:
    return show(None, "") if ratio is None else times_with_interval(ratio)


def _compare(before: Mapping[str, Candidate], after: Mapping[str, Candidate]) -> ClassComparison:
    ratios = {
        f"{name}_{measure}": _ratio(measure, before[name], after[name])
        for name in CLASSES
        for measure in MEASURES
    }
    margin, why_not = margin_of((*before.values(), *after.values())), _why_not(before, after)
    return ClassComparison(judge(ratios, margin, bool(why_not), FAMILY), margin, why_not)


def _ratio(measure: str, before: Candidate, after: Candidate) -> Ratio | None:
    numbers = [by_index(_COMPARED[measure], candidate) for candidate in (before, after)]
    return ratio_of(numbers[0], numbers[1], interleaved(before, after))


def _why_not(before: Mapping[str, Candidate], after: Mapping[str, Candidate]) -> str:
    """Why there can be no verdict on one of the classes, and so none on the mix; "" if there can be
    one."""
    pairs = [(before[name], after[name]) for name in CLASSES]
    reasons = [
        why_no_verdict((a.run.status, b.run.status), (a.summary.error_rate, b.summary.error_rate))
        for a, b in pairs
    ]
    return next(filter(None, reasons), "")


def _check_same_work(name: str, candidate: Candidate, mix: Candidate) -> None:
    expected, config = part(mix.run.config, name), candidate.run.config
    for field in ("workload", "input_tokens", "max_tokens", "mode", "requests"):
        wanted, actual = getattr(expected, field), getattr(config, field)
        if actual != wanted:
            raise InvalidMixing(
                f"Run {candidate.run.id} is not the {name} requests of run {mix.run.id} alone: its "
                f"{field} is {actual}, not {wanted}. Measure them with the same settings."
            )
