"""Reasons to doubt a run that lie with the client: sent late, read late, short of CPU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services import units
from services.checks.doubt import Doubt
from services.measurement import Measurement, Run
from services.modes import MODES
from services.statistics import percentile
from services.summary import Summary
from services.summary.repeats import by_repeat, values

LATE_S = 0.001
LATE_SHARE = 0.1  # of the interval
SHORT_RATE = 0.02  # of the requested rate
COALESCED_SHARE = 0.01  # of the chunks that carry tokens
LAG_S = 0.005
CPU_SHARE = 0.8  # of one core: the client runs on one


def intervals_s(measurements: Sequence[Measurement]) -> tuple[float, float] | None:
    """Return the mean time between requests as they were due and as they were sent, over all
    repeats; None under two requests sent."""
    due = sent = 0.0
    gaps = 0
    for group in by_repeat(measurements).values():
        times = sorted((m.t_due, m.t_send) for m in group if m.t_send is not None)
        if len(times) > 1:
            due += times[-1][0] - times[0][0]
            sent += times[-1][1] - times[0][1]
            gaps += len(times) - 1
    return (due / gaps, sent / gaps) if gaps else None


def _sent_late(run: Run, measurements: Sequence[Measurement], summary: Summary) -> Doubt | None:
    lateness, intervals = values(measurements, "queue_s"), intervals_s(measurements)
    if MODES[run.config.mode].loop != "open" or not lateness:
        return None
    late = percentile(lateness, 99)
    limit = max(LATE_S, LATE_SHARE * intervals[0]) if intervals else LATE_S
    if late <= limit:
        return None
    return Doubt(
        "warning",
        f"Requests were sent up to {units.seconds(late)} late",
        f"One in a hundred left this client {units.seconds(late)} or more after it was due (the "
        f"limit is {units.seconds(limit)}), so the load was not the one asked for. Leave the "
        "machine to the run, or choose a longer interval.",
    )


def _rate_missed(run: Run, measurements: Sequence[Measurement], summary: Summary) -> Doubt | None:
    wanted, achieved = intervals_s(measurements) or (0.0, 0.0)
    if MODES[run.config.mode].loop != "open" or wanted >= achieved * (1 - SHORT_RATE):
        return None
    if not wanted:  # all at once: no rate to reach
        return None
    return Doubt(
        "warning",
        "The requested rate was not reached",
        f"A request was to be sent every {units.seconds(wanted)}; it was every "
        f"{units.seconds(achieved)}. The server saw less load than the config says. Leave the "
        "machine to the run, or choose a longer interval.",
    )


def _never_full(run: Run, measurements: Sequence[Measurement], summary: Summary) -> Doubt | None:
    wanted = min(run.config.requests, run.config.concurrency or run.config.requests)
    if run.config.mode != "batch" or not 0 < summary.peak_in_flight < wanted:
        return None
    return Doubt(
        "warning",
        f"{summary.peak_in_flight} requests were in flight, not {wanted}",
        "The first ended before the last was sent, so the concurrency asked for was never there: "
        "these numbers are for the lower one. Ask for longer answers, or for less concurrency.",
    )


def _coalesced(run: Run, measurements: Sequence[Measurement], summary: Summary) -> Doubt | None:
    chunks = sum(len(m.token_times) for m in measurements)
    share = sum(m.coalesced_reads for m in measurements) / chunks if chunks else 0.0
    if share <= COALESCED_SHARE:
        return None
    return Doubt(
        "warning",
        "Chunks arrived together",
        f"Reads that held several chunks: {units.share(share)} of all chunks. Chunks that are read "
        "together have one time, so do not rely on inter-chunk latencies; TTFT, E2E latency and "
        "throughput hold. The server or a proxy sends in bursts, or this client reads too slowly: "
        "look for a proxy that buffers, and leave the machine to the run.",
    )


def _lagging(run: Run, measurements: Sequence[Measurement], summary: Summary) -> Doubt | None:
    lag = max(_health(run, "loop_lag_p99_s"), default=0.0)
    if lag <= LAG_S:
        return None
    kernel = all(repeat.health.get("clock") == "kernel" for repeat in run.repeats)
    meaning = (
        "Arrivals are stamped by the kernel and hold, but requests may have been sent late."
        if kernel
        else "Every time it took may be too long by as much."
    )
    return Doubt(
        "warning",
        f"This client was {units.seconds(lag)} behind",
        f"One in a hundred times its event loop woke up that late or later. {meaning} "
        "Close what else uses this machine, or measure from another one.",
    )


def _short_of_cpu(run: Run, measurements: Sequence[Measurement], summary: Summary) -> Doubt | None:
    share = max(_health(run, "cpu_share"), default=0.0)
    if share <= CPU_SHARE:
        return None
    return Doubt(
        "warning",
        f"This client used {units.share(share)} of its core",
        "Near its limit a client adds its own waiting to the server's. Send fewer requests at a "
        "time, or measure from a faster machine.",
    )


def _via_litellm(run: Run, measurements: Sequence[Measurement], summary: Summary) -> Doubt | None:
    if run.config.client != "litellm" and run.config.backend != "litellm":
        return None
    return Doubt(
        "warning",
        "Measured through LiteLLM",
        "LiteLLM's own work is part of every time here, for each request and each chunk. Compare "
        "only with runs that went the same way, or use Paceline's own client where the backend "
        "speaks OpenAI's format.",
    )


def _health(run: Run, name: str) -> Iterable[float]:
    """What the repeats say of the client's health under `name`, where they say it."""
    said = (repeat.health.get(name) for repeat in run.repeats)
    return [value for value in said if isinstance(value, int | float)]


CHECKS = (
    _sent_late,
    _rate_missed,
    _never_full,
    _coalesced,
    _lagging,
    _short_of_cpu,
    _via_litellm,
)
