"""A study as it is kept, and how far it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.ask.measurement import ACTIVE, Run
from services.base.units import many
from services.servers.engines.instance import EngineInstance
from services.studies.report import Device
from services.studies.study_config import StudyConfig


@dataclass(frozen=True, slots=True)
class Study:
    """A stored study: its newest run for each cell, in the order of the cells, and its engines."""

    id: int
    name: str
    note: str
    created_at: datetime
    config: StudyConfig
    runs: tuple[Run, ...]
    servers: tuple[EngineInstance, ...]

    def server_of(self, run: Run) -> EngineInstance | None:
        """The engine that a run is measured on; None: it is none of Paceline's."""
        return next((server for server in self.servers if server.id == run.engine_id), None)

    @property
    def device(self) -> Device:
        """What one rank of its engines runs on, as they were started."""
        found = [server.facts.get("device") for server in self.servers]
        known: list[Device] = [kind for kind in ("GPU", "core") if kind in found]
        return known[0] if known else "device"

    @property
    def active(self) -> bool:
        """Whether something is still to be measured."""
        return any(run.status in ACTIVE for run in self.runs)

    @property
    def to_resume(self) -> tuple[Run, ...]:
        """The runs that were cut short: a resumed study measures their cells anew."""
        return tuple(run for run in self.runs if run.status in ("interrupted", "cancelled"))

    @property
    def failed(self) -> tuple[Run, ...]:
        return tuple(run for run in self.runs if run.status == "failed")


def standing_of(runs: Sequence[Run]) -> str:
    """Say how far a study is: "3 of 12 cells are measured, 1 failed, 8 wait"."""
    counted = Counter[str](run.status for run in runs)
    said = [f"{counted['done']:,} of {many(len(runs), 'cell')} measured"]
    words = (
        ("failed", "failed"),
        ("running", "running"),
        ("queued", "waiting"),
        ("interrupted", "interrupted"),
        ("cancelled", "cancelled"),
    )
    said += [f"{counted[status]:,} {word}" for status, word in words if counted[status]]
    return ", ".join(said)
