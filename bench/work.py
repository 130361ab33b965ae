"""What is asked of every client: the cases, and one of them as it is played by one client."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.ask import workloads
from services.ask.config import RunConfig, parse
from services.ask.dialogue import Turn, to_session


@dataclass(frozen=True, slots=True)
class Case:
    """Requests that are all due at once. `model` sets the reference server's answers.

    `input_tokens` 0: Paceline's built-in prompts. `tls`: only Paceline runs it. `rate`: requests
    per second at random moments (Poisson) instead of all at once. `turns`: sessions of this many
    requests, each `delay_s` after the previous answer, sent by `users` users without a pause.
    """

    name: str
    title: str
    requests: int
    model: str
    max_tokens: int
    input_tokens: int = 0
    tls: bool = False
    rate: float = 0.0
    turns: int = 1
    delay_s: float = 0.0
    users: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """One round of a case by one client: the server, the case, and a folder for output."""

    case: Case
    port: int
    folder: Path
    nonce: str

    @property
    def base_url(self) -> str:
        scheme, host = ("https", "localhost") if self.case.tls else ("http", "127.0.0.1")
        return f"{scheme}://{host}:{self.port}"

    @property
    def config(self) -> RunConfig:
        """Return the case as Paceline runs it."""
        values = {
            "backend": "url",
            "base_url": f"{self.base_url}/v1",
            "model": self.case.model,
            "mode": "batch",
            "requests": self.case.requests,
            "max_tokens": self.case.max_tokens,
            "warmup": 0,
            "calibrate": False,
        }
        if self.case.input_tokens:
            values["input_tokens"] = self.case.input_tokens
        if self.case.rate:
            seed = int(self.nonce, 16) % 2**31
            values |= {"mode": "poisson", "rate": self.case.rate, "seed": seed}
        if self.case.turns > 1:
            values |= {"mode": "users", "users": self.case.users, "think_s": 0}
            values |= {"workload": "file", "prompts": self._conversations, "unique_prompts": False}
            values |= {"history": "answered", "turn_delay_s": self.case.delay_s}
        return parse(values)

    @property
    def prompts(self) -> list[str]:
        """Return the prompts, which are all different: each names its request. For sessions, the
        user's message in each turn."""
        if self.case.turns > 1:
            return [f"[{self.nonce}-{i}] What comes next?" for i in range(self.case.requests)]
        config = self.config
        return [workloads.prompt(config, 0, i, self.nonce) for i in range(self.case.requests)]

    @property
    def sessions(self) -> list[list[str]]:
        """Return the user's messages of each session, turn by turn."""
        said, turns = self.prompts, self.case.turns
        return [said[at : at + turns] for at in range(0, len(said), turns)]

    @property
    def _conversations(self) -> list[str]:
        turns = ([Turn([{"role": "user", "content": t}]) for t in texts] for texts in self.sessions)
        return list(map(to_session, turns))


def at_random_moments(base_url: str, model: str, rate: float, seconds: float) -> RunConfig:
    """Return a run of Poisson arrivals for `seconds` seconds, at a server that answers with 5
    tokens."""
    return parse(
        {
            "backend": "url",
            "base_url": f"{base_url}/v1",
            "model": model,
            "mode": "poisson",
            "rate": rate,
            "duration_s": seconds,
            "max_tokens": 5,
            "warmup": 0,
            "calibrate": False,
        }
    )


def in_sessions(config: RunConfig, turns: int, delay_s: float) -> RunConfig:
    """Return the run with each request replaced by a session of `turns` turns, `delay_s` apart."""
    sessions = {"workload": "synthetic", "input_tokens": 100, "turns": turns}
    return parse({**config.model_dump(), **sessions, "turn_delay_s": delay_s})


PACED = "a token every 10 ms, the first after 1 s"
START = Case("start", "one token, at once", 1, "ref ttft=0 gap=0 tokens=2", 2)
CASES: tuple[Case, ...] = (
    Case("1", f"1 stream, {PACED}", 1, "ref ttft=1 gap=0.01 tokens=200", 200),
    Case("64", f"64 streams, {PACED}", 64, "ref ttft=1 gap=0.01 tokens=100", 100),
    Case("512", f"512 streams, {PACED}", 512, "ref ttft=1 gap=0.01 tokens=50", 50),
    Case("2048", f"2,048 streams, {PACED}", 2048, "ref ttft=1 gap=0.01 tokens=50", 50),
    Case(
        "5000",
        "5,000 at once, a token after 1 s and one after 2 s",
        5000,
        "ref ttft=1 gap=1 tokens=2",
        2,
    ),
    Case(
        "10000",
        "10,000 at once, a token after 2 s and one after 4 s",
        10_000,
        "ref ttft=2 gap=2 tokens=2",
        2,
    ),
    Case(
        "burst",
        "64 streams, 1,000 tokens each, back to back",
        64,
        "ref ttft=1 gap=0 tokens=1000",
        1000,
    ),
    Case(
        "long",
        f"64 prompts of 8,000 tokens, {PACED}",
        64,
        "ref ttft=1 gap=0.01 tokens=50",
        50,
        input_tokens=8000,
    ),
    Case(
        "tls", f"512 streams over TLS, {PACED}", 512, "ref ttft=1 gap=0.01 tokens=50", 50, tls=True
    ),
    Case(
        "rate",
        "3,000 requests at 100 per second (Poisson), 20 tokens 10 ms apart, the first after 50 ms",
        3000,
        "ref ttft=0.05 gap=0.01 tokens=20",
        20,
        rate=100.0,
    ),
    Case(
        "sessions",
        "500 sessions of three turns, each 200 ms after an answer, of 32 users; 20 tokens 10 ms "
        "apart, the first after 50 ms",
        1500,
        "ref ttft=0.05 gap=0.01 tokens=20",
        20,
        turns=3,
        delay_s=0.2,
        users=32,
    ),
)
