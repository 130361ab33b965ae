"""Paceline's own worker as it is: its messages, read from its standard output."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from bench.seen import Seen
from bench.work import Job
from services.ask import workloads


def command(job: Job, python: str) -> list[str]:
    return [python, "-m", "services.load.worker"]


def read(job: Job, out: bytes) -> list[Seen]:
    """Return the requests that came back; the run's prompts bear a mark that it tells."""
    messages = [json.loads(line) for line in out.splitlines()]
    rows = [row for m in messages if m["type"] == "requests" for row in m["rows"]]
    repeat = next(m["repeat"] for m in reversed(messages) if m["type"] == "repeat")
    values = [m["values"] for m in messages if m["type"] == "environment"]
    mark = next(v["prompt_mark"] for v in values if "prompt_mark" in v)
    return [_seen(job, row, mark, repeat["health"]["began_ns"]) for row in rows if _ok(row)]


def _ok(row: dict[str, Any]) -> bool:
    return bool(row["status"] == "ok" and row["t_first"] is not None)


def _seen(job: Job, row: dict[str, Any], mark: str, began_ns: int) -> Seen:
    times, sent = row["token_times"], row["t_send"]
    return Seen(
        prompt=workloads.prompt(job.config, 0, row["index"], mark),
        ttft_s=row["t_first"] - sent,
        e2e_s=row["t_last"] - sent,
        gaps_s=tuple(later - t for t, later in pairwise(times)),
        sent_ns=began_ns + round(sent * 1e9),
    )
