"""`vllm bench serve`: JSON or JSON lines, a summary in milliseconds; with --save-detailed also
every request in seconds. Its formulas: `vllm/benchmarks/serve.py`, `calculate_metrics`. `vllm bench
sweep` writes the summaries of its runs as JSON and as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
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

TOOL = "vLLM bench"
NEEDED = {"model_id", "request_throughput", "duration", "completed"}
TEXTS = ("model_id", "tokenizer_id", "date")  # of a table, whose cells could be numbers


def recognise(document: Document) -> bool:
    return document.first.keys() >= NEEDED


def read(document: Document) -> list[Imported]:
    rows = map(_of_cells, document.rows) if document.kind == "csv" else document.rows
    return [_run(row) for row in rows if row.keys() >= NEEDED]


def _of_cells(row: Mapping[str, str]) -> dict[str, Any]:
    """Return a row of a table as in JSON: numbers instead of text, without lists and names that are
    empty."""
    return {
        name: cell if name in TEXTS or (value := fields.decimal(cell)) is None else value
        for name, cell in row.items()
        if name and not cell.startswith("[")
    }


def _run(result: dict[str, Any]) -> Imported:
    row = Tracked(result)
    start_times = [fields.number(time) for time in fields.as_list(row.get("start_times"))]
    offsets = send_offsets(row, start_times)
    return imported(
        TOOL,
        load(row),
        model=row["model_id"],
        started_at=fields.moment(row.get("date")),
        measurements=requests(row, offsets or {}),
        placed=offsets is not None,
        duration_s=fields.seconds(row["duration"]),
        stated=read_stated((entry, row.get(entry.key)) for entry in (*IN_SECONDS, *STATED)),
        facts=fields.facts(row, (*NEEDED, *(entry.key for entry in STATED))),
        of=row,
    )


def load(row: Mapping[str, Any]) -> Load:
    """Return the offered load; `request_rate` is a number, Infinity or the text "inf". If the rate
    was ramped up, `request_rate` does not apply, and says "inf"."""
    rate, count = row.get("request_rate"), row.get("num_prompts")
    requests = fields.count(row["completed"] if count is None else count) or None
    if row.get("ramp_up_strategy"):
        return Load(requests)
    everything_at_once = rate == "inf" or rate == inf
    return Load(
        requests=requests,
        rate=inf if everything_at_once else fields.number(rate),
        concurrency=fields.count(row.get("max_concurrency")) or None,
    )


def send_offsets(
    row: Mapping[str, Any], start_times: Sequence[float | None]
) -> dict[int, float] | None:
    """Return when each request was sent, by index, in seconds since the first. Empty if all were
    sent at once, without a rate or a concurrency limit; None if the file does not say."""
    times = [time for time in start_times if time is not None]
    if times and len(times) == len(start_times):
        first = min(times)
        return {index: time - first for index, time in enumerate(times)}
    offered = load(row)
    all_at_once = offered.rate == inf and offered.concurrency is None
    return {} if all_at_once else None


def requests(row: Mapping[str, Any], offsets: Mapping[int, float]) -> list[Measurement]:
    """Return every request in the arrays; those not in `offsets` were sent at 0."""
    columns = [fields.as_list(row.get(name)) for name in ARRAYS]
    if not columns[0]:
        return []
    entries = enumerate(zip_longest(*columns))
    return [_request(index, offsets.get(index, 0.0), *entry) for index, entry in entries]


def _request(
    index: int,
    sent: float,
    ttft: Any,
    gaps: Any,
    latency: Any,
    prompt_tokens: Any,
    output_tokens: Any,
    error: Any,
    late: Any,
) -> Measurement:
    first, (message, kind) = fields.seconds(ttft), fields.failure(error)
    due = max(sent - (fields.seconds(late) or 0.0), 0.0)
    if message or not first:
        return Measurement(
            0,
            index,
            "failed",
            due,
            sent,
            error=message or "no first token arrived",
            error_class=kind if message else "empty",
            prompt_tokens=fields.count(prompt_tokens),
        )
    times = fields.arrivals(sent + first, gaps)
    whole = fields.seconds(latency)
    last = sent + whole if whole else times[-1] if times else None
    return Measurement(
        0,
        index,
        "ok",
        due,
        sent,
        sent + first,
        sent + first,
        last,
        last,
        times,
        fields.count(prompt_tokens),
        fields.count(output_tokens),
    )


ARRAYS = ("ttfts", "itls", "latencies", "input_lens", "output_lens", "errors", "queue_times")
STATISTICS = {
    "mean": "mean",
    "median": "median",
    "sd": "std",
    "p90": "p90",
    "p95": "p95",
    "p99": "p99",
}
WALL = (
    "Measured over its own wall-clock time, from before the first request is created until the "
    "last task is done. Paceline's begins with the first send and ends with the last token."
)
STATED = (
    StatedMetric("requests_per_s", "request_throughput", 1, WALL),
    StatedMetric("output_tokens_per_s", "output_throughput", 1, WALL),
    StatedMetric("total_tokens_per_s", "total_token_throughput", 1, WALL),
    StatedMetric("ok", "completed", 1, "Requests that ended without an error."),
    StatedMetric("failed", "failed", 1, "Requests that ended with an error."),
    StatedMetric(
        "prompt_tokens",
        "total_input_tokens",
        1,
        "Counted by the server's usage if sent, otherwise by vLLM's own tokenizer; successes only.",
    ),
    StatedMetric(
        "output_tokens",
        "total_output_tokens",
        1,
        "Counted by the server's usage if sent, otherwise by tokenizing the text again; successes "
        "only.",
    ),
    *distributions(
        STATISTICS,
        StatedMetric(
            "ttft_s",
            "{}_ttft_ms",
            1e-3,
            "First event − sent. From version 0.33 on, the first with a token; before that, any "
            "event, so an event that only states the role makes it too early.",
        ),
        StatedMetric(
            "tpot_s",
            "{}_tpot_ms",
            1e-3,
            "(Latency − TTFT) / (output tokens − 1) of each request, as in Paceline.",
        ),
        StatedMetric(
            "inter_chunk_s",
            "{}_itl_ms",
            1e-3,
            "Called ITL: every gap between events. Before version 0.33, also those without a "
            "token.",
        ),
        StatedMetric(
            "e2e_s",
            "{}_e2el_ms",
            1e-3,
            "Last event − sent. From version 0.33 on, the last with a token, as in Paceline.",
        ),
        sd=SPREAD,
    ),
)
# InferenceX writes the same numbers in seconds, and names them accordingly: `median_ttft`.
IN_SECONDS = tuple(
    entry._replace(key=entry.key.removesuffix("_ms"), scale=1.0)
    for entry in STATED
    if entry.key.endswith("_ms")
)
