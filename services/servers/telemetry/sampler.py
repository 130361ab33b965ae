"""Takes samples of a server: its metrics and, on this machine, its GPUs and processes."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from time import perf_counter_ns

import httpx
import psutil

from services.ask.address import origin
from services.ask.backends import Target
from services.ask.measurement import Sample
from services.servers.probe import http
from services.servers.telemetry import nvml
from services.servers.telemetry.engines import MetricsReader
from services.servers.telemetry.processes import Machine, Tree, listener
from services.servers.telemetry.target import SamplerTarget

PAGE = "/metrics"
TIMEOUT_S = 2.0
REFUSED = (401, 403)


class Page:
    """A server's page of metrics, read over one connection. A server without one is not asked
    again; the key is sent only where the page requires it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._reading = MetricsReader()
        self._there = True
        self._client: httpx.AsyncClient | None = None
        self._clients = AsyncExitStack()

    async def read(self) -> dict[str, float]:
        """Return the server's series; {} where there are none, or not in time."""
        if not self._there:
            return {}
        try:
            answer = await self._answer()
        except http.NoAnswer:  # may be busy: try again at the next sample
            return {}
        self._there = answer.status == 200 or answer.status >= 500
        if answer.status != 200:
            return {}
        return self._reading.values(answer.content.decode("utf-8", "replace"))

    async def _answer(self) -> http.Answer:
        if self._client is None:
            self._client = await self._connected(replace(self._target, key=None, headers=()))
        answer = await http.get(self._client, self._target, PAGE, TIMEOUT_S)
        if (
            answer.status in REFUSED
            and self._target.key
            and "Authorization" not in self._client.headers
        ):
            self._client = await self._connected(self._target)
            answer = await http.get(self._client, self._target, PAGE, TIMEOUT_S)
        return answer

    async def _connected(self, target: Target) -> httpx.AsyncClient:
        return await self._clients.enter_async_context(http.connected(target))

    async def close(self) -> None:
        """Close the connections."""
        await self._clients.aclose()


class Sampler:
    """Samples everything that can be seen of one target."""

    def __init__(self, target: SamplerTarget) -> None:
        self._target = target
        self._page = Page(target.target())
        self._gpus = nvml.gpus() if target.on_gpus else None
        self._machine = Machine() if target.here else None
        self._tree = _tree(target) if target.here else None

    async def look(self) -> Sample:
        """Return a sample taken now."""
        values = await self._page.read()
        t = (perf_counter_ns() - self._target.began_ns) / 1e9
        pids: set[int] = set()
        if self._tree is not None:
            usage, pids = self._tree.read()
            values |= usage
        if self._machine is not None:
            values |= self._machine.read()
        if self._gpus is not None:
            values |= self._gpus.read(pids)
        return Sample(t, values)

    async def close(self) -> None:
        """Close the connections."""
        await self._page.close()


def _tree(target: SamplerTarget) -> Tree | None:
    pid = target.pid or listener(origin(target.base_url)[2])
    try:
        return Tree(pid) if pid else None
    except psutil.NoSuchProcess:
        return None
