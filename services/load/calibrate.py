"""The client's own error at a run's load: the run played again to a server that knows.

The same schedule, by as many processes, with prompts of the same length and answers of the same
profile and text, goes to Paceline's reference server, on loopback and in a process of its own. What
the client saw minus what that server's log says is what the client adds, on this machine, at this
load.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from math import ceil
from operator import sub
from statistics import fmean, median, quantiles
from time import perf_counter_ns
from typing import Any

import httpx

from services.ask import modes, workloads
from services.ask.backends import Target
from services.ask.config import RunConfig
from services.ask.measurement import Measurement
from services.ask.plan import CALIBRATION_S
from services.base import machine
from services.base.ipc import Message
from services.load.players import players
from services.load.process_pool import ProcessPool
from services.load.protocol import Job, Requests
from services.load.reference import log_key
from services.load.repeat import Playing
from services.load.response_profile import ResponseProfile
from services.load.shards import shards
from services.servers.engines.within import ROOT

ANSWER_S = 4.0  # of one answer
PROMPTS_SEEN = 16
SHORTEST_GAP_S = 1e-5
FIRST_S = 2.0  # the longest wait for a first token
CHUNKS_MOST = 250_000  # of all answers together: the server's log holds the time of each
LOG_S = 60.0

Stopping = Callable[[Playing | ProcessPool], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Seconds that the client adds: median and 99th percentile over all requests, or over all gaps
    between chunks. None: there was nothing to take it from."""

    requests: int
    lost: int  # of them: those that did not come back
    span_s: float | None  # from an answer's first chunk to its last, as they were sent; median
    ttft_p50_s: float | None
    ttft_p99_s: float | None
    e2e_p50_s: float | None
    e2e_p99_s: float | None
    inter_chunk_p50_s: float | None
    inter_chunk_p99_s: float | None
    processes: int = 1
    pace: float | None = None  # of the chunks: 1 is as fast as they were to be sent


def replayed(config: RunConfig, profile: ResponseProfile) -> tuple[RunConfig, str, float]:
    """Return the run to play, the reference server's model, and the seconds between its chunks: as
    the run and its answers were, cut to about CALIBRATION_S. As many requests as can be in flight
    are always played."""
    first = min(profile.ttft_s, FIRST_S)
    gap = profile.gap_s if profile.gap_s > SHORTEST_GAP_S else 0.0  # back to back
    fitting = int((ANSWER_S - first) / gap) if gap else profile.chunks
    chunks = max(2, min(profile.chunks, fitting))
    requests = _fitting(config, first + gap * (chunks - 1))
    chunks = max(2, min(chunks, CHUNKS_MOST // requests))
    changes = {
        "requests": requests,
        "max_tokens": chunks,
        "repeats": 1,
        "unique_prompts": True,  # the server's log is by prompt
        "workload": "text",  # of the same length: what was asked is nobody else's business
        "prompt": "x" * _prompt_length(config),
        "prompts": (),
        "processes": len(shards(config, modes.schedule(config), machine.cores())),
        "timeout_s": LOG_S,
        "first_token_timeout_s": None,
        "chunk_timeout_s": None,
        "stop_after_s": None,
        "stop_after_errors": None,
    }
    options = f"ttft={first:.6f} gap={gap:.6f} tokens={chunks} size={profile.size}"
    return config.model_copy(update=changes), f"ref {options}", gap


def _prompt_length(config: RunConfig) -> int:
    """Return the mean length of the run's prompts, in characters, by the first of them."""
    some = range(min(config.requests, PROMPTS_SEEN))
    return ceil(fmean(len(workloads.prompt(config, 0, index)) for index in some))


def _fitting(config: RunConfig, answer_s: float) -> int:
    """Return how many requests of the schedule are over after CALIBRATION_S."""
    whole = modes.schedule(config)
    at_once = min(whole.in_flight or 1, config.requests)
    ends = (end for _, _, end in modes.picture(whole, answer_s))
    return max(at_once, sum(end <= CALIBRATION_S for end in ends), 1)


async def calibrate(job: Job, profile: ResponseProfile, stopping: Stopping) -> Calibration:
    """Play the job's run to the reference server; `stopping` makes what plays it stoppable.

    Raises:
        OSError, httpx.HTTPError, ProcessPoolProblem: it could not be played, or the log not read.
    """
    config, model, gap = replayed(job.config, profile)
    seen: list[Measurement] = []

    def keep(message: Message) -> None:
        if isinstance(message, Requests):
            seen.extend(message.measurements())

    async def now() -> int:
        return perf_counter_ns()

    async with _serving() as url:
        target = Target("url", url, model, None, job.target.client)
        async with players(replace(job, config=config, target=target), keep) as playing:
            with stopping(playing):
                played = await playing.play(0, now)
        async with httpx.AsyncClient(trust_env=False, timeout=LOG_S) as client:
            log = (await client.get(url.removesuffix("/v1") + "/log")).json()["log"]
    truth = [log.get(log_key(workloads.prompt(config, 0, m.index, job.nonce))) for m in seen]
    found = compared(seen, truth, played.began_ns)
    span_s = gap * (config.max_tokens - 1)
    return replace(
        found,
        processes=played.health.get("processes", 1),
        pace=min(1.0, span_s / found.span_s) if span_s and found.span_s else None,
    )


def compared(
    seen: Sequence[Measurement], truth: Sequence[Mapping[str, Any] | None], began_ns: int
) -> Calibration:
    """Take what was done off what was seen. `truth` holds for each measurement the server's entry:
    `times`, the `perf_counter_ns` at which each chunk was handed to the kernel."""
    firsts: list[float] = []
    lasts: list[float] = []
    gaps: list[float] = []
    spans: list[float] = []
    for measured, did in zip(seen, truth, strict=True):
        saw, times = measured.token_times, did["times"] if did else []
        if measured.status != "ok" or not times or len(saw) != len(times):
            continue
        did_at = [(time - began_ns) / 1e9 for time in times]
        firsts.append(saw[0] - did_at[0])
        lasts.append(saw[-1] - did_at[-1])
        gaps += map(abs, map(sub, map(sub, saw[1:], saw), map(sub, did_at[1:], did_at)))
        spans.append(did_at[-1] - did_at[0])
    return Calibration(
        len(seen),
        len(seen) - len(firsts),
        median(spans) if spans else None,
        *_two(firsts),
        *_two(lasts),
        *_two(gaps),
    )


def _two(errors: Sequence[float]) -> tuple[float | None, float | None]:
    """The median and the 99th percentile, without NumPy: it costs a worker's start 60 ms."""
    if len(errors) < 2:
        return (errors[0], errors[0]) if errors else (None, None)
    cuts = quantiles(errors, n=100, method="inclusive")
    return cuts[49], cuts[98]


@asynccontextmanager
async def _serving() -> AsyncIterator[str]:
    """Start a reference server; yield its base URL. It lives as long as its standard input."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.load.reference"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin and process.stdout
    try:
        line = await process.stdout.readline()
        if not line:
            raise OSError("the reference server did not start")
        yield f"http://127.0.0.1:{int(line)}/v1"
    finally:
        process.stdin.close()
        await process.wait()
