"""A node's calibration: `python -m services.load.nodes.calibration`, started as `actor.py` says.

It receives a `Job`, whose shard it replays to its own reference server, and the `Replay`; it
answers with `Calibrated`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

import httpx

from services.base.ipc import ProtocolProblem, sender, standard_input
from services.load.calibrate import calibrate
from services.load.players import Player
from services.load.process_pool import ProcessPoolProblem
from services.load.protocol import PROTOCOL, Calibrated, Job, Problem, Replay, expect

FAILED = "The calibration failed"


async def work() -> None:
    """Calibrate once; closing standard input stops it."""
    send, reader = sender(PROTOCOL), await standard_input()
    try:
        job = expect(Job, await reader.readline())
        replayed = expect(Replay, await reader.readline())
    except ProtocolProblem as problem:
        send(Problem(str(problem)))
        return

    @contextmanager
    def stopping(player: Player) -> Iterator[None]:
        async def until_the_end() -> None:
            await reader.read()
            player.stop()

        task = asyncio.create_task(until_the_end())
        try:
            yield
        finally:
            task.cancel()

    alone = job.config.model_copy(update={"on": None, "processes": 1})
    try:
        result = await calibrate(replace(job, config=alone), replayed.profile, stopping)
    except (OSError, ValueError, httpx.HTTPError, ProcessPoolProblem) as error:
        send(Calibrated({"problem": f"{FAILED}: {str(error).rstrip('.')}."}))
    else:
        send(Calibrated(asdict(result)))


if __name__ == "__main__":
    asyncio.run(work())
