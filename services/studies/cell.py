"""A cell of a study: one run on one engine, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from services.analysis.compare import Candidate
from services.ask.config import RunConfig
from services.servers.engines import EngineConfig


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a study. `engine` None: a server that is there already."""

    place: int  # in the grid, from 0
    engine: EngineConfig | None
    config: RunConfig


@dataclass(frozen=True, slots=True)
class Measured:
    """A cell and its run. `candidate` None: not measured (yet), or it could not be, which
    `problem` says in a sentence."""

    cell: Cell
    candidate: Candidate | None
    problem: str | None = None
