"""A run's server is watched from a process of its own; what goes wrong there spoils no run."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from time import perf_counter_ns
from typing import Any

import psutil
import pytest
from sqlalchemy import Engine

from db import engines, queue, recording, runs, studies
from db.runs import NewRun
from db.studies import NewCell
from jobs.keys import Keys
from jobs.run_supervisor import RunSupervisor
from jobs.watch import Watch, sample_of
from services.analysis.samples import repeat_start_s
from services.ask.config import RunConfig
from services.ask.measurement import Sample
from services.servers.engines import EngineConfig
from services.servers.protocol import Sampled
from services.servers.telemetry.target import SamplerTarget
from services.studies.grid import cells
from services.studies.study_config import StudyConfig
from tests.conftest import ReferenceServer, Submit, finished, serving, until
from tests.stored import store


def samplers() -> list[psutil.Process]:
    """The samplers of this test's database."""
    file = os.environ["PACELINE_DATABASE_URL"].partition("://")[2]  # a driver may stand before it
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if (process.info["environ"] or {}).get("PACELINE_DATABASE_URL", "").endswith(file)
        and (process.info["cmdline"] or [])[1:3] == ["-m", "services.servers.telemetry"]
    ]


@pytest.fixture
def own_server() -> Iterator[str]:
    """A server that nothing else uses, so that what runs on it is this test's."""
    with serving() as port:
        yield f"http://127.0.0.1:{port}/v1"


@pytest.mark.long
def test_a_run_is_watched_while_it_is_measured(
    reference_run: Submit, database: Engine, own_server: str
) -> None:
    asked = {"mode": "batch", "requests": 3, "warmup": 0, "base_url": own_server}
    run_id = reference_run("ref ttft=100", **asked)
    wanted = {"running", "memory_bytes", "machine_cores"}  # cores take two looks
    busy = until(
        lambda: [
            sample
            for sample in runs.samples(database, run_id)
            if sample.values.get("running") == 3.0 and wanted <= sample.values.keys()
        ],
        90,
    )
    (repeat,) = runs.load(database, run_id).repeats
    queue.request_cancel(database, run_id)
    repeat = finished(database, run_id).repeats[0]
    at = repeat_start_s(repeat)
    assert at is not None and repeat.duration_s is not None
    assert at < busy[0].t < at + repeat.duration_s
    until(lambda: not samplers(), 10)


def test_a_sample_holds_numbers_of_known_series_only() -> None:
    told: dict[str, Any] = {
        "running": 1.0,
        "waiting": None,
        "kv_cache_share": "0.5",
        "preemptions": 1e300,
        "password": 1.0,
        "gpu0_use_share": 0.5,
        "gpu99999_use_share": 0.5,
        "memory_bytes": [],
    }
    values = {"running": 1.0, "kv_cache_share": 0.5, "gpu0_use_share": 0.5}
    assert sample_of(Sampled(1, told)) == Sample(1.0, values)


@pytest.mark.long
def test_samples_continue_the_time_axis_of_the_run(
    database: Engine, reference: ReferenceServer
) -> None:
    run_id = store(database, status="running")
    watch = Watch(
        database, run_id, SamplerTarget("url", reference.base_url, perf_counter_ns()), 1000.0
    )
    watch.start()
    first = until(lambda: runs.samples(database, run_id), 60)[0]
    watch.stop()
    assert first.t > 1000.0
    assert recording.last_moment(database, run_id) >= first.t
    assert not samplers()


def test_a_killed_sampler_ends_only_its_watch(database: Engine, reference: ReferenceServer) -> None:
    run_id = store(database, status="running")
    watch = Watch(
        database, run_id, SamplerTarget("url", reference.base_url, perf_counter_ns()), 0.0
    )
    watch.start()
    until(samplers, 30)[0].send_signal(signal.SIGKILL)
    watch.join(30)
    assert not watch.is_alive()
    watch.stop()


@pytest.mark.long
def test_the_first_process_of_an_engine_is_watched_not_the_listener(
    database: Engine, reference: ReferenceServer
) -> None:
    """Ray's replicas are not children of the proxy that listens."""
    asked = StudyConfig(
        engine=EngineConfig(), run=RunConfig(backend="url", mode="sequential", requests=1000)
    )
    new = [NewCell(cell, NewRun(cell.config, "", "one"), None) for cell in cells(asked)]
    studies.create(database, asked, "Seen whole?", new[:1])
    server = engines.claim(database)
    assert server is not None
    first = subprocess.Popen(["sleep", "600"])  # 2 MB; the one that listens has 20
    try:
        engines.update_running(database, server.id, pid=first.pid, base_url=reference.base_url)
        engines.ready(database, server.id, {})
        run = queue.claim(database)
        assert run is not None and run.engine_id == server.id
        supervisor = RunSupervisor(database, run, Keys())
        supervisor.start()
        try:
            seen = until(lambda: _memory(database, run.id), 90)
        finally:
            supervisor.stop()
            supervisor.join(60)
    finally:
        first.kill()
        first.wait()
    assert max(seen) < 10 * 2**20


def _memory(database: Engine, run_id: int) -> list[float]:
    samples = runs.samples(database, run_id)
    return [one.values["memory_bytes"] for one in samples if "memory_bytes" in one.values]


def test_samples_are_thinned_evenly_to_a_limit(database: Engine) -> None:
    run_id = store(database)
    for t in range(25):
        recording.add_sample(
            database, run_id, Sample(float(t), {"running": 1.0, "gpu0_use_share": 0.5})
        )
    assert [sample.t for sample in runs.samples(database, run_id, limit=10)] == [
        0.0,
        3.0,
        6.0,
        9.0,
        12.0,
        15.0,
        18.0,
        21.0,
        24.0,
    ]
    assert runs.samples(database, run_id)[3].values == {"running": 1.0, "gpu0_use_share": 0.5}
