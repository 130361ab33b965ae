"""What the processes of a run say to each other.

The supervisor sends a worker one `WorkItem`. The worker answers with what it does and sees, `End`
last. A worker that shares its load among processes sends each of them a `Job`, then for each repeat
`PlayRepeat` and, once all are `Ready`, `Begin`; they answer with requests and progress, `Played`
last. Jobs and work items hold keys: they are for pipes, and for nothing else.
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

VERSION = 1  # raise it whenever a message changes: see tests/services/load/test_protocol.py
OWN = ("token_times", "answer")  # fields of a request that have no limits


@dataclass(frozen=True, slots=True)
class Phase(Message):
    """What the worker does now, in words."""

    phase: str


@dataclass(frozen=True, slots=True)
class Model(Message):
    """The model that is asked, once it is known."""

    model: str


@dataclass(frozen=True, slots=True)
class Environment(Message):
    """What is known of the machine and of the server."""

    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Serving(Message):
    """Where the server is, so that it can be watched from elsewhere until `Served`. `began_ns`: the
    moment of this machine's monotonic clock that the run's times count from."""

    base_url: str
    pid: int | None
    began_ns: int


@dataclass(frozen=True, slots=True)
class Served(Message):
    """The server need not be watched any more."""


@dataclass(frozen=True, slots=True)
class RepeatSeen(Message):
    """A repeat has begun; or, with its duration, it is over."""

    repeat: Repeat

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        repeat = data["repeat"]
        return cls(Repeat(**{**repeat, "began_at": datetime.fromisoformat(repeat["began_at"])}))


@dataclass(frozen=True, slots=True)
class Requests(Message):
    """Requests that are over. Their rows stay as they came until they are looked at: a process that
    only passes them on has thousands a second to pass."""

    rows: Sequence[Measurement | dict[str, Any]]

    def measurements(self) -> list[Measurement]:
        """Return the rows as values. What a server had a say in is cleaned once more."""
        return [_measurement(row) for row in self.rows]


@dataclass(frozen=True, slots=True)
class ProgressSeen(Message):
    """How far the run is."""

    progress: Progress

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(Progress(**data["progress"]))


@dataclass(frozen=True, slots=True)
class Calibrated(Message):
    """What the client adds at this load, or why that is not known."""

    calibration: dict[str, Any]


@dataclass(frozen=True, slots=True)
class End(Message):
    """A worker's last message: whether it was cut short, and why it could not go on."""

    cancelled: bool
    problem: str | None


@dataclass(frozen=True, slots=True)
class Job(Message):
    """What a process sends, and to whom. `nonce` makes its prompts differ from those of every other
    run, which the server may still have in a cache; `run_began_ns` is what progress counts from."""

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
    """Open the connections for a repeat, then say `Ready`."""

    repeat: int


@dataclass(frozen=True, slots=True)
class Ready(Message):
    """The connections are open."""


@dataclass(frozen=True, slots=True)
class Begin(Message):
    """Begin to send at this moment of this machine's monotonic clock."""

    at_ns: int


@dataclass(frozen=True, slots=True)
class StopRepeat(Message):
    """End the repeat in hand."""


@dataclass(frozen=True, slots=True)
class Played(Message):
    """A repeat is over. `began_ns` is of this machine's monotonic clock, to match a server's log;
    `profile`, of its answers."""

    began_ns: int
    duration_s: float
    health: dict[str, Any]
    profile: ResponseProfile | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        profile = data["profile"]
        return cls(**{**data, "profile": profile and ResponseProfile(**profile)})


@dataclass(frozen=True, slots=True)
class Problem(Message):
    """Why a process cannot play on."""

    sentence: str


def _measurement(row: Measurement | dict[str, Any]) -> Measurement:
    if isinstance(row, Measurement):
        return row
    times, answer = tuple(row["token_times"]), row["answer"]
    others = {name: value for name, value in row.items() if name not in OWN}
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
        "problem": Problem,
    },
)
encode, decode, expect = PROTOCOL.encode, PROTOCOL.decode, PROTOCOL.expect
