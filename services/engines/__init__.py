"""Engines: server processes that Paceline starts itself, ready when they answer, never orphans."""

from __future__ import annotations

from services.engines.config import EngineConfig as EngineConfig
from services.engines.config import parallel_label as parallel_label
from services.engines.config import parse_engine as parse_engine
from services.engines.within import ENGINES as WITHIN
from services.engines.within import EngineProblem as EngineProblem
from services.engines.within import size as size
from services.engines.within import started as started

__all__ = [
    "WITHIN", "EngineConfig", "EngineProblem", "parallel_label", "parse_engine", "size", "started",
]  # fmt: skip
