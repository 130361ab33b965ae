"""The embedded engine: real tokens from a real model, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine

import jobs
from db import runs
from services.ask.config import RunConfig, parse
from services.servers.embedded import NICE, threads
from services.servers.engines.embedded_engine import (
    MAX_CONTEXT,
    MAX_SLOTS,
    EngineProblem,
    embedded_size,
)
from tests.conftest import ROOT, finished, started_worker, until

pytestmark = pytest.mark.timed


def engines_of(folder: Path) -> list[psutil.Process]:
    """Embedded engines that belong to this test's database, by their environment."""
    engines = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        environment = process.info["environ"] or {}
        mine = str(folder) in environment.get("PACELINE_DATABASE_URL", "")
        if mine and "services.servers.embedded" in (process.info["cmdline"] or []):
            engines.append(process)
    return engines


@pytest.fixture
def nothing_left(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    until(lambda: not engines_of(tmp_path), 10)


def test_a_run_on_the_default_backend_gets_real_tokens(
    database: Engine, nothing_left: Path
) -> None:
    config = parse({"mode": "batch", "requests": 8, "max_tokens": 12, "seed": 1})
    run = finished(database, jobs.submit(database, config))
    assert (run.status, run.error) == ("done", None)
    assert run.config.model == "smollm2-135m-instruct"
    assert (run.environment["slots"], run.environment["engine"]) == (8, "llama.cpp")
    measured = runs.measurements(database, run.id, texts=True)
    assert len(measured) == 8
    assert {m.token_source for m in measured} == {"usage"}
    assert all(m.answer and 1 <= (m.output_tokens or 0) <= 12 for m in measured)
    assert {m.cached_tokens for m in measured} <= {0, None}


def test_a_killed_supervisor_leaves_no_engine(database: Engine, nothing_left: Path) -> None:
    config = parse({"requests": 50, "max_tokens": 2000, "ignore_eos": True, "warmup": 0})
    run_id = jobs.submit(database, config)
    until(lambda: runs.load(database, run_id).phase.startswith("Measuring"), 30)
    (engine,) = engines_of(nothing_left)
    (supervisor,) = [p for p in engine.parents() if p.cmdline()[1:3] == ["-m", "jobs"]]
    os.kill(supervisor.pid, signal.SIGKILL)
    engine.wait(5)
    until(lambda: jobs.ensure(database) or runs.load(database, run_id).status == "interrupted", 15)


def test_a_killed_worker_leaves_no_engine() -> None:
    config = parse({"requests": 9, "max_tokens": 2000, "ignore_eos": True, "warmup": 0})
    with started_worker(config) as worker:
        assert worker.stdout
        assert any(b"Measuring" in line for line in iter(worker.stdout.readline, b""))
        (engine,) = psutil.Process(worker.pid).children()
        worker.kill()
        engine.wait(5)


@pytest.mark.parametrize(
    ("values", "slots"),
    [
        ({"mode": "sequential", "requests": 50}, 1),
        ({"mode": "staggered", "requests": 16}, 16),
        ({"mode": "batch", "requests": 8}, 8),
        ({"mode": "batch", "requests": 5000}, MAX_SLOTS),
        ({"mode": "batch", "requests": 5000, "concurrency": 3}, 3),
        ({"mode": "batch", "requests": 5000, "max_tokens": 7000}, 9),
    ],
)
def test_slots_fit_the_runs_concurrency_and_the_memory(
    values: dict[str, object], slots: int
) -> None:
    found, context = embedded_size(parse(values), 100)
    assert found == slots
    assert context >= parse(values).max_tokens + 50


def test_a_request_longer_than_the_context_is_reported() -> None:
    with pytest.raises(
        EngineProblem, match=r"context of 8,192 tokens .* could need 8,[0-9]{3}\. Lower"
    ):
        embedded_size(RunConfig(max_tokens=MAX_CONTEXT), 100)


def test_the_engine_uses_half_of_the_cores_and_at_most_four() -> None:
    assert [threads(cores) for cores in (1, 2, 3, 4, 8, 128)] == [1, 1, 1, 2, 4, 4]


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="Linux with autogroups only")
def test_the_session_of_the_engine_gets_a_low_priority() -> None:
    """Where Linux shares the cores among sessions, a thread's own priority counts for nothing."""
    code = "from services.servers.embedded import lower_priority; lower_priority()"
    show = "print(open('/proc/self/autogroup').read())"
    process = subprocess.run(
        [sys.executable, "-c", f"{code}; {show}"],
        cwd=ROOT,
        start_new_session=True,
        capture_output=True,
    )
    assert process.stdout.split()[-1] == str(NICE).encode()
