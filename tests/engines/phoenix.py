"""Arize Phoenix in its own environment (`.venv-phoenix`): a real receiver of spans.

Its process can reach this machine only, whatever Phoenix would like to ask for elsewhere: an audit
hook refuses and reports every other address.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from services.servers.engines import free_port
from tests.conftest import ROOT, until

PYTHON = ROOT / ".venv-phoenix" / "bin" / "python"
READY_S = 300.0  # 20 s on a busy machine
STOP_S = 30.0
ELSEWHERE = "asked for"
SERVE = f"""
import sys
HERE = (None, "", "127.0.0.1", "::1", "localhost")

def only_here(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if host not in HERE:
        print("{ELSEWHERE}", host, flush=True)
        raise PermissionError(host)

sys.addaudithook(only_here)
from phoenix.server import grpc_server, main

async def not_started(server):  # it would listen on all addresses
    return None

grpc_server.GrpcServer.__aenter__ = not_started
main.main()
"""


@dataclass(frozen=True)
class Phoenix:
    """Where Phoenix listens, and what it prints."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def spans(self, project: str) -> list[dict[str, Any]]:
        """What it has stored of a project so far."""
        answer = httpx.get(f"{self.url}/v1/projects/{project}/spans", params={"limit": 1000})
        return answer.json()["data"] if answer.status_code == 200 else []

    def query(self, graphql: str, **variables: Any) -> dict[str, Any]:
        """What its pages show."""
        body = {"query": graphql, "variables": variables}
        answer: dict[str, Any] = httpx.post(f"{self.url}/graphql", json=body).json()
        assert "errors" not in answer, answer["errors"]
        return dict(answer["data"])


@contextmanager
def phoenix(folder: Path) -> Iterator[Phoenix]:
    """Start Phoenix with an empty database in a folder; end it at the end."""
    port, log = free_port(), folder / "log"
    env = os.environ | {
        "HOME": str(folder),
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(PYTHON), "-c", SERVE, "serve"], cwd=folder, env=env, stdout=output, stderr=output
        )
    server = Phoenix(port, log, process)
    try:
        until(lambda: process.poll() is not None or _answers(server), READY_S)
        assert process.poll() is None, log.read_text()
        yield server
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(server: Phoenix) -> bool:
    try:
        return httpx.get(f"{server.url}/healthz").status_code == 200
    except httpx.TransportError:
        return False
