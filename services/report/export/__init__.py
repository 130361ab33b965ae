"""Runs as files, without keys, paths, custom prompts and answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from services.analysis.compare import FEWEST, MOST, Candidate
from services.report.export.comparison import comparison_document, comparison_json
from services.report.export.contents import title_of
from services.report.export.document import content_hash, run_document, run_json
from services.report.export.markdown import markdown
from services.report.export.page import notice_html, page_html, policy_of
from services.report.export.parquet import requests_parquet
from services.report.export.public import public
from services.report.export.tables import (
    comparison_csv,
    requests_csv,
    samples_csv,
    slices_csv,
    summary_csv,
)

__all__ = [
    "EXPORTS",
    "Export",
    "comparison_document",
    "content_hash",
    "export",
    "notice_html",
    "page_html",
    "policy_of",
    "run_document",
    "title_of",
]


@dataclass(frozen=True)
class Export:
    """A file format for `least` to `most` runs, the baseline first."""

    name: str
    label: str
    filename: str  # `{runs}` stands for the run ids
    mime: str
    of: Callable[[Sequence[Candidate]], bytes | Iterator[bytes]]  # the content, or its pieces
    least: int = 1
    most: int = 1

    def write(self, candidates: Sequence[Candidate]) -> bytes:
        """Return the content of the file."""
        return b"".join(self.pieces(candidates))

    def pieces(self, candidates: Sequence[Candidate]) -> Iterator[bytes]:
        """Yield the content in pieces, because the file of a large run may not fit into memory."""
        content = self.of([public(candidate) for candidate in candidates])
        yield from [content] if isinstance(content, bytes) else content

    def takes(self, runs: int) -> bool:
        """Return whether the format supports this number of runs."""
        return self.least <= runs <= self.most

    def filename_of(self, run_ids: Sequence[int]) -> str:
        """Return the file name: `paceline-run-12-requests.csv`."""
        if len(run_ids) > SHOWN:
            return self.filename.format(runs=f"{len(run_ids)}-runs")
        kind = "run" if len(run_ids) == 1 else "runs"
        return self.filename.format(runs="-".join([kind, *map(str, run_ids)]))


def export(name: str) -> Export:
    """Return the export with this name.

    Raises:
        KeyError: there is none.
    """
    return {entry.name: entry for entry in EXPORTS}[name]


SHOWN = 8  # run ids in a file name
CSV, JSON = "text/csv; charset=utf-8", "application/json"

EXPORTS = (
    Export("requests.csv", "Requests (CSV)", "paceline-{runs}-requests.csv", CSV, requests_csv),
    Export("slices.csv", "Time slices (CSV)", "paceline-{runs}-slices.csv", CSV, slices_csv),
    Export("samples.csv", "Server samples (CSV)", "paceline-{runs}-samples.csv", CSV, samples_csv),
    Export(
        "summary.csv",
        "Summary (CSV)",
        "paceline-{runs}-summary.csv",
        CSV,
        summary_csv,
        most=100_000,
    ),
    Export(
        "comparison.csv",
        "Comparison (CSV)",
        "paceline-{runs}-comparison.csv",
        CSV,
        comparison_csv,
        least=FEWEST,
        most=MOST,
    ),
    Export(
        "requests.parquet",
        "Requests (Parquet)",
        "paceline-{runs}-requests.parquet",
        "application/vnd.apache.parquet",
        requests_parquet,
    ),
    Export("run.json", "Run (JSON)", "paceline-{runs}.json", JSON, run_json),
    Export(
        "comparison.json",
        "Comparison (JSON)",
        "paceline-{runs}-comparison.json",
        JSON,
        comparison_json,
        least=FEWEST,
        most=MOST,
    ),
    Export(
        "markdown.md",
        "Table for a pull request (Markdown)",
        "paceline-{runs}.md",
        "text/markdown; charset=utf-8",
        markdown,
        most=MOST,
    ),
    Export(
        "page.html",
        "Page that opens offline (HTML)",
        "paceline-{runs}.html",
        "text/html; charset=utf-8",
        page_html,
        most=MOST,
    ),
)
