"""During a repeat: send batches of results, twice a second, and measure the event loop's lag.

The loop only collects the results; a thread writes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import perf_counter_ns, process_time_ns

from services.ask.measurement import Measurement
from services.base.ipc import Message, Send
from services.load.protocol import ProgressSeen, Requests
from services.load.runner import Runner

TICK_S = 0.05
ROWS_PER_MESSAGE = 100  # encoding a longer message would delay the loop
BYTES_PER_MESSAGE = 8 * 2**20  # about; far from LINE_BYTES, since text may be escaped twice
TIME_BYTES, CHARACTER_BYTES = 16, 2  # as JSON, about: "1234.123456789,"
TICKS_PER_BATCH = 10  # half a second, the most that a killed worker loses


class LoopMonitor:
    """An async context manager that sends batches while it is open, and the last one at its end."""

    def __init__(self, runner: Runner, send: Send, run_began_ns: int) -> None:
        self._runner = runner
        self._send = send
        self._run_began_ns = run_began_ns
        self._lags: list[float] = []
        self._began_ns = self._cpu_ns = 0
        self._task: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> LoopMonitor:
        self.begin()
        self._task = asyncio.create_task(self._tick_loop())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()
        if self._writing is not None:
            await self._writing
        self._write(self._collect())

    def begin(self) -> None:
        """Start measuring, after connections have been opened."""
        self._began_ns, self._cpu_ns = perf_counter_ns(), process_time_ns()
        self._lags.clear()

    def lag_p99_s(self) -> float | None:
        """Return the 99th percentile of the event loop's lag, in seconds."""
        return p99(self._lags)

    def cpu_share(self) -> float:
        """Return the share of one core that this process has used since `begin`."""
        wall = perf_counter_ns() - self._began_ns
        return round((process_time_ns() - self._cpu_ns) / wall, 4) if wall else 0.0

    async def _tick_loop(self) -> None:
        while True:
            due = perf_counter_ns() + TICK_S * 1e9
            await asyncio.sleep(TICK_S)
            self._lags.append(max(0.0, (perf_counter_ns() - due) / 1e9))
            idle = self._writing is None or self._writing.done()
            if idle and len(self._lags) % TICKS_PER_BATCH == 0:
                if self._writing is not None:
                    self._writing.result()  # a batch that could not be written ends the run
                self._writing = asyncio.create_task(asyncio.to_thread(self._write, self._collect()))

    def _collect(self) -> list[Message]:
        messages = [Requests(batch) for batch in batches(self._runner.record.take())]
        progress = replace(
            self._runner.progress(self._run_began_ns),
            late_p99_s=p99(self._runner.record.lateness_s.values),
            lag_p99_s=self.lag_p99_s(),
            cpu_share=self.cpu_share(),
        )
        return [*messages, ProgressSeen(progress)]

    def _write(self, messages: list[Message]) -> None:
        for message in messages:
            self._send(message)


def batches(rows: Sequence[Measurement]) -> Iterator[Sequence[Measurement]]:
    """Yield the rows in batches of at most ROWS_PER_MESSAGE and about BYTES_PER_MESSAGE, or of one
    that is longer."""
    start = size = 0
    for end, row in enumerate(rows):
        more = TIME_BYTES * len(row.token_times) + CHARACTER_BYTES * len(row.answer or "")
        if end > start and (end - start == ROWS_PER_MESSAGE or size + more > BYTES_PER_MESSAGE):
            yield rows[start:end]
            start, size = end, 0
        size += more
    if rows:
        yield rows[start:]


def p99(values: list[float]) -> float | None:
    """Return the 99th percentile; None without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))] if ordered else None
