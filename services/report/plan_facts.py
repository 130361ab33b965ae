"""The plan of a study as plain data, without prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from services.ask.own_prompts import without_prompts
from services.servers.engines import EngineConfig
from services.studies.estimate import Estimate
from services.studies.grid import GridCell


class PlannedCell(BaseModel):
    """A cell before it is measured."""

    place: int = Field(description="Index in the grid, from 0")
    engine: EngineConfig | None = Field(description="null: an existing server")
    run: dict[str, Any] = Field(description="The run config, without the prompts")
    obstacle: str | None = Field(description="Why it cannot be measured on this machine")


class Plan(BaseModel):
    """What a study would measure, and its estimated time and cost."""

    cells: list[PlannedCell]
    devices: str = Field(description="The devices of this machine, such as 2 GPUs")
    impossible: int = Field(description="Number of cells that cannot be measured on this machine")
    starts: int = Field(description="Number of engine starts, one after the other")
    seconds: float = Field(description="Estimated duration, including engine starts")
    at_least: bool = Field(description="Lower bound: cells of unknown duration count as 0")
    usd: float | None = Field(
        description="Estimated cost at the price per GPU-hour; null: no price"
    )
    sentence: str = Field(description="The estimate as a sentence")


def plan_facts(grid: Sequence[GridCell], estimate: Estimate, devices: str) -> Plan:
    cells = [
        PlannedCell(
            place=planned.cell.index,
            engine=planned.cell.engine,
            run=without_prompts(planned.cell.config),
            obstacle=planned.obstacle,
        )
        for planned in grid
    ]
    return Plan(
        cells=cells,
        devices=devices,
        impossible=estimate.impossible,
        starts=estimate.starts,
        seconds=estimate.seconds,
        at_least=estimate.at_least,
        usd=estimate.usd,
        sentence=estimate.sentence,
    )
