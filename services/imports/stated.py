"""What the tool itself says of an imported run, beside what our metrics make of its requests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.compare import Candidate
from services.measurement import Run
from services.summary import Summary, summary_row
from services.tables import Table, named, unsaid
from services.units import NOTHING, show, significant

SAME = 5e-5  # relative: closer than that is the same in five digits
INTER_CHUNK = ("Inter-chunk latency", "s")


def table(candidate: Candidate) -> Table:
    """Return each number that the file states, ours where its requests give it, and the tool's
    definition; no rows for a run of our own."""
    source = candidate.run.source or {}
    tool = source.get("tool", "The file")
    ours = summary_row(candidate.summary) if candidate.measurements else {}
    definitions = source.get("definitions", {})
    rows = tuple(
        _row(name, number, ours.get(name), definitions.get(name, ""))
        for name, number in source.get("stated", {}).items()
    )
    return Table(
        "What the tool itself says",
        ("", tool, "Paceline", "Difference", f"How {tool} defines it"),
        rows,
        _note(candidate) if rows else "",
    )


def placed(run: Run, summary: Summary) -> Summary:
    """Return the summary without what needs to know when each request was sent, where the file of
    an imported run does not tell: rates, and how many were in flight."""
    if run.placed:
        return summary
    repeats = (
        replace(
            repeat, window_s=None, output_tokens_per_s=None, total_tokens_per_s=None,
            requests_per_s=None,
        )
        for repeat in summary.repeats
    )  # fmt: skip
    return replace(
        summary,
        repeats=tuple(repeats),
        output_tokens_per_s=None,
        total_tokens_per_s=None,
        requests_per_s=None,
        steady_output_tokens_per_s=None,
        peak_in_flight=None,
    )


def _row(name: str, theirs: float, ours: Any, definition: str) -> tuple[str, ...]:
    label, unit = _named(name)
    shown = unsaid(unit, label)
    known = isinstance(ours, int | float)
    return (
        label,
        show(theirs, shown),
        show(ours, shown) if known else NOTHING,
        _difference(theirs, ours) if known else NOTHING,
        definition,
    )


def _named(name: str) -> tuple[str, str]:
    of, _, statistic = name.rpartition("_")
    if of == "inter_chunk_s":
        label, unit = INTER_CHUNK
        return f"{label}, {named(f'ttft_s_{statistic}')[0].rpartition(', ')[2]}", unit
    return named(name)


def _difference(theirs: float, ours: float) -> str:
    """By how much the tool's number is above ours."""
    if theirs == ours:
        return "none"
    if not ours:
        return NOTHING
    share = theirs / ours - 1
    if abs(share) < SAME:
        return "none"
    return f"{'+' if share > 0 else '−'}{significant(abs(share) * 100)} %"


def _note(candidate: Candidate) -> str:
    if not candidate.measurements:
        return (
            "The file holds only this summary: nothing can be worked out again, and compared with "
            "other runs it counts as one repeat, by the tool's definitions."
        )
    note = "Paceline's numbers are worked out anew from the requests in the file."
    if not candidate.run.placed:
        note += " It does not say when each was sent, so rates are the tool's alone."
    return note
