"""A cell of a study: one run on one engine, and its result."""

from __future__ import annotations

from dataclasses import dataclass

from services.analysis.compare import Candidate
from services.ask.config import RunConfig
from services.servers.engines import EngineConfig


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a study. `engine` is None for an existing server."""

    index: int  # in the grid, from 0
    engine: EngineConfig | None
    config: RunConfig


@dataclass(frozen=True, slots=True)
class MeasuredCell:
    """A cell and its run. `candidate` is None if it has not been measured, or could not be; in the
    second case, `problem` is the reason, as a sentence."""

    cell: Cell
    candidate: Candidate | None
    problem: str | None = None
