"""Engines: the server processes that Paceline starts, waits for and ends."""

from __future__ import annotations

from services.servers.engines.config import EngineConfig as EngineConfig
from services.servers.engines.config import parallel_label as parallel_label
from services.servers.engines.config import parse_engine as parse_engine
from services.servers.engines.devices import Devices as Devices
from services.servers.engines.devices import devices as devices
from services.servers.engines.diagnosis import Diagnosis as Diagnosis
from services.servers.engines.diagnosis import diagnose as diagnose
from services.servers.engines.embedded_engine import ENGINES as WITHIN
from services.servers.engines.embedded_engine import embedded_size as embedded_size
from services.servers.engines.embedded_engine import start_embedded as start_embedded
from services.servers.engines.launch import Launch as Launch
from services.servers.engines.logfile import lines_after as lines_after
from services.servers.engines.logfile import tail as tail
from services.servers.engines.nodes import NodeCommand as NodeCommand
from services.servers.engines.nodes import check_topology as check_topology
from services.servers.engines.nodes import commands as commands
from services.servers.engines.ports import free_port as free_port
from services.servers.engines.preflight import preflight as preflight
from services.servers.engines.problem import EngineProblem as EngineProblem
from services.servers.engines.process_tags import kill_tagged as kill_tagged
from services.servers.engines.process_tags import tagged_processes as tagged_processes
from services.servers.engines.ready import facts_of as facts_of
from services.servers.engines.ready import ready as ready
from services.servers.engines.table import ENGINES as ENGINES
from services.servers.engines.table import EngineSpec as EngineSpec
from services.servers.engines.table import launch as launch

__all__ = [
    "ENGINES",
    "WITHIN",
    "Devices",
    "Diagnosis",
    "EngineConfig",
    "EngineProblem",
    "EngineSpec",
    "Launch",
    "NodeCommand",
    "check_topology",
    "commands",
    "devices",
    "diagnose",
    "facts_of",
    "free_port",
    "launch",
    "lines_after",
    "parallel_label",
    "parse_engine",
    "preflight",
    "ready",
    "size",
    "started",
    "sweep",
    "tagged",
    "tail",
]
