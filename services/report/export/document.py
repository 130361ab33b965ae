"""A run as JSON: its config, its summary and its requests, under the names used everywhere.

Another Paceline can store the run again from it, every time to the nanosecond. What each field
means is in `shape.py`, and in docs/schema/run-2.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson

from services.analysis.compare import Candidate
from services.analysis.compare.rows import row_of
from services.analysis.diagnostics import diagnostics
from services.analysis.fingerprint import digest
from services.analysis.metrics import FIELDS, request_row
from services.ask.measurement import Measurement, Repeat, Run
from services.ask.own_prompts import without_prompts
from services.report.export.public import public

SCHEMA = "paceline/run/2"


def run_document(candidate: Candidate, prompts: bool = False) -> dict[str, Any]:
    """Return a run as plain data: `schema`, `content_sha256`, `run`, `summary`, `doubts`,
    `requests`, `samples`; without the paths of the machine (see `public`).

    A person's own prompts and the answers are only in it where `prompts` asks for them: the
    prompts in `run.config`, the answers as a list of their own.
    """
    told = public(candidate)
    found = diagnostics(told.run, told.measurements, told.summary, told.samples)
    rows = [whole_row(measured) for measured in told.measurements]
    document = {
        "schema": SCHEMA,
        "content_sha256": _hash(told.run, rows),
        "run": _run(told.run, prompts),
        "summary": row_of(told),
        "doubts": [asdict(diagnostic) for diagnostic in found],
        "requests": rows,
        "samples": [{"t": sample.t, "values": sample.values} for sample in told.samples],
    }
    if prompts:
        document["answers"] = [
            {"repeat": m.repeat, "index": m.index, "answer": m.answer} for m in told.measurements
        ]
    return document


def run_json(candidates: Sequence[Candidate]) -> bytes:
    """Write one run as JSON, without prompts and answers."""
    return orjson.dumps(run_document(candidates[0]), option=orjson.OPT_APPEND_NEWLINE)


def content_hash(candidate: Candidate) -> str:
    """Return the SHA-256 of config and measurements: the config without prompts, the
    environment, the repeats, and what was seen of every request; of an imported run without
    requests what its tool states.

    What was seen of the server meanwhile is no part of it: it is thinned, and may be missing.
    A run that is exported, imported elsewhere and given another name has the same one; a run of
    which one number was changed has not. It is a checksum: whoever changes a file can write a new
    one.
    """
    told = public(candidate)
    return _hash(told.run, [whole_row(measured) for measured in told.measurements])


def whole_row(measured: Measurement) -> dict[str, Any]:
    """Return everything about a request but its answer: the fields of `request_row`, then those
    from which its measurement can be made again. Times are seconds since its repeat began."""
    return request_row(measured) | {name: of(measured) for name, of in _WHOLE.items()}


def _hash(run: Run, rows: Sequence[Mapping[str, Any]]) -> str:
    asked = ((name, getattr(run.config, name)) for name in ASKED)
    seen: dict[str, Any] = {"requests": [[row[name] for name in SEEN] for row in rows]}
    if not rows and run.source is not None:  # a file with its tool's numbers alone
        seen["stated"] = run.source.get("stated", {})
    return digest(
        {
            "config": {name: value for name, value in asked if value not in NOT_ASKED},
            "environment": run.environment,
            "repeats": [_repeat(repeat) for repeat in run.repeats],
            **seen,
        }
    )


def _run(run: Run, prompts: bool) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "status": run.status,
        "created_at": run.created_at.isoformat(),
        "started_at": iso(run.started_at),
        "ended_at": iso(run.ended_at),
        "error": run.error,
        "tags": list(run.tags),
        "note": run.note,
        "source": run.source,
        "trial_id": run.comparison_id,
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
    """Return what a run is called and what it was, in a few plain words."""
    return {
        "name": run.name,
        "status": run.status,
        "backend": run.config.backend,
        "model": run.config.model,
        "mode": run.config.mode,
        "started_at": iso(run.started_at),
    }


def iso(moment: datetime | None) -> str | None:
    """Return a time as ISO 8601 text."""
    return moment.isoformat() if moment else None


# A difference of two times is rounded once more, and a failed request has none: the times stand
# here as they were seen.
_WHOLE: dict[str, Callable[[Measurement], Any]] = {
    "first_s": lambda m: m.t_first,
    "answer_s": lambda m: m.t_answer,
    "last_s": lambda m: m.t_last,
    "ended_s": lambda m: m.t_end,
    "chunks_s": lambda m: list(m.token_times),
    "connect_s": lambda m: m.connect_s,
    "coalesced_reads": lambda m: m.coalesced_reads,
    "reasoning_tokens": lambda m: m.reasoning_tokens,
}
REQUEST_FIELDS: tuple[str, ...] = (*FIELDS, *_WHOLE)
# Of the config: what a request or its time depends on; not the prompts, what is judged by, a price.
# Another one may be added where its null or emptiness means what was always done: those are left
# out.
NOT_ASKED: tuple[Any, ...] = (None, (), {})
ASKED = (
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
    "omit",
    "max_tokens_field",
    "extra_body",
    "headers",
)
# What was seen, not worked out, in the order of the content hash: an added field needs a schema 3.
SEEN = (
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
