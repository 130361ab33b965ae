"""`vllm bench throughput` and `vllm bench latency`: the engine without a server."""

from __future__ import annotations

from services.report.imports import fields
from services.report.imports.imported import Imported, Load, StatedMetric, imported, read_stated
from services.report.imports.parse import Document

THROUGHPUT, LATENCY = "vLLM bench throughput", "vLLM bench latency"


def recognise_throughput(document: Document) -> bool:
    return {"elapsed_time", "num_requests", "tokens_per_second"} <= document.first.keys()


def recognise_latency(document: Document) -> bool:
    return {"avg_latency", "latencies", "percentiles"} <= document.first.keys()


def read_throughput(document: Document) -> list[Imported]:
    row = document.first
    stated = read_stated((entry, row.get(entry.key)) for entry in STATED)
    load = Load(fields.count(row["num_requests"]) or None)
    return [imported(THROUGHPUT, load, model=row.get("model_id"), stated=stated)]


def read_latency(document: Document) -> list[Imported]:
    row = document.first
    values = [(entry, fields.inside(row, *entry.key.split("/"))) for entry in OF_LATENCY]
    return [imported(LATENCY, Load(), model=row.get("model_id"), stated=read_stated(values))]


ENGINE = "Without a server: the time is the engine's alone"
STATED = (
    StatedMetric("requests_per_s", "requests_per_second", 1, f"{ENGINE}; over the whole run."),
    StatedMetric(
        "total_tokens_per_s",
        "tokens_per_second",
        1,
        f"Prompt and output tokens. {ENGINE}; over the whole run.",
    ),
)
BATCH = f"Of a whole batch, not of a single request. {ENGINE}."
OF_LATENCY = (
    StatedMetric("e2e_s_mean", "avg_latency", 1, BATCH),
    StatedMetric("e2e_s_median", "percentiles/50", 1, BATCH),
    StatedMetric("e2e_s_p90", "percentiles/90", 1, BATCH),
    StatedMetric("e2e_s_p99", "percentiles/99", 1, BATCH),
)
