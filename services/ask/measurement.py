"""Raw measurements of requests and runs. Metrics are derived in `analysis/metrics.py`, so that new
ones also work on stored runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from services.ask.config import RunConfig

Status = Literal["ok", "failed", "cancelled"]
RunStatus = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]

ACTIVE: tuple[RunStatus, ...] = ("queued", "running")
FINISHED: tuple[RunStatus, ...] = ("done", "failed", "cancelled", "interrupted")

CACHE = "cache_not_emptied"  # in a repeat's health, if requested: why it was not, or ""
WARM_UP_ENDS = "warm_up"  # in a repeat's health: number of warm-up requests by OK or error class
OK = "ok"
WARMING_UP = "Warming up"  # the phase of a run whose requests do not count yet
# The error of a run in which no request failed, but all answers were unfinished at its end:
ALL_CUT = (
    "No request succeeded: none had its whole answer when the run ended. Let it run longer, or "
    "choose a longer drain."
)

NODE_LOST = "node_lost"
ERROR_CLASSES = (
    "connect",  # no connection, or it broke before an answer
    "http_3xx",  # a redirect, which is not followed
    "http_4xx",
    "http_429",
    "http_5xx",
    "timeout_connect",
    "timeout_first_token",
    "timeout_between_chunks",
    "timeout",  # of the whole request
    "stream_error",  # an error inside a stream that had begun, or a stream that is not one
    "truncated",  # ended without finish_reason and without [DONE]
    "empty",  # ended normally, but without a token
    NODE_LOST,  # the node that should have measured it was lost
)


def class_of_status(status: int) -> str:
    """Return the error class of an answer with this HTTP status, which is not 200."""
    if status < 300:  # such as 204: not an error, but no answer either
        return "stream_error"
    return "http_429" if status == 429 else f"http_{status // 100}xx"


WARM_UP = -1  # the repeat that does not count
IMPORT = "import"  # the backend of a run measured by another tool
VIA_LITELLM = "via LiteLLM"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One request. Times are seconds since its repeat began, monotonic; None: not seen.

    `token_times` holds the arrival of every chunk that carries a generated token, so the first is
    `t_first` and the last `t_last`. A chunk may carry several tokens, so the number of chunks is
    not the token count.
    """

    repeat: int
    index: int
    status: Status
    t_due: float
    t_send: float | None = None
    t_first: float | None = None
    t_answer: float | None = None
    t_last: float | None = None
    t_end: float | None = None
    token_times: Sequence[float] = ()
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    token_source: Literal["usage", "tokenizer", "unknown"] = "unknown"
    error_class: str | None = None
    error: str | None = None
    http_status: int | None = None
    finish_reason: str | None = None
    connect_s: float | None = None  # None: a connection that was already open
    coalesced_reads: int = 0  # reads that carried more than one token chunk
    attempts: int = 1  # all times except `t_due` are those of the last attempt
    first_error_class: str | None = None  # why the first attempt failed, if there were more
    retry_wait_s: float | None = None  # between its attempts, together
    cap_wait_s: float | None = None  # after it was due, because the max concurrency was reached
    # The server's own measurements of the time before the first token; None: not reported.
    server_queue_s: float | None = None
    load_s: float | None = None  # of the model, which was not in memory
    prefill_s: float | None = None
    answer: str | None = None  # the text, which is only kept in the database; the last


@dataclass(frozen=True, slots=True)
class Repeat:
    """One pass over the schedule. `began_at` anchors its monotonic times to the wall clock."""

    index: int
    began_at: datetime
    duration_s: float | None = None  # None: it was cut short before its end was recorded
    health: dict[str, Any] = field(
        default_factory=dict
    )  # the client's own, see `analysis/diagnostics/client.py`


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a run at one moment, for the live page. `t` is seconds since the run began."""

    t: float
    repeat: int
    sent: int
    in_flight: int
    done: int
    failed: int
    tokens: int  # finished answers by the server's count, running ones by their chunks
    late_p99_s: float | None = None  # of this client: how late requests were sent, its loop's lag,
    lag_p99_s: float | None = None  # and its share of a core; each is the worst of its processes
    cpu_share: float | None = None
    sent_again: int = 0  # retries, including those that still wait to be sent


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of the machine and the engine at one moment, from a process other than the client's.
    `t` is seconds since the run began; the names are those in `series.py`."""

    t: float
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Run:
    """A stored run, without its requests."""

    id: int
    name: str
    status: RunStatus
    config: RunConfig
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    phase: str = ""  # the current activity, in words
    error: str | None = None  # why the run as a whole failed, as a sentence
    tags: tuple[str, ...] = ()
    note: str = ""
    environment: dict[str, Any] = field(default_factory=dict)
    repeats: tuple[Repeat, ...] = ()
    cancel_requested: bool = False
    calibration: dict[str, Any] | None = None  # the client's own error, see load/calibrate.py
    source: dict[str, Any] | None = None  # of an imported run: the tool, its file and its numbers
    comparison_id: int | None = None  # the comparison that it is part of
    item_index: int | None = None  # of its next work item there, from 0
    study_id: int | None = None  # the study that it is a cell of
    cell: int | None = None  # its index in the study's grid, from 0
    engine_id: int | None = None  # the engine that Paceline starts for it
    token_times_removed_at: datetime | None = None  # by age, see db/retention.py
    started_by: str | None = None  # a person or a token, if sign-in is on
    margin: float | None = None  # of the comparison: smaller differences do not matter, a share

    @property
    def through(self) -> str:
        """LiteLLM or the tool that measured the run, or "" if Paceline's own client did."""
        if self.source is not None:
            return f"imported from {self.source.get('tool') or 'a file'}"
        return VIA_LITELLM if self.config.via_litellm else ""

    @property
    def placed(self) -> bool:
        """Whether the send time of each request is known; some imported files do not contain it."""
        return self.source is None or bool(self.source.get("placed", True))

    def knows(self, field: str) -> bool:
        """Return whether a field of the config is known: for an imported run, whether its file
        states it."""
        return self.source is None or field in self.source.get("known", ())
