"""An engine as plain data, for the API and for `--json`. A config holds no key, and a command shows
only the environment variables that Paceline adds."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from services.servers.engines import EngineConfig
from services.servers.engines.instance import EngineInstance, EngineStatus


class EngineFacts(BaseModel):
    """An engine that Paceline starts, with its state."""

    id: int
    status: EngineStatus = Field(description="planned: waiting in its study")
    config: EngineConfig
    study_id: int | None = Field(description="The study that started it; null: started by a person")
    created_at: datetime
    started_at: datetime | None
    ready_at: datetime | None
    ended_at: datetime | None
    starts: int = Field(description="Number of starts")
    stop_requested: bool
    phase: str = Field(description="What it is doing now, as text")
    base_url: str | None = Field(description="Its address, once it is ready")
    command: str = Field(description="The command that starts it, to be copied into a shell")
    facts: dict[str, Any] = Field(description="What the engine reports about itself")
    error: str | None = Field(
        description="Why it ended, if nobody stopped it; or why it was started again"
    )
    hint: str | None = Field(description="What to try")


class EngineWithLog(EngineFacts):
    """An engine with its log."""

    log: str = Field(description="The end of its log")


def engine_facts(engine: EngineInstance) -> EngineFacts:
    return EngineFacts(**asdict(engine) | {"config": engine.config})


def as_facts(engine: EngineInstance) -> dict[str, Any]:
    """Return an engine's facts as a dict."""
    return engine_facts(engine).model_dump()
