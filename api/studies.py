"""/api/studies: grids of runs. Responses contain no prompts."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from api.bodies import By, Route, Started, config_of, given, json_body_route
from api.errors import error_responses
from api.run_body import RunBody
from db import studies
from db.database import opened
from db.studies import StudyRow
from jobs import studies as study_jobs
from services.ask.measurement import Run, RunStatus
from services.ask.own_prompts import without_prompts
from services.report.engine_facts import EngineFacts, engine_facts
from services.report.export.study import study_document
from services.report.export.study_shape import StudyDocument
from services.report.plan_facts import Plan, plan_facts
from services.report.study_capacity import StudyCapacityDocument, study_capacity_document
from services.servers.engines import devices
from services.studies import unread_fields
from services.studies.capacity import Status
from services.studies.highest import StudySearch
from services.studies.study import Study
from services.studies.study_config import StudyConfig, parse_study
from services.studies.study_link import preset_config, with_defaults

router = APIRouter(route_class=Route)


StudyId = Annotated[int, Field(description="Number of the study")]


ABOUT = {"name", "tags", "note"}


class NewStudy(StudyConfig):
    """A study to queue: its config, name, tags and note. Omitted fields use the defaults of its
    preset."""

    run: RunBody = Field(RunBody(), description=StudyConfig.model_fields["run"].description)
    name: str = Field("", max_length=200, description="Name; empty: generated from the config")
    tags: tuple[str, ...] = Field((), max_length=20, description="Tags of its runs")
    note: str = Field("", max_length=10_000, description="Note")

    @model_validator(mode="before")
    @classmethod
    def _fill_defaults(cls, data: Any) -> Any:
        return with_defaults(data)

    def config(self) -> StudyConfig:
        study = parse_study({**self.model_dump(exclude=ABOUT), "run": config_of(self.run)})
        of_preset = preset_config(study.preset).run
        own = [n for n in given(self.run) if getattr(study.run, n) != getattr(of_preset, n)]
        unread_fields.check(own, study)
        return study


class CellFacts(BaseModel):
    """A cell of a stored study, and its newest run."""

    place: int
    run: int = Field(description="Number of the run")
    engine: int | None = Field(description="Number of the engine that Paceline starts for it")
    name: str
    status: RunStatus
    problem: str | None = Field(description="Why it has no result")


class SearchFacts(BaseModel):
    """A search of a study for the capacity of a configuration."""

    search: int = Field(description="Number of the capacity search")
    engine: int | None = Field(description="Number of the engine that Paceline starts for it")
    name: str
    status: Status
    start: int = Field(
        description="0: searched first; from 1: a fresh start of one of the two best"
    )
    probes: int = Field(description="Number of probes that were started")
    problem: str | None = Field(description="Why it has no result")


class StudyFacts(BaseModel):
    """A stored study and its status."""

    id: int
    name: str
    note: str
    created_at: datetime
    asked: dict[str, Any] = Field(description="The study's config, without prompts")
    active: bool = Field(description="Whether cells remain to be measured")
    counts: dict[RunStatus, int] = Field(description="Cells by status")
    cells: list[CellFacts]
    searches: list[SearchFacts] = Field(description="Instead of cells, for the preset capacity")
    engines: list[EngineFacts]
    page: str = Field(description="The study in the browser")


class Resumed(BaseModel):
    """Which cells to measure again, in addition to interrupted ones."""

    model_config = ConfigDict(extra="forbid")

    failed: StrictBool = Field(False, description="Also measure the cells that failed")


@router.get("/studies")
def list_studies(
    limit: Annotated[int, Query(ge=1, le=1000, description="Maximum number of studies")] = 100,
) -> list[StudyRow]:
    """List studies, newest first, with the number of cells: all, done and remaining."""
    return studies.list_all(opened(), limit)


@router.post("/studies", status_code=202, **json_body_route())
def start_study(new: NewStudy, by: By) -> Started:
    """Queue a study: each of its engines is started, measured with every load, and stopped. A cell
    that cannot be measured here is stored as failed, with the reason."""
    study_id = study_jobs.submit(opened(), new.config(), new.name, new.tags, new.note, by=by)
    return Started(id=study_id, url=f"/api/studies/{study_id}", page=f"/study?study={study_id}")


@router.post("/studies/plan", **json_body_route())
def plan_study(new: NewStudy) -> Plan:
    """Return what a study would measure, what cannot run here and why, and how long it would take.
    Nothing is started."""
    config = new.config()
    grid = study_jobs.plan(config)
    return plan_facts(grid, study_jobs.estimated(opened(), config, grid), devices().counted())


@router.get("/studies/{study_id}", responses=error_responses(_404="No such study"))
def show_study(study_id: StudyId) -> StudyFacts:
    """Return the status of a study: its cells with their runs and problems, and its engines."""
    return study_facts(studies.load(opened(), study_id))


@router.get(
    "/studies/{study_id}/report",
    response_class=Response,
    responses={
        200: {"model": StudyDocument | StudyCapacityDocument},
        **error_responses(_404="No such study"),
    },
)
def report_study(study_id: StudyId) -> Response:
    """Return the report on what has been measured so far, and the numbers behind it."""
    study = studies.load(opened(), study_id)
    if study.config.search is not None:
        found = study_capacity_document(study)
        return Response(orjson.dumps(found), media_type="application/json")
    document = study_document(study.name, *study_jobs.report_inputs(opened(), study))
    return Response(orjson.dumps(document), media_type="application/json")


@router.post("/studies/{study_id}/cancel", responses=error_responses(_404="No such study"))
def cancel_study(study_id: StudyId) -> StudyFacts:
    """Stop a study and its engines; what has been measured is kept."""
    study_jobs.cancel(opened(), study_id)
    return study_facts(studies.load(opened(), study_id))


@router.post(
    "/studies/{study_id}/resume",
    status_code=202,
    **json_body_route(_404="No such study", _409="There is nothing to resume"),
)
def resume_study(study_id: StudyId, what: Resumed) -> StudyFacts:
    """Measure the interrupted cells of a study again."""
    study_jobs.resume(opened(), study_id, what.failed)
    return study_facts(studies.load(opened(), study_id))


@router.delete(
    "/studies/{study_id}",
    status_code=204,
    responses=error_responses(_404="No such study", _409="It is being measured: cancel it first"),
)
def delete_study(study_id: StudyId) -> None:
    """Delete a study, its engines and its runs with all their requests."""
    study_jobs.delete(opened(), study_id)


def study_facts(study: Study) -> StudyFacts:
    config = study.config.model_dump(mode="json") | {"run": without_prompts(study.config.run)}
    return StudyFacts(
        id=study.id,
        name=study.name,
        note=study.note,
        created_at=study.created_at,
        asked=config,
        active=study.active,
        counts=Counter(run.status for run in study.runs),
        cells=[_cell(run) for run in study.runs],
        searches=list(map(_search, study.searches)),
        engines=list(map(engine_facts, study.engines)),
        page=f"/study?study={study.id}",
    )


def _search(search: StudySearch) -> SearchFacts:
    capacity = search.capacity
    return SearchFacts(
        search=capacity.id,
        engine=capacity.engine_id,
        name=capacity.name,
        status=capacity.status,
        start=capacity.start,
        probes=len(capacity.probes),
        problem=capacity.error,
    )


def _cell(run: Run) -> CellFacts:
    return CellFacts(
        place=run.cell or 0,
        run=run.id,
        engine=run.engine_id,
        name=run.name,
        status=run.status,
        problem=run.error,
    )
