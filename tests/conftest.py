"""What several tests need: the reference server, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


class ReferenceServer:
    """Where the reference server listens, and what it did."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.base_url = f"http://127.0.0.1:{port}/v1"

    def told(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/log") as answer:
            data: dict[str, Any] = json.load(answer)
        return data

    def log(self) -> dict[str, Any]:
        """What it did for each prompt; times are the monotonic clock's nanoseconds."""
        log: dict[str, Any] = self.told()["log"]
        return log


@pytest.fixture(scope="session")
def reference() -> Iterator[ReferenceServer]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.reference"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    yield ReferenceServer(int(process.stdout.readline()))
    process.stdin.close()
    process.wait(timeout=10)
    process.stdout.close()
