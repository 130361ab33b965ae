"""An engine as it is kept: what was asked, how it is, where it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from services.servers.engines.config import EngineConfig

EngineStatus = Literal["planned", "starting", "ready", "ending", "stopped", "failed"]

UP: tuple[EngineStatus, ...] = ("starting", "ready", "ending")  # it has processes, or soon will


@dataclass(frozen=True, slots=True)
class EngineInstance:
    """One engine that Paceline starts. `planned`: it waits until a study has need of it."""

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
    phase: str = ""  # what is happening now, in words
    base_url: str | None = None
    pid: int | None = None
    command: str = ""  # to copy
    facts: dict[str, Any] = field(default_factory=dict)  # what it says of itself
    error: str | None = None  # why it ended, a sentence
    hint: str | None = None  # and what to try
