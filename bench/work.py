"""What is asked of every client: the cases, and one of them as it is played by one client."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.ask import workloads
from services.ask.config import RunConfig, parse


@dataclass(frozen=True, slots=True)
class Case:
    """Requests that are all due at once. `model` tells the reference server what each gets.

    `input_tokens` 0: Paceline's built-in prompts. `tls`: Paceline alone plays it. `rate`: requests
    per second at random moments (Poisson) instead of all at once.
    """

    name: str
    title: str
    requests: int
    model: str
    max_tokens: int
    input_tokens: int = 0
    tls: bool = False
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Job:
    """A case as one client plays it once: where, what, and a folder for what it writes."""

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
        return parse(values)

    @property
    def prompts(self) -> list[str]:
        """Return what is asked, each prompt different from every other: it names its request."""
        config = self.config
        return [workloads.prompt(config, 0, i, self.nonce) for i in range(self.case.requests)]


def at_random_moments(base_url: str, model: str, rate: float, seconds: float) -> RunConfig:
    """Return a run of Poisson arrivals for some time, at a server that answers with 5 tokens."""
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
)
