"""The processes of a test's own database, and engines that are started for real."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psutil
import pytest
from sqlalchemy import Engine

import jobs
from db import engines, studies
from jobs import serving
from jobs import studies as study_jobs
from jobs.engine_supervisor import process_tag
from services.servers.engines import EngineConfig
from services.servers.engines.instance import EngineInstance
from services.servers.engines.process_tags import tagged_processes
from tests.conftest import until


def workers() -> list[psutil.Process]:
    """The workers of supervisors that belong to this test's database."""
    return running("services.load.worker")


def supervisors() -> list[psutil.Process]:
    return running("jobs")


def running(module: str) -> list[psutil.Process]:
    """A process that is just starting another is there twice, until its child has become what it
    shall be: that child does not count."""
    processes = psutil.process_iter(["cmdline", "environ", "ppid"])
    ours = [process for process in processes if _ours(process, module)]
    pids = {process.pid for process in ours}
    return [process for process in ours if process.info["ppid"] not in pids]


def _ours(process: psutil.Process, module: str) -> bool:
    environment = process.info["environ"] or {}
    file = os.environ["PACELINE_DATABASE_URL"].partition(":///")[2]
    own = environment.get("PACELINE_DATABASE_URL", "").endswith(file)
    return own and (process.info["cmdline"] or [])[1:3] == ["-m", module]


LLAMA = EngineConfig(engine="llamacpp", max_seqs=2, max_model_len=512, start_timeout_s=120)


ANSWER_S = 240  # on a machine that has other work


@pytest.fixture
def nothing_stays(database: Engine) -> Iterator[None]:
    """Whatever a test leaves behind is stopped, and must end."""
    yield
    for server in [*engines.list_running(database), *engines.list_all(database)]:
        engines.request_stop(database, server.id)
    for row in studies.list_all(database):
        study_jobs.cancel(database, row.id)
    jobs.ensure(database)
    until(lambda: not engines.active(database), 60)


def ready(database: Engine, engine_id: int) -> EngineInstance:
    until(lambda: engines.load(database, engine_id).status in ("ready", "failed"), ANSWER_S)
    server = engines.load(database, engine_id)
    assert server.status == "ready", (server.error, serving.log_tail(database, engine_id))
    return server


def processes(database: Engine, engine_id: int) -> list[psutil.Process]:
    return tagged_processes(process_tag(database, engine_id))
