"""A run that the nodes of a cluster sent together: which node measured each request, and what
differs between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from services.analysis.compare import Candidate
from services.analysis.diagnostics.nodes import START_S
from services.analysis.metric_arrays import known, latenesses, metric_array
from services.analysis.statistics import percentile
from services.ask.config import RunConfig
from services.ask.measurements import Floats, Measurements
from services.ask.sessions import sessions_of
from services.base import units
from services.base.table import Table

COLUMNS = (
    "Node",
    "Requests",
    "Failed",
    "TTFT, median",
    "Sent late, p99",
    "Share of a core",
    "Event loop lag, p99",
    "Clock error, max",
    "Error of TTFT, p99",
)
NOTE = (
    "A session's requests are all sent by one node. Clock error, max: half of the fastest "
    "round trip to the node; its start may be off by that much. Error of TTFT: from its own "
    "calibration."
)


def node_of(config: RunConfig, nodes: Sequence[Mapping[str, Any]], index: int) -> int | None:
    """Return the number of the node that measured a request, from 1. `nodes`: those in the health
    data of its repeat. None if there are none."""
    if not nodes:
        return None
    sessions = sessions_of(config)
    number = sessions.locate(index)[0] if sessions else index
    return int(nodes[number % len(nodes)]["node"])


def nodes_of(candidate: Candidate) -> Floats:
    """Return the number of the node that measured each request; NaN if the run had none."""
    run, requests = candidate.run, candidate.table
    by_repeat = {repeat.index: repeat.health.get("nodes") or () for repeat in run.repeats}
    pairs = zip(requests.numbers("repeat"), requests.numbers("index"), strict=True)
    of_each = (
        node_of(run.config, by_repeat.get(int(repeat), ()), int(index)) for repeat, index in pairs
    )
    return np.array([np.nan if node is None else node for node in of_each], dtype=np.float64)


def table(candidate: Candidate) -> Table:
    """Return a row for each node; empty if the run was sent from one machine."""
    nodes = nodes_of(candidate) if _has_nodes(candidate) else np.empty(0)
    numbers = sorted({int(node) for node in known(nodes)})
    rows = tuple(_row(candidate, candidate.table.where(nodes == n), n) for n in numbers)
    return Table("Nodes", COLUMNS, rows, NOTE + _start_spread_sentence(candidate) if rows else "")


def _has_nodes(candidate: Candidate) -> bool:
    return any(repeat.health.get("nodes") for repeat in candidate.run.repeats)


def _start_spread_sentence(candidate: Candidate) -> str:
    spreads = [repeat.health.get("start_spread_s") for repeat in candidate.run.repeats]
    worst = max((spread for spread in spreads if spread is not None), default=None)
    if worst is None:
        return ""
    limit = units.seconds(START_S)
    return f" They started within {units.seconds(worst)} of each other (the limit is {limit})."


def _row(candidate: Candidate, requests: Measurements, node: int) -> tuple[str, ...]:
    health = list(_health(candidate, node))
    calibrations = (candidate.run.calibration or {}).get("nodes", ())
    error = next((each["ttft_p99_s"] for each in calibrations if each["node"] == node), None)
    ttft = known(metric_array(requests.where(requests.are("ok")), "ttft_s"))
    late = known(latenesses(requests))
    paced = candidate.run.config.mode not in ("sequential", "users")
    lost = any("lost" in each for each in health)
    return (
        f"{node} (lost)" if lost else str(node),
        f"{len(requests):,}",
        f"{int(requests.are('failed').sum()):,}",
        units.show(percentile(ttft, 50) if len(ttft) else None, "s"),
        units.show(percentile(late, 99) if len(late) and paced else None, "s"),
        units.show(_worst(health, "cpu_share"), "share"),
        units.show(_worst(health, "loop_lag_p99_s"), "s"),
        units.show(_worst(health, "clock_error_s"), "s"),
        units.show(error, "s"),
    )


def _health(candidate: Candidate, node: int) -> Iterator[Mapping[str, Any]]:
    for repeat in candidate.run.repeats:
        yield from (each for each in repeat.health.get("nodes") or () if each["node"] == node)


def _worst(health: Sequence[Mapping[str, Any]], name: str) -> float | None:
    return max((each[name] for each in health if each.get(name) is not None), default=None)
