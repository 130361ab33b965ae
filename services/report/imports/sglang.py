"""`sglang.bench_serving`: JSON lines, a run each, in milliseconds; with --output-details an entry a
request in seconds, but not when each was sent. Its formulas: `calculate_metrics` there."""

from __future__ import annotations

from typing import Any

from services.report.imports import fields
from services.report.imports.imported import SPREAD, Imported, Says, distributions, imported, stated
from services.report.imports.noted import Noted
from services.report.imports.parse import Document
from services.report.imports.vllm import STATISTICS, load, requests, sends

TOOL = "SGLang bench"
NEEDED = {"backend", "request_throughput", "duration", "completed", "mean_e2e_latency_ms"}
OF_SERVER = ("version", "tp_size", "dp_size", "dtype", "quantization", "attention_backend")


def recognise(document: Document) -> bool:
    return document.first.keys() >= NEEDED and "model_id" not in document.first


def read(document: Document) -> list[Imported]:
    return [_run(row) for row in document.rows if row.keys() >= NEEDED]


def _run(found: dict[str, Any]) -> Imported:
    row = Noted(found)
    server = dict(fields.mapping(row.get("server_info")))  # hundreds of settings, of which some
    places = sends(row, [])
    return imported(
        TOOL,
        load(row),
        model=server.get("served_model_name") or server.get("model_path") or "",
        measurements=requests(row, places or {}),
        placed=places is not None,
        duration_s=fields.seconds(row["duration"]),
        says=stated((entry, row.get(entry.key)) for entry in SAYS),
        facts=fields.facts(row, (*(NEEDED - {"backend"}), *(entry.key for entry in SAYS)))
        | {f"server.{k}": v for k, v in fields.facts(server).items() if k in OF_SERVER},
        of=row,
    )


WALL = (
    "Over its own wall clock, from before the first request is made until the last "
    "task is done. Ours ends with the last token and begins with the first send."
)
SAYS = (
    Says("requests_per_s", "request_throughput", 1, WALL),
    Says(
        "output_tokens_per_s",
        "output_throughput",
        1,
        (f"Output tokens, and the asked-for length where the server sent no usage. {WALL}"),
    ),
    Says("total_tokens_per_s", "total_throughput", 1, WALL),
    Says("ok", "completed", 1, "Requests that ended without an error."),
    Says(
        "prompt_tokens",
        "total_input_tokens",
        1,
        (
            "By its own tokenizer, without what a chat template adds; the entries of requests may "
            "be the server's count."
        ),
    ),
    Says(
        "output_tokens",
        "total_output_tokens",
        1,
        ("By the server's usage where it came, else the length that was asked for."),
    ),
    *distributions(
        STATISTICS,
        Says(
            "ttft_s",
            "{}_ttft_ms",
            1e-3,
            "First chunk with text − the call of the request: opening a connection is part of it.",
        ),
        Says(
            "tpot_s",
            "{}_tpot_ms",
            1e-3,
            "(Latency − TTFT) / (output tokens − 1). The latency ends with the last event, "
            "which may carry no token: slightly high.",
        ),
        Says("inter_chunk_s", "{}_itl_ms", 1e-3, "Called ITL: every gap between chunks with text."),
        Says(
            "e2e_s",
            "{}_e2e_latency_ms",
            1e-3,
            "Last event − the call; the file's requests end with a chunk.",
        ),
        sd=SPREAD,
    ),
)
