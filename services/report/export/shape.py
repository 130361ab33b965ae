"""The fields of Paceline's JSON documents, for the API's schema and for readers of exported files.

`python -m services.report.export.shape docs/schema` writes them as JSON Schemas.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.ask.measurement import RunStatus, Status
from services.report.export.study_shape import StudyDocument


class RequestRow(BaseModel):
    """One request. Times are in seconds and lengths in tokens; null means unknown, not zero."""

    model_config = ConfigDict(extra="forbid")

    index: int = Field(description="Position within its repeat, from 0")
    repeat: int = Field(description="Index of its repeat, from 0")
    status: Status
    error_class: str | None = Field(description="Kind of failure: connect, http_4xx, timeout …")
    error: str | None = Field(description="Error message, with API keys removed")
    http_status: int | None
    due_s: float = Field(description="Scheduled send time, since its repeat began")
    sent_s: float | None = Field(description="Actual send time, since its repeat began")
    ttft_s: float | None = Field(description="Time to first token, including reasoning")
    ttfa_s: float | None = Field(description="Time to first token of the answer itself")
    e2e_s: float | None = Field(description="From send to last token; successful requests only")
    tpot_s: float | None = Field(description="Time per output token after the first")
    tokens_per_s: float | None = Field(description="Output tokens / e2e_s")
    decode_tokens_per_s: float | None = Field(
        description="Output tokens after the first / the time they took"
    )
    prompt_tokens: int | None = Field(description="As reported by the server")
    output_tokens: int | None = Field(description="Including reasoning tokens; see token_source")
    cached_tokens: int | None = Field(description="Prompt tokens served from the server's cache")
    token_source: Literal["usage", "tokenizer", "unknown"] = Field(
        description="Where output_tokens comes from"
    )
    finish_reason: str | None = Field(description="Why the answer ended: stop, length …")
    first_s: float | None = Field(description="Arrival of the first token, since its repeat began")
    answer_s: float | None = Field(description="Arrival of the first answer token, likewise")
    last_s: float | None = Field(
        description="Arrival of the last token, likewise; also of failures"
    )
    ended_s: float | None = Field(description="When the request ended, likewise")
    chunks_s: list[float] = Field(description="Arrival of each chunk with tokens, likewise")
    connect_s: float | None = Field(description="Time to connect; null: connection was reused")
    attempts: int = Field(
        description="How many times it was sent; other times are those of the last attempt"
    )
    first_error_class: str | None = Field(
        description="Why the first attempt failed; null: there was only one"
    )
    retry_wait_s: float | None = Field(description="Total wait between its attempts")
    cap_wait_s: float | None = Field(
        description="Wait of a request that was due, because max concurrency was reached; null: "
        "it did not wait"
    )
    server_queue_s: float | None = Field(
        description="Wait in the server before its prefill, as the server reports it; null: not "
        "reported"
    )
    load_s: float | None = Field(description="Time to load the model, likewise")
    prefill_s: float | None = Field(description="Time to process the prompt, likewise")
    coalesced_reads: int = Field(description="Reads that returned several chunks at once")
    reasoning_tokens: int | None = Field(
        description="Part of output_tokens, as reported by the server"
    )


class RepeatRow(BaseModel):
    """One pass over the schedule."""

    model_config = ConfigDict(extra="forbid")

    index: int
    began_at: str = Field(description="ISO 8601")
    duration_s: float | None = Field(description="null: it was interrupted")
    health: dict[str, Any] = Field(
        description="Health of the client: CPU share, event loop lag, clock; t: when the repeat "
        "began, on the time axis of samples; warm_up: number of warm-up requests that were ok, and "
        "that failed by error class; oddities: number of answers by what was unusual in their "
        "stream"
    )


class RunFacts(BaseModel):
    """A run's config, environment and outcome. Timestamps are ISO 8601."""

    model_config = ConfigDict(extra="forbid")

    id: int
    name: str
    status: RunStatus
    created_at: str
    started_at: str | None
    ended_at: str | None
    error: str | None = Field(description="Why the whole run failed")
    tags: list[str]
    note: str
    source: dict[str, Any] | None = Field(
        description="Tool that measured an imported run, and what it reported; null: not imported"
    )
    comparison_id: int | None = Field(
        description="Id of the comparison in which the run was measured; null: none"
    )
    token_times_removed_at: str | None = Field(
        None,
        description="When `chunks_s` of its requests were removed because the run was old; null: "
        "they are kept",
    )
    started_by: str | None = Field(
        None, description="Who started it, if sign-in is on; null: sign-in is off"
    )
    config: dict[str, Any] = Field(
        description="As in POST /runs, with custom prompts replaced by their number and length, "
        "and the turns of each if some are sessions"
    )
    environment: dict[str, Any] = Field(description="Engine, versions, machine and client")
    calibration: dict[str, Any] | None = Field(
        description="Overhead of the client at this load, in seconds; null: not calibrated"
    )
    repeats: list[RepeatRow]


