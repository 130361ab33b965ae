"""One repeat, or a process's share of it, played in this process: prepared, started, watched."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from time import perf_counter_ns
from typing import Any

from services.ask import modes, workloads
from services.ask.backends.wire_formats import body, chat_url
from services.ask.dialogue import text_of
from services.ask.measurement import WARM_UP
from services.base.ipc import Send
from services.base.redact import known
from services.load.loop_monitor import LoopMonitor
from services.load.protocol import Job, Played
from services.load.response_profile import typical
from services.load.runner import Ask, Player
from services.wire import Fitting, Timeouts, Wire

Go = Callable[[], Awaitable[int]]  # called when everything is ready; returns when to begin


class Playing:
    """Plays one repeat after another through one client."""

    def __init__(self, job: Job, send: Send) -> None:
        self._job = job
        self._send = send
        self.client = client_of(job)
        self._player: Player | None = None
        self._stopped = False

    def stop(self) -> None:
        """Send nothing more, and end what is in flight."""
        self._stopped = True
        self.stop_repeat()

    def stop_repeat(self) -> None:
        """End the repeat in hand."""
        if self._player is not None:
            self._player.stop()

    async def warm_up(self) -> None:
        """Send the requests that do not count, one after the other.

        Raises:
            OSError: the backend's host cannot be found.
        """
        count = workloads.warm_ups(self._job.config)
        schedule = modes.Schedule((0.0,) * count, in_flight=1, pause_s=0.0)
        player = self._ready(WARM_UP, None)
        await player.play(schedule, self._asks(WARM_UP, range(count)), _now)

    async def play(self, repeat: int, go: Go) -> Played:
        """Play this process's share of a repeat.

        Raises:
            OSError: the backend's host cannot be found.
        """
        job, config = self._job, self._job.config
        asks = self._asks(repeat, job.shard.indices(config.requests))
        schedule = job.shard.schedule(modes.schedule(config))
        player = self._ready(repeat, config.stop_after_errors)
        monitor = LoopMonitor(player, self._send, job.run_began_ns)
        loop = asyncio.get_running_loop()
        limits: list[asyncio.TimerHandle] = []

        async def begin() -> int:
            began = await go()
            monitor.begin()
            if config.stop_after_s:
                lead_s = (began - perf_counter_ns()) / 1e9
                limits.append(loop.call_later(lead_s + config.stop_after_s, player.stop))
            return began

        _quiet()
        try:
            async with monitor:
                duration = await player.play(schedule, asks, begin)
                health: dict[str, Any] = {
                    "clock": "kernel" if self.client.kernel_clock else "loop",
                    "cpu_share": monitor.cpu_share(),
                    "loop_lag_p99_s": monitor.lag_p99_s(),
                }
                if player.oddities:
                    health["oddities"] = dict(player.oddities)
        finally:
            gc.enable()
            for limit in limits:
                limit.cancel()
        return Played(player.began_ns, duration, health, typical(player.profiles))

    def _ready(self, repeat: int, stop_after_errors: int | None) -> Player:
        self._player = Player(self.client, repeat, self._job.target.key, stop_after_errors)
        if self._stopped:
            self._player.stop()
        return self._player

    def _asks(self, repeat: int, indices: range) -> list[Ask]:
        job = self._job

        def ask(index: int) -> Ask:
            text = workloads.prompt(job.config, repeat, index, job.nonce)
            config = workloads.asking(job.config, repeat, index)
            asked = self.client.request(body(config, job.target, text))
            return Ask(index, asked, known(text_of(text)))

        return [ask(index) for index in indices]


def client_of(job: Job) -> Any:
    """Return the client that the config asks for: the wire's, or LiteLLM's."""
    config, target = job.config, job.target
    timeouts = Timeouts(
        total_s=config.timeout_s,
        connect_s=config.connect_timeout_s,
        first_token_s=config.first_token_timeout_s,
        between_chunks_s=config.chunk_timeout_s,
    )
    if target.client == "litellm":
        from services.wire.via_litellm import ViaLiteLLM  # seconds of imports, where asked for

        return ViaLiteLLM(target, timeouts)
    fitting = Fitting(target.headers, target.hidden, target.trust.context)
    return Wire(chat_url(target), target.key, timeouts, target.proxy, fitting)


async def _now() -> int:
    return perf_counter_ns()


def _quiet() -> None:
    """No garbage collection while tokens arrive; what there is now need never be looked at."""
    gc.collect()
    gc.freeze()
    gc.disable()
