"""The messages to and from the processes that run an engine and that sample a server.

An engine's process receives one `EngineJob`; it sends `EngineStarted`, later `EngineEnding` and
`EngineEnded`, or `EngineRefused`. A sampler receives one `SamplerTarget` and sends `Sampled`.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.base.ipc import Message, Protocol
from services.servers.telemetry.target import SamplerTarget

VERSION = 2  # increase it when a message changes, see tests/services/load/test_protocol.py


@dataclass(frozen=True, slots=True)
class EngineJob(Message):
    """What to start. `token` tags every process of the engine; `env` holds the variables that are
    added or changed, `unset` those that are removed. `low_priority`: at a lower priority."""

    token: str
    argv: list[str]
    env: dict[str, str]
    unset: list[str]
    cwd: str | None
    port: int
    low_priority: bool


@dataclass(frozen=True, slots=True)
class EngineStarted(Message):
    """The engine's first process has started."""

    pid: int


@dataclass(frozen=True, slots=True)
class EngineEnding(Message):
    """The engine is being ended: send it no more requests."""


@dataclass(frozen=True, slots=True)
class EngineEnded(Message):
    """The engine's last process has ended."""

    code: int


@dataclass(frozen=True, slots=True)
class EngineRefused(Message):
    """Why the engine could not be started, or could not be ended."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Sampled(Message):
    """One sample of the server; see `Sample`."""

    t: float
    values: dict[str, float]


PROTOCOL = Protocol(
    VERSION,
    {
        "engine_job": EngineJob,
        "started": EngineStarted,
        "ending": EngineEnding,
        "ended": EngineEnded,
        "problem": EngineRefused,
        "sampler_target": SamplerTarget,
        "sample": Sampled,
    },
)
encode, decode, expect = PROTOCOL.encode, PROTOCOL.decode, PROTOCOL.expect
