"""Diagnostics of the client: requests sent late (see `sending`), chunks read late, too little CPU,
and the error found by its calibration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

from services.analysis import metric_arrays
from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.diagnostics.sending import late, rate_missed, sent_late
from services.analysis.metric_arrays import known
from services.analysis.statistics import percentile
from services.analysis.summary import Summary
from services.ask import modes
from services.ask.config import RunConfig
from services.ask.measurement import Measurement, Progress, Run
from services.ask.measurements import CHUNKS, READ_TOGETHER, Floats, as_table
from services.ask.modes import MODES
from services.base import units

TOGETHER = "Chunks arrived together"
TOGETHER_MEANS = (
    "Chunks read together get the same timestamp, so do not rely on inter-chunk latencies; TTFT, "
    "E2E latency and throughput remain valid. The server or a proxy sends in bursts, or this "
    "client reads too slowly: look for a proxy that buffers, and close other programs on this "
    "machine."
)
COALESCED_SHARE = 0.01  # of the chunks that carry tokens
LAG_S = 0.005
CPU_SHARE = 0.8  # of one core; each client process uses one
CALIBRATED_S = 0.001  # limit of the client's own part of TTFT, at the 99th percentile
CALIBRATED_SHARE = 0.01  # or this share of the median TTFT, if that is more


def so_far(config: RunConfig, progress: Progress) -> list[Diagnostic]:
    """Return the diagnostics of a run that is still being measured."""
    results = (
        late(config, progress.late_p99_s or 0.0, 1 / (modes.peak_rate(config) or inf)),
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


def together_share(measurements: Sequence[Measurement]) -> float | None:
    """Return the share of chunks that were read together with another one, and so have no arrival
    time of their own; None if there are no chunks."""
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
        f"{units.share(share)} of all chunks were read together with another. {TOGETHER_MEANS}",
    )


def _lagging(run: Run, measurements: Sequence[Measurement], summary: Summary) -> Diagnostic | None:
    lag = max(readings(run, "loop_lag_p99_s"), default=0.0)
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
        "The kernel timestamps what arrives, so measured times remain valid, but requests may have "
        "been sent late."
        if kernel
        else "Every measured time may be too long by that much."
    )
    return Diagnostic(
        "warning",
        f"This client was {units.seconds(lag_s)} behind",
        f"1 % of the time its event loop woke up at least that late. {meaning} Close other "
        "programs on this machine, or measure from another machine.",
    )


def _short_of_cpu(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    return _cpu(max(readings(run, "cpu_share"), default=0.0))


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


def _large_client_error(
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
        "from another machine.",
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


def readings(run: Run, name: str) -> Iterable[float]:
    """Return the values of a client health metric, for the repeats that have it."""
    values = (repeat.health.get(name) for repeat in run.repeats)
    return [value for value in values if isinstance(value, int | float)]


HEALTH = (
    sent_late,
    rate_missed,
    _lagging,
    _short_of_cpu,
    _coalesced,
    _large_client_error,
)  # limits

CHECKS = (*HEALTH, _not_calibrated)
