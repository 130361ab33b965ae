"""inference-perf: a summary in seconds, and the life of each request on one monotonic clock
(`per_request_lifecycle_metrics.json`, a list). Its formulas: `reportgen/base.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.ask.measurement import Measurement
from services.report.imports import fields
from services.report.imports.imported import Imported, Load, Says, distributions, imported, stated
from services.report.imports.noted import Noted
from services.report.imports.parse import Document

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
    row = Noted(document.first)
    load = row["load_summary"]
    offered = Load(
        fields.count(load.get("count")) or None,
        fields.number(load.get("requested_rate")),
        fields.count(load.get("concurrency")) or None,
    )
    if offered.concurrency:  # its rate is then only how fast the stage was to begin
        offered = Load(offered.requests, None, offered.concurrency)
    says = stated((entry, fields.inside(row, *entry.key.split("/"))) for entry in SAYS)
    facts = {f"load.{k}": v for k, v in fields.facts(load).items()}
    return [imported(TOOL, offered, says=says, facts=facts, of=row)]


def read_requests(document: Document) -> list[Imported]:
    kept = [row for row in document.rows if fields.number(row.get("start_time")) is not None]
    kept.sort(key=lambda row: fields.number(row["start_time"]) or 0.0)
    start = fields.number(kept[0]["start_time"]) or 0.0 if kept else 0.0
    measurements = [_request(index, row, start) for index, row in enumerate(kept)]
    model = next(filter(None, map(_model, kept)), "")
    says = stated(_means(kept))
    return [imported(TOOL, Load(), model=model, measurements=measurements, says=says)]


def _request(index: int, row: Mapping[str, Any], start: float) -> Measurement:
    def since(moment: Any) -> float | None:
        known = fields.number(moment)
        return None if known is None else fields.seconds(known - start)

    sent, ended = since(row["start_time"]) or 0.0, since(row.get("end_time"))
    if row.get("error"):
        found = (fields.failure(fields.inside(row, "error", part))[0] for part in ERROR)
        said = " ".join(filter(None, found))
        return Measurement(
            0,
            index,
            "failed",
            sent,
            sent,
            t_end=ended,
            error=said or "it failed",
            error_class=fields.error_class(said),
        )
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


def _times(row: Mapping[str, Any], start: float) -> tuple[float, ...]:
    """When each chunk with tokens came. The tool notes a time for each *token*: those of a chunk
    have the same."""
    info = row.get("info")
    found = fields.several(_of_response(info, "output_token_times")) or fields.several(
        _of_response(info, "chunk_times")
    )
    known = [fields.number(moment) for moment in found]
    times = dict.fromkeys(fields.seconds(moment - start) for moment in known if moment is not None)
    return tuple(sorted(moment for moment in times if moment is not None))


def _of_response(info: Any, name: str) -> Any:
    """A field of the response: 0.5 calls its place `response_info`, before it stood in `info`."""
    places = (fields.inside(info, "response_metrics"), fields.inside(info, "response_info"), info)
    found = (fields.inside(place, name) for place in places)
    return next((value for value in found if value is not None), None)


def _model(row: Mapping[str, Any]) -> str:
    """Which model was asked for, of the body of the request, of which nothing else is kept."""
    try:
        asked = json.loads(row.get("request") or "")
    except (ValueError, RecursionError, TypeError):
        return ""
    return fields.line(fields.inside(asked, "model"))


def _means(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Says, Any]]:
    """With computed metrics the tool's own mean of each."""
    for entry in SAYS:
        if entry.name.endswith("_mean"):
            name = entry.key.split("/")[-2]
            values = [fields.number(fields.inside(row, "computed_metrics", name)) for row in rows]
            known = [value for value in values if value is not None]
            if known:
                yield entry, sum(known) / len(known)


ERROR = ("error_type", "error_msg")
STATISTICS = {"mean": "mean", "median": "median", "p90": "p90", "p95": "p95", "p99": "p99"}
TIME = (
    "Over the time from the first request's start to the last one's end, which is after its last "
    "token; tokens by its tokenizer unless it is told to use the server's."
)
SAYS = (
    Says("requests_per_s", "successes/throughput/requests_per_sec", 1, TIME),
    Says("output_tokens_per_s", "successes/throughput/output_tokens_per_sec", 1, TIME),
    Says("total_tokens_per_s", "successes/throughput/total_tokens_per_sec", 1, TIME),
    Says("ok", "successes/count", 1, "Requests that ended without an error."),
    Says("failed", "failures/count", 1, "Requests that ended with an error."),
    Says(
        "prompt_tokens",
        "successes/prompt_tokens/total",
        1,
        "By the server's usage where it came, else by its tokenizer.",
    ),
    Says(
        "output_tokens",
        "successes/output_tokens/total",
        1,
        "By the server's usage where it came, else by its tokenizer.",
    ),
    *(
        Says(f"{ours}_mean", f"successes/{theirs}/mean", 1, "Of each request; by its tokenizer.")
        for ours, theirs in {"prompt_tokens": "prompt_len", "output_tokens": "output_len"}.items()
    ),
    *distributions(
        STATISTICS,
        Says(
            "ttft_s",
            "successes/latency/time_to_first_token/{}",
            1,
            "First chunk with text − start of the request; with two tokens or more.",
        ),
        Says(
            "tpot_s",
            "successes/latency/time_per_output_token/{}",
            1,
            "(Last − first token) / (tokens − 1), tokens by its tokenizer unless it is told "
            "to use the server's.",
        ),
        Says(
            "e2e_s",
            "successes/latency/request_latency/{}",
            1,
            "End of the stream − start. Ours ends with the last token, before the stream.",
        ),
    ),
)
