"""The clients that are measured. Each says how it is started and what it told of each request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench import environments
from bench.seen import Seen
from bench.tools import aiperf, guidellm, libraries, paceline, sglang, vllm
from bench.work import Job

Command = Callable[[Job, str], list[str]]
Read = Callable[[Job, bytes], list[Seen]]


@dataclass(frozen=True, slots=True)
class Tool:
    """One client. `command` takes the interpreter of the environment made from `peers/NAME.txt`;
    Paceline uses its own environment."""

    name: str
    label: str
    command: Command
    read: Read
    own: bool = False
    keeps_rates: bool = False  # can send at a given rate
    plays_sessions: bool = False

    @property
    def title(self) -> str:
        return self.label if self.own else f"{self.label} {environments.version(self.name)}"


def tool(name: str) -> Tool:
    """Return the client called `name`.

    Raises:
        KeyError: there is no such client.
    """
    return _BY_NAME[name]


TOOLS: tuple[Tool, ...] = (
    Tool(
        *("paceline", "Paceline", paceline.command, paceline.read),
        own=True,
        keeps_rates=True,
        plays_sessions=True,
    ),
    Tool("aiohttp", "aiohttp", libraries.driven_by("ask_aiohttp.py"), libraries.read),
    Tool("openai", "OpenAI SDK", libraries.driven_by("ask_openai.py"), libraries.read),
    Tool("litellm", "LiteLLM", libraries.driven_by("ask_litellm.py"), libraries.read),
    Tool("vllm", "vllm bench serve", vllm.command, vllm.read, keeps_rates=True),
    Tool("sglang", "sglang.bench_serving", sglang.command, sglang.read, keeps_rates=True),
    Tool("guidellm", "guidellm", guidellm.command, guidellm.read),
    Tool(
        *("aiperf", "aiperf", aiperf.command, aiperf.read),
        keeps_rates=True,
        plays_sessions=True,
    ),
)

_BY_NAME = {one.name: one for one in TOOLS}
