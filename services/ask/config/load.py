"""The server, the client and the mode."""

from __future__ import annotations

from typing import Literal

from pydantic import ValidationInfo, field_validator

from services.ask.about import About, field
from services.ask.address import as_written
from services.ask.base_config import STORED, BaseConfig

Mode = Literal[
    "sequential",
    "staggered",
    "batch",
    "users",
    "constant",
    "poisson",
    "gamma",
    "ramp",
    "steps",
    "replay",
]
Client = Literal["wire", "litellm"]
MOST = 1_000_000  # requests in a repeat
MAX_IN_FLIGHT = 10_000
FASTEST = 100_000.0  # requests per second
RATES = ("constant", "poisson", "gamma", "ramp", "steps")  # modes with a rate


class LoadFields(BaseConfig):
    """The server, the client and the mode."""

    backend: str = field(
        "embedded",
        About(
            "Backend",
            "Name of a backend (`backends` lists them) or of a saved server",
            "target",
            "backend",
        ),
    )
    base_url: str | None = field(
        None,
        About(
            "Address",
            "Address of the server; empty: the backend's own",
            "target",
            "backend",
            may_hold_key=True,
        ),
    )
    model: str = field(
        "",
        About(
            "Model",
            "Model; empty: the first one that the server lists",
            "target",
            "backend",
            varied=True,
        ),
        max_length=300,
    )
    client: Client = field(
        "wire",
        About("Client", "Paceline's own client, or LiteLLM's (slower)", "client", varied=True),
    )

    mode: Mode = field("sequential", About("Mode", "How the requests are sent", section="mode"))
    requests: int = field(
        5,
        About(
            "Requests",
            "Requests in each repeat; not with a duration. A trace replay sends each row once",
            section="mode",
            ignored=lambda config: "with duration_s" if config.duration_s is not None else "",
            varied=True,
        ),
        ge=1,
        le=MOST,
    )
    pause_s: float = field(
        2.0,
        About(
            "Pause",
            "Sequential: pause after each answer, in seconds",
            section="mode",
            unit="s",
            step=0.5,
            read_by=("sequential",),
            varied=True,
        ),
        ge=0,
        le=3600,
    )
    interval_s: float = field(
        0.06125,
        About(
            "Interval",
            "Staggered: time between two sends, in seconds",
            section="mode",
            unit="s",
            step=0.01,
            read_by=("staggered",),
            varied=True,
        ),
        ge=0,
        le=3600,
    )
    concurrency: int | None = field(
        None,
        About(
            "Max concurrency",
            "Maximum number of requests in flight; empty: no limit. While it is reached, requests "
            "that are due wait in this client",
            section="mode",
            empty="no limit",
            read_by=("batch", *RATES, "replay"),
            varied=True,
        ),
        ge=1,
        le=MAX_IN_FLIGHT,
    )
    users: int = field(
        8,
        About(
            "Users",
            "Users: number of concurrent users",
            section="mode",
            read_by=("users",),
            varied=True,
        ),
        ge=1,
        le=MAX_IN_FLIGHT,
    )
    think_s: float = field(
        1.0,
        About(
            "Think time",
            "Users: time between an answer and the same user's next request, in seconds",
            section="mode",
            unit="s",
            step=0.5,
            read_by=("users",),
            varied=True,
        ),
        ge=0,
        le=3600,
    )
    random_think: bool = field(
        False,
        About(
            "Random think times",
            "Users: think times are exponentially distributed, with the think time as their mean",
            section="mode",
            read_by=("users",),
            ignored=lambda config: "" if config.think_s else "without think_s",
            varied=True,
        ),
    )
    ramp_up_s: float = field(
        0.0,
        About(
            "Ramp-up",
            "Users: time over which they join, in seconds; 0: all at the start",
            section="mode",
            unit="s",
            step=10.0,
            read_by=("users",),
        ),
        ge=0,
        le=86_400,
    )
    ramp_up_steps: int | None = field(
        None,
        About(
            "Ramp-up steps",
            "Users: number of equal groups in which they join; empty: one by one",
            section="mode",
            empty="one by one",
            read_by=("users",),
            ignored=lambda config: "" if config.ramp_up_s else "without ramp_up_s",
        ),
        ge=1,
        le=MAX_IN_FLIGHT,
    )
    rate: float = field(
        1.0,
        About(
            "Rate",
            "Requests per second; ramp and steps: at the start",
            section="mode",
            unit="requests/s",
            read_by=RATES,
            varied=True,
        ),
        gt=0,
        le=FASTEST,
    )
    end_rate: float = field(
        10.0,
        About(
            "End rate",
            "Ramp and steps: requests per second at the end",
            section="mode",
            unit="requests/s",
            read_by=("ramp", "steps"),
            varied=True,
        ),
        gt=0,
        le=FASTEST,
    )
    rate_steps: int = field(
        5,
        About(
            "Steps",
            "Steps: number of different rates, each for the same time",
            section="mode",
            read_by=("steps",),
        ),
        ge=2,
        le=1000,
    )
    burstiness: float = field(
        1.0,
        About(
            "Burstiness",
            "Gamma: shape of the gaps between requests, as in vLLM; 1: Poisson, lower: burstier, "
            "higher: more even",
            section="mode",
            step=0.1,
            read_by=("gamma",),
            varied=True,
        ),
        ge=0.01,
        le=1000,
    )
    random_arrivals: bool = field(
        False,
        About(
            "Random arrivals",
            "Ramp and steps: requests arrive at random times (Poisson) instead of evenly spaced",
            section="mode",
            read_by=("ramp", "steps"),
        ),
    )
    arrival_seed: int = field(
        0,
        About(
            "Arrival seed",
            "Random arrivals: seed of the random send times",
            section="mode",
            read_by=("poisson", "gamma", "ramp", "steps"),
            ignored=lambda config: (
                "without random_arrivals"
                if config.mode in ("ramp", "steps") and not config.random_arrivals
                else ""
            ),
        ),
        ge=0,
        le=1_000_000,
    )
    duration_s: float | None = field(
        None,
        About(
            "Duration",
            "How long requests are sent, in seconds, instead of a number of requests; those in "
            "flight at the end are still answered",
            section="mode",
            unit="s",
            step=10.0,
            empty="by requests",
            varied=True,
        ),
        gt=0,
        le=86_400,
    )
    drain_s: float | None = field(
        None,
        About(
            "Drain",
            "How long answers may take after the duration, in seconds; requests still unanswered "
            "are then cut off. Empty: until all are answered",
            section="limits",
            unit="s",
            step=10.0,
            ignored=lambda config: "without duration_s" if config.duration_s is None else "",
        ),
        ge=0,
        le=86_400,
    )
    load_warmup_s: float = field(
        0.0,
        About(
            "Warm-up at load",
            "How long the same load runs before each repeat, in seconds; these requests do not "
            "count",
            section="limits",
            unit="s",
            step=10.0,
        ),
        ge=0,
        le=3600,
    )

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None or not value.strip():
            return None
        return value if info.context is STORED else as_written(value.strip())
