"""What the API takes and says of studies. Prompts are no part of what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from services.ask.measurement import Run, RunStatus
from services.ask.own_prompts import without_prompts
from services.messages.engines import EngineFacts, engine_facts
from services.servers.engines import EngineConfig
from services.studies.estimate import Estimate
from services.studies.flat import with_defaults
from services.studies.grid import Planned
from services.studies.study import Study
from services.studies.study_config import StudyConfig, parse_study

ABOUT = {"name", "tags", "note"}


class NewStudy(StudyConfig):
    """A study to be queued, and what people call it. What is not given is as its preset begins."""

    name: str = Field("", max_length=200, description="Name; empty: made from the config")
    tags: tuple[str, ...] = Field((), max_length=20, description="Of each of its runs")
    note: str = Field("", max_length=10_000, description="Note")

    @model_validator(mode="before")
    @classmethod
    def _as_its_preset_begins(cls, data: Any) -> Any:
        return with_defaults(data)

    def config(self) -> StudyConfig:
        return parse_study(self.model_dump(exclude=ABOUT))


class PlannedCell(BaseModel):
    """A cell before it is measured."""

    place: int = Field(description="In the grid, from 0")
    engine: EngineConfig | None = Field(description="null: the server is there already")
    run: dict[str, Any] = Field(description="What is measured, without the prompts")
    obstacle: str | None = Field(description="Why it cannot be measured here")


class Plan(BaseModel):
    """What a study would measure, and what that takes."""

    cells: list[PlannedCell]
    devices: str = Field(description="What this machine has: 2 GPUs")
    impossible: int = Field(description="Cells that cannot be measured here")
    starts: int = Field(description="Engines to be started, one after the other")
    seconds: float = Field(description="About so long, with the starts")
    at_least: bool = Field(description="The pace of a cell is not known, and counts as nothing")
    usd: float | None = Field(description="At the price of a GPU-hour; null: none was given")
    sentence: str = Field(description="The same in words")


class CellFacts(BaseModel):
    """A cell of a stored study, and its newest run."""

    place: int
    run: int = Field(description="Its number")
    engine: int | None = Field(description="The number of the engine that is started for it")
    name: str
    status: RunStatus
    problem: str | None = Field(description="Why it has no numbers")


class StudyFacts(BaseModel):
    """A stored study and how it stands."""

    id: int
    name: str
    note: str
    created_at: datetime
    asked: dict[str, Any] = Field(description="The study as it was asked for, without prompts")
    active: bool = Field(description="Something is still to be measured")
    counts: dict[RunStatus, int] = Field(description="Cells by status")
    cells: list[CellFacts]
    engines: list[EngineFacts]
    page: str = Field(description="The study in the browser")


class Resumed(BaseModel):
    """Which cells are measured anew, besides those that were cut short."""

    model_config = ConfigDict(extra="forbid")

    failed: StrictBool = Field(False, description="Those that failed, too")


def plan_facts(grid: Sequence[Planned], ahead: Estimate, devices: str) -> Plan:
    cells = [
        PlannedCell(
            place=one.cell.place,
            engine=one.cell.engine,
            run=without_prompts(one.cell.config),
            obstacle=one.obstacle,
        )
        for one in grid
    ]
    return Plan(
        cells=cells,
        devices=devices,
        impossible=ahead.impossible,
        starts=ahead.starts,
        seconds=ahead.seconds,
        at_least=ahead.at_least,
        usd=ahead.usd,
        sentence=ahead.sentence,
    )


def study_facts(study: Study) -> StudyFacts:
    asked = study.config.model_dump(mode="json") | {"run": without_prompts(study.config.run)}
    return StudyFacts(
        id=study.id,
        name=study.name,
        note=study.note,
        created_at=study.created_at,
        asked=asked,
        active=study.active,
        counts=Counter(run.status for run in study.runs),
        cells=[_cell(run) for run in study.runs],
        engines=list(map(engine_facts, study.servers)),
        page=f"/study?study={study.id}",
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
