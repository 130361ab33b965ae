"""The time slices of a run as a table, and as rows for files."""

from __future__ import annotations

from dataclasses import asdict, fields
from math import floor, log10
from typing import Any

from services.analysis.compare import Candidate
from services.analysis.slices import Slice, slices
from services.base.table import Table
from services.base.units import show, significant

FIELDS = tuple(field.name for field in fields(Slice))


def slices_of(candidate: Candidate) -> list[Slice]:
    """Return the slices of all repeats; [] for an imported run whose send times are unknown."""
    return [each for group in candidate.groups if candidate.run.placed for each in slices(group)]


def rows(candidate: Candidate) -> list[dict[str, Any]]:
    """Return the slices as plain data."""
    return [asdict(each) for each in slices_of(candidate)]


def table(candidate: Candidate) -> Table:
    """Return a row for each slice."""
    several = len(candidate.summary.repeats) > 1
    shown = tuple(_row(each, several) for each in slices_of(candidate))
    columns = ("Repeat",) * several + COLUMNS
    return Table("Time slices", columns, shown, NOTE)


def _row(each: Slice, several: bool) -> tuple[str, ...]:
    return (
        *((str(each.repeat + 1),) if several else ()),
        _times(each),
        significant(each.sent_per_s),
        significant(each.answered_per_s),
        show(each.output_tokens_per_s, ""),
        show(each.ttft_s_median, "s"),
        show(each.ttft_s_p95, "s"),
        show(each.e2e_s_median, "s"),
        significant(each.in_flight),
        f"{each.failed:,}",
    )


def _times(each: Slice) -> str:
    """Its start and end, to a hundredth of its length."""
    digits = max(0, 2 - floor(log10(each.to_s - each.from_s)))
    return f"{each.from_s:,.{digits}f}–{each.to_s:,.{digits}f}"


COLUMNS = (
    "Time (s)",
    "Sent/s",
    "Answered/s",
    "Output throughput (tokens/s)",
    "TTFT, median",
    "TTFT, p95",
    "E2E latency, median",
    "In flight",
    "Failed",
)
NOTE = (
    "Latencies and failures are those of the requests sent in that slice, latencies only of "
    "successes. p95 needs 72 requests. Tokens are spread evenly from an answer's first to its last."
)
