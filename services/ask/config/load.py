"""The server, the client and the mode."""

from __future__ import annotations

from typing import Literal

from pydantic import ValidationInfo, field_validator

from services.ask.about import About, field
from services.ask.address import as_written
from services.ask.base_config import STORED, BaseConfig

Mode = Literal["sequential", "staggered", "batch"]
Client = Literal["wire", "litellm"]
MOST = 10_000  # requests in a repeat


class LoadFields(BaseConfig):
    """The server, the client and the mode."""

    backend: str = field(
        "embedded",
        About("Backend", "Name of a backend; `backends` lists them", "target", "backend"),
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
        5, About("Requests", "Requests in each repeat", section="mode", varied=True), ge=1, le=MOST
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
            "Batch: maximum number of requests in flight; empty: all at once",
            section="mode",
            empty="all",
            read_by=("batch",),
            varied=True,
        ),
        ge=1,
        le=MOST,
    )

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None or not value.strip():
            return None
        return value if info.context is STORED else as_written(value.strip())
