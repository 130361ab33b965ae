"""The shape of a run's document, field by field: for the API's schema, and for who reads a file."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.measurement import RunStatus, Status


class RequestRow(BaseModel):
    """One request. A time is in seconds, a length in tokens; null: not seen, which is not zero."""

    model_config = ConfigDict(extra="forbid")

    index: int = Field(description="Place in its repeat, from 0")
    repeat: int = Field(description="Its repeat, from 0")
    status: Status
    error_class: str | None = Field(description="Kind of failure: connect, http_4xx, timeout …")
    error: str | None = Field(description="What went wrong, without keys")
    http_status: int | None
    due_s: float = Field(description="When it was to be sent, since its repeat began")
    sent_s: float | None = Field(description="When it was sent, since its repeat began")
    ttft_s: float | None = Field(description="Time to first token, of any kind")
    ttfa_s: float | None = Field(description="Time to first token of the answer itself")
    e2e_s: float | None = Field(description="From sent to the last token; of a success only")
    tpot_s: float | None = Field(description="Time per output token after the first")
    tokens_per_s: float | None = Field(description="Output tokens / e2e_s")
    decode_tokens_per_s: float | None = Field(description="The same without the first token's wait")
    prompt_tokens: int | None = Field(description="By the server's count")
    output_tokens: int | None = Field(description="By the server's count, reasoning included")
    cached_tokens: int | None = Field(description="Prompt tokens that the server had in its cache")
    token_source: Literal["usage", "tokenizer", "unknown"] = Field(description="Who counted")
    finish_reason: str | None = Field(description="Why the answer ended: stop, length …")


class RepeatRow(BaseModel):
    """One pass over the schedule."""

    model_config = ConfigDict(extra="forbid")

    index: int
    began_at: str = Field(description="ISO 8601")
    duration_s: float | None = Field(description="null: it was cut short")
    health: dict[str, Any] = Field(description="The client's own: CPU share, lag, clock")


class RunFacts(BaseModel):
    """What was asked, where it was measured, how it ended. Moments are ISO 8601."""

    model_config = ConfigDict(extra="forbid")

    id: int
    name: str
    status: RunStatus
    created_at: str
    started_at: str | None
    ended_at: str | None
    error: str | None = Field(description="Why the run as a whole failed")
    tags: list[str]
    note: str
    config: dict[str, Any] = Field(
        description="As POST /runs takes it; own prompts are replaced by their number and length"
    )
    environment: dict[str, Any] = Field(description="Engine, versions, machine, client")
    calibration: dict[str, Any] | None = Field(
        description="What the client adds at this load, in seconds; null: not calibrated"
    )
    repeats: list[RepeatRow]


class DoubtRow(BaseModel):
    """A reason to doubt the run's numbers."""

    model_config = ConfigDict(extra="forbid")

    level: Literal["warning", "note"]
    title: str
    sentence: str


class RunDocument(BaseModel):
    """A run, its summary and its requests: the same over HTTP, in a terminal and in a file."""

    model_config = ConfigDict(extra="forbid")

    schema_: str = Field(alias="schema", description="Name and version of this shape")
    run: RunFacts
    summary: dict[str, Any] = Field(
        description="Totals, rates and distributions by name: output_tokens_per_s, ttft_s_median …"
    )
    doubts: list[DoubtRow] = Field(description="Reasons to doubt the numbers, warnings first")
    requests: list[RequestRow]
