"""What several tests need: the reference server in a process of its own, a database, a queue."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import settings
from sqlalchemy import Engine

import jobs
from db import engines as stored_engines
from db import queue, runs
from db.database import connect, opened, upgrade
from jobs.supervisor_lock import supervisor_file
from services.ask.config import RunConfig, parse
from services.ask.measurement import ACTIVE, FINISHED, Run
from services.ask.work_item import WorkItem
from services.load.protocol import encode

ROOT = Path(__file__).resolve().parent.parent
SLOW = "ref gap=1 tokens=2000"  # an answer of 128 tokens takes two minutes
Submit = Callable[..., int]

settings.register_profile("paceline", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("paceline")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Tests are collected without a look for garbage, and never looked through for it later: ten
    thousand of them stay to the end, with all that they import. It is a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist there are no workers
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """As many workers as cores; with `-n auto` one more, because many tests wait for a process, a
    browser or an answer."""
    return (os.cpu_count() or 1) + int(config.option.numprocesses == "auto")


class ReferenceServer:
    """Where the reference server listens, and what it did."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.port, self.host = port, host
        self.base_url = f"http://{host}:{port}/v1"

    def report(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self.host}:{self.port}/log") as answer:
            data: dict[str, Any] = json.load(answer)
        return data

    def log(self) -> dict[str, Any]:
        """What it did for each prompt; times are the monotonic clock's nanoseconds."""
        log: dict[str, Any] = self.report()["log"]
        return log


@contextmanager
def serving(*arguments: str) -> Iterator[int]:
    """Start a reference server; yield its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.reference", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    yield int(process.stdout.readline())
    process.stdin.close()
    process.wait(timeout=10)
    process.stdout.close()


def started_worker(config: RunConfig) -> subprocess.Popen[bytes]:
    """Start a worker and send it a run."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "services.load.worker"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert worker.stdin
    worker.stdin.write(encode(WorkItem(config)))
    worker.stdin.flush()
    return worker


@pytest.fixture(scope="session")
def reference() -> Iterator[ReferenceServer]:
    with serving() as port:
        yield ReferenceServer(port)


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that is up to date and holds no run. A copy of it takes a twentieth of the time
    that all migrations take; tests/db runs those."""
    file = tmp_path_factory.mktemp("empty") / "paceline.db"
    engine = connect(f"sqlite:///{file}")
    upgrade(engine)
    engine.dispose()
    return file


@pytest.fixture
def database(empty_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An empty database, which every process that the test starts uses too."""
    with copied(empty_file, tmp_path, monkeypatch) as database:
        yield database


@contextmanager
def copied(source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A copy of a SQLite file, which becomes the database of every process that the test starts.
    The supervisor that a test has started for it ends with the test: it would look for work for
    5 s more."""
    file = shutil.copy(source, folder / "paceline.db")
    monkeypatch.setenv("PACELINE_DATABASE_URL", f"sqlite:///{file}")
    database = opened()
    yield database
    end_supervisors(database)


def end_supervisors(database: Engine) -> None:
    """Stop the supervisors that a test has started."""
    if supervisor_file(database, "log").exists():
        for supervisor in supervisors_of(database):
            supervisor.terminate()


def supervisors_of(database: Engine) -> list[psutil.Process]:
    """The supervisors of a database that this process has started and that have not ended."""
    url = database.url.render_as_string(hide_password=False)
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):  # it ends just now
            of_jobs = child.cmdline()[1:3] == ["-m", "jobs"]
            if of_jobs and child.environ().get("PACELINE_DATABASE_URL") == url:
                found.append(child)
    return found


@pytest.fixture
def reference_run(database: Engine, reference: ReferenceServer) -> Iterator[Callable[..., int]]:
    """Queue a run against the reference server; what is still running at the end is cancelled."""

    def submit(model: str, **values: Any) -> int:
        values_ = {"backend": "url", "base_url": reference.base_url, "model": model, **values}
        return jobs.submit(database, parse(values_))

    yield submit
    for row in runs.search(database):
        if row.status in ACTIVE:
            queue.request_cancel(database, row.id)
    until(lambda: not queue.active(database), 10)


def until(holds: Callable[[], Any], seconds: float) -> Any:
    """Wait for a condition; return what it gave. The limit only ends a test that hangs: on a busy
    machine everything takes several times as long."""
    seconds = max(seconds, 90)
    end = time.monotonic() + seconds
    while not (result := holds()):
        assert time.monotonic() < end, f"not so within {seconds} s"
        time.sleep(0.02)
    return result


def finished(database: Engine, run_id: int, seconds: float = 60) -> Run:
    """Wait for a run's end."""
    until(lambda: runs.load(database, run_id).status in FINISHED, seconds)
    return runs.load(database, run_id)


def started_engines_end(database: Engine) -> None:
    """Cancel what a test has left to be measured, and stop the engines that it has started."""
    for row in runs.search(database):
        if row.status in ACTIVE:
            queue.request_cancel(database, row.id)
    for server in (*stored_engines.list_all(database), *stored_engines.list_running(database)):
        stored_engines.request_stop(database, server.id)
    until(lambda: not queue.active(database) and not stored_engines.active(database), 90)


@pytest.fixture
def no_engine_left(database: Engine) -> Iterator[None]:
    yield
    started_engines_end(database)
