"""evalscope perf: its summary of a run (`benchmark_summary.json`) and its table of percentiles
(`benchmark_percentile.json`). Units stand in the names, which three versions spell in three ways.
Its `benchmark_data.db` holds pickled responses and is not read."""

from __future__ import annotations

from math import inf
from typing import Any

from services.report.imports import fields
from services.report.imports.imported import Imported, Load, Says, imported, stated
from services.report.imports.noted import Noted
from services.report.imports.parse import Document

TOOL = "evalscope"


def recognise(document: Document) -> bool:
    names = document.first.keys()
    return any(name in names for name in CONCURRENCY) and any(name in names for name in LATENCY)


def recognise_percentiles(document: Document) -> bool:
    return "Percentiles" in document.first and "Latency (s)" in document.first


def read(document: Document) -> list[Imported]:
    return [_summary(row) for row in document.rows]


def _summary(found: dict[str, Any]) -> Imported:
    row = Noted(found)
    rate = fields.number(_of(row, ("Request Rate (req/s)", "Request rate (req/s)")))
    says = [(entry, row.get(entry.key)) for entry in SAYS]
    return imported(
        TOOL,
        Load(
            fields.count(_of(row, ("Total Requests", "Total requests"))) or None,
            rate if rate and rate > 0 else inf,  # -1: no rate
            fields.count(_of(row, CONCURRENCY)) or None,
        ),
        duration_s=fields.seconds(_of(row, ("Test Duration (s)", "Time taken for tests (s)"))),
        says=stated((entry, value) for entry, value in says if (fields.number(value) or -1) >= 0),
        facts=fields.facts(row, (*CONCURRENCY, *(entry.key for entry in SAYS))),
        placed=False,
        of=row,
    )


def read_percentiles(document: Document) -> list[Imported]:
    """The table has a row for each percentile."""
    rows = {str(row.get("Percentiles")): row for row in document.rows}
    says = [
        (Says(f"{metric}_{statistic}", "", scale, RANKS), fields.inside(rows.get(label), column))
        for metric, (columns, scale) in PERCENTILES.items()
        for column in columns
        for statistic, label in STATISTICS.items()
    ]
    return [imported(TOOL, Load(), says=stated(says), placed=False)]


def _of(row: Noted, names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if name in row), None)


def _says(ours: str, scale: float, definition: str, *names: str) -> list[Says]:
    return [Says(ours, name, scale, definition) for name in names]


CONCURRENCY = ("Concurrency", "Number of concurrency")
LATENCY = ("Avg Latency (s)", "Average latency (s)")
RANKS = "A value that was seen, the upper of two, rounded to two decimals; of successes."
WINDOW = "Over the time from the first request's start to the last one's end."
COUNTED = "By the server's usage where it came, else by its tokenizer; of successes."
STATISTICS = {"median": "50%", "p90": "90%", "p95": "95%", "p99": "99%"}
PERCENTILES: dict[str, tuple[tuple[str, ...], float]] = {
    "e2e_s": (("Latency (s)",), 1.0),
    "tokens_per_s": (("Output (tok/s)", "Output throughput(tok/s)"), 1.0),
    "ttft_s": (("TTFT (ms)",), 1e-3),
    "tpot_s": (("TPOT (ms)",), 1e-3),
    "inter_chunk_s": (("ITL (ms)",), 1e-3),
}
SAYS = (
    *_says(
        "output_tokens_per_s",
        1,
        WINDOW,
        "Output token throughput (tok/s)",
        "Output Throughput (tok/s)",
    ),
    *_says(
        "total_tokens_per_s",
        1,
        WINDOW,
        "Total token throughput (tok/s)",
        "Total Throughput (tok/s)",
    ),
    *_says("requests_per_s", 1, WINDOW, "Request throughput (req/s)", "Req Throughput (req/s)"),
    *_says(
        "ok", 1, "Requests that ended without an error.", "Succeed requests", "Success Requests"
    ),
    *_says("failed", 1, "Requests that ended with an error.", "Failed requests", "Failed Requests"),
    *_says("e2e_s_mean", 1, "End of the stream − start. Ours ends with the last token.", *LATENCY),
    *_says("ttft_s_mean", 1, "First chunk − start.", "Average time to first token (s)"),
    *_says("ttft_s_mean", 1e-3, "First chunk − start.", "Avg TTFT (ms)", "TTFT (ms)"),
    *_says(
        "tpot_s_mean",
        1,
        "(Latency − TTFT) / (output tokens − 1), as ours.",
        "Average time per output token (s)",
    ),
    *_says(
        "tpot_s_mean",
        1e-3,
        "(Latency − TTFT) / (output tokens − 1), as ours.",
        "Avg TPOT (ms)",
        "TPOT (ms)",
    ),
    *_says(
        "inter_chunk_s_mean",
        1,
        "Called ITL: every gap between chunks.",
        "Average inter-token latency (s)",
    ),
    *_says(
        "inter_chunk_s_mean",
        1e-3,
        "Called ITL: every gap between chunks.",
        "Avg ITL (ms)",
        "ITL (ms)",
    ),
    *_says(
        "output_tokens_mean", 1, COUNTED, "Average output tokens per request", "Avg Output Tokens"
    ),
    *_says(
        "prompt_tokens_mean", 1, COUNTED, "Average input tokens per request", "Avg Input Tokens"
    ),
)
