"""Load from several machines, without Ray: clocks, what a lost node costs, and what is refused.
With a real cluster: tests/engines/test_load_nodes.py."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from time import perf_counter_ns
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ask import link
from services.ask.backends import BackendProblem
from services.ask.clusters import check_cluster, clusters
from services.ask.config import RunConfig, parse
from services.ask.measurement import NODE_LOST
from services.ask.problems import InvalidConfig
from services.load.nodes import echo
from services.load.nodes.actor import PACKAGES, PROGRAMS
from services.load.nodes.clocks import ClockOffset, RoundTrip, clock_offset, start_spread_ns
from services.load.nodes.facts import nodes_environment, worst_calibration
from services.load.nodes.lost import lost_requests
from services.load.nodes.ray_environment import driver_environment
from services.load.shards import Shard
from tests.conftest import ROOT

ON = "ray://10.0.0.1:10001"


def test_the_quickest_round_trip_gives_the_offset_and_half_of_it_the_error() -> None:
    """By hand: 100 there and 300 back around a clock that is 5,000 ahead; the slow one is left
    out."""
    trips = [RoundTrip(0, 6000, 9000), RoundTrip(10_000, 15_100, 10_400)]
    assert clock_offset(trips) == ClockOffset(4900, 200)


@given(
    st.integers(-(10**15), 10**15),
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1),
)
def test_a_clock_offset_is_within_its_stated_error(true: int, ways: list[tuple[int, int]]) -> None:
    trips = [RoundTrip(0, there + true, there + back) for there, back in ways]
    found = clock_offset(trips)
    assert abs(found.offset_ns - true) <= found.error_ns + 1


def test_nodes_start_apart_by_the_two_largest_errors_at_most() -> None:
    assert start_spread_ns([ClockOffset(0, 30), ClockOffset(9, 10), ClockOffset(5, 20)]) == 50
    assert start_spread_ns([ClockOffset(0, 30)]) == 0


def test_an_echo_answers_only_with_the_right_token() -> None:
    token, stranger = b"t" * echo.TOKEN_BYTES, b"x" * echo.TOKEN_BYTES

    async def asked() -> list[list[RoundTrip]]:
        transport, port = await echo.open_echo(token, "127.0.0.1")
        try:
            return [
                await asyncio.to_thread(
                    lambda of=of: list(echo.round_trips(of, "127.0.0.1", port, 20))
                )
                for of in (token, stranger)
            ]
        finally:
            transport.close()
            await asyncio.sleep(0)

    before = perf_counter_ns()
    answered, refused = asyncio.run(asked())
    assert 1 <= len(answered) <= 20 and refused == []
    assert all(before < trip.sent <= trip.stamp <= trip.received for trip in answered), "one clock"


def lost(reported: set[int], in_flight: int = 0, **values: Any) -> list[tuple[int, float]]:
    config = parse({"backend": "url", "base_url": "http://127.0.0.1:1", "model": "m", **values})
    found = lost_requests(config, 0, Shard(1, 3), reported, in_flight, 4.5, "Lost.")
    assert all((m.status, m.error_class, m.error) == ("failed", NODE_LOST, "Lost.") for m in found)
    return [(m.index, m.t_due) for m in found]


@pytest.mark.parametrize(
    ("values", "reported", "costs"),
    [
        ({"mode": "batch", "requests": 9}, {1}, [(4, 0.0), (7, 0.0)]),
        ({"mode": "constant", "rate": 2, "requests": 9}, {4}, [(1, 0.5), (7, 3.5)]),
        ({"mode": "constant", "rate": 2, "duration_s": 4}, {1}, [(4, 2.0), (7, 3.5)]),
        ({"mode": "users", "users": 6, "requests": 8}, set(), [(1, 4.5), (4, 4.5), (7, 4.5)]),
        ({"mode": "users", "users": 6, "duration_s": 60}, {1, 4}, [(7, 4.5), (10, 4.5)]),
        (  # sessions of two turns: the second session of three is this node's
            {"mode": "batch", "requests": 6, "workload": "synthetic", "turns": 2},
            {2},
            [(3, 4.5)],
        ),
    ],
)
def test_a_lost_node_loses_only_unreported_requests(
    values: dict[str, Any], reported: set[int], costs: list[tuple[int, float]]
) -> None:
    assert lost(reported, in_flight=2, **values) == costs


def test_a_calibration_of_nodes_is_the_worst_of_them() -> None:
    def one(node: int, p99: float, pace: float | None) -> dict[str, Any]:
        names = ("ttft", "e2e", "inter_chunk")
        errors = {f"{name}_{of}_s": p99 for name in names for of in ("p50", "p99")}
        facts = {"node": node, "requests": 5, "lost": 1, "processes": 1, "span_s": 1.0}
        return {**facts, **errors, "pace": pace}

    both = [one(1, 1e-6, 1.0), one(2, 2e-6, 0.5)]
    worst = worst_calibration(both)
    assert (worst["ttft_p99_s"], worst["pace"], worst["requests"], worst["lost"]) == (
        2e-6,
        0.5,
        10,
        2,
    )
    assert worst["nodes"] == both
    broken = worst_calibration([both[0], {"node": 2, "problem": "It failed."}])
    assert broken == {"problem": "Node 2: It failed."}


def test_equal_nodes_are_described_together() -> None:
    facts = [{"id": "a", "cores": 2}, {"id": "b", "cores": 4}, {"id": "c", "cores": 2}]
    together = {"1, 3": {"cores": 2}, "2": {"cores": 4}, "ids": "a, b, c"}
    assert nodes_environment(facts) == together


def test_the_driver_gets_no_key() -> None:
    env = {"OPENAI_API_KEY": "sk-1", "PATH": "/bin", "RAY_USE_TLS": "1", "PYTHONPATH": "x"}
    own = {"PATH": "/bin", "RAY_USE_TLS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    assert driver_environment(env) == own


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"on": "10.0.0.1:10001"}, "on must be the address of a Ray cluster, such as ray://"),
        ({"on": "ray://u:secret@10.0.0.1:10001"}, "must be the address of a Ray cluster"),
        ({"on": "ray://10.0.0.1:99999"}, "must be the address of a Ray cluster"),
        ({"on": ON, "client": "litellm"}, "on needs Paceline's own client"),
        ({"on": ON, "processes": 2}, "processes do not apply to a cluster"),
    ],
)
def test_a_config_that_a_cluster_cannot_run_is_refused(
    values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidConfig, match=sentence) as raised:
        parse({"backend": "url", "base_url": "http://10.0.0.9:8000", "model": "m", **values})
    assert "secret" not in str(raised.value)


def test_only_clusters_that_the_settings_name_are_used() -> None:
    env = {"PACELINE_RAY_CLUSTERS": f" {ON} , ray://[fd00::1]:10001"}
    assert clusters(env) == (ON, "ray://[fd00::1]:10001")
    at = {"backend": "url", "base_url": "http://10.0.0.9:8000", "model": "m"}
    check_cluster(parse(at), {})
    check_cluster(parse({**at, "on": ON}), env)
    with pytest.raises(BackendProblem, match=r"put PACELINE_RAY_CLUSTERS=ray://10\.0\.0\.2:1 in"):
        check_cluster(parse({**at, "on": "ray://10.0.0.2:1"}), env)
    with pytest.raises(BackendProblem, match="embedded model only answers on this machine"):
        check_cluster(parse({"on": ON}), env)


def test_a_link_may_name_a_cluster() -> None:
    values = {"backend": "url", "base_url": "http://10.0.0.9:8000", "model": "m", "on": ON}
    config = parse(values)
    parameters = link.query(config.model_dump(), RunConfig())
    assert parameters["on"] == ON
    assert link.read(parameters, RunConfig()) == (config, ())


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS.values())
def test_a_program_of_a_node_imports_only_packages_that_nodes_have(program: str) -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    required = {re.split(r"[^\w.-]", line)[0].lower() for line in lines if line[:1].isalpha()}
    script = f"import sys, {program}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    imported = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    known = packages_distributions()
    own = {n for n in imported if required & {d.lower() for d in known.get(n, ())}}
    assert {"httptools", "orjson"} <= own <= {*PACKAGES}
