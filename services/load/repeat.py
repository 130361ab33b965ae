"""Play one repeat, or a shard of it, in this process: prepare, start and monitor it."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from math import ceil
from time import perf_counter_ns
from typing import Any

from services.ask import modes, workloads
from services.ask.backends.wire_formats import bearer, chat_url, headers, hidden
from services.ask.measurement import OK, WARM_UP, WARM_UP_ENDS
from services.base.ipc import Send
from services.load.loop_monitor import LoopMonitor
from services.load.prepare import Preparer, prepare_ahead
from services.load.protocol import Job, Played
from services.load.response_profile import median_profile
from services.load.runner import Runner
from services.load.supply import PreparedRequest, Supply
from services.wire import Fitting, Timeouts, Wire

PREPARED = 10_000  # requests
PREPARED_BYTES = 64 * 2**20  # of a run with a duration, which may need only a few

OnReady = Callable[[], Awaitable[int]]  # called when everything is ready; returns when to begin


class RepeatPlayer:
    """Plays one repeat after another through one client."""

    def __init__(self, job: Job, send: Send) -> None:
        self._job = job
        self._send = send
        self.client = client_of(job)
        self._runner: Runner | None = None
        self._stopped = False

    def stop(self) -> None:
        """Stop sending, and end the requests in flight."""
        self._stopped = True
        self.stop_repeat()

    def stop_repeat(self) -> None:
        """End the current repeat."""
        if self._runner is not None:
            self._runner.stop()

    async def warm_up(self) -> Counter[str]:
        """Send the warm-up requests, one after the other; return how they ended, as
        `Record.warm_up`.

        Raises:
            OSError: the backend's host cannot be found.
        """
        config = self._job.config
        count = workloads.warmup_count(config)
        schedule = modes.Schedule((0.0,) * count, in_flight=1, pause_s=0.0)
        runner = self._new_runner(WARM_UP, None, config.retries)
        supply = Supply(Preparer(self._job, self.client, WARM_UP).alone(count), count)
        await runner.play(schedule, supply, _now_ns)
        ended = (each for each in runner.record.finished if each.status != "cancelled")
        return Counter(each.error_class or OK for each in ended)

    async def play(self, repeat: int, on_ready: OnReady) -> Played:
        """Play this process's shard of a repeat.

        Raises:
            OSError: the backend's host cannot be found.
        """
        job, config = self._job, self._job.config
        schedule = job.shard.schedule(modes.schedule(config, repeat))
        supply = self._supply(repeat, schedule)
        runner = self._new_runner(repeat, config.stop_after_errors, config.retries)
        monitor = LoopMonitor(runner, self._send, job.run_began_ns)
        loop = asyncio.get_running_loop()
        limits: list[asyncio.TimerHandle] = []

        async def begin() -> int:
            began = await on_ready()
            monitor.begin()
            starts_s = (began - perf_counter_ns()) / 1e9 + schedule.lead_s
            if config.stop_after_s:
                limits.append(loop.call_later(starts_s + config.stop_after_s, runner.stop))
            if config.duration_s and config.drain_s is not None:
                ends_s = starts_s + config.duration_s + config.drain_s
                limits.append(loop.call_later(ends_s, runner.stop))
            return began

        _disable_gc()
        try:
            async with monitor:
                duration = await runner.play(schedule, supply, begin)
                health = self._health(runner, monitor)
        finally:
            gc.enable()
            for limit in limits:
                limit.cancel()
        return Played(
            runner.began_ns, duration, health, median_profile(runner.record.profiles.values)
        )

    def _health(self, runner: Runner, monitor: LoopMonitor) -> dict[str, Any]:
        """The health of the client in this repeat, and how the server framed its answers."""
        health: dict[str, Any] = {
            "clock": "kernel" if self.client.kernel_clock else "loop",
            "cpu_share": monitor.cpu_share(),
            "loop_lag_p99_s": monitor.lag_p99_s(),
        }
        if runner.record.warm_up:
            health[WARM_UP_ENDS] = dict(runner.record.warm_up)
        if runner.record.unsent_turns:
            health["unsent_turns"] = dict(runner.record.unsent_turns)
        if runner.record.irregularities:
            health["oddities"] = dict(runner.record.irregularities)
        return health

    def _new_runner(self, repeat: int, stop_after_errors: int | None, retries: int) -> Runner:
        secrets = hidden(self._job.target)
        self._runner = Runner(self.client, repeat, secrets, stop_after_errors, retries)
        if self._stopped:
            self._runner.stop()
        return self._runner

    def _supply(self, repeat: int, schedule: modes.Schedule) -> Supply:
        """The requests of this shard; the first ones are prepared before the repeat starts."""
        job, starts = self._job, len(schedule.due_s)
        shard, limited = job.shard, job.config.duration_s is None
        numbers = shard.indices(starts * shard.of)
        turns = modes.mean_turns(job.config)
        warm: Iterator[PreparedRequest] = iter(())
        if schedule.lead_s:
            warm = Preparer(job, self.client, WARM_UP).sessions(shard.indices(sys.maxsize))
        return Supply(
            prepare_ahead(
                Preparer(job, self.client, repeat).sessions(numbers),
                PREPARED,
                sys.maxsize if limited else PREPARED_BYTES,
            ),
            starts,
            ceil(starts * turns),
            prepare_ahead(
                warm, ceil((len(schedule.warm_s) or schedule.users) * turns), PREPARED_BYTES
            ),
        )


def client_of(job: Job) -> Any:
    """Return the client that the config needs: the wire's, or LiteLLM's."""
    config, target = job.config, job.target
    timeouts = Timeouts(
        total_s=config.timeout_s,
        connect_s=config.connect_timeout_s,
        first_token_s=config.first_token_timeout_s,
        between_chunks_s=config.chunk_timeout_s,
    )
    if target.client == "litellm":
        from services.wire.via_litellm import ViaLiteLLM  # the import takes seconds

        return ViaLiteLLM(target, timeouts)
    fitting = Fitting(headers(target), hidden(target), target.trust.context)
    return Wire(chat_url(target), bearer(target), timeouts, target.proxy, fitting)


async def _now_ns() -> int:
    return perf_counter_ns()


def _disable_gc() -> None:
    """Switch garbage collection off while tokens arrive, and exempt all objects that exist now."""
    gc.collect()
    gc.freeze()
    gc.disable()
