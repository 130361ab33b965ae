"""vLLM, SGLang and Ray Serve for real, on the CPU: `make test-engines`.

What a person does: start, measure in each mode, read, stop. No speed is asserted: two runs on the
same quiet machine differ by half.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine

import jobs
from db import engines, results, runs
from jobs.engine_supervisor import process_tag
from services.ask.config import parse
from services.ask.measurement import Run
from services.servers.engines import ENGINES, EngineConfig, parallel_label, tagged_processes
from services.servers.engines.instance import EngineInstance
from tests.conftest import finished, until
from tests.engines.conftest import READY_S, STOP_S, Start, stopped

RUN_S = 600.0
pytestmark = [pytest.mark.engines, pytest.mark.timeout(READY_S + 3 * RUN_S + STOP_S)]

PARALLEL = ({}, {"tp": 2}, {"pp": 2}, {"dp": 2})
CASES = [
    *(("vllm", sizes) for sizes in PARALLEL),
    *(("sglang", sizes) for sizes in PARALLEL),
    *(("ray", sizes) for sizes in ({}, {"dp": 2})),
    ("llamacpp", {}),
]
MODES: dict[str, dict[str, Any]] = {
    "sequential": {"requests": 2, "pause_s": 0},
    "staggered": {"requests": 4},
    "batch": {"requests": 8},
}


def measured(database: Engine, server: EngineInstance, **values: Any) -> Run:
    """Measure a run on an engine."""
    config = {"max_tokens": 16, "ignore_eos": True, "warmup": 1, "base_url": server.base_url}
    backend = ENGINES[server.config.engine].backend
    run_id = jobs.submit(database, parse({"backend": backend, **config, **values}))
    return finished(database, run_id, RUN_S)


def listens(server: EngineInstance) -> bool:
    port = urlsplit(server.base_url or "").port
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


@pytest.mark.parametrize(
    ("name", "sizes"),
    CASES,
    ids=[f"{name} {parallel_label(EngineConfig(engine=name, **sizes))}" for name, sizes in CASES],
)
def test_an_engine_starts_is_measured_in_each_mode_and_leaves_nothing(
    database: Engine, start: Start, name: str, sizes: dict[str, int]
) -> None:
    server = start(name, **sizes)
    assert_says_how_it_is_parallel(server)
    facts = {
        key: value for key, value in server.facts.items() if key != "device"
    }  # Paceline's word
    for mode, values in MODES.items():
        run = measured(database, server, mode=mode, **values)
        assert (run.status, run.error) == ("done", None), mode
        rows = runs.measurements(database, run.id)
        assert [m.status for m in rows] == ["ok"] * values["requests"], [m.error for m in rows]
        assert {m.output_tokens for m in rows} == {16} and all(m.token_times for m in rows)
        assert facts.items() <= run.environment.items()
    long = measured(database, server, mode="batch", requests=8, max_tokens=96)
    assert_was_watched(database, server, long)
    end = stopped(database, server)
    assert (end.status, end.error) == ("stopped", None)
    assert not tagged_processes(process_tag(database, server.id)) and not listens(server)


def assert_says_how_it_is_parallel(server: EngineInstance) -> None:
    """vLLM and SGLang tell it, so that it need not be typed; Ray and llama.cpp do not."""
    if server.config.engine in ("vllm", "sglang"):
        ranks = [server.facts[f"{kind}_parallel"] for kind in ("tensor", "pipeline", "data")]
        assert ranks == [server.config.tp, server.config.pp, server.config.dp]
        assert server.facts["engine_version"]


def assert_was_watched(database: Engine, server: EngineInstance, run: Run) -> None:
    """What the engine did was seen from outside; of Ray's replicas only what the machine says."""
    seen = {
        name for sample in results.candidate(database, run.id).samples for name in sample.values
    }
    assert {"engine_cores", "memory_bytes"} <= seen
    if server.config.engine != "ray":
        assert "running" in seen
    if server.config.engine in ("vllm", "sglang"):
        assert {"waiting", "kv_cache_share"} <= seen


def test_a_folder_without_a_model_is_reported_and_leaves_nothing(
    database: Engine, tmp_path: Path
) -> None:
    empty = tmp_path / "model"
    empty.mkdir()
    config = EngineConfig(engine="vllm", model=str(empty), start_timeout_s=READY_S)
    engine_id = engines.create(database, config)
    jobs.ensure(database)
    until(lambda: engines.load(database, engine_id).status == "failed", READY_S)
    server = engines.load(database, engine_id)
    assert "model" in (server.error or "").lower() and server.hint, server.error
    assert not tagged_processes(process_tag(database, engine_id))


@pytest.mark.parametrize("chunked", [True, False])
def test_short_and_long_requests_mix_with_chunked_prefill_on_and_off(
    database: Engine, start: Start, chunked: bool
) -> None:
    server = start("vllm", chunked_prefill=chunked, max_batched_tokens=256 if chunked else 1024)
    run = measured(
        database, server, mode="staggered", requests=6, workload="mixed", input_tokens=32
    )
    assert (run.status, run.error) == ("done", None)
    assert {m.status for m in runs.measurements(database, run.id)} == {"ok"}
