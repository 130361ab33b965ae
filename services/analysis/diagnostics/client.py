"""Diagnostics of the client: requests sent late, chunks read late, too little CPU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any

import numpy as np

from services.analysis import metric_arrays
from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.metric_arrays import known
from services.analysis.statistics import percentile
from services.analysis.summary import Summary
from services.analysis.summary.repeats import by_repeat
from services.ask import modes
from services.ask.config import RATES, RunConfig
from services.ask.measurement import NODE_LOST, Measurement, Progress, Run
from services.ask.measurements import CHUNKS, READ_TOGETHER, Floats, as_table
from services.ask.modes import MODES
from services.base import units

LATE_S = 0.001
LATE_SHARE = 0.1  # of the interval between requests
SHORT_RATE = 0.02  # allowed shortfall, of the requested rate
TOGETHER = "Chunks arrived together"
COALESCED_SHARE = 0.01  # of the chunks that carry tokens
LAG_S = 0.005
START_S = 0.005  # how far apart the nodes of a cluster may start
CPU_SHARE = 0.8  # of one core; each client process uses one
HELD_BACK_SHARE = 0.01
RATE_MISSED = "The requested rate was not reached"
CALIBRATED_S = 0.001  # limit of the client's own part of TTFT, at the 99th percentile
CALIBRATED_SHARE = 0.01  # or this share of the median TTFT, if that is more


def so_far(config: RunConfig, progress: Progress) -> list[Diagnostic]:
    """Return the diagnostics of a run that is being measured."""
    results = (
        _late(config, progress.late_p99_s or 0.0, 1 / (modes.peak_rate(config) or inf)),
        _lag(config, progress.lag_p99_s or 0.0, kernel=not config.via_litellm),
        _cpu(progress.cpu_share or 0.0),
    )
    return [diagnostic for diagnostic in results if diagnostic is not None]


def past_limits(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> list[Diagnostic]:
    """Return the diagnostics for each limit that the client exceeded, so that the numbers may
    reflect the client instead of the server; none for imported runs, whose client is unknown."""
    if run.source is not None:
        return []
    results = (check(run, measurements, summary) for check in HEALTH)
    return [diagnostic for diagnostic in results if diagnostic is not None]


def intervals_s(measurements: Sequence[Measurement]) -> tuple[float, float] | None:
    """Return the mean time between requests, as due and as sent, in seconds over all repeats; None
    if fewer than two requests were sent."""
    due = sent = 0.0
    gaps = 0
    for group in by_repeat(measurements).values():
        was_sent = group.where(~np.isnan(group.numbers("t_send")))
        dues, sends = was_sent.numbers("t_due"), was_sent.numbers("t_send")
        if len(was_sent) > 1:
            order = np.lexsort((sends, dues))
            first, last = order[0], order[-1]
            due += float(dues[last] - dues[first])
            sent += float(sends[last] - sends[first])
            gaps += len(was_sent) - 1
    return (due / gaps, sent / gaps) if gaps else None


def _sent_late(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    if MODES[run.config.mode].loop != "open":
        return None
    late, intervals = latenesses(measurements), intervals_s(measurements)
    if not len(late):
        return None
    return _late(run.config, percentile(late, 99), intervals[0] if intervals else 0.0)


def latenesses(measurements: Sequence[Measurement]) -> Floats:
    """Return how late each request was sent, in seconds."""
    return known(metric_arrays.latenesses(measurements))


def late_limit_s(interval_s: float) -> float:
    """Return the limit for the 99th percentile of lateness, in seconds."""
    return max(LATE_S, LATE_SHARE * interval_s)


def _late(config: RunConfig, late_s: float, interval_s: float) -> Diagnostic | None:
    limit = late_limit_s(interval_s)
    if MODES[config.mode].loop != "open" or late_s <= limit:
        return None
    return Diagnostic(
        "warning",
        f"Requests were sent up to {units.seconds(late_s)} late",
        f"1 % of the requests were sent {units.seconds(late_s)} or more after they were due (the "
        f"limit is {units.seconds(limit)}), so the load was not as configured. Close "
        f"other programs on this machine, or choose {_less(config)}.",
    )


def _less(config: RunConfig) -> str:
    if config.mode == "replay":
        return "a lower trace_speed"
    return "a lower rate" if config.mode in RATES else "a longer interval"


def _rate_missed(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    if MODES[run.config.mode].loop != "open" or len(_cap_waits(measurements)):
        return None  # a maximum that was reached is reported by itself
    wanted, achieved = intervals_s(measurements) or (0.0, 0.0)
    if not wanted or wanted >= achieved * (1 - SHORT_RATE):  # not wanted: all are due at once
        return None
    return Diagnostic(
        "warning",
        RATE_MISSED,
        f"A request was due every {units.seconds(wanted)} but was sent every "
        f"{units.seconds(achieved)}, so the server got less load than configured. Close "
        f"other programs on this machine, or choose {_less(run.config)}.",
    )


def _held_back(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    """In an open loop: a limit on concurrency makes it a closed one while it is reached."""
    waits = _cap_waits(measurements)
    if MODES[run.config.mode].loop != "open" or not len(waits):
        return None
    share = units.share(len(waits) / len(measurements))
    return Diagnostic(
        "warning" if len(waits) > HELD_BACK_SHARE * len(measurements) else "note",
        f"{share} of the requests waited in this client",
        f"They were due, but {run.config.concurrency:,} were in flight, which is the maximum. They "
        f"waited up to {units.seconds(float(waits.max()))}. TTFT and E2E latency count from sent "
        "and leave this out; Scheduled TTFT and Scheduled latency count from due. Raise the "
        "maximum, or judge by those.",
    )


def _cap_waits(measurements: Sequence[Measurement]) -> Floats:
    """Those of the requests that waited."""
    waits = as_table(measurements).numbers("cap_wait_s")
    return waits[waits > 0]


def _never_full(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    wanted = modes.at_once(run.config)
    if run.config.mode != "batch" or not 0 < (summary.peak_in_flight or 0) < wanted:
        return None
    todo = "Request longer answers, or a lower concurrency."
    if summary.failed:  # fast failures free their slots
        todo = "Failed requests end early: fix the failures first."
    return Diagnostic(
        "warning",
        f"At most {summary.peak_in_flight:,} in flight instead of {wanted:,}",
        "The first requests finished before the last were sent, so the configured concurrency was "
        f"never reached: these numbers are for the lower one. {todo}",
    )


def together_share(measurements: Sequence[Measurement]) -> float | None:
    """Return the share of chunks that were read together with another and so have no arrival time
    of their own; None if there are no chunks."""
    table = as_table(measurements)
    chunks = float(table.numbers(CHUNKS).sum())
    if not chunks or not table.numbers("coalesced_reads").any():
        return 0.0 if chunks else None
    return float(table.numbers(READ_TOGETHER).sum()) / chunks


def _coalesced(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    share = together_share(measurements) or 0.0
    if share <= COALESCED_SHARE:
        return None
    return Diagnostic(
        "warning",
        TOGETHER,
        f"{units.share(share)} of all chunks were read together with another. Chunks read together "
        "get the same timestamp, so do not rely on inter-chunk latencies; TTFT, E2E latency and "
        "throughput remain valid. The server or a proxy sends in bursts, or this client reads too "
        "slowly: look for a proxy that buffers, and close other programs on this machine.",
    )


def _lagging(run: Run, measurements: Sequence[Measurement], summary: Summary) -> Diagnostic | None:
    lag = max(_health(run, "loop_lag_p99_s"), default=0.0)
    return _lag(run.config, lag, by_kernel(run))


def lag_limit_s(config: RunConfig, kernel: bool) -> float | None:
    """Return the limit for the event loop's lag, in seconds; None if lag does no harm.

    Lag distorts timestamps taken by the loop, and the times at which open-loop requests are sent.
    With kernel timestamps and a closed loop it distorts nothing: 5,000 simultaneous sends delay the
    loop by a quarter of a second, and every arrival still has its own time.
    """
    return None if kernel and MODES[config.mode].loop == "closed" else LAG_S


def by_kernel(run: Run) -> bool:
    """Whether the kernel timestamped every arrival."""
    return all(repeat.health.get("clock") == "kernel" for repeat in run.repeats)


def _lag(config: RunConfig, lag_s: float, kernel: bool) -> Diagnostic | None:
    limit = lag_limit_s(config, kernel)
    if limit is None or lag_s <= limit:
        return None
    meaning = (
        "Arrivals are timestamped by the kernel and remain valid, but requests may have been sent "
        "late."
        if kernel
        else "Every measured time may be too long by that much."
    )
    return Diagnostic(
        "warning",
        f"This client was {units.seconds(lag_s)} behind",
        f"Its event loop woke up that late or later 1 % of the time. {meaning} Close other "
        "programs on this machine, or measure from another one.",
    )


def _short_of_cpu(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    return _cpu(max(_health(run, "cpu_share"), default=0.0))


def _cpu(share: float) -> Diagnostic | None:
    if share <= CPU_SHARE:
        return None
    return Diagnostic(
        "warning",
        f"This client used {units.share(share)} of its core",
        "A client near its CPU limit adds its own delays to the server's. Send fewer requests at "
        "once, spread them over more processes, or measure from a faster machine.",
    )


def error_limit_s(ttfts: Sequence[float] | Floats) -> float:
    """Return the limit for the client's own part of TTFT at the 99th percentile, in seconds."""
    return (
        max(CALIBRATED_S, CALIBRATED_SHARE * percentile(ttfts, 50)) if len(ttfts) else CALIBRATED_S
    )


