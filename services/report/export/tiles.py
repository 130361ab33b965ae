"""The headline figures of the exported page: a run's numbers, or a comparison's ratios."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from services.analysis import figures
from services.analysis.compare import Candidate, Comparison, Row
from services.analysis.compare.candidate import only_stated
from services.analysis.compare.marks import SIGNS, Mark, marks
from services.analysis.compare.ratio_text import interval_text, times
from services.analysis.statistics import Ratio
from services.analysis.summary import summary_row
from services.base.units import show
from services.report import tables
from services.report.key_figures import key_figures


@dataclass(frozen=True)
class Line:
    """One figure: its run, if there are several; the value in large type; notes in small type."""

    run_id: int | None
    value: str
    about: tuple[str, ...] = ()
    mark: str = ""  # whether it is better than the baseline, see `compare.marks`


@dataclass(frozen=True)
class Tile:
    """A measure with its figures."""

    label: str
    lines: tuple[Line, ...]
    better: str = ""


def of_run(candidate: Candidate) -> tuple[Tile, ...]:
    """Return the figures of one run; for a file without requests, those of its tool; none if no
    request succeeded."""
    row, summary = summary_row(candidate.summary), candidate.summary
    if not summary.ok:
        stated = {} if summary.sent else only_stated(candidate)
        return tuple(_tile(name, stated[name]) for name in HEADLINE if name in stated)
    shown = key_figures(candidate)
    return tuple(_tile(figure.name, row[figure.name], figure.about) for figure in shown)


def _tile(name: str, value: float, about: str = "") -> Tile:
    label, unit = figures.figure_name(name)
    text = show(value, tables.unit_beside(unit, label))
    return Tile(label, (Line(None, text, (about,) if about else ()),))


def of_comparison(comparison: Comparison) -> tuple[Tile, ...]:
    """Return every run's value of each headline measure, with its ratio to the baseline."""
    runs = (comparison.baseline, *comparison.others)
    by_metric = marks(runs, comparison.rows, comparison.verdicts[0].margin)
    ids = [candidate.run.id for candidate in runs]
    return tuple(
        Tile(row.label, tuple(_lines(row, ids, by_metric[row.metric])), BETTER[row.better])
        for row in comparison.rows
        if row.metric in HEADLINE and any(row.ratios)
    )


def _lines(row: Row, ids: Sequence[int], marked: Sequence[Mark]) -> Iterator[Line]:
    shown: tuple[Mark | Literal[""], ...] = ("", *marked)
    for run_id, value, ratio, mark in zip(ids, row.values, row.ratios, shown, strict=True):
        text = show(value, tables.unit_beside(row.unit, row.label))
        yield Line(run_id, text, _ratio(ratio, mark), mark if ratio else "")


def _ratio(ratio: Ratio | None, mark: Mark | Literal[""]) -> tuple[str, ...]:
    if ratio is None or not mark:
        return ()
    text = f"{SIGNS[mark]} {times(ratio.value)}×"
    return (text,) if ratio.low is None else (text, f"({interval_text(ratio)})")


BETTER = {"higher": "more is better", "lower": "less is better", "neither": ""}
HEADLINE = (
    "output_tokens_per_s",
    "tokens_per_s_median",
    "ttft_s_median",
    "e2e_s_median",
    "usd_per_million_output",
)
