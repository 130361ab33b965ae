"""guidellm: a report whose `benchmarks` are runs, each with its requests. Latencies are in seconds,
other durations in milliseconds, as their names say; times in seconds since 1970."""

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
    StatedMetric,
    distributions,
    imported,
    read_stated,
)
from services.report.imports.parse import Document
from services.report.imports.tracked import Tracked

TOOL = "guidellm"
STATUSES = {"successful": "ok", "errored": "failed", "incomplete": "cancelled"}
SAMPLED = "requests listed, not read"  # a fact of a run


def recognise(document: Document) -> bool:
    """From 0.4 on, the file has metadata; before that, each benchmark states its type."""
    benchmarks = document.first.get("benchmarks")
    return isinstance(benchmarks, list) and (
        fields.inside(document.first, "metadata", "guidellm_version") is not None
        or fields.inside(document.first, "metadata", "version") in (1, 2)
        or bool(benchmarks and fields.inside(benchmarks[0], "type_") == "generative_benchmark")
    )


def read(document: Document) -> list[Imported]:
    version = fields.inside(document.first, "metadata", "guidellm_version")
    runs = [benchmark for benchmark in document.first["benchmarks"] if isinstance(benchmark, dict)]
    return [_run(benchmark, version) for benchmark in runs]


def _run(benchmark: dict[str, Any], version: Any) -> Imported:
    row = Tracked(benchmark, 1)
    start = fields.number(row.get("start_time"))
    requests = row.get("requests")
    listed, made = _count_listed(requests), _count_made(row)
    # If asked for a sample, guidellm lists only some requests: counts and rates over those would be
    # too low, so only its summary is read.
    sampled = listed < made
    measurements = [] if sampled else list(_requests(requests))
    config = fields.as_dict(row.get("config")) or fields.as_dict(row.get("args"))
    backend = fields.inside(config, "backend")
    model = fields.inside(backend, "model") or fields.inside(config, "spec", "backend", "model")
    return imported(
        TOOL,
        _load(config, made if sampled else len(measurements)),
        model=model or fields.inside(row, "worker", "backend_model"),
        version=version,
        started_at=fields.moment(start or _first_start(requests)),
        measurements=measurements,
        duration_s=fields.seconds(row.get("duration")),
        stated=read_stated((entry, _at_path(row, entry.key)) for entry in STATED),
        facts={f"strategy.{k}": v for k, v in fields.facts(_strategy(config)).items()}
        | ({SAMPLED: listed} if sampled else {}),
        of=row,
    )


def _count_made(row: Mapping[str, Any]) -> int:
    """Return how many requests the benchmark made by its own count; 0 if the file does not say."""
    paths = (f"metrics/request_totals/{name}" for name in STATUSES)
    return sum(fields.count(_at_path(row, path)) or 0 for path in paths)


def _count_listed(groups: Any) -> int:
    return sum(len(fields.as_list(fields.inside(groups, name))) for name in STATUSES)


def _strategy(config: Any) -> Mapping[str, Any]:
    return fields.as_dict(fields.inside(config, "strategy"))


def _load(config: Any, requests: int) -> Load:
    strategy = _strategy(config)
    kind, rate = strategy.get("type_"), fields.number(strategy.get("rate"))
    streams = fields.count(strategy.get("streams") or strategy.get("max_concurrency")) or None
    if kind == "synchronous":
        return Load(requests, concurrency=1)
    if kind in ("throughput", "concurrent"):
        return Load(requests, inf, streams)
    return Load(requests, rate)


def _at_path(row: Mapping[str, Any], path: str) -> Any:
    """Return the value at a path. Before 0.4, the totals are beside the metrics."""
    value = fields.inside(row, *path.split("/"))
    before = path.removeprefix("metrics/")
    if value is None and before.startswith("request_totals/"):
        return fields.inside(row, *before.split("/"))
    return value


def _first_start(groups: Any) -> float | None:
    times = [_sent(request) for _, request in _each_request(groups)]
    return min((t for t in times if t is not None), default=None)


def _each_request(groups: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, status in STATUSES.items():
        for request in fields.as_list(fields.inside(groups, name)):
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
    """Yield the requests in the order they were sent. Only the first and the last chunk have
    times."""
    requests = [(_sent(request), status, request) for status, request in _each_request(groups)]
    placed = sorted((p for p in requests if p[0] is not None), key=lambda p: p[0] or 0.0)
    start = placed[0][0] if placed else 0.0
    for index, (_, status, request) in enumerate(placed):
        yield _request(index, status, request, start or 0.0)


def _request(index: int, status: Any, request: Mapping[str, Any], start: float) -> Measurement:
    timings = fields.inside(request, "info", "timings")

    def at(name: str, *before: str) -> float | None:
        """Return a time by its name, or by the names that the request itself had before 0.4."""
        candidates = (fields.inside(timings, name), *(request.get(each) for each in before))
        known = next((n for each in candidates if (n := fields.number(each)) is not None), None)
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
NEAREST = (
    " Percentiles are observed values, the upper of the two nearest; Paceline interpolates between "
    "them."
)
RANKS = dict.fromkeys(("median", "p90", "p95", "p99"), NEAREST)
WINDOW = (
    "Over the time from the start of the first request to the end of the last, which is after its "
    "last token."
)
STATED = (
    StatedMetric("requests_per_s", "metrics/requests_per_second/successful/mean", 1, WINDOW),
    StatedMetric(
        "output_tokens_per_s", "metrics/output_tokens_per_second/successful/mean", 1, WINDOW
    ),
    StatedMetric("total_tokens_per_s", "metrics/tokens_per_second/successful/mean", 1, WINDOW),
    StatedMetric(
        "ok", "metrics/request_totals/successful", 1, "Requests that ended without an error."
    ),
    StatedMetric(
        "failed", "metrics/request_totals/errored", 1, "Requests that ended with an error."
    ),
    StatedMetric(
        "cancelled", "metrics/request_totals/incomplete", 1, "Cut off at the end of the run."
    ),
    StatedMetric(
        "output_tokens",
        "metrics/output_token_count/successful/total_sum",
        1,
        "Counted by the server's usage if sent, otherwise by its own tokenizer.",
    ),
    StatedMetric(
        "prompt_tokens",
        "metrics/prompt_token_count/successful/total_sum",
        1,
        "Counted by the server's usage if sent, otherwise by its own tokenizer.",
    ),
    *distributions(
        STATISTICS,
        StatedMetric(
            "ttft_s",
            "metrics/time_to_first_token_ms/successful/{}",
            1e-3,
            "First token − start of the request, by the wall clock.",
        ),
        StatedMetric(
            "tpot_s",
            "metrics/inter_token_latency_ms/successful/{}",
            1e-3,
            "Called inter-token latency: (last − first token) / (tokens − 1), as in Paceline; but "
            "each request counts as often as it has gaps.",
        ),
        StatedMetric(
            "e2e_s",
            "metrics/request_latency/successful/{}",
            1,
            "End of the stream − start. Paceline's ends with the last token, before that.",
        ),
        sd=SPREAD,
        notes=RANKS,
    ),
)
