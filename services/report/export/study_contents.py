"""The contents of a study's page, in the same parts as a run's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from services.analysis.diagnostics import Diagnostic, diagnostics
from services.ask import about
from services.ask.config import RunConfig
from services.base.table import Table
from services.base.units import NOTHING, many, show
from services.report import run_facts
from services.report.export.contents import Contents, Finding
from services.report.export.tiles import Line, Tile
from services.report.fact_text import fact_text
from services.servers.engines import EngineConfig
from services.studies.best import BestConfiguration
from services.studies.report import Report
from services.studies.tables import all_tables

MAX_NAMED = 4  # cells of a diagnostic; more are only counted
VARIES = "not the same in all cells"
OMITTED = ("base_url",)  # every engine of a study has a different address


def study_contents(name: str, report: Report) -> Contents:
    """Return the contents of a study's page."""
    return Contents(
        title=name or "Study",
        lead=overview_of(report),
        findings=(Finding(report.headline, report.sentence, report.details),),
        tiles=tuple(map(_tile, _first_best(report))),
        sentences=(*report.sentences, *report.notes),
        diagnostics=tuple(diagnostics_of(report)),
        results=all_tables(report),
        circumstances=tuple(_fact_tables(report)),
    )


def overview_of(report: Report) -> str:
    """Return what was varied, how many cells were measured, and for how long."""
    runs = (candidate.run for row in report.scaling.rows for candidate in row.candidates)
    return f"{report.varied} {run_facts.all_measured_for(runs)}".strip()


def _first_best(report: Report) -> list[BestConfiguration]:
    """Return the best of the first series of workloads, by each criterion."""
    return list({best.criterion.name: best for best in reversed(report.best)}.values())[::-1]


def _tile(best: BestConfiguration) -> Tile:
    level = best.row.level(best.criterion.measure)
    value = show(level.value if level else None, best.criterion.unit)
    about = (best.row.label, best.row.work_label)
    better = "more is better" if best.criterion.more else "less is better"
    return Tile(f"Best: {best.criterion.label}", (Line(None, value, about),), better)


def diagnostics_of(report: Report) -> Iterator[tuple[Diagnostic, str]]:
    """Yield the diagnostics of the runs, each title once, with the names of its cells."""
    several = len(report.scaling.configurations) > 1
    shared: dict[tuple[str, str], list[tuple[Diagnostic, str]]] = {}
    for row in report.scaling.rows:
        name = f"{row.label}, {row.work_label}" if several else row.work_label
        for candidate in row.candidates:
            for diagnostic in diagnostics(
                candidate.run, candidate.measurements, candidate.summary, candidate.samples
            ):
                key = (diagnostic.level, diagnostic.title)
                shared.setdefault(key, []).append((diagnostic, name))
    for alike in sorted(shared.values(), key=lambda alike: alike[0][0].level != "warning"):
        yield _merge_diagnostics(alike), _cell_names(list(dict.fromkeys(name for _, name in alike)))


def _merge_diagnostics(alike: Sequence[tuple[Diagnostic, str]]) -> Diagnostic:
    """The diagnostic of several cells; if their numbers differ, with those of the first."""
    first, name = alike[0]
    if len({diagnostic for diagnostic, _ in alike}) == 1:
        return first
    return replace(first, sentence=f"For example at {name}: {first.sentence}")


def _cell_names(cells: Sequence[str]) -> str:
    return many(len(cells), "cell") if len(cells) > MAX_NAMED else "; ".join(cells)


def _fact_tables(report: Report) -> Iterator[Table]:
    cells = [cell for row in report.scaling.rows for cell in row.cells]
    engines = [
        configuration.engine
        for configuration in report.scaling.configurations
        if configuration.engine is not None
    ]
    if engines:
        names = [report.scaling.labels[c] for c in report.scaling.configurations if c.engine]
        yield engine_table(engines, names)
    yield from configuration_table([cell.cell.config for cell in cells], "All cells")
    runs = [cell.candidate.run for cell in cells if cell.candidate is not None]
    if lines := tuple(_shared(run_facts.environment_texts(run.environment) for run in runs)):
        yield Table("Environment", ("", "All cells"), lines)


def engine_table(engines: Sequence[EngineConfig], names: Sequence[str]) -> Table:
    """Return a table of the settings of a study's engines, with these names."""
    return Table("Engines", ("", *names), tuple(_engines(engines)))


def configuration_table(configs: Sequence[RunConfig], whose: str) -> Iterator[Table]:
    """Yield a table of what the runs have in common, if anything; `whose` is the title of its
    column."""
    if lines := tuple(_shared(run_facts.config_texts(config, OMITTED) for config in configs)):
        yield Table("Configuration", ("", whose), lines)


def _engines(engines: Sequence[EngineConfig]) -> Iterator[tuple[str, ...]]:
    known = about.fields(EngineConfig)
    for name in EngineConfig.model_fields:
        values = [getattr(engine, name) for engine in engines]
        if name != "start_timeout_s" and any(value not in (None, "") for value in values):
            yield known[name].label, *map(fact_text, values)


def _shared(facts: Iterable[Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield each fact with its text, or with VARIES if there are several."""
    columns = list(facts)
    for name in dict.fromkeys(name for column in columns for name in column):
        values = {column.get(name, NOTHING) for column in columns}
        yield name, values.pop() if len(values) == 1 else VARIES
