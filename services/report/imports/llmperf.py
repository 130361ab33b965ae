"""llmperf: a flat summary in seconds, and a list of the responses, without send times.
Its formulas: `token_benchmark_ray.py` and `ray_clients/openai_chat_completions_client.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ask.measurement import Measurement
from services.report.imports import fields
from services.report.imports.imported import (
    Imported,
    Load,
    StatedMetric,
    distributions,
    imported,
    read_stated,
)
from services.report.imports.parse import Document
from services.report.imports.tracked import Tracked

TOOL = "llmperf"
NEEDED = {"results_ttft_s_mean", "num_concurrent_requests"}


def recognise(document: Document) -> bool:
    return document.first.keys() >= NEEDED


def recognise_responses(document: Document) -> bool:
    return {"inter_token_latency_s", "ttft_s", "end_to_end_latency_s"} <= document.first.keys()


def recognise_several(document: Document) -> bool:
    """Return whether the file contains several summaries by name, such as by concurrency."""
    summaries = [value for value in document.first.values() if isinstance(value, dict)]
    return bool(summaries) and all(value.keys() >= NEEDED for value in summaries)


def read(document: Document) -> list[Imported]:
    return [_summary(row) for row in document.rows if row.keys() >= NEEDED]


def read_several(document: Document) -> list[Imported]:
    return [_summary(row) for row in document.first.values() if isinstance(row, dict)]


def _summary(summary: dict[str, Any]) -> Imported:
    row = Tracked(summary)
    return imported(
        TOOL,
        Load(
            fields.count(row.get("results_num_requests_started")) or None,
            concurrency=fields.count(row["num_concurrent_requests"]) or None,
            max_tokens=fields.count(row.get("mean_output_tokens")) or None,
        ),
        model=row.get("model"),
        version=row.get("version"),
        started_at=fields.moment(row.get("timestamp")),
        stated=read_stated((entry, row.get(entry.key)) for entry in STATED),
        facts=fields.facts(row, (entry.key for entry in STATED)),
        of=row,
    )


def read_responses(document: Document) -> list[Imported]:
    measurements = [_request(index, row) for index, row in enumerate(document.rows)]
    return [imported(TOOL, Load(), measurements=measurements, placed=False)]


def _request(index: int, row: Mapping[str, Any]) -> Measurement:
    """Return one response. `inter_token_latency_s` is the whole latency over the number of events,
    which matches no metric of Paceline; `end_to_end_latency_s` and `ttft_s` do."""
    code = row.get("error_code")
    latency = fields.seconds(row.get("end_to_end_latency_s")) or None
    first = fields.seconds(row.get("ttft_s")) or None
    message, kind = fields.failure(row.get("error_msg"))
    if code is None and latency:
        message, kind = "", None
    elif status := fields.count(code):
        kind = fields.error_class(f"status {status}") or kind
    failed = code is not None or not latency
    return Measurement(
        0,
        index,
        "failed" if failed else "ok",
        0.0,
        0.0,
        first,
        first,
        latency,
        latency,
        prompt_tokens=fields.count(row.get("number_input_tokens")),
        output_tokens=fields.count(row.get("number_output_tokens")),
        token_source="tokenizer",
        error_class=kind,
        error=(message or f"error code {fields.line(str(code), 40)}") if failed else None,
    )


STATISTICS = {
    "mean": "mean",
    "median": "quantiles_p50",
    "sd": "stddev",
    "p90": "quantiles_p90",
    "p95": "quantiles_p95",
    "p99": "quantiles_p99",
}
LLAMA = "counted by Llama's tokenizer, whatever the model"
STATED = (
    StatedMetric(
        "output_tokens_per_s",
        "results_mean_output_throughput_token_per_s",
        1,
        f"Output tokens ({LLAMA}) over its own wall-clock time, from before creating its clients.",
    ),
    StatedMetric(
        "requests_per_s",
        "results_num_completed_requests_per_min",
        1 / 60,
        "Successes over its own wall-clock time, from before creating its clients.",
    ),
    StatedMetric(
        "ok", "results_num_completed_requests", 1, "Requests that ended without an error."
    ),
    StatedMetric("failed", "results_number_errors", 1, "Requests that ended with an error."),
    StatedMetric("error_rate", "results_error_rate", 1, "Errors / all requests that were started."),
    *distributions(
        STATISTICS,
        StatedMetric(
            "ttft_s",
            "results_ttft_s_{}",
            1,
            "First chunk with text − the call, which includes connecting.",
        ),
        StatedMetric(
            "e2e_s",
            "results_end_to_end_latency_s_{}",
            1,
            "End of the stream − the call. Paceline's ends with the last token.",
        ),
        StatedMetric(
            "tokens_per_s",
            "results_request_output_throughput_token_per_s_{}",
            1,
            f"Output tokens / latency of each request; {LLAMA}.",
        ),
        StatedMetric(
            "output_tokens", "results_number_output_tokens_{}", 1, f"Of each request, {LLAMA}."
        ),
        StatedMetric(
            "prompt_tokens", "results_number_input_tokens_{}", 1, f"Of each request, {LLAMA}."
        ),
    ),
)
