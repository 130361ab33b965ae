"""What the processes that keep an engine and that watch a server say, and are told.

An engine's process gets one `EngineJob`; it says `EngineStarted`, later `EngineEnding` and
`EngineEnded`, or `EngineRefused`. A sampler gets one `SamplerTarget` and says `Sampled`.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.base.ipc import Message, Protocol
from services.servers.telemetry.target import SamplerTarget

VERSION = 1  # raise it whenever a message changes: see tests/services/load/test_protocol.py


@dataclass(frozen=True, slots=True)
class EngineJob(Message):
    """What to start. `token` marks every process of the engine; `env` holds only what is added or
    changed, `unset` what is taken away. One that `steps_back` has a lower priority."""

    token: str
    argv: list[str]
    env: dict[str, str]
    unset: list[str]
    cwd: str | None
    port: int
    steps_back: bool


@dataclass(frozen=True, slots=True)
class EngineStarted(Message):
    """The engine's first process lives."""

    pid: int


@dataclass(frozen=True, slots=True)
class EngineEnding(Message):
    """The engine is being ended: nothing may be sent to it any more."""


@dataclass(frozen=True, slots=True)
class EngineEnded(Message):
    """The engine's last process has ended."""

    code: int


@dataclass(frozen=True, slots=True)
class EngineRefused(Message):
    """Why the engine could not be started, or not be ended."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Sampled(Message):
    """What was seen of the server at one moment; see `Sample`."""

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
