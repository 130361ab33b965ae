"""Runs as files. Nothing that leaves here holds a key, a person's own prompt, or an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.compare import FEWEST, MOST, Candidate
from services.export.document import run_document, run_json
from services.export.page import page_html
from services.export.tables import comparison_csv, requests_csv, summary_csv

__all__ = ["EXPORTS", "Export", "export", "run_document"]


@dataclass(frozen=True)
class Export:
    """One kind of file. `write` takes between `least` and `most` runs, the reference first."""

    name: str
    label: str
    filename: str  # `{runs}` stands for the runs' numbers
    mime: str
    write: Callable[[Sequence[Candidate]], bytes]
    least: int = 1
    most: int = 1

    def takes(self, runs: int) -> bool:
        """Whether so many runs make such a file."""
        return self.least <= runs <= self.most

    def filename_of(self, run_ids: Sequence[int]) -> str:
        """Return the name of these runs' file: `paceline-run-12-requests.csv`."""
        if len(run_ids) > SHOWN:
            return self.filename.format(runs=f"{len(run_ids)}-runs")
        kind = "run" if len(run_ids) == 1 else "runs"
        return self.filename.format(runs="-".join([kind, *map(str, run_ids)]))


def export(name: str) -> Export:
    """Return the export with this name. Raises KeyError where there is none."""
    return {entry.name: entry for entry in EXPORTS}[name]


SHOWN = 8  # numbers of runs in a file's name
CSV = "text/csv; charset=utf-8"

EXPORTS = (
    Export("requests.csv", "Requests (CSV)", "paceline-{runs}-requests.csv", CSV, requests_csv),
    Export(
        "summary.csv", "Summary (CSV)", "paceline-{runs}-summary.csv", CSV, summary_csv,
        most=100_000,
    ),
    Export(
        "comparison.csv", "Comparison (CSV)", "paceline-{runs}-comparison.csv", CSV,
        comparison_csv, least=FEWEST, most=MOST,
    ),
    Export("run.json", "Run (JSON)", "paceline-{runs}.json", "application/json", run_json),
    Export(
        "page.html", "Page that opens offline (HTML)", "paceline-{runs}.html",
        "text/html; charset=utf-8", page_html, most=MOST,
    ),
)  # fmt: skip
