"""A stored engine: its configuration, its status, its address."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from services.servers.engines.config import EngineConfig

EngineStatus = Literal["planned", "starting", "ready", "ending", "stopped", "failed"]

UP: tuple[EngineStatus, ...] = ("starting", "ready", "ending")  # has processes, or soon will


@dataclass(frozen=True, slots=True)
class EngineInstance:
    """One engine that Paceline starts. "planned": it waits until it is needed."""

    id: int
    status: EngineStatus
    config: EngineConfig
    created_at: datetime
    study_id: int | None = None
    started_at: datetime | None = None
    ready_at: datetime | None = None
    ended_at: datetime | None = None
    starts: int = 0
    stop_requested: bool = False
    phase: str = ""  # what is happening now, as a text
    base_url: str | None = None
    pid: int | None = None
    command: str = ""  # to copy
    facts: dict[str, Any] = field(default_factory=dict)  # as reported by the engine
    error: str | None = None  # why it ended, or why it was started again, as a sentence
    hint: str | None = None  # what to try
