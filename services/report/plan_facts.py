"""What a study would measure, as plain facts. Prompts are no part of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from services.ask.own_prompts import without_prompts
from services.servers.engines import EngineConfig
from services.studies.estimate import Estimate
from services.studies.grid import Planned


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


def plan_facts(grid: Sequence[Planned], ahead: Estimate, devices: str) -> Plan:
    cells = [
        PlannedCell(
            place=one.cell.index,
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
