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


def call(method: str, path: str, **options: Any) -> httpx.Response:
    """Call the API without a server; an error inside it is raised here."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(api)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **options)

    response = asyncio.run(send())
    length = response.headers.get("content-length")  # a HEAD says it, and has no content
    assert method == "HEAD" or length in (None, str(len(response.content))), response.headers
    return response


def problem(response: httpx.Response, status: int) -> dict[str, str]:
    """Check the shape of a refusal; return what is wrong with which field."""
    refusal = response.json()
    assert response.status_code == status, refusal
    assert set(refusal) == {"error", "problems"}
    assert refusal["error"].endswith((".", "?")), refusal
    assert "Traceback" not in response.text
    problems: dict[str, str] = refusal["problems"]
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
