"""The contents of the exported page as plain texts and tables, without layout.

The first screen must make sense within ten seconds: the finding in large type, then the headline
figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from services.analysis import client_health, nodes
from services.analysis.compare import Candidate, Comparison, compare
from services.analysis.compare.candidate import labels_of
from services.analysis.compare.diagnosed import diagnosed
from services.analysis.compare.labels import labelled
from services.analysis.diagnostics.diagnostic import Diagnostic, are_long
from services.ask import modes
from services.ask.backends import server_text
from services.base.table import Table
from services.report import run_facts, server_table, tables
from services.report.export.tiles import HEADLINE, Tile, of_comparison, of_run
from services.report.imports import stated
from services.report.run_headline import headline
from services.report.verdict_figures import VerdictFigures, overview, ratios_note, verdict_figures
from services.report.verdict_figures import table as verdicts_table


@dataclass(frozen=True)
class Finding:
    """A headline in large type; the same as a full sentence, or ""; and details to show below
    it."""

    headline: str
    sentence: str = ""
    details: str = ""


@dataclass(frozen=True)
class Contents:
    """The page's contents; its tables are in `results` and, further down, `circumstances`."""

    title: str
    lead: str
    findings: tuple[Finding, ...]
    tiles: tuple[Tile, ...]
    sentences: tuple[str, ...]
    diagnostics: tuple[tuple[Diagnostic, str], ...]  # each with the names of its runs, or ""
    results: tuple[Table, ...]
    circumstances: tuple[Table, ...]
    notes: tuple[tuple[str, str], ...] = field(default=())
    verdict_figures: tuple[VerdictFigures, ...] = ()  # directly below the findings
    overview: str = ""  # a sentence on several findings
    verdicts: Table | None = None  # the verdicts as a table

    @property
    def warnings(self) -> tuple[tuple[Diagnostic, str], ...]:
        """Diagnostics shown right below the findings."""
        return tuple(entry for entry in self.diagnostics if entry[0].level == "warning")

    @property
    def remarks(self) -> tuple[tuple[Diagnostic, str], ...]:
        """Diagnostics that are not warnings."""
        return tuple(entry for entry in self.diagnostics if entry[0].level != "warning")

    @property
    def folded(self) -> bool:
        """Whether the warnings are too long to show in full."""
        return are_long([diagnostic for diagnostic, _ in self.warnings])

    @property
    def description(self) -> str:
        """The findings in one line, for link previews."""
        sentences = (finding.sentence or finding.headline for finding in self.findings)
        return " ".join(filter(None, (self.overview and f"{self.overview}.", *sentences)))


def contents(candidates: Sequence[Candidate]) -> Contents:
    """Return the page's contents for one run, or for two to eight, the baseline first."""
    candidates = labelled(candidates)
    comparison = compare(candidates) if len(candidates) > 1 else None
    labels = labels_of(candidates)
    verdicts = verdict_figures(comparison) if comparison else ()
    return Contents(
        title=title_of(candidates),
        lead=_intro(candidates[0]) if comparison is None else f"Baseline: {labels[0]}",
        findings=tuple(_findings(candidates, comparison)),
        tiles=of_comparison(comparison) if comparison else of_run(candidates[0]),
        sentences=tuple(_sentences(candidates, labels, comparison, verdicts)),
        diagnostics=tuple(_diagnostics(candidates, comparison)),
        results=_results(candidates, labels, comparison),
        circumstances=_fact_tables(candidates, labels, comparison),
        notes=tuple((c.label, c.run.note) for c in candidates if c.run.note),
        verdict_figures=verdicts,
        overview=overview(verdicts, comparison) if comparison and len(verdicts) > 1 else "",
        verdicts=verdicts_table(verdicts, comparison) if comparison else None,
    )


def title_of(candidates: Sequence[Candidate]) -> str:
    """Return the title of the page."""
    if len(candidates) > 2:
        return f"{len(candidates)} runs compared"
    if len(candidates) == 1:
        return candidates[0].run.name or candidates[0].label
    return " against ".join(reversed(labels_of(labelled(candidates))))


def _intro(candidate: Candidate) -> str:
    run = candidate.run
    model = f", {run.config.model}" if run.config.model else ""
    started = f", {run_facts.moment_of(run.started_at)}" if run.started_at else ""
    lasted = run_facts.measured_for(run)
    server = server_text(run.config.backend, run.config.base_url)
    whence = " ".join(filter(None, (server, run.through)))
    mode = f", {run.config.mode}" if run.knows("mode") else ""
    return f"Run {run.id}: {whence}{model}{mode}{started}{lasted and f', measured for {lasted}'}"


def _findings(candidates: Sequence[Candidate], comparison: Comparison | None) -> Iterator[Finding]:
    if comparison is None:
        yield Finding(headline(candidates[0]))
        return
    for verdict in comparison.verdicts:
        yield Finding(verdict.headline, verdict.sentence, verdict.details)


def _sentences(
    candidates: Sequence[Candidate],
    labels: Sequence[str],
    comparison: Comparison | None,
    verdicts: Sequence[VerdictFigures],
) -> Iterator[str]:
    if comparison and not any(figures.note for figures in verdicts):
        yield from filter(None, [ratios_note([r for r in comparison.rows if r.metric in HEADLINE])])
    for candidate, label in zip(candidates, labels, strict=True):
        if candidate.run.error:
            yield f"{label}: {candidate.run.error}"
        sample_note = modes.wait_note(candidate.run.config, candidate.summary.ok)
        if sample_note and not comparison:
            yield sample_note
        if attainment := candidate.summary.attainment:
            sentence = attainment.sentence
            yield f"{label}: {sentence}" if comparison else sentence
        if sentence := client_health.sentence(candidate):
            yield f"{label}: {sentence}" if comparison else sentence


def _diagnostics(
    candidates: Sequence[Candidate], comparison: Comparison | None
) -> Iterator[tuple[Diagnostic, str]]:
    if comparison:
        yield from diagnosed(candidates, comparison.warnings)
    else:
        yield from ((diagnostic, "") for diagnostic, _ in diagnosed(candidates, ()))


def _results(
    candidates: Sequence[Candidate], labels: Sequence[str], comparison: Comparison | None
) -> tuple[Table, ...]:
    figures: tuple[Table, ...]
    if comparison is None:
        figures = (
            tables.figures(candidates, labels),
            tables.classes(candidates[0]),
            tables.prefix_cache(candidates[0]),
            tables.ttft_phases(candidates[0]),
            tables.distributions(candidates[0]),
        )
    else:
        known = [row.metric for row in comparison.rows]
        figures = (tables.measures(comparison, labels), tables.figures(candidates, labels, known))
    imported = [
        replace(table, title=f"{table.title}: {label}") if comparison else table
        for candidate, label in zip(candidates, labels, strict=True)
        for table in (stated.table(candidate), stated.definitions(candidate))
    ]
    return tuple(table for table in (*figures, *imported) if table.rows)


def _fact_tables(
    candidates: Sequence[Candidate], labels: Sequence[str], comparison: Comparison | None
) -> tuple[Table, ...]:
    alone = candidates[0]
    facts = (
        [run_facts.differences(comparison)]
        if comparison
        else [server_table.table(alone), client_health.table(alone), nodes.table(alone)]
    )
    for table in (run_facts.identities, run_facts.configuration, run_facts.environment):
        facts.append(table(candidates, labels))
    return tuple(table for table in facts if table.rows)
