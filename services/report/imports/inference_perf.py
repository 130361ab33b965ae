"""inference-perf: a summary in seconds, and the lifecycle of each request on one monotonic clock
(`per_request_lifecycle_metrics.json`, a list). Its formulas: `reportgen/base.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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

TOOL = "inference-perf"


def recognise(document: Document) -> bool:
    return isinstance(document.first.get("load_summary"), dict) and (
        fields.inside(document.first, "successes", "latency") is not None
        or fields.inside(document.first, "failures", "count") is not None
    )


def recognise_requests(document: Document) -> bool:
    first = document.first
    return {"start_time", "end_time", "info"} <= first.keys() and "error" in first


def read(document: Document) -> list[Imported]:
    row = Tracked(document.first)
    load = row["load_summary"]
    offered = Load(
        fields.count(load.get("count")) or None,
        fields.number(load.get("requested_rate")),
        fields.count(load.get("concurrency")) or None,
    )
    if offered.concurrency:  # its rate then only applies to the start of the stage
        offered = Load(offered.requests, None, offered.concurrency)
    stated = read_stated((entry, fields.inside(row, *entry.key.split("/"))) for entry in STATED)
    facts = {f"load.{k}": v for k, v in fields.facts(load).items()}
    return [imported(TOOL, offered, stated=stated, facts=facts, of=row)]


def read_requests(document: Document) -> list[Imported]:
    rows = [row for row in document.rows if fields.number(row.get("start_time")) is not None]
    rows.sort(key=lambda row: fields.number(row["start_time"]) or 0.0)
    start = fields.number(rows[0]["start_time"]) or 0.0 if rows else 0.0
    measurements = [_request(index, row, start) for index, row in enumerate(rows)]
    model = next(filter(None, map(_model, rows)), "")
    stated = read_stated(_means(rows))
    return [imported(TOOL, Load(), model=model, measurements=measurements, stated=stated)]


def _request(index: int, row: Mapping[str, Any], start: float) -> Measurement:
    def since(moment: Any) -> float | None:
        known = fields.number(moment)
        return None if known is None else fields.seconds(known - start)

    sent, ended = since(row["start_time"]) or 0.0, since(row.get("end_time"))
    if row.get("error"):
        return _failed_request(index, row, sent, ended)
    info, times = row.get("info"), _times(row, start)
    usage = _of_response(info, "server_usage")
    own = fields.count(fields.inside(usage, "completion_tokens"))
    counted = _of_response(info, "output_tokens")
    return Measurement(
        0,
        index,
        "ok",
        sent,
        sent,
        times[0] if times else None,
        times[0] if times else None,
        times[-1] if times else ended,
        ended,
        times,
        fields.count(fields.inside(info, "request_metrics", "text", "input_tokens"))
        or fields.count(fields.inside(info, "input_tokens")),
        fields.count(counted) if own is None else own,
        cached_tokens=fields.count(fields.inside(usage, "prompt_tokens_details", "cached_tokens")),
        token_source="tokenizer" if own is None else "usage",
    )


def _failed_request(
    index: int, row: Mapping[str, Any], sent: float, ended: float | None
) -> Measurement:
    messages = (fields.failure(fields.inside(row, "error", part))[0] for part in ERROR)
    message = " ".join(filter(None, messages))
    return Measurement(
        0,
        index,
        "failed",
        sent,
        sent,
        t_end=ended,
        error=message or "it failed",
        error_class=fields.error_class(message),
    )


def _times(row: Mapping[str, Any], start: float) -> tuple[float, ...]:
    """Return the arrival of each chunk with tokens. The tool records a time for each *token*; those
    of one chunk have the same."""
    info = row.get("info")
    moments = fields.as_list(_of_response(info, "output_token_times")) or fields.as_list(
        _of_response(info, "chunk_times")
    )
    known = [fields.number(moment) for moment in moments]
    times = dict.fromkeys(fields.seconds(moment - start) for moment in known if moment is not None)
    return tuple(sorted(moment for moment in times if moment is not None))


def _of_response(info: Any, name: str) -> Any:
    """Return a field of the response, which 0.5 keeps in `response_info`, earlier versions in
    `info`."""
    owners = (fields.inside(info, "response_metrics"), fields.inside(info, "response_info"), info)
    values = (fields.inside(owner, name) for owner in owners)
    return next((value for value in values if value is not None), None)


def _model(row: Mapping[str, Any]) -> str:
    """Return the requested model from the request body; nothing else of the body is kept."""
    try:
        body = json.loads(row.get("request") or "")
    except (ValueError, RecursionError, TypeError):
        return ""
    return fields.line(fields.inside(body, "model"))


def _means(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[StatedMetric, Any]]:
    """Yield the mean of each of the tool's own metrics that the successful requests have."""
    good = [row for row in rows if not row.get("error")]
    for entry in STATED:
        if entry.name.endswith("_mean"):
            name = entry.key.split("/")[-2]
            values = [fields.number(fields.inside(row, "computed_metrics", name)) for row in good]
            known = [value for value in values if value is not None]
            if known:
                yield entry, sum(known) / len(known)


ERROR = ("error_type", "error_msg")
STATISTICS = {"mean": "mean", "median": "median", "p90": "p90", "p95": "p95", "p99": "p99"}
TIME = (
    "Over the time from the start of the first request to the end of the last, which is after its "
    "last token; tokens by its own tokenizer unless configured to use the server's."
)
STATED = (
    StatedMetric("requests_per_s", "successes/throughput/requests_per_sec", 1, TIME),
    StatedMetric("output_tokens_per_s", "successes/throughput/output_tokens_per_sec", 1, TIME),
    StatedMetric("total_tokens_per_s", "successes/throughput/total_tokens_per_sec", 1, TIME),
    StatedMetric("ok", "successes/count", 1, "Requests that ended without an error."),
    StatedMetric("failed", "failures/count", 1, "Requests that ended with an error."),
    StatedMetric(
        "prompt_tokens",
        "successes/prompt_tokens/total",
        1,
        "Counted by the server's usage if sent, otherwise by its own tokenizer.",
    ),
    StatedMetric(
        "output_tokens",
        "successes/output_tokens/total",
        1,
        "Counted by the server's usage if sent, otherwise by its own tokenizer.",
    ),
    *(
        StatedMetric(
            f"{ours}_mean", f"successes/{theirs}/mean", 1, "Of each request; by its own tokenizer."
        )
        for ours, theirs in {"prompt_tokens": "prompt_len", "output_tokens": "output_len"}.items()
    ),
    *distributions(
        STATISTICS,
        StatedMetric(
            "ttft_s",
            "successes/latency/time_to_first_token/{}",
            1,
            "First chunk with text − start of the request; requests with two tokens or more.",
        ),
        StatedMetric(
            "tpot_s",
            "successes/latency/time_per_output_token/{}",
            1,
            "(Last − first token) / (tokens − 1), tokens by its own tokenizer unless "
            "configured to use the server's.",
        ),
        StatedMetric(
            "e2e_s",
            "successes/latency/request_latency/{}",
            1,
            "End of the stream − start. Paceline's ends with the last token, before that.",
        ),
    ),
)
