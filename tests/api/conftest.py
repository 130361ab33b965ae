"""Requests to the API without a server, and the shape of its refusals."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from api import api
from tests.conftest import Submit, finished

JSON = {"content-type": "application/json"}


def ask(method: str, path: str, **what: Any) -> httpx.Response:
    """Send a request; an error inside the API is raised here."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(api)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **what)

    return asyncio.run(send())


def problem(answer: httpx.Response, status: int) -> dict[str, str]:
    """What is wrong with which field; an answer that says so has one shape."""
    said = answer.json()
    assert answer.status_code == status, said
    assert set(said) == {"error", "problems"}
    assert said["error"].endswith("."), said
    assert "Traceback" not in answer.text
    problems: dict[str, str] = said["problems"]
    return problems


@pytest.fixture
def measured(database: Engine, reference_run: Submit) -> int:
    """A finished run of four requests."""
    run_id = reference_run("ref tokens=3", mode="batch", requests=4, warmup=0)
    assert finished(database, run_id).status == "done"
    return run_id


KEY = "fake-0123456789abcdefghij"


def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> dict[str, Any]:
    """An engine whose interpreter does what `script` says."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setenv("PACELINE_VLLM_PYTHON", str(python))
    return {"engine": "vllm", "model": "org/model"}
