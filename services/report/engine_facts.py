"""An engine as plain facts, for the API and for `--json`. A configuration holds no key, a command
only what Paceline adds to the environment: what else is in it is never told."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from services.servers.engines import EngineConfig
from services.servers.engines.instance import EngineInstance, EngineStatus


class EngineFacts(BaseModel):
    """An engine that Paceline starts, and how it is."""

    id: int
    status: EngineStatus = Field(description="planned: it waits for its turn in its study")
    config: EngineConfig
    study_id: int | None = Field(description="Of a study; null: a person has started it")
    created_at: datetime
    started_at: datetime | None
    ready_at: datetime | None
    ended_at: datetime | None
    starts: int = Field(description="How often it was started")
    stop_requested: bool
    phase: str = Field(description="What is happening now, in words")
    base_url: str | None = Field(description="Where it answers, once it is ready")
    command: str = Field(description="How it was started, to be copied into a shell")
    facts: dict[str, Any] = Field(description="What it says of itself")
    error: str | None = Field(description="Why it ended, where nobody stopped it")
    hint: str | None = Field(description="And what to try")


class EngineWithLog(EngineFacts):
    """An engine with what it says."""

    log: str = Field(description="The end of its log")


def engine_facts(server: EngineInstance) -> EngineFacts:
    return EngineFacts(**asdict(server) | {"config": server.config})


def as_facts(server: EngineInstance) -> dict[str, Any]:
    """Return the same as plain data."""
    return engine_facts(server).model_dump()
