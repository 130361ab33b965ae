"""Who plays a run: this process, or a pool of processes where the load wants one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from services.ask import modes
from services.base import machine
from services.base.ipc import Send
from services.load.process_pool import ProcessPool
from services.load.protocol import Job
from services.load.repeat import Playing
from services.load.shards import shards


@asynccontextmanager
async def players(job: Job, send: Send) -> AsyncIterator[Playing | ProcessPool]:
    """Yield what plays repeats of the job's run; what it sees goes to `send`."""
    parts = shards(job.config, modes.schedule(job.config), machine.cores())
    if len(parts) == 1:
        alone = Playing(job, send)
        try:
            yield alone
        finally:
            alone.client.close()
        return
    pool = await ProcessPool.started([replace(job, shard=part) for part in parts], send)
    try:
        yield pool
    finally:
        await pool.close()
