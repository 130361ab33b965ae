"""Better, worse, different, equivalent or inconclusive: one mark for each measure of each run
compared with the baseline, the same on pages, in charts and in files.

A measure that is judged (see `findings`) has the mark of its verdict. All others have the mark of
their 95 % interval alone, without correction for multiple tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from services.analysis.compare.candidate import Candidate
from services.analysis.compare.findings import FAMILY, Finding, Word
from services.analysis.compare.rows import Row
from services.analysis.compare.verdicts import findings_of, same_pace, waits_of
from services.analysis.metrics import Better
from services.analysis.statistics import Ratio
from services.ask.modes import WALL_CLOCK

PACED = (*WALL_CLOCK, "usd_per_million_output")  # the client's own waiting affects these

Mark = Literal["better", "worse", "different", "equivalent", "inconclusive"]

MARK_OF: Mapping[Word, Mark] = {
    "faster": "better",
    "slower": "worse",
    "equivalent": "equivalent",
    "inconclusive": "inconclusive",
    "no verdict": "inconclusive",
}
SIGNS: Mapping[Mark, str] = {
    "better": "▲",
    "worse": "▼",
    "different": "≠",  # a measure for which higher is neither better nor worse
    "equivalent": "=",
    "inconclusive": "?",
}


def marks(
    candidates: Sequence[Candidate], rows: Sequence[Row], margin: float
) -> dict[str, tuple[Mark, ...]]:
    """Return the marks of each row by its metric, one for each candidate after the first."""
    columns = [_marks_of(candidates, rows, index, margin) for index in range(1, len(candidates))]
    return {row.metric: tuple(column[row.metric] for column in columns) for row in rows}


def _marks_of(
    candidates: Sequence[Candidate], rows: Sequence[Row], index: int, margin: float
) -> dict[str, Mark]:
    baseline, other = candidates[0], candidates[index]
    findings, why_not = findings_of(candidates, rows, index, margin)
    of_verdicts = {each.name: MARK_OF[each.word] for each in findings}
    paced = waits_differently(baseline, other)
    return {
        row.metric: of_verdicts[row.metric]
        if row.metric in FAMILY
        else "inconclusive"
        if why_not or (paced and row.metric in PACED)
        else mark_of(row.ratios[index], row.better, margin)
        for row in rows
    }


def waits_differently(baseline: Candidate, other: Candidate) -> bool:
    """Whether the client itself waited, and not alike in both runs: then measures per second of
    wall time say nothing of the server."""
    return any(waits_of(baseline, other)) and not same_pace(baseline, other)


def mark_of(ratio: Ratio | None, better: Better, margin: float) -> Mark:
    """Return the mark of a ratio by its interval; one within the margin is equivalent."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return "inconclusive"
    if 1 / (1 + margin) < ratio.low and ratio.high < 1 + margin:
        return "equivalent"
    if ratio.low <= 1 <= ratio.high:
        return "inconclusive"
    if better == "neither":
        return "different"
    return "better" if (ratio.low > 1) == (better == "higher") else "worse"


def sign_of(finding: Finding) -> str:
    """Return the sign of a finding, which says the same as its colour to people who cannot see
    it."""
    return SIGNS[MARK_OF[finding.word]]