class DiagnosticRow(BaseModel):
    """A diagnostic: what is wrong with the numbers, and what to do about it."""

    model_config = ConfigDict(extra="forbid")

    level: Literal["warning", "note"]
    title: str
    sentence: str


class SampleRow(BaseModel):
    """Server metrics at one moment, sampled from outside the client."""

    model_config = ConfigDict(extra="forbid")

    t: float = Field(description="Seconds since the run began, as health.t of a repeat")
    values: dict[str, float] = Field(description="In SI units, by the names in docs/metrics.md")


class AnswerRow(BaseModel):
    """The answer to one request."""

    model_config = ConfigDict(extra="forbid")

    repeat: int
    index: int
    answer: str | None


class RunDocument(BaseModel):
    """A run with its summary and requests: the same from the API, the CLI and in a file."""

    model_config = ConfigDict(extra="forbid")

    schema_: Literal["paceline/run/3"] = Field(
        alias="schema", description="Name and version of this format"
    )
    content_sha256: str = Field(
        description="Hash of the config and the measurements, see docs/exports.md"
    )
    run: RunFacts
    summary: dict[str, Any] = Field(
        description="Totals, rates and statistics by name: output_tokens_per_s, ttft_s_median …"
    )
    diagnostics: list[DiagnosticRow] = Field(description="Diagnostics of the run, warnings first")
    requests: list[RequestRow]
    samples: list[SampleRow] = Field(
        [], description="At most 600, in order of time; empty: not sampled"
    )
    answers: list[AnswerRow] | None = Field(None, description="Only if requested")


class ComparedRun(BaseModel):
    """A run of the comparison."""

    model_config = ConfigDict(extra="forbid")

    id: int
    name: str
    status: RunStatus
    backend: str
    model: str
    mode: str
    started_at: str | None = Field(description="ISO 8601")
    content_sha256: str = Field(description="As in the document of the run")


class RatioFacts(BaseModel):
    """A run relative to the baseline."""

    model_config = ConfigDict(extra="allow")

    value: float
    low: float | None = Field(description="Lower end of the 95 % interval; null: too few repeats")
    high: float | None
    p: float | None


class VerdictRow(BaseModel):
    """The verdict on one run against the baseline."""

    model_config = ConfigDict(extra="allow")

    run_id: int
    word: str = Field(description="faster, slower, equivalent, inconclusive, no verdict")
    sentence: str


class MeasureRow(BaseModel):
    """One metric of every run."""

    model_config = ConfigDict(extra="allow")

    metric: str
    label: str
    unit: str
    better: Literal["higher", "lower", "neither"]
    values: list[float | None] = Field(
        description="In the order of `runs`: as in their summaries, or means over the repeats"
    )
    ratios: list[RatioFacts | None] = Field(
        description="Relative to the baseline (itself null), from geometric means over the repeats"
    )


class DifferenceRow(BaseModel):
    """A field of the config or environment that differs between runs."""

    model_config = ConfigDict(extra="allow")

    field: str
    label: str
    values: list[str] = Field(description="In the order of `runs`")


class ComparisonDocument(BaseModel):
    """Runs side by side, baseline first."""

    model_config = ConfigDict(extra="forbid")

    schema_: Literal["paceline/comparison/2"] = Field(
        alias="schema", description="Name and version of this format"
    )
    runs: list[ComparedRun]
    verdicts: list[VerdictRow] = Field(description="One for each run after the first")
    rows: list[MeasureRow]
    differences: list[DifferenceRow]
    warnings: list[DiagnosticRow] = Field(
        description="Diagnostics of the comparison, warnings first"
    )


def schema_texts() -> dict[str, str]:
    """Return the JSON Schemas (draft 2020-12) by file name."""
    return {
        f"{name}.json": json.dumps(_schema(model), indent=2, ensure_ascii=False) + "\n"
        for name, model in DOCUMENTS.items()
    }


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


DOCUMENTS: dict[str, type[BaseModel]] = {
    "run-3": RunDocument,
    "comparison-2": ComparisonDocument,
    "study-3": StudyDocument,
}

if __name__ == "__main__":
    for file, text in schema_texts().items():
        Path(sys.argv[1], file).write_text(text, encoding="utf-8")
