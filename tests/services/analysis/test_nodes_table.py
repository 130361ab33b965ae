"""Which node measured what, and what is said of nodes that were lost or started apart."""

from __future__ import annotations

from typing import Any

from services.analysis import nodes
from services.analysis.compare import Candidate
from services.analysis.diagnostics import nodes as node_checks
from services.ask.config import parse
from services.ask.measurement import NODE_LOST
from services.report.export.tables import requests_csv
from tests.values import candidate, measured

ON = {"on": "ray://10.0.0.1:10001", "backend": "url", "base_url": "http://10.0.0.9/v1"}


def of_nodes(*health: dict[str, Any], spread: float = 0.001, **values: Any) -> Candidate:
    requests = [measured(i, ttft=1.0 + i % 3) for i in range(7)]
    requests[4] = measured(
        4, status="failed", error_class=NODE_LOST, t_send=None, t_first=None, token_times=()
    )
    whole = {"cpu_share": 0.1, "loop_lag_p99_s": 0.001, "clock": "kernel"}
    return candidate(
        requests,
        health={**whole, "nodes": list(health), "start_spread_s": spread},
        mode="batch",
        requests=7,
        **ON,
        **values,
    )


NODES = (
    {"node": 1, "cpu_share": 0.1, "loop_lag_p99_s": 0.001, "clock_error_s": 1e-5},
    {"node": 3, "clock_error_s": 2e-5, "lost": "Ray lost contact with it"},
    {"node": 4, "cpu_share": 0.2, "loop_lag_p99_s": 0.002, "clock_error_s": 3e-5},
)


def test_each_node_is_a_row_with_what_it_measured() -> None:
    calibration = {"nodes": [{"node": 4, "ttft_p99_s": 3e-4}]}
    table = nodes.table(of_nodes(*NODES, calibration=calibration))
    rows = {row[0]: row[1:] for row in table.rows}
    assert list(rows) == ["1", "3 (lost)", "4"]
    assert [row[:3] for row in rows.values()] == [
        ("3", "0", "1.00 s"),
        ("2", "1", "2.00 s"),
        ("2", "0", "3.00 s"),
    ]
    assert rows["4"][6:] == ("30.0 µs", "300 µs")
    assert "within 1.00 ms of each other (the limit is 5.00 ms)" in table.note
    assert nodes.table(candidate([measured(0)])).rows == ()


def test_a_session_is_measured_by_one_node() -> None:
    config = parse({"workload": "synthetic", "turns": 2, "requests": 8, "backend": "url"} | ON)
    of = [nodes.node_of(config, NODES, index) for index in range(8)]
    assert of == [1, 1, 3, 3, 4, 4, 1, 1]
    assert nodes.node_of(config, (), 0) is None


def test_a_file_of_requests_says_which_node_sent_each() -> None:
    head, *rows = b"".join(requests_csv([of_nodes(*NODES)])).decode().splitlines()
    assert head.endswith(",node")
    assert [row.rpartition(",")[2] for row in rows] == ["1", "3", "4", "1", "3", "4", "1"]


def test_a_lost_node_and_a_late_start_are_warnings() -> None:
    lost = of_nodes(*NODES, spread=0.006)
    said = [check(lost.run, lost.measurements, lost.summary) for check in node_checks.CHECKS]
    titles = {each.title: each.sentence for each in said if each}
    assert "1 request failed with it" in titles["Lost while measuring: node 3"]
    assert "The nodes may have started 6.00 ms apart" in titles
    well = of_nodes(NODES[0], NODES[2])
    found = [check(well.run, well.measurements, well.summary) for check in node_checks.CHECKS]
    assert not [each.title for each in found if each and "node" in each.title]
