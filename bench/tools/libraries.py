"""Client libraries: each is driven by a script of `bench/drivers`, in the library's environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from bench.seen import Seen
from bench.work import Job

DRIVERS = Path(__file__).resolve().parent.parent / "drivers"


def driven_by(driver: str) -> Callable[[Job, str], list[str]]:
    """Return a function that makes the command of a driver."""

    def command(job: Job, python: str) -> list[str]:
        work = job.folder / "job.json"
        request = {
            "base_url": f"{job.base_url}/v1",
            "model": job.case.model,
            "prompts": job.prompts,
            "max_tokens": job.case.max_tokens,
        }
        work.write_text(json.dumps(request))
        return [python, str(DRIVERS / driver), str(work)]

    return command


def read(job: Job, out: bytes) -> list[Seen]:
    """Match by order: a driver's rows are in the order of the prompts."""
    rows = zip(job.prompts, json.loads(out), strict=True)
    return [_seen(prompt, *row) for prompt, row in rows if not isinstance(row, str) and row[1]]


def _seen(prompt: str, sent: int, times: list[int]) -> Seen:
    gaps = tuple((later - t) / 1e9 for t, later in pairwise(times))
    return Seen(prompt, (times[0] - sent) / 1e9, (times[-1] - sent) / 1e9, gaps, sent_ns=sent)
