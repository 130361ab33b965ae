"""Engines: server processes that Paceline starts itself, ready when they answer, never orphans."""

from __future__ import annotations

from services.engines.config import EngineConfig as EngineConfig
from services.engines.config import parallel_label as parallel_label
from services.engines.config import parse_engine as parse_engine
from services.engines.devices import Devices as Devices
from services.engines.devices import devices as devices
from services.engines.diagnosis import Diagnosis as Diagnosis
from services.engines.diagnosis import diagnose as diagnose
from services.engines.launch import Launch as Launch
from services.engines.logfile import lines_after as lines_after
from services.engines.logfile import tail as tail
from services.engines.marks import marked as marked
from services.engines.marks import sweep as sweep
from services.engines.nodes import NodeCommand as NodeCommand
from services.engines.nodes import commands as commands
from services.engines.nodes import meet as meet
from services.engines.obstacle import obstacle as obstacle
from services.engines.ports import free as free_port
from services.engines.problem import EngineProblem as EngineProblem
from services.engines.ready import facts_of as facts_of
from services.engines.ready import ready as ready
from services.engines.table import ENGINES as ENGINES
from services.engines.table import EngineSpec as EngineSpec
from services.engines.table import launch as launch
from services.engines.within import ENGINES as WITHIN
from services.engines.within import size as size
from services.engines.within import started as started

__all__ = [
    "ENGINES", "WITHIN", "Devices", "Diagnosis", "EngineConfig", "EngineProblem", "EngineSpec",
    "Launch", "NodeCommand", "commands", "devices", "diagnose", "facts_of", "free_port", "launch",
    "lines_after", "marked", "meet", "obstacle", "parallel_label", "parse_engine", "ready", "size",
    "started", "sweep", "tail",
]  # fmt: skip
