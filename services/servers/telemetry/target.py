"""What a sampler is asked to watch, and of whom anything may be asked."""

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

# Whose metrics may be asked for elsewhere: a server of one's own. A provider's is not watched.
OWN_SERVERS = ("sglang", "vllm", "url")


@dataclass(frozen=True, slots=True)
class SamplerTarget(Message):
    """What a sampler is to watch. `pid`: the engine's first process, where that is
    known. `began_ns`: the moment of this machine's monotonic clock that samples count from.
    `on_cores`: it is known to compute on no GPU. `to`: the run's target, which may hold keys; None:
    the environment says it."""

    backend: str
    base_url: str
    began_ns: int
    pid: int | None = None
    period_s: float = 1.0
    on_cores: bool = False
    to: Target | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON, with its keys: for a pipe, and for nothing else."""
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
        """Whether it may compute on GPUs of this machine."""
        embedded = backends.find(self.backend).kind == "embedded"
        return self.here and not (self.on_cores or embedded)

    @property
    def worth_it(self) -> bool:
        """Whether there is anything to watch: nothing of somebody else's service."""
        return self.here or self.backend in OWN_SERVERS

    def target(self, env: Mapping[str, str] = os.environ) -> Target:
        """Return where its pages are, with the key that belongs there, if one does."""
        root = self.base_url.removesuffix("/v1")
        if self.to is not None:
            return self.to.at(root)
        if backends.find(self.backend).kind == "embedded":
            return Target(self.backend, root)
        config = parse({"backend": self.backend, "base_url": self.base_url})
        return backends.target(config, env).at(root)


def _addresses() -> set[str]:
    return {each.address for found in psutil.net_if_addrs().values() for each in found}
