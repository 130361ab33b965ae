"""A node of a Ray cluster, as an actor: it starts a process of Paceline and passes its lines on.

The process that measures is not part of Ray: its event loop shares no interpreter with Ray's
threads. It ends when its standard input closes, and so with this actor.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from services.load.nodes.echo import open_echo

PACKAGES = ("httptools", "httpx", "numpy", "orjson", "psutil", "pydantic")  # that the actor imports
PROGRAMS = {
    "load": "services.load.load_process",
    "calibration": "services.load.nodes.calibration",
}
ROOT = Path(__file__).resolve().parents[3]  # where Ray unpacked the shipped files
READ_BYTES = 64 * 2**10  # smaller answers are not put into Ray's object store
BEAT_S = 1.0  # without output, `read` returns b"" this often, as a sign of life
STOP_S = 1.0


class NodeActor:
    """Runs one process at a time on a node. The driver calls its methods, see `driver.py`."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._rest = b""

    async def clock(self) -> int:
        """Return this machine's monotonic time, which all of its processes share, in ns."""
        return perf_counter_ns()

    async def echo(self, token: bytes, host: str) -> int:
        """Start answering round trips by UDP; return the port. Raises OSError."""
        self._echo, port = await open_echo(token, host)
        return port

    async def missing(self) -> list[str]:
        """Return the packages that are not installed here."""
        return [package for package in PACKAGES if find_spec(package) is None]

    async def facts(self) -> dict[str, Any]:
        """Return facts about this machine."""
        from services.base import machine  # needs packages that may be missing

        return machine.environment()

    async def start(self, program: str) -> None:
        """Start a process after ending the previous one. Raises OSError."""
        await self.end()
        self._rest = b""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", PROGRAMS[program]),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )

    async def write(self, data: bytes | None) -> None:
        """Write to the process's standard input; None: close it."""
        if self._process is None or self._process.stdin is None:
            return
        with suppress(ConnectionError):  # it has ended, which `read` reports
            if data is None:
                self._process.stdin.close()
            else:
                self._process.stdin.write(data)
                await self._process.stdin.drain()

    async def read(self) -> bytes | None:
        """Return whole lines of the process's output; b"" if there are none yet, None at its
        end."""
        if self._process is None or self._process.stdout is None:
            return None
        try:
            data = await asyncio.wait_for(self._process.stdout.read(READ_BYTES), BEAT_S)
        except TimeoutError:
            return b""
        if not data:
            return None
        lines, newline, self._rest = (self._rest + data).rpartition(b"\n")
        return lines + newline

    async def end(self) -> None:
        """End the process."""
        if self._process is None:
            return
        await self.write(None)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._process = None
