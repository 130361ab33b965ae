"""guidellm: a report whose `benchmarks` are runs, each with its requests. Latencies are seconds,
others milliseconds, as their names say; moments are seconds since 1970."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

from services.ask.measurement import Measurement
from services.report.imports import fields
from services.report.imports.imported import (
    SPREAD,
    Imported,
    Load,
    Says,
    distributions,
    imported,
    stated,
)
from services.report.imports.noted import Noted
from services.report.imports.parse import Document

TOOL = "guidellm"
STATUSES = {"successful": "ok", "errored": "failed", "incomplete": "cancelled"}


def recognise(document: Document) -> bool:
    """From 0.4 on the file has metadata; before, a benchmark says of which kind it is."""
    found = document.first.get("benchmarks")
    return isinstance(found, list) and (
        fields.inside(document.first, "metadata", "guidellm_version") is not None
        or fields.inside(document.first, "metadata", "version") in (1, 2)
        or bool(found and fields.inside(found[0], "type_") == "generative_benchmark")
    )


def read(document: Document) -> list[Imported]:
    version = fields.inside(document.first, "metadata", "guidellm_version")
    runs = [one for one in document.first["benchmarks"] if isinstance(one, dict)]
    return [_run(one, version) for one in runs]


def _run(found: dict[str, Any], version: Any) -> Imported:
    one = Noted(found, 1)
    start = fields.number(one.get("start_time"))
    requests = one.get("requests")
    measurements = list(_requests(requests))
    config = fields.mapping(one.get("config")) or fields.mapping(one.get("args"))
    backend = fields.inside(config, "backend")
    model = fields.inside(backend, "model") or fields.inside(config, "spec", "backend", "model")
    return imported(
        TOOL,
        _load(config, len(measurements)),
        model=model or fields.inside(one, "worker", "backend_model"),
        version=version,
        started_at=fields.moment(start or _earliest(requests)),
        measurements=measurements,
        duration_s=fields.seconds(one.get("duration")),
        says=stated((entry, _of(one, entry.key)) for entry in SAYS),
        facts={f"strategy.{k}": v for k, v in fields.facts(_strategy(config)).items()},
        of=one,
    )


def _strategy(config: Any) -> Mapping[str, Any]:
    return fields.mapping(fields.inside(config, "strategy"))


def _load(config: Any, requests: int) -> Load:
    strategy = _strategy(config)
    kind, rate = strategy.get("type_"), fields.number(strategy.get("rate"))
    streams = fields.count(strategy.get("streams") or strategy.get("max_concurrency")) or None
    if kind == "synchronous":
        return Load(requests, concurrency=1)
    if kind in ("throughput", "concurrent"):
        return Load(requests, inf, streams)
    return Load(requests, rate)


def _of(one: Mapping[str, Any], path: str) -> Any:
    return fields.inside(one, *path.split("/"))


def _earliest(groups: Any) -> float | None:
    times = [_sent(request) for _, request in _each(groups)]
    return min((t for t in times if t is not None), default=None)


def _each(groups: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, status in STATUSES.items():
        for request in fields.several(fields.inside(groups, name)):
            if isinstance(request, dict):
                yield status, request


def _sent(request: Mapping[str, Any]) -> float | None:
    timings = fields.inside(request, "info", "timings")
    return fields.number(
        fields.inside(timings, "request_start")
        or request.get("request_start_time")
        or request.get("start_time")
    )


def _requests(groups: Any) -> Iterator[Measurement]:
    """In the order they were sent. Chunks have no times of their own, only the first and last."""
    found = [(_sent(request), status, request) for status, request in _each(groups)]
    placed = sorted((p for p in found if p[0] is not None), key=lambda p: p[0] or 0.0)
    start = placed[0][0] if placed else 0.0
    for index, (_, status, request) in enumerate(placed):
        yield _request(index, status, request, start or 0.0)


def _request(index: int, status: Any, request: Mapping[str, Any], start: float) -> Measurement:
    timings = fields.inside(request, "info", "timings")

    def at(name: str, *before: str) -> float | None:
        """A moment by its name, else by those that stood in the request itself before 0.4."""
        found = (fields.inside(timings, name), *(request.get(each) for each in before))
        known = next((n for each in found if (n := fields.number(each)) is not None), None)
        return fields.seconds(known - start) if known is not None else None

    sent = at("request_start", "request_start_time", "start_time") or 0.0
    first = at("first_token_iteration", "first_token_time")
    last = at("last_token_iteration", "last_token_time")
    ended = at("request_end", "request_end_time", "end_time")
    error, kind = fields.failure(
        fields.inside(request, "info", "error") or fields.inside(request, "error")
    )
    if status == "ok" and last is None:  # an answer that was not streamed
        last = ended
    return Measurement(
        0,
        index,
        status,
        sent,
        sent,
        first,
        at("first_output_token_iteration") or first,
        last,
        ended or last,
        prompt_tokens=fields.count(request.get("prompt_tokens")),
        output_tokens=fields.count(request.get("output_tokens")) if last else None,
        cached_tokens=fields.count(request.get("cached_tokens")),
        error=error or None,
        error_class=kind if status == "failed" else None,
    )


STATISTICS = {
    "mean": "mean",
    "median": "median",
    "sd": "std_dev",
    "p90": "percentiles/p90",
    "p95": "percentiles/p95",
    "p99": "percentiles/p99",
}
NEAREST = " Percentiles are values that were seen, the upper of two; ours lie between them."
RANKS = dict.fromkeys(("median", "p90", "p95", "p99"), NEAREST)
WINDOW = (
    "Over the time from the first request's start to the last one's end, which is after its last "
    "token."
)
SAYS = (
    Says("requests_per_s", "metrics/requests_per_second/successful/mean", 1, WINDOW),
    Says("output_tokens_per_s", "metrics/output_tokens_per_second/successful/mean", 1, WINDOW),
    Says("total_tokens_per_s", "metrics/tokens_per_second/successful/mean", 1, WINDOW),
    Says("ok", "metrics/request_totals/successful", 1, "Requests that ended well."),
    Says("failed", "metrics/request_totals/errored", 1, "Requests that ended with an error."),
    Says("cancelled", "metrics/request_totals/incomplete", 1, "Cut off at the end of the run."),
    Says(
        "output_tokens",
        "metrics/output_token_count/successful/total_sum",
        1,
        "By the server's usage where it came, else by its tokenizer.",
    ),
    Says(
        "prompt_tokens",
        "metrics/prompt_token_count/successful/total_sum",
        1,
        "By the server's usage where it came, else by its tokenizer.",
    ),
    *distributions(
        STATISTICS,
        Says(
            "ttft_s",
            "metrics/time_to_first_token_ms/successful/{}",
            1e-3,
            "First token − start of the request, by the clock of the day.",
        ),
        Says(
            "tpot_s",
            "metrics/inter_token_latency_ms/successful/{}",
            1e-3,
            "Called inter-token latency: (last − first token) / (tokens − 1), ours; but "
            "each request counts as often as it has gaps.",
        ),
        Says(
            "e2e_s",
            "metrics/request_latency/successful/{}",
            1,
            "End of the stream − start. Ours ends with the last token, before the stream.",
        ),
        sd=SPREAD,
        notes=RANKS,
    ),
)
