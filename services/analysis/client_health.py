"""The client's health while it measured, as shown on the result page."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from services.analysis.compare import Candidate
from services.analysis.diagnostics import client, sending
from services.analysis.statistics import percentile
from services.analysis.summary.repeats import values
from services.ask import modes
from services.ask.modes import MODES
from services.base import units
from services.base.table import Table
from services.base.units import NOTHING


def sentence(candidate: Candidate) -> str:
    """Return a sentence on the overhead that calibration found; "" without calibration, and for an
    imported run, whose client is unknown."""
    calibration = candidate.run.calibration or {}
    if candidate.run.source is not None:
        return ""
    median, worst = calibration.get("ttft_p50_s"), calibration.get("ttft_p99_s")
    if median is None or worst is None:
        return ""
    pace, load = calibration.get("pace"), "this load"
    if pace is not None and pace < SLOW:
        load = f"{units.share(pace)} of this load's pace (the maximum of one reference server)"
    return (
        f"At {load} the client adds {units.seconds(median)} to TTFT at the median and "
        f"{units.seconds(worst)} at p99, measured against a server with known send times."
    )


def table(candidate: Candidate) -> Table:
    """Return the client's health metrics, each the worst of all repeats, with their limits; empty
    for an imported run, whose client is unknown."""
    parts = (_loop, _load, _error) if candidate.run.source is None else ()
    rows = [row for part in parts for row in part(candidate)]
    note = (
        "The worst of all repeats; connections are counted in all of them. Where a limit is "
        "exceeded, a warning above says what to do."
    )
    return Table("Client", ("", "This run", "Limit"), tuple(rows), note)


NO_LIMIT = "not applicable"  # kernel timestamps and a closed loop, see `lag_limit_s`
SLOW = 0.8  # of the requested pace

Rows = Iterable[tuple[str, str, str]]


def _loop(candidate: Candidate) -> Rows:
    run = candidate.run
    healths = [repeat.health for repeat in run.repeats if repeat.health]
    yield "Client", "LiteLLM" if run.config.via_litellm else "Paceline's own (wire)", ""
    yield "Clock of arrivals", _clock({health.get("clock") for health in healths}), ""
    yield "Sending processes", str(max((h.get("processes", 1) for h in healths), default=1)), ""
    lag = _worst(health.get("loop_lag_p99_s") for health in healths)
    limit = client.lag_limit_s(run.config, client.by_kernel(run))
    shown_limit = NO_LIMIT if limit is None else units.seconds(limit)
    yield "Event loop lag, p99", units.show(lag, "s"), shown_limit
    cpu = _worst(health.get("cpu_share") for health in healths)
    yield (
        "Share of a core",
        units.share(cpu) if cpu is not None else NOTHING,
        units.share(client.CPU_SHARE),
    )


def _load(candidate: Candidate) -> Rows:
    measured = candidate.measurements
    config = candidate.run.config
    paced = MODES[config.mode].loop == "open"
    waits = not paced and modes.in_flight_limit(config) is not None  # for an answer
    late = [] if waits else sending.latenesses(measured).tolist()
    interval, sent = (paced and sending.intervals_s(measured)) or (0.0, 0.0)
    if late:
        yield "Sent late, median", units.seconds(percentile(late, 50)), ""
        limit = units.seconds(sending.late_limit_s(interval)) if paced else ""
        yield "Sent late, p99", units.seconds(percentile(late, 99)), limit
    if interval and sent:
        least = f"at least {(1 - sending.SHORT_RATE) / interval:.4g}"
        yield "Requests per second, configured", f"{1 / interval:.4g}", ""
        yield "Requests per second, sent", f"{1 / sent:.4g}", least
    yield "Peak requests in flight", units.show(candidate.summary.peak_in_flight, "count"), ""
    together = client.together_share(measured)
    yield "Chunks read together", units.show(together, "share"), units.share(client.COALESCED_SHARE)
    opened = int(np.count_nonzero(~np.isnan(candidate.table.numbers("connect_s"))))
    yield "Connections opened when due", f"{opened:,}", ""


def _error(candidate: Candidate) -> Rows:
    calibration = candidate.run.calibration or {}
    if calibration.get("ttft_p50_s") is None:
        return
    waits = values(candidate.measurements, "ttft_s")
    limit = client.error_limit_s(waits)
    for name, label in (("ttft", "TTFT"), ("e2e", "E2E latency"), ("inter_chunk", "Inter-chunk")):
        yield f"Error of {label}, median", units.show(calibration[f"{name}_p50_s"], "s"), ""
        yield (
            f"Error of {label}, p99",
            units.show(calibration[f"{name}_p99_s"], "s"),
            (units.seconds(limit) if name == "ttft" else ""),
        )
    yield "Requests of the calibration", f"{calibration['requests']:,}", ""
    yield "Lost in calibration", f"{calibration['lost']:,}", ""


def _clock(clocks: set[str | None]) -> str:
    if clocks == {"kernel"}:
        return "the kernel's receive timestamps"
    return "the event loop's" if clocks - {None} else NOTHING


def _worst(readings: Iterable[float | None]) -> float | None:
    return max((value for value in readings if value is not None), default=None)
