"""What the exported page says, as plain texts and tables; how it looks is the template's.

The first screen answers in ten seconds: what was found, in big words, then the headline figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from services.analysis import client_health
from services.analysis.compare import Candidate, Comparison, compare
from services.analysis.compare.rows import apart
from services.analysis.diagnostics import Diagnostic, diagnostics
from services.analysis.diagnostics.diagnostic import long
from services.ask import modes
from services.ask.measurement import IMPORT
from services.base.table import Table
from services.report import server_table, tables, theme
from services.report.export.tiles import Tile, headline, of_comparison, of_run
from services.report.imports import stated


@dataclass(frozen=True)
class Finding:
    """What was found, in big words; the same in full, or ""; and what to say right below them."""

    words: str
    sentence: str = ""
    details: str = ""


@dataclass(frozen=True)
class Contents:
    """The page's words. `results` stand above the charts, `circumstances` below them."""

    title: str
    lead: str
    findings: tuple[Finding, ...]
    tiles: tuple[Tile, ...]
    sentences: tuple[str, ...]
    diagnostics: tuple[tuple[Diagnostic, str], ...]  # each with the names of its runs, or ""
    results: tuple[Table, ...]
    circumstances: tuple[Table, ...]
    notes: tuple[tuple[str, str], ...] = field(default=())

    @property
    def warnings(self) -> tuple[tuple[Diagnostic, str], ...]:
        """What stands right below the findings."""
        return tuple(one for one in self.diagnostics if one[0].level == "warning")

    @property
    def remarks(self) -> tuple[tuple[Diagnostic, str], ...]:
        """Diagnostics that are not warnings."""
        return tuple(one for one in self.diagnostics if one[0].level != "warning")

    @property
    def folded(self) -> bool:
        """Whether the warnings are too long to stand there in full."""
        return long([diagnostic for diagnostic, _ in self.warnings])

    @property
    def description(self) -> str:
        """The findings in a line: what a preview of a link shows."""
        return " ".join(found.sentence or found.words for found in self.findings)


def contents(candidates: Sequence[Candidate]) -> Contents:
    """Return the page's words for one run, or for two to eight, the baseline first."""
    brief = apart(candidates)
    comparison = compare(brief) if len(candidates) > 1 else None
    labels = tables.labels_of(brief)
    names = _names(candidates)
    return Contents(
        title=title_of(candidates),
        lead=_lead(candidates[0]) if comparison is None else f"Baseline: {names[0]}",
        findings=tuple(_findings(candidates, comparison)),
        tiles=of_comparison(comparison) if comparison else of_run(candidates[0]),
        sentences=tuple(_sentences(candidates, labels, comparison)),
        diagnostics=tuple(_diagnostics(candidates, labels, comparison)),
        results=_results(candidates, labels, comparison),
        circumstances=_circumstances(candidates, labels, comparison),
        notes=tuple((theme.label(c.run), c.run.note) for c in brief if c.run.note),
    )


def title_of(candidates: Sequence[Candidate]) -> str:
    """Return what a page of these runs is called."""
    names = _names(candidates)
    if len(names) > 2:
        return f"{len(names)} runs compared"
    return " against ".join(reversed(names))


def _names(candidates: Sequence[Candidate]) -> list[str]:
    return [candidate.run.name or f"Run {candidate.run.id}" for candidate in candidates]


def _lead(candidate: Candidate) -> str:
    run = candidate.run
    model = f", {run.config.model}" if run.config.model else ""
    started = f", {tables.moment_of(run.started_at)}" if run.started_at else ""
    backend = "" if run.config.backend == IMPORT else run.config.backend
    whence = " ".join(filter(None, (backend, run.through)))
    mode = f", {run.config.mode}" if run.knows("mode") else ""
    return f"Run {run.id}: {whence}{model}{mode}{started}"


def _findings(candidates: Sequence[Candidate], comparison: Comparison | None) -> Iterator[Finding]:
    if comparison is None:
        yield Finding(headline(candidates[0]))
        return
    for verdict in comparison.verdicts:
        yield Finding(verdict.headline, verdict.sentence, verdict.details)


def _sentences(
    candidates: Sequence[Candidate], labels: Sequence[str], comparison: Comparison | None
) -> Iterator[str]:
    for candidate, label in zip(candidates, labels, strict=True):
        if candidate.run.error:
            yield f"{label}: {candidate.run.error}"
        waited = modes.counted(candidate.run.config, candidate.summary.ok)
        if waited and not comparison:
            yield waited
        if attainment := candidate.summary.attainment:
            said = attainment.sentence
            yield f"{label}: {said}" if comparison else said
        if said := client_health.sentence(candidate):
            yield f"{label}: {said}" if comparison else said


def _diagnostics(
    candidates: Sequence[Candidate], labels: Sequence[str], comparison: Comparison | None
) -> Iterator[tuple[Diagnostic, str]]:
    """The comparison's, then those of the runs; one that several runs share is said once."""
    if comparison:
        yield from ((diagnostic, "") for diagnostic in comparison.warnings)
    shared: dict[Diagnostic, list[str]] = {}
    for candidate, label in zip(candidates, labels, strict=True):
        for diagnostic in diagnostics(
            candidate.run, candidate.measurements, candidate.summary, candidate.samples
        ):
            shared.setdefault(diagnostic, []).append(label)
    for diagnostic in sorted(shared, key=lambda diagnostic: diagnostic.level != "warning"):
        yield diagnostic, "; ".join(shared[diagnostic]) if comparison else ""


def _results(
    candidates: Sequence[Candidate], labels: Sequence[str], comparison: Comparison | None
) -> tuple[Table, ...]:
    found: tuple[Table, ...]
    if comparison is None:
        found = (
            tables.figures(candidates, labels),
            tables.classes(candidates[0]),
            tables.distributions(candidates[0]),
        )
    else:
        known = [row.metric for row in comparison.rows]
        found = (tables.measures(comparison, labels), tables.figures(candidates, labels, known))
    said = (each for c in candidates for each in (stated.table(c), stated.definitions(c)))
    return tuple(table for table in (*found, *said) if table.rows)


def _circumstances(
    candidates: Sequence[Candidate], labels: Sequence[str], comparison: Comparison | None
) -> tuple[Table, ...]:
    alone = candidates[0]
    found = (
        [tables.differences(comparison)]
        if comparison
        else [server_table.table(alone), client_health.table(alone)]
    )
    for table in (tables.identities, tables.configuration, tables.environment):
        found.append(table(candidates, labels))
    return tuple(table for table in found if table.rows)
