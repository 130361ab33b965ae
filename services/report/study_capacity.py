"""A study that searches for the highest capacity: its table, as text, and as plain data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import BaseModel, Field

from services.analysis.fingerprint import digest
from services.base.table import Table
from services.base.units import NOTHING
from services.report.export.public import public_config
from services.report.export.public_study import clean, public_engines
from services.report.terminal import table
from services.servers.engines import EngineConfig
from services.studies.capacity import Capacity
from services.studies.capacity_wording import why_ended
from services.studies.highest import HighestCapacity, StudySearch
from services.studies.highest_wording import (
    brief,
    highest_of_study,
    labels_of_study,
    search_state,
    sentences,
    shared_label,
    works_of,
)
from services.studies.study import Study

SCHEMA = "paceline/study-capacity/1"
UNHASHED = ("search", "page")  # of a search: its number and link here


class SearchRow(BaseModel):
    """One search of a configuration's capacity. Loads are in the unit of the document."""

    search: int = Field(description="Number of the search")
    configuration: str
    work: str = Field(description="What its requests differ in; empty: nothing")
    engine: EngineConfig
    devices: int
    start: int = Field(
        description="0: searched first; from 1: a fresh start of one of the two best"
    )
    status: str
    problem: str | None = Field(description="Why it has no capacity, or was interrupted")
    capacity: float | None
    low: float | None
    high: float | None
    at_least: float | None = Field(description="What was sustained, if there is no capacity")
    page: str


class VerdictRow(BaseModel):
    """The two best configurations of a workload, by their fresh starts alone."""

    work: str
    best: str | None = Field(description="Configuration that sustained the most at first")
    runner_up: str | None
    ratio: float | None = Field(description="Capacity of the best over the runner-up's")
    low: float | None
    high: float | None
    verdict: str | None = Field(description="more, less, equivalent or inconclusive")
    more_starts: float | None = Field(
        description="Inconclusive: about how many times as many fresh starts it would take"
    )
    problem: str | None = Field(description="Why the two were not compared")


class StudyCapacityDocument(BaseModel):
    """A study's searches, and which configuration has the highest capacity."""

    schema_: str = Field(SCHEMA, alias="schema")
    content_sha256: str = Field(description="SHA-256 of the objectives, verdicts and searches")
    name: str
    unit: str
    objectives: list[str]
    sentences: list[str]
    verdicts: list[VerdictRow]
    searches: list[SearchRow]


def capacity_table(study: Study) -> Table:
    """Return a table of each configuration, the best first, with its capacity and that of its fresh
    starts."""
    highest, labels = highest_of_study(study), labels_of_study(study)
    works = works_of(highest)
    lines = [
        (
            *([work] if any(works) else []),
            labels[search.engine],
            brief(search) or search.capacity.error or NOTHING,
            _fresh_starts(of_work, search) or NOTHING,
            search_state(search) if search.capacity.error is None else search.capacity.status,
        )
        for of_work, work in zip(highest, works, strict=True)
        for search in of_work.ranked
    ]
    unit = f"{study.config.search.unit}, 95 %" if study.config.search else ""
    columns = ("Configuration", f"Capacity ({unit})", "On fresh starts", "Status")
    same = f"All are {shared}. " if (shared := shared_label(study)) else ""
    note = f"{same}The verdict uses only the fresh starts: the best of several is partly luck."
    return Table("Capacities", (*(["Load"] if any(works) else []), *columns), tuple(lines), note)


def searches_table(study: Study) -> Table:
    """Return a table of every search in the order of measurement, with the reason why it ended."""
    labels = labels_of_study(study)
    lines = [
        (
            labels[search.engine],
            f"fresh start {search.capacity.start}" if search.capacity.start else "first search",
            brief(search) or search_state(search),
            str(sum(probe.observation is not None for probe in search.capacity.probes)),
            why_ended(search.ended, search.capacity.config) if search.ended else NOTHING,
        )
        for search in study.searches
    ]
    columns = ("Configuration", "Start", "Capacity", "Probes", "Why it ended")
    return Table("Searches", columns, tuple(lines))


def _fresh_starts(of_work: HighestCapacity, search: StudySearch) -> str:
    return "\n".join(brief(each) or search_state(each) for each in of_work.starts_of(search))


def study_capacity_text(study: Study) -> str:
    """Describe a study for a terminal."""
    whole = capacity_table(study)
    parts = [f"Study {study.id} · {study.name}", "\n".join(sentences(study))]
    if whole.rows:
        cells = [[cell.replace("\n", "; ") for cell in row] for row in whole.rows]
        parts.append(table(list(whole.columns), cells))
    return "\n\n".join(filter(None, parts))


def study_capacity_document(study: Study) -> dict[str, Any]:
    """Return a study as plain data without paths and keys, see StudyCapacityDocument."""
    study = public_searches(study)
    document = _document(study)
    document.content_sha256 = study_capacity_hash(study)
    return document.model_dump(mode="json", by_alias=True)


def study_capacity_hash(study: Study) -> str:
    """Return the SHA-256 of a study's settings and results, without its name."""
    document = _document(public_searches(study)).model_dump(mode="json")
    searches = [
        {name: value for name, value in row.items() if name not in UNHASHED}
        for row in document["searches"]
    ]
    return digest([document["unit"], document["objectives"], document["verdicts"], searches])


def _document(study: Study) -> StudyCapacityDocument:
    highest, labels = highest_of_study(study), labels_of_study(study)
    works = {each.run: work for each, work in zip(highest, works_of(highest), strict=True)}
    settings = study.config.search
    assert settings is not None
    return StudyCapacityDocument(
        schema=SCHEMA,
        content_sha256="",
        name=study.name,
        unit=settings.unit,
        objectives=list(settings.objectives),
        sentences=sentences(study),
        verdicts=[_verdict(each, works[each.run], labels) for each in highest],
        searches=[
            _search(search, works[search.run], labels[search.engine]) for search in study.searches
        ],
    )


def public_searches(study: Study) -> Study:
    """Remove paths and anything that looks like a key from the engines, the runs and the
    problems."""
    engines = public_engines(search.engine for search in study.searches)
    searches = tuple(
        StudySearch(engines[search.engine], _public_capacity(search.capacity))
        for search in study.searches
    )
    return replace(study, searches=searches)


def _public_capacity(capacity: Capacity) -> Capacity:
    servers = tuple(map(public_config, capacity.config.servers))
    config = capacity.config.model_copy(update={"servers": servers})
    return replace(capacity, config=config, error=capacity.error and clean(capacity.error))


def _verdict(each: HighestCapacity, work: str, labels: Any) -> VerdictRow:
    best, *others = [
        *(labels[search.engine] for search in each.ranked if search.at_least),
        None,
        None,
    ]
    ratio = each.ratio
    return VerdictRow(
        work=work,
        best=best,
        runner_up=others[0],
        ratio=ratio and ratio.value,
        low=ratio and ratio.low,
        high=ratio and ratio.high,
        verdict=ratio and ratio.word,
        more_starts=ratio and ratio.longer,
        problem=each.problem,
    )


def _search(search: StudySearch, work: str, label: str) -> SearchRow:
    estimate, capacity = search.found, search.capacity
    return SearchRow(
        search=capacity.id,
        configuration=label,
        work=work,
        engine=search.engine,
        devices=search.engine.ranks,
        start=capacity.start,
        status=capacity.status,
        problem=capacity.error,
        capacity=estimate and estimate.value,
        low=estimate and estimate.low,
        high=estimate and estimate.high,
        at_least=search.ended.at_least if search.ended and not estimate else None,
        page=f"/capacity?search={capacity.id}",
    )
