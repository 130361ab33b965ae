"""genai-bench: a JSON file for each scenario and load, with a summary and every request, but no
send times. Times are in seconds, or in milliseconds if `_time_unit` says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ask.measurement import Measurement
from services.report.imports import fields
from services.report.imports.imported import (
    SPREAD,
    Imported,
    InvalidImport,
    Load,
    StatedMetric,
    distributions,
    imported,
    read_stated,
)
from services.report.imports.parse import Document
from services.report.imports.tracked import Tracked

TOOL = "genai-bench"
UNITS = {"s": 1.0, "ms": 1e-3}


def recognise(document: Document) -> bool:
    stats = fields.inside(document.first, "aggregated_metrics", "stats")
    return isinstance(stats, dict) and "individual_request_metrics" in document.first


def read(document: Document) -> list[Imported]:
    row = Tracked(document.first["aggregated_metrics"])
    unit = _unit(document.first.get("_time_unit", "s"))
    rows = fields.as_list(document.first["individual_request_metrics"])
    measurements = [
        _request(index, each, unit) for index, each in enumerate(rows) if isinstance(each, dict)
    ]
    values = [(entry, fields.inside(row, *entry.key.split("/"))) for entry in STATED]
    scaled = (
        (entry._replace(scale=unit) if entry.name.partition("_s_")[1] else entry, value)
        for entry, value in values
    )
    return [
        imported(
            TOOL,
            Load(concurrency=fields.count(row.get("num_concurrency")) or None),
            model=row.get("model"),
            measurements=measurements,
            placed=False,
            duration_s=fields.seconds(row.get("run_duration")),
            stated=read_stated(scaled),
            facts=fields.facts(row, (entry.key for entry in STATED)),
            of=row,
        )
    ]


def _unit(name: Any) -> float:
    """Return the seconds of a unit of time.

    Raises:
        InvalidImport: the unit is unknown, and with it every time.
    """
    if not isinstance(name, str) or name not in UNITS:
        raise InvalidImport(
            f"It is a file of {TOOL} with times in an unknown unit. Paceline reads "
            f"{' and '.join(UNITS)}."
        )
    return UNITS[name]


def _request(index: int, row: Mapping[str, Any], unit: float) -> Measurement:
    latency = fields.seconds(row.get("e2e_latency"), unit) or None
    first = fields.seconds(row.get("ttft"), unit) or None
    message, kind = fields.failure(row.get("error_message"))
    code = row.get("error_code")
    if status := fields.count(code):
        kind = fields.error_class(f"status {status}") or kind
    failed = code is not None or latency is None
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
        prompt_tokens=fields.count(row.get("num_input_tokens")),
        output_tokens=fields.count(row.get("num_output_tokens")),
        error=(message or f"error code {fields.line(str(code), 40)}") if failed else None,
        error_class=kind if failed else None,
    )


STATISTICS = {
    "mean": "mean",
    "median": "p50",
    "sd": "stddev",
    "p90": "p90",
    "p95": "p95",
    "p99": "p99",
}
DURATION = "Measured over its own wall-clock time, from the first request to the end of the last."
STATED = (
    StatedMetric("requests_per_s", "requests_per_second", 1, DURATION),
    StatedMetric("output_tokens_per_s", "mean_output_throughput_tokens_per_s", 1, DURATION),
    StatedMetric("total_tokens_per_s", "mean_total_tokens_throughput_tokens_per_s", 1, DURATION),
    StatedMetric("ok", "num_completed_requests", 1, "Requests that ended without an error."),
    StatedMetric("failed", "num_error_requests", 1, "Requests that ended with an error."),
    StatedMetric("error_rate", "error_rate", 1, "Errors / all requests."),
    StatedMetric(
        "output_tokens",
        "stats/num_output_tokens/sum",
        1,
        "Counted by the server's usage if sent, otherwise by its own tokenizer; successes only.",
    ),
    StatedMetric(
        "prompt_tokens",
        "stats/num_input_tokens/sum",
        1,
        "Counted by the server's usage if sent, otherwise by its own tokenizer; successes only.",
    ),
    *distributions(
        STATISTICS,
        StatedMetric(
            "ttft_s",
            "stats/ttft/{}",
            1,
            "First chunk with text − the call, which may include connecting.",
        ),
        StatedMetric(
            "tpot_s",
            "stats/tpot/{}",
            1,
            "(Latency − TTFT) / (output tokens − 1) of each request, as in Paceline.",
        ),
        StatedMetric(
            "e2e_s",
            "stats/e2e_latency/{}",
            1,
            "End of the stream − the call. Paceline's ends with the last token.",
        ),
        sd=SPREAD,
    ),
)
