"""Measure the client's own error at a run's load: replay it to a server with known times.

The same schedule, with as many processes, prompts of the same length and answers of the same
profile, is sent to Paceline's reference server, on loopback and in a separate process. The times
that the client saw, minus those in the server's log, are what the client adds on this machine at
this load.
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
from services.base.root import ROOT
from services.load.players import Player, open_player
from services.load.protocol import Job, Requests
from services.load.reference import log_key
from services.load.response_profile import ResponseProfile
from services.load.shards import shards

ANSWER_S = 4.0  # the longest answer
PROMPTS_SAMPLED = 16
SHORTEST_GAP_S = 1e-5
FIRST_S = 2.0  # the longest time to a first token
MAX_CHUNKS = 250_000  # of all answers together, since the server logs the time of each
LOG_S = 60.0
MAX_REPLAYED = 100_000  # requests

StopOnEnd = Callable[[Player], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Seconds that the client adds: median and 99th percentile over all requests, or over all gaps
    between chunks. None means not measured."""

    requests: int
    lost: int  # requests without a complete answer
    span_s: float | None  # from sending an answer's first chunk to sending its last; median
    ttft_p50_s: float | None
    ttft_p99_s: float | None
    e2e_p50_s: float | None
    e2e_p99_s: float | None
    inter_chunk_p50_s: float | None
    inter_chunk_p99_s: float | None
    processes: int = 1
    pace: float | None = None  # speed of the chunks: 1 is as fast as planned


def replay_config(config: RunConfig, profile: ResponseProfile) -> tuple[RunConfig, str, float]:
    """Return the config to replay, the reference server's model, and the seconds between its
    chunks. They imitate the run and its answers, shortened to about CALIBRATION_S, with at least as
    many requests as can be in flight at once."""
    first = min(profile.ttft_s, FIRST_S)
    gap = profile.gap_s if profile.gap_s > SHORTEST_GAP_S else 0.0  # chunks back to back
    chunks_in_time = int((ANSWER_S - first) / gap) if gap else profile.chunks
    chunks = max(2, min(profile.chunks, chunks_in_time))
    length = _prompt_length(config)
    config = modes.starting(_peak_config(config))  # only the first turns of sessions
    requests = _requests_in_time(config, first + gap * (chunks - 1))
    chunks = max(2, min(chunks, MAX_CHUNKS // requests))
    changes = {
        "requests": requests,
        "max_tokens": chunks,
        "output_distribution": "fixed",
        "repeats": 1,
        "unique_prompts": True,  # the server logs by prompt
        "workload": "text",  # prompts of the same length; the real ones stay private
        "prompt": "x" * length,
        "prompts": (),
        "trace": (),
        "processes": len(shards(config, machine.cores())),
        "timeout_s": LOG_S,
        "first_token_timeout_s": None,
        "chunk_timeout_s": None,
        "stop_after_s": None,
        "stop_after_errors": None,
        "duration_s": None,
        "load_warmup_s": 0.0,
        "ramp_up_s": 0.0,
    }
    options = f"ttft={first:.6f} gap={gap:.6f} tokens={chunks} size={profile.size}"
    return config.model_copy(update=changes), f"ref {options}", gap


def _prompt_length(config: RunConfig) -> int:
    """Return the mean length of the run's first prompts, in characters."""
    sample = range(min(modes.max_requests(config), PROMPTS_SAMPLED))
    return ceil(fmean(len(workloads.prompt(config, 0, index)) for index in sample))


def _requests_in_time(config: RunConfig, answer_s: float) -> int:
    """Return how many requests of the schedule end within CALIBRATION_S."""
    at_once = min(modes.in_flight_limit(config) or 1, modes.max_requests(config))
    ends = (end for _, _, end in modes.simulate(modes.schedule(config), answer_s, MAX_REPLAYED))
    return max(at_once, sum(end <= CALIBRATION_S for end in ends), 1)


def _peak_config(config: RunConfig) -> RunConfig:
    """Replay a changing rate at its highest, a trace at the rate of its busiest second, and
    sessions at the rate of their requests."""
    rate, turns = modes.MODES[config.mode].rate(config), modes.mean_turns(config)
    same = rate is not None and rate.first == rate.last and config.mode != "replay"
    if rate is None or (same and turns == 1):
        return config
    peak = max(rate.first, rate.last) * turns
    return config.model_copy(update={"mode": "constant", "rate": peak, "turns": 1})


async def calibrate(job: Job, profile: ResponseProfile, stopping: StopOnEnd) -> Calibration:
    """Replay the job's run against the reference server; meanwhile `stopping` can stop the player.

    Raises:
        OSError, httpx.HTTPError, ProcessPoolProblem: replaying or reading the log failed.
    """
    config, model, gap = replay_config(job.config, profile)
    measurements: list[Measurement] = []

    def collect(message: Message) -> None:
        if isinstance(message, Requests):
            measurements.extend(message.measurements())

    async def now() -> int:
        return perf_counter_ns()

    async with _reference_server() as url:
        target = Target("url", url, model, client=job.target.client, chosen=job.target.dialect)
        async with open_player(replace(job, config=config, target=target), collect) as player:
            with stopping(player):
                played = await player.play(0, now)
        async with httpx.AsyncClient(trust_env=False, timeout=LOG_S) as client:
            log = (await client.get(url.removesuffix("/v1") + "/log")).json()["log"]
    truth = [
        log.get(log_key(workloads.prompt(config, 0, m.index, job.nonce))) for m in measurements
    ]
    error = client_error(measurements, truth, played.began_ns)
    span_s = gap * (config.max_tokens - 1)
    return replace(
        error,
        processes=played.health.get("processes", 1),
        pace=min(1.0, span_s / error.span_s) if span_s and error.span_s else None,
    )


def client_error(
    measurements: Sequence[Measurement], truth: Sequence[Mapping[str, Any] | None], began_ns: int
) -> Calibration:
    """Return the client's errors: measured times minus the server's times of sending. `truth` holds
    the server's log entry for each measurement, or None; its `times` are the `perf_counter_ns` at
    which each chunk was handed to the kernel."""
    firsts: list[float] = []
    lasts: list[float] = []
    gaps: list[float] = []
    spans: list[float] = []
    for measured, entry in zip(measurements, truth, strict=True):
        seen_at, times = measured.token_times, entry["times"] if entry else []
        if measured.status != "ok" or not times or len(seen_at) != len(times):
            continue
        sent_at = [(time - began_ns) / 1e9 for time in times]
        firsts.append(seen_at[0] - sent_at[0])
        lasts.append(seen_at[-1] - sent_at[-1])
        gaps += map(abs, map(sub, map(sub, seen_at[1:], seen_at), map(sub, sent_at[1:], sent_at)))
        spans.append(sent_at[-1] - sent_at[0])
    return Calibration(
        len(measurements),
        len(measurements) - len(firsts),
        median(spans) if spans else None,
        *_median_and_p99(firsts),
        *_median_and_p99(lasts),
        *_median_and_p99(gaps),
    )


def _median_and_p99(errors: Sequence[float]) -> tuple[float | None, float | None]:
    """Return median and 99th percentile, without NumPy, whose import takes 60 ms."""
    if len(errors) < 2:
        return (errors[0], errors[0]) if errors else (None, None)
    cuts = quantiles(errors, n=100, method="inclusive")
    return cuts[49], cuts[98]


@asynccontextmanager
async def _reference_server() -> AsyncIterator[str]:
    """Start a reference server and yield its base URL; it ends when its standard input is
    closed."""
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
