"""aiperf and genai-perf: an aggregate whose numbers carry their unit, and aiperf's record of each
request (`profile_export.jsonl`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from services.analysis.statistics import FLOORS
from services.ask.measurement import Measurement
from services.report.imports import fields
from services.report.imports.aiperf_sessions import by_session
from services.report.imports.imported import (
    SPREAD,
    Imported,
    Load,
    StatedMetric,
    distributions,
    imported,
    read_stated,
)
from services.report.imports.parse import Document
from services.report.imports.placeholders import sessions_of_turns
from services.report.imports.tracked import Tracked

TOOL = "aiperf"
NS = 1e-9
START = "request_start_ns"


def recognise(document: Document) -> bool:
    first = document.first
    version = first.get("schema_version")
    return (isinstance(version, str) and "aiperf_version" in first) or (
        is_old(first) and fields.inside(first, "request_latency", "unit") is not None
    )


def is_old(first: Mapping[str, Any]) -> bool:
    """Whether this is a summary of aiperf before 0.2, which contains no version: its config has a
    load generator where genai-perf's has Perf Analyzer."""
    config = first.get("input_config")
    return (
        fields.inside(config, "perf_analyzer") is None
        and "aiperf_version" not in first
        and (
            isinstance(fields.inside(config, "loadgen"), dict)
            or isinstance(fields.inside(config, "endpoint", "model_names"), list)
        )
    )


def recognise_records(document: Document) -> bool:
    metadata = document.first.get("metadata")
    return isinstance(document.first.get("metrics"), dict) and (
        fields.inside(metadata, START) is not None
    )


def read(document: Document) -> list[Imported]:
    row = document.first
    return [aggregate(TOOL, row, row.get("aiperf_version"), STATED)]


def aggregate(
    tool: str, summary: dict[str, Any], version: Any, metrics: Sequence[StatedMetric]
) -> Imported:
    """Return the run of a summary in the format that both tools write."""
    row = Tracked(summary)
    config = row.get("input_config")
    return imported(
        tool,
        _load(row),
        model=_model(config),
        version=version,
        started_at=fields.moment(row.get("start_time")),
        duration_s=fields.seconds(_stat(row, "benchmark_duration", "avg")),
        stated=read_stated((entry, _value(row, entry)) for entry in metrics),
        facts=fields.facts(row),
        of=row,
    )


def _model(config: Any) -> Any:
    items = fields.inside(config, "models", "items")
    first = items[0] if isinstance(items, list) and items else None
    names = (
        fields.inside(config, "model_names")
        or fields.inside(config, "endpoint", "model_names")
        or fields.inside(config, "models")
    )
    return fields.inside(first, "name") or (names[0] if isinstance(names, list) and names else "")


def _load(row: Mapping[str, Any]) -> Load:
    config = row.get("input_config")
    phases = fields.as_list(fields.inside(config, "phases"))
    phase = next((p for p in phases if fields.inside(p, "kind") == "profiling"), None)
    stimulus = (
        fields.inside(config, "perf_analyzer", "stimulus") or fields.inside(config, "loadgen") or {}
    )
    return Load(
        requests=fields.count(_stat(row, "request_count", "avg")) or None,
        rate=fields.number(fields.inside(phase, "rate") or fields.inside(stimulus, "request_rate"))
        or (inf if phase else None),
        concurrency=fields.count(
            fields.inside(phase, "concurrency") or fields.inside(stimulus, "concurrency")
        )
        or None,
    )


def _stat(row: Mapping[str, Any], metric: str, statistic: str) -> Any:
    return fields.inside(row, metric, statistic)


def _value(row: Mapping[str, Any], entry: StatedMetric) -> float | None:
    """Return the statistic in SI units; None for an unknown unit."""
    metric, _, statistic = entry.key.partition("/")
    unit = fields.inside(row, metric, "unit")
    scale = UNITS.get(unit) if isinstance(unit, str) else None
    return None if scale is None else fields.number(_stat(row, metric, statistic), scale)


def read_records(document: Document) -> list[Imported]:
    profiled, turns = by_session(_profiled(document.rows))
    moments = (_at(row, name) for row in profiled for name in ("credit_issued_ns", START))
    start = min((at for at in moments if at is not None), default=0.0)
    measurements = [_record(index, row, start) for index, row in enumerate(profiled)]
    run = imported(
        TOOL,
        Load(len(measurements)),
        started_at=fields.moment(start),
        measurements=measurements,
        stated=read_stated(_means(profiled)),
    )
    return [replace(run, config=run.config.model_copy(update=sessions_of_turns(turns)))]


