"""`sglang.bench_serving`: JSON lines, one per run, in milliseconds; with --output-details also
every request in seconds, but without send times. Its formulas: `calculate_metrics` there."""

from __future__ import annotations

from typing import Any

from services.report.imports import fields
from services.report.imports.imported import (
    SPREAD,
    Imported,
    StatedMetric,
    distributions,
    imported,
    read_stated,
)
from services.report.imports.parse import Document
from services.report.imports.tracked import Tracked
from services.report.imports.vllm import STATISTICS, load, requests, send_offsets

TOOL = "SGLang bench"
NEEDED = {"backend", "request_throughput", "duration", "completed", "mean_e2e_latency_ms"}
OF_SERVER = ("version", "tp_size", "dp_size", "dtype", "quantization", "attention_backend")


def recognise(document: Document) -> bool:
    return document.first.keys() >= NEEDED and "model_id" not in document.first


def read(document: Document) -> list[Imported]:
    return [_run(row) for row in document.rows if row.keys() >= NEEDED]


def _run(result: dict[str, Any]) -> Imported:
    row = Tracked(result)
    # There are hundreds of settings; a few are kept.
    server = dict(fields.as_dict(row.get("server_info")))
    offsets = send_offsets(row, [])
    return imported(
        TOOL,
        load(row),
        model=server.get("served_model_name") or server.get("model_path") or "",
        measurements=requests(row, offsets or {}),
        placed=offsets is not None,
        duration_s=fields.seconds(row["duration"]),
        stated=read_stated((entry, row.get(entry.key)) for entry in STATED),
        facts=fields.facts(row, (*(NEEDED - {"backend"}), *(entry.key for entry in STATED)))
        | {f"server.{k}": v for k, v in fields.facts(server).items() if k in OF_SERVER},
        of=row,
    )


WALL = (
    "Measured over its own wall-clock time, from before the first request is created until the "
    "last task is done. Paceline's begins with the first send and ends with the last token."
)
STATED = (
    StatedMetric("requests_per_s", "request_throughput", 1, WALL),
    StatedMetric(
        "output_tokens_per_s",
        "output_throughput",
        1,
        (f"Output tokens, or the requested length if the server sent no usage. {WALL}"),
    ),
    StatedMetric("total_tokens_per_s", "total_throughput", 1, WALL),
    StatedMetric("ok", "completed", 1, "Requests that ended without an error."),
    StatedMetric(
        "prompt_tokens",
        "total_input_tokens",
        1,
        (
            "By its own tokenizer, without the tokens of a chat template; single requests may use "
            "the server's count."
        ),
    ),
    StatedMetric(
        "output_tokens",
        "total_output_tokens",
        1,
        ("Counted by the server's usage if sent, otherwise the requested length."),
    ),
    *distributions(
        STATISTICS,
        StatedMetric(
            "ttft_s",
            "{}_ttft_ms",
            1e-3,
            "First chunk with text − the call, which includes opening a connection.",
        ),
        StatedMetric(
            "tpot_s",
            "{}_tpot_ms",
            1e-3,
            "(Latency − TTFT) / (output tokens − 1). The latency ends with the last event, "
            "which may carry no token: slightly high.",
        ),
        StatedMetric(
            "inter_chunk_s", "{}_itl_ms", 1e-3, "Called ITL: every gap between chunks with text."
        ),
        StatedMetric(
            "e2e_s",
            "{}_e2e_latency_ms",
            1e-3,
            "Last event − the call; the file's requests end with a chunk.",
        ),
        sd=SPREAD,
    ),
)
