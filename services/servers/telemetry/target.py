"""The server that a sampler watches, and which servers may be watched."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import psutil

from services.ask import backends
from services.ask.address import LOOPBACK, origin
from services.ask.backends import Target
from services.ask.backends.stored_target import whole
from services.ask.config import parse
from services.base.ipc import Message

# Backends whose metrics may be read on other machines: one's own servers, never a provider's.
OWN_SERVERS = ("sglang", "vllm", "url")


@dataclass(frozen=True, slots=True)
class SamplerTarget(Message):
    """The server to watch. `pid` is the engine's first process, if known; `began_ns` the time on
    this machine's monotonic clock that samples count from. `on_cores`: it is known to use no GPU.
    `to` is the run's target, which may hold keys; None: derive it from the environment."""

    backend: str
    base_url: str
    began_ns: int
    pid: int | None = None
    period_s: float = 1.0
    on_cores: bool = False
    to: Target | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON, including its keys: only for a pipe."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{**data, "to": data["to"] and whole(data["to"], {})})

    @property
    def here(self) -> bool:
        """Whether the server is on this machine."""
        host = origin(self.base_url)[1]
        return self.pid is not None or host in LOOPBACK or host in _addresses()

    @property
    def on_gpus(self) -> bool:
        """Whether it may use GPUs of this machine."""
        embedded = backends.find(self.backend).kind == "embedded"
        return self.here and not (self.on_cores or embedded)

    @property
    def may_be_sampled(self) -> bool:
        """Whether it may be watched: on this machine, or one's own server."""
        return self.here or self.backend in OWN_SERVERS

    def target(self, env: Mapping[str, str] = os.environ) -> Target:
        """Return the root of the server as a target, with its key, if any."""
        root = self.base_url.removesuffix("/v1")
        if self.to is not None:
            return self.to.at(root)
        if backends.find(self.backend).kind == "embedded":
            return Target(self.backend, root)
        config = parse({"backend": self.backend, "base_url": self.base_url})
        return backends.target(config, env).at(root)


def _addresses() -> set[str]:
    return {each.address for addresses in psutil.net_if_addrs().values() for each in addresses}
