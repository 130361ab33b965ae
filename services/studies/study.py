"""A stored study and its progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.ask.measurement import ACTIVE, Run
from services.base.units import many
from services.servers.engines.instance import EngineInstance
from services.studies.highest import StudySearch
from services.studies.report import Device
from services.studies.study_config import StudyConfig


@dataclass(frozen=True, slots=True)
class Study:
    """A stored study: the newest run of each cell, in the order of the cells, and its engines."""

    id: int
    name: str
    note: str
    created_at: datetime
    config: StudyConfig
    runs: tuple[Run, ...]
    engines: tuple[EngineInstance, ...]
    searches: tuple[StudySearch, ...] = ()  # instead of runs, if capacities are searched

    def engine_of(self, run: Run) -> EngineInstance | None:
        """The engine that a run is measured on; None if Paceline did not start it."""
        return next((engine for engine in self.engines if engine.id == run.engine_id), None)

    @property
    def device(self) -> Device:
        """What one rank runs on, as its engines reported."""
        kinds = [engine.facts.get("device") for engine in self.engines]
        known: list[Device] = [kind for kind in ("GPU", "core") if kind in kinds]
        return known[0] if known else "device"

    @property
    def run_ids(self) -> list[int]:
        """The ids of its runs, or of its searches' probes."""
        probes = (probe.run_id for search in self.searches for probe in search.capacity.probes)
        return [*(run.id for run in self.runs), *probes]

    @property
    def active(self) -> bool:
        """Whether a run is still queued or running."""
        searching = any(search.capacity.status == "running" for search in self.searches)
        return searching or any(run.status in ACTIVE for run in self.runs)

    @property
    def to_resume(self) -> tuple[Run, ...]:
        """The runs that were interrupted, whose cells are measured again when the study is
        resumed."""
        return tuple(run for run in self.runs if run.status in ("interrupted", "cancelled"))

    def searches_to_resume(self, failed: bool = False) -> tuple[StudySearch, ...]:
        """The searches that were interrupted, and with `failed` also those that failed."""
        wanted = ("interrupted", "cancelled", *(("failed",) if failed else ()))
        return tuple(search for search in self.searches if search.capacity.status in wanted)

    @property
    def failed(self) -> tuple[Run, ...]:
        return tuple(run for run in self.runs if run.status == "failed")


def progress_sentence(runs: Sequence[Run]) -> str:
    """Return a study's progress: "3 of 12 cells measured, 1 failed, 8 queued"."""
    counts = Counter[str](run.status for run in runs)
    parts = [f"{counts['done']:,} of {many(len(runs), 'cell')} measured"]
    labels = (
        ("failed", "failed"),
        ("running", "running"),
        ("queued", "queued"),
        ("interrupted", "interrupted"),
        ("cancelled", "cancelled"),
    )
    parts += [f"{counts[status]:,} {label}" for status, label in labels if counts[status]]
    return ", ".join(parts)