def _profiled(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the measured requests, without the warm-up, in the order they were sent."""
    profiled = [
        (sent, row)
        for row in rows
        if isinstance(row.get("metadata"), dict)
        and row["metadata"].get("benchmark_phase", "profiling") == "profiling"
        and (sent := _at(row, START)) is not None
    ]
    profiled.sort(key=lambda pair: pair[0])
    return [row for _, row in profiled]


def _record(index: int, row: Mapping[str, Any], start: float) -> Measurement:
    def at(name: str) -> float | None:
        moment = _at(row, name)
        return None if moment is None else fields.seconds(moment - start)

    sent, ended = at(START) or 0.0, at("request_end_ns")
    if _was_unsuccessful(row):
        return _unsuccessful_record(index, row.get("error"), sent, ended)
    ttft, answer = _span(row, "time_to_first_token"), _span(row, "time_to_first_output_token")
    latency = _span(row, "request_latency")
    first = None if ttft is None else sent + ttft
    gaps = fields.inside(row, "metrics", "inter_chunk_latency", "value")
    return Measurement(
        0,
        index,
        "ok",
        min(at("credit_issued_ns") or sent, sent),
        sent,
        first,
        first if answer is None else sent + answer,
        None if latency is None else sent + latency,
        ended,
        fields.arrivals(first, gaps, 1e-3) if gaps else (),
        _tokens(row, "usage_prompt_tokens", "input_sequence_length"),
        _tokens(row, "usage_completion_tokens", "output_sequence_length"),
        reasoning_tokens=_tokens(row, "reasoning_token_count"),
        token_source="usage" if _tokens(row, "usage_completion_tokens") else "tokenizer",
    )


def _was_unsuccessful(row: Mapping[str, Any]) -> bool:
    return bool(row.get("error")) or row["metadata"].get("was_cancelled") is True


def _unsuccessful_record(index: int, error: Any, sent: float, ended: float | None) -> Measurement:
    """Return a request that failed, or one that was cancelled if it has no error."""
    message, kind = fields.failure(fields.inside(error, "message") or error)
    if status := fields.count(fields.inside(error, "code")):
        kind = fields.error_class(f"status {status}") or kind
    return Measurement(
        0,
        index,
        "failed" if error else "cancelled",
        sent,
        sent,
        t_end=ended,
        error=message or "it was cancelled",
        error_class=kind if error else None,
    )


def _at(row: Mapping[str, Any], name: str) -> float | None:
    return fields.number(fields.inside(row, "metadata", name), NS)


def _span(row: Mapping[str, Any], metric: str) -> float | None:
    value, unit = (fields.inside(row, "metrics", metric, part) for part in ("value", "unit"))
    return fields.seconds(value, UNITS[unit]) if unit in ("ms", "sec", "ns", "us") else None


def _tokens(row: Mapping[str, Any], *metrics: str) -> int | None:
    counts = (fields.count(fields.inside(row, "metrics", name, "value")) for name in metrics)
    return next((tokens for tokens in counts if tokens is not None), None)


def _means(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[StatedMetric, Any]]:
    """Yield the mean TPOT: the records state one for each successful request."""
    entry = next(metric for metric in STATED if metric.name == "tpot_s_mean")
    values = [_span(row, "inter_token_latency") for row in rows if not _was_unsuccessful(row)]
    known = [value for value in values if value is not None]
    if known:
        yield entry._replace(scale=1), sum(known) / len(known)


UNITS: dict[str, float] = {
    "ms": 1e-3,
    "sec": 1.0,
    "s": 1.0,
    "ns": 1e-9,
    "us": 1e-6,
    "tokens": 1.0,
    "requests": 1.0,
    "requests/sec": 1.0,
    "tokens/sec": 1.0,
    "tokens/sec/user": 1.0,
    "%": 1e-2,
}
STATISTICS = {
    "mean": "avg",
    "median": "p50",
    "sd": "std",
    "p90": "p90",
    "p95": "p95",
    "p99": "p99",
}
EXTRA = {f"p{q}": f" Paceline needs {floor} requests for it." for q, floor in FLOORS.items()}
PHASE = (
    "Over the time of its profiling phase (start_time to end_time), which begins before the first "
    "request is sent. Paceline's begins with the first send and ends with the last token."
)
STATED = (
    StatedMetric("requests_per_s", "request_throughput/avg", 1, PHASE),
    StatedMetric("output_tokens_per_s", "output_token_throughput/avg", 1, PHASE),
    StatedMetric("total_tokens_per_s", "total_token_throughput/avg", 1, PHASE),
    StatedMetric("ok", "request_count/avg", 1, "Requests that ended without an error."),
    StatedMetric("failed", "error_request_count/avg", 1, "Requests that ended with an error."),
    StatedMetric(
        "output_tokens",
        "total_osl/avg",
        1,
        "By its tokenizer, or by the server's usage with --use-server-token-count.",
    ),
    StatedMetric(
        "prompt_tokens",
        "total_isl/avg",
        1,
        "By its tokenizer, or by the server's usage with --use-server-token-count.",
    ),
    *distributions(
        STATISTICS,
        StatedMetric(
            "ttft_s",
            "time_to_first_token/{}",
            1,
            "First response with a token − start of the request. The start is before a "
            "connection is opened: connecting is part of it.",
        ),
        StatedMetric(
            "ttfa_s",
            "time_to_first_output_token/{}",
            1,
            "First token that is not reasoning − start of the request.",
        ),
        StatedMetric(
            "e2e_s", "request_latency/{}", 1, "Last response with content − start of the request."
        ),
        StatedMetric(
            "tpot_s",
            "inter_token_latency/{}",
            1,
            "Called inter-token latency: (latency − TTFT) / (tokens − 1), as in Paceline.",
        ),
        StatedMetric(
            "inter_chunk_s",
            "inter_chunk_latency/{}",
            1,
            "Every gap between responses, as in Paceline.",
        ),
        StatedMetric(
            "decode_tokens_per_s",
            "output_token_throughput_per_user/{}",
            1,
            "1 / inter-token latency of each request, as in Paceline.",
        ),
        StatedMetric(
            "tokens_per_s",
            "e2e_output_token_throughput/{}",
            1,
            "Output tokens / request latency of each request, as in Paceline.",
        ),
        sd=SPREAD,
        notes=EXTRA,
    ),
)
