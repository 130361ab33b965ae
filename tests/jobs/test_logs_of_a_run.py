"""After runs that succeed, fail and are refused, no log holds the key or the prompt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

import jobs
from jobs.supervisor_lock import supervisor_alive, supervisor_file
from services.ask.config import parse
from services.servers.engines import free_port
from tests.conftest import ROOT, ReferenceServer, finished, until
from tests.reference import KEY

pytestmark = pytest.mark.slow
PROMPT = "The heron of the seventh pond counts its feathers twice"
FAULTS = ("needs-key", "html", "reset", "error", "malformed")


def no_secret_in(text: str) -> None:
    assert KEY not in text and "heron" not in text and "feathers" not in text
    assert "Traceback" not in text


@pytest.mark.long
@pytest.mark.parametrize("log", ["json", ""])
def test_no_log_contains_a_key_or_a_prompt(
    database: Engine,
    reference: ReferenceServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    log: str,
) -> None:
    monkeypatch.setenv("PACELINE_LOG", log)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", reference.base_url)
    port = free_port()
    with (tmp_path / "web.log").open("wb") as log_of_web, (tmp_path / "out").open("wb") as out:
        web = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=ROOT,
            env={**os.environ, "PORT": str(port)},
            stdout=out,
            stderr=log_of_web,
        )
    url = f"http://127.0.0.1:{port}/api/runs"
    with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=60) as client:
        client.get(url)
    asked = {"backend": "openai", "workload": "text", "prompt": PROMPT, "requests": 2}
    asked |= {"warmup": 0, "calibrate": False, "mode": "batch"}
    ids = [
        jobs.submit(database, parse({**asked, "model": f"ref tokens=2 fault={fault}"}))
        for fault in FAULTS
    ]
    refused = httpx.post(url, json={**asked, "prompt": [PROMPT], "api_key": KEY}, timeout=60)
    assert refused.status_code == 422
    assert {finished(database, run_id).status for run_id in ids} >= {"done", "failed"}
    until(lambda: not supervisor_alive(database), 60)
    web.terminate()
    web.wait(30)
    written = supervisor_file(database, "log").read_text()
    served = (tmp_path / "web.log").read_text()
    no_secret_in(written)
    no_secret_in(served + (tmp_path / "out").read_text())
    assert f"run {ids[0]}: begins" in written
    if log == "json":
        lines = [json.loads(line) for line in (written + served).splitlines()]
        assert {line.get("run") for line in lines} >= set(ids)
        assert {line["process"] for line in lines} >= {"supervisor"}
