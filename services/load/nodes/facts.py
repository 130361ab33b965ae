"""What is stored about the nodes of a run: their machines, their health in each repeat, and their
errors from calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.load.nodes.clocks import ClockOffset, start_spread_ns
from services.load.nodes.node_state import NodeState
from services.load.protocol import Played

ERRORS = ("ttft", "e2e", "inter_chunk")  # of a calibration, each at p50 and p99
WORST = ("span_s", *(f"{name}_{of}_s" for name in ERRORS for of in ("p50", "p99")))


def nodes_environment(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the facts about the nodes, grouped by equal facts with the nodes' numbers, and the
    beginnings of their Ray ids in order."""
    together: dict[str, tuple[list[str], dict[str, Any]]] = {}
    for number, each in enumerate(facts, start=1):
        same = {name: value for name, value in each.items() if name != "id"}
        numbers, _ = together.setdefault(str(sorted(same.items())), ([], same))
        numbers.append(str(number))
    by_number = {", ".join(numbers): same for numbers, same in together.values()}
    return {**by_number, "ids": ", ".join(each["id"] for each in facts)}


def nodes_health(
    nodes: Sequence[NodeState],
    played: Sequence[Played | None],
    offsets: Mapping[int, ClockOffset],
) -> dict[str, Any]:
    """Return the nodes' part of a repeat's health, in the order of their shards, and how far apart
    they started at most. Request `i` was sent by node `i` modulo the number of nodes."""
    late_s = max((each.health.get("begun_late_s", 0.0) for each in played if each), default=0.0)
    spread_s = start_spread_ns(offsets.values()) / 1e9 + late_s
    each = [_node_health(*node, offsets) for node in zip(nodes, played, strict=True)]
    return {"nodes": each, "start_spread_s": spread_s}


def _node_health(
    node: NodeState, played: Played | None, offsets: Mapping[int, ClockOffset]
) -> dict[str, Any]:
    facts: dict[str, Any] = {"node": node.number + 1}
    if offset := offsets.get(node.number):
        facts["clock_offset_s"] = offset.offset_ns / 1e9
        facts["clock_error_s"] = offset.error_ns / 1e9
    if played is None:
        return {**facts, "lost": node.lost}
    return {**facts, "duration_s": played.duration_s, **played.health}


def worst_calibration(done: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the worst values of all nodes' calibrations, with each node's own."""
    good = [each for each in done if "problem" not in each]
    if len(good) < len(done) or not done:
        bad = [f"Node {each['node']}: {each['problem']}" for each in done if "problem" in each]
        return {"problem": " ".join(bad) or "The calibration failed: every node was lost."}
    worst = {
        name: max((each[name] for each in good if each[name] is not None), default=None)
        for name in WORST
    }
    sums = {name: sum(each[name] for each in good) for name in ("requests", "lost", "processes")}
    pace = min((each["pace"] for each in good if each["pace"] is not None), default=None)
    return {**sums, **worst, "pace": pace, "nodes": good}
