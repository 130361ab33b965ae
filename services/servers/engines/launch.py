"""How an engine is started: its command and its environment."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from services.servers.protocol import EngineJob

HOST = "127.0.0.1"
NEXT_LINE = " \\\n  "


@dataclass(frozen=True, slots=True)
class Launch:
    """A command that is ready to run. `env` holds the variables that are added or changed, `unset`
    those that are removed; `model` is the served model name, `health` a path on the server."""

    label: str
    argv: list[str]
    port: int
    model: str
    env: dict[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    cwd: str | None = None
    health: str = "/health"
    low_priority: bool = False  # at a lower priority, since it shares the cores with the client

    @property
    def root(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.root}/v1"

    def text(self) -> str:
        """Return the command as text to copy into a shell, with a line for each option."""
        removed = " ".join(["env", *(f"-u {name}" for name in self.unset)])
        added = [_assignment(name, value) for name, value in self.env.items()]
        change_folder = f"cd {shlex.quote(self.cwd)} && " if self.cwd else ""
        before = [*([removed] if self.unset else []), *added]
        return change_folder + NEXT_LINE.join([*before, command_text(self.argv)])

    def job(self, token: str) -> EngineJob:
        """Return the message for `engine_process.py`; `token` tags every process of this engine."""
        unset = list(self.unset)
        return EngineJob(token, self.argv, self.env, unset, self.cwd, self.port, self.low_priority)


def command_text(argv: Sequence[str]) -> str:
    """Return a command for a shell: first the program, then a line for each option."""
    starts = [0, *(i for i, word in enumerate(argv) if i and word.startswith("--"))]
    return NEXT_LINE.join(shlex.join(argv[i:j]) for i, j in pairwise([*starts, len(argv)]))


def _assignment(name: str, value: str) -> str:
    if name == "PATH":  # the engine's own folder, before the shell's PATH
        return f'PATH={shlex.quote(value.partition(":")[0])}:"$PATH"'
    return f"{name}={shlex.quote(value)}"
