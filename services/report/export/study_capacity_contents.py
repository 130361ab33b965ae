"""The contents of the page of a study that searches for the highest capacity, in the same parts as
a run's."""

from __future__ import annotations

from collections.abc import Iterator

from services.analysis.capacity import label_of
from services.base.table import Table
from services.report.export.capacity_contents import search_table
from services.report.export.contents import Contents, Finding
from services.report.export.study_contents import configuration_table, engine_table
from services.report.export.tiles import Line, Tile
from services.report.run_facts import measured_sentence
from services.report.study_capacity import capacity_table, searches_table
from services.studies.capacity_wording import interval_text, load_text
from services.studies.highest_wording import highest_of_study, labels_of_study, sentences, works_of
from services.studies.study import Study


def study_capacity_contents(study: Study) -> Contents:
    """Return the contents of the page of a study that searches for capacities."""
    assert study.config.search is not None
    first, *others = sentences(study) or ["Nothing was searched."]
    count = len(study.searches)
    probes = (probe for search in study.searches for probe in search.capacity.probes)
    windows = (each.window_s for each in probes if each.observation is not None)
    lasted = measured_sentence(windows, study.created_at)
    return Contents(
        title=study.name or "Study",
        lead=f"{count:,} {'search' if count == 1 else 'searches'}; "
        f"{label_of(study.config.search.parsed_objectives)}. {lasted}".strip(),
        findings=(Finding(first), *map(Finding, others)),
        tiles=tuple(_tiles(study)),
        sentences=(),
        diagnostics=(),
        results=(capacity_table(study), searches_table(study)),
        circumstances=tuple(_fact_tables(study)),
        notes=(("Note", study.note),) if study.note else (),
    )


def _tiles(study: Study) -> Iterator[Tile]:
    """The highest capacity of each workload."""
    found, labels = highest_of_study(study), labels_of_study(study)
    lines = []
    for of_work, work in zip(found, works_of(found), strict=True):
        best = of_work.ranked[0] if of_work.ranked else None
        if best is not None and best.found is not None:
            config = best.capacity.config
            about = (labels[best.engine], work, interval_text(best.found, config))
            value = load_text(best.found.value, config)
            lines.append(Line(None, value, tuple(filter(None, about))))
    if lines and study.config.search is not None:
        yield Tile(f"Highest capacity, {study.config.search.unit}", tuple(lines), "more is better")


def _fact_tables(study: Study) -> Iterator[Table]:
    assert study.config.search is not None
    labels = labels_of_study(study)
    yield search_table(study.config.search)
    yield engine_table(list(labels), list(labels.values()))
    runs = list(dict.fromkeys(search.run for search in study.searches))
    yield from configuration_table(runs, "All searches")
