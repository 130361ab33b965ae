"""Choose what plays a run: this process, or a pool of processes where the load needs one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from services.base import machine
from services.base.ipc import Send
from services.load.process_pool import ProcessPool
from services.load.protocol import Job
from services.load.repeat import RepeatPlayer
from services.load.shards import shards


@asynccontextmanager
async def open_player(job: Job, send: Send) -> AsyncIterator[RepeatPlayer | ProcessPool]:
    """Yield a player for the job's repeats; its messages go to `send`."""
    parts = shards(job.config, machine.cores())
    if len(parts) == 1:
        player = RepeatPlayer(job, send)
        try:
            yield player
        finally:
            player.client.close()
        return
    pool = await ProcessPool.start([replace(job, shard=part) for part in parts], send)
    try:
        yield pool
    finally:
        await pool.close()
