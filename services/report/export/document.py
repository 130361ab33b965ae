"""A run as JSON: its config, its summary and its requests.

It is complete: another Paceline can import the run, with the same times and the same hash. The
fields are described in `shape.py` and docs/schema/run-3.json.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from typing import Any

import orjson

from services.analysis.compare import Candidate
from services.analysis.compare.candidate import row_of
from services.analysis.diagnostics import diagnostics
from services.analysis.fingerprint import canonical
from services.analysis.metrics import FIELDS, request_row
from services.ask.config import FORMER, RunConfig
from services.ask.measurement import Measurement, Repeat, Run
from services.ask.own_prompts import without_prompts
from services.report.export.public import public

SCHEMA = "paceline/run/3"
AT_ONCE = 1_000  # requests that are written together


def run_document(candidate: Candidate, prompts: bool = False) -> dict[str, Any]:
    """Return a run as plain data: `schema`, `content_sha256`, `run`, `summary`, `diagnostics`,
    `requests`, `samples`; without the paths of the machine (see `public`).

    With `prompts` it includes custom prompts, in `run.config`, and the answers, as a separate list.
    """
    cleaned = public(candidate)
    document = {
        **document_head(cleaned, prompts),
        "requests": [full_row(measured) for measured in cleaned.measurements],
        "samples": samples_of(cleaned),
    }
    if prompts:
        document["answers"] = [
            {"repeat": m.repeat, "index": m.index, "answer": m.answer} for m in cleaned.measurements
        ]
    return document


def run_json(candidates: Sequence[Candidate]) -> Iterator[bytes]:
    """Yield one run as JSON in pieces, without prompts and answers; the requests of a large run
    would not fit into memory at once."""
    cleaned = public(candidates[0])
    yield orjson.dumps(document_head(cleaned))[:-1] + b',"requests":['
    rows, separator = map(full_row, cleaned.measurements), b""
    while some := list(islice(rows, AT_ONCE)):
        yield separator + orjson.dumps(some)[1:-1]
        separator = b","
    yield b"]," + orjson.dumps({"samples": samples_of(cleaned)})[1:] + b"\n"


def content_hash(candidate: Candidate) -> str:
    """Return the SHA-256 of config and measurements: the config without prompts, the
    environment, the repeats, and every request as observed; for an imported run without requests,
    the numbers that its tool states.

    Server samples are not included: they are thinned, and may be missing. A run keeps its hash when
    it is exported, imported and renamed; it changes with any number. It is a checksum, not a
    signature: whoever changes a file can write a new one.
    """
    cleaned = public(candidate)
    return _hash(cleaned.run, map(full_row, cleaned.measurements))


def document_head(cleaned: Candidate, prompts: bool = False) -> dict[str, Any]:
    """Return a run's document without its requests and its server samples."""
    problems = diagnostics(cleaned.run, cleaned.measurements, cleaned.summary, cleaned.samples)
    return {
        "schema": SCHEMA,
        "content_sha256": _hash(cleaned.run, map(full_row, cleaned.measurements)),
        "run": _run(cleaned.run, prompts),
        "summary": row_of(cleaned),
        "diagnostics": [asdict(diagnostic) for diagnostic in problems],
    }


def samples_of(cleaned: Candidate) -> list[dict[str, Any]]:
    """Return a run's server samples as plain data."""
    return [{"t": sample.t, "values": sample.values} for sample in cleaned.samples]


def full_row(measured: Measurement) -> dict[str, Any]:
    """Return everything about a request except its answer: the fields of `request_row`, then the
    raw fields of its measurement. Times are seconds since the repeat began."""
    return request_row(measured) | {name: of(measured) for name, of in _RAW_FIELDS.items()}


def _hash(run: Run, rows: Iterable[Mapping[str, Any]]) -> str:
    """Hash the document of everything that counts, as `digest` would: its parts in the order of
    their names, and its requests one after the other."""
    config = ((name, getattr(run.config, name)) for name in HASHED_CONFIG)
    usual = {name: RunConfig.model_fields[name].default for name in HASHED_LATER} | FORMER
    plain = run.config.model_dump(mode="json", include=set(usual))
    later = {n: plain[n] for n in usual if getattr(run.config, n) != usual[n]}
    before = {
        "config": {name: value for name, value in config if value not in UNSET} | later,
        "environment": run.environment,
        "repeats": [_repeat(repeat) for repeat in run.repeats],
    }
    digest, separator = sha256(canonical(before)[:-1] + b',"requests":['), b""
    for row in rows:
        digest.update(separator + canonical(_hashed_row(row)))
        separator = b","
    end = b"]}"
    if not separator and run.source is not None:  # a file with only the tool's summary
        end = b"]," + canonical({"stated": run.source.get("stated", {})})[1:]
    digest.update(end)
    return digest.hexdigest()


def _hashed_row(row: Mapping[str, Any]) -> list[Any]:
    later = [[name, row[name]] for name, usual in FIELDS_LATER.items() if row[name] != usual]
    return [*(row[name] for name in HASHED_FIELDS), *later]


