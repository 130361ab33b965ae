"""Several processes that send: started together, stopped together; one that dies is a sentence."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from time import perf_counter_ns
from types import SimpleNamespace
from typing import Any

import pytest

from services.ask.backends import target
from services.ask.config import parse
from services.ask.measurement import Measurement, Progress
from services.base.ipc import Message
from services.load.process_pool import LoadProcess, ProcessPool, ProcessPoolProblem
from services.load.protocol import Job, ProgressSeen, Requests, StopRepeat, decode
from services.load.shards import Shard
from tests.conftest import ReferenceServer
from tests.services.load.test_runner import so

pytestmark = pytest.mark.slow

Meanwhile = Callable[[ProcessPool, list[Message]], None]


def play(base_url: str, model: str, meanwhile: Meanwhile | None = None, **values: Any) -> Any:
    """Let two processes play a batch; return what was played and what was told. `meanwhile` is
    called once all of it has been sent."""
    fields = {"backend": "url", "base_url": base_url, "model": model, "mode": "batch", **values}
    config = parse({"requests": 20, **fields})
    messages: list[Message] = []

    async def go() -> int:
        return perf_counter_ns()

    async def both() -> Any:
        parts = [Shard(0, 2), Shard(1, 2)]
        jobs = [Job(config, target(config, {}), "nonce", 0, part) for part in parts]
        pool = await ProcessPool.start(jobs, messages.append)
        try:
            playing = asyncio.create_task(pool.play(0, go))
            if meanwhile:
                await so(lambda: any(all_sent(message, config.requests) for message in messages))
                meanwhile(pool, messages)
            return await playing
        finally:
            await pool.close()
            assert all(load.process.returncode is not None for load in pool._processes)

    return asyncio.run(both()), messages


def all_sent(message: Message, number: int) -> bool:
    return isinstance(message, ProgressSeen) and message.progress.sent == number


def requests(messages: list[Message]) -> list[Measurement]:
    batches = [message for message in messages if isinstance(message, Requests)]
    return [seen for batch in batches for seen in batch.measurements()]


@pytest.mark.timed
def test_every_request_is_sent_once_and_all_begin_together(reference: ReferenceServer) -> None:
    played, messages = play(reference.base_url, "ref ttft=0.05")
    sent = requests(messages)
    assert sorted(seen.index for seen in sent) == list(range(20))
    assert {seen.status for seen in sent} == {"ok"}
    assert max(seen.t_send for seen in sent) < 0.04, "both before the first answer"
    assert played.health["processes"] == 2
    last = [message.progress for message in messages if isinstance(message, ProgressSeen)][-1]
    assert (last.sent, last.done, last.in_flight) == (20, 20, 0)


def test_a_stop_reaches_every_process(reference: ReferenceServer) -> None:
    _, messages = play(reference.base_url, "ref fault=hang", lambda pool, _: pool.stop())
    assert {seen.status for seen in requests(messages)} == {"cancelled"}
    assert len(requests(messages)) == 20


def test_the_error_limit_counts_the_errors_of_all_processes() -> None:
    """Neither of two has reached it alone."""
    lines: list[bytes] = []

    class Pipe:
        def write(self, line: bytes) -> None:
            lines.append(line)

        def is_closing(self) -> bool:
            return False

    async def failing(*counts: int) -> None:
        processes = [LoadProcess(SimpleNamespace(stdin=Pipe())) for _ in counts]
        pool = ProcessPool(processes, lambda message: None, errors_allowed=30)
        for process, failed in zip(processes, counts, strict=True):
            process.playing = True
            process.progress = Progress(
                1.0, 0, sent=50, in_flight=0, done=0, failed=failed, tokens=0
            )
        pool._report_progress(processes[1])

    asyncio.run(failing(20, 9))
    assert lines == []
    asyncio.run(failing(20, 10))
    assert [decode(line) for line in lines] == [StopRepeat()] * 2


def test_the_death_of_a_process_is_reported(reference: ReferenceServer) -> None:
    def kill(pool: ProcessPool, _: list[Message]) -> None:
        os.kill(pool._processes[1].process.pid, signal.SIGKILL)

    with pytest.raises(ProcessPoolProblem, match="One of the processes that send"):
        play(reference.base_url, "ref fault=hang", kill)


def test_an_unknown_host_is_reported() -> None:
    with pytest.raises(ProcessPoolProblem, match="cannot be reached"):
        play("http://no.such.host.invalid/v1", "m")


def test_a_message_that_is_too_long_is_reported() -> None:
    async def receive() -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "print('x' * 5000)"), stdout=asyncio.subprocess.PIPE, limit=1000
        )
        try:
            await LoadProcess(process).receive()
        finally:
            process.kill()
            await process.wait()

    with pytest.raises(ProcessPoolProblem, match="too long to be passed on"):
        asyncio.run(receive())
