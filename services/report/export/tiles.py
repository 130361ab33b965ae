"""The headline figures of the exported page: of a run its numbers, of a comparison its ratios."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.analysis import figures
from services.analysis.compare import Candidate, Comparison, Row
from services.analysis.compare.rows import only_stated
from services.analysis.compare.wording import times
from services.analysis.statistics import Ratio
from services.analysis.summary import summary_row
from services.ask import modes
from services.base.units import many, seconds, show, significant
from services.report import tables
from services.report.imports.stated import tool_of


@dataclass(frozen=True)
class Line:
    """One figure: of which run, where there are several; large, then small."""

    run_id: int | None
    value: str
    about: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tile:
    """One measure."""

    label: str
    lines: tuple[Line, ...]
    better: str = ""


def headline(candidate: Candidate) -> str:
    """Return a run in a line: what came out, and how soon; of a file without requests what its tool
    says."""
    row, summary = summary_row(candidate.summary), candidate.summary
    if not summary.ok:
        return _without_success(candidate)
    rate, first = row["output_tokens_per_s"], row["ttft_s_median"]
    if rate is None:
        took = row["e2e_s_median"]
        each = "" if took is None else f", in {seconds(took)} each"
        return f"{many(summary.ok, 'request')} answered{each}"
    soon = "" if first is None else f", the first after {seconds(first)}"
    each = row["tokens_per_s_median"]
    if modes.waiting(candidate.run.config) and each is not None:
        return f"{significant(each)} tokens a second for each request{soon}"
    return f"{significant(rate)} tokens a second{soon}"


def _without_success(candidate: Candidate) -> str:
    stated = only_stated(candidate)
    if candidate.summary.sent or not stated:
        return "No request succeeded" if candidate.summary.sent else "No request was measured"
    if rate := stated.get("output_tokens_per_s"):
        return f"{significant(rate)} tokens a second, says {tool_of(candidate)}"
    return f"What {tool_of(candidate)} says of its requests together"


def of_run(candidate: Candidate) -> tuple[Tile, ...]:
    """Return the figures of one run; of a file without requests its tool's; none where nothing
    succeeded."""
    row, summary = summary_row(candidate.summary), candidate.summary
    if not summary.ok:
        said = {} if summary.sent else only_stated(candidate)
        return tuple(_tile(name, said[name]) for name in HEADLINE if name in said)
    names = modes.leading(HEADLINE, candidate.run.config)
    tiles = [_tile(name, row[name]) for name in names if row.get(name) is not None]
    failed = f"{summary.failed:,} failed" if summary.failed else "none failed"
    return (*tiles, Tile("Requests answered", (Line(None, f"{summary.ok:,}", (failed,)),)))


def _tile(name: str, value: float) -> Tile:
    label, unit = figures.named(name)
    return Tile(label, (Line(None, show(value, tables.unsaid(unit, label))),))


def of_comparison(comparison: Comparison) -> tuple[Tile, ...]:
    """Return every run's figures, by the measures that people ask for, beside the baseline's."""
    rows = [row for row in comparison.rows if row.metric in HEADLINE and any(row.ratios)]
    ids = [candidate.run.id for candidate in (comparison.baseline, *comparison.others)]
    return tuple(Tile(row.label, tuple(_lines(row, ids)), BETTER[row.better]) for row in rows)


def _lines(row: Row, ids: Sequence[int]) -> Iterator[Line]:
    for run_id, value, ratio in zip(ids, row.values, row.ratios, strict=True):
        yield Line(run_id, show(value, tables.unsaid(row.unit, row.label)), _ratio(ratio))


def _ratio(ratio: Ratio | None) -> tuple[str, ...]:
    if ratio is None:
        return ()
    said = f"{times(ratio.value)}×"
    if ratio.low is None or ratio.high is None:
        return (said,)
    return said, f"95 %: {times(ratio.low)}–{times(ratio.high)}"


BETTER = {"higher": "more is better", "lower": "less is better", "neither": ""}
HEADLINE = (
    "output_tokens_per_s",
    "tokens_per_s_median",
    "ttft_s_median",
    "e2e_s_median",
    "usd_per_million_output",
)
