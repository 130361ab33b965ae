"""A run goes on when the web server is stopped, and stands there when it is started again."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import App
from tests.conftest import ReferenceServer, until

pytestmark = pytest.mark.timed


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    server = App(tmp_path)
    server.start()
    yield server
    server.stop()


def call(app: App, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{app.url}/api{path}", data, headers)
    with urllib.request.urlopen(request) as answer:
        reply: dict[str, Any] = json.load(answer)
    return reply


def test_a_run_survives_a_restart_of_the_web_server(app: App, reference: ReferenceServer) -> None:
    config = {"backend": "url", "base_url": reference.base_url, "model": "ref tokens=60 gap=0.1"}
    run_id = call(app, "/runs", {**config, "requests": 1, "warmup": 0})["id"]
    until(lambda: call(app, f"/runs/{run_id}")["run"]["status"] == "running", 15)
    app.stop()
    app.start()
    until(lambda: call(app, f"/runs/{run_id}")["run"]["status"] == "done", 30)
    (request,) = call(app, f"/runs/{run_id}")["requests"]
    assert (request["status"], request["output_tokens"]) == ("ok", 60)
    assert 5.9 < request["e2e_s"] < 8, "it was measured through, not begun again"
