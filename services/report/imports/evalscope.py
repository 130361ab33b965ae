"""evalscope perf: its summary of a run (`benchmark_summary.json`) and its table of percentiles
(`benchmark_percentile.json`). Units are part of the names, which differ between versions.
Its `benchmark_data.db` holds pickled responses and is not read."""

from __future__ import annotations

from math import inf
from typing import Any

from services.report.imports import fields
from services.report.imports.imported import Imported, Load, StatedMetric, imported, read_stated
from services.report.imports.parse import Document
from services.report.imports.tracked import Tracked

TOOL = "evalscope"


def recognise(document: Document) -> bool:
    names = document.first.keys()
    return any(name in names for name in CONCURRENCY) and any(name in names for name in LATENCY)


def recognise_percentiles(document: Document) -> bool:
    return "Percentiles" in document.first and "Latency (s)" in document.first


def read(document: Document) -> list[Imported]:
    return [_summary(row) for row in document.rows]


def _summary(summary: dict[str, Any]) -> Imported:
    row = Tracked(summary)
    rate = fields.number(_first(row, ("Request Rate (req/s)", "Request rate (req/s)")))
    values = [(entry, row.get(entry.key)) for entry in STATED]
    return imported(
        TOOL,
        Load(
            fields.count(_first(row, ("Total Requests", "Total requests"))) or None,
            rate if rate and rate > 0 else inf,  # -1: no rate
            fields.count(_first(row, CONCURRENCY)) or None,
        ),
        duration_s=fields.seconds(_first(row, ("Test Duration (s)", "Time taken for tests (s)"))),
        stated=read_stated((entry, value) for entry, value in values if _is_measured(entry, value)),
        facts=fields.facts(row, (*CONCURRENCY, *(entry.key for entry in STATED))),
        placed=False,
        of=row,
    )


def read_percentiles(document: Document) -> list[Imported]:
    """Return the run of a table with a row for each percentile."""
    rows = {str(row.get("Percentiles")): row for row in document.rows}
    values = [
        (
            StatedMetric(f"{metric}_{statistic}", "", scale, RANKS),
            fields.inside(rows.get(label), column),
        )
        for metric, (columns, scale) in PERCENTILES.items()
        for column in columns
        for statistic, label in STATISTICS.items()
    ]
    return [imported(TOOL, Load(), stated=read_stated(values), placed=False)]


def _is_measured(entry: StatedMetric, value: Any) -> bool:
    """Whether a number was measured: evalscope writes -1, or 0 for a mean, if not. A count may well
    be 0."""
    known = fields.number(value)
    return known is not None and (known >= 0 if entry.name in COUNTS else known > 0)


def _first(row: Tracked, names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if name in row), None)


def _metrics(ours: str, scale: float, definition: str, *names: str) -> list[StatedMetric]:
    return [StatedMetric(ours, name, scale, definition) for name in names]


CONCURRENCY = ("Concurrency", "Number of concurrency")
COUNTS = ("ok", "failed")
LATENCY = ("Avg Latency (s)", "Average latency (s)")
RANKS = "An observed value, the upper of the two nearest, rounded to two decimals; successes only."
WINDOW = "Over the time from the start of the first request to the end of the last."
COUNTED = "Counted by the server's usage if sent, otherwise by its own tokenizer; successes only."
STATISTICS = {"median": "50%", "p90": "90%", "p95": "95%", "p99": "99%"}
PERCENTILES: dict[str, tuple[tuple[str, ...], float]] = {
    "e2e_s": (("Latency (s)",), 1.0),
    "tokens_per_s": (("Output (tok/s)", "Output throughput(tok/s)"), 1.0),
    "ttft_s": (("TTFT (ms)",), 1e-3),
    "tpot_s": (("TPOT (ms)",), 1e-3),
    "inter_chunk_s": (("ITL (ms)",), 1e-3),
}
STATED = (
    *_metrics(
        "output_tokens_per_s",
        1,
        WINDOW,
        "Output token throughput (tok/s)",
        "Output Throughput (tok/s)",
    ),
    *_metrics(
        "total_tokens_per_s",
        1,
        WINDOW,
        "Total token throughput (tok/s)",
        "Total Throughput (tok/s)",
    ),
    *_metrics("requests_per_s", 1, WINDOW, "Request throughput (req/s)", "Req Throughput (req/s)"),
    *_metrics(
        "ok", 1, "Requests that ended without an error.", "Succeed requests", "Success Requests"
    ),
    *_metrics(
        "failed", 1, "Requests that ended with an error.", "Failed requests", "Failed Requests"
    ),
    *_metrics(
        "e2e_s_mean", 1, "End of the stream − start. Paceline's ends with the last token.", *LATENCY
    ),
    *_metrics("ttft_s_mean", 1, "First chunk − start.", "Average time to first token (s)"),
    *_metrics("ttft_s_mean", 1e-3, "First chunk − start.", "Avg TTFT (ms)", "TTFT (ms)"),
    *_metrics(
        "tpot_s_mean",
        1,
        "(Latency − TTFT) / (output tokens − 1), as in Paceline.",
        "Average time per output token (s)",
    ),
    *_metrics(
        "tpot_s_mean",
        1e-3,
        "(Latency − TTFT) / (output tokens − 1), as in Paceline.",
        "Avg TPOT (ms)",
        "TPOT (ms)",
    ),
    *_metrics(
        "inter_chunk_s_mean",
        1,
        "Called ITL: every gap between chunks.",
        "Average inter-token latency (s)",
    ),
    *_metrics(
        "inter_chunk_s_mean",
        1e-3,
        "Called ITL: every gap between chunks.",
        "Avg ITL (ms)",
        "ITL (ms)",
    ),
    *_metrics(
        "output_tokens_mean", 1, COUNTED, "Average output tokens per request", "Avg Output Tokens"
    ),
    *_metrics(
        "prompt_tokens_mean", 1, COUNTED, "Average input tokens per request", "Avg Input Tokens"
    ),
)
