"""Real engines that end with their test, and the browser of the browser's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from sqlalchemy import Engine

from db import engines
from jobs import serving
from services.servers.engines import EngineConfig
from services.servers.engines.instance import UP, EngineInstance
from tests.browser.conftest import App
from tests.browser.conftest import app as app
from tests.browser.conftest import browser_port as browser_port
from tests.browser.conftest import chromium as chromium
from tests.browser.conftest import person as person
from tests.browser.conftest import shared_app as shared_app
from tests.conftest import until

READY_S = 600.0  # half a minute on a quiet machine
STOP_S = 60.0
Start = Callable[..., EngineInstance]


@pytest.fixture
def start(database: Engine) -> Iterator[Start]:
    """Start an engine and wait until it is ready; whatever is still up at the end is stopped."""

    def started(name: str, **values: Any) -> EngineInstance:
        config = {"engine": name, "max_model_len": 1024, "max_seqs": 8, "start_timeout_s": READY_S}
        engine_id = serving.start(database, EngineConfig.model_validate(config | values))
        until(
            lambda: (
                engines.load(database, engine_id).status not in ("planned", "starting", "ending")
            ),
            READY_S,
        )
        server = engines.load(database, engine_id)
        assert server.status == "ready", f"{server.error}\n{serving.log_tail(database, engine_id)}"
        return server

    yield started
    for server in engines.list_running(database):
        stopped(database, server)


def stopped(database: Engine, server: EngineInstance) -> EngineInstance:
    """Stop an engine and wait for its end."""
    serving.stop(database, server.id)
    until(lambda: engines.load(database, server.id).status not in UP, STOP_S)
    return engines.load(database, server.id)


def supervisor(app: App) -> psutil.Process:
    """The process that works the app's queue off."""
    url = app.env["PACELINE_DATABASE_URL"].partition(":///")[2]
    for process in psutil.process_iter(["cmdline", "environ"]):
        ours = (process.info["environ"] or {}).get("PACELINE_DATABASE_URL", "").endswith(url)
        if ours and (process.info["cmdline"] or [])[1:3] == ["-m", "jobs"]:
            return process
    raise AssertionError("nobody works the queue off")
