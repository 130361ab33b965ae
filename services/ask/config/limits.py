"""Repeats, timeouts, limits and objectives."""

from __future__ import annotations

import re

from pydantic import ValidationInfo, field_validator

from services.ask.about import About, field
from services.ask.base_config import STORED, BaseConfig
from services.ask.config.load import MOST

MAX_REPEATS = 50
MAX_PROCESSES = 64
_CLUSTER = re.compile(r"ray://(\[[0-9a-f:]+\]|[a-z0-9]([a-z0-9._-]*[a-z0-9])?):(\d{1,5})", re.I)


class LimitFields(BaseConfig):
    """The limits and the objectives."""

    warmup: int = field(
        1,
        About(
            "Warm-up requests",
            "Requests sent before measuring, which do not count; mixed: this many of each length",
            "client",
        ),
        ge=0,
        le=100,
    )
    repeats: int = field(
        1,
        About("Repeats", "How many times the whole run is measured", "client", "mode"),
        ge=1,
        le=MAX_REPEATS,
    )
    timeout_s: float = field(
        300.0,
        About("Request timeout", "Maximum time for one request, in seconds", "client", unit="s"),
        gt=0,
        le=86_400,
    )
    connect_timeout_s: float = field(
        30.0,
        About(
            "Connection timeout",
            "Maximum time to open a connection, in seconds",
            "client",
            unit="s",
        ),
        gt=0,
        le=86_400,
    )
    first_token_timeout_s: float | None = field(
        None,
        About(
            "First-token timeout", "Maximum time to the first token, in seconds", "client", unit="s"
        ),
        gt=0,
        le=86_400,
    )
    chunk_timeout_s: float | None = field(
        None,
        About(
            "Chunk timeout",
            "Maximum time between two chunks of an answer, in seconds",
            "client",
            unit="s",
        ),
        gt=0,
        le=86_400,
    )
    stop_after_s: float | None = field(
        None,
        About("Stop a repeat after", "Stop a repeat after this many seconds", unit="s"),
        gt=0,
        le=86_400,
    )
    stop_after_errors: int | None = field(
        None,
        About("Max failed requests", "Stop a repeat after this many failed requests"),
        ge=1,
        le=MOST,
    )
    retries: int = field(
        0,
        About(
            "Retries",
            "How many times a request is sent again if it was refused (429, 5xx) or could not "
            "connect; waits as long as the server asks (Retry-After), otherwise longer each "
            "time. Meanwhile it counts towards concurrency",
            varied=True,
        ),
        ge=0,
        le=20,
    )
    empty_cache: bool = field(
        False,
        About(
            "Empty the prefix cache",
            "Empty the server's prefix cache before each repeat: vLLM (if started with "
            "VLLM_SERVER_DEV_MODE=1) and SGLang; the result says if it could not be emptied",
            varied=True,
        ),
    )
    processes: int | None = field(
        None,
        About(
            "Load processes",
            "Processes that send requests; empty: chosen from the load and the CPU cores",
            "client",
            empty="auto",
        ),
        ge=1,
        le=MAX_PROCESSES,
    )
    on: str | None = field(
        None,
        About(
            "Load from",
            "Ray cluster whose nodes send the requests, with one process per node: "
            "ray://HEAD:10001; empty: this machine",
            "client",
            empty="this machine",
        ),
        max_length=300,
    )
    calibrate: bool | None = field(
        None,
        About(
            "Calibrate the client",
            "Measure the client's own error at this load afterwards; "
            "empty: if more than 64 requests are in flight",
            "check",
        ),
    )

    ttft_limit_s: float | None = field(
        None,
        About(
            "Max TTFT",
            "Objective: maximum time to first token, in seconds",
            "judgement",
            "objectives",
            unit="s",
            step=0.1,
        ),
        gt=0,
        le=86_400,
    )
    tpot_limit_s: float | None = field(
        None,
        About(
            "Max TPOT",
            "Objective: maximum time per output token after the first, in seconds",
            "judgement",
            "objectives",
            unit="s",
            step=0.01,
        ),
        gt=0,
        le=86_400,
    )
    e2e_limit_s: float | None = field(
        None,
        About(
            "Max E2E latency",
            "Objective: maximum time for a whole answer, in seconds",
            "judgement",
            "objectives",
            unit="s",
        ),
        gt=0,
        le=86_400,
    )
    usd_per_hour: float | None = field(
        None,
        About(
            "Price per hour",
            "What the server costs per hour, including all its GPUs, in US $",
            "judgement",
            "objectives",
            unit="US $",
        ),
        gt=0,
        le=1_000_000,
    )

    @field_validator("on")
    @classmethod
    def _cluster(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None or not value.strip():
            return None
        match = _CLUSTER.fullmatch(value.strip())
        if info.context is not STORED and (match is None or not 0 < int(match[3]) < 2**16):
            raise ValueError("must be the address of a Ray cluster, such as ray://10.0.0.1:10001")
        return value.strip()
