"""Two machines at one PostgreSQL, and two databases on one machine: who measures what."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import Engine, select

import jobs
from db import comparisons, engines, queue, runs, schema
from db.comparisons import StoredComparison
from db.database import connect, opened, writing
from jobs import destination
from jobs.server_locks import ServerLocks
from services.analysis.comparison_design import ComparisonDesign
from services.ask.config import parse
from services.servers.engines import EngineConfig
from tests.conftest import ROOT, ReferenceServer, finished, serving, until
from tests.db.conftest import Postgres
from tests.db.conftest import postgres as postgres

MACHINE = """
import socket, sys, platform
platform.node = lambda: sys.argv[1]
from jobs.__main__ import main
main()
"""


@contextmanager
def machine(name: str, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor of the database that takes itself for another machine."""
    own = f"{url}{'&' if '?' in url else '?'}application_name={name}"  # whose lock file is its own
    process = subprocess.Popen(
        [sys.executable, "-c", MACHINE, name],
        cwd=ROOT,
        env={**os.environ, "PACELINE_DATABASE_URL": own},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(30)


def identifier(name: str) -> str:
    """As `machine_id` makes it."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


@pytest.fixture
def shared(postgres: Postgres) -> Iterator[tuple[Engine, str]]:
    url = postgres.empty()
    database = connect(url)
    yield database, url
    database.dispose()


def queued(
    database: Engine, port: int, repeats: int, machine: str | None = None
) -> StoredComparison:
    """A comparison of two runs, which only that machine can measure; None: any."""
    values = {"backend": "url", "base_url": f"http://127.0.0.1:{port}/v1", "requests": 4}
    values |= {"pause_s": 0, "warmup": 0, "repeats": repeats, "model": "ref tokens=2 gap=0.01"}
    new = [
        runs.NewRun(parse({**values, "max_tokens": tokens}), f"127.0.0.1:{port}", machine=machine)
        for tokens in (2, 3)
    ]
    return comparisons.create(database, ComparisonDesign(seed=1, repeats=repeats), new)


def machines_of(database: Engine, ids: tuple[int, ...]) -> list[str]:
    with database.connect() as connection:
        query = select(schema.runs.c.machine).where(schema.runs.c.id.in_(ids))
        return list(connection.scalars(query))


@pytest.mark.long
@pytest.mark.slow
def test_turns_of_a_comparison_stay_on_one_machine_and_no_server_is_measured_twice_at_once(
    shared: tuple[Engine, str],
) -> None:
    database, url = shared
    with ExitStack() as stack:
        ports = [stack.enter_context(serving()) for _ in range(3)]
        made = [queued(database, port, repeats=4) for port in ports]
        made += [queued(database, port, repeats=4, machine=identifier("two")) for port in ports]
        for name in ("one", "two"):
            stack.enter_context(machine(name, url))
        for comparison in made:
            for run_id in comparison.run_ids:
                run = finished(database, run_id)
                assert (run.status, run.error, len(run.repeats)) == ("done", None, 4)
    measured = [set(machines_of(database, comparison.run_ids)) for comparison in made]
    assert all(len(each) == 1 for each in measured), "turns of one comparison were split"
    assert measured[3:] == [{identifier("two")}] * 3
    for first, second in zip(made[:3], made[3:], strict=True):  # the same server
        spans = sorted(
            (repeat.began_at.timestamp(), repeat.began_at.timestamp() + (repeat.duration_s or 0))
            for run in runs.load_many(database, (*first.run_ids, *second.run_ids))
            for repeat in run.repeats
        )
        ends = [end for _, end in spans]
        starts = [start for start, _ in spans[1:]]
        assert all(start >= end for start, end in zip(starts, ends[:-1], strict=True))


def test_a_comparison_waits_for_its_machine_and_ends_when_that_is_lost(
    shared: tuple[Engine, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, _ = shared
    comparison = queued(database, 1, repeats=2)
    first = queue.claim(database, "here")
    assert first and queue.requeue(database, first.id, 3, {})
    assert queue.claim(database, "there") is None, "its other turns are measured here"
    assert queue.end_abandoned(database, "there") == [], "it was heard of just now"
    second = queue.claim(database, "here")
    assert second and second.id != first.id and queue.requeue(database, second.id, 2, {})
    monkeypatch.setattr(queue, "GONE_S", -1.0)
    assert queue.end_abandoned(database, "here") == []
    assert queue.end_abandoned(database, "there") == sorted(comparison.run_ids)
    given_up = runs.load(database, first.id)
    assert (given_up.status, given_up.error) == ("interrupted", queue.GONE)


def test_a_heartbeat_of_a_machine_refreshes_only_its_own_runs(shared: tuple[Engine, str]) -> None:
    database, _ = shared
    queued(database, 1, repeats=2)
    first = queue.claim(database, "here")
    assert first and queue.requeue(database, first.id, 3, {})
    before = heard_of(database)
    queue.machine_heartbeat(database, "there")
    assert heard_of(database) == before
    queue.machine_heartbeat(database, "here")
    after = heard_of(database)
    assert all(at is not None for at in after) and after != before, "also the one not yet measured"


def heard_of(database: Engine) -> list[object]:
    with database.connect() as connection:
        return list(connection.scalars(select(schema.runs.c.heartbeat_at)))


def test_a_server_of_this_machine_is_measured_from_this_machine(
    shared: tuple[Engine, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, _ = shared
    monkeypatch.setattr(jobs, "ensure", lambda database: None)
    monkeypatch.setattr(destination, "machine_id", lambda: "here")
    own, other = (
        jobs.submit(database, parse({"backend": "url", "base_url": address, "model": "m"}))
        for address in ("http://localhost:9/v1", "http://192.0.2.1:9/v1")
    )
    claimed = queue.claim(database, "there")
    assert claimed and claimed.id == other
    assert queue.claim(database, "there") is None
    claimed = queue.claim(database, "here")
    assert claimed and claimed.id == own


@pytest.mark.long
@pytest.mark.slow
def test_a_second_supervisor_of_a_machine_leaves_the_engines_of_the_first_running(
    shared: tuple[Engine, str],
) -> None:
    database, url = shared
    here, config = identifier("here"), parse({"backend": "vllm"})
    kept, lost = (engines.create(database, EngineConfig(), here) for _ in range(2))
    for engine_id in (kept, lost):
        assert engines.claim(database, here)
        engines.ready(database, engine_id, {})
    with writing(database) as connection:
        run_id = runs.add(connection, runs.NewRun(config, "engine", machine=here), engine_id=lost)

    heard = monotonic()

    def ended() -> bool:
        nonlocal heard
        if monotonic() - heard > 1:  # as its supervisor does
            heard = monotonic()
            engines.heartbeat(database, kept)
        return engines.load(database, lost).status == "failed"

    with machine("here", url):
        until(ended, 60)
        assert engines.load(database, kept).status == "ready"
        run = finished(database, run_id)
    assert (run.status, run.started_at) == ("failed", None), "it is not sent to a dying engine"


@pytest.mark.long
@pytest.mark.slow
def test_two_databases_of_one_machine_measure_a_server_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: ReferenceServer
) -> None:
    values = {"backend": "url", "base_url": reference.base_url, "requests": 1, "warmup": 0}
    config = parse({**values, "model": "ref tokens=30 gap=0.05"})
    databases, ids = [], []
    for name in ("one", "two"):
        monkeypatch.setenv("PACELINE_DATABASE_URL", f"sqlite:///{tmp_path / f'{name}.db'}")
        databases.append(opened())
        ids.append(jobs.submit(databases[-1], config))
    pairs = list(zip(databases, ids, strict=True))
    ran = [finished(database, run_id) for database, run_id in pairs]
    assert [run.status for run in ran] == ["done", "done"]
    first, second = sorted(ran, key=lambda run: run.repeats[0].began_at)
    ended = first.repeats[0].began_at.timestamp() + (first.repeats[0].duration_s or 0)
    assert second.repeats[0].began_at.timestamp() >= ended
    for database in databases:
        until(lambda database=database: not queue.active(database), 10)


def test_server_locks_are_released_when_no_longer_kept(tmp_path: Path) -> None:
    one, two = ServerLocks(tmp_path), ServerLocks(tmp_path)
    assert one.acquire("10.0.0.1:8000") and one.acquire("10.0.0.1:8000")
    assert not two.acquire("10.0.0.1:8000")
    assert two.acquire("10.0.0.1:8001") and two.acquire("embedded") and one.acquire("embedded")
    one.keep({"10.0.0.1:8000"})
    assert not two.acquire("10.0.0.1:8000")
    one.keep(())
    assert two.acquire("10.0.0.1:8000") and len(two) == 2


def test_an_engine_starts_on_the_machine_that_checked_it(shared: tuple[Engine, str]) -> None:
    database, _ = shared
    engine_id = engines.create(database, EngineConfig(), "here")
    assert engines.claim(database, "there") is None
    claimed = engines.claim(database, "here")
    assert claimed and claimed.id == engine_id
