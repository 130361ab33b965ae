"""How an engine is started: the command, and what of the environment it wants."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from services.servers.protocol import EngineJob

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Launch:
    """A command that is ready to run. `env` holds only what is added or changed, `unset` what is
    taken away; `model` is the name under which it serves, `health` a path below its address."""

    label: str
    argv: list[str]
    port: int
    model: str
    env: dict[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    cwd: str | None = None
    health: str = "/health"
    steps_back: bool = False  # it shares the cores with the client, which must go first

    @property
    def root(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.root}/v1"

    def text(self) -> str:
        """Return the command as a person can copy it into a shell."""
        away = [f"-u {name}" for name in self.unset]
        added = [_assignment(name, value) for name, value in self.env.items()]
        front = [*(["env", *away] if away else []), *added]
        there = f"cd {shlex.quote(self.cwd)} && " if self.cwd else ""
        return there + " ".join([*front, shlex.join(self.argv)])

    def job(self, token: str) -> EngineJob:
        """Return what `engine_process.py` is told; `token` marks every process of this engine."""
        unset = list(self.unset)
        return EngineJob(token, self.argv, self.env, unset, self.cwd, self.port, self.steps_back)


def _assignment(name: str, value: str) -> str:
    if name == "PATH":  # its own folder in front of whatever the shell has
        return f'PATH={shlex.quote(value.partition(":")[0])}:"$PATH"'
    return f"{name}={shlex.quote(value)}"
