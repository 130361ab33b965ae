"""Each check of a server that was watched fires on what it is for, and keeps still else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from services.analysis.diagnostics import diagnostics, server
from services.ask.measurement import Measurement
from tests.values import candidate, measured, sampled

FACTS = {"t": 0.0}


def watched(measurements: Sequence[Measurement] = (), **series: Any) -> str:
    """Return the diagnostic titles from samples alone, taken within a repeat of one second."""
    return seen_by(sampled(**series), measurements)


def seen_by(samples: Any, measurements: Sequence[Measurement] = (), **of_run: Any) -> str:
    run = candidate(
        measurements or [measured(i) for i in range(4)],
        samples=samples,
        **{"health": FACTS, "environment": {"cores": 2}, "concurrency": 4, **of_run},
    )
    diagnostics = server.diagnostics(run.run, run.samples, run.summary)
    return "; ".join(diagnostic.title for diagnostic in diagnostics)


TEN = [1.0] * 10
GIB = 2.0**30
EVEN = {
    "running": [4.0] * 10,
    "waiting": [0.0] * 9 + [3.0],
    "preemptions": [0.0] * 10,
    "prefix_hit_share": [0.04] * 10,
    "engine_cores": [1.2] * 10,
    "machine_cores": [2.0] * 10,
    **{f"gpu{i}_memory_bytes": [(70 + i) * GIB] * 10 for i in range(4)},
    **{f"gpu{i}_memory_total_bytes": [80 * GIB] * 10 for i in range(4)},
    **{f"gpu{i}_use_share": [0.9 + i / 100] * 10 for i in range(4)},
}


def test_a_healthy_server_raises_no_diagnostic() -> None:
    assert watched(**EVEN) == ""
    assert watched(running=[4.0]) == "" and seen_by([]) == ""


@pytest.mark.parametrize(
    ("series", "title"),
    [
        ({"gpu2_memory_bytes": [50 * GIB] * 10}, "GPUs are unevenly loaded"),
        ({"gpu0_use_share": [0.5] * 10}, "GPUs are unevenly loaded"),
        ({"preemptions": [0.0] * 8 + [1.0, 3.0]}, "preempted requests (3 times)"),
        ({"prefix_hit_share": [0.0] * 9 + [0.3]}, "30.0 % of the prompt tokens in its prefix"),
        ({"waiting": [2.0] * 10}, "waited in the server's queue"),
        ({"running": [7.0] * 10}, "The server had other traffic"),
    ],
)
def test_an_unhealthy_server_raises_a_diagnostic(series: dict[str, Any], title: str) -> None:
    assert title in watched(**{**EVEN, **series})


SLOW = "Other programs slowed the engine down"


def on_cores(
    engine: float, machine: float, waited: float | None = None, many: int = 9, **of_run: Any
) -> str:
    series = {"engine_cores": [engine] * many, "machine_cores": [machine] * many}
    if waited is not None:
        series["engine_waiting_cores"] = [waited] * many
    return seen_by(sampled(**series), **of_run)


def test_an_engine_that_waited_for_busy_cores_is_diagnosed() -> None:
    assert on_cores(0.4, 2.0, 0.6) == SLOW
    assert on_cores(0.4, 2.0, 0.6, many=2) == SLOW  # counted without a gap: two are enough
    assert on_cores(0.4, 2.0, 0.6, backend="vllm") == SLOW
    assert on_cores(1.0, 2.0, 0.05) == ""  # others were busy, on the other core
    assert on_cores(1.8, 2.0, 1.5) == ""  # its own threads, more than there are cores
    assert on_cores(0.01, 2.0, 0.05) == ""  # it had nothing to do


def test_an_engine_with_few_cores_of_a_busy_machine_is_diagnosed() -> None:
    assert on_cores(0.2, 2.0) == SLOW
    assert on_cores(1.5, 2.0) == ""
    assert on_cores(0.2, 0.9) == ""  # it had nothing to do
    assert on_cores(0.2, 2.0, backend="vllm") == ""  # it is unknown what it would have used


def test_a_slow_machine_is_diagnosed_while_measuring() -> None:
    samples = sampled(
        engine_cores=[0.9] * 20 + [0.4] * 10,
        machine_cores=[1.1] * 20 + [2.0] * 10,
        engine_waiting_cores=[0.0] * 20 + [0.6] * 10,
    )
    run = candidate([measured(i) for i in range(4)], samples=samples, health=FACTS).run
    assert [diagnostic.title for diagnostic in server.so_far(run, samples)] == [SLOW]
    assert server.so_far(run, samples[:20]) == []


def test_gpus_that_the_engine_does_not_use_may_differ() -> None:
    idle = {"gpu3_memory_bytes": [GIB] * 10, "gpu3_use_share": [0.0] * 10}
    assert watched(**{**EVEN, **idle}) == ""
    others = sampled(**{**EVEN, "gpu3_use_share": [0.1] * 10})  # it holds memory: somebody's
    assert "GPUs" in seen_by(others)
    assert seen_by(others, environment={"tensor_parallel": 2, "pipeline_parallel": 1}) == ""


def test_waiting_requests_are_not_diagnosed_without_a_concurrency_limit() -> None:
    waits = sampled(**{**EVEN, "waiting": [2.0] * 10, "running": [2.0] * 10})
    assert "queue" in seen_by(waits)
    assert seen_by(waits, mode="staggered", concurrency=None) == ""


def test_cache_hits_are_reported_once() -> None:
    hits = sampled(prefix_hit_share=[0.5] * 10)
    measurements = [measured(i, cached_tokens=9) for i in range(4)]
    run = candidate(measurements, samples=hits, health=FACTS)
    titles_ = [d.title for d in diagnostics(run.run, measurements, run.summary, hits)]
    assert sum("prompt tokens" in title for title in titles_) == 1


def test_samples_outside_repeats_are_ignored() -> None:
    before = [replace(sample, t=sample.t - 5) for sample in sampled(running=[9.0] * 10)]
    assert seen_by(before) == ""
