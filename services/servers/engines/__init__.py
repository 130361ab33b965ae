"""Engines: the server processes that Paceline starts, waits for and ends."""

from __future__ import annotations

from services.servers.engines.config import EngineConfig, parallel_label, parse_engine
from services.servers.engines.devices import devices
from services.servers.engines.diagnosis import diagnose
from services.servers.engines.embedded_engine import ENGINES as WITHIN
from services.servers.engines.embedded_engine import embedded_size, start_embedded
from services.servers.engines.launch import Launch
from services.servers.engines.logfile import lines_after, tail
from services.servers.engines.nodes import check_topology, commands
from services.servers.engines.ports import free_port
from services.servers.engines.preflight import preflight
from services.servers.engines.problem import EngineProblem
from services.servers.engines.process_tags import kill_tagged, tagged_processes
from services.servers.engines.ready import ready
from services.servers.engines.table import ENGINES, launch

__all__ = [
    "ENGINES",
    "WITHIN",
    "EngineConfig",
    "EngineProblem",
    "Launch",
    "check_topology",
    "commands",
    "devices",
    "diagnose",
    "embedded_size",
    "free_port",
    "kill_tagged",
    "launch",
    "lines_after",
    "parallel_label",
    "parse_engine",
    "preflight",
    "ready",
    "start_embedded",
    "tagged_processes",
    "tail",
]