def _run(run: Run, prompts: bool) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "status": run.status,
        "created_at": run.created_at.isoformat(),
        "started_at": iso_time(run.started_at),
        "ended_at": iso_time(run.ended_at),
        "error": run.error,
        "tags": list(run.tags),
        "note": run.note,
        "source": run.source,
        "comparison_id": run.comparison_id,
        "started_by": run.started_by,
        "token_times_removed_at": iso_time(run.token_times_removed_at),
        "config": run.config.model_dump(mode="json") if prompts else without_prompts(run.config),
        "environment": run.environment,
        "calibration": run.calibration,
        "repeats": [_repeat(repeat) for repeat in run.repeats],
    }


def _repeat(repeat: Repeat) -> dict[str, Any]:
    return {
        "index": repeat.index,
        "began_at": repeat.began_at.astimezone(UTC).isoformat(),
        "duration_s": repeat.duration_s,
        "health": repeat.health,
    }


def about(run: Run) -> dict[str, Any]:
    """Return the fields that identify a run."""
    return {
        "name": run.name,
        "status": run.status,
        "backend": run.config.backend,
        "model": run.config.model,
        "mode": run.config.mode,
        "started_at": iso_time(run.started_at),
    }


def iso_time(moment: datetime | None) -> str | None:
    """Format a time as ISO 8601; None for None."""
    return moment.isoformat() if moment else None


# The times as observed: a difference of two times is rounded again, and a failed request has none.
_RAW_FIELDS: dict[str, Callable[[Measurement], Any]] = {
    "first_s": lambda m: m.t_first,
    "answer_s": lambda m: m.t_answer,
    "last_s": lambda m: m.t_last,
    "ended_s": lambda m: m.t_end,
    "chunks_s": lambda m: list(m.token_times),
    "connect_s": lambda m: m.connect_s,
    "attempts": lambda m: m.attempts,
    "first_error_class": lambda m: m.first_error_class,
    "retry_wait_s": lambda m: m.retry_wait_s,
    "cap_wait_s": lambda m: m.cap_wait_s,
    "server_queue_s": lambda m: m.server_queue_s,
    "load_s": lambda m: m.load_s,
    "prefill_s": lambda m: m.prefill_s,
    "coalesced_reads": lambda m: m.coalesced_reads,
    "reasoning_tokens": lambda m: m.reasoning_tokens,
}
REQUEST_FIELDS: tuple[str, ...] = (*FIELDS, *_RAW_FIELDS)
# Config fields that requests or their times depend on; not prompts, objectives or prices. A field
# may be added if its null or empty value means the former behaviour: unset values are left out.
UNSET: tuple[Any, ...] = (None, (), {})
HASHED_CONFIG = (
    "backend",
    "base_url",
    "model",
    "client",
    "mode",
    "requests",
    "pause_s",
    "interval_s",
    "concurrency",
    "workload",
    "input_tokens",
    "long_input_tokens",
    "long_every",
    "long_max_tokens",
    "unique_prompts",
    "max_tokens",
    "temperature",
    "top_p",
    "seed",
    "ignore_eos",
    "warmup",
    "repeats",
    "timeout_s",
    "connect_timeout_s",
    "first_token_timeout_s",
    "chunk_timeout_s",
    "stop_after_s",
    "stop_after_errors",
    "processes",
    "dialect",
    "omit",
    "max_tokens_field",
    "extra_body",
    "headers",
)
# Fields added later with another default: hashed if they differ from it, so that older runs
# keep their hash.
HASHED_LATER = (
    "users",
    "think_s",
    "random_think",
    "ramp_up_s",
    "ramp_up_steps",
    "rate",
    "end_rate",
    "rate_steps",
    "burstiness",
    "random_arrivals",
    "duration_s",
    "drain_s",
    "load_warmup_s",
    "retries",
    "input_distribution",
    "input_spread",
    "output_distribution",
    "output_spread",
    "min_tokens",
    "turns",
    "turn_by_turn",
    "history",
    "turn_delay_s",
    "turn_delay_scale",
    "text_style",
    "prompt_max_tokens",
    "trace",
    "trace_speed",
    "trace_from_s",
    "trace_to_s",
    "prefix_share",
    "prefix_count",
    "prefix_system_tokens",
    "empty_cache",
    "arrival_seed",
)
# The observed fields of a request, in the order of the content hash.
HASHED_FIELDS = (
    "repeat",
    "index",
    "status",
    "error_class",
    "error",
    "http_status",
    "finish_reason",
    "due_s",
    "sent_s",
    "first_s",
    "answer_s",
    "last_s",
    "ended_s",
    "chunks_s",
    "connect_s",
    "coalesced_reads",
    "prompt_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "token_source",
)
# Fields added later, with their usual value: hashed if they differ from it.
FIELDS_LATER: dict[str, Any] = {
    "attempts": 1,
    "first_error_class": None,
    "retry_wait_s": None,
    "cap_wait_s": None,
    "server_queue_s": None,
    "load_s": None,
    "prefill_s": None,
}
