"""The shapes of our JSON documents, field by field: for the API's schema, and for who reads a file.

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
    first_s: float | None = Field(description="First token, since its repeat began")
    answer_s: float | None = Field(description="First token of the answer itself, since then")
    last_s: float | None = Field(description="Last token, since then; of a failure too")
    ended_s: float | None = Field(description="When it was over, since then")
    chunks_s: list[float] = Field(description="Arrival of every chunk with a token, since then")
    connect_s: float | None = Field(description="Time to connect; null: was connected already")
    coalesced_reads: int = Field(description="Reads that carried more than one chunk")
    reasoning_tokens: int | None = Field(description="Of output_tokens, by the server's count")


class RepeatRow(BaseModel):
    """One pass over the schedule."""

    model_config = ConfigDict(extra="forbid")

    index: int
    began_at: str = Field(description="ISO 8601")
    duration_s: float | None = Field(description="null: it was cut short")
    health: dict[str, Any] = Field(
        description="The client's own: CPU share, lag, clock; t: when it began, see samples; "
        "oddities: answers by what is unusual in how the server sent them"
    )


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
    source: dict[str, Any] | None = Field(
        description="Of an imported run: whose file it was, and what that said; null: our own"
    )
    trial_id: int | None = Field(description="The same in runs that took turns; null: in none")
    config: dict[str, Any] = Field(
        description="As POST /runs takes it; own prompts are replaced by their number and length"
    )
    environment: dict[str, Any] = Field(description="Engine, versions, machine, client")
    calibration: dict[str, Any] | None = Field(
        description="What the client adds at this load, in seconds; null: not calibrated"
    )
    repeats: list[RepeatRow]


class DiagnosticRow(BaseModel):
    """Something to know about the numbers: what it means, and what to do."""

    model_config = ConfigDict(extra="forbid")

    level: Literal["warning", "note"]
    title: str
    sentence: str


class SampleRow(BaseModel):
    """What was seen of the server and its machine at one moment, from outside the client."""

    model_config = ConfigDict(extra="forbid")

    t: float = Field(description="In seconds since the run began, as health.t of a repeat")
    values: dict[str, float] = Field(description="By the names in docs/metrics.md; SI units")


class AnswerRow(BaseModel):
    """What a request was answered."""

    model_config = ConfigDict(extra="forbid")

    repeat: int
    index: int
    answer: str | None


class RunDocument(BaseModel):
    """A run, its summary and its requests: the same over HTTP, in a terminal and in a file."""

    model_config = ConfigDict(extra="forbid")

    schema_: Literal["paceline/run/2"] = Field(alias="schema", description="Name and version")
    content_sha256: str = Field(description="Of what was asked and measured, see docs/exports.md")
    run: RunFacts
    summary: dict[str, Any] = Field(
        description="Totals, rates and distributions by name: output_tokens_per_s, ttft_s_median …"
    )
    doubts: list[DiagnosticRow] = Field(description="Diagnostics of the run, warnings first")
    requests: list[RequestRow]
    samples: list[SampleRow] = Field([], description="At most 600, by time; empty: not watched")
    answers: list[AnswerRow] | None = Field(None, description="Only where somebody asked for them")


class ComparedRun(BaseModel):
    """Which run took part."""

    model_config = ConfigDict(extra="forbid")

    id: int
    name: str
    status: RunStatus
    backend: str
    model: str
    mode: str
    started_at: str | None = Field(description="ISO 8601")
    content_sha256: str = Field(description="As in the run's own document")


class RatioFacts(BaseModel):
    """A run relative to the baseline."""

    model_config = ConfigDict(extra="allow")

    value: float
    low: float | None = Field(description="Of the 95 % interval; null: too few repeats")
    high: float | None
    p: float | None


class VerdictRow(BaseModel):
    """The verdict on one run against the baseline."""

    model_config = ConfigDict(extra="allow")

    run_id: int
    word: str = Field(description="faster, slower, equivalent, inconclusive, no verdict")
    sentence: str


class MeasureRow(BaseModel):
    """One measure of every run."""

    model_config = ConfigDict(extra="allow")

    metric: str
    label: str
    unit: str
    better: Literal["higher", "lower", "neither"]
    values: list[float | None] = Field(
        description="In the order of `runs`, as in their summaries; else means over the repeats"
    )
    ratios: list[RatioFacts | None] = Field(
        description="To the baseline (whose own is null), from geometric means over the repeats"
    )


class DifferenceRow(BaseModel):
    """A field of config or environment that is not the same in all runs."""

    model_config = ConfigDict(extra="allow")

    field: str
    label: str
    values: list[str] = Field(description="In the order of `runs`")


class ComparisonDocument(BaseModel):
    """Runs side by side, the baseline first."""

    model_config = ConfigDict(extra="forbid")

    schema_: Literal["paceline/comparison/2"] = Field(alias="schema", description="Name, version")
    runs: list[ComparedRun]
    verdicts: list[VerdictRow] = Field(description="One for each run after the first")
    rows: list[MeasureRow]
    differences: list[DifferenceRow]
    warnings: list[DiagnosticRow] = Field(
        description="Diagnostics of the comparison, warnings first"
    )


def schema_texts() -> dict[str, str]:
    """Return the JSON Schemas (draft 2020-12) by the names of their files."""
    return {
        f"{name}.json": json.dumps(_schema(model), indent=2, ensure_ascii=False) + "\n"
        for name, model in DOCUMENTS.items()
    }


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


DOCUMENTS: dict[str, type[BaseModel]] = {
    "run-2": RunDocument,
    "comparison-2": ComparisonDocument,
    "study-1": StudyDocument,
}

if __name__ == "__main__":
    for file, text in schema_texts().items():
        Path(sys.argv[1], file).write_text(text, encoding="utf-8")
