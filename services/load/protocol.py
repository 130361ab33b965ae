"""The messages between the processes of a run.

The supervisor sends a worker one `WorkItem`. The worker answers with its phases and results, `End`
last. A worker that splits its load sends each load process a `Job`, then for each repeat
`PlayRepeat` and, once all are `Ready`, `Begin`; they answer with requests and progress, `Played`
last. Jobs and work items hold keys, so they may only go through pipes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from services.ask.backends import Target
from services.ask.backends.stored_target import private, public, whole
from services.ask.config import RunConfig, stored
from services.ask.measurement import Measurement, Progress, Repeat
from services.ask.work_item import WorkItem
from services.base import untrusted
from services.base.ipc import Message, Protocol
from services.load.response_profile import ResponseProfile
from services.load.shards import WHOLE, Shard

VERSION = 5  # increase it whenever a message changes: see tests/services/load/test_protocol.py
UNLIMITED = ("token_times", "answer")  # fields of a request without a limit on their size


@dataclass(frozen=True, slots=True)
class Phase(Message):
    """What the worker is doing now."""

    phase: str


@dataclass(frozen=True, slots=True)
class Model(Message):
    """The model that is measured, once it is known."""

    model: str


@dataclass(frozen=True, slots=True)
class Environment(Message):
    """Facts about the machine and the server."""

    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Serving(Message):
    """The server's address, so that others can monitor it until `Served`. `began_ns`: the start of
    the run, from which its times count, by this machine's monotonic clock."""

    base_url: str
    pid: int | None
    began_ns: int


@dataclass(frozen=True, slots=True)
class Served(Message):
    """The server is no longer measured."""


@dataclass(frozen=True, slots=True)
class RepeatSeen(Message):
    """A repeat has begun or, with its duration, has ended."""

    repeat: Repeat

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        repeat = data["repeat"]
        return cls(Repeat(**{**repeat, "began_at": datetime.fromisoformat(repeat["began_at"])}))


@dataclass(frozen=True, slots=True)
class Requests(Message):
    """Finished requests. Rows stay as received until `measurements` parses them, because some
    processes only pass on thousands of them a second."""

    rows: Sequence[Measurement | dict[str, Any]]

    def measurements(self) -> list[Measurement]:
        """Return the parsed rows. Text that comes from a server is cleaned again."""
        return [_measurement(row) for row in self.rows]


@dataclass(frozen=True, slots=True)
class ProgressSeen(Message):
    """The run's current progress."""

    progress: Progress

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(Progress(**data["progress"]))


@dataclass(frozen=True, slots=True)
class Calibrated(Message):
    """The time that the client adds at this load, or why it could not be measured."""

    calibration: dict[str, Any]


@dataclass(frozen=True, slots=True)
class End(Message):
    """A worker's last message: whether it was cancelled, and why it could not continue."""

    cancelled: bool
    problem: str | None


@dataclass(frozen=True, slots=True)
class Job(Message):
    """What a process sends, and where. `nonce` makes its prompts differ from those of other runs,
    which the server may still have in a cache; progress counts from `run_began_ns`."""

    config: RunConfig
    target: Target
    nonce: str
    run_began_ns: int
    shard: Shard = WHOLE

    def to_dict(self) -> dict[str, Any]:
        return {
            "config": self.config.model_dump(mode="json"),
            "target": {**public(self.target), **private(self.target)},
            "nonce": self.nonce,
            "run_began_ns": self.run_began_ns,
            "shard": asdict(self.shard),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        parts = {"config": stored(data["config"]), "target": whole(data["target"], {})}
        return cls(**{**data, **parts, "shard": Shard(**data["shard"])})


@dataclass(frozen=True, slots=True)
class PlayRepeat(Message):
    """Open the connections for a repeat, then send `Ready`."""

    repeat: int


@dataclass(frozen=True, slots=True)
class Ready(Message):
    """The connections are open."""


@dataclass(frozen=True, slots=True)
class Begin(Message):
    """Start sending at this time of this machine's monotonic clock."""

    at_ns: int


@dataclass(frozen=True, slots=True)
class StopRepeat(Message):
    """End the current repeat."""


@dataclass(frozen=True, slots=True)
class Played(Message):
    """A repeat has ended. `began_ns` is by this machine's monotonic clock, to match a server's log;
    `profile` describes its answers."""

    began_ns: int
    duration_s: float
    health: dict[str, Any]
    profile: ResponseProfile | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        profile = data["profile"]
        return cls(**{**data, "profile": profile and ResponseProfile(**profile)})


@dataclass(frozen=True, slots=True)
class Replay(Message):
    """Replay the job to a reference server whose answers are like these, for `Calibrated`."""

    profile: ResponseProfile

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(ResponseProfile(**data["profile"]))


@dataclass(frozen=True, slots=True)
class Problem(Message):
    """Why a load process cannot continue."""

    sentence: str


def _measurement(row: Measurement | dict[str, Any]) -> Measurement:
    if isinstance(row, Measurement):
        return row
    times, answer = tuple(row["token_times"]), row["answer"]
    others = {name: value for name, value in row.items() if name not in UNLIMITED}
    return Measurement(**untrusted.data(others), token_times=times, answer=answer)


PROTOCOL = Protocol(
    VERSION,
    {
        "work_item": WorkItem,
        "phase": Phase,
        "model": Model,
        "environment": Environment,
        "serving": Serving,
        "served": Served,
        "repeat": RepeatSeen,
        "requests": Requests,
        "progress": ProgressSeen,
        "calibration": Calibrated,
        "end": End,
        "job": Job,
        "play": PlayRepeat,
        "ready": Ready,
        "begin": Begin,
        "stop": StopRepeat,
        "played": Played,
        "replay": Replay,
        "problem": Problem,
    },
)
encode, decode, expect = PROTOCOL.encode, PROTOCOL.decode, PROTOCOL.expect
