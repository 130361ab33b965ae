"""Load from many machines on a real Ray: one node on this machine, and three in network namespaces,
each with a monotonic clock of its own: `make test-engines`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import Engine

import jobs
from db import counts, results, runs
from services.analysis import nodes as nodes_table
from services.ask.backends import BackendProblem
from services.ask.config import parse
from services.ask.measurement import NODE_LOST, Run
from services.report.terminal.runs import run_text
from tests.conftest import ROOT, ReferenceServer, finished, until
from tests.engines import cluster
from tests.engines.cluster import OFFSETS_S, RAY, Cluster

RUN_S = 600.0
pytestmark = [pytest.mark.engines, pytest.mark.timeout(1800)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def one_node() -> Iterator[str]:
    """The address of a cluster of this machine alone."""
    ports = free_port(), free_port()
    with TemporaryDirectory(prefix="paceline-ray-") as folder:
        started = subprocess.Popen(
            [
                *(str(RAY), "start", "--head", "--block", "--num-cpus=2"),
                *("--node-ip-address=127.0.0.1", f"--port={ports[0]}"),
                *(f"--ray-client-server-port={ports[1]}", "--include-dashboard=false"),
                *("--object-store-memory=100000000", "--disable-usage-stats"),
                f"--temp-dir={folder}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(lambda: _listens(ports[1]), 180)
        yield f"ray://127.0.0.1:{ports[1]}"
        cluster.end_session(started)


def _listens(port: int) -> bool:
    with socket.socket() as call:
        return call.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[Cluster]:
    if not cluster.can_make_namespaces():
        pytest.skip("network namespaces take Linux and root")
    with cluster.cluster(3) as made:
        yield made


def submitted(
    database: Engine, patch: pytest.MonkeyPatch, on: str, server: ReferenceServer, **values: Any
) -> int:
    patch.setenv("PACELINE_RAY_CLUSTERS", on)
    fields = {"backend": "url", "base_url": server.base_url, "on": on, "warmup": 1}
    return jobs.submit(database, parse({**fields, **values}))


def on_nodes(run: Run, repeat: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run.repeats[repeat].health["nodes"]
    return found


def test_a_run_is_sent_from_the_one_node_of_a_cluster(
    database: Engine, reference: ReferenceServer, one_node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BackendProblem, match="is not a configured Ray cluster"):
        fields = {"backend": "url", "base_url": reference.base_url, "on": one_node, "model": "m"}
        jobs.submit(database, parse(fields))
    values = {"model": "ref tokens=5 gap=0.01", "mode": "staggered", "requests": 40, "repeats": 2}
    run_id = submitted(
        database, monkeypatch, one_node, reference, **values, interval_s=0.02, calibrate=True
    )
    run = finished(database, run_id, RUN_S)
    assert (run.status, run.error) == ("done", None)
    assert counts.request_counts(database, run_id) == {"ok": 80}
    assert [len(on_nodes(run, repeat)) for repeat in (0, 1)] == [1, 1]
    assert run.environment["nodes"]["1"]["cores"] >= 1
    assert run.calibration and run.calibration["nodes"][0]["ttft_p99_s"] is not None


def test_a_comparison_is_interleaved_on_a_cluster(
    database: Engine, reference: ReferenceServer, one_node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_interleaving(database, monkeypatch, one_node, reference, nodes=1)


def check_interleaving(
    database: Engine, patch: pytest.MonkeyPatch, on: str, server: ReferenceServer, nodes: int
) -> None:
    """Compare two modes by `compare --on`, and check that the nodes shared every repeat of the
    batch. One request at a time is sent from one node."""
    patch.setenv("PACELINE_RAY_CLUSTERS", on)
    command = [*("compare", "--backend", "url", "--base-url", server.base_url), "--on", on]
    command += ["--model", "ref tokens=5 gap=0.01", "--requests", "9", "--pause", "0"]
    command += ["--warmup", "1", "--repeats", "2", "--with", "mode=batch", "--json"]
    done = subprocess.run(
        [sys.executable, "cli.py", *command],
        cwd=ROOT,
        env=os.environ.copy(),
        capture_output=True,
        text=True,
        timeout=RUN_S,
    )
    assert done.returncode == 0, done.stderr
    compared = runs.load_many(database, [row.id for row in runs.search(database)])
    assert [(run.status, run.config.on) for run in compared] == [("done", on)] * 2
    assert {run.config.mode for run in compared} == {"sequential", "batch"}
    for run in compared:
        sharing = nodes if run.config.mode == "batch" else 1
        assert counts.request_counts(database, run.id) == {"ok": 18}
        assert [len(on_nodes(run, repeat)) for repeat in (0, 1)] == [sharing] * 2
        sent = Counter(nodes_table.nodes_of(results.candidate(database, run.id)))
        assert sent == dict.fromkeys(range(1, sharing + 1), 18 // sharing)
    first, second = ([r.began_at for r in run.repeats] for run in compared)
    assert max(first[0], second[0]) < min(first[1], second[1]), "they took turns"


def test_an_unreachable_cluster_is_reported(
    database: Engine, reference: ReferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = f"ray://127.0.0.1:{free_port()}"
    run_id = submitted(database, monkeypatch, on, reference, model="ref tokens=2", requests=1)
    run = finished(database, run_id, RUN_S)
    assert run.status == "failed"
    assert f"The Ray cluster at {on} cannot be used" in str(run.error)


def test_three_nodes_with_clocks_of_their_own_start_together(
    database: Engine, three_nodes: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = submitted(
        database,
        monkeypatch,
        three_nodes.address,
        three_nodes.server,
        model="ref tokens=8 gap=0.02 ttft=0.3",
        mode="batch",
        requests=300,
        calibrate=True,
    )
    run = finished(database, run_id, RUN_S)
    assert (run.status, run.error) == ("done", None)
    measured = runs.measurements(database, run_id)
    assert sorted(m.index for m in measured) == list(range(300))
    assert {m.status for m in measured} == {"ok"}
    for node, offset_s in zip(on_nodes(run), OFFSETS_S, strict=True):
        wrong_by = abs(node["clock_offset_s"] - offset_s)
        assert wrong_by <= node["clock_error_s"] + 1e-6, "the error that is stated is kept"
    assert run.repeats[0].health["start_spread_s"] < 0.005
    candidate = results.candidate(database, run_id)
    assert Counter(nodes_table.nodes_of(candidate)) == {1: 100, 2: 100, 3: 100}
    assert [row[0] for row in nodes_table.table(candidate).rows] == ["1", "2", "3"]
    assert [each["node"] for each in (run.calibration or {})["nodes"]] == [1, 2, 3]
    assert run.environment["nodes"]["ids"].count(",") == 2
    assert run_text(candidate)


def test_a_comparison_is_interleaved_on_three_nodes(
    database: Engine, three_nodes: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_interleaving(database, monkeypatch, three_nodes.address, three_nodes.server, nodes=3)


def test_every_stream_is_accounted_for_when_a_node_is_killed(
    database: Engine, three_nodes: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last: the cluster has two nodes from then on."""
    run_id = submitted(
        database,
        monkeypatch,
        three_nodes.address,
        three_nodes.server,
        model="ref tokens=5 gap=0.02",
        mode="constant",
        rate=15,
        requests=300,
        repeats=2,
        calibrate=False,
    )
    until(lambda: counts.request_counts(database, run_id).get("ok", 0) > 60, RUN_S)
    cluster.end(three_nodes.nodes[2])
    run = finished(database, run_id, RUN_S)
    assert (run.status, run.error) == ("done", None), "it cost its requests, not the run"
    measured = runs.measurements(database, run_id)
    keys = [(m.repeat, m.index) for m in measured]
    assert sorted(keys) == [(repeat, index) for repeat in (0, 1) for index in range(300)]
    lost = [m for m in measured if m.error_class == NODE_LOST]
    assert lost and {m.status for m in measured if m not in lost} == {"ok"}
    assert {(m.repeat, m.index % 3) for m in lost} == {(0, 2)}, "its own, of that repeat"
    assert all("Node 3, which was supposed to send this request" in str(m.error) for m in lost)
    assert [each["node"] for each in on_nodes(run, 1)] == [1, 2], "the others share the next one"
    assert "lost" in on_nodes(run)[2]