def _error_large(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    error = (run.calibration or {}).get("ttft_p99_s")
    limit = error_limit_s(known(metric_arrays.metric_array(measurements, "ttft_s")))
    if error is None or error <= limit:
        return None
    return Diagnostic(
        "warning",
        f"This client adds up to {units.seconds(error)} to TTFT",
        "That is the client's own error at this load, measured against a server with known send "
        f"times (99th percentile; the limit is {units.seconds(limit)}). Differences of that size "
        "come from the client, not the server: close other programs on this machine, or measure "
        "from another one.",
    )


def _not_calibrated(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    problem = (run.calibration or {}).get("problem")
    if not problem:
        return None
    return Diagnostic(
        "note",
        "This client was not calibrated",
        f"{problem} How much it adds at this load is unknown: run it again to find out.",
    )


def through_proxy(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    if not run.environment.get("through_proxy"):
        return None
    return Diagnostic(
        "note",
        "Measured through a proxy",
        "The environment names a proxy for this server (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY), and "
        "its overhead is part of every time. Add the server's name to NO_PROXY to measure without "
        "it.",
    )


def certificate_unchecked(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    if not run.config.insecure_tls:
        return None
    return Diagnostic(
        "warning",
        "The server's certificate was not checked",
        "Any certificate was accepted (insecure_tls), so another server may have answered. Set "
        "ca_file to the file of its certificate authority to have it checked.",
    )


def _nodes_lost(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    lost = {each["node"]: each["lost"] for each in _of_nodes(run) if each.get("lost")}
    if not lost:
        return None
    failed = int(as_table(measurements).texts("error_class").are(NODE_LOST).sum())
    named = ", ".join(map(str, sorted(lost)))
    return Diagnostic(
        "warning",
        f"Lost while measuring: node {named}",
        f"{units.many(failed, 'request')} failed with it ({next(iter(lost.values()))}), which says "
        "nothing about the server, and the server got less load than configured from then on. See "
        "to that machine, then run it again.",
    )


def _started_apart(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    spread = max(_health(run, "start_spread_s"), default=0.0)
    if spread <= START_S:
        return None
    return Diagnostic(
        "warning",
        f"The nodes may have started {units.seconds(spread)} apart",
        f"Their clocks are known no better (the limit is {units.seconds(START_S)}), or one got the "
        "start too late. Each node's own times are right; what they sent together was shifted by "
        "so much. Use nodes that are nearer, or less busy, and let UDP through to them.",
    )


def _of_nodes(run: Run) -> Iterable[Mapping[str, Any]]:
    for repeat in run.repeats:
        yield from repeat.health.get("nodes") or ()


def _via_litellm(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    if not run.config.via_litellm:
        return None
    return Diagnostic(
        "warning",
        "Measured through LiteLLM",
        "LiteLLM's overhead is part of every time here, for each request and each chunk. Compare "
        "only with other runs through LiteLLM, or use Paceline's own client if the backend "
        "supports the OpenAI API.",
    )


def _health(run: Run, name: str) -> Iterable[float]:
    """The values of a client health metric, for the repeats that have it."""
    readings = (repeat.health.get(name) for repeat in run.repeats)
    return [value for value in readings if isinstance(value, int | float)]


HEALTH = (_sent_late, _rate_missed, _lagging, _short_of_cpu, _coalesced, _error_large)  # limits

CHECKS = (
    *HEALTH,
    _held_back,
    _never_full,
    _nodes_lost,
    _started_apart,
    _not_calibrated,
    _via_litellm,
    through_proxy,
    certificate_unchecked,
)
