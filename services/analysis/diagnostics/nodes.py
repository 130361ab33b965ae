"""Diagnostics of the nodes that sent the load together: lost nodes, and nodes that did not start
together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.analysis.diagnostics.client import readings
from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.summary import Summary
from services.ask.measurement import NODE_LOST, Measurement, Run
from services.ask.measurements import as_table
from services.base import units

START_S = 0.005  # how far apart the nodes of a cluster may start


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
        "nothing about the server, and the server got less load than configured from then on. "
        "Check that machine, then run it again.",
    )


def _started_apart(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    spread = max(readings(run, "start_spread_s"), default=0.0)
    if spread <= START_S:
        return None
    return Diagnostic(
        "warning",
        f"The nodes may have started {units.seconds(spread)} apart",
        f"Their clocks could not be compared more closely (the limit is {units.seconds(START_S)}), "
        "or one received the start signal too late. The times measured on each node are correct, "
        "but their requests may be shifted against each other by that much. Use nodes that are "
        "closer or less busy, and allow UDP to them.",
    )


def _of_nodes(run: Run) -> Iterable[Mapping[str, Any]]:
    for repeat in run.repeats:
        yield from repeat.health.get("nodes") or ()


CHECKS = (_nodes_lost, _started_apart)
