"""A run as JSON: its config, its summary and its requests, under the names used everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson

from services.checks import doubts
from services.compare import Candidate
from services.config import without_prompts
from services.measurement import Repeat, Run
from services.metrics import request_row
from services.summary import summary_row

SCHEMA = "paceline/run/1"


def run_document(candidate: Candidate, prompts: bool = False) -> dict[str, Any]:
    """Return a run as plain data: `schema`, `run`, `summary`, `doubts`,
    `requests`.

    A person's own prompts and the answers are only in it where `prompts` asks for them: the
    prompts in `run.config`, the answers as a list of their own.
    """
    found = doubts(candidate.run, candidate.measurements, candidate.summary)
    document = {
        "schema": SCHEMA,
        "run": _run(candidate.run, prompts),
        "summary": summary_row(candidate.summary),
        "doubts": [asdict(doubt) for doubt in found],
        "requests": [request_row(m) for m in candidate.measurements],
    }
    if prompts:
        document["answers"] = [
            {"repeat": m.repeat, "index": m.index, "answer": m.answer}
            for m in candidate.measurements
        ]
    return document


def run_json(candidates: Sequence[Candidate]) -> bytes:
    """Write one run as JSON, without prompts and answers."""
    return orjson.dumps(run_document(candidates[0]), option=orjson.OPT_INDENT_2)


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
        "config": run.config.model_dump(mode="json") if prompts else without_prompts(run.config),
        "environment": run.environment,
        "calibration": run.calibration,
        "repeats": [_repeat(repeat) for repeat in run.repeats],
    }


def _repeat(repeat: Repeat) -> dict[str, Any]:
    return {
        "index": repeat.index,
        "began_at": repeat.began_at.isoformat(),
        "duration_s": repeat.duration_s,
        "health": repeat.health,
    }


def iso(moment: datetime | None) -> str | None:
    """Return a time as ISO 8601 text."""
    return moment.isoformat() if moment else None
